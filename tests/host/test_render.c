/* SPDX-License-Identifier: BSD-2-Clause */
/* JPEG previews of every sample type: the same values give the same picture, whatever they are held in. */
#include "host/render.h"

#include "image/rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { WIDTH = 40, HEIGHT = 24 };

/* A ramp of 0 .. 120, in memory of exactly the size that it needs. */
static void render(enum mist_sample_type type, struct mist_buffer *out)
{
    void *samples = malloc(mist_frame_bytes(type, WIDTH, HEIGHT, 1));
    struct mist_view view = mist_view_interleaved(samples, type, WIDTH, HEIGHT, 1);
    double row[WIDTH];
    for (uint32_t y = 0; y < HEIGHT; y++) {
        for (uint32_t x = 0; x < WIDTH; x++)
            row[x] = (double)(120 * (x + y) / (WIDTH + HEIGHT - 2));
        row_store(&view, y, 0, row);
    }
    struct mist_error error = {0};
    assert_int_equal(render_jpeg(&view, "ramp", out, &error), MIST_OK);
    free(samples);
}

static void test_every_type(void **state)
{
    (void)state;
    struct mist_buffer expected = {0}, out = {0};
    render(MIST_U16, &expected);
    assert_true(expected.size > 4 && expected.data[0] == 0xff && expected.data[1] == 0xd8);
    for (enum mist_sample_type type = MIST_S8; type < MIST_SAMPLE_TYPES; type++) { /* u8 is shown as it is */
        render(type, &out);
        assert_int_equal(out.size, expected.size);
        assert_memory_equal(out.data, expected.data, out.size);
    }
    mist_buffer_free(&expected);
    mist_buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_type)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
