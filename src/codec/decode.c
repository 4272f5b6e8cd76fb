/* SPDX-License-Identifier: BSD-2-Clause */
/* mist_decode(): checks what is asked for, decodes tile by tile, assembles the image. */
#include "base/error.h"
#include "codec/decode_blocks.h"
#include "codec/nonlinearity.h"
#include "codec/parts.h"

#include <string.h>

struct mist_decode_options mist_decode_options_default(void)
{
    return (struct mist_decode_options){.component = -1, .threads = 1};
}

/* What one call does, in terms of the codestream. */
struct image_decode {
    mist_codec *codec;
    struct block_worker *worker;
    struct stream stream;
    const struct mist_decode_options *options;
    uint32_t first, count; /* the components that come out */
    struct mist_view out;  /* the caller's; floats as the integers that hold their bit patterns */
    struct rect region;    /* of the reduced component that `out` shows */
    struct mist_decode_report report;
};

static struct rect reduced_component(const struct codestream_header *header, uint32_t c, unsigned reduce)
{
    const struct codestream_siz *siz = &header->siz;
    struct rect area = geometry_component((struct rect){siz->x0, siz->y0, siz->x1, siz->y1}, &header->component[c]);
    return geometry_resolution(area, reduce);
}

static enum mist_status check_component(const struct image_decode *image, uint32_t c, struct mist_error *error)
{
    const struct codestream_header *header = &image->stream.header;
    if (header->component[c].precision > 32)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "component %u has %u bits; 32 are supported", c,
                         header->component[c].precision);
    if (header->nonlinearity[c] != 0 && header->nonlinearity[c] != NONLINEARITY_SIGN_MAGNITUDE)
        return error_set(error, MIST_ERROR_UNSUPPORTED,
                         "component %u has an NLT (15444-2) non-linearity of type %u, which is not supported", c,
                         header->nonlinearity[c]);
    if (image->options->reduce > header->coding[c].coding.decompositions)
        return error_set(error, MIST_ERROR_ARGUMENT, "reduce %u of a component with %u resolution levels",
                         image->options->reduce, header->coding[c].coding.decompositions + 1u);
    return MIST_OK;
}

static enum mist_status choose_components(struct image_decode *image, struct mist_error *error)
{
    uint32_t components = image->stream.header.siz.components;
    int chosen = image->options->component;
    if (chosen < -1 || (chosen >= 0 && (uint32_t)chosen >= components))
        return error_set(error, MIST_ERROR_ARGUMENT, "component %d of %u", chosen, components);
    image->first = chosen < 0 ? 0 : (uint32_t)chosen;
    image->count = chosen < 0 ? components : 1;
    return MIST_OK;
}

static enum mist_status choose_region(struct image_decode *image, struct mist_error *error)
{
    const uint32_t first = image->first, count = image->count;
    const struct mist_decode_options *options = image->options;
    struct rect whole = reduced_component(&image->stream.header, first, options->reduce);
    for (uint32_t c = first + 1; c < first + count; c++) {
        struct rect other = reduced_component(&image->stream.header, c, options->reduce);
        if (memcmp(&whole, &other, sizeof whole))
            return error_set(error, MIST_ERROR_UNSUPPORTED,
                             "components differ in size: they must be decoded one by one");
    }
    image->region = whole;
    if (!options->region)
        return MIST_OK;
    if (!options->width || !options->height || (uint64_t)options->x + options->width > rect_width(whole) ||
        (uint64_t)options->y + options->height > rect_height(whole))
        return error_set(error, MIST_ERROR_ARGUMENT, "the region %u,%u %ux%u is not inside the %ux%u image", options->x,
                         options->y, options->width, options->height, rect_width(whole), rect_height(whole));
    image->region = (struct rect){whole.x0 + options->x, whole.y0 + options->y, whole.x0 + options->x + options->width,
                                  whole.y0 + options->y + options->height};
    return MIST_OK;
}

/* Floats come out where all components are coded as their bit patterns are (mist_component_info.ordered_float). */
static void take_patterns(struct image_decode *image)
{
    const uint32_t first = image->first, count = image->count;
    const struct codestream_header *header = &image->stream.header;
    enum mist_sample_type patterns = nonlinearity_pattern_type(image->out.type);
    bool all = patterns != MIST_SAMPLE_TYPES;
    for (uint32_t c = first; all && c < first + count; c++)
        all = codestream_ordered_float(header, c) && header->component[c].precision == 8 * mist_sample_size(patterns);
    if (all)
        image->out.type = patterns;
}

static enum mist_status check_output(const struct image_decode *image, struct mist_error *error)
{
    const uint32_t count = image->count;
    const struct mist_view *out = &image->out;
    uint32_t width = rect_width(image->region), height = rect_height(image->region);
    uint64_t limit = image->options->max_samples ? image->options->max_samples : MIST_MAX_FRAME_BYTES / 4;
    if (out->width != width || out->height != height || out->components != count)
        return error_set(error, MIST_ERROR_ARGUMENT, "the output is %ux%u with %u components, the image %ux%u with %u",
                         out->width, out->height, out->components, width, height, count);
    if (mist_sample_is_float(out->type) || !mist_sample_size(out->type))
        return error_set(error, MIST_ERROR_ARGUMENT, "the codestream holds integers, not %s samples",
                         mist_sample_size(out->type) ? mist_sample_name(out->type) : "such");
    if (!width || !height)
        return error_set(error, MIST_ERROR_CORRUPT, "the component has no samples");
    if ((uint64_t)width * height > limit / count)
        return error_set(error, MIST_ERROR_LIMIT, "%ux%u samples of %u components exceed the limit of %llu", width,
                         height, count, (unsigned long long)limit);
    return MIST_OK;
}

/* The first component that must be decoded, and how many: all three where RCT or ICT mixes them. */
static void widen_for_transform(uint32_t *first, uint32_t *count)
{
    uint32_t end = *first + *count;
    *first = 0;
    *count = end < 3 ? 3 : end;
}

static void undo_transform(const struct codec_kernels *kernels, const struct tile_decode *tile)
{
    const struct plane *plane = &tile->output[0].plane;
    struct rect window = tile->output[0].window;
    struct color_job job = {.stride = plane->stride, .width = rect_width(window), .height = rect_height(window)};
    if (rect_empty(window))
        return;
    for (unsigned c = 0; c < 3; c++) /* equal windows, so equal margins and strides */
        job.plane[c] = plane_at(&tile->output[c].plane, window.x0, window.y0);
    if (plane->is_float)
        kernels->ict_inverse(&job);
    else
        kernels->rct_inverse[plane->lane](&job);
}

/* Where a component of a tile has its place in the output. */
struct place {
    struct mist_view view;
    struct transfer_job job;
};

static void find_place(const struct image_decode *image, const struct tile_output *output, uint32_t target,
                       struct place *place)
{
    const struct codestream_component *component = &image->stream.header.component[output->component];
    struct rect window = output->window;
    place->view = image->out;
    place->view.data = (unsigned char *)image->out.data + (window.y0 - image->region.y0) * image->out.row_stride +
                       (window.x0 - image->region.x0) * image->out.column_stride;
    place->view.width = rect_width(window);
    place->view.height = rect_height(window);
    place->job = (struct transfer_job){.view = &place->view, .component = target};
    transfer_set_range(&place->job, component->precision, component->is_signed);
}

/* The component's samples that are still in their plane. */
static bool store_plane(struct image_decode *image, const struct tile_output *output)
{
    const struct codec_kernels *kernels = &image->codec->kernels;
    const struct plane *plane = &output->plane;
    struct transfer_job job = *output->store;
    job.plane = plane_at(plane, output->window.x0, output->window.y0);
    job.stride = plane->stride;
    return parts_transfer(plane->is_float ? kernels->store_float : kernels->store[plane->lane], &job,
                          plane_element(plane), image->codec->pool);
}

static enum mist_status store_component(struct image_decode *image, const struct tile_output *output,
                                        struct mist_error *error)
{
    const struct codestream_header *header = &image->stream.header;
    const uint32_t c = output->component;
    if (!(output->stored ? output->fits : store_plane(image, output)))
        return error_set(error, MIST_ERROR_RANGE, "component %u has values that do not fit into %s samples", c,
                         mist_sample_name(image->out.type));
    if (header->nonlinearity[c] == NONLINEARITY_SIGN_MAGNITUDE && header->component[c].is_signed) {
        struct mist_view view = *output->store->view;
        nonlinearity_undo(&view, output->store->component, header->component[c].precision);
    }
    return MIST_OK;
}

static enum mist_status store_tile(struct image_decode *image, struct tile_decode *tile, struct mist_error *error)
{
    enum mist_status status = MIST_OK;
    if (tile->component_transform)
        undo_transform(&image->codec->kernels, tile);
    for (uint32_t i = 0; i < tile->outputs && !status; i++)
        if (tile->output[i].store)
            status = store_component(image, &tile->output[i], error);
    return status;
}

/* Decodes components first .. first+count-1 of a tile, as far as they are in the region. */
static enum mist_status decode_components(struct image_decode *image, uint32_t index, uint32_t first, uint32_t count,
                                          struct tile_decode *tile, struct mist_error *error)
{
    const struct codestream_header *header = &image->stream.header;
    struct rect area = geometry_tile(&header->siz, index);
    bool touched = false;
    struct tile_output *output = arena_allocate_zeroed(&image->codec->arena, count, sizeof *output);
    struct place *place = arena_allocate(&image->codec->arena, count, sizeof *place);
    if (!output || !place)
        return error_set(error, MIST_ERROR_MEMORY, "no memory for decoding a tile");
    for (uint32_t i = 0; i < count; i++) {
        uint32_t c = first + i;
        struct rect reduced =
            geometry_resolution(geometry_component(area, &header->component[c]), image->options->reduce);
        output[i].component = c;
        output[i].window = rect_intersect(reduced, image->region);
        touched = touched || !rect_empty(output[i].window);
        if (c >= image->first && c < image->first + image->count && !rect_empty(output[i].window)) {
            find_place(image, &output[i], c - image->first, &place[i]);
            output[i].store = &place[i].job;
        }
    }
    *tile = (struct tile_decode){.codec = image->codec,
                                 .worker = image->worker,
                                 .stream = &image->stream,
                                 .index = index,
                                 .reduce = image->options->reduce,
                                 .best_effort = image->options->best_effort,
                                 .output = output,
                                 .outputs = touched ? count : 0};
    return touched ? decode_tile(tile, error) : MIST_OK;
}

static enum mist_status decode_one_tile(struct image_decode *image, uint32_t index, struct mist_error *error)
{
    const struct codestream_header *header = &image->stream.header;
    uint32_t decoded_first = image->first, decoded_count = image->count;
    struct tile_decode tile = {0};
    if (image->first < 3 && header->siz.components >= 3 && header->style.component_transform)
        widen_for_transform(&decoded_first, &decoded_count);
    enum mist_status status = decode_components(image, index, decoded_first, decoded_count, &tile, error);
    if (!status && tile.needs_all_three) { /* the tile's own COD brings the transform in */
        widen_for_transform(&decoded_first, &decoded_count);
        status = decode_components(image, index, decoded_first, decoded_count, &tile, error);
    }
    if (!status)
        status = store_tile(image, &tile, error);
    if (image->report.levels_used < tile.levels_used)
        image->report.levels_used = tile.levels_used;
    return status;
}

static enum mist_status decode_image(struct image_decode *image, struct mist_error *error)
{
    const struct codestream_siz *siz = &image->stream.header.siz;
    enum mist_status status = choose_components(image, error);
    for (uint32_t c = 0; !status && c < image->count; c++)
        status = check_component(image, image->first + c, error);
    if (!status)
        status = choose_region(image, error);
    if (!status) {
        take_patterns(image);
        status = check_output(image, error);
    }
    if (!status) /* now, so that the threads are there when the packets have been read */
        status = parts_start(image->codec, (uint64_t)image->out.width * image->out.height * image->count,
                             image->options->threads, error);
    if (status)
        return status;
    image->worker = decode_blocks_start(image->codec);
    if (!image->worker)
        return error_set(error, MIST_ERROR_MEMORY, "no memory for decoding");
    for (uint32_t tile = 0; !status && tile < siz->tiles_wide * siz->tiles_high; tile++) {
        struct arena_mark mark = arena_mark(&image->codec->arena);
        status = decode_one_tile(image, tile, error);
        arena_rewind(&image->codec->arena, mark);
    }
    image->report.blocks_decoded = (uint32_t)decode_blocks_count(image->codec, image->worker);
    return status;
}

/* Decodes the image's stream, which is open, and closes it. */
static enum mist_status decode_stream(struct image_decode *image, struct mist_decode_report *report,
                                      struct mist_error *error)
{
    enum mist_status status = decode_image(image, error);
    stream_close(&image->stream);
    if (!status && report)
        *report = image->report;
    return status;
}

enum mist_status mist_decode(mist_codec *codec, const uint8_t *data, size_t size,
                             const struct mist_decode_options *options, struct mist_view *out,
                             struct mist_decode_report *report, struct mist_error *error)
{
    struct mist_decode_options standard = mist_decode_options_default();
    struct image_decode image = {.codec = codec, .options = options ? options : &standard, .out = *out};
    arena_reset(&codec->arena);
    enum mist_status status = stream_open(data, size, &image.stream, error);
    return status ? status : decode_stream(&image, report, error);
}

enum mist_status codec_decode_packets(mist_codec *codec, const uint8_t *main_header, size_t size,
                                      const struct codec_packets *packets, const struct mist_decode_options *options,
                                      struct mist_view *out, struct mist_decode_report *report,
                                      struct mist_error *error)
{
    struct mist_decode_options standard = mist_decode_options_default();
    struct image_decode image = {.codec = codec, .options = options ? options : &standard, .out = *out};
    arena_reset(&codec->arena);
    enum mist_status status = stream_open_packets(main_header, size, packets, &image.stream, error);
    return status ? status : decode_stream(&image, report, error);
}
