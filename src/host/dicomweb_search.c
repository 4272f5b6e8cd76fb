/* SPDX-License-Identifier: BSD-2-Clause */
/* QIDO-RS (PS3.18, 10.6): what the index finds, as an array of DICOM JSON objects. */
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "host/access.h"
#include "host/dicomweb.h"
#include "host/reply.h"
#include "host/resolution.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_LIMIT = 10000, MAX_LIMIT = 100000 };
static const size_t MAX_ANSWER = (size_t)64 << 20; /* bytes: then it ends as with a limit */

struct results {
    const struct dicomweb_target *target;
    struct mist_buffer text;
    struct mist_buffer scratch;
    uint64_t rows, limit;
    bool more;
};

static enum mist_status out_of_memory(struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "an answer: out of memory");
}

/* ---- one row: members of several objects, in order ---- */

/* A member, "TAG": {...}, where it stands: text[start, end). */
struct member {
    uint32_t tag;
    unsigned rank; /* of equal tags the lowest counts */
    const char *start, *end;
};
enum { MAX_MEMBERS = 3 * (int)DICOM_KEYS_MAX + 16 };

static int compare_members(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    if (x->tag != y->tag)
        return x->tag < y->tag ? -1 : 1;
    return x->rank < y->rank ? -1 : x->rank > y->rank;
}

static void add_members(const char *object, unsigned rank, struct member *members, size_t *count)
{
    struct json_reader reader = json_start(object, strlen(object));
    char key[16];
    if (!json_enter_object(&reader))
        return;
    while (json_key(&reader, key, sizeof key) && *count < MAX_MEMBERS) {
        while (*reader.at == ' ')
            reader.at++;
        const char *start = reader.at;
        json_skip(&reader);
        if (!reader.failed && strlen(key) == 8)
            members[(*count)++] = (struct member){(uint32_t)strtoul(key, NULL, 16), rank, start, reader.at};
    }
}

static bool put_object(const struct member *members, size_t count, struct mist_buffer *out)
{
    bool good = json_put(out, "{"), first = true;
    for (size_t i = 0; i < count && good; i++) {
        if (i > 0 && members[i].tag == members[i - 1].tag)
            continue;
        good = json_put(out, "%s\"%08" PRIX32 "\":", first ? "" : ",", members[i].tag) &&
               buffer_append(out, members[i].start, (size_t)(members[i].end - members[i].start));
        first = false;
    }
    return good && json_put(out, "}");
}

/* ---- what the index itself knows ---- */

static bool put_modalities(const char *list, struct mist_buffer *out)
{
    bool good = json_put(out, ",\"%08X\":{\"vr\":\"CS\",\"Value\":[", TAG_MODALITIES_IN_STUDY);
    for (const char *at = list; *at && good;) {
        char one[64];
        const size_t length = strcspn(at, ",");
        snprintf(one, sizeof one, "%.*s", (int)(length < 63 ? length : 63), at);
        good = json_put(out, at == list ? "" : ",") && json_put_string(out, one);
        at += length + (at[length] == ',');
    }
    return good && json_put(out, "]}");
}

static bool put_computed(const struct dicomweb_target *target, const struct dicom_found *found, struct mist_buffer *out)
{
    out->size = 0;
    bool good = json_put(out, "{\"%08X\":{\"vr\":\"CS\",\"Value\":[\"ONLINE\"]},\"%08X\":{\"vr\":\"UR\",\"Value\":[\"",
                         TAG_INSTANCE_AVAILABILITY, TAG_RETRIEVE_URL) &&
                dicomweb_put_url(target, found->study, found->series, found->sop, out) && json_put(out, "\"]}");
    if (good && target->level == DICOM_STUDY)
        good = json_put(out,
                        ",\"%08X\":{\"vr\":\"IS\",\"Value\":[%" PRIu64 "]},\"%08X\":{\"vr\":\"IS\",\"Value\":[%" PRIu64
                        "]}",
                        TAG_SERIES_IN_STUDY, found->series_count, TAG_INSTANCES_IN_STUDY, found->instances) &&
               (!found->modalities || put_modalities(found->modalities, out));
    if (good && target->level == DICOM_SERIES)
        good = json_put(out, ",\"%08X\":{\"vr\":\"IS\",\"Value\":[%" PRIu64 "]}", TAG_INSTANCES_IN_SERIES,
                        found->instances);
    return good && json_put(out, "}") && buffer_append_zeros(out, 1);
}

/* Of levels above that the path names, only the identifiers are told again. */
static void keep_identifiers(struct member *members, size_t first, size_t *count)
{
    size_t kept = first;
    for (size_t i = first; i < *count; i++)
        if (members[i].tag == TAG_STUDY || members[i].tag == TAG_SERIES)
            members[kept++] = members[i];
    *count = kept;
}

static enum mist_status add_row(void *context, const struct dicom_found *found, struct mist_error *error)
{
    struct results *results = context;
    struct member members[MAX_MEMBERS];
    size_t count = 0;
    if (results->rows == results->limit || results->text.size > MAX_ANSWER) {
        results->more = true;
        return error_set(error, MIST_ERROR_CANCELLED, "enough");
    }
    if (!put_computed(results->target, found, &results->scratch))
        return out_of_memory(error);
    add_members((const char *)results->scratch.data, 0, members, &count);
    const char *const objects[] = {found->study_attributes, found->series_attributes, found->attributes};
    for (unsigned level = 0; level <= (unsigned)results->target->level; level++) {
        const size_t first = count;
        const bool named = level == DICOM_STUDY ? results->target->study != NULL : results->target->series != NULL;
        if (objects[level])
            add_members(objects[level], level + 1, members, &count);
        if (level < (unsigned)results->target->level && named)
            keep_identifiers(members, first, &count);
    }
    qsort(members, count, sizeof *members, compare_members);
    if (!json_put(&results->text, results->rows++ ? ",\n" : "\n") || !put_object(members, count, &results->text))
        return out_of_memory(error);
    return MIST_OK;
}

/* ---- the request ---- */

/* Whether a parameter's name is meant as an attribute: eight digits, or a keyword. */
static bool looks_like_attribute(const char *name)
{
    size_t digits = 0;
    while (hex_value(name[digits]) >= 0)
        digits++;
    return (digits == 8 && name[8] == '\0') || (name[0] >= 'A' && name[0] <= 'Z');
}

struct reading {
    struct dicom_match match[TARGET_MAX_PARAMETERS + 2];
    struct dicom_query query;
    char ignored[200]; /* names of attributes that are not looked at */
};

static void ignore(struct reading *reading, const char *name)
{
    const size_t used = strlen(reading->ignored);
    char clean[64];
    size_t length = 0;
    for (; name[length] && length < sizeof clean - 1; length++)
        clean[length] = (char)(name[length] > ' ' && name[length] < 127 && name[length] != '"' && name[length] != '\\'
                                   ? name[length]
                                   : '?');
    clean[length] = '\0';
    if (used + length + 3 < sizeof reading->ignored)
        snprintf(reading->ignored + used, sizeof reading->ignored - used, "%s%s", used ? ", " : "", clean);
}

/* False if it was answered. */
static bool read_parameters(struct request *request, const struct dicomweb_target *target, struct reading *reading,
                            uint64_t *limit)
{
    const struct target *given = &request->target;
    struct dicom_query *query = &reading->query;
    if (!access_find_hidden(request))
        return false;
    *query = (struct dicom_query){.level = target->level,
                                  .dataset = target->dataset,
                                  .hidden = request->hidden.name,
                                  .hidden_count = request->hidden.count,
                                  .match = reading->match};
    *limit = DEFAULT_LIMIT;
    if (target->study)
        reading->match[query->matches++] = (struct dicom_match){dicom_key_of_tag(TAG_STUDY), target->study};
    if (target->series)
        reading->match[query->matches++] = (struct dicom_match){dicom_key_of_tag(TAG_SERIES), target->series};
    for (unsigned i = 0; i < given->parameters; i++) {
        const char *name = given->parameter[i].name, *value = given->parameter[i].value;
        const struct dicom_key *key = dicom_key_find(name);
        uint64_t *number = strcmp(name, "limit") == 0 ? limit : strcmp(name, "offset") == 0 ? &query->offset : NULL;
        if (number && !parse_unsigned(value, UINT32_MAX, number)) {
            reply_error(request, MHD_HTTP_BAD_REQUEST, "%s is a whole number", name);
            return false;
        }
        const bool usable =
            key && key->level <= target->level && (!key->computed || key->tag == TAG_MODALITIES_IN_STUDY);
        if (usable)
            reading->match[query->matches++] = (struct dicom_match){key, value};
        else if (!number && value[0] && looks_like_attribute(name))
            ignore(reading, name);
    }
    *limit = *limit < MAX_LIMIT ? *limit : MAX_LIMIT;
    query->limit = *limit + 1;
    return true;
}

static void add_warning(struct request *request, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add_warning(struct request *request, const char *format, ...)
{
    char text[320];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (request->response)
        MHD_add_response_header(request->response, "Warning", text);
}

void dicomweb_search(struct request *request, struct worker *worker, const struct dicomweb_target *target)
{
    struct mist_error error = {0};
    struct results results = {.target = target};
    struct reading *reading = memory_allocate_zeroed(1, sizeof *reading);
    (void)worker;
    if (!reading) {
        reply_failure(request, &(struct mist_error){MIST_ERROR_MEMORY, "a search: out of memory"});
        return;
    }
    if (!read_parameters(request, target, reading, &results.limit)) {
        memory_free(reading);
        return;
    }
    enum mist_status status = json_put(&results.text, "[") ? MIST_OK : out_of_memory(&error);
    if (!status)
        status = dicom_search_store(request->host->store, &reading->query, add_row, &results, &error);
    if (status == MIST_ERROR_CANCELLED && results.more)
        status = MIST_OK;
    if (!status && !json_put(&results.text, "]\n"))
        status = out_of_memory(&error);
    if (status)
        reply_failure(request, &error);
    else
        reply_text(request, "application/dicom+json", &results.text);
    if (!status && results.more)
        add_warning(request, "299 mist \"there are more results than these %" PRIu64 "; ask for them by offset\"",
                    results.rows);
    if (!status && reading->ignored[0])
        add_warning(request, "299 mist \"not searched by: %s\"", reading->ignored);
    mist_buffer_free(&results.text);
    mist_buffer_free(&results.scratch);
    memory_free(reading);
}
