/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The order of an original: what its bytes had between and around the packets, and how its header differs from the one
 * that is kept. docs/coder-j2k.md describes the bytes.
 */
#ifndef CODER_J2K_ORDER_H
#define CODER_J2K_ORDER_H

#include "coder/j2k_list.h"

#include <mist/buffer.h>

/* The progression in which packets are kept: the header's own where levels are together in it. */
enum mist_progression j2k_kept_order(const struct codestream_header *header);

/* Appends the kept main header to `out`: without TLM and PLM, COD saying the kept order and no SOP. */
enum mist_status j2k_kept_header(const struct stream *stream, struct mist_buffer *out, struct mist_error *error);

/* Appends the order of the list's original, [data, data + size), to `out`. */
enum mist_status j2k_order_write(const struct j2k_list *list, const uint8_t *data, size_t size, struct mist_buffer *out,
                                 struct mist_error *error);

#endif
