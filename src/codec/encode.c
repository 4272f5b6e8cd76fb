/* SPDX-License-Identifier: BSD-2-Clause */
/* One frame of samples -> codestream: parameters, transform, blocks, packets, tile-parts. */
#include "codec/encode_frame.h"
#include "codec/markers_write.h"
#include "codec/nonlinearity.h"
#include "codec/packet_write.h"
#include "codec/packets.h"
#include "codec/parts.h"
#include "codec/progression.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"

#include <string.h>

enum mist_status encode_no_memory(const struct encoder *encoder, struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "no memory to encode a frame of %u x %u", encoder->frame->width,
                     encoder->frame->height);
}

static enum mist_status no_memory(const struct encoder *encoder)
{
    return encode_no_memory(encoder, encoder->error);
}

enum mist_status encode_out_of_range(const struct encoder *encoder, struct mist_error *error)
{
    return error_set(error, MIST_ERROR_RANGE, "a sample does not fit into %u %s bits", encoder->setup.precision,
                     mist_sample_is_signed(encoder->frame->type) ? "signed" : "unsigned");
}

/* ---- samples -> planes ---- */

struct transfer_job encode_transfer(const struct encoder *encoder, uint32_t c)
{
    struct transfer_job job = {.view = encoder->frame, .component = c, .stride = encoder->stride};
    transfer_set_range(&job, encoder->setup.precision, mist_sample_is_signed(encoder->frame->type));
    return job;
}

static enum mist_status load_component(struct encoder *encoder, uint32_t c)
{
    const struct mist_view *frame = encoder->frame;
    bool irreversible = encoder->options->irreversible;
    size_t element = irreversible ? sizeof(float) : codec_lane_size(encoder->lane);
    encoder->plane[c] = arena_allocate(encoder->arena, encoder->stride * frame->height, element);
    if (!encoder->plane[c])
        return no_memory(encoder);
    struct transfer_job job = encode_transfer(encoder, c);
    job.plane = encoder->plane[c];
    if (!parts_transfer(irreversible ? encoder->kernels->load_float : encoder->kernels->load[encoder->lane], &job,
                        element, encoder->codec->pool))
        return encode_out_of_range(encoder, encoder->error);
    return MIST_OK;
}

/* The three planes that a colour transform mixes. */
static enum mist_status load_mixed(struct encoder *encoder)
{
    const struct mist_view *frame = encoder->frame;
    enum mist_status status = MIST_OK;
    for (uint32_t c = 0; c < 3 && !status; c++)
        status = load_component(encoder, c);
    if (status)
        return status;
    struct color_job color = {
        {encoder->plane[0], encoder->plane[1], encoder->plane[2]}, encoder->stride, frame->width, frame->height};
    if (encoder->options->irreversible)
        encoder->kernels->ict_forward(&color);
    else
        encoder->kernels->rct_forward[encoder->lane](&color);
    return MIST_OK;
}

/* ---- bands -> coded blocks ---- */

/* Room for one more block. Unused room of a chunk is lost only when the next block might not fit. */
static bool reserve_bytes(struct encoder *encoder, struct block_worker *worker, size_t size)
{
    enum { CHUNK = 1 << 18 };
    if (worker->bytes_left >= size)
        return true;
    size_t chunk = size > CHUNK ? size : CHUNK;
    pthread_mutex_lock(&encoder->arena_lock);
    worker->bytes = arena_allocate(encoder->arena, chunk, 1);
    pthread_mutex_unlock(&encoder->arena_lock);
    worker->bytes_left = worker->bytes ? chunk : 0;
    return worker->bytes != NULL;
}

enum mist_status encode_block_row(struct encoder *encoder, const struct block_row *row, unsigned thread,
                                  struct mist_error *error)
{
    struct block_worker *worker = &encoder->worker[thread];
    const struct precinct_band *part = row->part;
    const struct rect band = row->band->rect;
    for (uint32_t column = 0; column < part->grid.wide; column++) {
        struct rect area = geometry_block(&row->resolution->grid, &part->grid, part->area, column, row->row);
        size_t offset = (size_t)(area.y0 - band.y0 - row->first_row) * row->stride + (area.x0 - band.x0);
        struct block_encode_job job = {
            .samples = (const uint8_t *)row->samples + offset * codec_lane_size(encoder->lane),
            .stride = row->stride,
            .width = rect_width(area),
            .height = rect_height(area),
        };
        if (!reserve_bytes(encoder, worker, block_encode_bound(job.width, job.height, row->band->planes)))
            return error_set(error, MIST_ERROR_MEMORY, "no memory for coded blocks");
        job.out = worker->bytes;
        job.capacity = worker->bytes_left;
        size_t size = encoder->kernels->block_encode[encoder->lane](&job, worker->scratch);
        struct code_block *block = &part->block[(size_t)row->row * part->grid.wide + column];
        block->cleanup = worker->bytes;
        block->cleanup_size = (uint32_t)size;
        worker->bytes += size;
        worker->bytes_left -= size;
    }
    return MIST_OK;
}

static enum mist_status code_row(void *context, uint64_t index, unsigned thread, struct mist_error *error)
{
    struct encoder *encoder = context;
    return encode_block_row(encoder, &encoder->rows[index], thread, error);
}

static bool add_row(struct encoder *encoder, const struct block_row *row)
{
    if (encoder->row_count == encoder->row_capacity) {
        uint64_t capacity = encoder->row_capacity ? 2 * encoder->row_capacity : 256;
        struct block_row *rows = arena_allocate(encoder->arena, (size_t)capacity, sizeof *rows);
        if (!rows)
            return false;
        if (encoder->row_count)
            memcpy(rows, encoder->rows, (size_t)encoder->row_count * sizeof *rows);
        encoder->rows = rows;
        encoder->row_capacity = capacity;
    }
    encoder->rows[encoder->row_count++] = *row;
    return true;
}

static enum mist_status make_precincts(struct encoder *encoder, struct resolution *resolution)
{
    enum mist_status status = MIST_OK;
    for (uint64_t n = 0; n < resolution->precincts && !status; n++)
        status = tile_make_precinct(encoder->arena, &encoder->tile, resolution, n, ENCODE_INPUT_SIZE, encoder->error);
    return status;
}

/* Notes down the blocks of band b for code_blocks(). The samples stay where they are until then. */
static enum mist_status add_band(struct encoder *encoder, struct resolution *resolution, unsigned b,
                                 const struct band_plane *plane)
{
    struct block_row row = {
        .resolution = resolution, .band = &resolution->band[b], .samples = plane->data, .stride = plane->stride};
    for (uint64_t n = 0; n < resolution->precincts; n++) {
        row.part = &resolution->precinct[n]->band[b];
        for (row.row = 0; row.row < (row.part->grid.wide ? row.part->grid.high : 0); row.row++)
            if (!add_row(encoder, &row))
                return no_memory(encoder);
    }
    return MIST_OK;
}

static bool make_workers(struct encoder *encoder)
{
    const unsigned threads = pool_threads(encoder->codec->pool);
    encoder->worker = arena_allocate_zeroed(encoder->arena, threads, sizeof *encoder->worker);
    for (unsigned i = 0; encoder->worker && i < threads; i++)
        if (!(encoder->worker[i].scratch = arena_allocate(encoder->arena, BLOCK_SCRATCH_SIZE, 1)))
            return false;
    return encoder->worker != NULL;
}

/* ---- one tile-component: wavelet from the full resolution down ---- */

static void quantize_band(struct encoder *encoder, const struct band *band, struct band_plane *plane)
{
    if (!encoder->options->irreversible)
        return;
    struct quantize_job job = {.integers = plane->data,
                               .integer_stride = plane->stride,
                               .floats = plane->data,
                               .float_stride = plane->stride,
                               .width = rect_width(band->rect),
                               .height = rect_height(band->rect),
                               .scale = encoder->setup.scale[band->index]};
    if (job.width && job.height)
        encoder->kernels->quantize(&job);
}

/* Splits `*low` (a resolution level) into the bands of `resolution`, notes the high ones, leaves LL in *low. */
static enum mist_status split_level(struct encoder *encoder, struct resolution *resolution, struct band_plane *low)
{
    const size_t element = encoder->options->irreversible ? sizeof(float) : codec_lane_size(encoder->lane);
    const struct rect area = resolution->rect;
    struct wavelet_job job = {.width = rect_width(area),
                              .height = rect_height(area),
                              .x_odd = area.x0 & 1,
                              .y_odd = area.y0 & 1,
                              .plane = low->data,
                              .plane_stride = low->stride};
    struct band_plane bands[4];
    for (unsigned kind = BAND_LL; kind <= BAND_HH; kind++) {
        uint32_t wide = kind & 1 ? job.width - wavelet_low(job.width, job.x_odd) : wavelet_low(job.width, job.x_odd);
        uint32_t high = kind & 2 ? job.height - wavelet_low(job.height, job.y_odd) : wavelet_low(job.height, job.y_odd);
        bands[kind].stride = ((size_t)wide + 31) & ~(size_t)31;
        bands[kind].data = arena_allocate(encoder->arena, bands[kind].stride * high, element);
        if (!bands[kind].data)
            return no_memory(encoder);
        job.band[kind] = bands[kind].data;
        job.band_stride[kind] = bands[kind].stride;
    }
    enum mist_status status;
    if (encoder->options->irreversible)
        status = parts_wavelet(encoder->kernels->wavelet97_forward, &job, wavelet97_steps(job.height, job.y_odd),
                               element, encoder->codec, encoder->error);
    else
        status = parts_wavelet(encoder->kernels->wavelet53_forward[encoder->lane], &job,
                               wavelet_steps(job.height, job.y_odd), element, encoder->codec, encoder->error);
    for (unsigned b = 0; b < 3 && !status; b++) {
        struct band_plane *plane = &bands[b + 1];
        quantize_band(encoder, &resolution->band[b], plane);
        status = add_band(encoder, resolution, b, plane);
    }
    *low = bands[BAND_LL];
    return status;
}

static enum mist_status split_component(struct encoder *encoder, uint32_t c)
{
    struct tile_component *component = &encoder->tile.component[c];
    unsigned level = component->resolutions - 1;
    struct band_plane low = {NULL, encoder->stride};
    enum mist_status status = MIST_OK;
    for (unsigned r = 0; r <= level && !status; r++)
        status = make_precincts(encoder, &component->resolution[r]);
    if (!status && encode_in_strips(encoder, &component->resolution[level])) {
        status = encode_strips(encoder, c, &component->resolution[level--], &low);
    } else {
        if (!status && !encoder->plane[c])
            status = load_component(encoder, c);
        low.data = encoder->plane[c];
    }
    for (; level > 0 && !status; level--)
        status = split_level(encoder, &component->resolution[level], &low);
    if (status)
        return status;
    quantize_band(encoder, &component->resolution[0].band[0], &low);
    return add_band(encoder, &component->resolution[0], 0, &low);
}

/* ---- packets, in tile-parts ---- */

struct packet_output {
    struct encoder *encoder;
    struct mist_buffer *out;
    bool bare;        /* packets alone, without tile-part headers */
    unsigned parts;   /* tile-parts, or levels, to be written */
    unsigned part;    /* the one being written; `parts` before the first */
    uint64_t *length; /* [parts] bytes of each, with its header if it has one */
    size_t part_start;
    bool stop;
};

static void end_part(struct packet_output *output)
{
    uint64_t length = output->out->size - output->part_start;
    output->length[output->part] = length;
    if (!output->bare)
        markers_store_part_header(output->out->data + output->part_start, output->part, output->parts, length);
}

static bool start_part(struct packet_output *output, unsigned part)
{
    if (output->part < output->parts)
        end_part(output);
    output->part = part;
    output->part_start = output->out->size;
    return output->bare || buffer_append_zeros(output->out, CODESTREAM_PART_HEADER);
}

static enum mist_status put_packet(void *context, const struct progression_packet *packet, struct mist_error *error)
{
    struct packet_output *output = context;
    struct encoder *encoder = output->encoder;
    struct resolution *resolution = &encoder->tile.component[packet->component].resolution[packet->resolution];
    unsigned part = output->parts > 1 ? packet->resolution : 0;
    bool good = part == output->part || start_part(output, part);
    good = good && packet_write(output->out, encoder->arena, resolution, resolution->precinct[packet->precinct]);
    if (good && output->out->size - output->part_start > UINT32_MAX - (output->bare ? CODESTREAM_PART_HEADER : 0))
        return error_set(error, MIST_ERROR_LIMIT, "a tile-part would be larger than 4 GiB");
    return good ? MIST_OK : no_memory(encoder);
}

static enum mist_status put_packets(struct packet_output *output)
{
    struct encoder *encoder = output->encoder;
    struct progression_visitor visitor = {put_packet, output, &output->stop};
    output->part = output->parts;
    enum mist_status status = progression_walk(encoder->arena, &encoder->tile, &visitor, encoder->error);
    if (!status)
        end_part(output);
    return status;
}

/* Where the frame goes. */
struct encode_target {
    struct mist_buffer *out;         /* a codestream, or packets alone: */
    struct mist_buffer *main_header; /* NULL: all in `out` */
    uint64_t length[MIST_MAX_LEVELS];
};

static enum mist_status write_packets(struct encoder *encoder, struct encode_target *target)
{
    struct packet_output output = {.encoder = encoder,
                                   .out = target->out,
                                   .bare = true,
                                   .parts = encoder->setup.tile_parts,
                                   .length = target->length};
    return markers_write_main(target->main_header, &encoder->setup.header) ? put_packets(&output) : no_memory(encoder);
}

static enum mist_status write_codestream(struct encoder *encoder, struct encode_target *target)
{
    struct mist_buffer *out = target->out;
    struct packet_output output = {
        .encoder = encoder, .out = out, .parts = encoder->setup.tile_parts, .length = target->length};
    if (!markers_write_main(out, &encoder->setup.header))
        return no_memory(encoder);
    size_t tlm = out->size; /* the lengths come last */
    if (!buffer_append_zeros(out, MARKERS_TLM_SIZE(output.parts)))
        return no_memory(encoder);
    enum mist_status status = put_packets(&output);
    if (status)
        return status;
    markers_store_tlm(out->data + tlm, target->length, output.parts);
    return markers_write_eoc(out) ? MIST_OK : no_memory(encoder);
}

static enum mist_status encode_frame(struct encoder *encoder, struct encode_target *target)
{
    struct codestream_tile_header tile_header;
    codestream_tile_header_start(&encoder->setup.header, &tile_header);
    encoder->lane = encoder->setup.lane;
    enum mist_status status =
        tile_build(encoder->arena, &encoder->setup.header, &tile_header, 0, &encoder->tile, encoder->error);
    encoder->stride = ((size_t)encoder->frame->width + 31) & ~(size_t)31;
    if (!status && !make_workers(encoder))
        status = no_memory(encoder);
    if (!status && encoder->setup.header.style.component_transform)
        status = load_mixed(encoder);
    for (uint32_t c = 0; c < encoder->frame->components && !status; c++)
        status = split_component(encoder, c);
    /* The bytes of a block do not depend on who codes it, nor does the order in which packets take them up. */
    if (!status)
        status = pool_share(encoder->codec->pool, encoder->row_count, code_row, encoder, encoder->error);
    if (!status)
        status = target->main_header ? write_packets(encoder, target) : write_codestream(encoder, target);
    codestream_tile_header_free(&tile_header);
    return status;
}

static void empty_target(const struct encode_target *target)
{
    target->out->size = 0;
    if (target->main_header)
        target->main_header->size = 0;
}

static enum mist_status encode_into(mist_codec *codec, const struct mist_view *frame,
                                    const struct mist_encode_options *options, struct encode_target *target,
                                    struct mist_error *error)
{
    struct encoder encoder = {.codec = codec,
                              .arena = &codec->arena,
                              .kernels = &codec->kernels,
                              .frame = frame,
                              .options = options,
                              .error = error};
    arena_reset(&codec->arena);
    empty_target(target);
    struct mist_view patterns;
    enum mist_status status = encode_setup(frame, options, &encoder.setup, error);
    if (!status && mist_sample_is_float(frame->type)) {
        if (nonlinearity_forward(&codec->arena, frame, &patterns))
            encoder.frame = &patterns;
        else
            status = no_memory(&encoder);
    }
    if (!status)
        status =
            parts_start(codec, (uint64_t)frame->width * frame->height * frame->components, options->threads, error);
    if (!status) {
        pthread_mutex_init(&encoder.arena_lock, NULL);
        status = encode_frame(&encoder, target);
        pthread_mutex_destroy(&encoder.arena_lock);
    }
    if (status)
        empty_target(target);
    return status;
}

enum mist_status mist_encode(mist_codec *codec, const struct mist_view *frame,
                             const struct mist_encode_options *options, struct mist_buffer *out,
                             struct mist_error *error)
{
    const struct mist_encode_options standard = mist_encode_options_default();
    struct encode_target target = {.out = out};
    return encode_into(codec, frame, options ? options : &standard, &target, error);
}

enum mist_status codec_encode_packets(mist_codec *codec, const struct mist_view *frame,
                                      const struct mist_encode_options *options, struct mist_buffer *main_header,
                                      struct mist_buffer *packets, uint64_t level_size[MIST_MAX_LEVELS],
                                      unsigned *levels, struct mist_error *error)
{
    struct mist_encode_options by_level = options ? *options : mist_encode_options_default();
    struct encode_target target = {.out = packets, .main_header = main_header};
    by_level.tile_parts = true;
    empty_target(&target);
    if (by_level.progression == MIST_PCRL || by_level.progression == MIST_CPRL)
        return error_set(error, MIST_ERROR_ARGUMENT, "PCRL and CPRL do not keep the packets of a level together");
    enum mist_status status = encode_into(codec, frame, &by_level, &target, error);
    if (status)
        return status;
    *levels = by_level.levels ? (unsigned)by_level.levels : mist_level_count(frame->width, frame->height);
    memcpy(level_size, target.length, *levels * sizeof *level_size);
    return MIST_OK;
}
