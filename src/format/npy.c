/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NumPy arrays, .npy (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html): magic, version, length
 * of a Python dictionary, the dictionary, the samples. In C order an array is height x width, with any number of axes
 * before that (volumes, slices), and with components behind it if it has three axes or more and the last is at most
 * MIST_MAX_COMPONENTS long. An array in Fortran order is read as the one in C order of reversed axes that its bytes
 * are: (x, y, z) is then slices of rows of x, as NIfTI has them.
 */
#include "format/raw.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "format/npy_sidecar.h"
#include "format/units.h"
#include "image/copy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_AXES = 8, MAX_DICTIONARY = 4096 };

struct npy_header {
    char descr[8]; /* "<f4" */
    enum mist_sample_type type;
    bool truth; /* of bool: a mask */
    bool big_endian;
    bool fortran;
    unsigned axes;
    uint32_t side[MAX_AXES]; /* slowest first, that is reversed where Fortran order is */
    bool components;         /* the last side are they */
    size_t offset;           /* of the samples */
};

/* ---- the head ---- */

static bool npy_detect(const uint8_t *data, size_t size)
{
    return size >= 10 && memcmp(data, "\x93NUMPY", 6) == 0;
}

/* The dictionary as text, and the offset of the samples. */
static enum mist_status take_dictionary(const uint8_t *data, size_t size, char text[MAX_DICTIONARY], size_t *offset,
                                        struct mist_error *error)
{
    struct byte_reader reader = byte_reader_start(data, size);
    reader_take(&reader, 6);
    unsigned version = read_u8(&reader);
    read_u8(&reader);
    size_t length = version == 1 ? read_le16(&reader) : read_le32(&reader);
    const uint8_t *bytes = length < MAX_DICTIONARY ? reader_take(&reader, length) : NULL;
    if (!bytes || version < 1 || version > 3)
        return error_set(error, MIST_ERROR_CORRUPT, "the head of the .npy file is damaged");
    memcpy(text, bytes, length);
    text[length] = '\0';
    *offset = (size_t)(reader.at - data);
    return MIST_OK;
}

/* What follows "'name':" in the dictionary; "" without. */
static const char *entry(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    if (!at)
        return "";
    at += strlen(name);
    return at + strspn(at, " :");
}

/* "'<f4'". Of what is no plain number at all: MIST_ERROR_NOT_FOUND. */
static enum mist_status take_type(const char *text, struct npy_header *header, struct mist_error *error)
{
    static const char *const names[MIST_SAMPLE_TYPES] = {"u1", "i1", "u2", "i2", "u4", "i4",
                                                         "f2", "f4", "f8", "i8", "u8"};
    size_t length = *text == '\'' || *text == '"' ? strcspn(text + 1, "'\"") : 0;
    if (length < 3 || length >= sizeof header->descr || !strchr("<>|=", text[1]) || !strchr("biufc", text[2]))
        return error_set(error, MIST_ERROR_NOT_FOUND, "the array's type is not one of numbers");
    snprintf(header->descr, sizeof header->descr, "%.*s", (int)length, text + 1);
    header->big_endian = header->descr[0] == '>' || (header->descr[0] == '=' && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
    header->truth = strcmp(header->descr + 1, "b1") == 0;
    if (header->truth)
        return MIST_OK; /* MIST_U8, the first type */
    for (unsigned type = 0; type < MIST_SAMPLE_TYPES; type++)
        if (strcmp(header->descr + 1, names[type]) == 0) {
            header->type = (enum mist_sample_type)type;
            return MIST_OK;
        }
    return error_set(error, MIST_ERROR_UNSUPPORTED,
                     "the array's type, %s, is not one of b1 u1 i1 u2 i2 u4 i4 u8 i8 f2 f4 f8", header->descr);
}

static bool take_sides(const char *text, struct npy_header *header)
{
    if (*text++ != '(')
        return false;
    for (; *text && *text != ')'; header->axes++) {
        char *end;
        if (header->axes == MAX_AXES || *text < '0' || *text > '9')
            return false;
        unsigned long side = strtoul(text, &end, 10);
        if (side == 0 || side > UINT32_MAX)
            return false;
        header->side[header->axes] = (uint32_t)side;
        text = end + strspn(end, "L, ");
    }
    return *text == ')' && header->axes >= 2;
}

static enum mist_status read_head(const uint8_t *data, size_t size, struct npy_header *header, struct mist_error *error)
{
    char text[MAX_DICTIONARY];
    *header = (struct npy_header){0};
    enum mist_status status = take_dictionary(data, size, text, &header->offset, error);
    if (status)
        return status;
    const char *order = entry(text, "'fortran_order'");
    header->fortran = strncmp(order, "True", 4) == 0;
    if (!header->fortran && strncmp(order, "False", 5) != 0)
        return error_set(error, MIST_ERROR_CORRUPT, "the head of the .npy file is damaged");
    if (!take_sides(entry(text, "'shape'"), header))
        return error_set(error, MIST_ERROR_NOT_FOUND,
                         "the array's shape is not height x width, with axes before or 1 to 4 components behind");
    for (unsigned i = 0; header->fortran && i < header->axes / 2; i++) {
        uint32_t side = header->side[i];
        header->side[i] = header->side[header->axes - 1 - i];
        header->side[header->axes - 1 - i] = side;
    }
    header->components = header->axes >= 3 && header->side[header->axes - 1] <= MIST_MAX_COMPONENTS;
    return take_type(entry(text, "'descr'"), header, error);
}

/* Index of the height among the sides. */
static unsigned height_axis(const struct npy_header *header)
{
    return header->axes - 2 - header->components;
}

static enum mist_status parse(const uint8_t *data, size_t size, struct raw_layout *layout, struct mist_error *error)
{
    struct npy_header header;
    enum mist_status status = read_head(data, size, &header, error);
    if (status)
        return status == MIST_ERROR_NOT_FOUND && error ? (error->status = MIST_ERROR_UNSUPPORTED) : status;
    unsigned height = height_axis(&header);
    uint64_t frames = 1;
    for (unsigned i = 0; i < height && frames <= MIST_MAX_FRAMES; i++)
        frames *= header.side[i];
    *layout = (struct raw_layout){.offset = header.offset, .big_endian = header.big_endian};
    layout->info = (struct mist_image_info){
        .type = header.type,
        .precision = 8 * (unsigned)mist_sample_size(header.type),
        .width = header.side[height + 1],
        .height = header.side[height],
        .components = header.components ? header.side[header.axes - 1] : 1,
        .frames = frames > MIST_MAX_FRAMES ? UINT32_MAX : (uint32_t)frames,
        .slices = height ? header.side[height - 1] : 1,
        .label = header.truth,
    };
    return MIST_OK;
}

/* ---- reading ---- */

static enum mist_status npy_open(const struct format_input *inputs, uint32_t count, struct format_source **source,
                                 struct mist_error *error)
{
    (void)count;
    return raw_open(inputs, FORMAT_NPY, parse, source, error);
}

/* Lists of numbers and tables of texts are no images. */
static enum mist_status npy_look(const struct format_input *input, struct format_group *group, struct mist_error *error)
{
    struct file_map map;
    struct npy_header header;
    struct mist_error why = {0};
    (void)group;
    enum mist_status status = input_map(input, &map, error);
    if (status)
        return status;
    status = read_head(map.data, map.size, &header, &why);
    input_unmap(input, &map);
    return status == MIST_ERROR_NOT_FOUND ? error_set(error, status, "%s: %s", input_name(input), why.message)
                                          : MIST_OK; /* what else is wrong is said when it is opened */
}

/* ---- writing ---- */

struct npy_writer {
    struct format_writer base;
    struct file_writer file;
    struct copy_packing packing;
    size_t frame_bytes;
    uint8_t *packed; /* one frame */
    struct mist_buffer suffix;
    const struct dicom_volume_plan *plan; /* values are scaled to `type` as it says; NULL: written as they are */
    enum mist_sample_type type;
    uint32_t frames; /* of the file */
    uint32_t written;
};

static enum mist_status npy_frame(struct format_writer *writer, const struct mist_view *frame, struct mist_error *error)
{
    struct npy_writer *npy = (struct npy_writer *)writer;
    const uint8_t *bytes = frame->data;
    if (npy->written++ == npy->frames) /* other writing errors are sticky and reported by finish */
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: more than %u frames", npy->file.path, npy->frames);
    if (npy->plan) {
        units_apply(npy->plan, npy->written - 1, frame, npy->type, npy->packed);
        bytes = npy->packed;
    } else if (!copy_is_packed(frame, npy->packing)) {
        copy_pack(frame, npy->packing, npy->packed);
        bytes = npy->packed;
    }
    fwrite(bytes, 1, npy->frame_bytes, npy->file.stream);
    return MIST_OK;
}

static enum mist_status npy_finish(struct format_writer *writer, struct mist_error *error)
{
    struct npy_writer *npy = (struct npy_writer *)writer;
    if (npy->suffix.size)
        fwrite(npy->suffix.data, 1, npy->suffix.size, npy->file.stream);
    return file_writer_commit(&npy->file, error);
}

static void npy_free(struct format_writer *writer)
{
    struct npy_writer *npy = (struct npy_writer *)writer;
    file_writer_cancel(&npy->file);
    mist_buffer_free(&npy->suffix);
    memory_free(npy->packed);
    memory_free(npy);
}

/* Version 1.0, padded with spaces so that the samples start at a multiple of 64. */
static void write_head(FILE *stream, const struct npy_header *header)
{
    char shape[128] = "", text[256];
    for (unsigned i = 0; i < header->axes; i++)
        snprintf(shape + strlen(shape), sizeof shape - strlen(shape), "%s%u", i ? ", " : "",
                 header->side[header->fortran ? header->axes - 1 - i : i]);
    int length = snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': %s, 'shape': (%s), }", header->descr,
                          header->fortran ? "True" : "False", shape);
    unsigned total = ((unsigned)length + 1 + 10 + 63) / 64 * 64, rest = total - 10;
    fwrite("\x93NUMPY\x01\x00", 1, 8, stream);
    fputc((int)(rest & 0xff), stream);
    fputc((int)(rest >> 8), stream);
    fprintf(stream, "%-*s\n", (int)rest - 1, text);
}

/* Of images from other formats. */
static struct npy_header fresh_header(const struct mist_image_info *info, const struct dicom_volume_plan *plan)
{
    struct npy_header header = {.big_endian = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__};
    struct npy_axis axes[NPY_MAX_AXES];
    header.axes = npy_axes(info, plan, axes);
    for (unsigned i = 0; i < header.axes; i++)
        header.side[i] = axes[i].side;
    char kind = mist_sample_is_float(info->type) ? 'f' : mist_sample_is_signed(info->type) ? 'i' : 'u';
    size_t sample = mist_sample_size(info->type);
    snprintf(header.descr, sizeof header.descr, "%c%c%zu",
             sample == 1         ? '|'
             : header.big_endian ? '>'
                                 : '<',
             kind, sample);
    return header;
}

/* The original's header, with the sides of what is written in their places. */
static enum mist_status adapted_header(const struct format_target *target, struct npy_header *header,
                                       struct mist_error *error)
{
    const struct mist_image_info *info = &target->info;
    enum mist_status status = read_head(target->head, target->head_size, header, error);
    if (status)
        return status;
    unsigned height = height_axis(header);
    uint64_t volumes = 1;
    for (unsigned i = 0; i + 1 < height && volumes <= MIST_MAX_FRAMES; i++)
        volumes *= header->side[i];
    bool fits = header->offset == target->head_size && header->type == info->type && info->frames % volumes == 0 &&
                (height || info->frames == 1) &&
                info->components == (header->components ? header->side[header->axes - 1] : 1);
    if (!fits)
        return error_set(error, MIST_ERROR_CORRUPT, "the kept .npy header is not that of these samples");
    if (height)
        header->side[height - 1] = (uint32_t)(info->frames / volumes);
    header->side[height] = info->height;
    header->side[height + 1] = info->width;
    return MIST_OK;
}

/* Everything before the samples. */
static enum mist_status start_file(struct npy_writer *npy, const struct format_target *target, struct mist_error *error)
{
    struct npy_header header;
    struct mist_image_info info = target->info;
    enum mist_status status = MIST_OK;
    info.type = npy->type;
    const bool own = target->source_kind == FORMAT_NPY && target->head;
    const bool same = own && !target->reduce && !target->resampled && !(target->sampling.factor[2] > 1);
    const struct format_archive *archive = same ? target->archive : NULL;
    if (own)
        status = adapted_header(target, &header, error);
    else
        header = fresh_header(&info, target->volume);
    if (!status && archive && !buffer_append(&npy->suffix, archive->suffix.data, archive->suffix.size))
        status = error_set(error, MIST_ERROR_MEMORY, "out of memory");
    if (status)
        return error_prefix(error, status, "%s", target->path);
    npy->packing.big_endian = header.big_endian;
    status = format_target_file(target, &npy->file, error);
    if (!status && same)
        fwrite(target->head, 1, target->head_size, npy->file.stream);
    else if (!status)
        write_head(npy->file.stream, &header);
    return status;
}

static enum mist_status npy_writer_open(const struct format_target *target, struct format_writer **writer,
                                        struct mist_error *error)
{
    static const struct format_writer_ops ops = {.frame = npy_frame, .finish = npy_finish, .free = npy_free};
    const struct mist_image_info *info = &target->info;
    struct npy_writer *npy = memory_allocate_zeroed(1, sizeof *npy);
    if (!npy)
        return error_set(error, MIST_ERROR_MEMORY, "%s: no memory for writing", target->path);
    npy->base.ops = &ops;
    npy->frames = info->frames;
    npy->type = target->volume ? units_type(target->volume, info) : info->type;
    npy->plan = npy->type != info->type || (target->volume && target->volume->scales) ? target->volume : NULL;
    npy->frame_bytes = mist_frame_bytes(npy->type, info->width, info->height, info->components);
    npy->packed = memory_allocate(npy->frame_bytes);
    enum mist_status status = npy->packed
                                  ? start_file(npy, target, error)
                                  : error_set(error, MIST_ERROR_MEMORY, "%s: no memory for writing", target->path);
    if (status)
        npy_free(&npy->base);
    else
        *writer = &npy->base;
    return status;
}

const struct format_ops format_ops_npy = {
    .detect = npy_detect, .look = npy_look, .open = npy_open, .writer_open = npy_writer_open};
