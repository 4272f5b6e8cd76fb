/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Archives as sources: zip, and tar however it is compressed, read from one end to the other by libarchive. Their
 * entries are numbered from 0 in the order in which they lie; going back means reading from the start again.
 */
#ifndef STORE_ARCHIVE_H
#define STORE_ARCHIVE_H

#include "base/file.h"

#include <stdbool.h>

struct archive_source;

enum packed_kind { PACKED_FILE, PACKED_DIRECTORY, PACKED_LINK, PACKED_REFUSED };

struct packed_entry {
    enum packed_kind kind;
    char path[PATH_ROOM];   /* in the dataset: escaped (base/escape.h), no "./" in front */
    char target[PATH_ROOM]; /* of a link: as it stands, escaped; of a hard link made relative to it */
    uint64_t size;
    int64_t mtime;   /* ns since 1970 */
    unsigned mode;   /* permissions */
    const char *why; /* PACKED_REFUSED: a sentence's end */
};

/* Whether a file's name is that of an archive: ".zip", ".tar", ".tar.gz", ".tgz" ...; how long that suffix is. */
size_t archive_suffix(const char *path);

enum mist_status archive_source_open(const char *path, struct archive_source **source, struct mist_error *error);
/* Safe on a pointer to NULL. */
void archive_source_close(struct archive_source **source);
const char *archive_source_path(const struct archive_source *source);

/* The next entry; *more is false behind the last one. Errors name the archive. */
enum mist_status archive_source_next(struct archive_source *source, struct packed_entry *entry, bool *more,
                                     struct mist_error *error);
/*
 * Whether an archive that was read to its end says that it ends there: a tar file that is not compressed and was cut
 * off between two entries does not.
 */
bool archive_source_ended(const struct archive_source *source);
/* Moves to the n-th entry, so that it is the one that archive_source_extract() takes. */
enum mist_status archive_source_seek(struct archive_source *source, uint64_t entry, struct mist_error *error);
/* Writes the bytes of the entry to a file, which is made or emptied; once for each entry. */
enum mist_status archive_source_extract(struct archive_source *source, const char *to, struct mist_error *error);

#endif
