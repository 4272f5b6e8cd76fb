/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/archive.h"

#include "base/error.h"
#include "base/escape.h"
#include "base/memory.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* An entry of more than so many times the size of its archive, beyond some bytes, is no image and no text of a dataset.
 */
enum { BLOCK = 1 << 17, MOST_RATIO = 1200, FREE_BYTES = 1 << 28 };

struct archive_source {
    char *path;
    uint64_t size; /* of the archive */
    struct archive *archive;
    struct archive_entry *entry;
    uint64_t next; /* number of the entry that comes next */
    locale_t utf8;
};

size_t archive_suffix(const char *path)
{
    static const char *const suffixes[] = {".zip", ".tar",    ".tar.gz", ".tgz",     ".tar.bz2", ".tbz2",
                                           ".tbz", ".tar.xz", ".txz",    ".tar.zst", ".tzst",    ".tar.lzma"};
    const size_t length = strlen(path);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        const size_t suffix = strlen(suffixes[i]);
        if (length > suffix && strcasecmp(path + length - suffix, suffixes[i]) == 0)
            return suffix;
    }
    return 0;
}

static enum mist_status fail(const struct archive_source *source, struct mist_error *error)
{
    const char *said = archive_error_string(source->archive);
    return error_set(error, MIST_ERROR_CORRUPT, "%s: the archive is damaged: %s", source->path,
                     said ? said : "it cannot be read");
}

/* libarchive gives names in the character set of the locale: while it reads headers it is to be UTF-8, in this thread.
 */
static locale_t enter_utf8(const struct archive_source *source)
{
    return source->utf8 ? uselocale(source->utf8) : (locale_t)0;
}

static void leave_utf8(locale_t before)
{
    if (before)
        uselocale(before);
}

static enum mist_status start(struct archive_source *source, struct mist_error *error)
{
    archive_read_free(source->archive);
    source->archive = archive_read_new();
    source->next = 0;
    if (!source->archive)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", source->path);
    archive_read_support_format_tar(source->archive);
    archive_read_support_format_gnutar(source->archive);
    archive_read_support_format_zip(source->archive);
    archive_read_support_format_empty(source->archive);
    archive_read_support_filter_gzip(source->archive);
    archive_read_support_filter_bzip2(source->archive);
    archive_read_support_filter_xz(source->archive);
    archive_read_support_filter_lzma(source->archive);
    archive_read_support_filter_zstd(source->archive);
    if (archive_read_open_filename(source->archive, source->path, BLOCK) != ARCHIVE_OK)
        return error_set(error, MIST_ERROR_CORRUPT, "%s: named like an archive, but it is neither zip nor tar: %s",
                         source->path, archive_error_string(source->archive));
    return MIST_OK;
}

enum mist_status archive_source_open(const char *path, struct archive_source **result, struct mist_error *error)
{
    struct archive_source *source = *result = memory_allocate_zeroed(1, sizeof *source);
    if (!source || !(source->path = memory_copy_text(path))) {
        archive_source_close(result);
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", path);
    }
    struct stat about;
    source->size = stat(path, &about) == 0 ? (uint64_t)about.st_size : 0;
    source->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    enum mist_status status = start(source, error);
    if (status)
        archive_source_close(result);
    return status;
}

void archive_source_close(struct archive_source **source)
{
    if (!*source)
        return;
    archive_read_free((*source)->archive);
    if ((*source)->utf8)
        freelocale((*source)->utf8);
    memory_free((*source)->path);
    memory_free(*source);
    *source = NULL;
}

const char *archive_source_path(const struct archive_source *source)
{
    return source->path;
}

/* The next header; *more is false behind the last one. */
static enum mist_status next_header(struct archive_source *source, bool *more, struct mist_error *error)
{
    const int result = archive_read_next_header(source->archive, &source->entry);
    *more = result != ARCHIVE_EOF;
    if (!*more)
        return MIST_OK;
    if (result != ARCHIVE_OK && result != ARCHIVE_WARN) /* warnings: a name of another character set */
        return fail(source, error);
    source->next++;
    return MIST_OK;
}

/* A name as bytes where it has some, else as UTF-8. */
static const char *text_of(const char *bytes, const char *utf8)
{
    return bytes && *bytes ? bytes : utf8;
}

/* Into a path of the dataset. False where there is none. */
static bool take_path(const char *name, char path[PATH_ROOM])
{
    char text[PATH_ROOM];
    while (name && (strncmp(name, "./", 2) == 0 || *name == '/'))
        name += *name == '/' ? 1 : 2;
    if (!name || !path_escape(name, text, sizeof text))
        return false;
    size_t length = strlen(text);
    while (length > 0 && text[length - 1] == '/')
        length--;
    text[length] = '\0';
    memcpy(path, text, length + 1);
    return path_is_safe(path, length);
}

/* The path of a hard link's file as seen from where the link is. */
static bool relative_target(const char *path, const char *to, char target[PATH_ROOM])
{
    size_t used = 0;
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        if (used + 3 >= PATH_ROOM)
            return false;
        memcpy(target + used, "../", 3);
        used += 3;
    }
    const size_t length = strlen(to);
    if (used + length >= PATH_ROOM)
        return false;
    memcpy(target + used, to, length + 1);
    return true;
}

static void describe(struct archive_entry *from, struct packed_entry *entry)
{
    const char *name = text_of(archive_entry_pathname(from), archive_entry_pathname_utf8(from));
    while (name && (*name == '.' || *name == '/'))
        name++;
    if (name && !*name) /* "./": the root itself */
        return;
    const char *hard = text_of(archive_entry_hardlink(from), archive_entry_hardlink_utf8(from));
    const char *soft = text_of(archive_entry_symlink(from), archive_entry_symlink_utf8(from));
    char file[PATH_ROOM];
    entry->kind = PACKED_REFUSED;
    entry->size = archive_entry_size_is_set(from) ? (uint64_t)archive_entry_size(from) : 0;
    entry->mtime = (int64_t)archive_entry_mtime(from) * 1000000000 + archive_entry_mtime_nsec(from);
    entry->mode = (unsigned)archive_entry_perm(from);
    if (!take_path(text_of(archive_entry_pathname(from), archive_entry_pathname_utf8(from)), entry->path)) {
        entry->why = "its name leads out of the archive, or is too long";
    } else if (archive_entry_is_encrypted(from)) {
        entry->why = "it is encrypted";
    } else if (hard && *hard) {
        entry->why = "a hard link to a file that no dataset can have";
        if (take_path(hard, file) && relative_target(entry->path, file, entry->target))
            entry->kind = PACKED_LINK;
    } else if (archive_entry_filetype(from) == AE_IFLNK) {
        entry->why = "a link without a usable target";
        if (soft && *soft && path_escape(soft, entry->target, sizeof entry->target))
            entry->kind = PACKED_LINK;
    } else if (archive_entry_filetype(from) == AE_IFDIR) {
        entry->kind = PACKED_DIRECTORY;
    } else if (archive_entry_filetype(from) == AE_IFREG) {
        entry->kind = PACKED_FILE;
    } else {
        entry->why = "neither a file nor a directory";
    }
}

enum mist_status archive_source_next(struct archive_source *source, struct packed_entry *entry, bool *more,
                                     struct mist_error *error)
{
    const locale_t before = enter_utf8(source);
    enum mist_status status = next_header(source, more, error);
    *entry = (struct packed_entry){.kind = PACKED_REFUSED};
    if (!status && *more)
        describe(source->entry, entry);
    leave_utf8(before);
    return status;
}

bool archive_source_ended(const struct archive_source *source)
{
    struct file_map map = {0};
    const int base = archive_format(source->archive) & ARCHIVE_FORMAT_BASE_MASK;
    if (base != ARCHIVE_FORMAT_TAR || archive_filter_count(source->archive) > 1 ||
        file_map_open(source->path, &map, NULL))
        return true;
    size_t zeros = 0;
    while (zeros < map.size && zeros < 512 && map.data[map.size - 1 - zeros] == 0)
        zeros++;
    file_map_close(&map);
    return zeros >= 512;
}

enum mist_status archive_source_seek(struct archive_source *source, uint64_t entry, struct mist_error *error)
{
    enum mist_status status = MIST_OK;
    bool more = true;
    if (entry < source->next)
        status = start(source, error);
    while (!status && more && source->next <= entry)
        status = next_header(source, &more, error);
    if (!status && !more)
        status =
            error_set(error, MIST_ERROR_CORRUPT, "%s: the archive has fewer entries than a moment ago", source->path);
    return status;
}

/* Whether so many bytes may be unpacked to an open file: not a bomb, and there is room. */
static enum mist_status check_size(const struct archive_source *source, int out, uint64_t size,
                                   struct mist_error *error)
{
    struct statvfs room;
    const uint64_t ratio = source->size < UINT64_MAX / MOST_RATIO ? source->size * MOST_RATIO : UINT64_MAX;
    if (size > (ratio > FREE_BYTES ? ratio : FREE_BYTES))
        return error_set(error, MIST_ERROR_LIMIT, "%s: an entry unpacks to more than %d times the size of the archive",
                         source->path, MOST_RATIO);
    if (fstatvfs(out, &room) == 0 && room.f_blocks && size / room.f_frsize >= room.f_bavail)
        return error_set(error, MIST_ERROR_IO, "%s: an entry of %llu bytes has no room to be unpacked in the store",
                         source->path, (unsigned long long)size);
    return MIST_OK;
}

enum mist_status archive_source_extract(struct archive_source *source, const char *to, struct mist_error *error)
{
    const int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (out < 0)
        return error_set_errno(error, errno, "%s", to);
    const uint64_t wanted =
        archive_entry_size_is_set(source->entry) ? (uint64_t)archive_entry_size(source->entry) : UINT64_MAX;
    uint8_t *chunk = memory_allocate(BLOCK);
    enum mist_status status = chunk ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", source->path);
    if (!status && wanted != UINT64_MAX)
        status = check_size(source, out, wanted, error);
    uint64_t size = 0;
    while (!status) {
        const la_ssize_t got = archive_read_data(source->archive, chunk, BLOCK);
        if (got == 0)
            break;
        if (got < 0)
            status = fail(source, error);
        else if ((uint64_t)got > wanted - size)
            status = error_set(error, MIST_ERROR_CORRUPT, "%s: the archive is damaged: an entry is larger than it says",
                               source->path);
        else if (wanted == UINT64_MAX && (status = check_size(source, out, size + (uint64_t)got, error)))
            break;
        else if (!(status = file_write_at(out, size, chunk, (size_t)got, error)))
            size += (uint64_t)got;
        else
            error_prefix(error, status, "unpacking to %s", to);
    }
    if (!status && wanted != UINT64_MAX && size != wanted)
        status =
            error_set(error, MIST_ERROR_CORRUPT, "%s: the archive is damaged: an entry ends too early", source->path);
    memory_free(chunk);
    if (close(out) != 0 && !status)
        status = error_set_errno(error, errno, "%s", to);
    return status;
}
