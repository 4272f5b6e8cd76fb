/* SPDX-License-Identifier: BSD-2-Clause */
/* mist_picture_read(): one frame out of an image file; .npy, PGM, PPM and PGX are read here and nowhere else. */
#include "format/format.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the head of a plain picture file says. */
struct plain {
    struct mist_image_info info;
    bool big_endian;
    unsigned bytes;        /* of a sample in the file */
    const uint8_t *pixels; /* interleaved, frame after frame */
    size_t left;           /* bytes from there on */
};

static enum mist_status wrong(struct mist_error *error, const char *what)
{
    return error_set(error, MIST_ERROR_CORRUPT, "%s", what);
}

static enum mist_sample_type integer_type(unsigned precision, bool is_signed)
{
    if (precision > 16)
        return is_signed ? MIST_S32 : MIST_U32;
    if (precision > 8)
        return is_signed ? MIST_S16 : MIST_U16;
    return is_signed ? MIST_S8 : MIST_U8;
}

/* ---- PGM, PPM, PGX: words and numbers, then one white space, then the samples ---- */

struct text {
    const uint8_t *at, *end;
};

static bool is_space(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static void skip_space(struct text *text)
{
    while (text->at < text->end && (is_space(*text->at) || *text->at == '#')) {
        bool comment = *text->at == '#';
        while (comment && text->at < text->end && *text->at != '\n')
            text->at++;
        text->at += text->at < text->end;
    }
}

/* A decimal number of at most 9 digits. */
static bool take_number(struct text *text, uint32_t *value)
{
    const uint8_t *start;
    skip_space(text);
    start = text->at;
    for (*value = 0; text->at < text->end && *text->at >= '0' && *text->at <= '9' && text->at - start < 9; text->at++)
        *value = 10 * *value + (uint32_t)(*text->at - '0');
    return text->at > start;
}

static bool take_sign(struct text *text, bool *is_signed)
{
    skip_space(text);
    bool there = text->at < text->end && (*text->at == '+' || *text->at == '-');
    *is_signed = there && *text->at == '-';
    text->at += there;
    return there;
}

/* The samples start behind exactly one white space. */
static bool take_pixels(struct text *text, struct plain *plain)
{
    if (text->at == text->end || !is_space(*text->at))
        return false;
    plain->pixels = ++text->at;
    plain->left = (size_t)(text->end - text->at);
    return true;
}

static enum mist_status parse_pnm(const uint8_t *data, size_t size, struct plain *plain, struct mist_error *error)
{
    struct text text = {data + 2, data + size};
    uint32_t most = 0;
    if (!take_number(&text, &plain->info.width) || !take_number(&text, &plain->info.height) ||
        !take_number(&text, &most) || !most || most > 65535 || !take_pixels(&text, plain))
        return wrong(error, "the head of the PGM or PPM file is damaged");
    while (most >> plain->info.precision)
        plain->info.precision++;
    plain->info.components = data[1] == '6' ? 3 : 1;
    plain->info.type = integer_type(plain->info.precision, false);
    plain->bytes = most > 255 ? 2 : 1;
    plain->big_endian = true;
    return MIST_OK;
}

static enum mist_status parse_pgx(const uint8_t *data, size_t size, struct plain *plain, struct mist_error *error)
{
    struct text text = {data + 2, data + size};
    bool is_signed = false;
    skip_space(&text);
    if (text.end - text.at < 2 || (memcmp(text.at, "ML", 2) != 0 && memcmp(text.at, "LM", 2) != 0))
        return wrong(error, "the head of the PGX file names no byte order");
    plain->big_endian = *text.at == 'M';
    text.at += 2;
    take_sign(&text, &is_signed);
    if (!take_number(&text, &plain->info.precision) || !plain->info.precision || plain->info.precision > 32 ||
        !take_number(&text, &plain->info.width) || !take_number(&text, &plain->info.height) ||
        !take_pixels(&text, plain))
        return wrong(error, "the head of the PGX file is damaged");
    plain->info.components = 1;
    plain->info.type = integer_type(plain->info.precision, is_signed);
    plain->bytes = (unsigned)mist_sample_size(plain->info.type);
    return MIST_OK;
}

/* ---- .npy: magic, version, length of a Python dictionary, the dictionary ---- */

/* What follows "'name':" in the dictionary; NULL without. */
static const char *npy_entry(const char *head, const char *name)
{
    const char *at = strstr(head, name);
    if (!at)
        return NULL;
    at += strlen(name);
    while (*at == ' ' || *at == ':')
        at++;
    return at;
}

static bool npy_type(const char *descr, struct plain *plain)
{
    static const char types[MIST_SAMPLE_TYPES][3] = {"u1", "i1", "u2", "i2", "u4", "i4", "f2", "f4", "f8", "i8", "u8"};
    if (!descr || (*descr != '\'' && *descr != '"') || !strchr("<>|=", descr[1]) || !descr[1])
        return false;
    for (unsigned type = 0; type < MIST_SAMPLE_TYPES; type++) {
        if (strncmp(descr + 2, types[type], 2) == 0 && descr[4] == descr[0]) {
            plain->info.type = (enum mist_sample_type)type;
            plain->bytes = (unsigned)mist_sample_size(plain->info.type);
            plain->big_endian = descr[1] == '>' || (descr[1] == '=' && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
            plain->info.precision = 8 * plain->bytes;
            return true;
        }
    }
    return false;
}

/* (H, W), (H, W, C), (F, H, W), (F, H, W, C): three sides end in components if the last is at most 4. */
static bool npy_shape(const char *shape, struct mist_image_info *info)
{
    unsigned long side[4];
    unsigned count = 0;
    if (!shape || *shape++ != '(')
        return false;
    for (; *shape && *shape != ')'; count++) {
        char *end;
        if (count == 4 || *shape < '0' || *shape > '9')
            return false;
        side[count] = strtoul(shape, &end, 10);
        if (!side[count] || side[count] > UINT32_MAX)
            return false;
        shape = end + strspn(end, ", ");
    }
    if (count < 2)
        return false;
    bool components = count == 4 || (count == 3 && side[2] <= MIST_MAX_COMPONENTS);
    unsigned first = count - 2 - components; /* index of the height */
    info->frames = first ? (uint32_t)side[0] : 1;
    info->height = (uint32_t)side[first];
    info->width = (uint32_t)side[first + 1];
    info->components = components ? (uint32_t)side[count - 1] : 1;
    return true;
}

static enum mist_status parse_npy(const uint8_t *data, size_t size, struct plain *plain, struct mist_error *error)
{
    char head[1024];
    size_t start = data[6] == 1 ? 10 : 12, length = size < start ? 0 : data[8] | (size_t)data[9] << 8;
    if (start == 12 && size >= 12)
        length |= (size_t)data[10] << 16 | (size_t)data[11] << 24;
    if (data[6] < 1 || data[6] > 3 || size < start || length > size - start || length >= sizeof head)
        return wrong(error, "the head of the .npy file is damaged");
    memcpy(head, data + start, length);
    head[length] = '\0';
    const char *order = npy_entry(head, "'fortran_order'");
    if (!order || strncmp(order, "False", 5) != 0)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "the array is not in C order");
    if (!npy_type(npy_entry(head, "'descr'"), plain))
        return error_set(error, MIST_ERROR_UNSUPPORTED, "the array's type is not one of u1 i1 u2 i2 u4 i4 f2 f4 f8");
    if (!npy_shape(npy_entry(head, "'shape'"), &plain->info))
        return error_set(error, MIST_ERROR_UNSUPPORTED,
                         "the array's shape is not height x width, with frames before or 1 to 4 components behind");
    plain->pixels = data + start + length;
    plain->left = size - start - length;
    return MIST_OK;
}

/* ---- samples ---- */

static void copy_samples(const struct plain *plain, const uint8_t *from, uint8_t *to, size_t count)
{
    bool swap = plain->big_endian != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
    size_t size = mist_sample_size(plain->info.type);
    for (size_t i = 0; i < count; i++, from += plain->bytes, to += size)
        for (size_t byte = 0; byte < size; byte++)
            to[byte] = from[swap ? size - 1 - byte : byte];
}

static enum mist_status read_plain(const struct plain *plain, uint32_t frame, struct mist_buffer *samples,
                                   struct mist_view *picture, struct mist_error *error)
{
    const struct mist_image_info *info = &plain->info;
    size_t bytes = mist_frame_bytes(info->type, info->width, info->height, info->components);
    if (!bytes)
        return error_set(error, MIST_ERROR_LIMIT, "a picture of %u x %u is not possible", info->width, info->height);
    if (frame >= info->frames)
        return error_set(error, MIST_ERROR_ARGUMENT, "frame %u of %u", frame, info->frames);
    if (plain->left / bytes <= frame)
        return error_set(error, MIST_ERROR_TRUNCATED, "the file ends before the samples do");
    samples->size = 0;
    if (!buffer_reserve(samples, bytes))
        return error_set(error, MIST_ERROR_MEMORY, "no memory for the picture");
    samples->size = bytes;
    copy_samples(plain, plain->pixels + frame * bytes, samples->data, bytes / mist_sample_size(info->type));
    *picture = mist_view_interleaved(samples->data, info->type, info->width, info->height, info->components);
    return MIST_OK;
}

/* Whether the file is one of those read here. */
static bool parse_plain(const struct file_map *map, struct plain *plain, enum mist_status *status,
                        struct mist_error *error)
{
    const uint8_t *data = map->data;
    *plain = (struct plain){.info.frames = 1};
    if (map->size >= 10 && memcmp(data, "\x93NUMPY", 6) == 0)
        *status = parse_npy(data, map->size, plain, error);
    else if (map->size >= 8 && data[0] == 'P' && (data[1] == '5' || data[1] == '6') && is_space(data[2]))
        *status = parse_pnm(data, map->size, plain, error);
    else if (map->size >= 8 && memcmp(data, "PG ", 3) == 0)
        *status = parse_pgx(data, map->size, plain, error);
    else
        return false;
    return true;
}

static enum mist_status read_by_format(const char *path, uint32_t frame, struct mist_buffer *samples,
                                       struct mist_view *picture, unsigned *precision, struct mist_error *error)
{
    enum format_kind kind;
    struct format_source *source = NULL;
    enum mist_status status = format_detect(path, &kind, error);
    if (!status)
        status = format_open(kind, &path, 1, &source, error);
    if (status)
        return status;
    const struct mist_image_info *info = &source->info;
    size_t bytes = mist_frame_bytes(info->type, info->width, info->height, info->components);
    samples->size = 0;
    if (frame >= info->frames)
        status = error_set(error, MIST_ERROR_ARGUMENT, "%s: frame %u of %u", path, frame, info->frames);
    else if (!buffer_reserve(samples, bytes))
        status = error_set(error, MIST_ERROR_MEMORY, "%s: no memory for the picture", path);
    if (!status) {
        samples->size = bytes;
        *precision = info->precision;
        *picture = mist_view_interleaved(samples->data, info->type, info->width, info->height, info->components);
        status = source->ops->read_frame(source, frame, picture, error);
    }
    format_close(&source);
    return status;
}

enum mist_status mist_picture_read(const char *path, uint32_t frame, struct mist_buffer *samples,
                                   struct mist_view *picture, unsigned *precision, struct mist_error *error)
{
    struct file_map map;
    struct plain plain;
    enum mist_status status = file_map_open(path, &map, error);
    if (status)
        return status;
    bool here = parse_plain(&map, &plain, &status, error);
    if (here && !status)
        status = read_plain(&plain, frame, samples, picture, error);
    *precision = here ? plain.info.precision : 0;
    file_map_close(&map);
    return here ? status ? error_prefix(error, status, "%s", path) : MIST_OK
                : read_by_format(path, frame, samples, picture, precision, error);
}
