/* SPDX-License-Identifier: BSD-2-Clause */
/* NIfTI-1 and NIfTI-2 single files, .nii and .nii.gz: volumes and series as planes of dim[1] x dim[2]. */
#include "format/ops.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "format/gzip.h"
#include "format/nifti_header.h"
#include "format/pack.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

/* Bytes that may follow the samples (kept in the archive); more than that is no NIfTI file. */
#define MAX_SUFFIX ((uint64_t)64 << 20)
/* Bytes before the samples: the header and its extensions. */
#define MAX_PREFIX ((uint64_t)64 << 20)

/* ---- reading ---- */

struct nifti_source {
    struct format_source base;
    struct format_input input;
    struct file_map file; /* as it is on disk */
    const uint8_t *data;  /* the NIfTI file: `file`, or what was in the gzip file, mapped from a spool */
    size_t size;
    bool spooled;
    struct nifti_header header;
    uint64_t sample_bytes; /* of all frames */
};

/* What a NIfTI file that starts with these bytes should have at most; 0 if that cannot be told or is out of bounds. */
static uint64_t expected_size(const uint8_t *data, size_t size)
{
    struct nifti_header header;
    struct mist_image_info info;
    if (nifti_header_read(data, size, &header, NULL) || nifti_header_info(&header, &info, NULL))
        return 0;
    if (header.data_offset > MAX_PREFIX)
        return 0;
    uint64_t frame = mist_frame_bytes(info.type, info.width, info.height, info.components);
    return header.data_offset + frame * info.frames + MAX_SUFFIX;
}

/* Inflates all members of the gzip file into the spool; *size is what came out. */
static enum mist_status inflate_to_spool(const struct nifti_source *source, int spool, uint64_t *size,
                                         struct mist_error *error)
{
    enum { CHUNK = 1 << 20 };
    uint8_t *chunk = memory_allocate(CHUNK);
    z_stream stream = {0};
    if (!chunk || inflateInit2(&stream, 15 + 16) != Z_OK) {
        memory_free(chunk);
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", source->input.name);
    }
    const uint8_t *end = source->file.data + source->file.size;
    stream.next_in = (Bytef *)(uintptr_t)source->file.data;
    uint64_t limit = 0;
    enum mist_status status = MIST_OK;
    int result = Z_OK;
    *size = 0;
    while (!status && (result == Z_OK || result == Z_STREAM_END)) {
        size_t left = (size_t)(end - stream.next_in);
        if (result == Z_STREAM_END && (left < 2 || stream.next_in[0] != 0x1f || stream.next_in[1] != 0x8b))
            break; /* no further member */
        if (result == Z_STREAM_END)
            inflateReset(&stream);
        stream.avail_in = left > UINT32_MAX ? UINT32_MAX : (uInt)left;
        stream.next_out = chunk;
        stream.avail_out = CHUNK;
        result = inflate(&stream, Z_NO_FLUSH);
        size_t got = CHUNK - stream.avail_out;
        if (*size == 0 && (limit = expected_size(chunk, got)) == 0)
            limit = CHUNK; /* the header will be refused with its own words */
        if (*size + got > limit)
            status =
                error_set(error, MIST_ERROR_LIMIT, "%s: holds more than its NIfTI header says", source->input.name);
        else if ((status = file_write_at(spool, *size, chunk, got, error)) != MIST_OK)
            error_prefix(error, status, "%s: unpacking", source->input.name);
        *size += got;
        if (result == Z_BUF_ERROR && left == 0)
            break;
    }
    inflateEnd(&stream);
    memory_free(chunk);
    if (!status && result != Z_STREAM_END)
        status =
            error_set(error, result == Z_BUF_ERROR ? MIST_ERROR_TRUNCATED : MIST_ERROR_CORRUPT, "%s: the gzip data %s",
                      source->input.name, result == Z_BUF_ERROR ? "ends too early" : "is damaged");
    return status;
}

static enum mist_status open_gzip(struct nifti_source *source, struct mist_error *error)
{
    struct mist_error why = {0};
    int spool = file_open_spool(NULL, &why);
    if (spool < 0)
        return error_set(error, why.status, "%s: %s", source->input.name, why.message);
    uint64_t size = 0;
    enum mist_status status = inflate_to_spool(source, spool, &size, error);
    if (!status && size == 0)
        status = error_set(error, MIST_ERROR_CORRUPT, "%s: an empty gzip file", source->input.name);
    if (!status) {
        void *data = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, spool, 0);
        if (data == MAP_FAILED) {
            status = error_set_errno(error, errno, "%s", source->input.name);
        } else {
            source->data = data;
            source->size = (size_t)size;
            source->spooled = true;
        }
    }
    close(spool);
    return status;
}

static enum mist_status nifti_read_frame(struct format_source *base, uint32_t frame, struct mist_view *out,
                                         struct mist_error *error)
{
    const struct nifti_source *source = (const struct nifti_source *)base;
    const struct mist_image_info *info = &base->info;
    if (frame >= info->frames)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: there is no frame %u", source->input.name, frame);
    const size_t size = mist_sample_size(info->type), pixel = size * info->components, row = pixel * info->width;
    const uint8_t *in = source->data + source->header.data_offset + (uint64_t)frame * row * info->height;
    const bool machine_big = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__, swap = source->header.big_endian != machine_big;
    for (uint32_t y = 0; y < info->height; y++, in += row) {
        uint8_t *line = (uint8_t *)out->data + y * out->row_stride;
        if (out->column_stride == pixel && (info->components == 1 || out->component_stride == size) &&
            (!swap || size == 1)) {
            memcpy(line, in, row);
            continue;
        }
        const uint8_t *sample = in;
        for (uint32_t x = 0; x < info->width; x++)
            for (uint32_t c = 0; c < info->components; c++, sample += size) {
                uint8_t *to = line + x * out->column_stride + c * out->component_stride;
                for (size_t i = 0; i < size; i++)
                    to[i] = sample[swap ? size - 1 - i : i];
            }
    }
    return MIST_OK;
}

static enum mist_status nifti_read_archive(struct format_source *base, uint32_t file, struct format_archive *archive,
                                           struct mist_error *error)
{
    const struct nifti_source *source = (const struct nifti_source *)base;
    (void)file;
    *archive = (struct format_archive){.raw = true, .big_endian = source->header.big_endian};
    size_t behind = (size_t)(source->header.data_offset + source->sample_bytes);
    if (buffer_append(&archive->prefix, base->head.data, base->head.size) &&
        buffer_append(&archive->suffix, source->data + behind, source->size - behind))
        return MIST_OK;
    format_archive_free(archive);
    return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", source->input.name);
}

static void nifti_content(const struct format_source *base, const uint8_t **data, size_t *size)
{
    const struct nifti_source *source = (const struct nifti_source *)base;
    *data = source->data;
    *size = source->size;
}

static void nifti_close(struct format_source *base)
{
    struct nifti_source *source = (struct nifti_source *)base;
    if (source->spooled)
        munmap((void *)(uintptr_t)source->data, source->size);
    input_unmap(&source->input, &source->file);
    input_free(&source->input);
    format_source_clear(base);
    memory_free(source);
}

static enum mist_status read_header(struct nifti_source *source, struct mist_error *error)
{
    struct mist_image_info *info = &source->base.info;
    enum mist_status status = nifti_header_read(source->data, source->size, &source->header, error);
    if (!status)
        status = nifti_header_info(&source->header, info, error);
    if (status)
        return error_prefix(error, status, "%s", source->input.name);
    uint64_t frame = mist_frame_bytes(info->type, info->width, info->height, info->components);
    uint64_t needed = source->header.data_offset + frame * info->frames;
    source->sample_bytes = frame * info->frames;
    if (source->header.data_offset > MAX_PREFIX)
        return error_set(error, MIST_ERROR_LIMIT, "%s: a NIfTI header of %llu bytes is beyond the limits",
                         source->input.name, (unsigned long long)source->header.data_offset);
    if (needed > source->size)
        return error_set(error, MIST_ERROR_TRUNCATED, "%s: %zu bytes, but its NIfTI header needs %llu",
                         source->input.name, source->size, (unsigned long long)needed);
    if (source->size - needed > MAX_SUFFIX)
        return error_set(error, MIST_ERROR_LIMIT, "%s: %llu bytes behind the voxels", source->input.name,
                         (unsigned long long)(source->size - needed));
    if (!buffer_append(&source->base.head, source->data, (size_t)source->header.data_offset))
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", source->input.name);
    return MIST_OK;
}

static enum mist_status nifti_open(const struct format_input *inputs, uint32_t count, struct format_source **result,
                                   struct mist_error *error)
{
    static const struct format_source_ops ops = {.read_frame = nifti_read_frame,
                                                 .read_archive = nifti_read_archive,
                                                 .close = nifti_close,
                                                 .content = nifti_content};
    struct nifti_source *source = memory_allocate_zeroed(1, sizeof *source);
    if (!source)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", input_name(inputs));
    enum mist_status status = MIST_OK;
    if (!format_source_init(&source->base, &ops, FORMAT_NIFTI, count) || !input_copy(inputs, &source->input))
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", input_name(inputs));
    if (!status)
        status = input_map(&source->input, &source->file, error);
    source->data = source->file.data;
    source->size = source->file.size;
    if (!status && source->size > 2 && source->data[0] == 0x1f && source->data[1] == 0x8b)
        status = open_gzip(source, error);
    if (!status)
        status = read_header(source, error);
    if (status) {
        nifti_close(&source->base);
        return status;
    }
    source->base.file_frames[0] = source->base.info.frames;
    *result = &source->base;
    return MIST_OK;
}

/* ---- writing ---- */

struct nifti_writer {
    struct format_writer base;
    struct file_writer file;
    struct mist_image_info info;
    bool big_endian;
    struct gzip_writer *gzip; /* NULL: the file is plain */
    uint8_t *packed;          /* one frame */
    struct mist_buffer suffix;
    uint32_t written;
};

static void emit(struct nifti_writer *writer, const uint8_t *bytes, size_t size, bool last)
{
    if (writer->gzip)
        gzip_write(writer->gzip, bytes, size, last);
    else if (size)
        fwrite(bytes, 1, size, writer->file.stream);
}

static enum mist_status nifti_write_frame(struct format_writer *base, const struct mist_view *frame,
                                          struct mist_error *error)
{
    struct nifti_writer *writer = (struct nifti_writer *)base;
    const struct mist_image_info *info = &writer->info;
    if (writer->written == info->frames)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: more than %u planes", writer->file.path, info->frames);
    pack_samples(frame, writer->big_endian, writer->packed);
    emit(writer, writer->packed, mist_frame_bytes(info->type, info->width, info->height, info->components), false);
    writer->written++;
    return MIST_OK;
}

static enum mist_status nifti_finish(struct format_writer *base, struct mist_error *error)
{
    struct nifti_writer *writer = (struct nifti_writer *)base;
    if (writer->written != writer->info.frames)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: %u of %u planes were written", writer->file.path,
                         writer->written, writer->info.frames);
    emit(writer, writer->suffix.data, writer->suffix.size, true);
    return file_writer_commit(&writer->file, error);
}

static void nifti_free(struct format_writer *base)
{
    struct nifti_writer *writer = (struct nifti_writer *)base;
    gzip_writer_free(&writer->gzip);
    file_writer_cancel(&writer->file);
    mist_buffer_free(&writer->suffix);
    memory_free(writer->packed);
    memory_free(writer);
}

/* The original's header, changed where the size is another. */
static enum mist_status adapt_header(struct nifti_writer *writer, const struct format_target *target,
                                     struct mist_buffer *header, struct mist_error *error)
{
    struct nifti_header parsed;
    struct mist_image_info info;
    enum mist_status status = nifti_header_read(target->head, target->head_size, &parsed, error);
    if (!status)
        status = nifti_header_info(&parsed, &info, error);
    if (!status && (parsed.data_offset != target->head_size || info.type != target->info.type ||
                    info.components != target->info.components || info.frames != target->info.frames))
        status = error_set(error, MIST_ERROR_CORRUPT, "the kept NIfTI header is not that of these samples");
    if (status)
        return status;
    writer->big_endian = parsed.big_endian;
    if (!buffer_append(header, target->head, target->head_size))
        return error_set(error, MIST_ERROR_MEMORY, "out of memory");
    if (target->reduce == 0 && !target->resampled) {
        const struct format_archive *archive = target->archive;
        if (archive && !buffer_append(&writer->suffix, archive->suffix.data, archive->suffix.size))
            return error_set(error, MIST_ERROR_MEMORY, "out of memory");
        return MIST_OK;
    }
    nifti_header_resize(&parsed, target->info.width, target->info.height, target->sampling.factor,
                        target->sampling.shift);
    nifti_header_store_geometry(&parsed, header->data);
    return MIST_OK;
}

static enum mist_status make_header(struct nifti_writer *writer, const struct format_target *target,
                                    struct mist_buffer *header, struct mist_error *error)
{
    if (target->source_kind == FORMAT_NIFTI && target->head)
        return adapt_header(writer, target, header, error);
    uint8_t fresh[NIFTI_FRESH_SIZE];
    writer->big_endian = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
    enum mist_status status = nifti_header_make(&target->info, fresh, error);
    if (!status && !buffer_append(header, fresh, sizeof fresh))
        status = error_set(error, MIST_ERROR_MEMORY, "out of memory");
    return status;
}

static enum mist_status nifti_writer_open(const struct format_target *target, struct format_writer **result,
                                          struct mist_error *error)
{
    static const struct format_writer_ops ops = {
        .frame = nifti_write_frame, .finish = nifti_finish, .free = nifti_free};
    const struct mist_image_info *info = &target->info;
    struct nifti_writer *writer = memory_allocate_zeroed(1, sizeof *writer);
    if (!writer)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", target->path);
    writer->base.ops = &ops;
    writer->info = *info;
    struct mist_buffer header = {0};
    enum mist_status status = make_header(writer, target, &header, error);
    writer->packed = memory_allocate(mist_frame_bytes(info->type, info->width, info->height, info->components));
    if (!status && !writer->packed)
        status = error_set(error, MIST_ERROR_MEMORY, "out of memory");
    if (status)
        error_prefix(error, status, "%s", target->path);
    else
        status = file_writer_open(target->path, &writer->file, error);
    if (!status && target->gzip && !(writer->gzip = gzip_writer_new(writer->file.stream)))
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", target->path);
    if (!status)
        emit(writer, header.data, header.size, false);
    mist_buffer_free(&header);
    if (status)
        nifti_free(&writer->base);
    else
        *result = &writer->base;
    return status;
}

const struct format_ops format_ops_nifti = {
    .detect = nifti_header_detect, .open = nifti_open, .writer_open = nifti_writer_open};
