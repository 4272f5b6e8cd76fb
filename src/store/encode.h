/* SPDX-License-Identifier: BSD-2-Clause */
/* The steps of mist_store_encode(), in order: walk, classify, plan, units. */
#ifndef STORE_ENCODE_H
#define STORE_ENCODE_H

#include "base/file.h"
#include "format/format.h"
#include "store/maker.h"
#include "store/tally.h"

#include <mist/mist.h>

/* Kept with each source: images that this version could not encode are tried again by another one. */
#define MIST_RECORD_VERSION MIST_VERSION

/*
 * Room for what names a unit before that is checked: the path of a file; or its directory and the UID of a series, and
 * behind that a number.
 */
enum { UNIT_ROOM = PATH_ROOM + 256 };

/* Archives among the sources; see unpack.h. */
struct archive_source;
struct unpacking {
    char **paths; /* [count] */
    uint32_t count;
    struct archive_source *open; /* the one read last */
    uint32_t number;             /* ... which is this one, from 1 */
    uint64_t turn;               /* index of the unit that may unpack; guarded by the lock */
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

struct encode {
    struct maker maker;
    struct unpacking unpacking;
    const char *unpack_to; /* NULL, or the directory into which archives are unpacked while they are walked */
    const struct mist_store_encode_options *options;
    struct mist_store_report *report; /* guarded by maker.lock while several threads run */
    struct tally tally;
    unsigned threads;
    bool walk_incomplete; /* something could not be read, so what is not listed may still exist */
    uint64_t units;       /* to do */
    uint64_t units_finished;
};

/* encode_fail.c: a file or item with something wrong: counted and noted. */
void encode_fail(struct encode *encode, const char *path, const char *sentence);

/* The same for an image that is no item; `kept`: its bytes are an attachment. `sentence` may be NULL. */
void encode_fail_kept(struct encode *encode, const char *path, const char *sentence, bool kept);
/* A message without the name of the file that it is about: notes name the dataset's path. */
const char *encode_sentence(const char *message, const char *disk);

/* walk.c: lists every file of the sources. */
enum mist_status encode_walk(struct encode *encode, struct mist_error *error);
/*
 * look.c: 1: the file at `disk`, `path` in the dataset, is an image by its header; 0: it is none; -1: it should be one
 * but cannot be read, and *error says why. *grouped: several such files are one item, and *group tells which.
 */
int source_look(const char *path, const char *disk, struct format_group *group, bool *grouped,
                struct mist_error *error);
/* plan.c: tells what each file is, and what is to be done. */
enum mist_status encode_classify(struct encode *encode, struct mist_error *error);
enum mist_status encode_plan(struct encode *encode, struct mist_error *error);
/* unit.c: a task for pool_run(): the index-th item or attachment of the plan. */
enum mist_status encode_unit(void *context, uint64_t index, unsigned worker, struct mist_error *error);

/*
 * attach.c: copies a file byte for byte, written to `aside` and then renamed. *source_fault: it is the source that
 * could not be read.
 */
enum mist_status copy_file(const char *from, const char *to, const char *aside, uint64_t *size, uint64_t *checksum,
                           bool *source_fault, struct mist_error *error);
/* XXH3-64 of a file's bytes. */
enum mist_status checksum_file(const char *path, uint64_t *size, uint64_t *checksum, struct mist_error *error);

#endif
