/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/wrapping.h"

#include "base/error.h"
#include "base/memory.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { CHUNK = 1 << 18 };

static const struct {
    const char *name;
    uint8_t magic[4];
    size_t size;
    int (*read)(struct archive *archive);
    int (*write)(struct archive *archive);
} wrappings[] = {
    [WRAPPING_GZIP] = {"gzip", {0x1f, 0x8b, 8}, 3, archive_read_support_filter_gzip, archive_write_add_filter_gzip},
    [WRAPPING_BZIP2] = {"bzip2", {'B', 'Z', 'h'}, 3, archive_read_support_filter_bzip2, archive_write_add_filter_bzip2},
    [WRAPPING_XZ] = {"xz", {0xfd, '7', 'z', 'X'}, 4, archive_read_support_filter_xz, archive_write_add_filter_xz},
    [WRAPPING_ZSTD] =
        {"zstd", {0x28, 0xb5, 0x2f, 0xfd}, 4, archive_read_support_filter_zstd, archive_write_add_filter_zstd},
};

enum format_wrapping wrapping_detect(const uint8_t *bytes, size_t size)
{
    for (enum format_wrapping i = WRAPPING_NONE + 1; i < WRAPPINGS; i++)
        if (size >= wrappings[i].size && memcmp(bytes, wrappings[i].magic, wrappings[i].size) == 0)
            return i;
    return WRAPPING_NONE;
}

const char *wrapping_name(enum format_wrapping wrapping)
{
    return wrapping < WRAPPINGS ? wrappings[wrapping].name : NULL;
}

/* ---- reading ---- */

/* An archive of one entry without a name: what is inside. NULL where it cannot be read; `why` says why. */
static struct archive *start(const struct file_map *map, enum format_wrapping wrapping, struct mist_error *why)
{
    struct archive *archive = archive_read_new();
    struct archive_entry *entry;
    if (!archive) {
        error_set(why, MIST_ERROR_MEMORY, "out of memory");
        return NULL;
    }
    archive_read_support_format_raw(archive);
    archive_read_support_format_empty(archive);
    wrappings[wrapping].read(archive);
    const int opened = archive_read_open_memory(archive, map->data, map->size);
    if (opened == ARCHIVE_OK && archive_read_next_header(archive, &entry) == ARCHIVE_OK &&
        archive_filter_count(archive) == 2)
        return archive;
    error_set(why, MIST_ERROR_CORRUPT, "the %s data is damaged, or twice compressed", wrappings[wrapping].name);
    archive_read_free(archive);
    return NULL;
}

/* As much as comes out of the start of a gzip file, also of one that is cut off behind it. */
static void inflate_start(const struct file_map *map, uint8_t *bytes, size_t room, size_t *size)
{
    const size_t most = 1 << 16;
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)map->data,
                       .avail_in = (uInt)(map->size < most ? map->size : most),
                       .next_out = bytes,
                       .avail_out = (uInt)room};
    if (inflateInit2(&stream, 15 + 16) != Z_OK)
        return;
    inflate(&stream, Z_SYNC_FLUSH);
    *size = room - stream.avail_out;
    inflateEnd(&stream);
}

void wrapping_start(const struct format_input *input, enum format_wrapping wrapping, uint8_t *bytes, size_t room,
                    size_t *size)
{
    struct file_map map;
    *size = 0;
    if (input_map(input, &map, NULL))
        return;
    struct archive *archive = wrapping == WRAPPING_GZIP ? NULL : start(&map, wrapping, NULL);
    if (wrapping == WRAPPING_GZIP)
        inflate_start(&map, bytes, room, size);
    while (archive && *size < room) {
        const la_ssize_t got = archive_read_data(archive, bytes + *size, room - *size);
        if (got <= 0)
            break;
        *size += (size_t)got;
    }
    archive_read_free(archive);
    input_unmap(input, &map);
}

static enum mist_status unpack(struct archive *archive, enum format_wrapping wrapping, uint64_t limit, int spool,
                               uint64_t *size, struct mist_error *error)
{
    uint8_t *chunk = memory_allocate(CHUNK);
    enum mist_status status = chunk ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "out of memory");
    *size = 0;
    while (!status) {
        const la_ssize_t got = archive_read_data(archive, chunk, CHUNK);
        if (got == 0)
            break;
        if (got < 0)
            status = error_set(error, MIST_ERROR_CORRUPT, "the %s data is damaged or ends too early",
                               wrappings[wrapping].name);
        else if ((uint64_t)got > limit - *size)
            status =
                error_set(error, MIST_ERROR_LIMIT, "it unpacks to more than %d times its size", WRAPPING_MOST_RATIO);
        else
            status = file_write_at(spool, *size, chunk, (size_t)got, error);
        if (!status)
            *size += (uint64_t)got;
    }
    memory_free(chunk);
    return status;
}

enum mist_status wrapping_open(const struct format_input *input, enum format_wrapping wrapping, struct file_map *map,
                               struct mist_error *error)
{
    struct file_map packed;
    struct mist_error why = {0};
    enum mist_status status = input_map(input, &packed, error);
    if (status)
        return status;
    const uint64_t ratio = (uint64_t)packed.size * WRAPPING_MOST_RATIO;
    uint64_t size = 0;
    int spool = -1;
    struct archive *archive = start(&packed, wrapping, &why);
    if (archive && (spool = file_open_spool(NULL, &why)) >= 0 &&
        !unpack(archive, wrapping, ratio > WRAPPING_FREE ? ratio : WRAPPING_FREE, spool, &size, &why))
        file_map_descriptor(spool, input_name(input), map, &why);
    if (spool >= 0)
        close(spool);
    archive_read_free(archive);
    input_unmap(input, &packed);
    return why.status ? error_set(error, why.status, "%s: %s", input_name(input), why.message) : MIST_OK;
}

/* ---- writing ---- */

struct wrapping_writer {
    struct format_writer base;
    struct format_writer *inside;
    enum format_wrapping wrapping;
    bool unsynced;
    char *path;
    char *plain; /* where the file is written before it is packed */
};

static enum mist_status wrapping_frame(struct format_writer *base, const struct mist_view *frame,
                                       struct mist_error *error)
{
    return format_writer_frame(((struct wrapping_writer *)base)->inside, frame, error);
}

static enum mist_status wrapping_bytes(struct format_writer *base, const uint8_t *bytes, size_t size,
                                       struct mist_error *error)
{
    return format_writer_bytes(((struct wrapping_writer *)base)->inside, bytes, size, error);
}

static la_ssize_t put(struct archive *archive, void *context, const void *bytes, size_t size)
{
    FILE *stream = context;
    if (fwrite(bytes, 1, size, stream) == size)
        return (la_ssize_t)size;
    archive_set_error(archive, EIO, "cannot be written");
    return -1;
}

static bool pack(const struct file_map *map, enum format_wrapping wrapping, FILE *stream)
{
    struct archive *archive = archive_write_new();
    struct archive_entry *entry = archive_entry_new();
    bool good = archive && entry && archive_write_set_format_raw(archive) == ARCHIVE_OK &&
                wrappings[wrapping].write(archive) == ARCHIVE_OK &&
                archive_write_set_bytes_in_last_block(archive, 1) == ARCHIVE_OK;
    if (good && wrapping == WRAPPING_GZIP) /* the time of packing says nothing of the image */
        good = archive_write_set_filter_option(archive, "gzip", "timestamp", NULL) == ARCHIVE_OK;
    good = good && archive_write_open(archive, stream, NULL, put, NULL) == ARCHIVE_OK;
    if (good) {
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_size(entry, (la_int64_t)map->size);
        good = archive_write_header(archive, entry) == ARCHIVE_OK;
    }
    for (size_t at = 0; at < map->size && good;) {
        const size_t left = map->size - at;
        const la_ssize_t put_now = archive_write_data(archive, map->data + at, left < CHUNK ? left : CHUNK);
        good = put_now > 0;
        at += good ? (size_t)put_now : 0;
    }
    good = good && archive_write_close(archive) == ARCHIVE_OK;
    archive_entry_free(entry);
    archive_write_free(archive);
    return good;
}

static enum mist_status wrapping_finish(struct format_writer *base, struct mist_error *error)
{
    struct wrapping_writer *writer = (struct wrapping_writer *)base;
    struct file_map map = {0};
    struct file_writer file = {0};
    enum mist_status status = format_writer_finish(&writer->inside, error);
    if (!status)
        status = file_map_open(writer->plain, &map, error);
    if (!status)
        status = file_writer_open(writer->path, &file, error);
    file.unsynced = writer->unsynced;
    if (!status && !pack(&map, writer->wrapping, file.stream) && !ferror(file.stream))
        status = error_set(error, MIST_ERROR_MEMORY, "%s: it could not be packed by %s", writer->path,
                           wrappings[writer->wrapping].name);
    if (!status)
        status = file_writer_commit(&file, error);
    file_writer_cancel(&file);
    file_map_close(&map);
    return status;
}

static void wrapping_free(struct format_writer *base)
{
    struct wrapping_writer *writer = (struct wrapping_writer *)base;
    format_writer_cancel(&writer->inside);
    if (writer->plain)
        unlink(writer->plain);
    memory_free(writer->plain);
    memory_free(writer->path);
    memory_free(writer);
}

enum mist_status wrapping_writer_open(const struct format_target *target, struct format_writer **result,
                                      struct mist_error *error)
{
    static const struct format_writer_ops ops = {
        .frame = wrapping_frame, .bytes = wrapping_bytes, .finish = wrapping_finish, .free = wrapping_free};
    static const char suffix[] = ".unpacked";
    struct wrapping_writer *writer = memory_allocate_zeroed(1, sizeof *writer);
    const size_t length = strlen(target->path);
    if (writer) {
        *writer =
            (struct wrapping_writer){.base.ops = &ops, .wrapping = target->wrapping, .unsynced = target->unsynced};
        writer->path = memory_copy_text(target->path);
        writer->plain = memory_allocate(length + sizeof suffix);
    }
    if (!writer || !writer->path || !writer->plain) {
        if (writer)
            wrapping_free(&writer->base);
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", target->path);
    }
    memcpy(writer->plain, target->path, length);
    memcpy(writer->plain + length, suffix, sizeof suffix);
    struct format_target plain = *target;
    plain.path = writer->plain;
    plain.wrapping = WRAPPING_NONE;
    plain.unsynced = true;
    enum mist_status status = format_writer_open(&plain, &writer->inside, error);
    if (status) {
        wrapping_free(&writer->base);
        return status;
    }
    writer->base.codestreams = writer->inside->codestreams;
    writer->base.color_transform = writer->inside->color_transform;
    writer->base.converts = writer->inside->converts;
    *result = &writer->base;
    return MIST_OK;
}
