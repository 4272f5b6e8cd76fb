/* SPDX-License-Identifier: BSD-2-Clause */
/* NumPy arrays (.npy, format version 1.0), written only: frames x height x width x components, sides of 1 left out. */
#include "format/ops.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

#include <stdio.h>
#include <string.h>

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ORDER '<'
#else
#define ORDER '>'
#endif

struct npy_writer {
    struct format_writer base;
    struct file_writer file;
    struct mist_image_info info;
    unsigned char *row; /* one row, interleaved */
};

static enum mist_status npy_frame(struct format_writer *writer, const struct mist_view *frame, struct mist_error *error)
{
    struct npy_writer *npy = (struct npy_writer *)writer;
    size_t sample = mist_sample_size(frame->type);
    (void)error; /* writing errors are sticky and reported by finish */
    for (uint32_t y = 0; y < frame->height; y++) {
        unsigned char *to = npy->row;
        for (uint32_t x = 0; x < frame->width; x++)
            for (uint32_t c = 0; c < frame->components; c++, to += sample)
                memcpy(to,
                       (const unsigned char *)frame->data + x * frame->column_stride + y * frame->row_stride +
                           c * frame->component_stride,
                       sample);
        fwrite(npy->row, 1, (size_t)(to - npy->row), npy->file.stream);
    }
    return MIST_OK;
}

static enum mist_status npy_finish(struct format_writer *writer, struct mist_error *error)
{
    return file_writer_commit(&((struct npy_writer *)writer)->file, error);
}

static void npy_free(struct format_writer *writer)
{
    struct npy_writer *npy = (struct npy_writer *)writer;
    file_writer_cancel(&npy->file);
    memory_free(npy->row);
    memory_free(npy);
}

/* Magic, version, header length; a Python dictionary padded with spaces so that the data starts at a multiple of 64. */
static void write_head(FILE *stream, const struct mist_image_info *info)
{
    char shape[64] = "", text[192];
    const uint32_t sides[4] = {info->frames, info->height, info->width, info->components};
    for (unsigned i = 0; i < 4; i++)
        if (sides[i] != 1 || i == 1 || i == 2)
            snprintf(shape + strlen(shape), sizeof shape - strlen(shape), "%s%u", shape[0] ? ", " : "", sides[i]);
    char kind = mist_sample_is_float(info->type) ? 'f' : mist_sample_is_signed(info->type) ? 'i' : 'u';
    size_t sample = mist_sample_size(info->type);
    int length = snprintf(text, sizeof text, "{'descr': '%c%c%zu', 'fortran_order': False, 'shape': (%s), }",
                          sample == 1 ? '|' : ORDER, kind, sample, shape);
    unsigned total = ((unsigned)length + 1 + 10 + 63) / 64 * 64, header = total - 10;
    fwrite("\x93NUMPY\x01\x00", 1, 8, stream);
    fputc((int)(header & 0xff), stream);
    fputc((int)(header >> 8), stream);
    fprintf(stream, "%-*s\n", (int)header - 1, text);
}

static enum mist_status npy_writer_open(const struct format_target *target, struct format_writer **writer,
                                        struct mist_error *error)
{
    static const struct format_writer_ops ops = {.frame = npy_frame, .finish = npy_finish, .free = npy_free};
    struct npy_writer *npy = memory_allocate_zeroed(1, sizeof *npy);
    *writer = NULL;
    if (npy) {
        npy->base.ops = &ops;
        npy->info = target->info;
        npy->row = memory_allocate_array((size_t)target->info.width * target->info.components,
                                         mist_sample_size(target->info.type));
    }
    if (!npy || !npy->row) {
        memory_free(npy);
        return error_set(error, MIST_ERROR_MEMORY, "%s: no memory for writing", target->path);
    }
    enum mist_status status = file_writer_open(target->path, &npy->file, error);
    if (status) {
        npy_free(&npy->base);
        return status;
    }
    write_head(npy->file.stream, &npy->info);
    *writer = &npy->base;
    return MIST_OK;
}

const struct format_ops format_ops_npy = {.writer_open = npy_writer_open};
