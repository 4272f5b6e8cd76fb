/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening an item, or a prefix of one, and decoding its frames. */
#include "item/item.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"
#include "codec/reduce.h"
#include "item/compress.h"
#include "item/template.h"

#include <string.h>

/* ---- opening ---- */

/* The template must be the header of just the codestreams that the manifest tells of, or decoding would go astray. */
static enum mist_status check_template(const mist_item *item, struct mist_error *error)
{
    /* A main header ends where a SOT marker segment begins. */
    static const uint8_t sot[12] = {0xff, 0x90, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0};
    struct mist_buffer header = {0};
    struct mist_codestream_info info;
    enum mist_status status = MIST_OK;
    if (!buffer_append(&header, item->template, item->layout.template_size) || !buffer_append(&header, sot, sizeof sot))
        status = error_set(error, MIST_ERROR_MEMORY, "out of memory");
    if (!status)
        status = mist_codestream_info(header.data, header.size, &info, error);
    mist_buffer_free(&header);
    if (status)
        return status;
    const struct mist_image_info *image = &item->manifest.image;
    const struct manifest_coding *coding = &item->coding;
    bool same = info.width == image->width && info.height == image->height && info.components == coding->components &&
                info.levels == item->layout.coded_levels && info.tiles == 1 && info.reversible;
    for (uint32_t c = 0; same && c < coding->components; c++)
        same = info.component[c].precision == coding->precision && info.component[c].is_signed == coding->is_signed &&
               info.component[c].width == image->width && info.component[c].height == image->height;
    return same ? MIST_OK
                : error_set(error, MIST_ERROR_CORRUPT, "the codestream header is not that of the images it tells of");
}

static enum mist_status read_meta(mist_item *item, struct mist_error *error)
{
    const struct layout *layout = &item->layout;
    const uint8_t *stored = item->data + LAYOUT_PROLOGUE_SIZE + 8 * (size_t)layout->levels;
    enum mist_status status =
        decompress_bytes(stored, layout->meta_stored, (size_t)layout_meta_size(layout), &item->meta, error);
    if (status)
        return status;
    const uint8_t *at = item->meta.data;
    item->manifest_text = memory_allocate((size_t)layout->manifest_size + 1);
    if (!item->manifest_text)
        return error_set(error, MIST_ERROR_MEMORY, "out of memory");
    memcpy(item->manifest_text, at, layout->manifest_size);
    item->manifest_text[layout->manifest_size] = '\0';
    item->source_head = at + layout->manifest_size;
    item->template = item->source_head + layout->source_head_size;
    status = manifest_read(item->manifest_text, layout->manifest_size, &item->manifest, error);
    if (status)
        return status;
    item->coding = manifest_coding(&item->manifest);
    const struct mist_image_info *image = &item->manifest.image;
    if (layout->levels != mist_level_count(image->width, image->height) ||
        (image->label ? layout->coded_levels != 1 : layout->coded_levels < layout->levels))
        return error_set(error, MIST_ERROR_CORRUPT, "its number of levels is not that of its images");
    status = check_template(item, error);
    if (!status)
        status = frame_map_read(item->template + layout->template_size, layout->map_size, image->frames, layout,
                                &item->frames, error);
    return status;
}

static void fill_info(mist_item *item)
{
    const struct layout *layout = &item->layout;
    struct mist_item_info *info = &item->info;
    info->image = item->manifest.image;
    strncpy(info->format, format_name(item->manifest.kind), sizeof info->format - 1);
    info->levels = layout->levels;
    info->files = item->manifest.files;
    info->source_bytes = item->manifest.source_bytes;
    info->head_end = layout->head_size;
    memcpy(info->level_end, layout->level_end, sizeof info->level_end);
    while (info->levels_present < layout->levels && layout->level_end[info->levels_present] <= item->size)
        info->levels_present++;
    info->tail_present = item->tail != NULL;
    info->size = layout_size(layout);
    info->id = layout->id;
}

static enum mist_status open_bytes(mist_item *item, struct mist_error *error)
{
    enum mist_status status = layout_read(item->data, item->size, &item->layout, error);
    if (status)
        return status;
    if (item->size > layout_size(&item->layout))
        return error_set(error, MIST_ERROR_CORRUPT, "it is longer than its head says");
    status = read_meta(item, error);
    if (status)
        return status;
    uint64_t body_end = item->layout.level_end[item->layout.levels - 1];
    if (item->tail_map.data) {
        if (item->tail_map.size != item->layout.tail_size)
            return error_set(error, MIST_ERROR_CORRUPT, "its tail is of another size than the head says");
        item->tail = item->tail_map.data;
    } else if (item->size == layout_size(&item->layout)) {
        item->tail = item->data + body_end;
    }
    fill_info(item);
    return MIST_OK;
}

static enum mist_status new_item(const char *name, mist_item **item, struct mist_error *error)
{
    *item = memory_allocate_zeroed(1, sizeof **item);
    if (*item)
        (*item)->name = memory_copy_text(name);
    if (*item && (*item)->name)
        return MIST_OK;
    mist_item_close(item);
    return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", name);
}

static enum mist_status finish_open(mist_item **item, enum mist_status status, struct mist_error *error)
{
    if (!status) {
        (*item)->data = (*item)->data ? (*item)->data : (*item)->map.data;
        (*item)->size = (*item)->size ? (*item)->size : (*item)->map.size;
        status = open_bytes(*item, error);
        if (status)
            error_prefix(error, status, "%s", (*item)->name);
    }
    if (status)
        mist_item_close(item);
    return status;
}

enum mist_status mist_item_open_with_tail(const char *path, const char *tail_path, mist_item **item,
                                          struct mist_error *error)
{
    enum mist_status status = new_item(path, item, error);
    if (status)
        return status;
    status = file_map_open(path, &(*item)->map, error);
    if (!status && tail_path)
        status = file_map_open(tail_path, &(*item)->tail_map, error);
    return finish_open(item, status, error);
}

enum mist_status mist_item_open(const char *path, mist_item **item, struct mist_error *error)
{
    return mist_item_open_with_tail(path, NULL, item, error);
}

enum mist_status item_open_descriptor(int descriptor, const char *name, mist_item **item, struct mist_error *error)
{
    enum mist_status status = new_item(name, item, error);
    return status ? status : finish_open(item, file_map_descriptor(descriptor, name, &(*item)->map, error), error);
}

enum mist_status mist_item_open_memory(const uint8_t *data, size_t size, const char *name, mist_item **item,
                                       struct mist_error *error)
{
    static const uint8_t nothing[1];
    enum mist_status status = new_item(name, item, error);
    if (status)
        return status;
    (*item)->data = size ? data : nothing;
    (*item)->size = size;
    return finish_open(item, MIST_OK, error);
}

void mist_item_close(mist_item **item)
{
    if (!item || !*item)
        return;
    frame_map_free(&(*item)->frames);
    manifest_free(&(*item)->manifest);
    mist_buffer_free(&(*item)->meta);
    memory_free((*item)->manifest_text);
    file_map_close(&(*item)->map);
    file_map_close(&(*item)->tail_map);
    memory_free((*item)->name);
    memory_free(*item);
    *item = NULL;
}

/* ---- what is inside ---- */

const struct mist_item_info *mist_item_info(const mist_item *item)
{
    return &item->info;
}

const char *mist_item_manifest(const mist_item *item)
{
    return item->manifest_text;
}

bool mist_item_file(const mist_item *item, uint32_t index, struct mist_item_file *file)
{
    if (index >= item->manifest.files)
        return false;
    const struct manifest_file *found = &item->manifest.file[index];
    *file = (struct mist_item_file){found->path, found->first_frame, found->frames};
    return true;
}

static enum mist_status check_frame(const mist_item *item, uint32_t frame, unsigned level, struct mist_error *error)
{
    if (frame >= item->info.image.frames)
        return error_set(error, MIST_ERROR_NOT_FOUND, "%s: there is no frame %u; it has %u", item->name, frame,
                         item->info.image.frames);
    if (level >= item->info.levels)
        return error_set(error, MIST_ERROR_NOT_FOUND, "%s: there is no such level; it has %u", item->name,
                         item->info.levels);
    return MIST_OK;
}

enum mist_status mist_item_range(const mist_item *item, uint32_t frame, unsigned level, uint64_t *offset,
                                 uint64_t *size, struct mist_error *error)
{
    enum mist_status status = check_frame(item, frame, level, error);
    if (status)
        return status;
    bool coded = level < item->frames.levels;
    *offset = coded ? frame_map_offset(&item->frames, frame, level) : item->layout.level_end[level];
    *size = coded ? frame_map_size(&item->frames, frame, level) : 0;
    return MIST_OK;
}

/* ---- codestreams ---- */

/* What a frame's codestream without the last `reduce` coded levels is put together from. */
static enum mist_status find_parts(const mist_item *item, uint32_t frame, unsigned reduce, struct template_parts *parts,
                                   struct mist_error *error)
{
    *parts = (struct template_parts){.main_header = item->template,
                                     .main_header_size = item->layout.template_size,
                                     .levels = item->layout.coded_levels,
                                     .present = item->layout.coded_levels - reduce};
    unsigned first = item->frames.first_levels;
    if (item->layout.level_end[parts->present > first ? parts->present - first : 0] > item->size)
        return error_set(error, MIST_ERROR_TRUNCATED, "%s: this level is not here; the file holds %u of %u levels",
                         item->name, item->info.levels_present, item->info.levels);
    for (unsigned level = 0; level < parts->levels; level++)
        parts->packets[level] = item->data + frame_map_packets(&item->frames, frame, level, &parts->size[level]);
    return MIST_OK;
}

/* The frame's codestream, or its prefix without the last `reduce` coded levels. */
static enum mist_status join_prefix(const mist_item *item, uint32_t frame, unsigned reduce, struct mist_buffer *out,
                                    struct mist_error *error)
{
    struct template_parts parts;
    enum mist_status status = find_parts(item, frame, reduce, &parts, error);
    return status ? status : template_join(&parts, out, error);
}

/* The main header of the reduced codestreams, which all frames share as they do that of the full ones. */
static enum mist_status reduce_template(const mist_item *item, unsigned reduce, struct mist_buffer *out,
                                        struct mist_error *error)
{
    static const uint8_t sot[12] = {0xff, 0x90, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0};
    struct mist_buffer header = {0};
    enum mist_status status = MIST_OK;
    if (!buffer_append(&header, item->template, item->layout.template_size) || !buffer_append(&header, sot, sizeof sot))
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", item->name);
    if (!status)
        status = codestream_reduce_header(header.data, header.size, reduce, out, error);
    mist_buffer_free(&header);
    return status;
}

enum mist_status item_codestream_pieces(const mist_item *item, uint32_t frame, unsigned reduce,
                                        struct mist_buffer *headers, struct template_piece pieces[TEMPLATE_MAX_PIECES],
                                        unsigned *count, struct mist_error *error)
{
    struct template_parts parts;
    struct mist_buffer main_header = {0};
    enum mist_status status = check_frame(item, frame, reduce, error);
    if (!status && item->info.image.label && reduce)
        status = error_set(error, MIST_ERROR_ARGUMENT, "%s: labels are not reduced by their headers", item->name);
    if (!status)
        status = find_parts(item, frame, reduce, &parts, error);
    if (!status && reduce)
        status = reduce_template(item, reduce, &main_header, error);
    if (!status && reduce) {
        parts.main_header = main_header.data;
        parts.main_header_size = main_header.size;
        parts.levels = parts.present;
    }
    if (!status)
        status = template_pieces(&parts, headers, pieces, count, error);
    mist_buffer_free(&main_header);
    return status;
}

/* A label's reduced codestream: its samples chosen, not averaged, and encoded anew. */
static enum mist_status encode_label(const mist_item *item, mist_codec *codec, uint32_t frame, unsigned reduce,
                                     struct mist_buffer *out, struct mist_error *error)
{
    const struct mist_image_info *image = &item->info.image;
    uint32_t width = mist_reduced_size(image->width, reduce), height = mist_reduced_size(image->height, reduce);
    struct mist_view samples = item_new_view(image->type, width, height, image->components);
    struct mist_view coded = item_new_view(item->coding.type, width, height, item->coding.components);
    struct mist_encode_options options = mist_encode_options_default();
    options.precision = item->coding.precision;
    options.color_transform = false;
    options.levels = 1;
    enum mist_status status = samples.data && coded.data && codec
                                  ? mist_item_decode(item, codec, frame, reduce, &samples, error)
                                  : error_set(error, MIST_ERROR_MEMORY, "%s: no memory or no codec", item->name);
    if (!status && item->coding.type == item->manifest.values.coded) {
        status = value_map_forward(&item->manifest.values, &samples, &coded, NULL, NULL, error);
    } else if (!status) {
        struct mist_view mapped = item_new_view(item->manifest.values.coded, width, height, coded.components);
        status = mapped.data ? value_map_forward(&item->manifest.values, &samples, &mapped, NULL, NULL, error)
                             : error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", item->name);
        if (!status)
            item_convert(&mapped, &coded);
        memory_free(mapped.data);
    }
    if (!status)
        status = mist_encode(codec, &coded, &options, out, error);
    memory_free(samples.data);
    memory_free(coded.data);
    return status;
}

enum mist_status mist_item_codestream(const mist_item *item, mist_codec *codec, uint32_t frame, unsigned reduce,
                                      struct mist_buffer *out, struct mist_error *error)
{
    enum mist_status status = check_frame(item, frame, reduce, error);
    if (status)
        return status;
    if (item->info.image.label && reduce)
        return encode_label(item, codec, frame, reduce, out, error);
    if (reduce == 0)
        return join_prefix(item, frame, 0, out, error);
    struct mist_buffer prefix = {0};
    status = join_prefix(item, frame, reduce, &prefix, error);
    if (!status)
        status = mist_codestream_reduce(prefix.data, prefix.size, reduce, out, error);
    mist_buffer_free(&prefix);
    return status;
}

/* ---- decoding ---- */

struct mist_view item_new_view(enum mist_sample_type type, uint32_t width, uint32_t height, uint32_t components)
{
    void *data = memory_allocate(mist_frame_bytes(type, width, height, components));
    return mist_view_interleaved(data, type, width, height, components);
}

static int64_t get_integer(const uint8_t *p, enum mist_sample_type type)
{
    switch (type) {
    case MIST_U8:
        return *p;
    case MIST_S8:
        return *(const int8_t *)p;
    case MIST_U16:
        return *(const uint16_t *)(const void *)p;
    case MIST_S16:
        return *(const int16_t *)(const void *)p;
    case MIST_U32:
        return *(const uint32_t *)(const void *)p;
    default:
        return *(const int32_t *)(const void *)p;
    }
}

void item_convert(const struct mist_view *from, struct mist_view *to)
{
    size_t size = mist_sample_size(to->type); /* little-endian: the low bytes of the wide value */
    for (uint32_t y = 0; y < from->height; y++)
        for (uint32_t x = 0; x < from->width; x++)
            for (uint32_t c = 0; c < from->components; c++) {
                const uint8_t *p = (const uint8_t *)from->data + y * from->row_stride + x * from->column_stride +
                                   c * from->component_stride;
                int64_t value = get_integer(p, from->type);
                memcpy((uint8_t *)to->data + y * to->row_stride + x * to->column_stride + c * to->component_stride,
                       &value, size);
            }
}

/* Coded samples -> the original values: the signed ones of labels back to their own type, then the value map. */
static enum mist_status undo_values(const mist_item *item, const struct mist_view *coded, bool reduced,
                                    struct mist_view *out, struct mist_error *error)
{
    const struct value_map *values = &item->manifest.values;
    if (coded->type == values->coded)
        return value_map_inverse(values, coded, reduced, out, error);
    struct mist_view mapped = item_new_view(values->coded, coded->width, coded->height, coded->components);
    if (!mapped.data)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", item->name);
    item_convert(coded, &mapped);
    enum mist_status status = value_map_inverse(values, &mapped, reduced, out, error);
    memory_free(mapped.data);
    return status;
}

enum mist_status item_decode_coded(const mist_item *item, mist_codec *codec, uint32_t frame, unsigned reduce,
                                   struct mist_view *out, struct mist_error *error)
{
    struct mist_buffer stream = {0};
    struct mist_decode_options options = mist_decode_options_default();
    options.reduce = reduce;
    bool direct = item->manifest.values.kind == VALUE_MAP_IDENTITY && item->coding.type == out->type;
    struct mist_view coded = {0};
    enum mist_status status = join_prefix(item, frame, reduce, &stream, error);
    if (!status && !direct) {
        coded = item_new_view(item->coding.type, out->width, out->height, item->coding.components);
        if (!coded.data)
            status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", item->name);
    }
    if (!status) {
        status = mist_decode(codec, stream.data, stream.size, &options, direct ? out : &coded, NULL, error);
        if (status)
            error_prefix(error, status, "%s: frame %u", item->name, frame);
    }
    if (!status && !direct)
        status = undo_values(item, &coded, reduce > 0, out, error);
    memory_free(coded.data);
    mist_buffer_free(&stream);
    return status;
}

enum mist_status mist_item_decode(const mist_item *item, mist_codec *codec, uint32_t frame, unsigned reduce,
                                  struct mist_view *out, struct mist_error *error)
{
    const struct mist_image_info *image = &item->info.image;
    enum mist_status status = check_frame(item, frame, reduce, error);
    if (status)
        return status;
    if (out->type != image->type || out->components != image->components ||
        out->width != mist_reduced_size(image->width, reduce) ||
        out->height != mist_reduced_size(image->height, reduce))
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: the view is not of the frame's type and size", item->name);
    if (!image->label || reduce == 0)
        return item_decode_coded(item, codec, frame, reduce, out, error);
    struct mist_view full = item_new_view(image->type, image->width, image->height, image->components);
    status = full.data ? item_decode_coded(item, codec, frame, 0, &full, error)
                       : error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", item->name);
    if (!status)
        status = mist_subsample(&full, reduce, out, error);
    memory_free(full.data);
    return status;
}
