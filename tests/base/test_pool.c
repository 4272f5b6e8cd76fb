/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/pool.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

struct counted {
    atomic_int runs[1000];
    uint64_t fail_from;
};

static enum mist_status count_run(void *context, uint64_t index, unsigned worker, struct mist_error *error)
{
    struct counted *counted = context;
    (void)worker;
    atomic_fetch_add(&counted->runs[index], 1);
    if (index >= counted->fail_from)
        return error_set(error, MIST_ERROR_CORRUPT, "index %d", (int)index);
    return MIST_OK;
}

static void test_pool(void **state)
{
    (void)state;
    static struct counted counted;
    struct mist_error error = {0};
    for (unsigned threads = 1; threads <= 4; threads++) {
        counted = (struct counted){.fail_from = 1000};
        assert_int_equal(pool_run(threads, 1000, count_run, &counted, &error), MIST_OK);
        for (int i = 0; i < 1000; i++)
            assert_int_equal(counted.runs[i], 1);
        counted = (struct counted){.fail_from = 7};
        assert_int_equal(pool_run(threads, 1000, count_run, &counted, &error), MIST_ERROR_CORRUPT);
        assert_string_equal(error.message, "index 7"); /* indices are handed out in order, so 7 always runs */
    }
}

/* Many short steps, with pauses after some so that the helpers fall asleep; what a step wrote the next one reads. */
static void test_pool_in_steps(void **state)
{
    (void)state;
    static struct counted counted;
    struct mist_error error = {0};
    for (unsigned threads = 1; threads <= 5; threads++) {
        struct pool *pool;
        int expected[1000] = {0};
        counted = (struct counted){.fail_from = 1000};
        assert_int_equal(pool_start(threads, &pool, &error), MIST_OK);
        assert_int_equal(pool_threads(pool), threads);
        for (uint64_t step = 0; step < 3000; step++) {
            uint64_t count = step * 7 % 23;
            assert_int_equal(pool_share(pool, count, count_run, &counted, &error), MIST_OK);
            for (uint64_t i = 0; i < count; i++)
                expected[i]++;
            assert_memory_equal(counted.runs, expected, 23 * sizeof(int));
            if (step % 100 == 0)
                usleep(300);
        }
        counted.fail_from = 5;
        assert_int_equal(pool_share(pool, 20, count_run, &counted, &error), MIST_ERROR_CORRUPT);
        assert_string_equal(error.message, "index 5");
        counted.fail_from = 1000; /* a failed step is over with it */
        assert_int_equal(pool_share(pool, 20, count_run, &counted, &error), MIST_OK);
        pool_stop(&pool);
        assert_null(pool);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pool),
        cmocka_unit_test(test_pool_in_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
