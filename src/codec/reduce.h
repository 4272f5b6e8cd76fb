/* SPDX-License-Identifier: BSD-2-Clause */
/* Main headers of reduced codestreams. */
#ifndef CODEC_REDUCE_H
#define CODEC_REDUCE_H

#include "codec/codestream.h"

#include <mist/buffer.h>

/*
 * Appends the main header of `data`, which `header` is parsed from, rewritten for a codestream without the `reduce`
 * highest levels (SIZ, COD, COC, QCD, QCC; fewer than every component has), and without its TLM and PLM segments. It
 * ends where the first SOT belongs. False when memory is short.
 */
bool reduce_main_header(const uint8_t *data, const struct codestream_header *header, unsigned reduce,
                        struct mist_buffer *out);

/*
 * The same of a main header up to, and with, the first SOT marker segment; `out` is overwritten. For item/read.c, until
 * it goes by packets.h.
 */
enum mist_status codestream_reduce_header(const uint8_t *data, size_t size, unsigned reduce, struct mist_buffer *out,
                                          struct mist_error *error);

#endif
