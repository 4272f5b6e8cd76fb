/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables of a store: pages, look-ups, publication, and paths that try to leave it. */
#include "fixture.h"

#include "base/file.h"
#include "base/memory.h"
#include "store/maker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ITEMS = 20000, ATTACHMENTS = 50 };

static void fake_path(int i, char path[64])
{
    snprintf(path, 64, "images/%05d/%d.png", i / 100 * 7919 % 20000, i);
}

/* A store with a dataset of made-up rows and no item files. */
static void make_store(const char *directory, const char *dataset, struct mist_dataset_info *info)
{
    struct maker maker;
    struct mist_error error = {0};
    assert_int_equal(maker_open(&maker, directory, dataset, &error), MIST_OK);
    for (int i = 0; i < ITEMS; i++) {
        char path[64];
        struct mist_catalog_file file;
        fake_path(i, path);
        struct mist_catalog_entry entry = {.kind = MIST_CATALOG_ITEM, .item = fake_item(path, 512, 512, &file)};
        assert_int_equal(maker_put_entry(&maker, &entry, &error), MIST_OK);
    }
    for (int i = 0; i < ATTACHMENTS; i++) {
        char path[64];
        snprintf(path, sizeof path, "tables/%02d.csv", i);
        assert_int_equal(maker_put_attachment(&maker, path, (uint64_t)i, (uint64_t)-1 - (uint64_t)i, &error), MIST_OK);
    }
    assert_int_equal(maker_publish(&maker, &(struct mist_dataset_card){.title = ""}, info, &error), MIST_OK);
    maker_close(&maker, true);
}

struct page {
    unsigned count;
    uint64_t total;
    char last[1100];
};

static enum mist_status turn(void *context, const struct mist_catalog_entry *entry, struct mist_error *error)
{
    struct page *page = context;
    const char *path = entry->kind == MIST_CATALOG_ITEM ? entry->item.path : entry->attachment.path;
    (void)error;
    assert_true(strcmp(path, page->last) > 0);
    snprintf(page->last, sizeof page->last, "%s", path);
    page->count++;
    page->total++;
    return MIST_OK;
}

static void test_pages_and_catalog(void **state)
{
    const char *directory = *state;
    struct mist_error error = {0};
    struct mist_dataset_info info, published;
    make_store(directory, "big", &published);
    assert_int_equal(published.items, ITEMS);
    assert_int_equal(published.attachments, ATTACHMENTS);
    assert_int_equal(published.attachment_bytes, ATTACHMENTS * (ATTACHMENTS - 1) / 2);
    mist_store *store;
    assert_int_equal(mist_store_open(directory, &store, &error), MIST_OK);
    assert_int_equal(mist_store_dataset(store, "big", &info, &error), MIST_OK);
    assert_memory_equal(&info, &published, sizeof info);
    struct page page = {0};
    do {
        char after[1100];
        snprintf(after, sizeof after, "%s", page.last);
        page.count = 0;
        assert_int_equal(mist_store_items(store, "big", after, 777, turn, &page, &error), MIST_OK);
        assert_true(page.count == 777 || page.total == ITEMS);
    } while (page.count > 0);
    assert_int_equal(page.total, ITEMS);
    page = (struct page){0};
    assert_int_equal(mist_store_items(store, "big", NULL, 0, turn, &page, &error), MIST_OK);
    assert_int_equal(page.total, ITEMS);
    page = (struct page){0};
    assert_int_equal(mist_store_attachments(store, "big", "tables/25.csv", 0, turn, &page, &error), MIST_OK);
    assert_int_equal(page.total, ATTACHMENTS - 26);
    assert_int_equal(mist_store_items(store, "small", NULL, 1, turn, &page, &error), MIST_ERROR_NOT_FOUND);
    assert_non_null(strstr(error.message, "small"));
    mist_store_close(&store);
    assert_null(store);
}

/* The published file holds the same rows in the same order. */
static void test_catalog_file(void **state)
{
    const char *directory = *state;
    struct mist_error error = {0};
    char *path = path_join(directory, "big/catalog.jsonl.zst");
    mist_catalog *catalog;
    struct mist_catalog_entry entry = {.kind = MIST_CATALOG_ITEM};
    unsigned items = 0, attachments = 0;
    assert_int_equal(mist_catalog_open(path, &catalog, &error), MIST_OK);
    for (;;) {
        assert_int_equal(mist_catalog_next(catalog, &entry, &error), MIST_OK);
        if (entry.kind == MIST_CATALOG_END)
            break;
        items += entry.kind == MIST_CATALOG_ITEM;
        attachments += entry.kind == MIST_CATALOG_ATTACHMENT;
    }
    assert_int_equal(items, ITEMS);
    assert_int_equal(attachments, ATTACHMENTS);
    mist_catalog_close(&catalog);
    /* What has not changed is not written again, what has changed is. */
    struct stat before, after;
    assert_int_equal(stat(path, &before), 0);
    struct maker maker;
    struct mist_dataset_info info, changed;
    assert_int_equal(maker_open(&maker, directory, "big", &error), MIST_OK);
    assert_false(maker.interrupted_before);
    assert_int_equal(maker_publish(&maker, &(struct mist_dataset_card){.title = ""}, &info, &error), MIST_OK);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(maker_put_attachment(&maker, "tables/00.csv", 0, 1, &error), MIST_OK);
    assert_int_equal(maker_publish(&maker, &(struct mist_dataset_card){.title = ""}, &changed, &error), MIST_OK);
    assert_true(changed.id != info.id);
    assert_int_equal(stat(path, &after), 0);
    assert_int_not_equal(before.st_ino, after.st_ino);
    /* Two writers at a time are refused. */
    struct maker second;
    assert_int_equal(maker_open(&second, directory, "big", &error), MIST_ERROR_IO);
    assert_non_null(strstr(error.message, "another"));
    maker_close(&maker, false);
    assert_int_equal(maker_open(&second, directory, "big", &error), MIST_OK);
    assert_true(second.interrupted_before);
    maker_close(&second, true);
    memory_free(path);
}

static void test_find(void **state)
{
    const char *directory = *state;
    struct mist_error error = {0};
    mist_store *store;
    char path[64];
    fake_path(12345, path);
    assert_int_equal(mist_store_open(directory, &store, &error), MIST_OK);
    struct page page = {0};
    assert_int_equal(mist_store_find(store, "big", MIST_CATALOG_ITEM, path, turn, &page, &error), MIST_OK);
    assert_int_equal(page.count, 1);
    assert_string_equal(page.last, path);
    page = (struct page){0};
    assert_int_equal(mist_store_find(store, "big", MIST_CATALOG_ATTACHMENT, "tables/07.csv", turn, &page, &error),
                     MIST_OK);
    assert_int_equal(page.count, 1);
    const char *missing[] = {"", "images", "images/", "' OR 1=1 --", "tables/07.csv"};
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++)
        assert_int_equal(mist_store_find(store, "big", MIST_CATALOG_ITEM, missing[i], turn, &page, &error),
                         MIST_ERROR_NOT_FOUND);
    assert_int_equal(page.count, 1);
    mist_store_close(&store);
}

static void put_file(const char *directory, const char *name, const char *text)
{
    char *path = path_join(directory, name);
    assert_int_equal(file_write_whole(path, text, strlen(text), NULL), MIST_OK);
    memory_free(path);
}

static void put_link(const char *directory, const char *target, const char *name)
{
    char *path = path_join(directory, name);
    assert_int_equal(symlink(target, path), 0);
    memory_free(path);
}

static void test_paths_stay_inside(void **state)
{
    const char *directory = *state;
    struct mist_error error = {0};
    mist_store *store;
    int descriptor;
    char outside[64], text[8] = "";
    make_directory(outside);
    put_file(outside, "secret", "secret");
    put_file(directory, "big/files/a/plain.txt", "plain");
    put_file(directory, "big/items/a.png.mist", "item");
    put_link(directory, outside, "big/files/away");
    put_link(directory, "/etc/passwd", "big/files/passwd");
    put_link(directory, "a/plain.txt", "big/files/inside");
    put_link(directory, "../../../../../../../../etc/passwd", "big/files/up");
    put_link(directory, "loop", "big/files/loop");
    assert_int_equal(mist_store_open(directory, &store, &error), MIST_OK);
    const char *good[] = {"a/plain.txt", "inside"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(mist_store_open_file(store, "big", MIST_CATALOG_ATTACHMENT, good[i], &descriptor, &error),
                         MIST_OK);
        assert_int_equal(read(descriptor, text, sizeof text), 5);
        assert_memory_equal(text, "plain", 5);
        close(descriptor);
    }
    assert_int_equal(mist_store_open_file(store, "big", MIST_CATALOG_ITEM, "a.png", &descriptor, &error), MIST_OK);
    close(descriptor);
    assert_int_equal(mist_store_open_file(store, "big", MIST_CATALOG_END, NULL, &descriptor, &error), MIST_OK);
    close(descriptor);
    const char *bad[] = {"away/secret",
                         "passwd",
                         "up",
                         "loop",
                         "a",
                         "a/../../files/a/plain.txt",
                         "/etc/passwd",
                         "",
                         ".",
                         "..",
                         "a//plain.txt",
                         "a/plain.txt/",
                         "a/plain.txt/x",
                         "nothing"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (!mist_store_open_file(store, "big", MIST_CATALOG_ATTACHMENT, bad[i], &descriptor, &error))
            fail_msg("opened: %s", bad[i]);
        assert_int_equal(error.status, MIST_ERROR_NOT_FOUND);
        assert_int_equal(descriptor, -1);
    }
    const char *datasets[] = {"..", ".", "", "big/files", "v1", "/"};
    for (size_t i = 0; i < sizeof datasets / sizeof *datasets; i++)
        assert_int_equal(
            mist_store_open_file(store, datasets[i], MIST_CATALOG_ATTACHMENT, "a/plain.txt", &descriptor, &error),
            MIST_ERROR_NOT_FOUND);
    mist_store_close(&store);
    remove_directory(outside);
}

static void test_not_a_store(void **state)
{
    (void)state;
    struct mist_error error = {0};
    mist_store *store;
    char directory[64];
    make_directory(directory);
    assert_int_equal(mist_store_open(directory, &store, &error), MIST_ERROR_NOT_FOUND);
    assert_non_null(strstr(error.message, "mist index"));
    assert_null(store);
    put_file(directory, "mist.sqlite", "this is no database, but long enough to be taken for one.....................");
    assert_int_not_equal(mist_store_open(directory, &store, &error), MIST_OK);
    assert_non_null(strstr(error.message, "mist.sqlite"));
    assert_int_equal(mist_store_open("/nonexistent", &store, &error), MIST_ERROR_NOT_FOUND);
    remove_directory(directory);
}

static void test_names(void **state)
{
    (void)state;
    const char *good[] = {"a", "CXR-2024_v1.0", "v2", "0"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(mist_dataset_name_is_valid(good[i]));
    const char *bad[] = {"",
                         ".",
                         "..",
                         ".hidden",
                         "v1",
                         "dicom-web",
                         "healthz",
                         "metrics",
                         "a b",
                         "a/b",
                         "\xc3\xa9",
                         "mist.sqlite",
                         "mist.sqlite-wal",
                         "0123456789012345678901234567890123456789012345678901234567890123x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(mist_dataset_name_is_valid(bad[i]));
}

static int set_up(void **state)
{
    static char directory[64];
    make_directory(directory);
    *state = directory;
    return 0;
}

static int tear_down(void **state)
{
    remove_directory(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages_and_catalog), cmocka_unit_test(test_catalog_file), cmocka_unit_test(test_find),
        cmocka_unit_test(test_paths_stay_inside), cmocka_unit_test(test_not_a_store),  cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
