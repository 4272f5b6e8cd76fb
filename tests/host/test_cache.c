/* SPDX-License-Identifier: BSD-2-Clause */
/* The cache of open items: how many stay open, which one goes, and that none goes that is in use. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "host/cache.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILES = CACHE_MAX_ITEMS + 3 };

struct folder {
    char path[64];
    struct item_cache cache;
};

static void file_name(const struct folder *folder, int number, char name[128])
{
    snprintf(name, 128, "%s/%d.mist", folder->path, number);
}

static int set_up(void **state)
{
    static struct folder folder;
    char name[4096];
    struct mist_buffer bytes = {0};
    snprintf(name, sizeof name, "%s/tests/data/item/example.mist", getenv("MIST_SOURCE"));
    strcpy(folder.path, "/tmp/mist-cache-XXXXXX");
    if (!mkdtemp(folder.path) || file_read(name, 1 << 20, &bytes, NULL))
        return -1;
    for (int i = 0; i < FILES; i++) {
        file_name(&folder, i, name);
        if (file_write_whole(name, bytes.data, bytes.size, NULL))
            return -1;
    }
    mist_buffer_free(&bytes);
    cache_start(&folder.cache);
    *state = &folder;
    return 0;
}

static int tear_down(void **state)
{
    struct folder *folder = *state;
    char name[128];
    cache_stop(&folder->cache);
    for (int i = 0; i < FILES; i++) {
        file_name(folder, i, name);
        unlink(name);
    }
    rmdir(folder->path);
    return 0;
}

static struct cached_item *open_item(struct folder *folder, int number)
{
    char name[128];
    struct mist_error error = {0};
    struct cached_item *item;
    file_name(folder, number, name);
    assert_int_equal(cache_open(&folder->cache, open(name, O_RDONLY | O_CLOEXEC), name, &item, &error), MIST_OK);
    assert_non_null(mist_item_info(item->item));
    return item;
}

static struct cached_item *visit(struct folder *folder, int number)
{
    struct cached_item *item = open_item(folder, number);
    cache_release(&folder->cache, item);
    return item;
}

static bool is_open(const struct folder *folder, const struct cached_item *item)
{
    for (const struct cached_item *at = folder->cache.first; at; at = at->next)
        if (at == item)
            return true;
    return false;
}

/* As many stay as may; the one that was not asked for longest goes first, and what is asked for again stays. */
static void test_least_recently_used(void **state)
{
    struct folder *folder = *state;
    struct cached_item *item[FILES];
    for (int i = 0; i < CACHE_MAX_ITEMS; i++)
        item[i] = visit(folder, i);
    assert_int_equal(folder->cache.count, CACHE_MAX_ITEMS);
    assert_ptr_equal(visit(folder, 0), item[0]); /* not opened twice */
    assert_int_equal(folder->cache.count, CACHE_MAX_ITEMS);
    uint64_t cost = folder->cache.cost;
    item[CACHE_MAX_ITEMS] = visit(folder, CACHE_MAX_ITEMS);
    assert_int_equal(folder->cache.count, CACHE_MAX_ITEMS);
    assert_int_equal(folder->cache.cost, cost); /* all are of one size */
    assert_true(is_open(folder, item[0]) && is_open(folder, item[2]) && is_open(folder, item[CACHE_MAX_ITEMS]));
    assert_false(is_open(folder, item[1]));
}

/* What is in use stays open, though there are too many; they go once they are given back. */
static void test_in_use(void **state)
{
    struct folder *folder = *state;
    struct cached_item *item[FILES];
    for (int i = 0; i < FILES; i++)
        item[i] = open_item(folder, i);
    assert_int_equal(folder->cache.count, FILES);
    for (int i = 0; i < FILES; i++)
        assert_int_equal(mist_item_info(item[i]->item)->image.width, mist_item_info(item[0]->item)->image.width);
    for (int i = 0; i < FILES; i++)
        cache_release(&folder->cache, item[i]);
    assert_int_equal(folder->cache.count, CACHE_MAX_ITEMS);
}

/* A file that was written anew is another item. */
static void test_written_anew(void **state)
{
    struct folder *folder = *state;
    char name[128];
    struct mist_buffer bytes = {0};
    file_name(folder, 0, name);
    struct cached_item *before = open_item(folder, 0);
    assert_int_equal(file_read(name, 1 << 20, &bytes, NULL), MIST_OK);
    assert_int_equal(file_write_whole(name, bytes.data, bytes.size, NULL), MIST_OK); /* another inode, another time */
    struct cached_item *after = open_item(folder, 0);
    assert_ptr_not_equal(before, after);
    cache_release(&folder->cache, before);
    cache_release(&folder->cache, after);
    mist_buffer_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_least_recently_used, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_in_use, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_written_anew, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
