/* SPDX-License-Identifier: BSD-2-Clause */
#include "coder/j2k_openjpeg.h"

#include "base/error.h"
#include "codec/stream.h"

#include <openjpeg.h>
#include <stdio.h>
#include <string.h>

/* ---- limits ---- */

/*
 * OpenJPEG makes all precincts and code-blocks of a tile, some 400 bytes each, before it looks at packets; notes 2
 * bytes for each packet that may come; and tries every position of the progression orders that go by position. A header
 * of a few bytes can ask for any amount of each.
 */
#define MAX_BLOCKS ((uint64_t)1 << 21)    /* precincts and code-blocks of a tile */
#define MAX_PACKETS ((uint64_t)1 << 27)   /* layers x components x levels x most precincts of a level */
#define MAX_POSITIONS ((uint64_t)1 << 28) /* x components x levels */

struct tile_work {
    uint64_t blocks;
    uint64_t precincts; /* of the level that has most */
    uint64_t levels;    /* of all components */
    uint64_t dx, dy;    /* least distance of two precincts on the reference grid */
};

static uint64_t at_least(uint64_t value, uint64_t other)
{
    return value < other ? other : value;
}
static uint64_t at_most(uint64_t value, uint64_t other)
{
    return value < other ? value : other;
}

static void add_level(struct tile_work *work, const struct tile_component *component, unsigned level)
{
    const struct resolution *resolution = &component->resolution[level];
    const struct geometry_precincts *grid = &resolution->grid;
    unsigned down = component->resolutions - 1 - level;
    for (unsigned b = 0; b < resolution->bands; b++) { /* a block more for each precinct that cuts one */
        struct rect band = resolution->band[b].rect;
        uint64_t wide = (rect_width(band) >> grid->block_width_log2) + (uint64_t)grid->wide + 1;
        uint64_t high = (rect_height(band) >> grid->block_height_log2) + (uint64_t)grid->high + 1;
        work->blocks += rect_empty(band) ? 0 : wide * high;
    }
    work->blocks += resolution->precincts;
    work->precincts = at_least(work->precincts, resolution->precincts);
    work->levels++;
    work->dx = at_most(work->dx, (uint64_t)component->sampling.dx << (grid->width_log2 + down));
    work->dy = at_most(work->dy, (uint64_t)component->sampling.dy << (grid->height_log2 + down));
}

static enum mist_status check_tile(const struct codestream_header *header, const struct tile *tile,
                                   struct mist_error *error)
{
    struct tile_work work = {.dx = UINT64_MAX, .dy = UINT64_MAX};
    for (uint32_t c = 0; c < tile->components; c++)
        for (unsigned level = 0; level < tile->component[c].resolutions; level++)
            add_level(&work, &tile->component[c], level);
    uint64_t positions = (rect_width(tile->rect) / work.dx + 1) * (rect_height(tile->rect) / work.dy + 1);
    bool fits = work.blocks <= MAX_BLOCKS && work.precincts <= MAX_BLOCKS &&
                work.precincts * work.levels <= MAX_PACKETS / (header->style.layers + 1u) &&
                positions <= MAX_POSITIONS / work.levels;
    return fits ? MIST_OK
                : error_set(error, MIST_ERROR_LIMIT,
                            "the JPEG 2000 codestream's header asks for more precincts, code-blocks or layers than are "
                            "decoded");
}

static enum mist_status check_work(const struct stream *stream, struct mist_error *error)
{
    const struct codestream_header *header = &stream->header;
    uint32_t tiles = header->siz.tiles_wide * header->siz.tiles_high;
    struct arena arena = {0};
    enum mist_status status = MIST_OK;
    for (uint32_t i = 0; i < tiles && !status; i++) {
        struct arena_mark mark = arena_mark(&arena);
        struct tile_scan scan = {.stream = stream, .arena = &arena, .index = i};
        status = tile_scan_open(&scan, error); /* with the tile's own coding parameters */
        if (!status)
            status = check_tile(header, &scan.tile, error);
        if (!status && scan.tile.style.layers != header->style.layers)
            status = error_set(error, MIST_ERROR_UNSUPPORTED, "tile %u has layers of its own", i);
        tile_scan_close(&scan);
        arena_rewind(&arena, mark);
    }
    arena_free(&arena);
    return status;
}

/* ---- OpenJPEG's view of memory ---- */

struct memory_stream {
    const uint8_t *data;
    size_t size;
    size_t at;
};

static OPJ_SIZE_T read_bytes(void *buffer, OPJ_SIZE_T size, void *context)
{
    struct memory_stream *stream = context;
    size_t left = stream->size - stream->at;
    if (!left)
        return (OPJ_SIZE_T)-1;
    if (size > left)
        size = left;
    memcpy(buffer, stream->data + stream->at, size);
    stream->at += size;
    return size;
}

static OPJ_OFF_T skip_bytes(OPJ_OFF_T size, void *context)
{
    struct memory_stream *stream = context;
    if (size < 0)
        return -1;
    if ((uint64_t)size > stream->size - stream->at)
        size = (OPJ_OFF_T)(stream->size - stream->at);
    stream->at += (size_t)size;
    return size;
}

static OPJ_BOOL seek_bytes(OPJ_OFF_T to, void *context)
{
    struct memory_stream *stream = context;
    if (to < 0 || (uint64_t)to > stream->size)
        return OPJ_FALSE;
    stream->at = (size_t)to;
    return OPJ_TRUE;
}

/* Keeps the first thing that OpenJPEG complains about. */
static void note_message(const char *message, void *context)
{
    char *kept = context;
    if (!*kept) {
        snprintf(kept, 200, "%s", message);
        kept[strcspn(kept, "\r\n")] = '\0';
    }
}

/* ---- decoding ---- */

static opj_stream_t *open_stream(struct memory_stream *memory)
{
    opj_stream_t *stream = opj_stream_create(1 << 16, OPJ_TRUE);
    if (!stream)
        return NULL;
    opj_stream_set_user_data(stream, memory, NULL);
    opj_stream_set_user_data_length(stream, memory->size);
    opj_stream_set_read_function(stream, read_bytes);
    opj_stream_set_skip_function(stream, skip_bytes);
    opj_stream_set_seek_function(stream, seek_bytes);
    return stream;
}

/* The whole image, or NULL with what is wrong in `message`, of 200 bytes. */
static opj_image_t *decode_image(struct memory_stream *memory, unsigned reduce, char *message)
{
    opj_dparameters_t parameters;
    opj_image_t *image = NULL;
    opj_stream_t *stream = open_stream(memory);
    opj_codec_t *codec = opj_create_decompress(OPJ_CODEC_J2K);
    opj_set_default_decoder_parameters(&parameters);
    parameters.cp_reduce = reduce;
    bool good = stream && codec && opj_set_error_handler(codec, note_message, message) &&
                opj_setup_decoder(codec, &parameters) && opj_read_header(stream, codec, &image) &&
                opj_decode(codec, stream, image) && opj_end_decompress(codec, stream);
    if (codec)
        opj_destroy_codec(codec);
    if (stream)
        opj_stream_destroy(stream);
    if (!good && image) {
        opj_image_destroy(image);
        image = NULL;
    }
    return image;
}

#define PUT_ROW(TYPE)                                                     \
    for (uint32_t x = 0; x < view->width; x++, to += view->column_stride) \
    *(TYPE *)(void *)to = (TYPE)from[x]

static void put_row(const struct mist_view *view, unsigned char *to, const OPJ_INT32 *from)
{
    switch (mist_sample_size(view->type)) {
    case 1:
        PUT_ROW(uint8_t);
        break;
    case 2:
        PUT_ROW(uint16_t);
        break;
    default:
        PUT_ROW(uint32_t);
    }
}

/* The view is of the picture's size: so much memory the caller expects. */
static enum mist_status check_size(const struct codestream_header *header, unsigned reduce, const struct mist_view *out,
                                   struct mist_error *error)
{
    const struct codestream_siz *siz = &header->siz;
    struct rect area = geometry_component((struct rect){siz->x0, siz->y0, siz->x1, siz->y1}, &header->component[0]);
    area = geometry_resolution(area, reduce);
    if (rect_width(area) == out->width && rect_height(area) == out->height)
        return MIST_OK;
    return error_set(error, MIST_ERROR_ARGUMENT, "the view is %u x %u, the picture %u x %u", out->width, out->height,
                     rect_width(area), rect_height(area));
}

static enum mist_status copy_out(const opj_image_t *image, struct mist_view *out, struct mist_error *error)
{
    if (image->numcomps != out->components)
        return error_set(error, MIST_ERROR_CORRUPT, "OpenJPEG decoded %u components of %u", image->numcomps,
                         out->components);
    for (uint32_t c = 0; c < out->components; c++) {
        const opj_image_comp_t *component = &image->comps[c];
        if (!component->data)
            return error_set(error, MIST_ERROR_CORRUPT, "OpenJPEG decoded no samples of component %u", c);
        if (component->w != out->width || component->h != out->height)
            return error_set(error, MIST_ERROR_CORRUPT, "OpenJPEG decoded %u x %u samples of %u x %u", component->w,
                             component->h, out->width, out->height);
        for (uint32_t y = 0; y < out->height; y++)
            put_row(out, (unsigned char *)out->data + c * out->component_stride + y * out->row_stride,
                    component->data + (size_t)y * component->w);
    }
    return MIST_OK;
}

enum mist_status j2k_openjpeg_decode(const uint8_t *data, size_t size, unsigned reduce, struct mist_view *out,
                                     struct mist_error *error)
{
    struct stream stream;
    char message[200] = "";
    enum mist_status status = stream_open(data, size, &stream, error);
    if (status)
        return status;
    status = check_size(&stream.header, reduce, out, error);
    if (!status)
        status = check_work(&stream, error);
    stream_close(&stream);
    if (status)
        return status;
    struct memory_stream memory = {data, size, 0};
    opj_image_t *image = decode_image(&memory, reduce, message);
    if (!image)
        return error_set(error, MIST_ERROR_CORRUPT, "OpenJPEG: %s", *message ? message : "it cannot decode this");
    status = copy_out(image, out, error);
    opj_image_destroy(image);
    return status;
}
