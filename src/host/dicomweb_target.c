/* SPDX-License-Identifier: BSD-2-Clause */
/* Paths of DICOMweb <-> what they name. */
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "host/dicomweb.h"
#include "host/resolution.h"

#include <string.h>

enum { MAX_PARTS = 14 };

/* Cuts the path at its slashes; 0: it has none, too many, or an empty one. One slash at the end is passed over. */
static unsigned cut(char *path, char *parts[MAX_PARTS])
{
    unsigned count = 0;
    for (char *at = path; *at;) {
        if (count == MAX_PARTS || *at == '/')
            return 0;
        parts[count++] = at;
        at += strcspn(at, "/");
        if (*at)
            *at++ = '\0';
    }
    return count;
}

struct walk {
    char **part;
    unsigned left;
};

static bool next_is(struct walk *walk, const char *name)
{
    if (!walk->left || strcmp(walk->part[0], name) != 0)
        return false;
    walk->part++;
    walk->left--;
    return true;
}

static char *next(struct walk *walk)
{
    if (!walk->left)
        return NULL;
    walk->left--;
    return *walk->part++;
}

/* What cannot be a UID (PS3.5, 9.1; letters are met, too) names nothing, and is no list or pattern for the search. */
static bool is_uid(const char *text)
{
    const size_t length = strspn(text, "0123456789.-_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    return length > 0 && length < DICOM_UID_SIZE && text[length] == '\0';
}

/* "reduced/R", wherever it stands. */
static bool read_reduced(struct walk *walk, struct dicomweb_target *target)
{
    uint64_t reduce;
    if (!next_is(walk, "reduced"))
        return true;
    const char *number = next(walk);
    if (target->reduced_path || !number || !parse_unsigned(number, MIST_MAX_LEVELS, &reduce))
        return false;
    target->reduce = (unsigned)reduce;
    target->reduced_path = true;
    return true;
}

/* What is asked of a study, a series, an instance or a frame, when the path has got there. */
static bool read_end(struct walk *walk, struct dicomweb_target *target)
{
    const char *const uids[] = {target->study, target->series, target->instance};
    for (unsigned i = 0; i < 3; i++)
        if (uids[i] && !is_uid(uids[i]))
            return false;
    if (!read_reduced(walk, target))
        return false;
    const char *word = next(walk);
    if (!word)
        target->what = DICOMWEB_RETRIEVE;
    else if (strcmp(word, "metadata") == 0)
        target->what = DICOMWEB_METADATA;
    else if (strcmp(word, "rendered") == 0)
        target->what = DICOMWEB_RENDERED;
    else if (strcmp(word, "thumbnail") == 0)
        target->what = DICOMWEB_THUMBNAIL;
    else if (strcmp(word, "frames") == 0 && target->instance && (target->rest = next(walk)) != NULL)
        target->what = next_is(walk, "rendered")    ? DICOMWEB_RENDERED
                       : next_is(walk, "thumbnail") ? DICOMWEB_THUMBNAIL
                                                    : DICOMWEB_FRAMES;
    else if (strcmp(word, "bulkdata") == 0 && target->instance && (target->rest = next(walk)) != NULL)
        target->what = DICOMWEB_BULKDATA;
    else
        return false;
    return walk->left == 0;
}

static bool read_instances(struct walk *walk, struct dicomweb_target *target)
{
    target->level = DICOM_INSTANCE;
    target->instance = target->series ? next(walk) : NULL;
    return target->instance ? read_end(walk, target) : walk->left == 0;
}

static bool read_series(struct walk *walk, struct dicomweb_target *target)
{
    target->level = DICOM_SERIES;
    target->series = target->study ? next(walk) : NULL;
    if (!target->series)
        return walk->left == 0;
    return next_is(walk, "instances") ? read_instances(walk, target) : read_end(walk, target);
}

static bool read_studies(struct walk *walk, struct dicomweb_target *target)
{
    target->level = DICOM_STUDY;
    target->study = next(walk);
    if (!target->study)
        return true;
    if (next_is(walk, "series"))
        return read_series(walk, target);
    return next_is(walk, "instances") ? read_instances(walk, target) : read_end(walk, target);
}

bool dicomweb_target_parse(char *path, struct dicomweb_target *target)
{
    char *parts[MAX_PARTS];
    struct walk walk = {parts, cut(path, parts)};
    *target = (struct dicomweb_target){.what = DICOMWEB_SEARCH};
    for (unsigned turn = 0; turn < 2; turn++) {
        if (!read_reduced(&walk, target))
            return false;
        if (next_is(&walk, "studies"))
            return read_studies(&walk, target);
        if (next_is(&walk, "series"))
            return read_series(&walk, target);
        if (next_is(&walk, "instances"))
            return read_instances(&walk, target);
        target->dataset = next(&walk);
        if (!target->dataset || !mist_dataset_name_is_valid(target->dataset))
            return false;
    }
    return false;
}

bool dicomweb_put_url(const struct dicomweb_target *target, const char *study, const char *series, const char *instance,
                      struct mist_buffer *out)
{
    const char *const part[][2] = {
        {"", target->dataset}, {"studies/", study}, {"series/", series}, {"instances/", instance}};
    bool good = json_put(out, "/dicom-web");
    for (unsigned i = 0; i < 4 && good; i++) {
        if (!part[i][1])
            continue;
        good = json_put(out, "/%s", part[i][0]) && buffer_reserve(out, out->size + 3 * strlen(part[i][1]) + 1);
        if (good)
            out->size = (size_t)((uint8_t *)percent_encode_path(part[i][1], (char *)out->data + out->size) - out->data);
        if (good && i == 0 && target->reduced_path)
            good = json_put(out, "/reduced/%u", target->reduce);
    }
    return good;
}
