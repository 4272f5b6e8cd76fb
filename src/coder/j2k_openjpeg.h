/* SPDX-License-Identifier: BSD-2-Clause */
/* Decoding of Part 1 by OpenJPEG: the one file that needs it is j2k_openjpeg.c. */
#ifndef CODER_J2K_OPENJPEG_H
#define CODER_J2K_OPENJPEG_H

#include <mist/image.h>
#include <mist/status.h>

/*
 * A raw codestream reduced by `reduce` into `out`, whose type holds the codestream's precision and sign (the caller has
 * checked that). What its header would have OpenJPEG allocate and walk through is limited before: MIST_ERROR_LIMIT.
 * MIST_ERROR_CORRUPT, with what OpenJPEG says, for what it does not decode in full. It prints nothing.
 */
enum mist_status j2k_openjpeg_decode(const uint8_t *data, size_t size, unsigned reduce, struct mist_view *out,
                                     struct mist_error *error);

#endif
