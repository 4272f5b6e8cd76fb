/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of coders. */
#include "coder/coder.h"

#include "base/error.h"

#include <string.h>

/* Exact values are bytes that the value map reads (image/value_map.h): their coders have a name only. */
static const struct coder coder_remainder = {.name = "remainder"}, coder_table = {.name = "table"},
                          coder_source = {.name = "source"};

static const struct coder *const coders[] = {
    [CODER_HTJ2K] = &coder_htj2k, [CODER_LATTICE] = &coder_lattice, [CODER_PYRAMID] = &coder_pyramid,
    [CODER_JPEG] = &coder_jpeg,   [CODER_J2K] = &coder_j2k,         [CODER_REMAINDER] = &coder_remainder,
    [CODER_TABLE] = &coder_table, [CODER_SOURCE] = &coder_source,
};

static const struct coder *coder_of(unsigned number)
{
    return number < sizeof coders / sizeof *coders ? coders[number] : NULL;
}

const char *coder_name(unsigned number)
{
    const struct coder *coder = coder_of(number);
    return coder ? coder->name : NULL;
}

void coder_coded_free(struct coder_coded *coded)
{
    mist_buffer_free(&coded->header);
    mist_buffer_free(&coded->bytes);
}

static void start_coded(struct coder_coded *coded)
{
    coded->header.size = coded->bytes.size = 0;
    memset(coded->size, 0, sizeof coded->size);
}

enum mist_status coder_encode(mist_codec *codec, unsigned threads, const struct coder_stream *stream,
                              const struct mist_view *frame, uint32_t frames, struct coder_coded *coded,
                              struct mist_error *error)
{
    start_coded(coded);
    return coder_of(stream->coder)->encode(codec, threads, stream, frame, frames, coded, error);
}

enum mist_status coder_decode(mist_codec *codec, const struct coder_stream *stream, const struct coder_parts *parts,
                              unsigned reduce, unsigned step, struct mist_view *out, struct mist_error *error)
{
    return coder_of(stream->coder)->decode(codec, stream, parts, reduce, step, out, error);
}

bool coder_keeps(unsigned number)
{
    const struct coder *coder = coder_of(number);
    return coder && coder->split;
}

bool coder_is_centred(unsigned number)
{
    const struct coder *coder = coder_of(number);
    return coder && coder->centred;
}

enum mist_status coder_split(const struct coder_stream *stream, const uint8_t *data, size_t size,
                             struct coder_coded *coded, struct mist_buffer *rebuild, struct mist_error *error)
{
    start_coded(coded);
    rebuild->size = 0;
    return coder_of(stream->coder)->split(stream, data, size, coded, rebuild, error);
}

enum mist_status coder_original(const struct coder_stream *stream, const struct coder_parts *parts,
                                struct coder_piece rebuild, struct mist_buffer *out, struct mist_error *error)
{
    return coder_of(stream->coder)->original(stream, parts, rebuild, out, error);
}

enum mist_status coder_check(const struct coder_stream *stream, struct mist_error *error)
{
    const struct coder *coder = coder_of(stream->coder);
    if (!coder)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "it is coded by a coder that this program does not know (%u)",
                         stream->coder);
    static const unsigned roles[] = {
        [CODER_TABLE] = CODER_VALUES, [CODER_REMAINDER] = CODER_EXACT, [CODER_SOURCE] = CODER_ORIGINAL};
    unsigned role = stream->coder < sizeof roles / sizeof *roles ? roles[stream->coder] : 0;
    bool exact = role != 0;
    if (exact ? stream->role != role : stream->role >= CODER_VALUES)
        return error_set(error, MIST_ERROR_CORRUPT, "a stream is damaged: a coder that does not fit its role");
    const bool has_parameters = stream->coder == CODER_LATTICE || stream->coder == CODER_SOURCE;
    if (!has_parameters && stream->parameters.size)
        return error_set(error, MIST_ERROR_CORRUPT, "a stream is damaged: its coder has no parameters");
    if (!exact)
        return coder->check(stream, error);
    bool shape = stream->first == stream->plane.levels - 1 && stream->coded == 1 && stream->headers == 0 &&
                 stream->unit == (stream->coder != CODER_TABLE);
    return shape ? MIST_OK : error_set(error, MIST_ERROR_CORRUPT, "a stream of exact values is damaged");
}
