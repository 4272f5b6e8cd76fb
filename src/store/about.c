/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/about.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "source/card.h"

#include <string.h>
#include <unistd.h>

void about_free(struct about *about)
{
    mist_buffer_free(&about->text);
    *about = (struct about){0};
}

static char *about_path(const struct maker *maker, struct mist_error *error)
{
    char *path = path_join(maker->directory, "about.json");
    if (!path)
        error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", maker->directory);
    return path;
}

/* ---- reading ---- */

static void read_tables(struct json_reader *json, struct about *about, size_t *offsets)
{
    json_enter_array(json);
    while (json_element(json)) {
        size_t length;
        if (about->table_count == ABOUT_MAX_TABLES) {
            json->failed = true;
            return;
        }
        json_text(json, &about->text, &offsets[about->table_count++], &length);
    }
}

static bool parse(struct about *about, const struct mist_buffer *text)
{
    size_t offsets[ABOUT_MAX_TABLES];
    char key[16];
    struct json_reader json = json_start((const char *)text->data, text->size);
    json_enter_object(&json);
    while (json_key(&json, key, sizeof key)) {
        if (strcmp(key, "tables") == 0 && about->table_count == 0)
            read_tables(&json, about, offsets);
        else if (strcmp(key, "card") == 0)
            card_read(&json, &about->card);
        else
            json_skip(&json);
    }
    for (uint32_t i = 0; i < about->table_count && !json.failed; i++)
        about->tables[i] = (const char *)about->text.data + offsets[i];
    return json_finished(&json);
}

enum mist_status about_read(const struct maker *maker, struct about *about, struct mist_error *error)
{
    enum { MOST = 1 << 20 };
    struct mist_buffer text = {0};
    enum mist_status status = MIST_OK;
    char *path = about_path(maker, error);
    if (!path)
        return MIST_ERROR_MEMORY;
    if (access(path, F_OK) == 0) {
        status = file_read(path, MOST, &text, error);
        if (!status && !parse(about, &text))
            status = error_set(error, MIST_ERROR_CORRUPT, "%s: damaged; remove it and give its options again", path);
    }
    mist_buffer_free(&text);
    memory_free(path);
    return status;
}

/* ---- writing ---- */

static bool put(const struct about *about, struct mist_buffer *out)
{
    const bool card = !card_is_empty(&about->card);
    bool good = json_put(out, "{");
    if (about->table_count)
        good = good && json_put(out, "\"tables\":[");
    for (uint32_t i = 0; i < about->table_count && good; i++)
        good = json_put(out, "%s", i ? "," : "") && json_put_string(out, about->tables[i]);
    good = good && json_put(out, "%s", about->table_count ? "]" : "");
    if (good && card)
        good = json_put(out, "%s\"card\":", about->table_count ? "," : "") && card_write(&about->card, out);
    return good && json_put(out, "}\n");
}

/* What the options say in place of what was said before. */
static void merge_card(const struct mist_store_encode_options *options, struct mist_dataset_card *card)
{
    const struct mist_dataset_card *said = options->card;
#define MERGE(member) (*said->member ? CARD_SET(card->member, said->member, strlen(said->member)) : (void)0)
    if (!said)
        return;
    MERGE(title);
    MERGE(version);
    MERGE(licence);
    MERGE(citation);
    MERGE(description);
#undef MERGE
}

static bool same(const struct about *about, const struct mist_store_encode_options *options,
                 const struct mist_dataset_card *card)
{
    bool equal = options->table_count == 0 || options->table_count == about->table_count;
    for (uint32_t i = 0; equal && i < options->table_count; i++)
        equal = strcmp(options->tables[i], about->tables[i]) == 0;
    return equal && card_same(&about->card, card);
}

enum mist_status about_update(const struct maker *maker, const struct mist_store_encode_options *options,
                              struct about *about, bool *changed, struct mist_error *error)
{
    struct mist_buffer text = {0};
    enum mist_status status = about_read(maker, about, error);
    struct mist_dataset_card card = about->card;
    merge_card(options, &card);
    *changed = false;
    if (status || same(about, options, &card))
        return status;
    about->card = card;
    if (options->table_count > ABOUT_MAX_TABLES)
        return error_set(error, MIST_ERROR_ARGUMENT, "more than %d tables", ABOUT_MAX_TABLES);
    if (options->table_count)
        about->table_count = options->table_count;
    for (uint32_t i = 0; i < options->table_count; i++)
        about->tables[i] = options->tables[i];
    char *path = about_path(maker, error);
    if (!path)
        return MIST_ERROR_MEMORY;
    *changed = true;
    status = put(about, &text) ? file_write_whole(path, text.data, text.size, error)
                               : error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", path);
    mist_buffer_free(&text);
    memory_free(path);
    return status;
}
