/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading NIfTI-1 and NIfTI-2 (.nii, .nii.gz, pairs of .hdr and .img) and ANALYZE 7.5: volumes and series as planes. */
#include "format/nifti.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "format/nifti_header.h"
#include "format/turn.h"
#include "image/copy.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

/* Bytes that may follow the samples (kept in the archive); more than that is no NIfTI file. */
#define MAX_SUFFIX ((uint64_t)64 << 20)
/* Bytes before the samples: the header and its extensions. */
#define MAX_PREFIX ((uint64_t)64 << 20)

struct nifti_source {
    struct format_source base;
    struct format_input input; /* what holds the samples */
    struct file_map file;      /* as it is on disk */
    const uint8_t *data;       /* the NIfTI file: `file`, or what was in the gzip file, mapped from a spool */
    size_t size;
    bool spooled;
    struct nifti_header header;
    uint64_t sample_bytes; /* of all frames in the file */
    uint8_t *bytes;        /* of samples of a bit each: a byte each, mapped; else NULL */
    size_t bytes_size;
    uint8_t *turned; /* the samples as planes, where these lie across the file's rows; NULL: as in the file */
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
    return header.data_offset + nifti_header_bytes(&header, &info) + MAX_SUFFIX;
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

/* Where a plane's samples are, and how far its rows are apart. */
static const uint8_t *find_plane(const struct nifti_source *source, uint32_t frame, size_t *step)
{
    const struct mist_image_info *info = &source->base.info;
    const size_t pixel = mist_sample_size(info->type) * info->components, row = pixel * info->width;
    const uint8_t *samples = source->turned  ? source->turned
                             : source->bytes ? source->bytes
                                             : source->data + source->header.data_offset;
    *step = row;
    if (source->turned || !turn_is_needed(info))
        return samples + (uint64_t)frame * row * info->height;
    *step = row * info->slices; /* axes {0, 2, 1}: a plane's rows are one of each plane of the file */
    return samples + (uint64_t)(frame / info->slices) * *step * info->height + frame % info->slices * row;
}

static enum mist_status nifti_read_frame(struct format_source *base, uint32_t frame, struct mist_view *out,
                                         struct mist_error *error)
{
    const struct nifti_source *source = (const struct nifti_source *)base;
    const struct mist_image_info *info = &base->info;
    if (frame >= info->frames)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: there is no frame %u", source->input.name, frame);
    size_t step;
    const uint8_t *in = find_plane(source, frame, &step);
    struct mist_view plane =
        mist_view_interleaved((uint8_t *)(uintptr_t)in, info->type, info->width, info->height, info->components);
    plane.row_stride = step;
    copy_samples(&plane, out, source->header.big_endian != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__));
    return MIST_OK;
}

static enum mist_status nifti_read_archive(struct format_source *base, uint32_t file, struct format_archive *archive,
                                           struct mist_error *error)
{
    const struct nifti_source *source = (const struct nifti_source *)base;
    *archive = (struct format_archive){.raw = !source->header.bits, .big_endian = source->header.big_endian};
    size_t behind = (size_t)(source->header.data_offset + source->sample_bytes);
    if (source->header.pair && file == 0) /* the header's own file, in which there are no samples */
        return format_archive_around(archive, base->head.data, base->head.size, NULL, 0, source->input.name, error);
    return format_archive_around(archive, source->data, (size_t)source->header.data_offset, source->data + behind,
                                 source->size - behind, source->input.name, error);
}

static bool nifti_content(const struct format_source *base, uint32_t file, const uint8_t **data, size_t *size)
{
    const struct nifti_source *source = (const struct nifti_source *)base;
    (void)file;
    *data = source->data;
    *size = source->size;
    return true;
}

static void nifti_close(struct format_source *base)
{
    struct nifti_source *source = (struct nifti_source *)base;
    if (source->spooled)
        munmap((void *)(uintptr_t)source->data, source->size);
    if (source->turned)
        munmap(source->turned, source->bytes ? source->bytes_size : (size_t)source->sample_bytes);
    if (source->bytes)
        munmap(source->bytes, source->bytes_size);
    input_unmap(&source->input, &source->file);
    input_free(&source->input);
    format_source_clear(base);
    memory_free(source);
}

/* Whether the samples that the header tells of are there, within the limits. */
static enum mist_status check_size(struct nifti_source *source, struct mist_error *error)
{
    const struct mist_image_info *info = &source->base.info;
    source->sample_bytes = nifti_header_bytes(&source->header, info);
    uint64_t needed = source->header.data_offset + source->sample_bytes;
    if (source->header.data_offset > MAX_PREFIX)
        return error_set(error, MIST_ERROR_LIMIT, "%s: a NIfTI header of %llu bytes is beyond the limits",
                         source->input.name, (unsigned long long)source->header.data_offset);
    if (needed > source->size)
        return error_set(error, MIST_ERROR_TRUNCATED, "%s: %zu bytes, but its NIfTI header needs %llu",
                         source->input.name, source->size, (unsigned long long)needed);
    if (source->size - needed > MAX_SUFFIX)
        return error_set(error, MIST_ERROR_LIMIT, "%s: %llu bytes behind the voxels", source->input.name,
                         (unsigned long long)(source->size - needed));
    return MIST_OK;
}

static enum mist_status read_header(const uint8_t *data, size_t size, const char *name, struct nifti_source *source,
                                    struct mist_error *error)
{
    enum mist_status status = nifti_header_read(data, size, &source->header, error);
    if (!status)
        status = nifti_header_info(&source->header, &source->base.info, error);
    return status ? error_prefix(error, status, "%s", name) : MIST_OK;
}

/* A byte for each voxel of a bit. */
static enum mist_status unpack_bits(struct nifti_source *source, struct mist_error *error)
{
    const struct mist_image_info *info = &source->base.info;
    const uint8_t *bits = source->data + source->header.data_offset;
    if (!source->header.bits)
        return MIST_OK;
    source->bytes_size = mist_frame_bytes(info->type, info->width, info->height, 1) * info->frames;
    void *bytes = mmap(NULL, source->bytes_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bytes == MAP_FAILED)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", source->input.name);
    source->bytes = bytes;
    for (size_t i = 0; i < source->bytes_size; i++)
        source->bytes[i] = bits[i / 8] >> i % 8 & 1;
    return MIST_OK;
}

/* The samples as planes, where a plane's rows are not the file's. */
static enum mist_status turn(struct nifti_source *source, struct mist_error *error)
{
    if (!turn_is_needed(&source->base.info) || source->base.info.axes[2] != 0)
        return MIST_OK;
    enum mist_status status =
        turn_volumes(&source->base.info, source->bytes ? source->bytes : source->data + source->header.data_offset,
                     NULL, &source->turned, error);
    return status ? error_prefix(error, status, "%s", source->input.name) : MIST_OK;
}

/* GIFTI is XML; it is recognised so that it can be named. */
static bool is_gifti(const uint8_t *data, size_t size)
{
    static const char *const marks[] = {"<!DOCTYPE GIFTI", "<GIFTI"};
    for (int i = 0; i < 2 && size > 5 && memcmp(data, "<", 1) == 0; i++)
        if (memmem(data, size < 1024 ? size : 1024, marks[i], strlen(marks[i])))
            return true;
    return false;
}

static bool nifti_detect(const uint8_t *data, size_t size)
{
    return nifti_header_detect(data, size) || is_gifti(data, size);
}

/* One file. */
static enum mist_status open_single(struct nifti_source *source, struct mist_error *error)
{
    enum mist_status status = input_map(&source->input, &source->file, error);
    source->data = source->file.data;
    source->size = source->file.size;
    if (!status && source->size > 2 && source->data[0] == 0x1f && source->data[1] == 0x8b)
        status = open_gzip(source, error);
    if (status)
        return status;
    const char *name = source->input.name;
    if (is_gifti(source->data, source->size))
        return error_set(error, MIST_ERROR_UNSUPPORTED, "%s: no image but GIFTI: surfaces and values on them", name);
    status = read_header(source->data, source->size, name, source, error);
    if (!status && source->header.pair)
        return error_set(error, MIST_ERROR_UNSUPPORTED,
                         source->spooled ? "%s: the gzipped header of a pair: such pairs are read unpacked only"
                                         : "%s: the header of a pair, without its .img",
                         name);
    if (!status)
        status = check_size(source, error);
    if (!status && !buffer_append(&source->base.head, source->data, (size_t)source->header.data_offset))
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", name);
    return status;
}

/* A pair: the file in inputs[header] is the header, the other one has the samples. */
static enum mist_status open_pair(struct nifti_source *source, const struct format_input *header,
                                  struct mist_error *error)
{
    struct file_map map;
    const char *name = input_name(header);
    enum mist_status status = input_map(header, &map, error);
    if (status)
        return status;
    status = map.size > MAX_PREFIX ? error_set(error, MIST_ERROR_LIMIT, "%s: too large for a NIfTI header", name)
                                   : read_header(map.data, map.size, name, source, error);
    if (!status && !buffer_append(&source->base.head, map.data, map.size))
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", name);
    input_unmap(header, &map);
    if (!status)
        status = input_map(&source->input, &source->file, error);
    source->data = source->file.data;
    source->size = source->file.size;
    return status ? status : check_size(source, error);
}

/* Which of two files is the header of a pair; -1: neither. */
static int find_header(const struct format_input *inputs)
{
    int found = -1;
    for (int i = 0; i < 2 && found < 0; i++) {
        struct file_map map;
        struct nifti_header header;
        if (input_map(&inputs[i], &map, NULL))
            continue;
        if (!nifti_header_read(map.data, map.size, &header, NULL) && header.pair)
            found = i;
        input_unmap(&inputs[i], &map);
    }
    return found;
}

/* "x.img" for "x.hdr", "X.IMG" for "X.HDR". */
static void name_partner(const char *path, struct format_group *group)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char partner[sizeof group->partner];
    const size_t length = strlen(name);
    if (length < 5 || length >= sizeof partner || strcasecmp(name + length - 4, ".hdr") != 0)
        return;
    memcpy(partner, name, length + 1);
    memcpy(partner + length - 3, name[length - 1] == 'R' ? "IMG" : "img", 3);
    format_group_pair(group, partner);
}

/* Of a pair's header: where its samples are. What is wrong with a file is said when it is opened. */
static enum mist_status nifti_look(const struct format_input *input, struct format_group *group,
                                   struct mist_error *error)
{
    struct file_map map;
    struct nifti_header header;
    enum mist_status status = input_map(input, &map, error);
    if (status)
        return status;
    if (!nifti_header_read(map.data, map.size, &header, NULL) && header.pair)
        name_partner(input_name(input), group);
    input_unmap(input, &map);
    return MIST_OK;
}

static enum mist_status nifti_open(const struct format_input *inputs, uint32_t count, struct format_source **result,
                                   struct mist_error *error)
{
    static const struct format_source_ops single = {.read_frame = nifti_read_frame,
                                                    .read_archive = nifti_read_archive,
                                                    .close = nifti_close,
                                                    .content = nifti_content};
    static const struct format_source_ops pair = {
        .read_frame = nifti_read_frame, .read_archive = nifti_read_archive, .close = nifti_close};
    int header = count == 2 ? find_header(inputs) : 0;
    if (count > 2 || header < 0)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: a NIfTI image is one file, or a .hdr and its .img",
                         input_name(inputs));
    const struct format_input *samples = count == 2 ? &inputs[1 - header] : inputs;
    struct nifti_source *source = memory_allocate_zeroed(1, sizeof *source);
    if (!source)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", input_name(inputs));
    enum mist_status status = MIST_OK;
    if (!format_source_init(&source->base, count == 2 ? &pair : &single, FORMAT_NIFTI, count) ||
        !input_copy(samples, &source->input))
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", input_name(inputs));
    if (!status)
        status = count == 2 ? open_pair(source, &inputs[header], error) : open_single(source, error);
    if (!status)
        status = unpack_bits(source, error);
    if (!status)
        status = turn(source, error);
    if (status) {
        nifti_close(&source->base);
        return status;
    }
    source->base.file_order[0] = (uint32_t)header;
    source->base.file_frames[0] = count == 2 ? 0 : source->base.info.frames;
    if (count == 2) {
        source->base.file_order[1] = (uint32_t)(1 - header);
        source->base.file_frames[1] = source->base.info.frames;
    }
    *result = &source->base;
    return MIST_OK;
}

static void nifti_appearance(const uint8_t *head, size_t size, struct format_appearance *appearance)
{
    struct nifti_header header;
    struct nifti_display display;
    if (nifti_header_read(head, size, &header, NULL))
        return;
    nifti_header_display(&header, head, &display);
    appearance->slope = display.slope;
    appearance->intercept = display.intercept;
    if (!(display.low < display.high))
        return;
    appearance->shape = FORMAT_LINEAR_EXACT;
    appearance->center = display.low / 2 + display.high / 2;
    appearance->width = display.high - display.low;
}

const struct format_ops format_ops_nifti = {.detect = nifti_detect,
                                            .look = nifti_look,
                                            .open = nifti_open,
                                            .writer_open = nifti_writer_open,
                                            .appearance = nifti_appearance};
