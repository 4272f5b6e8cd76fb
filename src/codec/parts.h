/* SPDX-License-Identifier: BSD-2-Clause */
/* The wavelet and the transfer of a large plane by several threads: each does a run of its rows. Same bits as by one.
 */
#ifndef CODEC_PARTS_H
#define CODEC_PARTS_H

#include "codec/context.h"
#include "codec/kernels.h"

/*
 * How many threads a plane of width x height is worth, at most `threads`: starting a thread takes some 30 microseconds,
 * in which one thread does a hundred thousand samples.
 */
unsigned parts_threads(uint32_t width, uint32_t height, unsigned threads);

/* Runs a 5/3 kernel; job->scratch is set here, from the arena. `element` is codec_lane_size(). */
enum mist_status parts_wavelet53(void (*kernel)(const struct wavelet_job *job), const struct wavelet_job *job,
                                 size_t element, unsigned threads, struct arena *arena, struct mist_error *error);

/* Runs load or store; false if the kernel says so of any part. `element` is the size of the plane's samples. */
bool parts_transfer(bool (*kernel)(const struct transfer_job *job), const struct transfer_job *job, size_t element,
                    unsigned threads);

#endif
