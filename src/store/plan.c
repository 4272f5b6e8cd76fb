/* SPDX-License-Identifier: BSD-2-Clause */
/* Listing -> what each file is -> units -> what is to be done. */
#include "store/encode.h"
#include "store/unpack.h"
#include "store/store_database.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/pool.h"
#include "format/format.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what each file is ---- */

struct classify {
    struct encode *encode;
    char cursor[PATH_ROOM]; /* path of the file handed out last; guarded by maker.lock */
};

/* One file's classification. */
struct verdict {
    char path[PATH_ROOM];
    char disk[PATH_MAX];
    int64_t size;
    int64_t mtime;
    int64_t place;
    int64_t kind; /* as in the listing */
    char series[UNIT_ROOM];
    char format[sizeof PAIR + 256];
    bool names_patient;
    struct mist_error problem;
};

static enum mist_status take_row(struct database *database, sqlite3_stmt *statement, struct verdict *verdict, bool *row,
                                 struct mist_error *error)
{
    enum mist_status status = database_step(database, statement, row, error);
    if (status || !*row)
        return status;
    snprintf(verdict->path, sizeof verdict->path, "%s", column_text(statement, 0));
    snprintf(verdict->disk, sizeof verdict->disk, "%s", column_text(statement, 1));
    verdict->size = sqlite3_column_int64(statement, 2);
    verdict->mtime = sqlite3_column_int64(statement, 3);
    verdict->place = sqlite3_column_int64(statement, 4);
    sqlite3_reset(statement);
    return MIST_OK;
}

/* Hands out the next file; *row is false at the end. */
static enum mist_status next_unknown(struct classify *classify, struct verdict *verdict, bool *row,
                                     struct mist_error *error)
{
    struct database *database = &classify->encode->maker.database;
    sqlite3_stmt *statement;
    enum mist_status status =
        database_query(database, Q_LISTING_NEXT_UNKNOWN, &statement, error, "t", classify->cursor);
    if (!status)
        status = take_row(database, statement, verdict, row, error);
    if (!status && *row)
        snprintf(classify->cursor, sizeof classify->cursor, "%s", verdict->path);
    return status;
}

/* Where the file was touched but holds what it held, records its new time; *same says so. */
static enum mist_status recognise(struct encode *encode, const struct verdict *verdict, bool *same,
                                  struct mist_error *error)
{
    struct maker *maker = &encode->maker;
    sqlite3_stmt *statement;
    uint64_t size, old = 0, new = 0;
    bool row = false;
    *same = false;
    pthread_mutex_lock(&maker->lock);
    enum mist_status status = database_query(&maker->database, Q_SOURCE_RETIMED, &statement, error, "itiit", maker->id,
                                             verdict->path, verdict->size, verdict->mtime, MIST_RECORD_VERSION);
    if (!status)
        status = database_step(&maker->database, statement, &row, error);
    if (row) {
        old = (uint64_t)sqlite3_column_int64(statement, 0);
        sqlite3_reset(statement);
    }
    pthread_mutex_unlock(&maker->lock);
    if (status || !row || checksum_file(verdict->disk, &size, &new, NULL) != MIST_OK || new != old)
        return status;
    *same = true;
    pthread_mutex_lock(&maker->lock);
    status = database_run(&maker->database, Q_SOURCE_TOUCH, error, "iit", verdict->mtime, maker->id, verdict->path);
    pthread_mutex_unlock(&maker->lock);
    return status;
}

/* "DIR/UID": what the items of a series are named after. Series do not reach over directories. */
static void name_series(struct verdict *verdict, const char *uid)
{
    const char *slash = strrchr(verdict->path, '/');
    int directory = slash ? (int)(slash - verdict->path) + 1 : 0;
    int start = snprintf(verdict->series, sizeof verdict->series, "%.*s%s", directory, verdict->path,
                         *uid && *uid != '.' ? uid : "series");
    for (char *p = verdict->series + directory; *p && p < verdict->series + start; p++)
        if (!strchr("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.-_", *p))
            *p = '_';
}

static void look_at(struct verdict *verdict)
{
    struct format_group group = {0};
    verdict->series[0] = verdict->format[0] = '\0';
    verdict->problem = (struct mist_error){0};
    bool grouped;
    verdict->kind = source_look(verdict->path, verdict->disk, &group, &grouped, &verdict->problem);
    verdict->names_patient = group.names_patient;
    if (verdict->kind > 0 && grouped) {
        name_series(verdict, group.series);
        snprintf(verdict->format, sizeof verdict->format, "%s", group.key);
    } else if (verdict->kind > 0 && *group.partner) {
        snprintf(verdict->series, sizeof verdict->series, "%s", verdict->path);
        snprintf(verdict->format, sizeof verdict->format, PAIR "%s", group.partner);
    }
}

static enum mist_status put_verdict(struct encode *encode, const struct verdict *verdict, struct mist_error *error)
{
    const bool series = verdict->series[0] != '\0';
    pthread_mutex_lock(&encode->maker.lock);
    encode->report->naming_patient += verdict->names_patient;
    enum mist_status status = database_run(
        &encode->maker.database, Q_LISTING_CLASSIFY, error, "itttt", verdict->kind, series ? verdict->series : NULL,
        series ? verdict->format : NULL,
        verdict->kind < 0 ? encode_sentence(verdict->problem.message, verdict->disk) : NULL, verdict->path);
    pthread_mutex_unlock(&encode->maker.lock);
    return status;
}

/* Looks at a file, if it is not one of those that were only touched. */
static enum mist_status classify_file(struct encode *encode, struct verdict *verdict, struct mist_error *error)
{
    bool same = false;
    enum mist_status status = recognise(encode, verdict, &same, error);
    if (status || same)
        return status;
    look_at(verdict);
    return put_verdict(encode, verdict, error);
}

static enum mist_status classify_one(void *context, uint64_t index, unsigned worker, struct mist_error *error)
{
    struct classify *classify = context;
    struct encode *encode = classify->encode;
    bool row = false;
    (void)index;
    struct verdict *verdict = memory_allocate_zeroed(1, sizeof *verdict);
    if (!verdict)
        return error_set(error, MIST_ERROR_MEMORY, "looking at the sources: out of memory");
    pthread_mutex_lock(&encode->maker.lock);
    enum mist_status status = next_unknown(classify, verdict, &row, error);
    pthread_mutex_unlock(&encode->maker.lock);
    if (!status && row)
        status = classify_file(encode, verdict, error);
    if (!status)
        status = tally_add(&encode->tally, worker, 1, verdict->path, error);
    memory_free(verdict);
    return status;
}

/* The entry that comes next in the archives; *row is false behind the last one. */
static enum mist_status classify_packed(struct encode *encode, struct verdict *verdict, const char *scratch, bool *row,
                                        struct mist_error *error)
{
    struct database *database = &encode->maker.database;
    sqlite3_stmt *statement;
    enum mist_status status = database_query(database, Q_LISTING_NEXT_PACKED, &statement, error, "i", verdict->place);
    if (!status)
        status = take_row(database, statement, verdict, row, error);
    if (status || !*row)
        return status;
    struct mist_error damaged = {0};
    snprintf(verdict->disk, sizeof verdict->disk, "%s", scratch);
    if (unpack_entry(encode, verdict->place, scratch, &damaged)) {
        verdict->kind = -1;
        verdict->series[0] = '\0';
        verdict->names_patient = false;
        verdict->problem = damaged;
        status = put_verdict(encode, verdict, error);
    } else {
        status = classify_file(encode, verdict, error);
    }
    return status ? status : tally_add(&encode->tally, 0, 1, verdict->path, error);
}

/* Those in archives, one after the other as they lie there. */
static enum mist_status classify_archives(struct encode *encode, struct mist_error *error)
{
    if (encode->unpacking.count == 0)
        return MIST_OK;
    char *scratch = maker_scratch(&encode->maker, "look", 0);
    struct verdict *verdict = memory_allocate_zeroed(1, sizeof *verdict);
    enum mist_status status =
        scratch && verdict ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "looking at the sources: out of memory");
    for (bool row = true; !status && row;)
        status = classify_packed(encode, verdict, scratch, &row, error);
    if (scratch)
        unlink(scratch);
    memory_free(scratch);
    memory_free(verdict);
    return status;
}

enum mist_status encode_classify(struct encode *encode, struct mist_error *error)
{
    struct maker *maker = &encode->maker;
    struct classify *classify = memory_allocate_zeroed(1, sizeof *classify);
    int64_t count = 0, packed = 0;
    if (!classify)
        return error_set(error, MIST_ERROR_MEMORY, "looking at the sources: out of memory");
    classify->encode = encode;
    enum mist_status status =
        database_run(&maker->database, Q_LISTING_MATCH, error, "it", maker->id, MIST_RECORD_VERSION);
    if (!status)
        status = database_number(&maker->database, Q_LISTING_UNKNOWN, &count, error, "");
    if (!status && encode->unpacking.count) {
        status = database_run(&maker->database, Q_LISTING_INDEX_PLACES, error, "");
        if (!status)
            status = database_number(&maker->database, Q_LISTING_UNKNOWN_PACKED, &packed, error, "");
    }
    tally_phase(&encode->tally, "files", (uint64_t)(count + packed));
    if (!status)
        status = classify_archives(encode, error);
    if (!status)
        status = pool_run(encode->threads, (uint64_t)count, classify_one, classify, error);
    if (!status) /* those that were only touched */
        status = database_run(&maker->database, Q_LISTING_MATCH, error, "it", maker->id, MIST_RECORD_VERSION);
    memory_free(classify);
    return status;
}

/* ---- units ---- */

/* Finds a free name: BASE, BASE-2, BASE-3 ... for the pixel formats of one series. */
static enum mist_status free_name(struct database *database, const char *base, unsigned first, char *name, size_t size,
                                  struct mist_error *error)
{
    for (unsigned number = first;; number++) {
        int64_t taken = 0;
        if (number < 2)
            snprintf(name, size, "%s", base);
        else
            snprintf(name, size, "%s-%u", base, number);
        enum mist_status status = database_number(database, Q_UNIT_EXISTS, &taken, error, "t", name);
        if (status || !taken)
            return status;
    }
}

static enum mist_status make_series_units(struct database *database, struct mist_error *error)
{
    sqlite3_stmt *statement;
    char last[UNIT_ROOM] = "", name[UNIT_ROOM];
    unsigned number = 1;
    enum mist_status status = database_query(database, Q_SERIES, &statement, error, "");
    for (bool row = true; !status && row;) {
        status = database_step(database, statement, &row, error);
        if (status || !row)
            break;
        const char *series = column_text(statement, 0);
        number = strcmp(series, last) == 0 ? number + 1 : 1;
        snprintf(last, sizeof last, "%s", series);
        status = free_name(database, series, number, name, sizeof name, error);
        if (!status)
            status = database_run(database, Q_UNIT_ADD_SERIES, error, "titt", name, sqlite3_column_int64(statement, 2),
                                  series, column_text(statement, 1));
    }
    if (statement)
        sqlite3_reset(statement);
    return status;
}

/* ---- what is to be done ---- */

static bool is_stored(const struct maker *maker, bool attach, const char *path, int64_t size)
{
    struct stat about;
    char *file = maker_path(maker, attach ? MIST_CATALOG_ATTACHMENT : MIST_CATALOG_ITEM, path);
    bool there = file && stat(file, &about) == 0 && S_ISREG(about.st_mode) && about.st_size == size;
    memory_free(file);
    return there;
}

/* Units that the tables call done but whose file is not there, or not whole. */
static enum mist_status find_missing(struct maker *maker, struct mist_error *error)
{
    sqlite3_stmt *statement;
    enum mist_status status = database_query(&maker->database, Q_UNITS_STORED, &statement, error, "i", maker->id);
    for (bool row = true; !status && row;) {
        status = database_step(&maker->database, statement, &row, error);
        if (status || !row)
            break;
        int64_t attach = sqlite3_column_int64(statement, 0);
        const char *path = column_text(statement, 1);
        if (!is_stored(maker, attach != 0, path, sqlite3_column_int64(statement, 2)))
            status = database_run(&maker->database, Q_MISSING_ADD, error, "it", attach, path);
    }
    if (statement)
        sqlite3_reset(statement);
    return status;
}

/* Items some of whose sources are gone: done anew with `prune`, else kept as they are, and counted. */
static enum mist_status find_shrunk(struct encode *encode, bool prune, struct mist_error *error)
{
    struct maker *maker = &encode->maker;
    sqlite3_stmt *statement;
    enum mist_status status = database_query(&maker->database, Q_UNITS_SHRUNK, &statement, error, "i", maker->id);
    for (bool row = true; !status && row;) {
        status = database_step(&maker->database, statement, &row, error);
        if (status || !row)
            break;
        if (prune)
            status = database_run(&maker->database, Q_MISSING_ADD, error, "it", (int64_t)0, column_text(statement, 0));
        else
            encode->report->vanished++;
    }
    if (statement)
        sqlite3_reset(statement);
    return status;
}

static enum mist_status repeat_problems(struct encode *encode, struct mist_error *error)
{
    struct maker *maker = &encode->maker;
    sqlite3_stmt *statement;
    enum mist_status status = database_query(&maker->database, Q_OLD_PROBLEMS, &statement, error, "i", maker->id);
    for (bool row = true; !status && row;) {
        status = database_step(&maker->database, statement, &row, error);
        if (!status && row)
            encode_fail_kept(encode, column_text(statement, 0), column_text(statement, 1), true);
    }
    if (statement)
        sqlite3_reset(statement);
    return status;
}

static enum mist_status make_units(struct maker *maker, struct mist_error *error)
{
    struct database *database = &maker->database;
    enum mist_status status = database_run(database, Q_PAIRS_LEFT, error, "");
    if (!status)
        status = database_run(database, Q_PAIRS_JOIN, error, "");
    if (!status)
        status = database_run(database, Q_UNITS_OF_FILES, error, "");
    if (!status)
        status = database_run(database, Q_UNITS_ASSIGN_FILES, error, "");
    if (!status)
        status = make_series_units(database, error);
    if (!status)
        status = database_run(database, Q_UNITS_ASSIGN_SERIES, error, "");
    if (!status)
        status = database_run(database, Q_LISTING_DONE, error, "it", maker->id, MIST_RECORD_VERSION);
    if (!status)
        status = database_run(database, Q_UNITS_DUE, error, "");
    return status;
}

enum mist_status encode_plan(struct encode *encode, struct mist_error *error)
{
    struct maker *maker = &encode->maker;
    int64_t count = 0, bytes = 0, unchanged = 0;
    bool prune = encode->options->prune && !encode->walk_incomplete;
    enum mist_status status = make_units(maker, error);
    if (!status)
        status = find_missing(maker, error);
    if (!status)
        status = find_shrunk(encode, prune, error);
    if (!status)
        status = database_run(&maker->database, Q_UNITS_DUE_MISSING, error, "");
    if (!status)
        status = database_number(&maker->database, Q_UNCHANGED, &unchanged, error, "");
    if (!status)
        status = repeat_problems(encode, error);
    if (!status)
        status = encode->unpacking.count ? database_run(&maker->database, Q_UNITS_PLACE, error, "") : MIST_OK;
    if (!status)
        status = database_run(&maker->database, Q_TODO_FILL, error, "");
    if (!status)
        status = database_number(&maker->database, Q_TODO_COUNT, &count, error, "");
    if (!status)
        status = database_number(&maker->database, Q_TODO_BYTES, &bytes, error, "");
    encode->report->unchanged = (uint64_t)unchanged;
    encode->units = (uint64_t)count;
    tally_phase(&encode->tally, "bytes", (uint64_t)bytes);
    return status;
}
