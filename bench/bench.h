/* SPDX-License-Identifier: BSD-2-Clause */
/* What the codec benchmark shares between its files: images, peers, time. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <mist/mist.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One grey frame; samples are packed u8, u16 or s16. */
struct bench_image {
    char name[32];
    struct mist_view view;
    unsigned precision;
};

/*
 * The images of the table, from `shared` (the project's ../shared/data), else from `examples` (this repository's
 * examples/data), and a synthetic one. Returns how many; `limit` at most. Free with bench_image_free().
 */
size_t bench_images(const char *shared, const char *examples, struct bench_image *images, size_t limit);
void bench_image_free(struct bench_image *image);

/* Another codec behind the same interface. Every function returns false on failure. Not thread-safe per `state`. */
struct bench_peer {
    const char *name;
    bool reduces; /* whether decode takes reduce > 0 */
    void *(*create)(void);
    void (*destroy)(void *state);
    bool (*encode)(void *state, const struct bench_image *image, struct mist_buffer *out);
    bool (*decode)(void *state, const struct mist_buffer *stream, unsigned reduce, struct mist_view *out);
};
extern const struct bench_peer peer_openjph; /* OpenJPH, HTJ2K: the same settings as ours */
extern const struct bench_peer peer_charls;  /* CharLS, JPEG-LS lossless: another codec, for orientation */

#ifdef __cplusplus
}
#endif
#endif
