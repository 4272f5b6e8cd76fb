/* SPDX-License-Identifier: BSD-2-Clause */
/* Which format a file has, and the way to the code that reads or writes it. */
#include "format/format.h"

#include "base/error.h"
#include "base/memory.h"
#include "format/formats.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* A format: its name, and what it can do; NULL for what it cannot. */
struct format {
    const char *name;
    bool (*detect)(const uint8_t *data, size_t size);
    enum mist_status (*open)(const char *const *paths, uint32_t count, struct format_source **source,
                             struct mist_error *error);
    enum mist_status (*writer_open)(const struct format_target *target, struct format_writer **writer,
                                    struct mist_error *error);
    bool in_gzip; /* may be gzipped */
};

static const struct format formats[] = {
    [FORMAT_UNKNOWN] = {.name = NULL},
    [FORMAT_PNG] = {"png", format_png_detect, format_png_open, format_png_writer_open, false},
    [FORMAT_JPEG] = {.name = "jpeg"},
    [FORMAT_NIFTI] = {"nifti", format_nifti_detect, format_nifti_open, format_nifti_writer_open, true},
    [FORMAT_DICOM] = {"dicom", format_dicom_detect, format_dicom_open, format_dicom_writer_open, false},
    [FORMAT_NPY] = {.name = "npy", .writer_open = format_npy_writer_open},
    [FORMAT_PNM] = {.name = "pnm", .writer_open = format_pnm_writer_open},
    [FORMAT_PGX] = {.name = "pgx", .writer_open = format_pgx_writer_open},
};
enum { FORMAT_COUNT = sizeof formats / sizeof *formats };

const char *format_name(enum format_kind kind)
{
    return (unsigned)kind < FORMAT_COUNT ? formats[kind].name : NULL;
}

enum format_kind format_from_name(const char *name)
{
    for (unsigned kind = 0; kind < FORMAT_COUNT; kind++)
        if (formats[kind].name && strcmp(formats[kind].name, name) == 0)
            return (enum format_kind)kind;
    return FORMAT_UNKNOWN;
}

enum { DETECT_BYTES = 1024 };

/* The first bytes of a regular file. */
static enum mist_status read_start(const char *path, uint8_t bytes[DETECT_BYTES], size_t *size,
                                   struct mist_error *error)
{
    *size = 0;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return error_set_errno(error, errno, "%s", path);
    struct stat about;
    enum mist_status status = MIST_OK;
    if (fstat(descriptor, &about) != 0)
        status = error_set_errno(error, errno, "%s", path);
    else if (!S_ISREG(about.st_mode))
        status = error_set(error, MIST_ERROR_IO, "%s: not a regular file", path);
    while (!status && *size < DETECT_BYTES) {
        ssize_t got = read(descriptor, bytes + *size, DETECT_BYTES - *size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            status = error_set_errno(error, errno, "%s", path);
        if (got <= 0)
            break;
        *size += (size_t)got;
    }
    close(descriptor);
    return status;
}

static bool is_gzip(const uint8_t *bytes, size_t size)
{
    return size >= 3 && bytes[0] == 0x1f && bytes[1] == 0x8b && bytes[2] == 8; /* RFC 1952, 2.3.1: CM 8 is deflate */
}

/* Replaces the start of a gzip file by the start of what is in it: as much as comes out. */
static void inflate_start(uint8_t bytes[DETECT_BYTES], size_t *size)
{
    uint8_t inside[DETECT_BYTES];
    z_stream stream = {.next_in = bytes, .avail_in = (uInt)*size, .next_out = inside, .avail_out = sizeof inside};
    *size = 0;
    if (inflateInit2(&stream, 15 + 16) != Z_OK)
        return;
    inflate(&stream, Z_SYNC_FLUSH);
    *size = sizeof inside - stream.avail_out;
    memcpy(bytes, inside, *size);
    inflateEnd(&stream);
}

enum mist_status format_detect(const char *path, enum format_kind *kind, struct mist_error *error)
{
    uint8_t bytes[DETECT_BYTES];
    size_t size;
    *kind = FORMAT_UNKNOWN;
    enum mist_status status = read_start(path, bytes, &size, error);
    if (status)
        return status;
    bool gzip = is_gzip(bytes, size);
    if (gzip)
        inflate_start(bytes, &size);
    for (unsigned i = 0; i < FORMAT_COUNT && *kind == FORMAT_UNKNOWN; i++)
        if (formats[i].detect && (!gzip || formats[i].in_gzip) && formats[i].detect(bytes, size))
            *kind = (enum format_kind)i;
    return MIST_OK;
}

/* What a format need not say: all frames are slices of one volume, and axes are in the order of the file. */
static void complete_info(struct mist_image_info *info)
{
    if (info->slices == 0)
        info->slices = info->frames;
    if (info->axes[0] == info->axes[1])
        for (uint8_t axis = 0; axis < 3; axis++)
            info->axes[axis] = axis;
}

enum mist_status format_open(enum format_kind kind, const char *const *paths, uint32_t count,
                             struct format_source **source, struct mist_error *error)
{
    *source = NULL;
    if (count == 0)
        return error_set(error, MIST_ERROR_ARGUMENT, "no image file was given");
    if ((unsigned)kind >= FORMAT_COUNT || !formats[kind].open)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "%s: not in a format that can be read", paths[0]);
    enum mist_status status = formats[kind].open(paths, count, source, error);
    if (!status)
        complete_info(&(*source)->info);
    return status;
}

void format_close(struct format_source **source)
{
    if (source && *source) {
        (*source)->ops->close(*source);
        *source = NULL;
    }
}

void format_archive_free(struct format_archive *archive)
{
    if (archive) {
        mist_buffer_free(&archive->prefix);
        mist_buffer_free(&archive->suffix);
        *archive = (struct format_archive){0};
    }
}

enum mist_status format_writer_open(const struct format_target *target, struct format_writer **writer,
                                    struct mist_error *error)
{
    *writer = NULL;
    const struct mist_image_info *info = &target->info;
    if ((unsigned)target->kind >= FORMAT_COUNT || !formats[target->kind].writer_open) {
        const char *name = format_name(target->kind);
        return error_set(error, MIST_ERROR_UNSUPPORTED, "%s: files of format '%s' cannot be written", target->path,
                         name ? name : "unknown");
    }
    if (mist_frame_bytes(info->type, info->width, info->height, info->components) == 0 || info->frames == 0 ||
        info->frames > MIST_MAX_FRAMES)
        return error_set(error, MIST_ERROR_LIMIT, "%s: %u frames of %u x %u x %u samples cannot be written",
                         target->path, info->frames, info->width, info->height, info->components);
    return formats[target->kind].writer_open(target, writer, error);
}

enum mist_status format_writer_frame(struct format_writer *writer, const struct mist_view *frame,
                                     struct mist_error *error)
{
    return writer->ops->frame(writer, frame, error);
}

enum mist_status format_writer_finish(struct format_writer **writer, struct mist_error *error)
{
    enum mist_status status = (*writer)->ops->finish(*writer, error);
    format_writer_cancel(writer);
    return status;
}

void format_writer_cancel(struct format_writer **writer)
{
    if (writer && *writer) {
        (*writer)->ops->free(*writer);
        *writer = NULL;
    }
}
