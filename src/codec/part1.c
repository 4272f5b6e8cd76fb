/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/part1.h"

#include "base/error.h"
#include "codec/jph.h"
#include "codec/stream.h"

#include <openjpeg.h>
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

/* The picture that the header speaks of is the one asked for: so much memory the caller expects. */
static enum mist_status check_picture(const struct codestream_header *header, unsigned reduce,
                                      const struct mist_view *out, struct mist_error *error)
{
    const struct codestream_siz *siz = &header->siz;
    if (siz->components != out->components)
        return error_set(error, MIST_ERROR_ARGUMENT, "a view of %u components for %u", out->components,
                         (unsigned)siz->components);
    for (uint32_t c = 0; c < out->components; c++)
        if (header->component[c].dx != 1 || header->component[c].dy != 1)
            return error_set(error, MIST_ERROR_UNSUPPORTED, "a JPEG 2000 codestream with sub-sampled components");
    struct rect area = geometry_resolution((struct rect){siz->x0, siz->y0, siz->x1, siz->y1}, reduce);
    if (rect_width(area) == out->width && rect_height(area) == out->height)
        return MIST_OK;
    return error_set(error, MIST_ERROR_ARGUMENT, "a view of %u x %u samples for %u x %u", out->width, out->height,
                     rect_width(area), rect_height(area));
}

static enum mist_status check_header(const struct codestream_span *span, unsigned reduce, const struct mist_view *out,
                                     struct mist_error *error)
{
    struct stream stream;
    enum mist_status status = stream_open(span->data, span->size, &stream, error);
    if (status)
        return status;
    status = check_picture(&stream.header, reduce, out, error);
    if (!status)
        status = check_work(&stream, error);
    stream_close(&stream);
    return status;
}

/* ---- OpenJPEG ---- */

/* A codestream in memory as OpenJPEG reads it. */
struct memory {
    const uint8_t *data;
    size_t size;
    size_t at;
};

static OPJ_SIZE_T memory_read(void *buffer, OPJ_SIZE_T size, void *user)
{
    struct memory *memory = user;
    size_t left = memory->size - memory->at;
    if (left == 0)
        return (OPJ_SIZE_T)-1;
    size = size < left ? size : left;
    memcpy(buffer, memory->data + memory->at, size);
    memory->at += size;
    return size;
}

static OPJ_OFF_T memory_skip(OPJ_OFF_T count, void *user)
{
    struct memory *memory = user;
    if (count < 0)
        return -1;
    size_t left = memory->size - memory->at;
    memory->at += (uint64_t)count < left ? (size_t)count : left;
    return count;
}

static OPJ_BOOL memory_seek(OPJ_OFF_T offset, void *user)
{
    struct memory *memory = user;
    if (offset < 0 || (uint64_t)offset > memory->size)
        return OPJ_FALSE;
    memory->at = (size_t)offset;
    return OPJ_TRUE;
}

static opj_stream_t *open_stream(struct memory *memory)
{
    opj_stream_t *stream = opj_stream_default_create(OPJ_TRUE);
    if (!stream)
        return NULL;
    opj_stream_set_read_function(stream, memory_read);
    opj_stream_set_skip_function(stream, memory_skip);
    opj_stream_set_seek_function(stream, memory_seek);
    opj_stream_set_user_data(stream, memory, NULL);
    opj_stream_set_user_data_length(stream, memory->size);
    return stream;
}

/* The first thing that OpenJPEG complains of, as one line. */
struct complaint {
    char text[160];
};

static void complain(const char *message, void *user)
{
    struct complaint *complaint = user;
    if (complaint->text[0])
        return;
    strncpy(complaint->text, message, sizeof complaint->text - 1);
    complaint->text[strcspn(complaint->text, "\r\n")] = '\0';
}

static void ignore(const char *message, void *user)
{
    (void)message;
    (void)user;
}

static enum mist_status failed(const struct complaint *complaint, struct mist_error *error)
{
    return error_set(error, MIST_ERROR_CORRUPT, "a JPEG 2000 codestream cannot be decoded: %s",
                     complaint->text[0] ? complaint->text : "OpenJPEG does not say why");
}

static void copy_row(const OPJ_INT32 *from, uint8_t *to, size_t step, uint32_t count, size_t size)
{
    for (uint32_t x = 0; x < count; x++, to += step) {
        if (size == 1) {
            *to = (uint8_t)from[x];
        } else if (size == 2) {
            uint16_t value = (uint16_t)from[x];
            memcpy(to, &value, 2);
        } else {
            memcpy(to, &from[x], 4);
        }
    }
}

static enum mist_status copy_out(const opj_image_t *image, struct mist_view *out, struct mist_error *error)
{
    for (uint32_t c = 0; c < out->components; c++) {
        const opj_image_comp_t *component = &image->comps[c];
        if (!component->data || component->w != out->width || component->h != out->height)
            return error_set(error, MIST_ERROR_CORRUPT, "a JPEG 2000 codestream whose components differ in size");
        for (uint32_t y = 0; y < out->height; y++)
            copy_row(component->data + (size_t)y * component->w,
                     (uint8_t *)out->data + y * out->row_stride + c * out->component_stride, out->column_stride,
                     out->width, mist_sample_size(out->type));
    }
    return MIST_OK;
}

enum mist_status part1_decode(const uint8_t *data, size_t size, unsigned reduce, struct mist_view *out,
                              struct mist_error *error)
{
    struct complaint complaint = {{0}};
    struct codestream_span span;
    opj_dparameters_t parameters;
    opj_set_default_decoder_parameters(&parameters);
    parameters.cp_reduce = reduce;
    if (mist_sample_is_float(out->type) || mist_sample_size(out->type) > 4 || reduce > 32)
        return error_set(error, MIST_ERROR_ARGUMENT, "JPEG 2000 is decoded into integers");
    enum mist_status status = jph_find_codestream(data, size, &span, error);
    if (!status)
        status = check_header(&span, reduce, out, error);
    if (status)
        return status;
    struct memory memory = {span.data, span.size, 0};
    opj_image_t *image = NULL;
    opj_stream_t *stream = open_stream(&memory);
    opj_codec_t *codec = opj_create_decompress(OPJ_CODEC_J2K);
    if (!stream || !codec) {
        status = error_set(error, MIST_ERROR_MEMORY, "out of memory decoding JPEG 2000");
        goto end;
    }
    opj_set_error_handler(codec, complain, &complaint);
    opj_set_warning_handler(codec, ignore, NULL);
    opj_set_info_handler(codec, ignore, NULL);
    if (!opj_setup_decoder(codec, &parameters) || !opj_decoder_set_strict_mode(codec, OPJ_TRUE) ||
        !opj_read_header(stream, codec, &image) || !opj_decode(codec, stream, image))
        status = failed(&complaint, error);
    if (!status)
        status = copy_out(image, out, error);
end:
    opj_image_destroy(image);
    opj_destroy_codec(codec);
    opj_stream_destroy(stream);
    return status;
}
