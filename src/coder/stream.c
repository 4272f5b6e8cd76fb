/* SPDX-License-Identifier: BSD-2-Clause */
#include "coder/stream.h"

#include "base/error.h"
#include "base/memory.h"

#include <string.h>

/* ---- units and slots ---- */

static uint32_t units_of_volume(const struct coder_stream *stream)
{
    return (uint32_t)(((uint64_t)stream->plane.slices + stream->unit - 1) / stream->unit);
}

uint32_t stream_units(const struct coder_stream *stream)
{
    return stream->unit == 0 ? 1 : units_of_volume(stream) * stream->plane.volumes;
}

/* Slots of a volume: units of several slices all have slices of every class, but for a short last one. */
static uint32_t slots_of_volume(const struct coder_stream *stream, unsigned class)
{
    const struct coder_plane *plane = &stream->plane;
    if (stream->unit == 1)
        return step_class_slices(plane->slices, class, plane->steps);
    uint32_t units = units_of_volume(stream);
    uint32_t last = plane->slices - (units - 1) * stream->unit;
    return class < plane->steps && last <= (uint32_t)1 << class ? units - 1 : units;
}

uint32_t stream_slots(const struct coder_stream *stream, unsigned class)
{
    if (stream->unit == 0)
        return class == stream->plane.steps;
    return slots_of_volume(stream, class) * stream->plane.volumes;
}

uint32_t stream_slot(const struct coder_stream *stream, uint32_t unit, unsigned class)
{
    const struct coder_plane *plane = &stream->plane;
    if (stream->unit == 0)
        return class == plane->steps ? 0 : UINT32_MAX;
    uint32_t a_volume = units_of_volume(stream), volume = unit / a_volume, within = unit % a_volume;
    uint32_t slots = slots_of_volume(stream, class);
    if (stream->unit == 1) {
        if (step_class(within, plane->steps) != class)
            return UINT32_MAX;
        within = step_class_index(within, class, plane->steps);
    }
    return within < slots ? volume * slots + within : UINT32_MAX;
}

uint32_t stream_slot_unit(const struct coder_stream *stream, uint32_t slot, unsigned class)
{
    if (stream->unit == 0)
        return 0;
    uint32_t slots = slots_of_volume(stream, class), within = slot % slots;
    if (stream->unit == 1)
        within = class == stream->plane.steps ? within << class : (2 * within + 1) << class;
    return slot / slots * units_of_volume(stream) + within;
}

uint32_t stream_unit_of(const struct coder_stream *stream, uint32_t frame, uint32_t *slice)
{
    if (stream->unit == 0) {
        *slice = frame;
        return 0;
    }
    uint32_t volume = frame / stream->plane.slices, z = frame % stream->plane.slices;
    *slice = z % stream->unit;
    return volume * units_of_volume(stream) + z / stream->unit;
}

uint32_t stream_unit_frames(const struct coder_stream *stream, uint32_t unit, uint32_t *first)
{
    const struct coder_plane *plane = &stream->plane;
    *first = 0;
    if (stream->unit == 0)
        return plane->slices * plane->volumes;
    uint32_t a_volume = units_of_volume(stream), z = unit % a_volume * stream->unit;
    *first = unit / a_volume * plane->slices + z;
    return plane->slices - z < stream->unit ? plane->slices - z : stream->unit;
}

/* ---- headers ---- */

struct mist_buffer stream_header(const struct coder_stream *stream, uint32_t unit)
{
    if (stream->headers == 0)
        return (struct mist_buffer){0};
    return stream->header[stream->header_of ? stream->header_of[unit] : 0];
}

static bool new_header(struct coder_stream *stream, const struct mist_buffer *header)
{
    struct mist_buffer *grown = memory_resize(stream->header, stream->headers + (size_t)1, sizeof *stream->header);
    if (!grown)
        return false;
    stream->header = grown;
    stream->header[stream->headers] = (struct mist_buffer){0};
    if (!buffer_append(&stream->header[stream->headers], header->data, header->size))
        return false;
    stream->headers++;
    return true;
}

bool stream_add_header(struct coder_stream *stream, uint32_t unit, const struct mist_buffer *header)
{
    enum { LOOK_BACK = 64 }; /* headers alternate between a few kinds; more would make a search quadratic */
    if (header->size == 0 && stream->headers == 0)
        return true;
    uint32_t found = stream->headers;
    for (uint32_t back = 0; back < LOOK_BACK && back < stream->headers && found == stream->headers; back++) {
        const struct mist_buffer *other = &stream->header[stream->headers - 1 - back];
        if (other->size == header->size && memcmp(other->data, header->data, header->size) == 0)
            found = stream->headers - 1 - back;
    }
    if (found == stream->headers && !new_header(stream, header))
        return false;
    if (stream->headers > 1 && !stream->header_of)
        stream->header_of = memory_allocate_zeroed(stream_units(stream), sizeof *stream->header_of);
    if (stream->headers > 1 && !stream->header_of)
        return false;
    if (stream->header_of)
        stream->header_of[unit] = found;
    return true;
}

/* ---- in the file ---- */

static bool append_varint(struct mist_buffer *out, uint64_t value)
{
    uint8_t bytes[10];
    return buffer_append(out, bytes, store_varint(bytes, value));
}

static bool append_sized(struct mist_buffer *out, const struct mist_buffer *bytes)
{
    return append_varint(out, bytes->size) && buffer_append(out, bytes->data, bytes->size);
}

bool stream_write(const struct coder_stream *stream, struct mist_buffer *out)
{
    uint8_t fixed[2] = {(uint8_t)stream->coder, (uint8_t)stream->role};
    bool good = buffer_append(out, fixed, sizeof fixed) && append_varint(out, stream->first) &&
                append_varint(out, stream->coded) && append_varint(out, stream->unit) &&
                append_sized(out, &stream->parameters) && append_varint(out, stream->headers);
    for (uint32_t i = 0; i < stream->headers && good; i++)
        good = append_sized(out, &stream->header[i]);
    for (uint32_t unit = 0; stream->headers > 1 && unit < stream_units(stream) && good; unit++)
        good = append_varint(out, stream->header_of[unit]);
    return good;
}

/* What makes no sense whatever the coder is; NULL if nothing. */
static const char *shape_problem(const struct coder_stream *stream)
{
    const struct coder_plane *plane = &stream->plane;
    if (stream->role < CODER_PICTURE || stream->role >= CODER_ROLES)
        return "a role that there is not";
    if (stream->first >= plane->levels || (stream->role < CODER_VALUES && stream->first))
        return "a first level that there cannot be";
    if (stream->coded < plane->levels - stream->first || stream->coded > MIST_MAX_LEVELS)
        return "a number of coded levels that there cannot be";
    uint32_t unit = stream->unit;
    if (unit > 1 && ((unit & (unit - 1)) || unit < (uint32_t)1 << plane->steps))
        return "units that do not fit its steps";
    uint64_t samples = (uint64_t)plane->width * plane->height * (unit < plane->slices ? unit : plane->slices);
    if (unit > 1 && samples > STREAM_MAX_UNIT_SAMPLES)
        return "units beyond the limits";
    return NULL;
}

static enum mist_status corrupt(struct mist_error *error, const char *what)
{
    return error_set(error, MIST_ERROR_CORRUPT, "a stream is damaged: %s", what);
}

static bool read_sized(struct byte_reader *reader, uint64_t limit, struct mist_buffer *out)
{
    uint64_t size = read_varint(reader);
    const uint8_t *bytes = size <= limit ? reader_take(reader, (size_t)size) : NULL;
    if (!bytes)
        reader->failed = true;
    return bytes && buffer_append(out, bytes, (size_t)size);
}

static enum mist_status read_headers(struct byte_reader *reader, struct coder_stream *stream, struct mist_error *error)
{
    uint64_t count = read_varint(reader);
    uint32_t units = stream_units(stream);
    if (reader->failed || count > units || count > reader_left(reader))
        return corrupt(error, "a number of headers that there cannot be");
    if (count)
        stream->header = memory_allocate_zeroed((size_t)count, sizeof *stream->header);
    if (count && !stream->header)
        return error_set(error, MIST_ERROR_MEMORY, "a stream: out of memory");
    for (uint32_t i = 0; i < count; i++) {
        stream->headers = i + 1;
        if (!read_sized(reader, STREAM_MAX_HEADERS_BYTES, &stream->header[i]))
            return corrupt(error, "its headers");
    }
    if (count < 2)
        return MIST_OK;
    if (units > reader_left(reader))
        return corrupt(error, "its headers");
    stream->header_of = memory_allocate_zeroed(units, sizeof *stream->header_of);
    if (!stream->header_of)
        return error_set(error, MIST_ERROR_MEMORY, "a stream: out of memory");
    for (uint32_t unit = 0; unit < units; unit++) {
        uint64_t number = read_varint(reader);
        if (reader->failed || number >= count)
            return corrupt(error, "a header that there is not");
        stream->header_of[unit] = (uint32_t)number;
    }
    return MIST_OK;
}

enum mist_status stream_read(struct byte_reader *reader, struct coder_stream *stream, struct mist_error *error)
{
    struct coder_plane plane = stream->plane;
    *stream = (struct coder_stream){.plane = plane};
    stream->coder = read_u8(reader);
    stream->role = read_u8(reader);
    uint64_t first = read_varint(reader), coded = read_varint(reader), unit = read_varint(reader);
    if (reader->failed || first > MIST_MAX_LEVELS || coded > MIST_MAX_LEVELS || unit > (uint64_t)1 << 31)
        return corrupt(error, "its fields");
    stream->first = (unsigned)first;
    stream->coded = (unsigned)coded;
    stream->unit = (uint32_t)unit;
    const char *problem = shape_problem(stream);
    if (problem)
        return corrupt(error, problem);
    if (!read_sized(reader, STREAM_MAX_PARAMETERS, &stream->parameters))
        return corrupt(error, "its parameters");
    return read_headers(reader, stream, error);
}

void stream_free(struct coder_stream *stream)
{
    for (uint32_t i = 0; i < stream->headers; i++)
        mist_buffer_free(&stream->header[i]);
    memory_free(stream->header);
    memory_free(stream->header_of);
    mist_buffer_free(&stream->parameters);
    *stream = (struct coder_stream){0};
}
