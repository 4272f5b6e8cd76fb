/* SPDX-License-Identifier: BSD-2-Clause */
/* Code-blocks into the planes of their bands. */
#ifndef CODEC_DECODE_BLOCKS_H
#define CODEC_DECODE_BLOCKS_H

#include "codec/decode_plan.h"

/* Makes plan->worker, what each thread of the codec's pool needs. False when memory is short. */
bool decode_blocks_start(struct decode_plan *plan);
/* All of plan->block, shared out. */
enum mist_status decode_blocks(struct decode_plan *plan, struct mist_error *error);
/* `count` blocks in a task of the pool; `thread` is the one that runs. */
enum mist_status decode_block_list(const struct decode_plan *plan, unsigned thread, const struct block_target *list,
                                   uint64_t count, struct mist_error *error);
/* Adds up decode->blocks_decoded. */
void decode_blocks_count(const struct decode_plan *plan);

#endif
