/* SPDX-License-Identifier: BSD-2-Clause */
/* Arrays out of a dataset. */
#include "source/dataset.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "coder/step.h"
#include "image/sampling.h"
#include "item/item.h"
#include "source/verifier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One read. */
struct reading {
    const struct mist_catalog_item *row;
    struct mist_choice choice;
    struct mist_image_info image; /* of what is left */
    struct mist_source *source;
    struct mist_byte_range *range; /* [count] */
    size_t count, room;
    bool no_memory;
    uint8_t *bytes; /* of all ranges, one after another */
    struct mist_item_piece *piece;
};

static struct mist_image_info choice_image(const struct mist_image_info *full, struct mist_choice choice)
{
    struct mist_image_info image = *full;
    const struct sampling sampling = sampling_reduce(choice.reduce, choice.step, false);
    image.width = mist_reduced_size(image.width, choice.reduce);
    image.height = mist_reduced_size(image.height, choice.reduce);
    image.slices = step_slices(image.slices, choice.step);
    image.frames = full->frames / full->slices * image.slices;
    image.geometry = sampling_geometry(&sampling, &full->geometry);
    return image;
}

struct mist_image_info mist_choice_image(const struct mist_catalog_item *item, struct mist_choice choice)
{
    return choice_image(&item->image, mist_choice_within(item, choice));
}

/* The frame of the item that is the n-th that is left. */
static uint32_t frame_of(const struct reading *reading, uint32_t n)
{
    const uint32_t slices = reading->image.slices;
    return n / slices * reading->row->image.slices + (n % slices << reading->choice.step);
}

/* ---- ranges ---- */

static void add_range(void *context, uint64_t offset, uint64_t size)
{
    struct reading *reading = context;
    if (reading->count == reading->room) {
        size_t room = reading->room ? 2 * reading->room : 64;
        struct mist_byte_range *more = memory_allocate_array(room, sizeof *more);
        reading->no_memory = reading->no_memory || !more;
        if (!more)
            return;
        if (reading->count)
            memcpy(more, reading->range, reading->count * sizeof *more);
        memory_free(reading->range);
        reading->range = more;
        reading->room = room;
    }
    reading->range[reading->count++] = (struct mist_byte_range){offset, offset + size};
}

static int compare_ranges(const void *a, const void *b)
{
    const struct mist_byte_range *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

/* Sorts them and joins those that touch. */
static void join_ranges(struct reading *reading)
{
    size_t joined = 0;
    qsort(reading->range, reading->count, sizeof *reading->range, compare_ranges);
    for (size_t i = 0; i < reading->count; i++) {
        struct mist_byte_range next = reading->range[i];
        struct mist_byte_range *last = joined ? &reading->range[joined - 1] : NULL;
        if (last && next.start <= last->end)
            last->end = next.end > last->end ? next.end : last->end;
        else
            reading->range[joined++] = next;
    }
    reading->count = joined;
}

/* Reads all ranges into memory and makes them pieces. */
static enum mist_status fetch(struct reading *reading, struct mist_error *error)
{
    uint64_t size = 0;
    for (size_t i = 0; i < reading->count; i++)
        size += reading->range[i].end - reading->range[i].start;
    memory_free(reading->bytes);
    memory_free(reading->piece);
    reading->piece = memory_allocate_array(reading->count, sizeof *reading->piece);
    reading->bytes = size < SIZE_MAX ? memory_allocate((size_t)size) : NULL;
    if (!reading->bytes || !reading->piece || reading->no_memory)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", reading->row->path);
    uint8_t *at = reading->bytes;
    enum mist_status status = MIST_OK;
    for (size_t i = 0; i < reading->count && !status; i++) {
        const struct mist_byte_range *range = &reading->range[i];
        size_t bytes = (size_t)(range->end - range->start);
        if (range->end > reading->source->size)
            return error_set(error, MIST_ERROR_TRUNCATED, "%s: its file is shorter than the catalog says",
                             reading->row->path);
        status = reading->source->read(reading->source, range->start, at, bytes, error);
        reading->piece[i] = (struct mist_item_piece){range->start, at, bytes};
        at += bytes;
    }
    return status;
}

/* Checks whole ranges, the first of which begins with the head. */
static enum mist_status check(const struct reading *reading, struct mist_error *error)
{
    struct verifier verifier = {0};
    const struct mist_catalog_item *row = reading->row;
    enum mist_status status = verifier_start(&verifier, row->path, row, reading->piece[0].data, error);
    for (size_t i = 0; i < reading->count && !status; i++) {
        const struct mist_item_piece *piece = &reading->piece[i];
        size_t skip = i == 0 ? (size_t)row->head_end : 0;
        verifier_seek(&verifier, piece->offset + skip);
        status = verifier_feed(&verifier, piece->data + skip, piece->size - skip, error);
    }
    verifier_free(&verifier);
    return status;
}

/* All frames: the ranges that the catalog knows. */
static enum mist_status fetch_all(struct reading *reading, struct mist_error *error)
{
    struct mist_byte_range ranges[MIST_MAX_RANGES];
    unsigned count = mist_catalog_item_ranges(reading->row, reading->choice, false, ranges);
    for (unsigned i = 0; i < count; i++)
        add_range(reading, ranges[i].start, ranges[i].end - ranges[i].start);
    enum mist_status status = fetch(reading, error);
    return status ? status : check(reading, error);
}

/* Some frames: the head, which says where they are, then what they take. */
static enum mist_status fetch_frames(struct reading *reading, uint32_t first, uint32_t count, struct mist_error *error)
{
    const struct mist_catalog_item *row = reading->row;
    mist_item *head = NULL;
    add_range(reading, 0, row->head_end);
    enum mist_status status = fetch(reading, error);
    if (!status)
        status = check(reading, error);
    if (!status)
        status = mist_item_open_memory(reading->bytes, (size_t)row->head_end, row->path, &head, error);
    for (uint32_t n = first; n < first + count && !status; n++)
        status = mist_item_ranges(head, frame_of(reading, n), 1, reading->choice.reduce, add_range, reading, error);
    mist_item_close(&head);
    if (status)
        return status;
    join_ranges(reading);
    return fetch(reading, error);
}

/* ---- reading ---- */

/* One frame on the native grid, whatever the grid of the item's levels; `own` is room for one on that grid, or empty.
 */
static enum mist_status decode_frame(const mist_item *item, mist_decoder *decoder, uint32_t frame, unsigned reduce,
                                     struct mist_view *own, struct mist_view *view, struct mist_error *error)
{
    if (!own->data)
        return mist_item_decode(item, decoder, frame, reduce, view, error);
    enum mist_status status = mist_item_decode(item, decoder, frame, reduce, own, error);
    return status ? status : mist_grid_native(own, reduce, view, error);
}

static enum mist_status decode(struct reading *reading, uint32_t first, uint32_t count, struct mist_view *views,
                               struct mist_image_info *info, struct mist_error *error)
{
    mist_item *item = NULL;
    mist_decoder *decoder = mist_decoder_new();
    enum mist_status status =
        decoder ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", reading->row->path);
    if (!status)
        status = mist_item_open_pieces(reading->piece, reading->count, reading->row->path, &item, error);
    const struct mist_image_info *image = &reading->image;
    struct mist_view own = {.data = NULL};
    if (!status && mist_item_info(item)->centred && reading->choice.reduce && !image->label) {
        own = item_new_view(image->type, image->width, image->height, image->components);
        if (!own.data)
            status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", reading->row->path);
    }
    for (uint32_t i = 0; i < count && !status; i++)
        status =
            decode_frame(item, decoder, frame_of(reading, first + i), reading->choice.reduce, &own, &views[i], error);
    if (!status && info)
        *info = choice_image(&mist_item_info(item)->image, reading->choice);
    memory_free(own.data);
    mist_item_close(&item);
    mist_decoder_free(&decoder);
    return status;
}

enum mist_status mist_dataset_read(mist_dataset *dataset, const char *path,
                                   const struct mist_resolution_request *request, uint32_t first, uint32_t count,
                                   struct mist_view *views, struct mist_image_info *info, struct mist_error *error)
{
    struct mist_catalog_entry entry;
    char name[PATH_ROOM + sizeof "items/.mist"];
    enum mist_status status = mist_dataset_find(dataset, path, &entry, error);
    if (!status)
        status = verifier_check_entry(&entry.item, error);
    if (status)
        return status;
    struct reading reading = {.row = &entry.item, .choice = mist_choose(&entry.item, request)};
    reading.image = mist_choice_image(&entry.item, reading.choice);
    if (count == 0 || first >= reading.image.frames || count > reading.image.frames - first)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: frames %u to %llu of %u", path, first,
                         (unsigned long long)first + count, reading.image.frames);
    snprintf(name, sizeof name, "items/%s.mist", entry.item.path);
    status = dataset->open(dataset->context, name, &reading.source, error);
    if (!status)
        status =
            count == reading.image.frames ? fetch_all(&reading, error) : fetch_frames(&reading, first, count, error);
    if (!status)
        status = decode(&reading, first, count, views, info, error);
    mist_source_close(&reading.source);
    memory_free(reading.range);
    memory_free(reading.bytes);
    memory_free(reading.piece);
    return status;
}
