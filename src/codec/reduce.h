/* SPDX-License-Identifier: BSD-2-Clause */
/* Main headers of reduced codestreams, for those who keep headers and packets apart. */
#ifndef CODEC_REDUCE_H
#define CODEC_REDUCE_H

#include <mist/buffer.h>
#include <mist/status.h>

/*
 * Rewrites a main header that has no TLM (SOC up to, and with, the first SOT marker segment) as
 * mist_codestream_reduce() would; what it writes to `out` ends where the first SOT belongs.
 */
enum mist_status codestream_reduce_header(const uint8_t *data, size_t size, unsigned reduce, struct mist_buffer *out,
                                          struct mist_error *error);

#endif
