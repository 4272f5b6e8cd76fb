/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/labels.h"

#include "base/json.h"
#include "source/naming.h"

#include <ctype.h>
#include <fnmatch.h>
#include <string.h>

const char *label_reason(enum label_said said)
{
    return said == LABEL_NAMED    ? "name"
           : said == LABEL_LISTED ? "dataset.json"
           : said == LABEL_OPTION ? "option"
                                  : NULL;
}

const char *mist_label_reason(unsigned reason)
{
    static const char *const reasons[] = {"name",         "dataset.json", "option", "intent",
                                          "segmentation", "palette",      "content"};
    _Static_assert(sizeof reasons / sizeof *reasons == MIST_LABEL_REASONS, "one name for each");
    return reason < MIST_LABEL_REASONS ? reasons[reason] : NULL;
}

/* ---- words of names ---- */

static bool names_labels(const char *path)
{
    static const char ground[] = "ground", truth[] = "truth";
    bool after_ground = false;
    for (const char *at = path; *at;) {
        size_t length = naming_word_length(at);
        if (length == 0) {
            after_ground = after_ground && *at != '/';
            at++;
            continue;
        }
        if (naming_is_label_word(at, length))
            return true;
        if (after_ground && length == strlen(truth) && strncasecmp(at, truth, length) == 0)
            return true;
        after_ground = length == strlen(ground) && strncasecmp(at, ground, length) == 0;
        at += length;
    }
    return false;
}

static bool matches(const char *const *patterns, uint32_t count, const char *path)
{
    for (uint32_t i = 0; i < count; i++)
        if (fnmatch(patterns[i], path, 0) == 0)
            return true;
    return false;
}

enum label_said label_of_path(const char *path, const struct mist_store_encode_options *options)
{
    if (matches(options->images, options->image_count, path))
        return LABEL_IMAGE;
    if (matches(options->labels, options->label_count, path))
        return LABEL_OPTION;
    return names_labels(path) ? LABEL_NAMED : LABEL_UNSAID;
}

/* ---- dataset.json ---- */

/* One element of "training": {"image": PATH, "label": PATH}, or just a path. */
static void read_pair(struct json_reader *json, void (*visit)(void *context, const char *path), void *context)
{
    char key[16], path[1025];
    if (!json_enter_object(json))
        return;
    while (json_key(json, key, sizeof key)) {
        if (strcmp(key, "label") != 0) {
            json_skip(json);
            continue;
        }
        if (!json_short_string(json, path, sizeof path))
            return;
        const char *plain = path;
        while (strncmp(plain, "./", 2) == 0)
            plain += 2;
        visit(context, plain);
    }
}

void labels_listed(const char *json, size_t size, void (*visit)(void *context, const char *path), void *context)
{
    struct json_reader reader = json_start(json, size);
    char key[16];
    if (!json_enter_object(&reader))
        return;
    while (json_key(&reader, key, sizeof key)) {
        bool pairs = strcmp(key, "training") == 0 || strcmp(key, "validation") == 0 || strcmp(key, "test") == 0;
        struct json_reader value = reader;
        json_skip(&reader); /* whatever is inside, what follows it is found */
        if (!pairs || !json_enter_array(&value))
            continue;
        while (json_element(&value))
            read_pair(&value, visit, context);
    }
}
