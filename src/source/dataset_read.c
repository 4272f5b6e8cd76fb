/* SPDX-License-Identifier: BSD-2-Clause */
/* Arrays out of a dataset. */
#include "source/dataset.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "source/reading.h"
#include "source/verifier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One read. */
struct reading {
    const struct mist_catalog_item *row;
    struct reading_way way;
    struct mist_source *source;
    struct mist_byte_range *range; /* [count] */
    size_t count, room;
    bool no_memory;
    uint8_t *bytes; /* of all ranges, one after another */
    struct mist_item_piece *piece;
};

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
    unsigned count = mist_catalog_item_ranges(reading->row, reading->way.fetched, false, ranges);
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
    if (!status)
        status = reading_ranges(&reading->way, head, first, count, add_range, reading, error);
    mist_item_close(&head);
    if (status)
        return status;
    join_ranges(reading);
    return fetch(reading, error);
}

/* ---- reading ---- */

static enum mist_status decode(struct reading *reading, uint32_t first, uint32_t count, struct mist_view *views,
                               struct mist_image_info *info, struct mist_error *error)
{
    mist_item *item = NULL;
    mist_decoder *decoder = mist_decoder_new();
    enum mist_status status =
        decoder ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", reading->row->path);
    if (!status)
        status = mist_item_open_pieces(reading->piece, reading->count, reading->row->path, &item, error);
    if (!status)
        status = reading_frames(&reading->way, item, decoder, first, count, views, error);
    if (!status && info) {
        *info = reading->way.image;
        info->geometry = sampling_geometry(&reading->way.grid.sampling, &mist_item_info(item)->image.geometry);
    }
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
    struct reading reading = {.row = &entry.item};
    if (!status)
        status = reading_plan(&entry.item, request, &reading.way, error);
    if (!status)
        status = reading_check_frames(&reading.way, path, first, count, error);
    if (!status)
        status = reading_check_views(&reading.way, path, count, views, error);
    if (status)
        return status;
    snprintf(name, sizeof name, "items/%s.mist", entry.item.path);
    status = dataset->files.open(dataset->files.context, name, &reading.source, error);
    if (!status)
        status = count == reading.way.image.frames ? fetch_all(&reading, error)
                                                   : fetch_frames(&reading, first, count, error);
    if (!status)
        status = decode(&reading, first, count, views, info, error);
    mist_source_close(&reading.source);
    memory_free(reading.range);
    memory_free(reading.bytes);
    memory_free(reading.piece);
    return status;
}
