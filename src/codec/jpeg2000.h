/* SPDX-License-Identifier: BSD-2-Clause */
/* JPEG 2000 codestreams of either part, as others wrote them. */
#ifndef CODEC_JPEG2000_H
#define CODEC_JPEG2000_H

#include <mist/image.h>
#include <mist/status.h>
#include <stdbool.h>

/*
 * Decodes one at full size into a view of its width, height and components and of an integer type of its sign: Part 15
 * (`high_throughput`) by our codec, Part 1 as part1_decode() says, whose errors are these. Thread-safe.
 */
enum mist_status jpeg2000_decode(const uint8_t *data, size_t size, bool high_throughput, struct mist_view *view,
                                 struct mist_error *error);

#endif
