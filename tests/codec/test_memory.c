/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every allocation of encode, decode, reduce and index fails once: the call says so, leaves nothing behind (this test
 * also runs under valgrind, which looks for leaks), and the same context works afterwards.
 */
#include "base/memory.h"

#include <mist/codec.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { WIDTH = 150, HEIGHT = 90, PIXELS = WIDTH * HEIGHT };

struct fixture {
    uint16_t samples[3 * PIXELS], back[3 * PIXELS];
    struct mist_view frame, small;
    struct mist_encode_options options;
    struct mist_buffer stream; /* of the whole frame, made without failures */
    struct mist_buffer out;
    mist_codec *codec;
};

/* One kind of work; `out` and `back` hold its result. */
typedef enum mist_status work(struct fixture *fixture, struct mist_error *error);

static enum mist_status encode(struct fixture *fixture, struct mist_error *error)
{
    return mist_encode(fixture->codec, &fixture->frame, &fixture->options, &fixture->out, error);
}

static enum mist_status decode_with(struct fixture *fixture, struct mist_decode_options *options,
                                    struct mist_error *error)
{
    uint32_t width = mist_reduced_size(WIDTH, options->reduce), height = mist_reduced_size(HEIGHT, options->reduce);
    struct mist_view view =
        mist_view_interleaved(fixture->back, fixture->frame.type, width, height, fixture->frame.components);
    return mist_decode(fixture->codec, fixture->stream.data, fixture->stream.size, options, &view, NULL, error);
}

static enum mist_status decode(struct fixture *fixture, struct mist_error *error)
{
    struct mist_decode_options options = mist_decode_options_default();
    return decode_with(fixture, &options, error);
}

static enum mist_status decode_reduced(struct fixture *fixture, struct mist_error *error)
{
    struct mist_decode_options options = mist_decode_options_default();
    options.reduce = 1;
    options.threads = 2;
    return decode_with(fixture, &options, error);
}

static enum mist_status reduce(struct fixture *fixture, struct mist_error *error)
{
    return mist_codestream_reduce(fixture->stream.data, fixture->stream.size, 1, &fixture->out, error);
}

static enum mist_status wrap(struct fixture *fixture, struct mist_error *error)
{
    return mist_jph_wrap(fixture->stream.data, fixture->stream.size, &fixture->out, error);
}

static enum mist_status list_levels(struct fixture *fixture, struct mist_error *error)
{
    struct mist_codestream_index index;
    return mist_codestream_index(fixture->stream.data, fixture->stream.size, &index, error);
}

static enum mist_status read_info(struct fixture *fixture, struct mist_error *error)
{
    struct mist_codestream_info info;
    return mist_codestream_info(fixture->stream.data, fixture->stream.size, &info, error);
}

/* Fails the n-th allocation for n = 1, 2, ... until the work succeeds; returns how many there were. */
static unsigned fail_all(struct fixture *fixture, work *run, const char *name)
{
    for (unsigned n = 1;; n++) {
        struct mist_error error = {0};
        mist_codec_free(&fixture->codec); /* a used context has memory already */
        fixture->codec = mist_codec_new();
        mist_buffer_free(&fixture->out);
        memory_fail_at(n);
        enum mist_status status = run(fixture, &error);
        memory_fail_at(0);
        if (status == MIST_OK)
            return n - 1;
        if (status != MIST_ERROR_MEMORY || error.status != MIST_ERROR_MEMORY || !*error.message)
            fail_msg("%s with allocation %u failing: %s, %s", name, n, mist_status_name(status), error.message);
        if (run(fixture, &error) != MIST_OK)
            fail_msg("%s after allocation %u failed: %s", name, n, error.message);
        assert_true(n < 1000);
    }
}

static void check_fixture(struct fixture *fixture)
{
    static const struct {
        work *run;
        const char *name;
    } works[] = {{encode, "encode"},     {decode, "decode"},  {decode_reduced, "reduced decode"},
                 {list_levels, "index"}, {read_info, "info"}, {reduce, "reduce"},
                 {wrap, "wrap"}};
    for (size_t i = 0; i < sizeof works / sizeof *works; i++) {
        unsigned count = fail_all(fixture, works[i].run, works[i].name);
        assert_true(count > 0);
    }
    fixture->options.threads = 2;
    fail_all(fixture, encode, "encode with two threads");
    assert_int_equal(fixture->out.size, fixture->stream.size);
    assert_memory_equal(fixture->out.data, fixture->stream.data, fixture->stream.size);
    decode(fixture, NULL);
    if (!fixture->options.irreversible)
        assert_memory_equal(fixture->back, fixture->samples, sizeof *fixture->samples * PIXELS);
}

static void run_with(enum mist_sample_type type, uint32_t components, bool irreversible, uint32_t precinct)
{
    static struct fixture fixture;
    memset(&fixture, 0, sizeof fixture);
    for (size_t i = 0; i < PIXELS * (size_t)components; i++)
        fixture.samples[i] = (uint16_t)((i % WIDTH) * (i / WIDTH) + (i * 2654435761u >> 25));
    fixture.frame = mist_view_interleaved(fixture.samples, type, WIDTH, HEIGHT, components);
    fixture.options = mist_encode_options_default();
    fixture.options.irreversible = irreversible;
    fixture.options.precinct_width = fixture.options.precinct_height = precinct;
    fixture.codec = mist_codec_new();
    assert_int_equal(mist_encode(fixture.codec, &fixture.frame, &fixture.options, &fixture.stream, NULL), MIST_OK);
    check_fixture(&fixture);
    mist_codec_free(&fixture.codec);
    mist_buffer_free(&fixture.out);
    mist_buffer_free(&fixture.stream);
}

static void test_grey(void **state)
{
    run_with(MIST_U16, 1, false, 0);
}

static void test_color_precincts(void **state)
{
    run_with(MIST_U16, 3, false, 64);
}

static void test_irreversible(void **state)
{
    run_with(MIST_U16, 1, true, 0);
}

static void test_floats(void **state)
{
    run_with(MIST_F16, 3, false, 0);
}

static void test_context(void **state)
{
    memory_fail_at(1);
    mist_codec *codec = mist_codec_new();
    memory_fail_at(0);
    assert_null(codec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grey),   cmocka_unit_test(test_color_precincts), cmocka_unit_test(test_irreversible),
        cmocka_unit_test(test_floats), cmocka_unit_test(test_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
