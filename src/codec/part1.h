/* SPDX-License-Identifier: BSD-2-Clause */
/* JPEG 2000 Part 1 (ISO/IEC 15444-1) codestreams and JP2 files in memory, decoded by OpenJPEG. */
#ifndef CODEC_PART1_H
#define CODEC_PART1_H

#include <mist/image.h>
#include <mist/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the SIZ marker of a codestream, or of the first one of a JP2 or JPH file, says (15444-1, A.5.1). */
struct part1_info {
    size_t offset; /* of the codestream in the data */
    uint32_t width;
    uint32_t height;
    uint32_t components; /* 1 .. 16384 */
    unsigned precision;  /* of the first component */
    bool is_signed;
    bool high_throughput; /* Part 15: Rsiz bit 14 */
};
/* MIST_ERROR_CORRUPT if there is none. */
enum mist_status part1_info_read(const uint8_t *data, size_t size, struct part1_info *info, struct mist_error *error);

/*
 * Decodes one codestream, or the first one of a JP2 file, `reduce` resolution levels below full size, into `out`, whose
 * width, height, components and type the caller has set: MIST_ERROR_ARGUMENT if they are not the codestream's. All
 * components must have one size (else MIST_ERROR_UNSUPPORTED). Samples are stored modulo the size of out's type, an
 * integer one: what a codestream calls signed may be read as unsigned and the other way round. The colour transform of
 * the codestream (RCT, ICT) is undone; that of a JP2 colour box is not.
 * What the header would have OpenJPEG allocate and walk through is limited before: MIST_ERROR_LIMIT.
 * MIST_ERROR_CORRUPT, MIST_ERROR_TRUNCATED (a stream that ends early is not decoded in part) or MIST_ERROR_MEMORY, with
 * OpenJPEG's own words. It prints nothing. Thread-safe.
 */
enum mist_status part1_decode(const uint8_t *data, size_t size, unsigned reduce, struct mist_view *out,
                              struct mist_error *error);

#endif
