/* SPDX-License-Identifier: BSD-2-Clause */
/* Main header and packets apart: the same bytes and samples as of whole codestreams, both ways; wrong input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/memory.h"
#include "codec/packet_bits.h"
#include "codec/packets.h"

#include <stdlib.h>
#include <string.h>

static mist_codec *codec;

/* A frame, its codestream, and the same in parts. */
struct coded {
    struct mist_view frame;
    struct mist_buffer stream, header, bytes;
    unsigned levels;
    struct codec_packets packets;
};

static void free_coded(struct coded *coded)
{
    memory_free(coded->frame.data);
    mist_buffer_free(&coded->stream);
    mist_buffer_free(&coded->header);
    mist_buffer_free(&coded->bytes);
}

static struct mist_view make_frame(enum mist_sample_type type, uint32_t width, uint32_t height, uint32_t components)
{
    size_t size = (size_t)mist_frame_bytes(type, width, height, components), sample = mist_sample_size(type);
    uint8_t *data = memory_allocate(size);
    uint32_t state = 2463534242u;
    assert_non_null(data);
    for (size_t i = 0; i < size / sample; i++) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        uint32_t value = (uint32_t)(i * 7 / width) + (state & 15);
        if (type == MIST_F32)
            memcpy(data + i * sample, &(float){(float)value / 3}, sample);
        else
            memcpy(data + i * sample, &value, sample);
    }
    return mist_view_interleaved(data, type, width, height, components);
}

static void encode(struct coded *coded, const struct mist_encode_options *options)
{
    uint64_t size[MIST_MAX_LEVELS], at = 0;
    assert_int_equal(mist_encode(codec, &coded->frame, options, &coded->stream, NULL), MIST_OK);
    assert_int_equal(
        codec_encode_packets(codec, &coded->frame, options, &coded->header, &coded->bytes, size, &coded->levels, NULL),
        MIST_OK);
    coded->packets.levels = coded->levels;
    for (unsigned level = 0; level < coded->levels; level++) {
        coded->packets.level[level].data = coded->bytes.data + at;
        coded->packets.level[level].size = size[level];
        at += size[level];
    }
    assert_int_equal(at, coded->bytes.size);
}

/* A CT-like frame of 200 x 130, and its parts. */
static struct coded standard(void)
{
    struct coded coded = {.frame = make_frame(MIST_S16, 200, 130, 1)};
    encode(&coded, NULL);
    return coded;
}

static void assert_same_bytes(const struct mist_buffer *a, const struct mist_buffer *b)
{
    assert_int_equal(a->size, b->size);
    assert_memory_equal(a->data, b->data, a->size);
}

static void check_info(const struct coded *coded)
{
    struct mist_codestream_info of_stream, of_header;
    assert_int_equal(mist_codestream_info(coded->stream.data, coded->stream.size, &of_stream, NULL), MIST_OK);
    assert_int_equal(codec_header_info(coded->header.data, coded->header.size, &of_header, NULL), MIST_OK);
    assert_int_equal(of_header.width, coded->frame.width);
    assert_int_equal(of_header.levels, coded->levels);
    assert_memory_equal(&of_stream, &of_header, sizeof of_stream);
}

static void check_reduced_stream(const struct coded *coded, unsigned reduce)
{
    struct mist_buffer joined = {0}, reduced = {0};
    assert_int_equal(
        codec_codestream_join(coded->header.data, coded->header.size, &coded->packets, reduce, &joined, NULL), MIST_OK);
    assert_int_equal(mist_codestream_reduce(coded->stream.data, coded->stream.size, reduce, &reduced, NULL), MIST_OK);
    assert_same_bytes(&joined, &reduced);
    if (!reduce)
        assert_same_bytes(&joined, &coded->stream);
    mist_buffer_free(&joined);
    mist_buffer_free(&reduced);
}

static struct mist_view like(const struct mist_view *frame, unsigned reduce)
{
    uint32_t width = mist_reduced_size(frame->width, reduce), height = mist_reduced_size(frame->height, reduce);
    void *data = memory_allocate_zeroed((size_t)mist_frame_bytes(frame->type, width, height, frame->components), 1);
    assert_non_null(data);
    return mist_view_interleaved(data, frame->type, width, height, frame->components);
}

/* Decoded from as few levels as are needed, in memory of their own so that reading beyond them is noticed. */
static void check_decode(const struct coded *coded, unsigned reduce)
{
    struct mist_decode_options options = mist_decode_options_default();
    struct mist_decode_report of_stream, of_packets;
    struct mist_view whole = like(&coded->frame, reduce), parts = like(&coded->frame, reduce);
    struct codec_packets packets = {.levels = coded->levels - reduce};
    for (unsigned level = 0; level < packets.levels; level++) {
        size_t size = (size_t)coded->packets.level[level].size;
        uint8_t *copy = memory_allocate(size);
        assert_non_null(copy);
        memcpy(copy, coded->packets.level[level].data, size);
        packets.level[level].data = copy;
        packets.level[level].size = size;
    }
    options.reduce = reduce;
    assert_int_equal(mist_decode(codec, coded->stream.data, coded->stream.size, &options, &whole, &of_stream, NULL),
                     MIST_OK);
    assert_int_equal(codec_decode_packets(codec, coded->header.data, coded->header.size, &packets, &options, &parts,
                                          &of_packets, NULL),
                     MIST_OK);
    size_t bytes = (size_t)mist_frame_bytes(whole.type, whole.width, whole.height, whole.components);
    assert_memory_equal(whole.data, parts.data, bytes);
    if (!reduce)
        assert_memory_equal(whole.data, coded->frame.data, bytes);
    assert_int_equal(of_stream.levels_used, of_packets.levels_used);
    assert_int_equal(of_stream.blocks_decoded, of_packets.blocks_decoded);
    for (unsigned level = 0; level < packets.levels; level++)
        memory_free((void *)packets.level[level].data);
    memory_free(whole.data);
    memory_free(parts.data);
}

static void check_all(enum mist_sample_type type, uint32_t width, uint32_t height, uint32_t components,
                      const struct mist_encode_options *options)
{
    struct coded coded = {.frame = make_frame(type, width, height, components)};
    encode(&coded, options);
    check_info(&coded);
    for (unsigned reduce = 0; reduce < coded.levels; reduce++) {
        check_reduced_stream(&coded, reduce);
        check_decode(&coded, reduce);
    }
    free_coded(&coded);
}

static void parts_are_the_codestream(void **state)
{
    (void)state;
    check_all(MIST_U8, 1, 1, 1, NULL);
    check_all(MIST_U8, 130, 200, 3, NULL);
    check_all(MIST_S16, 512, 300, 1, NULL);
    check_all(MIST_U16, 3, 700, 2, NULL);
    check_all(MIST_U32, 65, 65, 4, NULL);
    check_all(MIST_F32, 100, 90, 1, NULL);
}

static void parts_of_other_options(void **state)
{
    (void)state;
    struct mist_encode_options options = mist_encode_options_default();
    options.levels = 6;
    options.precinct_width = options.precinct_height = 64;
    options.threads = 2;
    for (int order = MIST_LRCP; order <= MIST_RPCL; order++) {
        options.progression = (enum mist_progression)order;
        check_all(MIST_U16, 300, 270, 3, &options);
    }
    options.levels = 1;
    check_all(MIST_S16, 300, 200, 1, &options);
}

static void tile_parts_do_not_matter(void **state)
{
    (void)state;
    struct coded coded = standard();
    struct mist_encode_options options = mist_encode_options_default();
    struct mist_buffer header = {0}, bytes = {0};
    uint64_t size[MIST_MAX_LEVELS];
    unsigned levels;
    options.tile_parts = false;
    assert_int_equal(codec_encode_packets(codec, &coded.frame, &options, &header, &bytes, size, &levels, NULL),
                     MIST_OK);
    assert_same_bytes(&header, &coded.header);
    assert_same_bytes(&bytes, &coded.bytes);
    options.progression = MIST_PCRL;
    assert_int_equal(codec_encode_packets(codec, &coded.frame, &options, &header, &bytes, size, &levels, NULL),
                     MIST_ERROR_ARGUMENT);
    assert_int_equal(header.size + bytes.size, 0);
    mist_buffer_free(&header);
    mist_buffer_free(&bytes);
    free_coded(&coded);
}

/* With the higher levels listed but not here, the beginning of the whole codestream comes out. */
static void missing_levels_make_a_prefix(void **state)
{
    (void)state;
    struct coded coded = standard();
    struct mist_buffer joined = {0};
    struct mist_codestream_index index;
    assert_true(coded.levels > 1);
    assert_int_equal(mist_codestream_index(coded.stream.data, coded.stream.size, &index, NULL), MIST_OK);
    for (unsigned present = coded.levels; present-- > 0;) {
        coded.packets.level[present].data = NULL;
        assert_int_equal(codec_codestream_join(coded.header.data, coded.header.size, &coded.packets, 0, &joined, NULL),
                         MIST_OK);
        assert_int_equal(joined.size, present ? index.level_end[present - 1] : index.header_end);
        assert_memory_equal(joined.data, coded.stream.data, joined.size);
        assert_int_equal(codec_codestream_join(coded.header.data, coded.header.size, &coded.packets,
                                               coded.levels - present - 1, &joined, NULL),
                         present + 1 < coded.levels ? MIST_ERROR_TRUNCATED : MIST_OK);
    }
    mist_buffer_free(&joined);
    free_coded(&coded);
}

static enum mist_status decode(const struct coded *coded, unsigned reduce, bool best_effort)
{
    struct mist_decode_options options = mist_decode_options_default();
    struct mist_view out = like(&coded->frame, reduce);
    options.reduce = reduce;
    options.best_effort = best_effort;
    enum mist_status status = codec_decode_packets(codec, coded->header.data, coded->header.size, &coded->packets,
                                                   &options, &out, NULL, NULL);
    memory_free(out.data);
    return status;
}

static void missing_levels_are_truncation(void **state)
{
    (void)state;
    struct coded coded = standard();
    coded.packets.level[coded.levels - 1].data = NULL;
    assert_int_equal(decode(&coded, 0, false), MIST_ERROR_TRUNCATED);
    assert_int_equal(decode(&coded, 0, true), MIST_OK);
    assert_int_equal(decode(&coded, 1, false), MIST_OK);
    coded.packets.levels = 0;
    assert_int_equal(decode(&coded, coded.levels - 1, false), MIST_ERROR_TRUNCATED);
    assert_int_equal(decode(&coded, coded.levels - 1, true), MIST_OK);
    free_coded(&coded);
}

static void wrong_levels_are_refused(void **state)
{
    (void)state;
    struct coded coded = standard();
    struct mist_buffer joined = {0};
    coded.packets.level[coded.levels] = coded.packets.level[0];
    coded.packets.levels++;
    assert_int_equal(decode(&coded, 0, false), MIST_ERROR_CORRUPT);
    assert_int_equal(codec_codestream_join(coded.header.data, coded.header.size, &coded.packets, 0, &joined, NULL),
                     MIST_ERROR_ARGUMENT);
    coded.packets.levels = MIST_MAX_LEVELS + 1;
    assert_int_equal(decode(&coded, 0, false), MIST_ERROR_CORRUPT);
    coded.packets.levels = coded.levels;
    assert_int_equal(
        codec_codestream_join(coded.header.data, coded.header.size, &coded.packets, coded.levels, &joined, NULL),
        MIST_ERROR_ARGUMENT);
    coded.packets.levels = coded.levels - 1;
    assert_int_equal(codec_codestream_join(coded.header.data, coded.header.size, &coded.packets, 0, &joined, NULL),
                     MIST_ERROR_ARGUMENT);
    coded.packets.level[0].size = CODEC_MAX_PACKETS + 1;
    assert_int_equal(decode(&coded, 0, false), MIST_ERROR_LIMIT);
    assert_int_equal(codec_codestream_join(coded.header.data, coded.header.size, &coded.packets, 1, &joined, NULL),
                     MIST_ERROR_LIMIT);
    assert_int_equal(joined.size, 0);
    mist_buffer_free(&joined);
    free_coded(&coded);
}

/* A level that is a byte too short or too long, or empty: the next one does not make up for it. */
static void wrong_sizes_are_corrupt(void **state)
{
    (void)state;
    struct coded coded = standard();
    for (unsigned level = 0; level < coded.levels; level++) {
        uint64_t size = coded.packets.level[level].size;
        coded.packets.level[level].size = size - 1;
        assert_int_equal(decode(&coded, 0, false), MIST_ERROR_CORRUPT);
        coded.packets.level[level].size = size + 1;
        if (level + 1 < coded.levels)
            assert_int_equal(decode(&coded, 0, false), MIST_ERROR_CORRUPT);
        coded.packets.level[level].size = 0;
        assert_int_equal(decode(&coded, 0, false),
                         level + 1 < coded.levels ? MIST_ERROR_CORRUPT : MIST_ERROR_TRUNCATED);
        coded.packets.level[level].size = size;
    }
    assert_int_equal(decode(&coded, 0, false), MIST_OK);
    free_coded(&coded);
}

static void headers_stand_alone(void **state)
{
    (void)state;
    struct coded coded = standard();
    struct mist_codestream_info info;
    for (size_t size = 0; size < coded.header.size; size++)
        assert_true(codec_header_info(coded.header.data, size, &info, NULL) != MIST_OK);
    assert_int_equal(codec_header_info(coded.stream.data, coded.stream.size, &info, NULL), MIST_ERROR_CORRUPT);
    coded.header.size--;
    assert_int_equal(decode(&coded, 0, false), MIST_ERROR_TRUNCATED);
    free_coded(&coded);
}

/* Every byte of the header wrong in turn: an answer each time, under a sanitizer without a complaint. */
static void damaged_headers_do_no_harm(void **state)
{
    (void)state;
    struct coded coded = standard();
    struct mist_buffer joined = {0};
    unsigned refused = 0;
    for (size_t at = 0; at < coded.header.size; at++)
        for (unsigned bit = 0; bit < 8; bit++) {
            coded.header.data[at] ^= (uint8_t)(1u << bit);
            refused += decode(&coded, 1, true) != MIST_OK;
            codec_codestream_join(coded.header.data, coded.header.size, &coded.packets, 1, &joined, NULL);
            coded.header.data[at] ^= (uint8_t)(1u << bit);
        }
    assert_true(refused > coded.header.size);
    mist_buffer_free(&joined);
    free_coded(&coded);
}

static void other_streams_are_refused(void **state)
{
    (void)state;
    struct coded coded = standard();
    struct mist_buffer joined = {0};
    /* The progression order stands 3 bytes behind COD's length. */
    for (size_t at = 0; at + 6 < coded.header.size; at++)
        if (coded.header.data[at] == 0xff && coded.header.data[at + 1] == 0x52)
            coded.header.data[at + 5] = MIST_CPRL;
    assert_int_equal(decode(&coded, 0, false), MIST_ERROR_UNSUPPORTED);
    assert_int_equal(codec_codestream_join(coded.header.data, coded.header.size, &coded.packets, 0, &joined, NULL),
                     MIST_ERROR_UNSUPPORTED);
    mist_buffer_free(&joined);
    free_coded(&coded);
}

static void failing_allocations_are_told(void **state)
{
    (void)state;
    struct coded coded = standard();
    struct mist_buffer header = {0}, bytes = {0}, joined = {0};
    uint64_t size[MIST_MAX_LEVELS];
    unsigned levels, failures = 0;
    enum mist_status status = MIST_ERROR_MEMORY;
    for (unsigned nth = 1; status == MIST_ERROR_MEMORY && nth < 200; nth++) {
        mist_codec *fresh = mist_codec_new();
        assert_non_null(fresh);
        memory_fail_at(nth);
        status = codec_encode_packets(fresh, &coded.frame, NULL, &header, &bytes, size, &levels, NULL);
        if (!status)
            status = codec_codestream_join(coded.header.data, coded.header.size, &coded.packets, 1, &joined, NULL);
        memory_fail_at(0);
        failures += status != MIST_OK;
        mist_codec_free(&fresh);
        mist_buffer_free(&header);
        mist_buffer_free(&bytes);
        mist_buffer_free(&joined);
    }
    assert_int_equal(status, MIST_OK);
    assert_true(failures > 3);
    free_coded(&coded);
}

/* The bits of a header (B.10.1): a byte of FF is followed by one whose first bit is none, at its end, too. */
static void stuffed_bits_are_no_bits(void **state)
{
    static const uint8_t bytes[] = {0xff, 0x55, 0xa0, 0xff, 0x00, 0x11};
    (void)state;
    struct packet_bits bits = packet_bits_start(bytes, bytes + sizeof bytes);
    assert_int_equal(packet_bits_read(&bits, 8), 0xff);
    assert_int_equal(packet_bits_read(&bits, 7), 0x55);
    assert_int_equal(packet_bits_read(&bits, 3), 5);
    packet_bits_finish(&bits);
    assert_ptr_equal(bits.at, bytes + 3);
    assert_int_equal(packet_bits_read(&bits, 8), 0xff);
    packet_bits_finish(&bits);
    assert_ptr_equal(bits.at, bytes + 5);
    assert_false(bits.failed);
    bits = packet_bits_start(bytes + 3, bytes + 4);
    packet_bits_read(&bits, 8);
    packet_bits_finish(&bits);
    assert_true(bits.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_the_codestream),      cmocka_unit_test(parts_of_other_options),
        cmocka_unit_test(tile_parts_do_not_matter),      cmocka_unit_test(missing_levels_make_a_prefix),
        cmocka_unit_test(missing_levels_are_truncation), cmocka_unit_test(wrong_levels_are_refused),
        cmocka_unit_test(wrong_sizes_are_corrupt),       cmocka_unit_test(headers_stand_alone),
        cmocka_unit_test(damaged_headers_do_no_harm),    cmocka_unit_test(other_streams_are_refused),
        cmocka_unit_test(failing_allocations_are_told),  cmocka_unit_test(stuffed_bits_are_no_bits),
    };
    codec = mist_codec_new();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    mist_codec_free(&codec);
    return failed;
}
