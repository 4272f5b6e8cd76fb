/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pictures that others decode: JPEG by the browser, JPEG 2000 by j2k.wasm. Who reads one that is not at hand is told
 * so; JavaScript takes the compressed bytes, decodes them, gives the samples, and reads again. The last one is kept.
 */
#include "wasm/wasm.h"

#include "base/checksum.h"
#include "base/error.h"
#include "base/memory.h"
#include "codec/foreign.h"
#include "codec/part1.h"
#include "coder/jpeg_file.h"

#include <string.h>

enum picture_kind { PICTURE_JPEG, PICTURE_J2K };

/* What is wanted, and what is at hand. Samples: `components` a pixel, whole pixels one after another, row by row. */
static struct {
    bool wanted;
    uint64_t of; /* checksum of the compressed bytes */
    enum picture_kind kind;
    unsigned reduce;
    enum mist_sample_type type; /* of JPEG 2000: the view that is asked for */
    uint32_t width, height, components;
    struct mist_buffer bytes;
} want;
static struct {
    bool here;
    uint64_t of; /* checksum of the compressed bytes */
    unsigned reduce;
    uint32_t width, height, components, sample_size;
    uint8_t *samples;
} have;

void wasm_pictures_clear(void)
{
    want.wanted = false;
}

bool wasm_picture_wanted(void)
{
    return want.wanted;
}

/* The bytes that a picture is to be made of; wasm_wanted_kind() and _reduce() tell how. */
WASM_EXPORT(wanted_bytes) const uint8_t *wasm_wanted_bytes(void)
{
    return want.bytes.data;
}
WASM_EXPORT(wanted_size) size_t wasm_wanted_size(void)
{
    return want.bytes.size;
}
/* Names them: pages decode several pictures at the same time, and give each with its own. */
WASM_EXPORT(wanted_key) uint64_t wasm_wanted_key(void)
{
    return want.of;
}
WASM_EXPORT(wanted_kind) int wasm_wanted_kind(void)
{
    return (int)want.kind;
}
WASM_EXPORT(wanted_reduce) unsigned wasm_wanted_reduce(void)
{
    return want.reduce;
}
WASM_EXPORT(wanted_type) unsigned wasm_wanted_type(void)
{
    return (unsigned)want.type;
}
WASM_EXPORT(wanted_width) uint32_t wasm_wanted_width(void)
{
    return want.width;
}
WASM_EXPORT(wanted_height) uint32_t wasm_wanted_height(void)
{
    return want.height;
}
WASM_EXPORT(wanted_components) uint32_t wasm_wanted_components(void)
{
    return want.components;
}

/* Takes the samples, which were allocated with wasm_allocate(), of what wasm_wanted_key() and _reduce() named. */
WASM_EXPORT(give_picture)
void wasm_give_picture(uint64_t key, unsigned reduce, uint8_t *samples, uint32_t width, uint32_t height,
                       uint32_t components, uint32_t sample_size)
{
    memory_free(have.samples);
    have.here = true;
    have.of = key;
    have.reduce = reduce;
    have.width = width;
    have.height = height;
    have.components = components;
    have.sample_size = sample_size;
    have.samples = samples;
}

/* MIST_OK where the picture is at hand. */
static enum mist_status take(enum picture_kind kind, const uint8_t *data, size_t size, unsigned reduce,
                             struct mist_error *error)
{
    const uint64_t of = checksum(data, size);
    if (have.here && have.reduce == reduce && have.of == of)
        return MIST_OK;
    want.bytes.size = 0;
    if (!buffer_append(&want.bytes, data, size))
        return error_set(error, MIST_ERROR_MEMORY, "a compressed picture: out of memory");
    want.wanted = true;
    want.of = of;
    want.kind = kind;
    want.reduce = reduce;
    return error_set(error, MIST_ERROR_UNSUPPORTED, "a compressed picture has to be decoded first");
}

static uint8_t *sample_of(const struct mist_view *out, uint32_t x, uint32_t y, uint32_t c)
{
    return (uint8_t *)out->data + y * out->row_stride + x * out->column_stride + c * out->component_stride;
}

/* The mean of the pixels of the whole picture that lie in pixel (x, y) of the reduced one. */
static uint8_t mean(unsigned reduce, uint32_t x, uint32_t y, uint32_t c)
{
    const uint32_t side = 1u << reduce, right = (x + 1) * side, below = (y + 1) * side;
    const uint32_t end_x = right < have.width ? right : have.width, end_y = below < have.height ? below : have.height;
    uint32_t sum = 0, count = (end_x - x * side) * (end_y - y * side);
    for (uint32_t j = y * side; j < end_y; j++)
        for (uint32_t i = x * side; i < end_x; i++)
            sum += have.samples[((size_t)j * have.width + i) * have.components + c];
    return (uint8_t)((sum + count / 2) / count);
}

/* Browsers decode the whole size, into RGBA; libjpeg's own smaller transforms differ from these means by little. */
enum mist_status jpeg_pixels_decode(const struct jpeg_reduced *reduced, unsigned reduce, const struct mist_view *out,
                                    struct mist_error *error)
{
    struct mist_buffer file = {0};
    if (reduced->frame.colour > JPEG_RGB)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "browsers show no JPEG pictures of four colours as they are");
    enum mist_status status = jpeg_file_write(&reduced->frame, &reduced->planes, &file, error);
    if (!status)
        status = take(PICTURE_JPEG, file.data, file.size, reduce, error);
    mist_buffer_free(&file);
    if (status)
        return status;
    if (mist_reduced_size(have.width, reduce) != out->width || mist_reduced_size(have.height, reduce) != out->height ||
        have.components < out->components || have.sample_size != 1)
        return error_set(error, MIST_ERROR_CORRUPT, "the browser made a picture of another size of a JPEG frame");
    for (uint32_t y = 0; y < out->height; y++)
        for (uint32_t x = 0; x < out->width; x++)
            for (uint32_t c = 0; c < out->components; c++)
                *sample_of(out, x, y, c) = mean(reduce, x, y, c);
    return MIST_OK;
}

/* codec/part1.h: what j2k.wasm makes is of the view's own type. */
enum mist_status part1_decode(const uint8_t *data, size_t size, unsigned reduce, struct mist_view *out,
                              struct mist_error *error)
{
    const size_t bytes = mist_sample_size(out->type);
    enum mist_status status = take(PICTURE_J2K, data, size, reduce, error);
    want.type = out->type;
    want.width = out->width;
    want.height = out->height;
    want.components = out->components;
    if (status)
        return status;
    if (have.width != out->width || have.height != out->height || have.components != out->components ||
        have.sample_size != bytes)
        return error_set(error, MIST_ERROR_CORRUPT, "a JPEG 2000 frame is of another size than the item says");
    for (uint32_t y = 0; y < out->height; y++)
        for (uint32_t x = 0; x < out->width; x++)
            for (uint32_t c = 0; c < out->components; c++)
                memcpy(sample_of(out, x, y, c),
                       have.samples + bytes * (((size_t)y * have.width + x) * have.components + c), bytes);
    return MIST_OK;
}
