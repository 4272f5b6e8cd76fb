/* SPDX-License-Identifier: BSD-2-Clause */
#include "item/write.h"

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "item/compress.h"
#include "item/frame_map.h"
#include "item/template.h"

#include <string.h>

static enum mist_status out_of_memory(const struct item_writer *writer, struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", writer->path);
}

/*
 * Resolution levels below the smallest one that is offered. Its 32 to 64 samples a side would be stored with hardly
 * any compression: HT codes the smooth low-pass band at about 9 bits a sample of 8. Three more decompositions make
 * volumes of up to 64 columns and rows half as large, those of 256 a tenth smaller; at 12 samples a side there is
 * nothing more to gain (docs/format.md, section 5).
 */
static unsigned extra_levels(const struct mist_image_info *image)
{
    enum { MOST = 3, SMALL = 12 };
    unsigned levels = mist_level_count(image->width, image->height), extra = 0;
    uint32_t side = image->width < image->height ? image->width : image->height;
    while (extra < MOST && mist_reduced_size(side, levels - 1 + extra) > SMALL)
        extra++;
    return extra;
}

enum mist_status item_writer_start(struct item_writer *writer, const char *path, const struct manifest *manifest,
                                   const struct mist_buffer *source_head, struct mist_error *error)
{
    const struct mist_image_info *image = &manifest->image;
    *writer = (struct item_writer){.path = path, .manifest = manifest, .source_head = source_head};
    struct layout *layout = &writer->layout;
    layout->levels = mist_level_count(image->width, image->height);
    layout->coded_levels = image->label ? 1 : layout->levels + extra_levels(image);
    layout->chunk_log2 = LAYOUT_CHUNK_LOG2;
    if ((uint64_t)image->frames * layout->coded_levels > LAYOUT_MAX_MAP_ENTRIES)
        return error_set(error, MIST_ERROR_LIMIT, "%s: %u frames of %u levels are beyond the limits", path,
                         image->frames, layout->coded_levels);
    writer->lengths = memory_allocate_array((size_t)image->frames * layout->coded_levels, sizeof *writer->lengths);
    enum mist_status status = writer->lengths ? MIST_OK : out_of_memory(writer, error);
    for (unsigned level = 0; level < layout_stored_levels(layout) && !status; level++)
        status = spool_start(&writer->level[level], path, error);
    if (!status)
        status = spool_start(&writer->tail, path, error);
    writer->archive.out = &writer->tail;
    writer->archive.source_head = source_head;
    if (status)
        item_writer_free(writer);
    return status;
}

enum mist_status item_writer_frame(struct item_writer *writer, const struct mist_buffer *codestream,
                                   struct mist_error *error)
{
    const unsigned levels = writer->layout.coded_levels;
    const uint32_t frames = writer->manifest->image.frames;
    struct packet_ranges ranges;
    bool first = writer->frame == 0;
    struct mist_buffer *header = first ? &writer->template : &writer->header;
    enum mist_status status = template_split(codestream->data, codestream->size, header, &ranges, error);
    if (status)
        return status;
    if (ranges.levels != levels || writer->template.size > LAYOUT_MAX_TEMPLATE ||
        header->size != writer->template.size || memcmp(header->data, writer->template.data, header->size) != 0)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "%s: frame %u is coded unlike the first one", writer->path,
                         writer->frame);
    for (unsigned level = 0; level < levels && !status; level++) {
        if (ranges.size[level] > LAYOUT_MAX_PACKETS)
            return error_set(error, MIST_ERROR_LIMIT, "%s: frame %u is too large", writer->path, writer->frame);
        writer->lengths[(size_t)level * frames + writer->frame] = (uint32_t)ranges.size[level];
        unsigned lowest = layout_first_levels(&writer->layout);
        struct spool *spool = &writer->level[level < lowest ? 0 : level - lowest + 1];
        status = spool_append(spool, codestream->data + ranges.offset[level], ranges.size[level], error);
    }
    writer->frame++;
    return status;
}

enum mist_status item_writer_file(struct item_writer *writer, const struct tail_record *record,
                                  struct mist_error *error)
{
    return tail_writer_add(&writer->archive, record, error);
}

/* meta: manifest | source head | template | map, compressed into `stored`. */
static enum mist_status make_meta(struct item_writer *writer, struct mist_buffer *stored, struct mist_error *error)
{
    struct layout *layout = &writer->layout;
    struct mist_buffer meta = {0}, map = {0};
    enum mist_status status = manifest_write(writer->manifest, &meta, error);
    if (!status && !frame_map_write(writer->lengths, writer->manifest->image.frames, layout->coded_levels, &map))
        status = out_of_memory(writer, error);
    if (!status && (meta.size > LAYOUT_MAX_MANIFEST || writer->source_head->size > LAYOUT_MAX_SOURCE_HEAD ||
                    map.size > LAYOUT_MAX_MAP))
        status =
            error_set(error, MIST_ERROR_LIMIT, "%s: the head would be beyond the limits of the format", writer->path);
    if (!status) {
        layout->manifest_size = (uint32_t)meta.size;
        layout->source_head_size = (uint32_t)writer->source_head->size;
        layout->template_size = (uint32_t)writer->template.size;
        layout->map_size = (uint32_t)map.size;
        if (!buffer_append(&meta, writer->source_head->data, writer->source_head->size) ||
            !buffer_append(&meta, writer->template.data, writer->template.size) ||
            !buffer_append(&meta, map.data, map.size))
            status = out_of_memory(writer, error);
    }
    if (!status)
        status = compress_bytes(&meta, stored, error);
    mist_buffer_free(&meta);
    mist_buffer_free(&map);
    return status;
}

/* The whole head; layout->head_size and the level ends follow from its parts. */
static enum mist_status make_head(struct item_writer *writer, struct mist_buffer *head, struct mist_error *error)
{
    struct layout *layout = &writer->layout;
    struct mist_buffer stored = {0};
    enum mist_status status = make_meta(writer, &stored, error);
    size_t sums = writer->tail.checksums.size, fixed = LAYOUT_PROLOGUE_SIZE + 8 * (size_t)layout->levels;
    for (unsigned level = 0; level < layout_stored_levels(layout); level++)
        sums += writer->level[level].checksums.size;
    size_t total = fixed + stored.size + sums;
    if (!status && total > LAYOUT_MAX_HEAD)
        status =
            error_set(error, MIST_ERROR_LIMIT, "%s: a head of %zu bytes is beyond the limits", writer->path, total);
    layout->meta_stored = (uint32_t)stored.size;
    layout->head_size = (uint32_t)total;
    layout->tail_size = writer->tail.size;
    uint64_t end = total;
    for (unsigned level = 0; level < layout->levels; level++) {
        end += level < layout_stored_levels(layout) ? writer->level[level].size : 0;
        layout->level_end[level] = end;
    }
    if (!status && end + layout->tail_size > LAYOUT_MAX_SIZE)
        status = error_set(error, MIST_ERROR_LIMIT, "%s: the item would be beyond the limits", writer->path);
    bool good = buffer_append_zeros(head, fixed) && buffer_append(head, stored.data, stored.size);
    for (unsigned level = 0; level < layout_stored_levels(layout) && good; level++)
        good = buffer_append(head, writer->level[level].checksums.data, writer->level[level].checksums.size);
    good = good && buffer_append(head, writer->tail.checksums.data, writer->tail.checksums.size);
    mist_buffer_free(&stored);
    if (status || !good)
        return status ? status : out_of_memory(writer, error);
    layout_write(layout, head->data);
    size_t covered = LAYOUT_CHECKSUM_AT + 8;
    layout->id = checksum(head->data + covered, head->size - covered);
    store_le64(head->data + LAYOUT_CHECKSUM_AT, layout->id);
    return MIST_OK;
}

enum mist_status item_writer_finish(struct item_writer *writer, struct mist_error *error)
{
    enum mist_status status = tail_writer_finish(&writer->archive, error);
    for (unsigned level = 0; level < layout_stored_levels(&writer->layout) && !status; level++)
        status = spool_finish(&writer->level[level], error);
    if (!status)
        status = spool_finish(&writer->tail, error);
    struct mist_buffer head = {0};
    if (!status)
        status = make_head(writer, &head, error);
    struct file_writer file = {0};
    if (!status)
        status = file_writer_open(writer->path, &file, error);
    if (!status)
        fwrite(head.data, 1, head.size, file.stream);
    mist_buffer_free(&head);
    for (unsigned level = 0; level < layout_stored_levels(&writer->layout) && !status; level++)
        status = spool_copy(&writer->level[level], file.stream, error);
    if (!status)
        status = spool_copy(&writer->tail, file.stream, error);
    if (!status)
        return file_writer_commit(&file, error);
    file_writer_cancel(&file);
    return status;
}

void item_writer_free(struct item_writer *writer)
{
    for (unsigned level = 0; level < MIST_MAX_LEVELS; level++)
        spool_free(&writer->level[level]);
    spool_free(&writer->tail);
    tail_writer_free(&writer->archive);
    mist_buffer_free(&writer->template);
    mist_buffer_free(&writer->header);
    memory_free(writer->lengths);
    writer->lengths = NULL;
}
