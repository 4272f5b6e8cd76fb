/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/naming.h"

#include "base/checksum.h"
#include "base/file.h"
#include "kind/names.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* ---- words ---- */

static const char *const label_words[] = {
    "label", "labels",       "mask",          "masks",      "seg",         "segs", "segmentation", "segmentations",
    "dseg",  "gt",           "groundtruth",   "annotation", "annotations", "aseg", "aparc",        "wmparc",
    "parc",  "parcellation", "parcellations", "atlas",      "roi",         "rois", "contour",      "contours",
};
/* Words that tell one image of a patient from another, or from its label map. */
static const char *const image_words[] = {
    "image", "images", "imaging", "img", "imgs", "volume", "volumes", "scan", "scans", "input",
    "data",  "ct",     "mr",      "mri", "pet",  "pt",     "flair",   "adc",  "dwi",   "pd",
};
/* The same with digits in them: whole parts of a name. */
static const char *const image_parts[] = {"t1",    "t1c", "t1ce", "t1gd", "t1n", "t1w",
                                          "t1wce", "t2",  "t2f",  "t2w",  "pdw"};

static bool is_listed(const char *const *words, size_t count, const char *text, size_t length)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(words[i]) == length && strncasecmp(words[i], text, length) == 0)
            return true;
    return false;
}

#define IS_LISTED(words, text, length) is_listed(words, sizeof words / sizeof *words, text, length)

bool naming_is_label_word(const char *word, size_t length)
{
    return IS_LISTED(label_words, word, length);
}

size_t naming_word_length(const char *text)
{
    size_t length = 0;
    while (isalpha((unsigned char)text[length]) &&
           !(length && islower((unsigned char)text[length - 1]) && isupper((unsigned char)text[length])))
        length++;
    return length;
}

bool naming_is_document(const char *path)
{
    static const char *const starts[] = {"readme",    "license", "licence", "citation", "changes",
                                         "changelog", "copying", "authors", "notice"};
    static const char *const names[] = {"dataset_description.json", "dataset.json", "participants.json",
                                        "dataset-description.json", "metadata.json"};
    if (strchr(path, '/'))
        return false;
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        size_t length = strlen(starts[i]);
        if (strncasecmp(path, starts[i], length) == 0 && (path[length] == '\0' || path[length] == '.'))
            return true;
    }
    return IS_LISTED(names, path, strlen(path));
}

/* ---- parts of paths ---- */

size_t naming_directory_length(const char *path, size_t length)
{
    while (length > 0 && path[length - 1] != '/')
        length--;
    return length > 0 ? length - 1 : 0;
}

/* Where the file's name starts. */
static size_t base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

/* The length of a path without its suffix, also where the format is none that MIST knows. */
static size_t stem_of(const char *path)
{
    size_t length = strlen(path), stem = format_stem(path), base = base_of(path);
    if (stem < length)
        return stem;
    const char *dot = strrchr(path + base, '.');
    return dot && dot > path + base ? (size_t)(dot - path) : length;
}

uint64_t naming_stem(const char *path)
{
    return checksum(path, stem_of(path));
}

uint64_t naming_directory(const char *path, size_t length)
{
    return checksum(path, length);
}

/* ---- cases ---- */

struct text {
    char bytes[PATH_ROOM + 1];
    size_t length;
};

static void add(struct text *text, const char *bytes, size_t length)
{
    if (length > sizeof text->bytes - text->length)
        length = sizeof text->bytes - text->length;
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
}

static bool all_digits(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!isdigit((unsigned char)text[i]))
            return false;
    return length > 0;
}

/*
 * A file's name without the parts that say which image of a case it is. What numbers a label map ("_mask_1") goes with
 * it, and so does the channel of nnU-Net ("_0000").
 */
static void case_of_name(const char *name, size_t length, struct text *out)
{
    bool after_label = false;
    size_t before = out->length;
    char separator = '\0';
    for (size_t at = 0; at <= length;) {
        size_t part = at;
        while (part < length && !strchr("-_. ", name[part]))
            part++;
        size_t size = part - at;
        bool label = IS_LISTED(label_words, name + at, size);
        bool channel = part == length && size == 4 && separator == '_' && all_digits(name + at, size);
        bool number = after_label && size <= 2 && all_digits(name + at, size);
        bool dropped = label || channel || number || IS_LISTED(image_words, name + at, size) ||
                       IS_LISTED(image_parts, name + at, size);
        if (!dropped) {
            if (out->length > before && separator)
                add(out, &separator, 1);
            add(out, name + at, size);
        }
        after_label = label;
        separator = part < length ? name[part] : '\0';
        at = part + 1;
    }
}

/* Whether a directory's name says that images, or label maps, are in it: "imagesTr", "masks". */
static bool sorts_by_kind(const char *name, size_t length)
{
    bool after_ground = false;
    for (size_t at = 0; at < length;) {
        size_t word = naming_word_length(name + at);
        if (word == 0) {
            at++;
            continue;
        }
        if (IS_LISTED(label_words, name + at, word) || IS_LISTED(image_words, name + at, word) ||
            (after_ground && word == 5 && strncasecmp(name + at, "truth", 5) == 0))
            return true;
        after_ground = word == 6 && strncasecmp(name + at, "ground", 6) == 0;
        at += word;
    }
    return false;
}

uint64_t naming_case(const char *path)
{
    struct text text;
    text.length = 0;
    size_t base = base_of(path), stem = stem_of(path);
    for (size_t at = 0; at < base;) {
        size_t length = strcspn(path + at, "/");
        if (!sorts_by_kind(path + at, length))
            add(&text, path + at, length + 1);
        at += length + 1;
    }
    size_t before = text.length;
    case_of_name(path + base, stem - base, &text);
    return text.length > before ? checksum(text.bytes, text.length) : checksum(path, base);
}

/* ---- all names ---- */

enum { FEW_FILES = 4 };

struct visiting {
    naming_visit *visit;
    void *context;
};

/* The path and its ends behind each '/', whole and without the suffix. */
static bool visit_files(const struct visiting *to, const char *path)
{
    const size_t length = strlen(path), known = format_stem(path), stem = stem_of(path);
    for (size_t at = 0; at < length;) {
        if (!to->visit(to->context, NAMING_FILE, path + at, length - at) ||
            (known < length && !to->visit(to->context, NAMING_FILE, path + at, known - at)) ||
            (stem != known && stem < length && !to->visit(to->context, NAMING_FILE, path + at, stem - at)))
            return false;
        const char *slash = strchr(path + at, '/');
        if (!slash)
            break;
        at = (size_t)(slash - path) + 1;
    }
    return true;
}

static bool visit_case(const struct visiting *to, const char *path)
{
    struct text text;
    text.length = 0;
    size_t base = base_of(path), stem = stem_of(path);
    case_of_name(path + base, stem - base, &text);
    return text.length == 0 || text.length == stem - base ||
           to->visit(to->context, NAMING_CASE, text.bytes, text.length);
}

/* The directories from the innermost on: by path, and by name. */
static bool visit_directories(const struct visiting *to, const char *path)
{
    for (size_t end = naming_directory_length(path, strlen(path)); end > 0;) {
        size_t above = naming_directory_length(path, end), name = above ? above + 1 : 0;
        if (!to->visit(to->context, NAMING_DIRECTORY, path, end) ||
            (name && !to->visit(to->context, NAMING_DIRECTORY, path + name, end - name)))
            return false;
        end = above;
    }
    return true;
}

static bool visit_number(const struct visiting *to, const char *name, size_t length)
{
    size_t letters = 0;
    while (letters < length && isalpha((unsigned char)name[letters]))
        letters++;
    size_t digits = letters < length && strchr("-_", name[letters]) ? letters + 1 : letters;
    return letters == 0 || !all_digits(name + digits, length - digits) ||
           to->visit(to->context, NAMING_NUMBER, name + digits, length - digits);
}

/* The digits of the file's name, then of those of its directories. */
static bool visit_numbers(const struct visiting *to, const char *path)
{
    size_t base = base_of(path);
    if (!visit_number(to, path + base, stem_of(path) - base))
        return false;
    for (size_t end = naming_directory_length(path, strlen(path)); end > 0;) {
        size_t above = naming_directory_length(path, end), name = above ? above + 1 : 0;
        if (!visit_number(to, path + name, end - name))
            return false;
        end = above;
    }
    return true;
}

bool naming_each(const struct mist_catalog_entry *entry, naming_visit *visit, void *context)
{
    static bool (*const kinds[NAMINGS])(const struct visiting *to, const char *path) = {
        [NAMING_FILE] = visit_files,
        [NAMING_CASE] = visit_case,
        [NAMING_DIRECTORY] = visit_directories,
        [NAMING_NUMBER] = visit_numbers,
    };
    const struct visiting to = {visit, context};
    const bool item = entry->kind == MIST_CATALOG_ITEM;
    const char *own = item ? entry->item.path : entry->attachment.path;
    const uint32_t files = item && entry->item.file_count <= FEW_FILES ? entry->item.file_count : 0;
    for (unsigned kind = 0; kind < NAMINGS; kind++) {
        if (!kinds[kind](&to, own))
            return false;
        for (uint32_t i = 0; i < files; i++)
            if (strcmp(entry->item.files[i].path, own) != 0 && !kinds[kind](&to, entry->item.files[i].path))
                return false;
    }
    return true;
}
