/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The steps of a frame by several threads, each of which does a run of rows, and by rows that stay in the cache. Same
 * bits as by one thread and all at once.
 */
#ifndef CODEC_PARTS_H
#define CODEC_PARTS_H

#include "codec/context.h"
#include "codec/kernels.h"
#include "codec/tile.h"

/*
 * Sets codec->pool for a frame of so many samples, of at most `threads`: waking a thread takes some 30 microseconds, in
 * which one thread does tens of thousands of samples.
 */
enum mist_status parts_start(mist_codec *codec, uint64_t samples, unsigned threads, struct mist_error *error);

/*
 * Runs a wavelet kernel; job->scratch is set here, from the arena. `steps` is wavelet_steps() or wavelet97_steps(),
 * `element` codec_lane_size() or sizeof(float).
 */
enum mist_status parts_wavelet(void (*kernel)(const struct wavelet_job *job), const struct wavelet_job *job,
                               uint32_t steps, size_t element, mist_codec *codec, struct mist_error *error);

/* Where the rows of an inverse 5/3 wavelet go while they are in the cache. */
struct parts_store {
    void (*wavelet)(const struct wavelet_job *job);
    bool (*kernel)(const struct transfer_job *job);
    const struct transfer_job *job; /* its plane is set here */
    uint32_t x, y;                  /* of the plane: the upper left sample of job->view */
};

/*
 * Runs steps->first_step .. end_step - 1 and stores the rows that they write; steps->plane has room for those, two for
 * each step and one more. Returns what the store kernel says.
 */
bool parts_store_steps(const struct parts_store *store, const struct wavelet_job *steps, size_t element);

/* All steps; job->scratch, the plane and its stride are set here. *fits: what the store kernel says. */
enum mist_status parts_wavelet53_store(const struct wavelet_job *job, size_t element, const struct parts_store *store,
                                       mist_codec *codec, bool *fits, struct mist_error *error);

/* How many steps of rows of `row_size` bytes fit into so much of a core's own cache; a few even where none do. */
uint32_t parts_steps_in_cache(size_t row_size, size_t cache);

/*
 * Strips of a level's high bands, for encode_strips() and decode_strips(): whole rows of blocks, so many that what
 * strips have in common matters little. The level's origin is even.
 */
uint32_t parts_strip_height(const struct resolution *resolution);
uint32_t parts_strip_count(const struct resolution *resolution);

/* Runs load or store; false if the kernel says so of any part. `element` is the size of the plane's samples. */
bool parts_transfer(bool (*kernel)(const struct transfer_job *job), const struct transfer_job *job, size_t element,
                    struct pool *pool);

#endif
