/* SPDX-License-Identifier: BSD-2-Clause */
/* How many requests are in flight: looks at a line that is made up. */
#include "client/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* A line: each transfer brings `each` bytes a second, all together `all` at most. */
struct line {
    double each, all;
    struct pace_look look;
};

static int run(struct line *line, struct pace *pace, double seconds, bool all_taken)
{
    double rate = line->each * pace->transfers;
    int more = 0;
    for (double end = line->look.seconds + seconds; line->look.seconds < end;) {
        line->look.seconds += 0.1;
        line->look.received += (uint64_t)(0.1 * (rate < line->all ? rate : line->all));
        line->look.all_taken = all_taken;
        more += pace_look(pace, &line->look);
        rate = line->each * pace->transfers;
    }
    return more;
}

static void test_grows_while_it_helps(void **state)
{
    struct pace pace;
    struct line line = {.each = 1e5, .all = 1e9, .look.seconds = 100};
    pace_start(&pace, 0);
    assert_int_equal(pace.transfers, PACE_FIRST);
    assert_int_equal(run(&line, &pace, 2, true), PACE_MOST - PACE_FIRST);
    assert_int_equal(pace.transfers, PACE_MOST);
}

/* What is tried and brings nothing is taken back, and is tried ever more rarely. */
static void test_a_full_line_gets_no_more(void **state)
{
    struct pace pace;
    struct line line = {.each = 1e6, .all = 1e6 * PACE_FIRST, .look.seconds = 100};
    unsigned looks = 0, with_more = 0;
    pace_start(&pace, 0);
    for (; looks < 600; looks++) { /* a minute */
        run(&line, &pace, 0.05, true);
        with_more += pace.transfers > PACE_FIRST;
        assert_true(pace.transfers == PACE_FIRST || pace.transfers == 2 * PACE_FIRST);
    }
    assert_in_range(with_more, 1, looks / 20);
}

/* A line that becomes faster is found out about. */
static void test_later_there_is_more_room(void **state)
{
    struct pace pace;
    struct line line = {.each = 1e6, .all = 1e6 * PACE_FIRST, .look.seconds = 100};
    pace_start(&pace, 0);
    run(&line, &pace, 5, true);
    line.all *= 100;
    run(&line, &pace, 10, true);
    assert_int_equal(pace.transfers, PACE_MOST);
}

static void test_what_is_not_used_does_not_grow(void **state)
{
    struct pace pace;
    struct line line = {.each = 1e5, .all = 1e9, .look.seconds = 100};
    pace_start(&pace, 0);
    assert_int_equal(run(&line, &pace, 2, false), 0);
}

static void test_refusals_halve(void **state)
{
    struct pace pace;
    struct line line = {.each = 1e5, .all = 1e9, .look.seconds = 100};
    pace_start(&pace, 0);
    run(&line, &pace, 2, true);
    line.look.refused += 20; /* of one moment: counted once */
    assert_int_equal(run(&line, &pace, 0.2, true), -PACE_MOST / 2);
    line.look.refused += 3;
    assert_int_equal(run(&line, &pace, 1, true), 0); /* nor more, so soon after it */
    for (int i = 0; i < 10; i++) {
        line.look.seconds += 100;
        line.look.refused++;
        pace_look(&pace, &line.look);
    }
    assert_int_equal(pace.transfers, PACE_LEAST);
}

static void test_what_the_user_said_stays(void **state)
{
    struct pace pace;
    struct line line = {.each = 1e5, .all = 1e9, .look.seconds = 100};
    pace_start(&pace, 7);
    line.look.refused = 5;
    assert_int_equal(run(&line, &pace, 3, true), 0);
    assert_int_equal(pace.transfers, 7);
    pace_start(&pace, 1000);
    assert_int_equal(pace.transfers, PACE_MOST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grows_while_it_helps),     cmocka_unit_test(test_a_full_line_gets_no_more),
        cmocka_unit_test(test_later_there_is_more_room), cmocka_unit_test(test_what_is_not_used_does_not_grow),
        cmocka_unit_test(test_refusals_halve),           cmocka_unit_test(test_what_the_user_said_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
