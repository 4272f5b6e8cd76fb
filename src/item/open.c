/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening an item, or a part of one, and what is inside. */
#include "item/item.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"
#include "coder/coder.h"
#include "coder/remainder.h"
#include "item/compress.h"

#include <stdatomic.h>
#include <string.h>

/* ---- bytes ---- */

const uint8_t *item_bytes(const mist_item *item, uint64_t offset, uint64_t size)
{
    static const uint8_t nothing[1];
    if (size == 0) /* no bytes are everywhere: a chunk that is empty is never missing */
        return nothing;
    size_t low = 0, high = item->pieces;
    while (low < high) { /* the last piece that starts at or before the offset */
        size_t middle = low + (high - low) / 2;
        if (item->piece[middle].offset <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return NULL;
    const struct mist_item_piece *piece = &item->piece[low - 1];
    uint64_t within = offset - piece->offset;
    return within <= piece->size && size <= piece->size - within ? piece->data + within : NULL;
}

const uint8_t *item_tail(const mist_item *item)
{
    return item_bytes(item, layout_body_end(&item->layout), item->layout.tail_size);
}

/* ---- opening ---- */

static enum mist_status read_meta(mist_item *item, struct mist_error *error)
{
    struct layout *layout = &item->layout;
    struct mist_buffer meta = {0};
    enum mist_status status =
        unpack_bytes(item->piece[0].data + LAYOUT_PROLOGUE_SIZE, layout->meta_stored, layout->meta_size, &meta, error);
    struct byte_reader reader = byte_reader_start(meta.data, meta.size);
    if (!status)
        status = manifest_read(&reader, &item->manifest, layout, error);
    if (!status)
        status = chunk_map_read(&reader, &item->manifest, layout, &item->chunks, error);
    mist_buffer_free(&meta);
    if (!status && layout_checksums_at(layout) + 8 * layout_all_checksums(layout) != layout->head_size)
        status = error_set(error, MIST_ERROR_CORRUPT, "the head is damaged: its parts do not add up to its size");
    return status;
}

static bool range_is_here(const mist_item *item, unsigned range)
{
    const struct layout *layout = &item->layout;
    return item_bytes(item, layout_range_start(layout, range), layout_range_size(layout, range)) != NULL;
}

/*
 * The table of values, where it is here and good: frames at full size need it. A damaged one is no reason not to open
 * an item whose other levels are as they were.
 */
static enum mist_status read_table(mist_item *item, struct mist_error *error)
{
    const struct coder_stream *table = manifest_stream(&item->manifest, CODER_VALUES);
    if (!table)
        return MIST_OK;
    uint64_t size;
    uint64_t at = chunk_map_chunk(&item->chunks, &item->layout, (unsigned)(table - item->manifest.stream), 0,
                                  item->layout.steps, 0, &size);
    const uint8_t *bytes = item_bytes(item, at, size);
    enum mist_status status = bytes ? value_table_read(bytes, (size_t)size, &item->manifest.values, error) : MIST_OK;
    item->table_damaged = status == MIST_ERROR_CORRUPT;
    return item->table_damaged ? MIST_OK : status;
}

static void fill_info(mist_item *item)
{
    const struct layout *layout = &item->layout;
    const struct manifest *manifest = &item->manifest;
    struct mist_item_info *info = &item->info;
    info->image = manifest->image;
    strncpy(info->format, format_name(manifest->kind), sizeof info->format - 1);
    info->levels = layout->levels;
    info->steps = layout->steps;
    info->centred = manifest->centred;
    info->coder = coder_name(manifest->stream[0].coder);
    info->label = manifest->image.label ? manifest_text(manifest, MANIFEST_WHY_LABEL) : NULL;
    info->kept = manifest_text(manifest, MANIFEST_WHY_KEPT);
    info->files = manifest->files;
    info->source_bytes = manifest->source_bytes;
    info->head_end = layout->head_size;
    info->range_end = layout->range_end;
    for (unsigned level = 0; level < layout->levels; level++)
        info->level_end[level] = layout->range_end[layout_range(layout, level, 0)];
    bool here = true;
    for (unsigned range = 0; range < layout_ranges(layout) && here; range++) {
        here = range_is_here(item, range);
        if (here && (range + 1) % (layout->steps + 1) == 0)
            info->levels_present++;
    }
    info->tail_present = item_tail(item) != NULL;
    info->size = layout_size(layout);
    info->id = layout->id;
}

static enum mist_status open_pieces(mist_item *item, struct mist_error *error)
{
    const struct mist_item_piece *first = &item->piece[0], *last = &item->piece[item->pieces - 1];
    enum mist_status status = layout_read(first->data, first->size, &item->layout, error);
    if (!status)
        status = read_meta(item, error);
    if (!status &&
        (last->offset > layout_size(&item->layout) || last->size > layout_size(&item->layout) - last->offset))
        status = error_set(error, MIST_ERROR_CORRUPT, "it is longer than its head says");
    if (!status)
        status = read_table(item, error);
    if (!status)
        fill_info(item);
    return status;
}

static enum mist_status new_item(const char *name, size_t pieces, mist_item **item, struct mist_error *error)
{
    static atomic_uint_least64_t serial;
    *item = memory_allocate_zeroed(1, sizeof **item);
    if (*item) {
        (*item)->serial = atomic_fetch_add(&serial, 1) + 1;
        (*item)->pieces = pieces;
        (*item)->piece = memory_allocate_zeroed(pieces, sizeof *(*item)->piece);
        (*item)->name = memory_copy_text(name);
    }
    if (*item && (*item)->name && (*item)->piece)
        return MIST_OK;
    mist_item_close(item);
    return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", name);
}

static enum mist_status finish_open(mist_item **item, enum mist_status status, struct mist_error *error)
{
    if (!status) {
        status = open_pieces(*item, error);
        if (status)
            error_prefix(error, status, "%s", (*item)->name);
    }
    if (status)
        mist_item_close(item);
    return status;
}

static enum mist_status finish_map(mist_item **item, enum mist_status status, struct mist_error *error)
{
    if (!status)
        (*item)->piece[0] = (struct mist_item_piece){0, (*item)->map.data, (*item)->map.size};
    return finish_open(item, status, error);
}

enum mist_status mist_item_open(const char *path, mist_item **item, struct mist_error *error)
{
    enum mist_status status = new_item(path, 1, item, error);
    return status ? status : finish_map(item, file_map_open(path, &(*item)->map, error), error);
}

enum mist_status item_open_descriptor(int descriptor, const char *name, mist_item **item, struct mist_error *error)
{
    enum mist_status status = new_item(name, 1, item, error);
    return status ? status : finish_map(item, file_map_descriptor(descriptor, name, &(*item)->map, error), error);
}

enum mist_status mist_item_open_pieces(const struct mist_item_piece *pieces, size_t count, const char *name,
                                       mist_item **item, struct mist_error *error)
{
    *item = NULL;
    for (size_t i = 0; i < count; i++)
        if ((i == 0 && pieces[0].offset != 0) ||
            (i > 0 &&
             (pieces[i].offset < pieces[i - 1].offset || pieces[i].offset - pieces[i - 1].offset < pieces[i - 1].size)))
            return error_set(error, MIST_ERROR_ARGUMENT, "%s: the pieces of the item do not ascend", name);
    if (count == 0)
        return error_set(error, MIST_ERROR_TRUNCATED, "%s: the item file ends within its head", name);
    enum mist_status status = new_item(name, count, item, error);
    if (status)
        return status;
    memcpy((*item)->piece, pieces, count * sizeof *pieces);
    return finish_open(item, MIST_OK, error);
}

enum mist_status mist_item_open_memory(const uint8_t *data, size_t size, const char *name, mist_item **item,
                                       struct mist_error *error)
{
    static const uint8_t nothing[1];
    struct mist_item_piece piece = {0, size ? data : nothing, size};
    return mist_item_open_pieces(&piece, 1, name, item, error);
}

void mist_item_close(mist_item **item)
{
    if (!item || !*item)
        return;
    chunk_map_free(&(*item)->chunks);
    manifest_free(&(*item)->manifest);
    file_map_close(&(*item)->map);
    memory_free((*item)->piece);
    memory_free((*item)->name);
    memory_free(*item);
    *item = NULL;
}

/* ---- what is inside ---- */

const struct mist_item_info *mist_item_info(const mist_item *item)
{
    return &item->info;
}

bool mist_item_file(const mist_item *item, uint32_t index, struct mist_item_file *file)
{
    if (index >= item->manifest.files)
        return false;
    const struct manifest_file *found = &item->manifest.file[index];
    *file = (struct mist_item_file){found->path, found->first_frame, found->frames};
    return true;
}

const uint8_t *mist_item_part(const mist_item *item, unsigned tag, size_t *size)
{
    const struct mist_buffer *part = tag == 0    ? &item->manifest.source_head
                                     : tag < 256 ? &item->manifest.extra[tag]
                                                 : NULL;
    *size = part ? part->size : 0;
    return *size ? part->data : NULL;
}

enum mist_status item_check_frame(const mist_item *item, uint32_t frame, unsigned reduce, struct mist_error *error)
{
    if (frame >= item->info.image.frames)
        return error_set(error, MIST_ERROR_NOT_FOUND, "%s: there is no frame %u; it has %u", item->name, frame,
                         item->info.image.frames);
    if (reduce >= item->info.levels)
        return error_set(error, MIST_ERROR_NOT_FOUND, "%s: there is no such level; it has %u", item->name,
                         item->info.levels);
    return MIST_OK;
}

enum mist_status mist_item_range(const mist_item *item, uint32_t frame, unsigned level, uint64_t *offset,
                                 uint64_t *size, struct mist_error *error)
{
    enum mist_status status = item_check_frame(item, frame, level, error);
    if (status)
        return status;
    uint32_t slice, unit = stream_unit_of(&item->manifest.stream[0], frame, &slice);
    unsigned class = step_class(frame % item->info.image.slices, item->layout.steps);
    *offset = chunk_map_range(&item->chunks, &item->layout, 0, level, class, unit, size);
    return MIST_OK;
}

/* ---- ranges of frames ---- */

/* Ranges come in ascending order and are joined on their way out. */
struct joining {
    void (*visit)(void *context, uint64_t offset, uint64_t size);
    void *context;
    uint64_t start, end;
};

static void join(struct joining *joining, uint64_t offset, uint64_t size)
{
    if (size == 0)
        return;
    if (offset <= joining->end && joining->end > joining->start) {
        joining->end = offset + size > joining->end ? offset + size : joining->end;
        return;
    }
    if (joining->end > joining->start)
        joining->visit(joining->context, joining->start, joining->end - joining->start);
    joining->start = offset;
    joining->end = offset + size;
}

/* The lowest class that the frames of a unit need: all frames wanted of it are of this class or above. */
static unsigned lowest_class(const mist_item *item, uint32_t first, uint32_t count)
{
    unsigned lowest = item->layout.steps;
    for (uint32_t frame = first; frame < first + count && lowest; frame++) {
        unsigned class = step_class(frame % item->info.image.slices, item->layout.steps);
        lowest = class < lowest ? class : lowest;
    }
    return lowest;
}

static void visit_stream(const mist_item *item, unsigned stream, unsigned level, unsigned class, uint32_t first,
                         uint32_t count, struct joining *joining)
{
    const struct coder_stream *about = &item->manifest.stream[stream];
    uint32_t slice, from = stream_unit_of(about, first, &slice), to = stream_unit_of(about, first + count - 1, &slice);
    for (uint32_t unit = from; unit <= to; unit++) {
        uint32_t begin, frames = stream_unit_frames(about, unit, &begin);
        uint32_t low = begin > first ? begin : first;
        uint32_t high = begin + frames < first + count ? begin + frames : first + count;
        uint64_t size;
        if (class < lowest_class(item, low, high - low) && about->unit != 0)
            continue;
        uint64_t offset = chunk_map_range(&item->chunks, &item->layout, stream, level, class, unit, &size);
        join(joining, offset, size);
    }
}

enum mist_status mist_item_ranges(const mist_item *item, uint32_t first, uint32_t count, unsigned reduce,
                                  void (*visit)(void *context, uint64_t offset, uint64_t size), void *context,
                                  struct mist_error *error)
{
    enum mist_status status = item_check_frame(item, first, reduce, error);
    if (status)
        return status;
    if (count == 0 || count > item->info.image.frames - first)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: frames %u to %llu of %u", item->name, first,
                         (unsigned long long)first + count, item->info.image.frames);
    struct joining joining = {.visit = visit, .context = context};
    for (unsigned level = 0; level < item->layout.levels - reduce; level++)
        for (unsigned place = 0; place <= item->layout.steps; place++)
            for (unsigned stream = 0; stream < item->manifest.streams; stream++)
                visit_stream(item, stream, level, item->layout.steps - place, first, count, &joining);
    join(&joining, UINT64_MAX, 1);
    return MIST_OK;
}
