/* SPDX-License-Identifier: BSD-2-Clause */
#include "coder/jpeg.h"

#include "base/error.h"
#include "coder/jpeg_file.h"

#include <string.h>

const char *jpeg_colour_name(enum jpeg_colour colour)
{
    static const char *const names[] = {"grey", "YCbCr", "RGB", "CMYK", "YCCK"};
    return names[colour];
}

static bool is_constant_zero(const struct jpeg_plane *plane)
{
    size_t count = (size_t)plane->wide * plane->high * plane->stride;
    for (size_t i = 0; i < count; i++)
        if (plane->block[i])
            return false;
    return true;
}

static bool are_equal(const struct jpeg_picture *picture, unsigned c)
{
    const struct jpeg_component *a = &picture->frame.component[0], *b = &picture->frame.component[c];
    const struct jpeg_plane *plane = &picture->planes.plane[0], *other = &picture->planes.plane[c];
    return a->h == b->h && a->v == b->v && !memcmp(a->quant, b->quant, sizeof a->quant) &&
           !memcmp(plane->block, other->block, (size_t)plane->wide * plane->high * plane->stride * sizeof(int16_t));
}

/* Chroma that is 128 everywhere, or three equal planes. */
static bool find_grey(const struct jpeg_picture *picture)
{
    const struct jpeg_planes *planes = &picture->planes;
    if (picture->frame.colour == JPEG_YCBCR)
        return is_constant_zero(&planes->plane[1]) && is_constant_zero(&planes->plane[2]);
    return picture->frame.colour == JPEG_RGB && are_equal(picture, 1) && are_equal(picture, 2);
}

static struct jpeg_info describe(const struct jpeg_frame *frame, bool grey_as_rgb)
{
    struct jpeg_info info = {.width = frame->width,
                             .height = frame->height,
                             .components = frame->components,
                             .colour = frame->colour,
                             .grey_as_rgb = grey_as_rgb,
                             .progressive = frame->progressive,
                             .orientation = frame->orientation,
                             .levels = mist_level_count(frame->width, frame->height)};
    for (unsigned c = 0; c < frame->components; c++) {
        info.sampling[c][0] = frame->component[c].h;
        info.sampling[c][1] = frame->component[c].v;
    }
    return info;
}

enum mist_status jpeg_info(const uint8_t *data, size_t size, struct jpeg_info *info, struct mist_error *error)
{
    struct jpeg_picture picture;
    enum mist_status status = jpeg_file_read(data, size, &picture, error);
    if (status)
        return status;
    *info = describe(&picture.frame, find_grey(&picture));
    jpeg_picture_free(&picture);
    return MIST_OK;
}

void jpeg_chunks_free(struct jpeg_chunks *chunks)
{
    for (unsigned level = 0; level < MIST_MAX_LEVELS; level++)
        mist_buffer_free(&chunks->level[level]);
    mist_buffer_free(&chunks->rebuild);
    memset(chunks, 0, sizeof *chunks);
}

/* Whether the chunks give the file back: nothing is believed. */
static enum mist_status verify(const uint8_t *data, size_t size, const struct jpeg_chunks *chunks,
                               struct mist_error *error)
{
    struct jpeg_piece pieces[MIST_MAX_LEVELS];
    struct jpeg_piece rebuild = {chunks->rebuild.data, chunks->rebuild.size};
    struct mist_buffer file = {0};
    for (unsigned level = 0; level < chunks->info.levels; level++)
        pieces[level] = (struct jpeg_piece){chunks->level[level].data, chunks->level[level].size};
    enum mist_status status = jpeg_rebuild(pieces, &rebuild, &file, error);
    if (status == MIST_OK && (file.size != size || memcmp(file.data, data, size)))
        status = error_set(error, MIST_ERROR_UNSUPPORTED, "the JPEG file's chunks do not give it back to the byte");
    mist_buffer_free(&file);
    return status;
}

enum mist_status jpeg_split(const uint8_t *data, size_t size, struct jpeg_chunks *out, struct mist_error *error)
{
    struct jpeg_picture picture;
    enum mist_status status = jpeg_file_read(data, size, &picture, error);
    if (!status) {
        out->info = describe(&picture.frame, find_grey(&picture));
        status = jpeg_levels_write(&picture.frame, &picture.planes, out->info.grey_as_rgb, out->level, error);
    }
    if (!status)
        status = jpeg_rebuild_make(data, size, &picture, &out->rebuild, error);
    jpeg_picture_free(&picture);
    if (!status)
        status = verify(data, size, out, error);
    if (status)
        jpeg_chunks_free(out);
    return status;
}

enum mist_status jpeg_pieces_info(const struct jpeg_piece *lowest, struct jpeg_info *info, struct mist_error *error)
{
    struct jpeg_reduced head;
    size_t head_size;
    enum mist_status status = jpeg_head_read(lowest, &head, &head_size, error);
    if (!status)
        *info = describe(&head.frame, head.grey_as_rgb);
    return status;
}

enum mist_status jpeg_decode(const struct jpeg_piece *pieces, unsigned reduce, const struct mist_view *out,
                             struct mist_error *error)
{
    struct jpeg_info info;
    enum mist_status status = jpeg_pieces_info(&pieces[0], &info, error);
    if (status)
        return status;
    /* Checked before any work is done: the caller has memory for what the head claims. */
    if (out->type != MIST_U8 || out->components != info.components || reduce >= info.levels ||
        out->width != mist_reduced_size(info.width, reduce) || out->height != mist_reduced_size(info.height, reduce))
        return error_set(error, MIST_ERROR_ARGUMENT, "decoding a JPEG picture: the output has another size or type");
    struct jpeg_reduced reduced;
    status = jpeg_levels_read(pieces, reduce, &reduced, error);
    if (status)
        return status;
    status =
        reduce > 3 ? jpeg_pixels_small(&reduced, reduce, out, error) : jpeg_pixels_decode(&reduced, reduce, out, error);
    jpeg_reduced_free(&reduced);
    return status;
}

/* Gives each block the mean of the blocks that its sum is of. */
static enum mist_status spread_sums(struct jpeg_reduced *reduced, struct mist_error *error)
{
    unsigned strides[4] = {0};
    for (unsigned c = 0; c < reduced->frame.components; c++)
        strides[c] = reduced->planes.plane[c].block ? 0 : 1;
    struct jpeg_planes spread;
    enum mist_status status = jpeg_planes_allocate(&reduced->frame, strides, &spread, error);
    for (unsigned c = 0; c < reduced->frame.components && !status; c++) {
        const struct jpeg_sums *sums = &reduced->sums[c];
        struct jpeg_plane *plane = &spread.plane[c];
        for (uint32_t y = 0; plane->block && y < plane->high; y++)
            for (uint32_t x = 0; x < plane->wide; x++)
                plane->block[(size_t)y * plane->wide + x] =
                    (int16_t)jpeg_sums_mean(sums, plane, x >> sums->depth, y >> sums->depth, 1);
        if (plane->block)
            reduced->planes.plane[c] = *plane;
    }
    return status;
}

enum mist_status jpeg_standalone(const struct jpeg_piece *pieces, unsigned reduce, struct mist_buffer *out,
                                 struct mist_error *error)
{
    struct jpeg_reduced reduced;
    out->size = 0;
    enum mist_status status = jpeg_levels_read(pieces, reduce, &reduced, error);
    if (status)
        return status;
    status = spread_sums(&reduced, error);
    if (!status)
        status = jpeg_file_write(&reduced.frame, &reduced.planes, out, error);
    if (status)
        out->size = 0;
    jpeg_reduced_free(&reduced);
    return status;
}

enum mist_status jpeg_rebuild(const struct jpeg_piece *pieces, const struct jpeg_piece *rebuild,
                              struct mist_buffer *file, struct mist_error *error)
{
    struct jpeg_reduced reduced;
    file->size = 0;
    enum mist_status status = jpeg_levels_read(pieces, 0, &reduced, error);
    if (status)
        return status;
    status = jpeg_rebuild_file(&reduced.frame, &reduced.planes, rebuild, file, error);
    jpeg_reduced_free(&reduced);
    return status;
}
