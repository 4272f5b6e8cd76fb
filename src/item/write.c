/* SPDX-License-Identifier: BSD-2-Clause */
#include "item/write.h"

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "item/compress.h"

#include <errno.h>
#include <string.h>

static enum mist_status out_of_memory(const struct item_writer *writer, struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", writer->path);
}

enum mist_status item_writer_start(struct item_writer *writer, const char *path, struct manifest *manifest,
                                   unsigned levels, unsigned steps, struct mist_error *error)
{
    *writer = (struct item_writer){.path = path, .manifest = manifest};
    writer->layout.levels = levels;
    writer->layout.steps = steps;
    writer->layout.chunk_log2 = LAYOUT_CHUNK_LOG2;
    uint64_t chunks = 0;
    for (unsigned i = 0; i < manifest->streams; i++)
        chunks += chunk_count(&manifest->stream[i]);
    if (chunks > LAYOUT_MAX_CHUNKS)
        return error_set(error, MIST_ERROR_LIMIT, "%s: %u frames of %u levels are beyond the limits", path,
                         manifest->image.frames, levels);
    writer->stream = memory_allocate_zeroed(manifest->streams, sizeof *writer->stream);
    bool good = writer->stream != NULL;
    for (unsigned i = 0; i < manifest->streams && good; i++)
        good = chunk_lengths_start(&writer->stream[i].lengths, &manifest->stream[i]);
    spool_start(&writer->tail, path);
    writer->archive.out = &writer->tail;
    writer->archive.manifest = manifest;
    if (good)
        return MIST_OK;
    item_writer_free(writer);
    return out_of_memory(writer, error);
}

static enum mist_status put_chunk(struct item_writer *writer, unsigned stream, unsigned coded, unsigned class,
                                  const uint8_t *bytes, uint64_t size, struct mist_error *error)
{
    const struct coder_stream *about = &writer->manifest->stream[stream];
    struct stream_writer *into = &writer->stream[stream];
    if (size > CODER_MAX_CHUNK)
        return error_set(error, MIST_ERROR_LIMIT, "%s: unit %u is too large", writer->path, into->unit);
    uint32_t slot = stream_slot(about, into->unit, class);
    if (slot == UINT32_MAX)
        return MIST_OK;
    into->lengths.length[coded][class][slot] = (uint32_t)size;
    struct spool *spool = &into->spool[layout_range(&writer->layout, stream_level_of(about, coded), class)];
    if (size && !spool->near)
        spool_start(spool, writer->path);
    return size ? spool_append(spool, bytes, (size_t)size, error) : MIST_OK;
}

/*
 * In the file a slot's chunks of the coded levels in the lowest level follow one another; so do they here, since a unit
 * comes coded level by coded level.
 */
enum mist_status item_writer_unit(struct item_writer *writer, unsigned stream, const struct coder_coded *coded,
                                  struct mist_error *error)
{
    struct coder_stream *about = &writer->manifest->stream[stream];
    struct stream_writer *into = &writer->stream[stream];
    unsigned classes = stream_unit_classes(about);
    const uint8_t *at = coded->bytes.data;
    enum mist_status status =
        stream_add_header(about, into->unit, &coded->header) ? MIST_OK : out_of_memory(writer, error);
    for (unsigned level = 0; level < about->coded && !status; level++)
        for (unsigned i = 0; i < classes && !status; i++) {
            uint64_t size = coded->size[level * classes + i];
            uint32_t slice = 0;
            unsigned class = i;
            if (about->unit == 0)
                class = about->plane.steps;
            else if (about->unit == 1) {
                slice = into->unit % about->plane.slices;
                class = step_class(slice, about->plane.steps);
            }
            status = put_chunk(writer, stream, level, class, at, size, error);
            at += size;
        }
    into->unit++;
    return status;
}

enum mist_status item_writer_file(struct item_writer *writer, const struct tail_record *record,
                                  struct mist_error *error)
{
    return tail_writer_add(&writer->archive, record, error);
}

uint64_t item_writer_bytes(const struct item_writer *writer)
{
    uint64_t bytes = writer->tail.size;
    for (unsigned i = 0; i < writer->manifest->streams; i++)
        for (unsigned range = 0; range < layout_ranges(&writer->layout); range++)
            bytes += writer->stream[i].spool[range].size;
    return bytes;
}

/* ---- the file ---- */

/* meta, packed into `stored`. */
static enum mist_status make_meta(struct item_writer *writer, struct mist_buffer *stored, struct mist_error *error)
{
    struct mist_buffer meta = {0};
    bool good = manifest_write(writer->manifest, &writer->layout, &meta);
    for (unsigned i = 0; i < writer->manifest->streams && good; i++)
        good = chunk_lengths_write(&writer->stream[i].lengths, &writer->manifest->stream[i], &meta);
    enum mist_status status = good ? MIST_OK : out_of_memory(writer, error);
    if (!status && (meta.size > LAYOUT_MAX_META || writer->manifest->source_head.size > LAYOUT_MAX_SOURCE_HEAD))
        status =
            error_set(error, MIST_ERROR_LIMIT, "%s: the head would be beyond the limits of the format", writer->path);
    writer->layout.meta_size = (uint32_t)meta.size;
    if (!status)
        status = pack_bytes(&meta, stored, error);
    writer->layout.meta_stored = (uint32_t)stored->size;
    mist_buffer_free(&meta);
    return status;
}

/* Sets range_end as if the head had no bytes yet; returns how many checksums there are. */
static uint64_t place_ranges(struct item_writer *writer)
{
    struct layout *layout = &writer->layout;
    uint64_t at = 0, sums = layout_checksums(layout->tail_size, layout->chunk_log2);
    for (unsigned range = 0; range < layout_ranges(layout); range++) {
        uint64_t start = at;
        for (unsigned i = 0; i < writer->manifest->streams; i++)
            at += writer->stream[i].spool[range].size;
        layout->range_end[range] = at;
        sums += layout_checksums(at - start, layout->chunk_log2);
    }
    return sums;
}

/* Bytes on their way into the file, and the checksums of the stretches of the range that they are of. */
struct output {
    FILE *stream;
    uint8_t *sums; /* where the next checksum goes */
    struct checksum_state *state;
    uint64_t in_range;
    uint64_t stretch;
};

static void close_stretch(struct output *output)
{
    store_le64(output->sums, checksum_value(output->state));
    checksum_restart(output->state);
    output->sums += 8;
}

static enum mist_status put_bytes(void *context, const uint8_t *bytes, size_t size, struct mist_error *error)
{
    struct output *output = context;
    fwrite(bytes, 1, size, output->stream); /* errors are sticky: the commit finds them */
    while (size) {
        uint64_t left = output->stretch - output->in_range % output->stretch;
        size_t step = size < left ? size : (size_t)left;
        checksum_add(output->state, bytes, step);
        output->in_range += step;
        bytes += step;
        size -= step;
        if (step == left)
            close_stretch(output);
    }
    return MIST_OK;
}

static void end_range(struct output *output)
{
    if (output->in_range % output->stretch)
        close_stretch(output);
    output->in_range = 0;
}

static enum mist_status put_body(struct item_writer *writer, struct output *output, struct mist_error *error)
{
    enum mist_status status = MIST_OK;
    for (unsigned range = 0; range < layout_ranges(&writer->layout) && !status; range++) {
        for (unsigned i = 0; i < writer->manifest->streams && !status; i++) {
            const struct spool *spool = &writer->stream[i].spool[range];
            if (spool->size)
                status = spool_read(spool, put_bytes, output, error);
        }
        end_range(output);
    }
    if (!status && writer->tail.size)
        status = spool_read(&writer->tail, put_bytes, output, error);
    end_range(output);
    return status;
}

/* The body goes behind the room for the head, whose checksums are known only then. */
static enum mist_status put_all(struct item_writer *writer, struct mist_buffer *head, FILE *stream,
                                struct mist_error *error)
{
    const struct layout *layout = &writer->layout;
    struct output output = {.stream = stream,
                            .sums = head->data + layout_checksums_at(layout),
                            .state = checksum_start(),
                            .stretch = (uint64_t)1 << layout->chunk_log2};
    if (!output.state)
        return out_of_memory(writer, error);
    fwrite(head->data, 1, head->size, stream);
    enum mist_status status = put_body(writer, &output, error);
    checksum_free(output.state);
    if (status)
        return status;
    size_t covered = LAYOUT_CHECKSUM_AT + 8;
    store_le64(head->data + LAYOUT_CHECKSUM_AT, checksum(head->data + covered, head->size - covered));
    if (fseek(stream, 0, SEEK_SET) == 0)
        fwrite(head->data, 1, head->size, stream);
    else
        status = error_set_errno(error, errno, "%s: not written", writer->path);
    return status;
}

static enum mist_status make_head(struct item_writer *writer, struct mist_buffer *head, struct mist_error *error)
{
    struct layout *layout = &writer->layout;
    struct mist_buffer stored = {0};
    layout->tail_size = writer->tail.size;
    enum mist_status status = make_meta(writer, &stored, error);
    uint64_t total = LAYOUT_PROLOGUE_SIZE + stored.size + 8 * place_ranges(writer);
    if (!status && total > LAYOUT_MAX_HEAD)
        status = error_set(error, MIST_ERROR_LIMIT, "%s: a head of %llu bytes is beyond the limits", writer->path,
                           (unsigned long long)total);
    if (!status && total + layout_size(layout) > LAYOUT_MAX_SIZE)
        status = error_set(error, MIST_ERROR_LIMIT, "%s: the item would be beyond the limits", writer->path);
    layout->head_size = (uint32_t)total;
    if (!status &&
        (!buffer_append_zeros(head, LAYOUT_PROLOGUE_SIZE) || !buffer_append(head, stored.data, stored.size) ||
         !buffer_append_zeros(head, (size_t)total - LAYOUT_PROLOGUE_SIZE - stored.size)))
        status = out_of_memory(writer, error);
    if (!status)
        layout_write(layout, head->data);
    mist_buffer_free(&stored);
    return status;
}

enum mist_status item_writer_finish(struct item_writer *writer, struct mist_error *error)
{
    struct mist_buffer head = {0};
    struct file_writer file = {0};
    enum mist_status status = tail_writer_finish(&writer->archive, error);
    if (!status)
        status = make_head(writer, &head, error);
    if (!status)
        status = file_writer_open(writer->path, &file, error);
    if (!status)
        status = put_all(writer, &head, file.stream, error);
    mist_buffer_free(&head);
    if (!status)
        return file_writer_commit(&file, error);
    file_writer_cancel(&file);
    return status;
}

void item_writer_free(struct item_writer *writer)
{
    for (unsigned i = 0; writer->stream && i < writer->manifest->streams; i++) {
        for (unsigned range = 0; range < LAYOUT_MAX_RANGES; range++)
            spool_free(&writer->stream[i].spool[range]);
        chunk_lengths_free(&writer->stream[i].lengths);
    }
    memory_free(writer->stream);
    spool_free(&writer->tail);
    tail_writer_free(&writer->archive);
    writer->stream = NULL;
}
