/* SPDX-License-Identifier: BSD-2-Clause */
/* The decoder on damaged, cut and hostile input: a clear status, never anything else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "base/file.h"
#include "base/memory.h"

#include <mist/codec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const streams[] = {"rpcl-tileparts.j2c", "rpcl-color.j2c", "tiles-pcrl.j2c", "irreversible.j2c",
                                      "lrcp-small-blocks.j2c"};
#define STREAMS (sizeof streams / sizeof *streams)

static mist_codec *codec;

static struct mist_buffer load(const char *name)
{
    struct mist_buffer data = {0};
    struct mist_error error = {0};
    const char *source = getenv("MIST_SOURCE");
    char path[4096];
    snprintf(path, sizeof path, "%s/tests/data/htj2k/%s", source ? source : ".", name);
    if (file_read(path, 1 << 20, &data, &error))
        fail_msg("%s", error.message);
    return data;
}

/* Decodes all components into 32-bit samples, if the header can be read. The caller frees the samples. */
static enum mist_status decode(const uint8_t *data, size_t size, const struct mist_decode_options *options,
                               int32_t **samples, size_t *count, struct mist_error *error)
{
    struct mist_codestream_info info;
    struct mist_component_info component;
    *samples = NULL;
    *count = 0;
    enum mist_status status = mist_codestream_info(data, size, &info, error);
    if (!status)
        status = mist_codestream_component(data, size, 0, options->reduce, &component, error);
    if (status)
        return status;
    uint32_t width = options->region ? options->width : component.width;
    uint32_t height = options->region ? options->height : component.height;
    size_t total = (size_t)width * height * info.components;
    if (total > 1 << 22)
        total = 0; /* larger than any of our streams: damage to SIZ. The decoder must refuse the small limit below. */
    *samples = calloc(total ? total : 1, 4);
    struct mist_view out =
        mist_view_planar(*samples, component.is_signed ? MIST_S32 : MIST_U32, width, height, info.components);
    struct mist_decode_options limited = *options;
    limited.max_samples = 1 << 22;
    *count = total;
    status = mist_decode(codec, data, size, &limited, &out, NULL, error);
    if (!total)
        assert_int_not_equal(status, MIST_OK);
    return status;
}

/* ---- cut at every byte ---- */

/* What a prefix must give: levels that the whole stream's index puts inside it, bit for bit; else "truncated". */
static void check_prefix(const struct mist_buffer *whole, size_t size, const struct mist_codestream_index *index,
                         int32_t *const *reference, const size_t *reference_count)
{
    uint8_t *prefix = malloc(size ? size : 1); /* exactly as large, so that over-reads are seen */
    struct mist_codestream_index part;
    struct mist_error error = {0};
    memcpy(prefix, whole->data, size);
    enum mist_status status = mist_codestream_index(prefix, size, &part, &error);
    bool header = size >= index->header_end + 2; /* only the SOT behind it says that the main header is complete */
    if (header) {
        assert_int_equal(status, MIST_OK);
        unsigned expected = 0;
        while (expected < index->levels && index->level_end[expected] <= size)
            expected++;
        assert_int_equal(part.complete, expected);
    } else {
        assert_int_equal(status, MIST_ERROR_TRUNCATED);
    }
    for (unsigned reduce = 0; reduce < index->levels; reduce++) {
        unsigned level = index->levels - 1 - reduce;
        struct mist_decode_options options = mist_decode_options_default();
        int32_t *samples;
        size_t count;
        options.reduce = reduce;
        status = decode(prefix, size, &options, &samples, &count, &error);
        if (size >= index->level_end[level]) {
            assert_int_equal(status, MIST_OK);
            assert_int_equal(count, reference_count[reduce]);
            assert_memory_equal(samples, reference[reduce], count * 4);
        } else {
            assert_int_equal(status, MIST_ERROR_TRUNCATED);
        }
        free(samples);
    }
    struct mist_decode_options options = mist_decode_options_default();
    int32_t *samples;
    size_t count;
    struct mist_error untouched = {0};
    options.best_effort = true;
    status = decode(prefix, size, &options, &samples, &count, &untouched);
    assert_int_equal(status, header ? MIST_OK : MIST_ERROR_TRUNCATED);
    assert_int_equal(untouched.status, status);
    free(samples);
    free(prefix);
}

static void test_cut_anywhere(void **state)
{
    for (size_t s = 0; s < STREAMS; s++) {
        struct mist_buffer whole = load(streams[s]);
        struct mist_codestream_index index;
        struct mist_error error = {0};
        int32_t *reference[MIST_MAX_LEVELS];
        size_t count[MIST_MAX_LEVELS];
        assert_int_equal(mist_codestream_index(whole.data, whole.size, &index, &error), MIST_OK);
        assert_int_equal(index.complete, index.levels);
        for (unsigned reduce = 0; reduce < index.levels; reduce++) {
            struct mist_decode_options options = mist_decode_options_default();
            options.reduce = reduce;
            assert_int_equal(decode(whole.data, whole.size, &options, &reference[reduce], &count[reduce], &error),
                             MIST_OK);
        }
        /* Every byte of the headers and of the smallest streams, else every seventh. */
        for (size_t size = 0; size <= whole.size; size += size < index.header_end + 64 || whole.size < 3100 ? 1 : 7)
            check_prefix(&whole, size, &index, reference, count);
        for (unsigned reduce = 0; reduce < index.levels; reduce++)
            free(reference[reduce]);
        mist_buffer_free(&whole);
    }
}

/* ---- damage ---- */

/* Everything that reads a codestream, on bytes that may be anything. */
static void read_everything(const uint8_t *data, size_t size)
{
    struct mist_codestream_info info;
    struct mist_codestream_index index;
    struct mist_buffer reduced = {0};
    struct mist_error error = {0};
    if (mist_codestream_info(data, size, &info, &error))
        assert_true(error.message[0]);
    mist_codestream_index(data, size, &index, &error);
    mist_codestream_reduce(data, size, 1, &reduced, &error);
    mist_buffer_free(&reduced);
    for (unsigned variant = 0; variant < 4; variant++) {
        struct mist_decode_options options = mist_decode_options_default();
        int32_t *samples;
        size_t count;
        options.reduce = variant == 1;
        options.best_effort = variant & 2;
        options.region = variant == 3;
        options.x = options.y = options.width = options.height = 9;
        struct mist_error why = {0};
        if (decode(data, size, &options, &samples, &count, &why))
            assert_true(why.message[0]);
        free(samples);
    }
}

static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static void test_flipped_bytes(void **state)
{
    uint32_t random = 20231107;
    for (size_t s = 0; s < STREAMS; s++) {
        struct mist_buffer whole = load(streams[s]);
        uint8_t *copy = malloc(whole.size);
        for (unsigned round = 0; round < 600; round++) {
            memcpy(copy, whole.data, whole.size);
            /* Half of the rounds in the first 200 bytes, where the headers are. */
            size_t reach = round & 1 && whole.size > 200 ? 200 : whole.size;
            for (unsigned n = 1 + round % 3; n; n--)
                copy[next_random(&random) % reach] = (uint8_t)next_random(&random);
            read_everything(copy, whole.size);
        }
        free(copy);
        mist_buffer_free(&whole);
    }
}

/* ---- headers that lie ---- */

static uint8_t *find_marker(const struct mist_buffer *stream, unsigned marker)
{
    for (size_t at = 0; at + 1 < stream->size; at++) {
        if (load_be16(stream->data + at) == marker)
            return stream->data + at;
    }
    fail_msg("no marker %04X", marker);
    return NULL;
}

/* Of an image at 0, 0, in tiles of that size; `siz` is behind the length (A.5.1). */
static void claim_size(uint8_t *siz, uint32_t width, uint32_t height, uint32_t tile_width, uint32_t tile_height)
{
    store_be32(siz + 2, width);
    store_be32(siz + 6, height);
    store_be32(siz + 18, tile_width);
    store_be32(siz + 22, tile_height);
}

static void test_lies_about_size(void **state)
{
    struct mist_codestream_info info;
    struct mist_codestream_index index;
    struct mist_error error = {0};
    struct mist_buffer stream = load("rpcl-tileparts.j2c");
    uint8_t *siz = find_marker(&stream, 0xFF51) + 4;
    /* 2^31 x 2^31 in one tile */
    claim_size(siz, 1u << 31, 1u << 31, 1u << 31, 1u << 31);
    assert_int_equal(mist_codestream_info(stream.data, stream.size, &info, &error), MIST_ERROR_LIMIT);
    /* the largest side there may be, far more than max_samples allows by default */
    claim_size(siz, 65535, 65535, 65535, 65535);
    assert_int_equal(mist_codestream_info(stream.data, stream.size, &info, &error), MIST_OK);
    struct mist_decode_options options = mist_decode_options_default();
    uint8_t nothing;
    struct mist_view out = mist_view_planar(&nothing, MIST_U16, 65535, 65535, 1);
    assert_int_equal(mist_decode(codec, stream.data, stream.size, &options, &out, NULL, &error), MIST_ERROR_LIMIT);
    /* one side beyond the limit is enough */
    for (int side = 0; side < 2; side++) {
        claim_size(siz, side ? 65536 : 10, side ? 10 : 65536, 65536, 65536);
        assert_int_equal(mist_codestream_info(stream.data, stream.size, &info, &error), MIST_ERROR_LIMIT);
        assert_non_null(strstr(error.message, "allowed on a side"));
    }
    /* tiles whose number is 0 in 32 bits */
    claim_size(siz, 65536, 65536, 1, 1);
    assert_int_equal(mist_codestream_info(stream.data, stream.size, &info, &error), MIST_ERROR_LIMIT);
    assert_non_null(strstr(error.message, "65536 x 65536 tiles"));
    /* four thousand million tiles of one sample */
    claim_size(siz, 65535, 65535, 1, 1);
    assert_int_equal(mist_codestream_info(stream.data, stream.size, &info, &error), MIST_ERROR_LIMIT);
    assert_int_equal(mist_codestream_index(stream.data, stream.size, &index, &error), MIST_ERROR_LIMIT);
    mist_buffer_free(&stream);
}

/* Precincts of one sample and blocks of 4 x 4 over a large image, in a file of a few kilobytes. */
static void test_lies_about_precincts(void **state)
{
    static const uint8_t header[] = {0xFF, 0x4F, 0xFF, 0x51, 0,    41,   0x40, 0,    0, 0,    0x40, 0,    0,
                                     0,    0x40, 0,    0,    0,    0,    0,    0,    0, 0,    0, /* 16384^2 */
                                     0,    0,    0x40, 0,    0,    0,    0x40, 0,    0, 0,    0,    0,    0,
                                     0,    0,    0,    0,    1,    7,    1,    1, /* one tile */
                                     0xFF, 0x50, 0,    8,    0,    2,    0,    0,    0, 0,    0xFF, 0x52, 0,
                                     13,   1,    2,    0,    1,    0,    0,    0,    0, 0x40, 1,    0x00, /* PP 0, 0 */
                                     0xFF, 0x5C, 0,    4,    0x20, 0x40, 0xFF, 0x90, 0, 10,   0,    0,    0,
                                     0,    0,    0,    0,    1,    0xFF, 0x93, 0,    0, 0,    0};
    struct mist_codestream_index index;
    struct mist_error error = {0};
    assert_int_equal(mist_codestream_index(header, sizeof header, &index, &error), MIST_OK);
    assert_int_equal(index.complete, 0);
    uint8_t coded[sizeof header];
    memcpy(coded, header, sizeof header);
    memset(coded + sizeof coded - 4, 0xC0, 4); /* a packet with content: the precincts must be made */
    assert_int_equal(mist_codestream_index(coded, sizeof coded, &index, &error), MIST_ERROR_LIMIT);
    uint8_t *precinct = NULL;
    for (size_t at = 0; at + 1 < sizeof coded; at++) {
        if (load_be16(coded + at) == 0xFF5C)
            precinct = coded + at - 1;
    }
    assert_non_null(precinct);
    *precinct = 0xFF; /* one precinct of 2^15 x 2^15: 16 million blocks of 4 x 4 */
    assert_int_equal(mist_codestream_index(coded, sizeof coded, &index, &error), MIST_ERROR_LIMIT);
}

static void test_refusals_by_name(void **state)
{
    struct mist_codestream_index index;
    struct mist_error error = {0};
    struct mist_buffer stream = load("rpcl-tileparts.j2c");
    uint8_t *cod = find_marker(&stream, 0xFF52);
    cod[12] = 0; /* the code-block style: Part 1 */
    assert_int_equal(mist_codestream_index(stream.data, stream.size, &index, &error), MIST_ERROR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "Part-1"));
    cod[12] = 0x40;
    cod[13] = 2; /* wavelet of ATK segment 2 */
    assert_int_equal(mist_codestream_index(stream.data, stream.size, &index, &error), MIST_ERROR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "ATK"));
    mist_buffer_free(&stream);
}

/* Numbers that are one beyond what may be. */
static void test_refusals_at_edges(void **state)
{
    struct mist_codestream_index index;
    struct mist_error error = {0};
    struct mist_buffer stream = load("rpcl-tileparts.j2c");
    uint8_t *cod = find_marker(&stream, 0xFF52), *sot = find_marker(&stream, 0xFF90);
    const uint8_t width = cod[10], height = cod[11];
    cod[10] = 5, cod[11] = 4; /* code-blocks of 2^7 x 2^6 */
    assert_int_equal(mist_codestream_index(stream.data, stream.size, &index, &error), MIST_ERROR_CORRUPT);
    assert_non_null(strstr(error.message, "code-block size"));
    cod[10] = width, cod[11] = height;
    assert_int_equal(mist_codestream_index(stream.data, stream.size, &index, &error), MIST_OK);
    store_be16(sot + 4, 1);
    assert_int_equal(mist_codestream_index(stream.data, stream.size, &index, &error), MIST_ERROR_CORRUPT);
    assert_non_null(strstr(error.message, "names tile 1 of 1"));
    store_be16(sot + 4, 0);
    /* A tile-part that lacks packets although it is as long as it says, and one that is longer than the file. */
    uint8_t *last = sot;
    for (uint8_t *at = sot; load_be16(at) == 0xFF90; at += load_be32(at + 6))
        last = at;
    const size_t size = stream.size - 2 - 40;
    const uint32_t here = (uint32_t)(size - (size_t)(last - stream.data)), whole = load_be32(last + 6);
    struct mist_decode_options options = mist_decode_options_default();
    int32_t *samples;
    size_t count;
    store_be32(last + 6, here);
    assert_int_equal(decode(stream.data, size, &options, &samples, &count, &error), MIST_ERROR_CORRUPT);
    free(samples);
    store_be32(last + 6, here + 1);
    assert_int_equal(decode(stream.data, size, &options, &samples, &count, &error), MIST_ERROR_TRUNCATED);
    free(samples);
    store_be32(last + 6, whole);
    store_be16(cod + 2, 1);
    assert_int_equal(mist_codestream_index(stream.data, stream.size, &index, &error), MIST_ERROR_CORRUPT);
    assert_non_null(strstr(error.message, "a length below 2"));
    mist_buffer_free(&stream);
}

/* COD of a reduced stream has a precinct size for each level that is left, and nothing behind them (A.6.1). */
static void test_reduced_precincts(void **state)
{
    static uint8_t samples[200 * 150];
    struct mist_view frame = mist_view_planar(samples, MIST_U8, 200, 150, 1);
    struct mist_encode_options options = mist_encode_options_default();
    struct mist_buffer whole = {0}, reduced = {0};
    struct mist_error error = {0};
    for (size_t i = 0; i < sizeof samples; i++)
        samples[i] = (uint8_t)(i * i / 7);
    options.levels = 4;
    options.precinct_width = 64;
    options.precinct_height = 32;
    assert_int_equal(mist_encode(codec, &frame, &options, &whole, &error), MIST_OK);
    for (unsigned reduce = 0; reduce < 4; reduce++) {
        assert_int_equal(mist_codestream_reduce(whole.data, whole.size, reduce, &reduced, &error), MIST_OK);
        const uint8_t *before = find_marker(&whole, 0xFF52), *cod = find_marker(&reduced, 0xFF52);
        assert_int_equal(load_be16(cod + 2), 12 + 4 - reduce);
        assert_int_equal(cod[9], 3 - reduce);
        assert_memory_equal(cod + 14, before + 14, 4 - reduce);
    }
    mist_buffer_free(&whole);
    mist_buffer_free(&reduced);
}

/* Where TLM says something else than the packets, of the last level, too, the packets are right. */
static void test_lies_about_lengths(void **state)
{
    struct mist_codestream_index truth, index;
    struct mist_error error = {0};
    struct mist_buffer stream = load("rpcl-tileparts.j2c");
    assert_int_equal(mist_codestream_index(stream.data, stream.size, &truth, &error), MIST_OK);
    uint8_t *tlm = find_marker(&stream, 0xFF55), *last = tlm + 2 + load_be16(tlm + 2) - 4;
    store_be32(last, load_be32(last) + 1);
    assert_int_equal(mist_codestream_index(stream.data, stream.size, &index, &error), MIST_OK);
    assert_int_equal(index.complete, truth.levels);
    assert_memory_equal(index.level_end, truth.level_end, truth.levels * sizeof *truth.level_end);
    mist_buffer_free(&stream);
}

/* CAP tells of other parts of the standard before and behind Part 15, one number each. */
static void test_capabilities_of_other_parts(void **state)
{
    struct mist_error error = {0};
    struct mist_buffer stream = load("rpcl-color.j2c");
    uint8_t *cap = find_marker(&stream, 0xFF50);
    const size_t at = (size_t)(cap - stream.data) + 8;
    struct mist_buffer more = {0};
    const uint8_t other[2] = {0xff, 0xff};
    assert_int_equal(load_be32(cap + 4), 1u << 17);
    assert_true(buffer_append(&more, stream.data, at) && buffer_append(&more, other, 2) &&
                buffer_append(&more, stream.data + at, 2) && buffer_append(&more, other, 2) &&
                buffer_append(&more, stream.data + at + 2, stream.size - at - 2));
    cap = find_marker(&more, 0xFF50);
    store_be16(cap + 2, (uint16_t)(load_be16(cap + 2) + 4));
    store_be32(cap + 4, 1u << 30 | 1u << 17 | 1u << 16);
    struct mist_decode_options options = mist_decode_options_default();
    int32_t *plain, *told;
    size_t count;
    assert_int_equal(decode(stream.data, stream.size, &options, &plain, &count, &error), MIST_OK);
    if (decode(more.data, more.size, &options, &told, &count, &error))
        fail_msg("%s", error.message);
    assert_memory_equal(told, plain, count * 4);
    free(plain);
    free(told);
    mist_buffer_free(&more);
    mist_buffer_free(&stream);
}

/* ---- memory ---- */

static void test_failing_allocations(void **state)
{
    struct mist_buffer stream = load("rpcl-color.j2c");
    bool done = false;
    for (unsigned nth = 1; !done; nth++) {
        static uint16_t samples[3 * 64 * 64];
        struct mist_view out = mist_view_planar(samples, MIST_U16, 40, 33, 3);
        struct mist_decode_options options = mist_decode_options_default();
        struct mist_codestream_index index;
        struct mist_buffer reduced = {0};
        struct mist_error error = {0};
        memory_fail_at(nth);
        mist_codec *fresh = mist_codec_new();
        enum mist_status status =
            fresh ? mist_decode(fresh, stream.data, stream.size, &options, &out, NULL, &error) : MIST_ERROR_MEMORY;
        if (!status)
            status = mist_codestream_index(stream.data, stream.size, &index, &error);
        if (!status)
            status = mist_codestream_reduce(stream.data, stream.size, 1, &reduced, &error);
        memory_fail_at(0);
        mist_codec_free(&fresh);
        mist_buffer_free(&reduced);
        done = status == MIST_OK;
        assert_true(done || status == MIST_ERROR_MEMORY);
        assert_true(nth < 1000);
    }
    mist_buffer_free(&stream);
}

/* The same bytes give the same samples in a context that has seen other frames. */
static void test_reuse(void **state)
{
    struct mist_error error = {0};
    for (unsigned round = 0; round < 2; round++)
        for (size_t s = 0; s < STREAMS; s++) {
            struct mist_buffer stream = load(streams[s]);
            struct mist_decode_options options = mist_decode_options_default();
            int32_t *used, *fresh;
            size_t count;
            assert_int_equal(decode(stream.data, stream.size, &options, &used, &count, &error), MIST_OK);
            mist_codec *kept = codec;
            codec = mist_codec_new();
            assert_int_equal(decode(stream.data, stream.size, &options, &fresh, &count, &error), MIST_OK);
            mist_codec_free(&codec);
            codec = kept;
            assert_memory_equal(used, fresh, count * 4);
            free(used);
            free(fresh);
            mist_buffer_free(&stream);
        }
}

static void test_narrow_output(void **state)
{
    struct mist_buffer stream = load("rpcl-tileparts.j2c"); /* 12 bits */
    struct mist_decode_options options = mist_decode_options_default();
    struct mist_error error = {0};
    static uint8_t samples[75 * 66];
    struct mist_view out = mist_view_planar(samples, MIST_U8, 75, 66, 1);
    assert_int_equal(mist_decode(codec, stream.data, stream.size, &options, &out, NULL, &error), MIST_ERROR_RANGE);
    out.width = 74;
    assert_int_equal(mist_decode(codec, stream.data, stream.size, &options, &out, NULL, &error), MIST_ERROR_ARGUMENT);
    mist_buffer_free(&stream);
}

static int set_up(void **state)
{
    codec = mist_codec_new();
    return codec ? 0 : -1;
}

static int tear_down(void **state)
{
    mist_codec_free(&codec);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_flipped_bytes),
        cmocka_unit_test(test_lies_about_size),
        cmocka_unit_test(test_lies_about_precincts),
        cmocka_unit_test(test_refusals_by_name),
        cmocka_unit_test(test_refusals_at_edges),
        cmocka_unit_test(test_reduced_precincts),
        cmocka_unit_test(test_lies_about_lengths),
        cmocka_unit_test(test_capabilities_of_other_parts),
        cmocka_unit_test(test_failing_allocations),
        cmocka_unit_test(test_reuse),
        cmocka_unit_test(test_narrow_output),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
