/* SPDX-License-Identifier: BSD-2-Clause */
/* JPH and JP2 files: the boxes around a codestream (15444-15 Annex D, 15444-1 Annex I). */
#ifndef CODEC_JPH_H
#define CODEC_JPH_H

#include "codec/codestream.h"

/*
 * The codestream inside `data`: the content of the first jp2c box, or all of `data` where it is no box file. A box that
 * goes beyond the input is clipped to it.
 */
enum mist_status jph_find_codestream(const uint8_t *data, size_t size, struct codestream_span *codestream,
                                     struct mist_error *error);

#endif
