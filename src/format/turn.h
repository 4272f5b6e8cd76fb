/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Volumes whose planes lie across those of their file (mist_image_info.axes is not {0, 1, 2}): samples between the
 * order of planes, in which an item has them, and the order of the file. What is turned is spooled to a temporary file,
 * one volume at a time, so that memory stays bounded.
 */
#ifndef FORMAT_TURN_H
#define FORMAT_TURN_H

#include <mist/image.h>
#include <mist/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool turn_is_needed(const struct mist_image_info *info);

/* Takes bytes in the order of the file. */
struct turn_sink {
    void (*take)(void *context, const uint8_t *bytes, size_t size);
    void *context;
};

/* Collects planes of a volume and gives its samples on in the order of the file once the last one is there. */
struct turner;
/* `info` of what comes: width, height, slices, axes, type, components. `near`: a path beside which to spool, or NULL.
 */
enum mist_status turner_new(const struct mist_image_info *info, const char *near, const struct turn_sink *sink,
                            struct turner **turner, struct mist_error *error);
/* The next plane, packed, components interleaved; in any byte order, which stays. */
enum mist_status turner_plane(struct turner *turner, const uint8_t *packed, struct mist_error *error);
/* Safe on a pointer to NULL. */
void turner_free(struct turner **turner);

/*
 * The reverse for axes {1, 2, 0}: the planes of all volumes of `samples`, which are in the order of the file, one after
 * another in a new mapping of as many bytes; released with munmap().
 */
enum mist_status turn_volumes(const struct mist_image_info *info, const uint8_t *samples, const char *near,
                              uint8_t **planes, struct mist_error *error);

#endif
