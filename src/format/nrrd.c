/* SPDX-License-Identifier: BSD-2-Clause */
/* NRRD (https://teem.sourceforge.net/nrrd/format.html): .nrrd, and .nhdr with a data file; encodings raw and gzip. */
#include "format/text_volume.h"

#include "base/error.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static bool nrrd_detect(const uint8_t *data, size_t size)
{
    return size >= 9 && memcmp(data, "NRRD000", 7) == 0 && data[7] >= '1' && data[7] <= '9';
}

/* ---- the header ---- */

/* The value of "field: value"; NULL for other lines ("key:=value", comments). */
static const char *value_of(const char *line, const char *field)
{
    const size_t length = strlen(field);
    if (strncmp(line, field, length) != 0 || line[length] != ':' || line[length + 1] == '=')
        return NULL;
    line += length + 1;
    return line + strspn(line, " \t");
}

static bool parse_type(const char *text, enum mist_sample_type *type)
{
    static const struct {
        const char *names;
        enum mist_sample_type type;
    } types[] = {
        {"|uchar|unsigned char|uint8|uint8_t|", MIST_U8},
        {"|signed char|int8|int8_t|", MIST_S8},
        {"|ushort|unsigned short|unsigned short int|uint16|uint16_t|", MIST_U16},
        {"|short|short int|signed short|signed short int|int16|int16_t|", MIST_S16},
        {"|uint|unsigned int|uint32|uint32_t|", MIST_U32},
        {"|int|signed int|int32|int32_t|", MIST_S32},
        {"|ulonglong|unsigned long long|unsigned long long int|uint64|uint64_t|", MIST_U64},
        {"|longlong|long long|long long int|signed long long|signed long long int|int64|int64_t|", MIST_S64},
        {"|float|", MIST_F32},
        {"|double|", MIST_F64},
    };
    char name[64];
    size_t length = strlen(text);
    while (length && text[length - 1] == ' ')
        length--;
    if (length == 0 || length > sizeof name - 3)
        return false;
    snprintf(name, sizeof name, "|%.*s|", (int)length, text);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strstr(types[i].names, name)) {
            *type = types[i].type;
            return true;
        }
    return false;
}

/* Words of the name of a space, from the axes that it names: "left-posterior-superior", "LPS". */
static void parse_space(const char *text, double flip[3])
{
    const bool letters = strlen(text) >= 3 && !strchr(text, '-');
    const char *word = text;
    for (unsigned axis = 0; axis < 2; axis++) {
        const char first = *word | 0x20;
        if (axis == 0 && first == 'l')
            flip[0] = -1;
        if (axis == 1 && first == 'p')
            flip[1] = -1;
        word = letters ? word + 1 : strchr(word, '-') ? strchr(word, '-') + 1 : "";
    }
}

/* "(1,0,0) none (0,1,0)": those of the axes in space, in order. `which`: bit i set where axis i has one. */
static unsigned parse_directions(const char *text, double direction[3][3], unsigned *which)
{
    unsigned count = 0;
    *which = 0;
    for (unsigned axis = 0; axis < TEXT_MAX_AXES && *text; axis++) {
        text += strspn(text, " \t");
        if (*text != '(') {
            text += strcspn(text, " \t(");
            continue;
        }
        if (count < 3)
            text_numbers(text, direction[count], 3);
        count++;
        *which |= 1u << axis;
        text = strchr(text, ')') ? strchr(text, ')') + 1 : "";
    }
    return count;
}

/* Whether what the first axis holds is samples of one pixel. */
static bool is_component_kind(const char *kinds)
{
    static const char *const names[] = {"RGB-color",        "RGBA-color", "vector",    "2-vector", "3-vector",
                                        "4-vector",         "3-color",    "4-color",   "complex",  "XYZ-color",
                                        "covariant-vector", "3-normal",   "HSV-color", "list"};
    const size_t length = strcspn(kinds, " \t");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == length && strncmp(kinds, names[i], length) == 0)
            return true;
    return false;
}

/* What the lines said that is judged together. */
struct lines {
    char type[64], encoding[32], endian[16], kinds[128];
    unsigned sizes, directions, which;
    unsigned spacings;
    double spacing[TEXT_MAX_AXES], size[TEXT_MAX_AXES];
    bool has_origin, bad_skip, lists;
};

static void take_line(const char *line, struct text_volume *volume, struct lines *lines)
{
    const char *value;
    if ((value = value_of(line, "type")))
        snprintf(lines->type, sizeof lines->type, "%s", value);
    else if ((value = value_of(line, "encoding")))
        snprintf(lines->encoding, sizeof lines->encoding, "%s", value);
    else if ((value = value_of(line, "endian")))
        snprintf(lines->endian, sizeof lines->endian, "%s", value);
    else if ((value = value_of(line, "kinds")))
        snprintf(lines->kinds, sizeof lines->kinds, "%s", value);
    else if ((value = value_of(line, "dimension")))
        volume->axes = (unsigned)atoi(value);
    else if ((value = value_of(line, "sizes")))
        lines->sizes = text_numbers(value, lines->size, TEXT_MAX_AXES);
    else if ((value = value_of(line, "spacings")))
        lines->spacings = text_numbers(value, lines->spacing, TEXT_MAX_AXES);
    else if ((value = value_of(line, "space")))
        parse_space(value, volume->flip);
    else if ((value = value_of(line, "space directions")))
        lines->directions = parse_directions(value, volume->direction, &lines->which);
    else if ((value = value_of(line, "space origin")))
        lines->has_origin = text_numbers(value, volume->origin, 3) == 3;
    else if ((value = value_of(line, "data file")) || (value = value_of(line, "datafile"))) {
        volume->detached = true;
        snprintf(volume->partner, sizeof volume->partner, "%s", value);
        lines->lists = strncmp(value, "LIST", 4) == 0 || strchr(value, '%');
    } else if ((value = value_of(line, "byte skip")) || (value = value_of(line, "byteskip"))) {
        long skip = atol(value);
        volume->skip_all = skip == -1;
        volume->skip = skip > 0 ? (size_t)skip : 0;
        lines->bad_skip |= skip < -1;
    } else if ((value = value_of(line, "line skip")) || (value = value_of(line, "lineskip")))
        lines->bad_skip |= atol(value) != 0;
    else if (strncmp(line, "Segment0_", 9) == 0)
        volume->label = true;
}

static enum mist_status judge(struct text_volume *volume, const struct lines *lines, struct mist_error *error)
{
    if (volume->axes < 1 || volume->axes > TEXT_MAX_AXES || lines->sizes != volume->axes)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "a NRRD header with a dimension of %u and %u sizes",
                         volume->axes, lines->sizes);
    if (!parse_type(lines->type, &volume->type))
        return error_set(error, MIST_ERROR_UNSUPPORTED, "NRRD samples of type '%.32s' are not read", lines->type);
    volume->packed = strcmp(lines->encoding, "gzip") == 0 || strcmp(lines->encoding, "gz") == 0;
    if (!volume->packed && strcmp(lines->encoding, "raw") != 0)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "the NRRD encoding '%.16s' is not read", lines->encoding);
    if (lines->lists || lines->bad_skip || (!volume->detached && volume->skip) ||
        (volume->packed && (volume->skip || volume->skip_all)))
        return error_set(error, MIST_ERROR_UNSUPPORTED,
                         "NRRD data in several files, or behind other data, is not read");
    volume->big_endian = strncmp(lines->endian, "big", 3) == 0;
    for (unsigned i = 0; i < volume->axes; i++)
        volume->side[i] = lines->size[i] >= 1 && lines->size[i] <= UINT32_MAX ? (uint64_t)lines->size[i] : 0;
    const bool first_in_space = !lines->directions || (lines->which & 1);
    volume->components = volume->axes > 2 && (is_component_kind(lines->kinds) || !first_in_space);
    if (volume->components && volume->side[0] > MIST_MAX_COMPONENTS)
        return error_set(error, MIST_ERROR_NOT_FOUND, "pixels of %llu samples each are no image",
                         (unsigned long long)volume->side[0]);
    const unsigned spatial = (volume->axes - volume->components) > 2 ? 3 : 2;
    volume->has_directions = lines->directions >= spatial && lines->directions <= 3 &&
                             (lines->which >> volume->components & 7) == (spatial == 3 ? 7u : 3u);
    for (unsigned i = 0; i < 3 && volume->components + i < lines->spacings; i++)
        volume->spacing[i] = lines->spacing[volume->components + i];
    return MIST_OK;
}

static enum mist_status nrrd_parse(const uint8_t *data, size_t size, struct text_volume *volume,
                                   struct mist_error *error)
{
    char line[TEXT_LINE];
    struct lines lines = {.encoding = ""};
    size_t at = 0;
    bool ended = false;
    for (unsigned axis = 0; axis < 3; axis++)
        volume->flip[axis] = 1;
    if (!nrrd_detect(data, size) || !text_next_line(data, size, &at, line))
        return error_set(error, MIST_ERROR_CORRUPT, "no NRRD header");
    while (!ended && text_next_line(data, size, &at, line)) {
        ended = line[0] == '\0';
        take_line(line, volume, &lines);
    }
    volume->head_size = at;
    if (!ended && !volume->detached)
        return error_set(error, MIST_ERROR_TRUNCATED, "the NRRD header does not end");
    return judge(volume, &lines, error);
}

/* ---- the header written ---- */

static bool put_vector(struct mist_buffer *out, const double vector[3])
{
    bool good = buffer_print(out, "(");
    for (unsigned i = 0; i < 3; i++)
        good = good && (i == 0 || buffer_print(out, ",")) && text_put_number(out, vector[i]);
    return good && buffer_print(out, ")");
}

/* Of `count` axes in all; those that are not in space say "none". */
static bool put_directions(const struct text_volume *volume, struct mist_buffer *out)
{
    bool good = buffer_print(out, "space directions:");
    const unsigned first = volume->components;
    for (unsigned axis = 0; axis < volume->axes && good; axis++) {
        good = buffer_print(out, " ");
        if (axis < first || axis >= first + 3)
            good = good && buffer_print(out, "none");
        else
            good = good && put_vector(out, volume->direction[axis - first]);
    }
    return good && buffer_print(out, "\n");
}

static bool put_spacings(const struct text_volume *volume, const char *old, struct mist_buffer *out)
{
    double values[TEXT_MAX_AXES];
    const unsigned count = old ? text_numbers(old, values, TEXT_MAX_AXES) : 0;
    bool good = buffer_print(out, "spacings:");
    for (unsigned axis = 0; axis < volume->axes && good; axis++) {
        good = buffer_print(out, " ");
        if (axis >= volume->components && axis < volume->components + 3u)
            good = good && text_put_number(out, volume->spacing[axis - volume->components]);
        else if (axis < count)
            good = good && text_put_number(out, values[axis]);
        else
            good = good && buffer_print(out, "nan");
    }
    return good && buffer_print(out, "\n");
}

static bool put_sizes(const struct text_volume *volume, struct mist_buffer *out)
{
    bool good = buffer_print(out, "sizes:");
    for (unsigned axis = 0; axis < volume->axes; axis++)
        good = good && buffer_print(out, " %llu", (unsigned long long)volume->side[axis]);
    return good && buffer_print(out, "\n");
}

static bool put_fresh(const struct text_volume *volume, struct mist_buffer *out)
{
    static const char *const types[MIST_SAMPLE_TYPES] = {"uint8", "int8",  "uint16", "int16", "uint32", "int32",
                                                         "",      "float", "double", "int64", "uint64"};
    bool good = buffer_print(out, "NRRD0005\ntype: %s\ndimension: %u\n", types[volume->type], volume->axes);
    if (volume->has_directions)
        good = good && buffer_print(out, "space: left-posterior-superior\n");
    good = good && put_sizes(volume, out);
    if (volume->has_directions)
        good = good && put_directions(volume, out);
    else if (volume->spacing[0] > 0)
        good = good && put_spacings(volume, NULL, out);
    good = good && buffer_print(out, "kinds:");
    for (unsigned axis = 0; axis < volume->axes && good; axis++)
        good = buffer_print(out, axis < volume->components        ? " vector"
                                 : axis < volume->components + 3u ? " domain"
                                                                  : " list");
    good = good && buffer_print(out, "\nendian: %s\nencoding: gzip\n", volume->big_endian ? "big" : "little");
    if (volume->has_directions)
        good =
            good && buffer_print(out, "space origin: ") && put_vector(out, volume->origin) && buffer_print(out, "\n");
    return good && buffer_print(out, "\n");
}

static bool nrrd_write_head(const struct text_volume *volume, const uint8_t *head, size_t size, bool joined,
                            struct mist_buffer *out)
{
    char line[TEXT_LINE];
    if (!head)
        return put_fresh(volume, out);
    bool good = true;
    for (size_t at = 0, start = 0; good && text_next_line(head, size, &at, line); start = at) {
        const char *old;
        const bool of_file = value_of(line, "data file") || value_of(line, "datafile") || value_of(line, "byte skip") ||
                             value_of(line, "byteskip");
        if (value_of(line, "sizes"))
            good = put_sizes(volume, out);
        else if ((old = value_of(line, "spacings")))
            good = put_spacings(volume, old, out);
        else if (value_of(line, "space directions") && volume->has_directions)
            good = put_directions(volume, out);
        else if (value_of(line, "space origin") && volume->has_directions)
            good = buffer_print(out, "space origin: ") && put_vector(out, volume->origin) && buffer_print(out, "\n");
        else if (!(joined && volume->detached && of_file) && !value_of(line, "axis mins") &&
                 !value_of(line, "axismins") && !value_of(line, "axis maxs") && !value_of(line, "axismaxs"))
            good = buffer_append(out, head + start, at - start);
    }
    if (good && joined && volume->detached)
        good = (out->size > 0 && out->data[out->size - 1] == '\n') || buffer_print(out, "\n");
    if (good && joined && volume->detached && !(out->size > 1 && memcmp(out->data + out->size - 2, "\n\n", 2) == 0))
        good = buffer_print(out, "\n");
    return good;
}

/* ---- operations ---- */

static const struct text_format format = {
    .kind = FORMAT_NRRD, .header_suffix = ".nhdr", .parse = nrrd_parse, .write_head = nrrd_write_head};

static enum mist_status nrrd_look(const struct format_input *input, struct format_group *group,
                                  struct mist_error *error)
{
    return text_volume_look(&format, input, group, error);
}

static enum mist_status nrrd_open(const struct format_input *inputs, uint32_t count, struct format_source **source,
                                  struct mist_error *error)
{
    return text_volume_open(&format, inputs, count, source, error);
}

static enum mist_status nrrd_writer_open(const struct format_target *target, struct format_writer **writer,
                                         struct mist_error *error)
{
    return text_volume_writer_open(&format, target, writer, error);
}

const struct format_ops format_ops_nrrd = {
    .detect = nrrd_detect, .look = nrrd_look, .open = nrrd_open, .writer_open = nrrd_writer_open};
