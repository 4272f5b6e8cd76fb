/* SPDX-License-Identifier: BSD-2-Clause */
/* Code-blocks into the planes of their bands. */
#ifndef CODEC_DECODE_BLOCKS_H
#define CODEC_DECODE_BLOCKS_H

#include "codec/decode_plan.h"

/* What each thread of the codec's pool needs, for all tiles of a call; from the arena. NULL when memory is short. */
struct block_worker *decode_blocks_start(mist_codec *codec);
/* All of plan->block, shared out. */
enum mist_status decode_blocks(struct decode_plan *plan, struct mist_error *error);
/* `count` blocks in a task of the pool; `thread` is the one that runs. */
enum mist_status decode_block_list(const struct decode_plan *plan, unsigned thread, const struct block_target *list,
                                   uint64_t count, struct mist_error *error);
/* Blocks that have been decoded since decode_blocks_start(). */
uint64_t decode_blocks_count(const mist_codec *codec, const struct block_worker *worker);

#endif
