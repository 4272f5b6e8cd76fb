/* SPDX-License-Identifier: BSD-2-Clause */
/* JPH and JP2 files: the boxes around a codestream (15444-15 Annex D, 15444-1 Annex I). */
#ifndef CODEC_JPH_H
#define CODEC_JPH_H

#include "base/bytes.h"
#include "codec/codestream.h"

#define JPH_BOX_CODESTREAM 0x6a703263u /* "jp2c" */

struct jph_box {
    uint32_t type; /* its four letters, the first in the highest byte */
    const uint8_t *content;
    size_t size; /* clipped to the input */
};
/* The next box (15444-1, I.4). False at the end of the input or when its length is impossible. */
bool jph_next_box(struct byte_reader *reader, struct jph_box *box);

/*
 * The codestream inside `data`: the content of the first jp2c box, or all of `data` where it is no box file. A box that
 * goes beyond the input is clipped to it.
 */
enum mist_status jph_find_codestream(const uint8_t *data, size_t size, struct codestream_span *codestream,
                                     struct mist_error *error);

#endif
