/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/describe.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "source/card.h"

#include <string.h>
#include <strings.h>

enum { MOST_BYTES = 1 << 20 };

#define FILL(member, text, size)              \
    do {                                      \
        if (!*(member))                       \
            CARD_SET(member, (text), (size)); \
    } while (0)

/* ---- JSON ---- */

/* A text, or the first one of an array of texts; "" of all else. *length is that of what is at *offset in `out`. */
static void take_text(struct json_reader *json, struct mist_buffer *out, size_t *offset, size_t *length)
{
    *offset = out->size;
    *length = 0;
    while (json->at < json->end && strchr(" \t\r\n", *json->at))
        json->at++;
    if (json->at < json->end && *json->at == '"') {
        json_text(json, out, offset, length);
    } else if (json->at < json->end && *json->at == '[') {
        struct json_reader inside = *json;
        json_enter_array(&inside);
        if (json_element(&inside) && inside.at < inside.end && *inside.at == '"')
            json_text(&inside, out, offset, length);
        json_skip(json);
    } else {
        json_skip(json);
    }
}

static void take_json(struct mist_dataset_card *card, const char *text, size_t size)
{
    struct json_reader json = json_start(text, size);
    struct mist_buffer value = {0};
    struct mist_dataset_card found = {.title = ""};
    char key[32];
    json_enter_object(&json);
    while (json_key(&json, key, sizeof key)) {
        size_t offset, length;
        value.size = 0;
        take_text(&json, &value, &offset, &length);
        const char *said = length ? (const char *)value.data + offset : "";
        if (strcasecmp(key, "name") == 0)
            FILL(found.title, said, length);
        else if (strcasecmp(key, "license") == 0 || strcasecmp(key, "licence") == 0)
            FILL(found.licence, said, length);
        else if (strcmp(key, "reference") == 0 || strcmp(key, "HowToAcknowledge") == 0)
            CARD_SET(found.citation, said, length);
        else if (strcmp(key, "ReferencesAndLinks") == 0 || strcmp(key, "DatasetDOI") == 0)
            FILL(found.citation, said, length);
        else if (strcmp(key, "release") == 0 || strcmp(key, "DatasetVersion") == 0)
            FILL(found.version, said, length);
        else if (strcasecmp(key, "description") == 0)
            FILL(found.description, said, length);
    }
    if (json_finished(&json)) {
        FILL(card->title, found.title, strlen(found.title));
        FILL(card->licence, found.licence, strlen(found.licence));
        FILL(card->citation, found.citation, strlen(found.citation));
        FILL(card->version, found.version, strlen(found.version));
        FILL(card->description, found.description, strlen(found.description));
    }
    mist_buffer_free(&value);
}

/* ---- text ---- */

/* The next line without its end; its length. *at moves behind it; false at the end. */
static bool next_line(const char *text, size_t size, size_t *at, const char **line, size_t *length)
{
    if (*at >= size)
        return false;
    *line = text + *at;
    const char *end = memchr(*line, '\n', size - *at);
    *length = end ? (size_t)(end - *line) : size - *at;
    *at += *length + 1;
    while (*length && ((*line)[*length - 1] == '\r' || (*line)[*length - 1] == ' '))
        --*length;
    return true;
}

/* CITATION.cff (https://citation-file-format.github.io): the values at its top level that are on one line. */
static void take_cff(struct mist_dataset_card *card, const char *text, size_t size)
{
    char title[300] = "", doi[100] = "", version[64] = "", licence[256] = "";
    const char *line;
    size_t length;
    for (size_t at = 0; next_line(text, size, &at, &line, &length);) {
        const char *colon = memchr(line, ':', length);
        if (!colon)
            continue;
        const char *value = colon + 1, *end = line + length;
        while (value < end && (*value == ' ' || *value == '"' || *value == '\''))
            value++;
        while (end > value && (end[-1] == '"' || end[-1] == '\''))
            end--;
        const size_t key = (size_t)(colon - line);
        if (key == 5 && memcmp(line, "title", 5) == 0)
            CARD_SET(title, value, (size_t)(end - value));
        else if (key == 3 && memcmp(line, "doi", 3) == 0)
            CARD_SET(doi, value, (size_t)(end - value));
        else if (key == 7 && memcmp(line, "version", 7) == 0)
            CARD_SET(version, value, (size_t)(end - value));
        else if (key == 7 && memcmp(line, "license", 7) == 0)
            CARD_SET(licence, value, (size_t)(end - value));
    }
    char citation[sizeof title + sizeof doi + 8];
    snprintf(citation, sizeof citation, "%s%s%s", title, *title && *doi ? ". " : "", doi);
    FILL(card->title, title, strlen(title));
    FILL(card->citation, citation, strlen(citation));
    FILL(card->version, version, strlen(version));
    FILL(card->licence, licence, strlen(licence));
}

static bool is_heading(const char *line, size_t length)
{
    return length > 0 && (*line == '#' || *line == '=' || *line == '-' || *line == '*' || *line == '!' ||
                          *line == '[' || *line == '<');
}

/* The first line that says something, without the marks of a heading. */
static void take_line(char *member, size_t capacity, const char *text, size_t size)
{
    const char *line;
    size_t length;
    for (size_t at = 0; !*member && next_line(text, size, &at, &line, &length);) {
        while (length && strchr("#=*-> ", *line)) {
            line++;
            length--;
        }
        card_set(member, capacity, line, length);
    }
}

/* The first paragraph that is no heading, badge or rule. */
static void take_paragraph(char *member, size_t capacity, const char *text, size_t size)
{
    const char *line, *start = NULL;
    size_t length, end = 0;
    for (size_t at = 0, before = 0; next_line(text, size, &at, &line, &length); before = at) {
        if (start && (length == 0 || is_heading(line, length)))
            break;
        if (!start && length > 0 && !is_heading(line, length))
            start = text + before;
        end = (size_t)(line + length - text);
    }
    if (start)
        card_set(member, capacity, start, (size_t)(text + end - start));
}

static void take_readme(struct mist_dataset_card *card, const char *text, size_t size)
{
    if (!*card->title && size > 2 && text[0] == '#' && text[1] == ' ')
        take_line(card->title, sizeof card->title, text, size);
    if (!*card->description)
        take_paragraph(card->description, sizeof card->description, text, size);
}

static void take_licence(struct mist_dataset_card *card, const char *text, size_t size)
{
    if (!*card->licence)
        take_line(card->licence, sizeof card->licence, text, size);
}

static void take_citation(struct mist_dataset_card *card, const char *text, size_t size)
{
    if (!*card->citation)
        take_paragraph(card->citation, sizeof card->citation, text, size);
}

/* ---- the files ---- */

static enum mist_status look_into(struct maker *maker, const char *name,
                                  void (*take)(struct mist_dataset_card *, const char *, size_t),
                                  struct mist_dataset_card *card, struct mist_error *error)
{
    int64_t there = 0;
    enum mist_status status =
        database_number(&maker->database, Q_ATTACHMENT_EXISTS, &there, error, "it", maker->id, name);
    if (status || !there)
        return status;
    struct mist_buffer text = {0};
    char *path = maker_path(maker, MIST_CATALOG_ATTACHMENT, name);
    if (!path)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", name);
    if (file_read(path, MOST_BYTES, &text, NULL) == MIST_OK && text.size)
        take(card, (const char *)text.data, text.size);
    memory_free(path);
    mist_buffer_free(&text);
    return MIST_OK;
}

enum mist_status describe_dataset(struct maker *maker, struct mist_dataset_card *card, struct mist_error *error)
{
    static const struct {
        const char *name;
        void (*take)(struct mist_dataset_card *card, const char *text, size_t size);
    } files[] = {
        {"dataset_description.json", take_json},
        {"dataset.json", take_json},
        {"CITATION.cff", take_cff},
        {"CITATION", take_citation},
        {"CITATION.txt", take_citation},
        {"CITATION.md", take_citation},
        {"LICENSE", take_licence},
        {"LICENSE.txt", take_licence},
        {"LICENSE.md", take_licence},
        {"LICENCE", take_licence},
        {"LICENCE.txt", take_licence},
        {"COPYING", take_licence},
        {"README", take_readme},
        {"README.md", take_readme},
        {"README.txt", take_readme},
    };
    enum mist_status status = MIST_OK;
    for (size_t i = 0; i < sizeof files / sizeof *files && !status; i++)
        status = look_into(maker, files[i].name, files[i].take, card, error);
    return status;
}
