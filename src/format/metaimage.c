/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MetaImage (https://itk.org/Wiki/MetaIO/Documentation): .mha, and .mhd with a file of samples; binary, plain or
 * compressed. Places are taken as ITK does: TransformMatrix has the direction of each axis, in LPS.
 */
#include "format/text_volume.h"

#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* "Name = value": the value of the line; NULL if it is another line's. */
static const char *value_of(const char *line, const char *name)
{
    const size_t length = strlen(name);
    line += strspn(line, " \t");
    if (strncasecmp(line, name, length) != 0)
        return NULL;
    line += length;
    line += strspn(line, " \t");
    if (*line != '=')
        return NULL;
    line++;
    return line + strspn(line, " \t");
}

/* The first line of every such file names the object or its dimensions; others are told apart by ElementDataFile. */
static bool meta_detect(const uint8_t *data, size_t size)
{
    char line[TEXT_LINE];
    size_t at = 0;
    const bool starts = size >= 10 && (memcmp(data, "ObjectType", 10) == 0 || memcmp(data, "NDims", 5) == 0 ||
                                       memcmp(data, "Comment", 7) == 0);
    for (unsigned i = 0; starts && i < 64 && text_next_line(data, size, &at, line); i++) {
        const char *type = value_of(line, "ObjectType");
        if (type && strncmp(type, "Image", 5) != 0)
            return false;
        if (value_of(line, "DimSize") || value_of(line, "ElementDataFile"))
            return true;
    }
    return false;
}

/* ---- the header ---- */

static bool parse_type(const char *text, enum mist_sample_type *type)
{
    static const struct {
        const char *name;
        enum mist_sample_type type;
    } types[] = {{"MET_CHAR", MIST_S8},        {"MET_UCHAR", MIST_U8},  {"MET_SHORT", MIST_S16},
                 {"MET_USHORT", MIST_U16},     {"MET_INT", MIST_S32},   {"MET_UINT", MIST_U32},
                 {"MET_LONG", MIST_S32},       {"MET_ULONG", MIST_U32}, {"MET_LONG_LONG", MIST_S64},
                 {"MET_ULONG_LONG", MIST_U64}, {"MET_FLOAT", MIST_F32}, {"MET_DOUBLE", MIST_F64}};
    const size_t length = strcspn(text, " \t");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strlen(types[i].name) == length && strncmp(types[i].name, text, length) == 0) {
            *type = types[i].type;
            return true;
        }
    return false;
}

static bool is_true(const char *text)
{
    return *text == 'T' || *text == 't' || *text == '1';
}

/* What the lines said that is judged together. */
struct lines {
    char type[64], file[256];
    unsigned channels, sizes, spacings, matrix, origins;
    double size[TEXT_MAX_AXES], spacing[TEXT_MAX_AXES], direction[TEXT_MAX_AXES * TEXT_MAX_AXES], origin[TEXT_MAX_AXES];
    bool text;
};

static void take_line(const char *line, struct text_volume *volume, struct lines *lines)
{
    const char *value;
    if ((value = value_of(line, "NDims")))
        volume->axes = (unsigned)atoi(value);
    else if ((value = value_of(line, "DimSize")))
        lines->sizes = text_numbers(value, lines->size, TEXT_MAX_AXES);
    else if ((value = value_of(line, "ElementType")))
        snprintf(lines->type, sizeof lines->type, "%s", value);
    else if ((value = value_of(line, "ElementNumberOfChannels")))
        lines->channels = (unsigned)atoi(value);
    else if ((value = value_of(line, "ElementSpacing")) ||
             (!lines->spacings && (value = value_of(line, "ElementSize"))))
        lines->spacings = text_numbers(value, lines->spacing, TEXT_MAX_AXES);
    else if ((value = value_of(line, "TransformMatrix")) || (value = value_of(line, "Orientation")) ||
             (value = value_of(line, "Rotation")))
        lines->matrix = text_numbers(value, lines->direction, TEXT_MAX_AXES * TEXT_MAX_AXES);
    else if ((value = value_of(line, "Offset")) || (value = value_of(line, "Position")) ||
             (value = value_of(line, "Origin")))
        lines->origins = text_numbers(value, lines->origin, TEXT_MAX_AXES);
    else if ((value = value_of(line, "BinaryDataByteOrderMSB")) || (value = value_of(line, "ElementByteOrderMSB")))
        volume->big_endian = is_true(value);
    else if ((value = value_of(line, "BinaryData")))
        lines->text = !is_true(value);
    else if (value_of(line, "CompressedDataSize"))
        volume->sized = true;
    else if ((value = value_of(line, "CompressedData")))
        volume->packed = is_true(value);
    else if ((value = value_of(line, "HeaderSize"))) {
        long skip = atol(value);
        volume->skip_all = skip == -1;
        volume->skip = skip > 0 ? (size_t)skip : 0;
    } else if ((value = value_of(line, "ElementDataFile")))
        snprintf(lines->file, sizeof lines->file, "%s", value);
}

static void place(struct text_volume *volume, const struct lines *lines, unsigned axes)
{
    volume->flip[0] = volume->flip[1] = -1;
    volume->flip[2] = 1;
    for (unsigned axis = 0; axis < 3 && axis < axes; axis++)
        volume->spacing[axis] = axis < lines->spacings ? lines->spacing[axis] : 1;
    if (axes < 3)
        return;
    volume->has_directions = true;
    for (unsigned axis = 0; axis < 3; axis++) {
        for (unsigned row = 0; row < 3; row++)
            volume->direction[axis][row] =
                (lines->matrix == axes * axes ? lines->direction[axis * axes + row] : axis == row) *
                volume->spacing[axis];
        volume->origin[axis] = lines->origins == axes ? lines->origin[axis] : 0;
    }
}

static enum mist_status judge(struct text_volume *volume, const struct lines *lines, struct mist_error *error)
{
    const unsigned axes = volume->axes;
    if (axes < 1 || axes > TEXT_MAX_AXES - 1 || lines->sizes != axes)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "a MetaImage header of %u dimensions with %u sizes", axes,
                         lines->sizes);
    if (!parse_type(lines->type, &volume->type))
        return error_set(error, MIST_ERROR_UNSUPPORTED, "MetaImage samples of type '%.32s' are not read", lines->type);
    volume->detached =
        strcmp(lines->file, "LOCAL") != 0 && strcmp(lines->file, "Local") != 0 && strcmp(lines->file, "local") != 0;
    snprintf(volume->partner, sizeof volume->partner, "%s", lines->file);
    if (strncmp(lines->file, "LIST", 4) == 0 || strchr(lines->file, '%') || lines->text ||
        ((volume->packed || !volume->detached) && (volume->skip || volume->skip_all)))
        return error_set(error, MIST_ERROR_UNSUPPORTED,
                         "MetaImage samples as text, in several files, or behind other data, are not read");
    const unsigned channels = lines->channels ? lines->channels : 1;
    if (channels > MIST_MAX_COMPONENTS)
        return error_set(error, MIST_ERROR_NOT_FOUND, "pixels of %u samples each are no image", channels);
    volume->components = channels > 1;
    if (volume->components)
        volume->side[0] = channels;
    for (unsigned i = 0; i < axes; i++)
        volume->side[volume->components + i] =
            lines->size[i] >= 1 && lines->size[i] <= UINT32_MAX ? (uint64_t)lines->size[i] : 0;
    volume->axes += volume->components;
    place(volume, lines, axes);
    return MIST_OK;
}

static enum mist_status meta_parse(const uint8_t *data, size_t size, struct text_volume *volume,
                                   struct mist_error *error)
{
    char line[TEXT_LINE];
    struct lines lines = {.file = ""};
    size_t at = 0;
    while (!lines.file[0] && text_next_line(data, size, &at, line))
        take_line(line, volume, &lines);
    if (!lines.file[0])
        return error_set(error, MIST_ERROR_TRUNCATED, "the MetaImage header does not name its ElementDataFile");
    size_t length = strlen(lines.file);
    while (length && lines.file[length - 1] == ' ')
        lines.file[--length] = '\0';
    volume->head_size = at;
    return judge(volume, &lines, error);
}

/* ---- the header written ---- */

static bool put_numbers(struct mist_buffer *out, const char *name, const double *numbers, unsigned count)
{
    bool good = buffer_print(out, "%s =", name);
    for (unsigned i = 0; i < count && good; i++)
        good = buffer_print(out, " ") && text_put_number(out, numbers[i]);
    return good && buffer_print(out, "\n");
}

static bool put_sizes(const struct text_volume *volume, struct mist_buffer *out)
{
    bool good = buffer_print(out, "DimSize =");
    for (unsigned axis = volume->components; axis < volume->axes; axis++)
        good = good && buffer_print(out, " %llu", (unsigned long long)volume->side[axis]);
    return good && buffer_print(out, "\n");
}

static double length_of(const double step[3])
{
    return sqrt(step[0] * step[0] + step[1] * step[1] + step[2] * step[2]);
}

/* Spacing of all dimensions: the old one's numbers beyond the third. */
static bool put_spacing(const struct text_volume *volume, const char *old, const char *name, struct mist_buffer *out)
{
    double values[TEXT_MAX_AXES] = {1, 1, 1, 1, 1, 1};
    const unsigned axes = volume->axes - volume->components;
    if (old)
        text_numbers(old, values, TEXT_MAX_AXES);
    for (unsigned axis = 0; axis < 3; axis++) {
        double length = volume->has_directions ? length_of(volume->direction[axis]) : volume->spacing[axis];
        if (length != 0)
            values[axis] = length;
    }
    return put_numbers(out, name, values, axes);
}

static bool put_origin(const struct text_volume *volume, const char *old, const char *name, struct mist_buffer *out)
{
    double values[TEXT_MAX_AXES] = {0};
    if (old)
        text_numbers(old, values, TEXT_MAX_AXES);
    for (unsigned axis = 0; axis < 3 && volume->has_directions; axis++)
        values[axis] = volume->origin[axis];
    return put_numbers(out, name, values, volume->axes - volume->components);
}

static bool put_fresh(const struct text_volume *volume, struct mist_buffer *out)
{
    static const char *const types[MIST_SAMPLE_TYPES] = {
        "MET_UCHAR", "MET_CHAR",  "MET_USHORT", "MET_SHORT",     "MET_UINT",      "MET_INT",
        "",          "MET_FLOAT", "MET_DOUBLE", "MET_LONG_LONG", "MET_ULONG_LONG"};
    const unsigned axes = volume->axes - volume->components;
    double matrix[TEXT_MAX_AXES * TEXT_MAX_AXES] = {0};
    for (unsigned axis = 0; axis < axes; axis++)
        for (unsigned row = 0; row < axes; row++) {
            const double length = axis < 3 && volume->has_directions ? length_of(volume->direction[axis]) : 0;
            matrix[axis * axes + row] =
                length > 0 && row < 3 ? volume->direction[axis][row] / length : (double)(axis == row);
        }
    return buffer_print(out,
                        "ObjectType = Image\nNDims = %u\nBinaryData = True\nBinaryDataByteOrderMSB = %s\n"
                        "CompressedData = True\n",
                        axes, volume->big_endian ? "True" : "False") &&
           put_numbers(out, "TransformMatrix", matrix, axes * axes) && put_origin(volume, NULL, "Offset", out) &&
           put_spacing(volume, NULL, "ElementSpacing", out) && put_sizes(volume, out) &&
           (!volume->components ||
            buffer_print(out, "ElementNumberOfChannels = %llu\n", (unsigned long long)volume->side[0])) &&
           buffer_print(out, "ElementType = %s\nElementDataFile = LOCAL\n", types[volume->type]);
}

static bool put_line(const struct text_volume *volume, const char *line, const uint8_t *bytes, size_t size, bool joined,
                     struct mist_buffer *out)
{
    static const char *const origins[] = {"Offset", "Position", "Origin"};
    const char *old;
    /* It may be left out: the samples then go to the end of the file. */
    if (value_of(line, "CompressedDataSize"))
        return true;
    if (value_of(line, "DimSize"))
        return put_sizes(volume, out);
    if ((old = value_of(line, "ElementSpacing")))
        return put_spacing(volume, old, "ElementSpacing", out);
    if ((old = value_of(line, "ElementSize")))
        return put_spacing(volume, old, "ElementSize", out);
    for (unsigned i = 0; i < 3; i++)
        if ((old = value_of(line, origins[i])))
            return put_origin(volume, old, origins[i], out);
    if (joined && volume->detached && value_of(line, "HeaderSize"))
        return true;
    if (joined && volume->detached && value_of(line, "ElementDataFile"))
        return buffer_print(out, "ElementDataFile = LOCAL\n");
    return buffer_append(out, bytes, size);
}

static bool meta_write_head(const struct text_volume *volume, const uint8_t *head, size_t size, bool joined,
                            struct mist_buffer *out)
{
    char line[TEXT_LINE];
    bool good = true, spaced = false;
    if (!head)
        return put_fresh(volume, out);
    for (size_t at = 0, start = 0; good && text_next_line(head, size, &at, line); start = at) {
        spaced |= value_of(line, "ElementSpacing") != NULL;
        /* Without a line of its own the spacing was 1. */
        if (!spaced && value_of(line, "ElementDataFile"))
            good = put_spacing(volume, NULL, "ElementSpacing", out);
        good = good && put_line(volume, line, head + start, at - start, joined, out);
    }
    return good;
}

/* ---- operations ---- */

static const struct text_format format = {.kind = FORMAT_METAIMAGE,
                                          .zlib = true,
                                          .header_suffix = ".mhd",
                                          .parse = meta_parse,
                                          .write_head = meta_write_head};

static enum mist_status meta_look(const struct format_input *input, struct format_group *group,
                                  struct mist_error *error)
{
    return text_volume_look(&format, input, group, error);
}

static enum mist_status meta_open(const struct format_input *inputs, uint32_t count, struct format_source **source,
                                  struct mist_error *error)
{
    return text_volume_open(&format, inputs, count, source, error);
}

static enum mist_status meta_writer_open(const struct format_target *target, struct format_writer **writer,
                                         struct mist_error *error)
{
    return text_volume_writer_open(&format, target, writer, error);
}

const struct format_ops format_ops_metaimage = {
    .detect = meta_detect, .look = meta_look, .open = meta_open, .writer_open = meta_writer_open};
