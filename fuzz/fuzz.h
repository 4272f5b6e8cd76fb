/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzz targets: one file each, one function each. libFuzzer calls it with bytes of its making; fuzz/replay.c calls it
 * with the committed corpus, so that every build with any compiler runs what fuzzing has found. A target must return
 * for any bytes, in bounded time and memory; what it checks beyond that, it checks with fuzz_require().
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <mist/codec.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the process with a sentence if a property does not hold; unlike assert() in every build. */
#define fuzz_require(condition) ((condition) ? (void)0 : fuzz_failed(#condition, __FILE__, __LINE__))
_Noreturn void fuzz_failed(const char *condition, const char *file, int line);

/* Bytes of the input that a target takes for itself: `count` of them, zeros behind the end; advances data and size. */
uint64_t fuzz_take(const uint8_t **data, size_t *size, unsigned count);

/*
 * Decodes with the options as a careful caller does: the size from the header, at most FUZZ_MAX_SAMPLES of them. The
 * samples (32 bits, planar, of the smallest matching signedness) are freed by the caller with free(); NULL unless
 * *status is MIST_OK.
 */
#define FUZZ_MAX_SAMPLES ((uint64_t)1 << 18)
int32_t *fuzz_decode(const uint8_t *data, size_t size, const struct mist_decode_options *options,
                     struct mist_view *view, struct mist_decode_report *report, enum mist_status *status);

#endif
