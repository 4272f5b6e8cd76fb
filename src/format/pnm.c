/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Written only, one frame a file: PGM and PPM (binary: grey or RGB, unsigned, up to 16 bits), and PGX (one component of
 * any sign and up to 32 bits, the format of the JPEG 2000 conformance tests).
 */
#include "format/ops.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "format/pack.h"

#include <stdio.h>
#include <string.h>

struct pnm_writer {
    struct format_writer base;
    struct file_writer file;
    unsigned sample; /* bytes in the file */
    bool written;
};

/* One row; a sample is the low `bytes` of a number, most significant first in both formats. */
static void put_row(const struct mist_view *frame, uint32_t y, unsigned bytes, uint8_t *out)
{
    const size_t size = mist_sample_size(frame->type);
    struct mist_view row = *frame;
    row.data = (uint8_t *)frame->data + y * frame->row_stride;
    row.height = 1;
    if (bytes == size) {
        pack_samples(&row, true, out);
        return;
    }
    for (uint32_t x = 0; x < row.width; x++)
        for (uint32_t c = 0; c < row.components; c++) {
            const void *at = (const uint8_t *)row.data + x * row.column_stride + c * row.component_stride;
            uint32_t value = size == 1   ? *(const uint8_t *)at
                             : size == 2 ? *(const uint16_t *)at
                                         : *(const uint32_t *)at;
            for (unsigned byte = bytes; byte--;)
                *out++ = (uint8_t)(value >> 8 * byte);
        }
}

static enum mist_status pnm_frame(struct format_writer *writer, const struct mist_view *frame, struct mist_error *error)
{
    struct pnm_writer *pnm = (struct pnm_writer *)writer;
    if (pnm->written)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "%s: PGM, PPM and PGX hold one frame", pnm->file.path);
    const size_t size = (size_t)frame->width * frame->components * pnm->sample;
    uint8_t *row = memory_allocate(size);
    if (!row)
        return error_set(error, MIST_ERROR_MEMORY, "%s: no memory for writing", pnm->file.path);
    pnm->written = true;
    for (uint32_t y = 0; y < frame->height; y++) {
        put_row(frame, y, pnm->sample, row);
        fwrite(row, 1, size, pnm->file.stream); /* what fails is found by commit */
    }
    memory_free(row);
    return MIST_OK;
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

static enum mist_status open_file(const struct format_target *target, unsigned sample, struct pnm_writer **pnm,
                                  struct mist_error *error)
{
    static const struct format_writer_ops ops = {.frame = pnm_frame, .finish = pnm_finish, .free = pnm_free};
    *pnm = memory_allocate_zeroed(1, sizeof **pnm);
    if (!*pnm)
        return error_set(error, MIST_ERROR_MEMORY, "%s: no memory for writing", target->path);
    (*pnm)->base.ops = &ops;
    (*pnm)->sample = sample;
    enum mist_status status = file_writer_open(target->path, &(*pnm)->file, error);
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
    enum mist_status status = open_file(target, info->precision > 8 ? 2 : 1, &pnm, error);
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
    enum mist_status status = open_file(target, info->precision > 16 ? 4 : info->precision > 8 ? 2 : 1, &pnm, error);
    if (status)
        return status;
    fprintf(pnm->file.stream, "PG ML %c%u %u %u\n", mist_sample_is_signed(info->type) ? '-' : '+', info->precision,
            info->width, info->height);
    *writer = &pnm->base;
    return MIST_OK;
}

const struct format_ops format_ops_pnm = {.writer_open = pnm_writer_open};
const struct format_ops format_ops_pgx = {.writer_open = pgx_writer_open};
