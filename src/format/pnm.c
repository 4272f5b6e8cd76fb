/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Single pictures, not items of datasets: PGM and PPM (binary: grey or RGB, unsigned, up to 16 bits), and PGX (one
 * component of any sign and up to 32 bits, the format of the JPEG 2000 conformance tests).
 */
#include "format/raw.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "image/copy.h"

#include <stdio.h>
#include <string.h>

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

/* ---- heads: words and numbers, then one white space, then the samples ---- */

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
static bool take_pixels(struct text *text, const uint8_t *data, struct raw_layout *layout)
{
    if (text->at == text->end || !is_space(*text->at))
        return false;
    layout->offset = (size_t)(++text->at - data);
    return true;
}

static enum mist_status parse_pnm(const uint8_t *data, size_t size, struct raw_layout *layout, struct mist_error *error)
{
    struct text text = {data + 2, data + size};
    uint32_t most = 0;
    *layout = (struct raw_layout){.info.frames = 1, .big_endian = true};
    if (!take_number(&text, &layout->info.width) || !take_number(&text, &layout->info.height) ||
        !take_number(&text, &most) || !most || most > 65535 || !take_pixels(&text, data, layout))
        return wrong(error, "the head of the PGM or PPM file is damaged");
    while (most >> layout->info.precision)
        layout->info.precision++;
    layout->info.components = data[1] == '6' ? 3 : 1;
    layout->info.type = integer_type(layout->info.precision, false);
    return MIST_OK;
}

static enum mist_status parse_pgx(const uint8_t *data, size_t size, struct raw_layout *layout, struct mist_error *error)
{
    struct text text = {data + 2, data + size};
    bool is_signed = false;
    *layout = (struct raw_layout){.info.frames = 1};
    skip_space(&text);
    if (text.end - text.at < 2 || (memcmp(text.at, "ML", 2) != 0 && memcmp(text.at, "LM", 2) != 0))
        return wrong(error, "the head of the PGX file names no byte order");
    layout->big_endian = *text.at == 'M';
    text.at += 2;
    take_sign(&text, &is_signed);
    if (!take_number(&text, &layout->info.precision) || !layout->info.precision || layout->info.precision > 32 ||
        !take_number(&text, &layout->info.width) || !take_number(&text, &layout->info.height) ||
        !take_pixels(&text, data, layout))
        return wrong(error, "the head of the PGX file is damaged");
    layout->info.components = 1;
    layout->info.type = integer_type(layout->info.precision, is_signed);
    return MIST_OK;
}

/* ---- reading ---- */

static bool pnm_detect(const uint8_t *data, size_t size)
{
    return size >= 8 && data[0] == 'P' && (data[1] == '5' || data[1] == '6') && is_space(data[2]);
}

static enum mist_status pnm_open(const struct format_input *inputs, uint32_t count, struct format_source **source,
                                 struct mist_error *error)
{
    (void)count;
    return raw_open(inputs, FORMAT_PNM, parse_pnm, source, error);
}

static bool pgx_detect(const uint8_t *data, size_t size)
{
    return size >= 8 && memcmp(data, "PG ", 3) == 0;
}

static enum mist_status pgx_open(const struct format_input *inputs, uint32_t count, struct format_source **source,
                                 struct mist_error *error)
{
    (void)count;
    return raw_open(inputs, FORMAT_PGX, parse_pgx, source, error);
}

/* ---- writing ---- */

struct pnm_writer {
    struct format_writer base;
    struct file_writer file;
    enum mist_sample_type type; /* in the file, most significant byte first */
    bool written;
};

/* The frame with its samples in the file's type; view.data NULL when memory is short. */
static struct mist_view narrow(const struct mist_view *frame, enum mist_sample_type type)
{
    void *data = memory_allocate(mist_frame_bytes(type, frame->width, frame->height, frame->components));
    struct mist_view view = mist_view_interleaved(data, type, frame->width, frame->height, frame->components);
    if (data)
        copy_convert(frame, &view);
    return view;
}

static enum mist_status pnm_frame(struct format_writer *writer, const struct mist_view *frame, struct mist_error *error)
{
    static const struct copy_packing packing = {.big_endian = true};
    struct pnm_writer *pnm = (struct pnm_writer *)writer;
    if (pnm->written)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "%s: PGM, PPM and PGX hold one frame", pnm->file.path);
    pnm->written = true;
    struct mist_view view = *frame, narrowed = {0};
    if (frame->type != pnm->type)
        view = narrowed = narrow(frame, pnm->type);
    const size_t size = mist_frame_bytes(view.type, view.width, view.height, view.components);
    uint8_t *packed = memory_allocate(size);
    bool good = view.data && packed;
    if (good && copy_is_packed(&view, packing)) {
        fwrite(view.data, 1, size, pnm->file.stream); /* what fails is found by commit */
    } else if (good) {
        copy_pack(&view, packing, packed);
        fwrite(packed, 1, size, pnm->file.stream);
    }
    memory_free(packed);
    memory_free(narrowed.data);
    return good ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "%s: no memory for writing", pnm->file.path);
}

static enum mist_status pnm_finish(struct format_writer *writer, struct mist_error *error)
{
    return file_writer_commit(&((struct pnm_writer *)writer)->file, error);
}

static void pnm_free(struct format_writer *writer)
{
    struct pnm_writer *pnm = (struct pnm_writer *)writer;
    file_writer_cancel(&pnm->file);
    memory_free(pnm);
}

static enum mist_status open_file(const struct format_target *target, struct pnm_writer **pnm, struct mist_error *error)
{
    static const struct format_writer_ops ops = {.frame = pnm_frame, .finish = pnm_finish, .free = pnm_free};
    *pnm = memory_allocate_zeroed(1, sizeof **pnm);
    if (!*pnm)
        return error_set(error, MIST_ERROR_MEMORY, "%s: no memory for writing", target->path);
    (*pnm)->base.ops = &ops;
    (*pnm)->type = integer_type(target->info.precision, mist_sample_is_signed(target->info.type));
    enum mist_status status = format_target_file(target, &(*pnm)->file, error);
    if (status)
        memory_free(*pnm);
    return status;
}

static enum mist_status pnm_writer_open(const struct format_target *target, struct format_writer **writer,
                                        struct mist_error *error)
{
    const struct mist_image_info *info = &target->info;
    struct pnm_writer *pnm;
    *writer = NULL;
    if (mist_sample_is_signed(info->type) || info->precision > 16 || (info->components != 1 && info->components != 3))
        return error_set(error, MIST_ERROR_UNSUPPORTED,
                         "%s: PGM and PPM hold 1 or 3 components of unsigned samples up to 16 bits", target->path);
    enum mist_status status = open_file(target, &pnm, error);
    if (status)
        return status;
    fprintf(pnm->file.stream, "P%d\n%u %u\n%u\n", info->components == 3 ? 6 : 5, info->width, info->height,
            (1u << info->precision) - 1);
    *writer = &pnm->base;
    return MIST_OK;
}

static enum mist_status pgx_writer_open(const struct format_target *target, struct format_writer **writer,
                                        struct mist_error *error)
{
    const struct mist_image_info *info = &target->info;
    struct pnm_writer *pnm;
    *writer = NULL;
    if (mist_sample_is_float(info->type) || info->components != 1)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "%s: PGX holds one component of integer samples", target->path);
    enum mist_status status = open_file(target, &pnm, error);
    if (status)
        return status;
    fprintf(pnm->file.stream, "PG ML %c%u %u %u\n", mist_sample_is_signed(info->type) ? '-' : '+', info->precision,
            info->width, info->height);
    *writer = &pnm->base;
    return MIST_OK;
}

const struct format_ops format_ops_pnm = {.detect = pnm_detect, .open = pnm_open, .writer_open = pnm_writer_open};
const struct format_ops format_ops_pgx = {.detect = pgx_detect, .open = pgx_open, .writer_open = pgx_writer_open};
