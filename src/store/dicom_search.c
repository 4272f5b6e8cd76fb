/* SPDX-License-Identifier: BSD-2-Clause */
/* Conditions as SQL over dicom_item (i), dicom_instance (n) and dataset (d). Values are bound, never written. */
#include "store/dicom_search.h"

#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "store/opened.h"

#include <inttypes.h>
#include <string.h>

struct search {
    const struct dicom_query *query;
    struct mist_buffer sql;
    struct mist_buffer values; /* texts with their NULs */
    size_t *value;             /* [DICOM_SEARCH_VALUES] offsets in `values` */
    size_t count;
    bool starved;
};

static enum mist_status out_of_memory(struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "a search: out of memory");
}

#define PUT(search, ...) ((search)->starved = (search)->starved || !json_put(&(search)->sql, __VA_ARGS__))

/* Binds a text: "?N" stands for it. 0: there are too many. */
static size_t bind_text(struct search *search, const char *text, size_t length)
{
    if (search->count == DICOM_SEARCH_VALUES)
        return 0;
    search->value[search->count] = search->values.size;
    search->starved =
        search->starved || !buffer_append(&search->values, text, length) || !buffer_append_zeros(&search->values, 1);
    return ++search->count;
}

static enum mist_status too_many(struct mist_error *error)
{
    return error_set(error, MIST_ERROR_ARGUMENT, "a search has more than %u values", DICOM_SEARCH_VALUES);
}

/* ---- the attribute's value in SQL ---- */

static void put_value(struct search *search, const struct dicom_key *key)
{
    static const char *const objects[] = {"i.study_attributes", "i.series_attributes", "n.attributes"};
    if (key->tag == TAG_STUDY)
        PUT(search, "i.study");
    else if (key->tag == TAG_SERIES)
        PUT(search, "i.series");
    else if (key->tag == TAG_SOP_INSTANCE)
        PUT(search, "n.sop");
    else if (key->tag == TAG_PATIENT_ID)
        PUT(search, "i.patient");
    else if (key->tag == TAG_MODALITY || key->tag == TAG_MODALITIES_IN_STUDY)
        PUT(search, "i.modality");
    else
        PUT(search, "json_extract(%s, '$.\"%08" PRIX32 "\".Value[0]%s')", objects[key->level], key->tag,
            key->matching == MATCH_PERSON ? ".Alphabetic" : "");
}

/* ---- conditions ---- */

static enum mist_status put_uids(struct search *search, const struct dicom_match *match, struct mist_error *error)
{
    PUT(search, " AND ");
    put_value(search, match->key);
    PUT(search, " IN (");
    bool first = true;
    for (const char *at = match->value; *at;) {
        size_t length = strcspn(at, ",\\"), number;
        if (length) {
            if (!(number = bind_text(search, at, length)))
                return too_many(error);
            PUT(search, "%s?%zu", first ? "" : ",", number);
            first = false;
        }
        at += length + (at[length] != '\0');
    }
    PUT(search, ")");
    return MIST_OK;
}

/* Of "A-B", its beginnings compared: so a time of "10" is all of that hour. */
static enum mist_status put_range(struct search *search, const struct dicom_match *match, struct mist_error *error)
{
    const char *dash = strchr(match->value, '-');
    const struct {
        const char *text, *compare;
        size_t length;
    } ends[] = {
        {match->value, dash ? ">=" : "=", dash ? (size_t)(dash - match->value) : strlen(match->value)},
        {dash ? dash + 1 : "", "<=", dash ? strlen(dash + 1) : 0},
    };
    for (unsigned i = 0; i < 2; i++) {
        size_t number;
        if (!ends[i].length)
            continue;
        if (!(number = bind_text(search, ends[i].text, ends[i].length)))
            return too_many(error);
        PUT(search, " AND substr(");
        put_value(search, match->key);
        PUT(search, ", 1, length(?%zu)) %s ?%zu", number, ends[i].compare, number);
    }
    return MIST_OK;
}

static enum mist_status put_number(struct search *search, const struct dicom_match *match, struct mist_error *error)
{
    size_t number = bind_text(search, match->value, strlen(match->value));
    if (!number)
        return too_many(error);
    PUT(search, " AND CAST(");
    put_value(search, match->key);
    PUT(search, " AS REAL) = CAST(?%zu AS REAL)", number);
    return MIST_OK;
}

/* A pattern of GLOB: '*' and '?' are as DICOM has them, '[' is none of its own. Several '*' together are one. */
static enum mist_status make_pattern(const char *value, struct mist_buffer *out, struct mist_error *error)
{
    unsigned wildcards = 0;
    bool good = true;
    for (const char *at = value; *at && good; at++) {
        if (*at == '*' && at[1] == '*')
            continue;
        if (*at == '*' && ++wildcards > DICOM_SEARCH_WILDCARDS)
            return error_set(error, MIST_ERROR_ARGUMENT, "'%.64s' has more than %u wildcards", value,
                             DICOM_SEARCH_WILDCARDS);
        good = *at == '[' ? buffer_append(out, "[[]", 3) : buffer_append(out, at, 1);
    }
    return good ? MIST_OK : out_of_memory(error);
}

/* Large and small letters are alike, as people search; PS3.4 leaves that to the archive for names. */
static enum mist_status put_text(struct search *search, const struct dicom_match *match, struct mist_error *error)
{
    const bool pattern = strpbrk(match->value, "*?") != NULL, person = match->key->matching == MATCH_PERSON;
    struct mist_buffer text = {0};
    enum mist_status status = MIST_OK;
    if (pattern)
        status = make_pattern(match->value, &text, error);
    else if (!buffer_append(&text, match->value, strlen(match->value)))
        status = out_of_memory(error);
    size_t number = status ? 0 : bind_text(search, (const char *)text.data, text.size);
    if (!status && !number)
        status = too_many(error);
    mist_buffer_free(&text);
    if (status)
        return status;
    PUT(search, person && !pattern ? " AND rtrim(lower(" : " AND (lower(");
    put_value(search, match->key);
    if (pattern)
        PUT(search, ")) GLOB lower(?%zu)", number);
    else if (person) /* components that are missing are empty */
        PUT(search, "), '^') = rtrim(lower(?%zu), '^')", number);
    else
        PUT(search, ")) = lower(?%zu)", number);
    return MIST_OK;
}

static bool is_condition(const struct search *search, const struct dicom_match *match)
{
    const bool has_value = !match->key->computed || match->key->tag == TAG_MODALITIES_IN_STUDY;
    return has_value && match->key->level <= search->query->level && match->value[0] != '\0' &&
           strcmp(match->value, "*") != 0;
}

/* " AND ..." for each. */
static enum mist_status put_conditions(struct search *search, struct mist_error *error)
{
    enum mist_status status = MIST_OK;
    for (size_t i = 0; i < search->query->matches && !status; i++) {
        const struct dicom_match *match = &search->query->match[i];
        if (!is_condition(search, match))
            continue;
        if (match->key->matching == MATCH_UIDS)
            status = put_uids(search, match, error);
        else if (match->key->matching == MATCH_DATE)
            status = put_range(search, match, error);
        else if (match->key->matching == MATCH_NUMBER)
            status = put_number(search, match, error);
        else
            status = put_text(search, match, error);
    }
    return status;
}

/* ---- the whole ---- */

static const char study_columns[] =
    "SELECT d.name, i.path, i.study, NULL, NULL, 0, i.study_attributes, NULL, NULL, group_concat(DISTINCT i.modality),"
    " count(DISTINCT i.series), ";
static const char series_columns[] =
    "SELECT d.name, i.path, i.study, i.series, NULL, 0, i.study_attributes, i.series_attributes, NULL, NULL, 0, ";
static const char instance_columns[] = "SELECT d.name, i.path, i.study, i.series, n.sop, n.file, i.study_attributes,"
                                       " i.series_attributes, n.attributes, NULL, 0, 0";

/* Which datasets the rows of `alias` may be of. */
static enum mist_status put_dataset(struct search *search, char alias, struct mist_error *error)
{
    const struct dicom_query *query = search->query;
    for (size_t i = 0; i < query->hidden_count + (query->dataset != NULL); i++) {
        const bool hidden = i < query->hidden_count;
        const char *name = hidden ? query->hidden[i] : query->dataset;
        size_t number = bind_text(search, name, strlen(name));
        if (!number)
            return too_many(error);
        /* A name that no dataset has hides nothing: not NULL, of which nothing is known. */
        PUT(search, " AND %c.dataset %s ifnull((SELECT id FROM dataset WHERE name = ?%zu), -1)", alias,
            hidden ? "<>" : "=", number);
    }
    return MIST_OK;
}

/*
 * How many instances there are in the datasets that are searched, each counted once. Items know how many they have;
 * only where several are of one series, be it that datasets have the same one, their instances are compared.
 */
static enum mist_status put_count(struct search *search, struct mist_error *error)
{
    const bool study = search->query->level == DICOM_STUDY;
    PUT(search,
        "CASE WHEN count(*) = count(DISTINCT i.series) THEN sum(i.instances) ELSE (SELECT count(DISTINCT m.sop)"
        " FROM dicom_item k JOIN dicom_instance m ON m.item = k.id WHERE k.study = i.study%s",
        study ? "" : " AND k.series = i.series");
    enum mist_status status = put_dataset(search, 'k', error);
    PUT(search, ") END, ");
    return status;
}

/* Studies and series: all rows of those of which one matches, so that what is counted is all that they have. */
static enum mist_status put_groups(struct search *search, struct mist_error *error)
{
    const bool study = search->query->level == DICOM_STUDY;
    const char *of = study ? "i.study" : "i.study, i.series";
    PUT(search, "%s", study ? study_columns : series_columns);
    enum mist_status status = put_count(search, error);
    /* min() is last: of a group SQLite then gives the columns of that row. */
    PUT(search,
        "min(d.name || '/' || i.path) FROM dicom_item i JOIN dataset d ON d.id = i.dataset WHERE (%s) IN"
        " (SELECT %s FROM dicom_item i WHERE 1",
        of, of);
    if (!status)
        status = put_dataset(search, 'i', error);
    if (!status)
        status = put_conditions(search, error);
    PUT(search, ")");
    if (!status)
        status = put_dataset(search, 'i', error);
    PUT(search, " GROUP BY %s ORDER BY %s", of, of);
    return status;
}

/* An instance that is there several times, in one dataset or in several, is the first of these. */
static enum mist_status put_instances(struct search *search, struct mist_error *error)
{
    PUT(search,
        "%s FROM dicom_item i JOIN dicom_instance n ON n.item = i.id JOIN dataset d ON d.id = i.dataset WHERE 1",
        instance_columns);
    enum mist_status status = put_dataset(search, 'i', error);
    if (!status)
        status = put_conditions(search, error);
    PUT(search,
        " AND NOT EXISTS (SELECT 1 FROM dicom_instance m JOIN dicom_item k ON k.id = m.item JOIN dataset e ON e.id ="
        " k.dataset WHERE m.sop = n.sop AND k.study = i.study AND k.series = i.series");
    if (!status)
        status = put_dataset(search, 'k', error);
    PUT(search, " AND (e.name, k.path, m.file) < (d.name, i.path, n.file))");
    PUT(search, " ORDER BY i.study, i.series, d.name, i.path, n.file");
    return status;
}

static enum mist_status make_sql(struct search *search, struct mist_error *error)
{
    const struct dicom_query *query = search->query;
    enum mist_status status = query->level == DICOM_INSTANCE ? put_instances(search, error) : put_groups(search, error);
    const int64_t limit = query->limit > INT64_MAX ? INT64_MAX : (int64_t)query->limit;
    const int64_t offset = query->offset > INT64_MAX ? INT64_MAX : (int64_t)query->offset;
    PUT(search, " LIMIT %" PRId64 " OFFSET %" PRId64, limit, offset);
    search->starved = search->starved || !buffer_append_zeros(&search->sql, 1);
    return !status && search->starved ? out_of_memory(error) : status;
}

static enum mist_status visit_row(sqlite3_stmt *row, dicom_visit *visit, void *context, struct mist_error *error)
{
    const struct dicom_found found = {
        .dataset = column_text(row, 0),
        .item = column_text(row, 1),
        .study = column_text(row, 2),
        .series = column_text(row, 3),
        .sop = column_text(row, 4),
        .file = (uint32_t)sqlite3_column_int64(row, 5),
        .study_attributes = column_text(row, 6),
        .series_attributes = column_text(row, 7),
        .attributes = column_text(row, 8),
        .modalities = column_text(row, 9),
        .series_count = (uint64_t)sqlite3_column_int64(row, 10),
        .instances = (uint64_t)sqlite3_column_int64(row, 11),
    };
    return visit(context, &found, error);
}

/* The lock is held. */
static enum mist_status run(mist_store *store, const struct search *search, dicom_visit *visit, void *context,
                            struct mist_error *error)
{
    sqlite3 *handle = store->database.handle;
    sqlite3_stmt *rows = NULL;
    enum mist_status status = MIST_OK;
    bool good = sqlite3_prepare_v2(handle, (const char *)search->sql.data, -1, &rows, NULL) == SQLITE_OK;
    for (size_t i = 0; good && i < search->count; i++)
        good = sqlite3_bind_text(rows, (int)i + 1, (const char *)search->values.data + search->value[i], -1,
                                 SQLITE_STATIC) == SQLITE_OK;
    bool row = true;
    if (!good)
        status = error_set(error, MIST_ERROR_IO, "%s: %s", store->database.path, sqlite3_errmsg(handle));
    while (!status && row) {
        status = database_step(&store->database, rows, &row, error);
        if (!status && row)
            status = visit_row(rows, visit, context, error);
    }
    sqlite3_finalize(rows);
    return status;
}

enum mist_status dicom_search_store(mist_store *store, const struct dicom_query *query, dicom_visit *visit,
                                    void *context, struct mist_error *error)
{
    struct search search = {.query = query, .value = memory_allocate_array(DICOM_SEARCH_VALUES, sizeof *search.value)};
    enum mist_status status = search.value ? make_sql(&search, error) : out_of_memory(error);
    if (!status && !(status = store_enter(store, error))) {
        status = run(store, &search, visit, context, error);
        store_leave(store);
    }
    mist_buffer_free(&search.sql);
    mist_buffer_free(&search.values);
    memory_free(search.value);
    return status;
}
