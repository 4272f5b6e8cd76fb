/* SPDX-License-Identifier: BSD-2-Clause */
#include "kind/names.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define FORMAT(row, operations, ...) [FORMAT_##row] = {.kind = FORMAT_##row, __VA_ARGS__},
static const struct format formats[FORMAT_KINDS] = {
#include "kind/formats.def"
};
#undef FORMAT

const struct format *format_of(enum format_kind kind)
{
    return kind > FORMAT_UNKNOWN && kind < FORMAT_KINDS ? &formats[kind] : NULL;
}

const char *format_name(enum format_kind kind)
{
    const struct format *format = format_of(kind);
    return format ? format->name : NULL;
}

enum format_kind format_from_name(const char *name)
{
    for (unsigned kind = FORMAT_UNKNOWN + 1; name && kind < FORMAT_KINDS; kind++)
        if (strcmp(formats[kind].name, name) == 0)
            return (enum format_kind)kind;
    return FORMAT_UNKNOWN;
}

/* ---- outputs ---- */

static bool ends_in(const char *path, const char *suffix)
{
    size_t length = strlen(path), ending = strlen(suffix);
    return length >= ending && strcasecmp(path + length - ending, suffix) == 0;
}

/* The first output that `is` says yes to. */
static const struct format_output *find_output(bool (*is)(const struct format_output *output, const char *text),
                                               const char *text, const struct format **format)
{
    for (unsigned kind = FORMAT_UNKNOWN + 1; kind < FORMAT_KINDS; kind++)
        for (const struct format_output *output = formats[kind].outputs; output->name; output++)
            if (is(output, text)) {
                *format = &formats[kind];
                return output;
            }
    *format = NULL;
    return NULL;
}

static bool has_name(const struct format_output *output, const char *name)
{
    return output->item && strcmp(output->name, name) == 0;
}

static bool has_suffix(const struct format_output *output, const char *path)
{
    return ends_in(path, output->suffix);
}

const struct format_output *format_output_find(const char *name, const struct format **format)
{
    return find_output(has_name, name, format);
}

const struct format_output *format_output_of_path(const char *path, const struct format **format)
{
    return find_output(has_suffix, path, format);
}

bool format_output_is_of(const char *name, enum format_kind source)
{
    const struct format *format;
    return format_output_find(name, &format) && format->kind == source;
}

static const char *list_outputs(bool pictures, char text[FORMAT_LIST_SIZE])
{
    size_t used = 0;
    text[0] = '\0';
    for (unsigned kind = FORMAT_UNKNOWN + 1; kind < FORMAT_KINDS; kind++)
        for (const struct format_output *output = formats[kind].outputs; output->name; output++) {
            if (used >= FORMAT_LIST_SIZE || !(pictures ? output->picture_bits > 0 : output->item))
                continue;
            used += (size_t)snprintf(text + used, FORMAT_LIST_SIZE - used, "%s%s", used ? ", " : "",
                                     pictures ? output->suffix : output->name);
        }
    return text;
}

const char *format_item_outputs(char text[FORMAT_LIST_SIZE])
{
    return list_outputs(false, text);
}

const char *format_picture_outputs(char text[FORMAT_LIST_SIZE])
{
    return list_outputs(true, text);
}

/* ---- paths ---- */

static const char *const wrapping_suffixes[WRAPPINGS] = {NULL, ".gz", ".bz2", ".xz", ".zst"};

enum format_wrapping format_wrapping_of_path(const char *path)
{
    for (enum format_wrapping i = WRAPPING_NONE + 1; i < WRAPPINGS; i++)
        if (ends_in(path, wrapping_suffixes[i]))
            return i;
    return WRAPPING_NONE;
}

static bool ends_before(const char *path, size_t length, const char *suffix)
{
    const size_t ending = strlen(suffix);
    return length >= ending && strncasecmp(path + length - ending, suffix, ending) == 0;
}

/* How long the format's suffix is, with that of a wrapping behind it; 0: there is none. */
static size_t suffix_length(const char *path, const struct format **format)
{
    const enum format_wrapping wrapping = format_wrapping_of_path(path);
    const size_t around = wrapping ? strlen(wrapping_suffixes[wrapping]) : 0, inside = strlen(path) - around;
    for (unsigned kind = FORMAT_UNKNOWN + 1; kind < FORMAT_KINDS; kind++)
        for (unsigned i = 0; i < FORMAT_MAX_NAMES && formats[kind].suffixes[i]; i++) {
            const char *suffix = formats[kind].suffixes[i];
            *format = &formats[kind];
            if (ends_in(path, suffix))
                return strlen(suffix);
            if (around && ends_before(path, inside, suffix))
                return strlen(suffix) + around;
        }
    *format = NULL;
    return 0;
}

const struct format *format_of_path(const char *path)
{
    const struct format *format;
    suffix_length(path, &format);
    return format;
}

const char *format_unread(const char *path)
{
#define UNREAD(suffix) suffix " files are not read"
#define UNOPENED(suffix) suffix " files are not opened where they lie among others"
    static const char *const kinds[] = {
        UNREAD("avif"),
        UNREAD("czi"),
        UNREAD("gif"),
        UNREAD("heic"),
        UNREAD("jxl"),
        UNREAD("lif"),
        UNREAD("mgh"),
        UNREAD("mgz"),
        UNREAD("mnc"),
        UNREAD("mrxs"),
        UNREAD("nd2"),
        UNREAD("ndpi"),
        UNREAD("pcx"),
        UNREAD("scn"),
        UNREAD("svs"),
        UNREAD("tga"),
        UNREAD("webp"),
        /* Sources of their own, but nothing that is in one is looked for among other files. */
        UNOPENED("7z"),
        UNOPENED("rar"),
        UNOPENED("tar"),
        UNOPENED("tar.bz2"),
        UNOPENED("tar.gz"),
        UNOPENED("tar.xz"),
        UNOPENED("tar.zst"),
        UNOPENED("tgz"),
        UNOPENED("zip"),
    };
#undef UNREAD
#undef UNOPENED
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char suffix[12] = ".";
        size_t length = strcspn(kinds[i], " ");
        memcpy(suffix + 1, kinds[i], length); /* the rest is zero */
        if (ends_in(path, suffix))
            return kinds[i];
    }
    return NULL;
}

size_t format_stem(const char *path)
{
    const struct format *format;
    size_t suffix = suffix_length(path, &format);
    for (unsigned kind = FORMAT_UNKNOWN + 1; !suffix && kind < FORMAT_KINDS; kind++)
        if (formats[kind].header_suffix && ends_in(path, formats[kind].header_suffix))
            suffix = strlen(formats[kind].header_suffix);
    size_t length = strlen(path), stem = length - suffix;
    return stem == 0 || path[stem - 1] == '/' ? length : stem;
}
