/* SPDX-License-Identifier: BSD-2-Clause */
/* Every allocation of encode, index, verify and the catalog reader fails once: an error or a noted file, never a crash,
 * and the next run mends what was left. tests/store/test_failing under valgrind finds leaks. */
#include "fixture.h"

#include "base/file.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A grey PNG of 2x1 pixels. */
static const uint8_t tiny_png[] = {0x89, 'P', 'N',  'G',  '\r', '\n', 0x1a, '\n', 0,    0,    0,    13,   'I',
                                   'H',  'D', 'R',  0,    0,    0,    2,    0,    0,    0,    1,    8,    0,
                                   0,    0,   0,    0xc9, 0xa2, 0x44, 0xb5, 0,    0,    0,    11,   'I',  'D',
                                   'A',  'T', 0x78, 0x9c, 0x63, 0x10, 0x91, 0x00, 0x00, 0x00, 0x59, 0x00, 0x2f};

static void put(const char *directory, const char *name, const void *bytes, size_t size)
{
    char *path = path_join(directory, name);
    assert_int_equal(file_write_whole(path, bytes, size, NULL), MIST_OK);
    memory_free(path);
}

static unsigned notes;

static void count_note(void *context, const char *path, const char *sentence)
{
    (void)context;
    assert_true(strlen(path) > 0 && strlen(sentence) > 0);
    notes++;
}

struct work {
    const char *source;
    const char *store;
    struct mist_store_report report;
};

static enum mist_status encode(struct work *work)
{
    struct mist_store_encode_options options = {
        .sources = &work->source, .source_count = 1, .dataset = "d", .threads = 1, .note = count_note};
    return mist_store_encode(work->store, &options, &work->report, NULL, NULL);
}

static enum mist_status index_store(struct work *work)
{
    return mist_store_index(work->store, NULL, 1, count_note, NULL, &work->report, NULL, NULL);
}

static enum mist_status verify(struct work *work)
{
    mist_store *store;
    enum mist_status status = mist_store_open(work->store, &store, NULL);
    if (!status)
        status = mist_store_verify(store, true, 1, count_note, NULL, &work->report, NULL, NULL);
    mist_store_close(&store);
    return status;
}

/* Runs a step with the n-th allocation failing for every n, until it goes through without a note. */
static void fail_each(struct work *work, enum mist_status (*step)(struct work *work), bool fresh)
{
    for (uint64_t nth = 1;; nth++) {
        assert_true(nth < 20000);
        if (fresh)
            remove_directory(work->store);
        notes = 0;
        memory_fail_at(nth);
        enum mist_status status = step(work);
        memory_fail_at(0);
        if (!status && notes == 0 && work->report.failed == 0) {
            assert_true(nth > 10);
            return;
        }
    }
}

static void test_each_allocation(void **state)
{
    (void)state;
    char source[64], directory[64], store[80];
    make_directory(source);
    make_directory(directory);
    snprintf(store, sizeof store, "%s/store", directory);
    put(source, "a/tiny.png", tiny_png, sizeof tiny_png);
    put(source, "text", "text", 4);
    struct work work = {.source = source, .store = store};
    /* As it is, the picture is no whole PNG: it must be noted. */
    assert_int_equal(encode(&work), MIST_OK);
    assert_int_equal(work.report.failed, 1);
    char *path = path_join(source, "a/tiny.png");
    remove(path);
    memory_free(path);
    put(source, "volume.nii", NULL, 0);
    path = path_join(source, "volume.nii");
    uint8_t header[352 + 64] = {0};
    const int32_t size = 348;
    const int16_t dim[8] = {3, 4, 4, 4, 1, 1, 1, 1}, type = 2, bits = 8;
    const float offset = 352;
    memcpy(header, &size, 4);
    memcpy(header + 40, dim, sizeof dim);
    memcpy(header + 70, &type, 2);
    memcpy(header + 72, &bits, 2);
    memcpy(header + 108, &offset, 4);
    memcpy(header + 344, "n+1", 4);
    for (int i = 0; i < 64; i++)
        header[352 + i] = (uint8_t)(i * 3);
    assert_int_equal(file_write_whole(path, header, sizeof header, NULL), MIST_OK);
    memory_free(path);
    fail_each(&work, encode, true);
    assert_int_equal(work.report.items, 1);
    assert_int_equal(work.report.attachments, 1);
    /* What a failing run left is mended by the next. */
    for (uint64_t nth = 5; nth < 400; nth += 23) {
        remove_directory(store);
        memory_fail_at(nth);
        encode(&work);
        memory_fail_at(0);
        assert_int_equal(encode(&work), MIST_OK);
        assert_int_equal(work.report.failed, 0);
        notes = 0;
        assert_int_equal(verify(&work), MIST_OK);
        assert_int_equal(notes, 0);
        assert_int_equal(work.report.items, 1);
    }
    fail_each(&work, index_store, false);
    fail_each(&work, verify, false);
    remove_directory(source);
    remove_directory(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_allocation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
