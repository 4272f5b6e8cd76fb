/* SPDX-License-Identifier: BSD-2-Clause */
/* Doing one unit of the plan: an item encoded, or an attachment copied, and the tables brought up to date. */
#include "store/encode.h"
#include "store/store_database.h"
#include "store/labels.h"
#include "store/unpack.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where the texts of a member start in unit.text; NO_TEXT where it has none. */
struct member_places {
    size_t path, disk, series, format;
};
#define NO_TEXT SIZE_MAX

/* A source file of the unit. */
struct member {
    struct member_places places; /* while unit.text grows; load() sets the pointers to it when all are there */
    const char *path;
    const char *disk;
    const char *series;
    const char *format;
    int64_t size;
    int64_t mtime;
    int64_t label;
    int64_t kind;
    int64_t place;  /* in an archive; 0: it is a file */
    char *unpacked; /* where it lies while it is worked on, which is then `disk`; or NULL */
    uint64_t checksum;
    enum mist_status fault; /* why it is no part of the item; MIST_OK: it is */
    char *problem;          /* the sentence to it, or NULL */
    bool copied;            /* kept as an attachment */
    bool lost;              /* could not even be read: nothing is recorded */
    bool collective;        /* it may be good alone: the series is not */
};

struct unit {
    struct encode *encode;
    unsigned worker;
    bool attach;
    char path[UNIT_ROOM];
    uint64_t bytes;
    struct mist_buffer text;
    struct mist_buffer list; /* struct member each */
    struct member *members;
    uint32_t count;
    bool encoded; /* the item was written */
    bool named;   /* as label maps are */
    bool asked;   /* for as a label map, by option or dataset.json */
    struct mist_import_report imported;
    char why_label[24]; /* "" where it is none */
};

static void unit_free(struct unit *unit)
{
    for (uint32_t i = 0; i < unit->count; i++) {
        struct member *member = &unit->members[i];
        if (member->unpacked)
            unlink(member->unpacked);
        memory_free(member->unpacked);
        memory_free(member->problem);
    }
    mist_buffer_free(&unit->text);
    mist_buffer_free(&unit->list);
    memory_free(unit);
}

/* ---- from the tables ---- */

/* Appends a column's text to unit.text and gives its offset. */
static size_t keep_text(struct unit *unit, sqlite3_stmt *statement, int column, bool *good)
{
    const char *text = column_text(statement, column);
    size_t offset = unit->text.size;
    if (!text)
        return NO_TEXT;
    *good = *good && buffer_append(&unit->text, text, strlen(text) + 1);
    return offset;
}

static const char *text_at(const struct unit *unit, size_t offset)
{
    return offset == NO_TEXT ? NULL : (const char *)unit->text.data + offset;
}

static enum mist_status add_member(struct unit *unit, sqlite3_stmt *statement, struct mist_error *error)
{
    bool good = true;
    struct member member = {
        .places = {.path = keep_text(unit, statement, 0, &good),
                   .disk = keep_text(unit, statement, 1, &good),
                   .series = keep_text(unit, statement, 6, &good),
                   .format = keep_text(unit, statement, 7, &good)},
        .size = sqlite3_column_int64(statement, 2),
        .mtime = sqlite3_column_int64(statement, 3),
        .label = sqlite3_column_int64(statement, 4),
        .kind = sqlite3_column_int64(statement, 5),
        .place = sqlite3_column_int64(statement, 9),
    };
    if (member.kind < 0) {
        const char *problem = column_text(statement, 8);
        member.fault = MIST_ERROR_CORRUPT;
        member.problem = memory_copy_text(problem ? problem : "damaged");
        good = good && member.problem;
    }
    if (!good || !buffer_append(&unit->list, &member, sizeof member)) {
        memory_free(member.problem);
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", unit->path);
    }
    unit->count++;
    unit->members = (struct member *)(void *)unit->list.data;
    return MIST_OK;
}

static enum mist_status load(struct unit *unit, uint64_t rank, struct mist_error *error)
{
    struct database *database = &unit->encode->maker.database;
    sqlite3_stmt *statement;
    bool row = false;
    enum mist_status status = database_query(database, Q_TODO_NTH, &statement, error, "i", (int64_t)rank);
    if (!status)
        status = database_step(database, statement, &row, error);
    if (!status && !row)
        status = error_set(error, MIST_ERROR_CORRUPT, "%s: the plan is not complete", database->path);
    if (status)
        return status;
    unit->attach = sqlite3_column_int64(statement, 0) != 0;
    snprintf(unit->path, sizeof unit->path, "%s", column_text(statement, 1));
    unit->bytes = (uint64_t)sqlite3_column_int64(statement, 2);
    sqlite3_reset(statement);
    status = database_query(database, Q_MEMBERS, &statement, error, "ti", unit->path, (int64_t)unit->attach);
    for (row = true; !status && row;) {
        status = database_step(database, statement, &row, error);
        if (!status && row)
            status = add_member(unit, statement, error);
    }
    if (statement)
        sqlite3_reset(statement);
    for (uint32_t i = 0; i < unit->count && !status; i++) {
        struct member *member = &unit->members[i];
        member->path = text_at(unit, member->places.path);
        member->disk = text_at(unit, member->places.disk);
        member->series = text_at(unit, member->places.series);
        member->format = text_at(unit, member->places.format);
    }
    return status;
}

/* ---- encoding ---- */

static void blame(struct member *member, const struct mist_error *error)
{
    member->fault = error->status;
    memory_free(member->problem);
    member->problem = memory_copy_text(encode_sentence(error->message, member->disk));
}

/* ---- out of archives ---- */

static int compare_places(const void *a, const void *b)
{
    const int64_t one = (*(struct member *const *)a)->place, other = (*(struct member *const *)b)->place;
    return (one > other) - (one < other);
}

/* Unpacks a member, and says of it what is wrong where that fails. */
static enum mist_status unpack_member(struct unit *unit, struct member *member, struct mist_error *error)
{
    char what[32];
    struct mist_error damaged = {0};
    snprintf(what, sizeof what, "unpacked-%u", (unsigned)(member - unit->members));
    member->unpacked = maker_scratch(&unit->encode->maker, what, unit->worker);
    if (!member->unpacked)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", member->path);
    enum mist_status status = unpack_entry(unit->encode, member->place, member->unpacked, &damaged);
    if (status) {
        unlink(member->unpacked);
        blame(member, &damaged);
        member->lost = true;
    }
    member->disk = member->unpacked;
    return MIST_OK;
}

static enum mist_status unpack_unit(struct unit *unit, struct mist_error *error)
{
    struct member **packed = memory_allocate_array(unit->count, sizeof *packed);
    uint32_t count = 0;
    enum mist_status status = packed ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", unit->path);
    for (uint32_t i = 0; i < unit->count && !status; i++)
        if (unit->members[i].place)
            packed[count++] = &unit->members[i];
    if (count)
        qsort(packed, count, sizeof *packed, compare_places);
    for (uint32_t i = 0; i < count && !status; i++)
        status = unpack_member(unit, packed[i], error);
    memory_free(packed);
    return status;
}

/* Threads for this item: when few units are left, the cores are shared among them. */
static unsigned threads_for_item(const struct encode *encode)
{
    uint64_t left = encode->units - encode->units_finished;
    uint64_t share = left ? encode->threads / left : 1;
    return share > 1 ? (unsigned)share : 1;
}

/* A message about a member that begins with its place on disk, with its path in the dataset instead. */
static void name_by_path(const struct unit *unit, struct mist_error *error)
{
    for (uint32_t i = 0; i < unit->count; i++) {
        const char *sentence = encode_sentence(error->message, unit->members[i].disk);
        if (sentence == error->message)
            continue;
        struct mist_error named;
        error_set(&named, error->status, "%s: %s", unit->members[i].path, sentence);
        *error = named;
        return;
    }
}

/* Encodes the members that nothing is wrong with, or only member `only` (if not UINT32_MAX), into `file`. */
static enum mist_status import(struct unit *unit, uint32_t only, const char *file, struct mist_error *error)
{
    struct tally_part part = {&unit->encode->tally, unit->worker, unit->bytes, unit->path};
    struct mist_progress progress = tally_part_progress(&part);
    const char **paths = memory_allocate_array(unit->count, sizeof *paths);
    const char **names = memory_allocate_array(unit->count, sizeof *names);
    enum mist_status status = MIST_ERROR_MEMORY;
    if (!paths || !names) {
        error_set(error, status, "%s: out of memory", unit->path);
    } else {
        struct mist_import_options options = {.paths = paths, .names = names};
        for (uint32_t i = 0; i < unit->count; i++) {
            const struct member *member = &unit->members[i];
            if (member->fault || (only != UINT32_MAX && only != i))
                continue;
            paths[options.count] = member->disk;
            names[options.count++] = member->path;
            enum label_said said = (enum label_said)member->label;
            options.image |= said == LABEL_IMAGE;
            options.name_agrees |= said == LABEL_NAMED;
            unit->named |= said == LABEL_NAMED;
            if (label_reason(said) && said > LABEL_NAMED) {
                options.label = label_reason(said);
                unit->asked = true;
            }
        }
        pthread_mutex_lock(&unit->encode->maker.lock);
        options.threads = threads_for_item(unit->encode);
        pthread_mutex_unlock(&unit->encode->maker.lock);
        status = mist_item_import(&options, file, &unit->imported, &progress, error);
    }
    memory_free(paths);
    memory_free(names);
    return status;
}

/* A header and its samples: neither is anything alone. */
static bool is_pair(const struct unit *unit)
{
    const char *format = unit->count ? unit->members[0].format : NULL;
    return format && strncmp(format, PAIR, strlen(PAIR)) == 0;
}

static uint32_t good_members(const struct unit *unit)
{
    uint32_t good = 0;
    for (uint32_t i = 0; i < unit->count; i++)
        good += unit->members[i].fault == MIST_OK;
    return good;
}

/* A series did not encode: finds the files that do not encode alone either. */
static enum mist_status find_culprits(struct unit *unit, struct mist_error *error)
{
    char *probe = maker_scratch(&unit->encode->maker, "probe", unit->worker);
    if (!probe)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", unit->path);
    enum mist_status status = MIST_OK;
    for (uint32_t i = 0; i < unit->count && !status; i++) {
        struct mist_error local = {0};
        if (unit->members[i].fault)
            continue;
        enum mist_status imported = import(unit, i, probe, &local);
        if (imported == MIST_ERROR_CANCELLED)
            status = error_set(error, imported, "%s", local.message);
        else if (imported)
            blame(&unit->members[i], &local);
        unlink(probe);
    }
    memory_free(probe);
    return status;
}

/*
 * Writes the item from those members that can be encoded. What a member is blamed for is no failure of this function;
 * being asked to stop is.
 */
static enum mist_status encode_members(struct unit *unit, const char *file, struct mist_error *error)
{
    for (uint32_t i = 0; i < unit->count; i++) {
        struct member *member = &unit->members[i];
        struct mist_error local = {0};
        uint64_t size;
        if (!member->lost && checksum_file(member->disk, &size, &member->checksum, &local) != MIST_OK)
            blame(member, &local);
    }
    for (int attempt = 0; good_members(unit) > 0; attempt++) {
        struct mist_error local = {0};
        uint32_t good = good_members(unit);
        enum mist_status status = import(unit, UINT32_MAX, file, &local);
        unit->encoded = status == MIST_OK;
        if (unit->encoded)
            return MIST_OK;
        if (status == MIST_ERROR_CANCELLED)
            return error_set(error, status, "%s", local.message);
        if (attempt == 0 && good > 1 && !is_pair(unit))
            status = find_culprits(unit, error);
        if (status == MIST_ERROR_CANCELLED)
            return status;
        if (good_members(unit) < good && good > 1 && attempt == 0)
            continue;
        if (good > 1)
            name_by_path(unit, &local);
        for (uint32_t i = 0; i < unit->count; i++) { /* together they do not make an item */
            struct member *member = &unit->members[i];
            member->collective = !member->fault && good > 1;
            if (!member->fault)
                blame(member, &local);
        }
    }
    return MIST_OK;
}

/* ---- attachments ---- */

/* Copies a member that is no part of an item. Fails only if the store cannot be written. */
static enum mist_status keep_bytes(struct unit *unit, struct member *member, struct mist_error *error)
{
    struct mist_error local = {0};
    uint64_t size = 0;
    bool source_fault = false;
    if (member->lost) /* it could not be unpacked */
        return MIST_OK;
    char *to = maker_path(&unit->encode->maker, MIST_CATALOG_ATTACHMENT, member->path);
    char *aside = maker_scratch(&unit->encode->maker, "copy", unit->worker);
    enum mist_status status = to && aside
                                  ? copy_file(member->disk, to, aside, &size, &member->checksum, &source_fault, &local)
                                  : error_set(&local, MIST_ERROR_MEMORY, "%s: out of memory", member->path);
    memory_free(to);
    memory_free(aside);
    if (!status) {
        member->copied = true;
        member->size = (int64_t)size; /* if it grew meanwhile, the next run sees that by its time */
        return MIST_OK;
    }
    if (!source_fault)
        return error_set(error, status, "%s", local.message);
    member->lost = true;
    blame(member, &local);
    return MIST_OK;
}

/* ---- into the tables: maker.lock is held, a transaction is open ---- */

/* The item or attachment that a source was part of before, if it is not what it is part of now. */
static enum mist_status leave_old_place(struct unit *unit, const struct member *member, const char *owner,
                                        struct mist_error *error)
{
    struct maker *maker = &unit->encode->maker;
    sqlite3_stmt *statement;
    bool row = false;
    char old[UNIT_ROOM] = "";
    enum mist_status status =
        database_query(&maker->database, Q_SOURCE_OWNER, &statement, error, "it", maker->id, member->path);
    if (!status)
        status = database_step(&maker->database, statement, &row, error);
    if (row) {
        if (column_text(statement, 0))
            snprintf(old, sizeof old, "%s", column_text(statement, 0));
        sqlite3_reset(statement);
    }
    if (!status)
        status = database_run(&maker->database, Q_SOURCE_DELETE_PATH, error, "it", maker->id, member->path);
    int64_t used = 1;
    if (!status && *old && (!owner || strcmp(old, owner) != 0))
        status = database_number(&maker->database, Q_OWNER_IS_USED, &used, error, "it", maker->id, old);
    if (!status && !used)
        status = maker_remove(maker, MIST_CATALOG_ITEM, old, error);
    int64_t attached = 0;
    if (!status && owner)
        status =
            database_number(&maker->database, Q_ATTACHMENT_EXISTS, &attached, error, "it", maker->id, member->path);
    if (!status && attached)
        status = maker_remove(maker, MIST_CATALOG_ATTACHMENT, member->path, error);
    return status;
}

static enum mist_status record_member(struct unit *unit, const struct member *member, struct mist_error *error)
{
    struct maker *maker = &unit->encode->maker;
    const char *owner = unit->encoded && !member->fault ? unit->path : NULL;
    enum mist_status status = leave_old_place(unit, member, owner, error);
    if (!status && member->copied)
        status = maker_put_attachment(maker, member->path, (uint64_t)member->size, member->checksum, error);
    /* What went wrong for want of memory or by the machine may go right next time: no version matches "". */
    bool again = member->fault == MIST_ERROR_MEMORY || member->fault == MIST_ERROR_IO;
    if (!status && !member->lost)
        status =
            database_run(&maker->database, Q_SOURCE_PUT, error, "itiiuiittttt", maker->id, member->path, member->size,
                         member->mtime, member->checksum, member->label, member->kind, member->series, member->format,
                         owner, member->fault ? member->problem : NULL, again ? "" : MIST_RECORD_VERSION);
    return status;
}

/* What the summary says of label maps, and of what could be taken for one. */
static void count_label(const struct unit *unit)
{
    struct mist_store_report *report = unit->encode->report;
    if (!unit->encoded)
        return;
    if (*unit->why_label) {
        report->label_maps++;
        for (unsigned reason = 0; reason < MIST_LABEL_REASONS; reason++)
            report->labels_by[reason] += strcmp(mist_label_reason(reason), unit->why_label) == 0;
    } else if (unit->asked) {
        report->asked_only++;
        if (!*report->asked_only_path)
            snprintf(report->asked_only_path, sizeof report->asked_only_path, "%s", unit->path);
    } else if (unit->imported.looks_like_labels) {
        report->looks_like++;
        if (!*report->looks_like_path)
            snprintf(report->looks_like_path, sizeof report->looks_like_path, "%s", unit->path);
    } else if (unit->named) {
        report->named_only++;
        if (!*report->named_only_path)
            snprintf(report->named_only_path, sizeof report->named_only_path, "%s", unit->path);
    }
}

const char *mist_larger_reason(unsigned reason)
{
    static const char *const reasons[] = {
        "it came compressed, and levels come on top of its own bytes",
        "its source is compressed better than HTJ2K can",
        "its samples deflate better than HTJ2K codes them",
        "its samples are noise, and its source is small",
    };
    _Static_assert(sizeof reasons / sizeof *reasons == MIST_LARGER_REASONS, "one phrase for each");
    return reason < MIST_LARGER_REASONS ? reasons[reason] : NULL;
}

/* An item that takes more than what it was made of is counted, with the reason. */
static void count_larger(const struct unit *unit, uint64_t stored)
{
    struct mist_store_report *report = unit->encode->report;
    uint64_t source = 0;
    bool gzip = false;
    for (uint32_t i = 0; i < unit->count; i++)
        if (!unit->members[i].fault) {
            const char *path = unit->members[i].path;
            size_t length = strlen(path);
            source += (uint64_t)unit->members[i].size;
            gzip = gzip || (length > 3 && strcmp(path + length - 3, ".gz") == 0);
        }
    if (stored <= source + MIST_LARGER_ROOM)
        return;
    unsigned reason = unit->imported.lossy ? 0 : unit->imported.compressed ? 1 : gzip ? 2 : 3;
    report->larger++;
    report->larger_by[reason]++;
    if (!*report->larger_path)
        snprintf(report->larger_path, sizeof report->larger_path, "%s", unit->path);
}

static void count_grey(const struct unit *unit)
{
    struct mist_store_report *report = unit->encode->report;
    if (!unit->imported.grey_as_color)
        return;
    report->grey_as_color++;
    if (!*report->grey_as_color_path)
        snprintf(report->grey_as_color_path, sizeof report->grey_as_color_path, "%s", unit->path);
}

static enum mist_status record(struct unit *unit, const char *file, struct mist_error *error)
{
    struct maker *maker = &unit->encode->maker;
    mist_item *item = NULL;
    uint64_t stored = 0;
    enum mist_status status = maker_begin(maker, error);
    if (!status && unit->encoded)
        status = mist_item_open(file, &item, error);
    if (!status && unit->encoded) {
        const struct mist_item_info *info = mist_item_info(item);
        stored = info->size;
        snprintf(unit->why_label, sizeof unit->why_label, "%s", info->label ? info->label : "");
        status = maker_put_item(maker, item, unit->path, error);
    } else if (!status && !unit->attach) { /* an older version of it may be there */
        status = maker_remove(maker, MIST_CATALOG_ITEM, unit->path, error);
    }
    for (uint32_t i = 0; i < unit->count && !status; i++)
        status = record_member(unit, &unit->members[i], error);
    if (!status && unit->encoded)
        status = database_run(&maker->database, Q_SOURCE_DELETE_GONE, error, "it", maker->id, unit->path);
    mist_item_close(&item);
    if (!status)
        status = maker_commit(maker, error);
    if (status) {
        maker_rollback(maker);
        return status;
    }
    unit->encode->report->items += unit->encoded;
    unit->encode->report->stored_bytes += stored;
    count_label(unit);
    if (unit->encoded && *unit->imported.warning) {
        unit->encode->report->warnings++;
        tally_note(&unit->encode->tally, unit->path, unit->imported.warning);
    }
    if (unit->encoded) {
        count_grey(unit);
        count_larger(unit, stored);
    }
    return MIST_OK;
}

/* What goes for a whole series is said once. */
static void report_members(struct unit *unit)
{
    struct mist_store_report *report = unit->encode->report;
    const struct member *first = NULL;
    uint32_t together = 0;
    for (uint32_t i = 0; i < unit->count; i++) {
        const struct member *member = &unit->members[i];
        first = !first && member->collective ? member : first;
        together += member->collective;
        report->attachments += member->copied;
        report->source_bytes += (uint64_t)member->size;
        report->stored_bytes += member->copied ? (uint64_t)member->size : 0;
        const char *unread = unit->attach && member->copied && !member->fault ? format_unread(member->path) : NULL;
        if (unread) {
            char sentence[120];
            snprintf(sentence, sizeof sentence, "%s; kept byte for byte as an attachment", unread);
            tally_note(&unit->encode->tally, member->path, sentence);
        }
        if (member->fault && !member->collective)
            encode_fail_kept(unit->encode, member->path, member->problem, member->copied);
    }
    if (together) {
        char sentence[600];
        const char *problem = first->problem ? first->problem : "out of memory";
        if (is_pair(unit))
            snprintf(sentence, sizeof sentence, "a header and its samples that are no image: %s", problem);
        else
            snprintf(sentence, sizeof sentence, "a series of %u files that does not encode as one: %s", together,
                     problem);
        encode_fail_kept(unit->encode, unit->path, sentence, first->copied);
    }
}

enum mist_status encode_unit(void *context, uint64_t index, unsigned worker, struct mist_error *error)
{
    struct encode *encode = context;
    struct unit *unit = memory_allocate_zeroed(1, sizeof *unit);
    if (!unit)
        return error_set(error, MIST_ERROR_MEMORY, "encoding: out of memory");
    unit->encode = encode;
    unit->worker = worker;
    char *file = NULL;
    pthread_mutex_lock(&encode->maker.lock);
    enum mist_status status = load(unit, index + 1, error);
    pthread_mutex_unlock(&encode->maker.lock);
    if (encode->unpacking.count) {
        unpack_take_turn(encode, index);
        if (!status)
            status = unpack_unit(unit, error);
        unpack_end_turn(encode);
    }
    if (!status && !(file = maker_path(&encode->maker, MIST_CATALOG_ITEM, unit->path)))
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", unit->path);
    if (!status && !unit->attach)
        status = encode_members(unit, file, error);
    for (uint32_t i = 0; i < unit->count && !status; i++)
        if (unit->attach || unit->members[i].fault)
            status = keep_bytes(unit, &unit->members[i], error);
    if (!status) {
        pthread_mutex_lock(&encode->maker.lock);
        status = record(unit, file, error);
        if (!status)
            report_members(unit);
        encode->units_finished++;
        pthread_mutex_unlock(&encode->maker.lock);
    }
    if (!status)
        status = tally_add(&encode->tally, worker, unit->bytes, unit->path, error);
    memory_free(file);
    unit_free(unit);
    return status;
}
