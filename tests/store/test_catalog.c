/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"

#include "base/memory.h"
#include "source/catalog.h"
#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

static void assert_same_item(const struct mist_catalog_item *a, const struct mist_catalog_item *b)
{
    assert_string_equal(a->path, b->path);
    assert_string_equal(a->format, b->format);
    assert_memory_equal(&a->image.geometry.spacing, &b->image.geometry.spacing, sizeof a->image.geometry.spacing);
    assert_int_equal(a->image.type, b->image.type);
    assert_int_equal(a->image.precision, b->image.precision);
    assert_int_equal(a->image.width, b->image.width);
    assert_int_equal(a->image.height, b->image.height);
    assert_int_equal(a->image.components, b->image.components);
    assert_int_equal(a->image.frames, b->image.frames);
    assert_int_equal(a->image.label, b->image.label);
    assert_int_equal(a->image.slices, b->image.slices);
    assert_true(a->label ? strcmp(a->label, b->label) == 0 : !b->label);
    assert_true(a->kept ? strcmp(a->kept, b->kept) == 0 : !b->kept);
    assert_int_equal(a->centred, b->centred);
    assert_int_equal(a->steps, b->steps);
    assert_memory_equal(a->range_end, b->range_end, a->levels * (a->steps + 1) * sizeof *a->range_end);
    assert_int_equal(a->levels, b->levels);
    assert_int_equal(a->head_end, b->head_end);
    assert_memory_equal(a->level_end, b->level_end, a->levels * sizeof *a->level_end);
    assert_true(a->size == b->size && a->id == b->id && a->source_bytes == b->source_bytes);
    assert_int_equal(a->file_count, b->file_count);
    for (uint32_t i = 0; i < a->file_count; i++) {
        assert_string_equal(a->files[i].path, b->files[i].path);
        assert_int_equal(a->files[i].frames, b->files[i].frames);
    }
}

static void test_round_trip(void **state)
{
    (void)state;
    struct mist_catalog_file files[3] = {{"s/1.dcm", 2}, {"s/\"2\".dcm", 1}, {"s/\xc3\xa9.dcm", 4}};
    struct mist_catalog_file one;
    struct mist_catalog_entry entry = {.kind = MIST_CATALOG_ITEM, .item = fake_item("a/b \"c\".png", 1000, 700, &one)};
    struct catalog_row row = {0};
    struct mist_buffer text = {0};
    struct mist_error error = {0};
    for (int series = 0; series < 2; series++) {
        if (series) {
            entry.item.files = files;
            entry.item.file_count = 3;
            entry.item.image.frames = entry.item.image.slices = 7;
            entry.item.image.label = true;
            entry.item.label = "name";
            entry.item.kept = "few levels";
            entry.item.centred = true;
            entry.item.image.geometry.spacing[0] = 0.1;
            entry.item.image.geometry.spacing[2] = 2.5;
        }
        text.size = 0;
        assert_int_equal(mist_catalog_entry_write(&entry, &text, &error), MIST_OK);
        assert_int_equal(catalog_row_parse((char *)text.data, text.size, &row, &error), MIST_OK);
        assert_int_equal(row.entry.kind, MIST_CATALOG_ITEM);
        assert_same_item(&row.entry.item, &entry.item);
        /* A file that is the item itself is not named twice. */
        assert_int_equal(memmem(text.data, text.size, "files", 5) != NULL, series);
    }
    entry = (struct mist_catalog_entry){.kind = MIST_CATALOG_ATTACHMENT};
    entry.attachment = (struct mist_catalog_attachment){
        .path = "labels.csv", .size = 99, .checksum = 0xfedcba9876543210, .kept = "too large"};
    text.size = 0;
    assert_int_equal(mist_catalog_entry_write(&entry, &text, &error), MIST_OK);
    assert_int_equal(catalog_row_parse((char *)text.data, text.size, &row, &error), MIST_OK);
    assert_int_equal(row.entry.kind, MIST_CATALOG_ATTACHMENT);
    assert_string_equal(row.entry.attachment.path, "labels.csv");
    assert_string_equal(row.entry.attachment.kept, "too large");
    assert_true(row.entry.attachment.size == 99 && row.entry.attachment.checksum == 0xfedcba9876543210);
    catalog_row_free(&row);
    mist_buffer_free(&text);
}

/* An item's line with one piece of text replaced. */
static void patched_line(const char *from, const char *to, char *out, size_t size)
{
    struct mist_catalog_file one;
    struct mist_catalog_entry entry = {.kind = MIST_CATALOG_ITEM, .item = fake_item("a.png", 100, 100, &one)};
    struct mist_buffer text = {0};
    assert_int_equal(mist_catalog_entry_write(&entry, &text, NULL), MIST_OK);
    assert_true(buffer_append_zeros(&text, 1));
    char *found = strstr((char *)text.data, from);
    assert_non_null(found);
    snprintf(out, size, "%.*s%s%s", (int)(found - (char *)text.data), (char *)text.data, to, found + strlen(from));
    mist_buffer_free(&text);
}

static void test_hostile_rows(void **state)
{
    (void)state;
    const struct {
        const char *from;
        const char *to;
    } patches[] = {
        {"a.png", "../a.png"},
        {"a.png", "/etc/passwd"},
        {"a.png", "a/./b"},
        {"a.png", ""},
        {"a.png", "a\\u0000b"},
        {"a.png", "a\\u000ab"},
        {"a.png", "a\\\\b"},
        {"a.png", "\xff"},
        {"\"width\":100", "\"width\":0"},
        {"\"width\":100", "\"width\":65536"},
        {"\"width\":100", "\"width\":99999999999999999999999999"},
        {"\"width\":100", "\"width\":-1"},
        {"\"width\":100", "\"width\":1e2"},
        {"\"width\":100", "\"width\":\"100\""},
        {"\"width\":100,", ""},
        {"\"height\":100", "\"height\":0"},
        {"\"slices\":1", "\"slices\":0"},
        {"\"slices\":1", "\"slices\":1000001"},
        {"\"slices\":1", "\"slices\":1000,\"volumes\":1001"},
        {"\"levels\":2", "\"levels\":2,\"steps\":1"},
        {"\"levels\":2", "\"levels\":2,\"steps\":17"},
        {"\"levels\":2", "\"levels\":2,\"axes\":[0,1,1]"},
        {"\"components\":1", "\"components\":5"},
        {"\"components\":1", "\"components\":0"},
        {"\"precision\":12", "\"precision\":17"},
        {"\"type\":\"u16\"", "\"type\":\"u128\""},
        {"\"type\":\"u16\"", "\"type\":null"},
        {"\"format\":\"png\"", "\"format\":\"p/g\""},
        {"\"format\":\"png\"", "\"format\":\"muchtoolonganame\""},
        {"\"levels\":2", "\"levels\":3"},
        {"\"levels\":2", "\"levels\":0"},
        {"\"levels\":2", "\"levels\":34"},
        {"[1100,4100]", "[4100,1100]"},
        {"[1100,4100]", "[99,4100]"},
        {"[1100,4100]", "[1100]"},
        {"[1100,4100]", "[1100,4100,]"},
        {"[1100,4100]", "[1100,9223372036854775808]"},
        {"\"size\":4117", "\"size\":4099"},
        {"\"head_end\":100", "\"head_end\":0"},
        {"\"levels\":2", "\"levels\":2,\"label\":0"},
        {"\"id\":\"0123456789abcdef\"", "\"id\":\"0123\""},
        {"\"id\":\"0123456789abcdef\"", "\"id\":\"0123456789abcdeg\""},
        {"\"path\":", "\"path\":\"b\",\"path\":"},
        {"\"path\":", "\"file\":\"b\",\"path\":"},
        {"\"path\":", "\"spacing\":[1,2,3,4],\"path\":"},
        {"\"path\":", "\"spacing\":[-1],\"path\":"},
        {"\"path\":", "\"spacing\":[1e999],\"path\":"},
        {"\"path\":", "\"files\":[{\"path\":\"x\",\"frames\":2}],\"path\":"},
        {"\"path\":", "\"files\":[{\"frames\":1}],\"path\":"},
        {"\"path\":", "\"files\":[{\"path\":\"../x\"}],\"path\":"},
        {"\"path\":", "\"files\":[{\"path\":\"x\",\"frames\":0}],\"path\":"},
        {"\"path\":", "\"files\":7,\"path\":"},
        {"}", ""},
        {"}", "}}"},
        {"{", "[{"},
    };
    char line[4096];
    struct catalog_row row = {0};
    struct mist_error error;
    for (size_t i = 0; i < sizeof patches / sizeof *patches; i++) {
        patched_line(patches[i].from, patches[i].to, line, sizeof line);
        error = (struct mist_error){0};
        if (catalog_row_parse(line, strlen(line), &row, &error) != MIST_ERROR_CORRUPT)
            fail_msg("taken: %s", line);
        assert_int_equal(error.status, MIST_ERROR_CORRUPT);
        assert_true(strlen(error.message) > 10 && !strchr(error.message, '\n'));
    }
    /* What a later version may add is passed over. */
    patched_line("{", "{\"new\":{\"a\":[1,{}]},", line, sizeof line);
    assert_int_equal(catalog_row_parse(line, strlen(line), &row, &error), MIST_OK);
    catalog_row_free(&row);
}

static void test_failing_allocations(void **state)
{
    (void)state;
    char line[4096];
    patched_line("\"path\":", "\"files\":[{\"path\":\"x\"}],\"path\":", line, sizeof line);
    for (uint64_t nth = 1;; nth++) {
        struct catalog_row row = {0};
        memory_fail_at(nth);
        enum mist_status status = catalog_row_parse(line, strlen(line), &row, NULL);
        memory_fail_at(0);
        catalog_row_free(&row);
        if (status == MIST_OK) {
            assert_true(nth > 1);
            break;
        }
    }
}

/* ---- whole catalogs ---- */

static const char header[] = "{\"format\":\"mist-catalog\",\"version\":2,\"dataset\":\"d\",\"items\":%u,\"files\":%u,"
                             "\"id\":\"0000000000000001\"}\n";

static struct mist_buffer compress(const char *text, size_t size)
{
    struct mist_buffer out = {0};
    assert_true(buffer_reserve(&out, ZSTD_compressBound(size)));
    out.size = ZSTD_compress(out.data, out.capacity, text, size, 1);
    assert_false(ZSTD_isError(out.size));
    return out;
}

/* Reads all of a compressed catalog; gives the status of the first failure and how many entries came before it. */
static enum mist_status read_all(const struct mist_buffer *data, unsigned *entries, struct mist_error *error)
{
    mist_catalog *catalog;
    struct mist_catalog_entry entry = {.kind = MIST_CATALOG_ITEM};
    *entries = 0;
    enum mist_status status = mist_catalog_open_memory(data->data, data->size, "test", &catalog, error);
    while (!status && entry.kind != MIST_CATALOG_END) {
        status = mist_catalog_next(catalog, &entry, error);
        *entries += !status && entry.kind != MIST_CATALOG_END;
    }
    if (status && catalog) /* stays broken */
        assert_int_equal(mist_catalog_next(catalog, &entry, NULL), status);
    mist_catalog_close(&catalog);
    return status;
}

static void add_line(struct mist_buffer *text, const char *path)
{
    struct mist_catalog_file one;
    struct mist_catalog_entry entry = {.kind = MIST_CATALOG_ITEM, .item = fake_item(path, 512, 512, &one)};
    assert_int_equal(mist_catalog_entry_write(&entry, text, NULL), MIST_OK);
    assert_true(buffer_append(text, "\n", 1));
}

static enum mist_status read_text(const char *text, size_t size, unsigned *entries, struct mist_error *error)
{
    struct mist_buffer data = compress(text, size);
    *error = (struct mist_error){0};
    enum mist_status status = read_all(&data, entries, error);
    assert_int_equal(error->status, status);
    mist_buffer_free(&data);
    return status;
}

static void test_whole_catalog(void **state)
{
    (void)state;
    struct mist_buffer text = {0};
    struct mist_error error;
    unsigned entries;
    enum { ITEMS = 5000 };
    assert_true(json_put(&text, header, (unsigned)ITEMS, 1u));
    for (int i = 0; i < ITEMS; i++) {
        char path[32];
        snprintf(path, sizeof path, "images/%06d.png", i);
        add_line(&text, path);
    }
    assert_true(json_put(&text, "{\"file\":\"a.csv\",\"size\":3,\"checksum\":\"0000000000000000\"}\n"));
    assert_int_equal(read_text((char *)text.data, text.size, &entries, &error), MIST_OK);
    assert_int_equal(entries, ITEMS + 1);
    /* Without the last line, and without its end. */
    assert_int_equal(read_text((char *)text.data, text.size - 1, &entries, &error), MIST_ERROR_TRUNCATED);
    size_t shorter = text.size - 1;
    while (text.data[shorter - 1] != '\n')
        shorter--;
    assert_int_equal(read_text((char *)text.data, shorter, &entries, &error), MIST_ERROR_TRUNCATED);
    assert_non_null(strstr(error.message, "less than"));
    /* Cut and damaged after compression. */
    struct mist_buffer data = compress((char *)text.data, text.size);
    size_t whole = data.size;
    for (data.size = 0; data.size < whole; data.size += data.size < 20 ? 1 : whole / 50)
        assert_int_not_equal(read_all(&data, &entries, &error), MIST_OK);
    mist_buffer_free(&data);
    mist_buffer_free(&text);
}

static void test_hostile_catalogs(void **state)
{
    (void)state;
    struct mist_buffer text = {0};
    struct mist_error error;
    unsigned entries;
    const char *starts[] = {
        "",
        "\n",
        "{}\n",
        "[]\n",
        "hello\n",
        "{\"format\":\"mist-catalog\",\"version\":1,\"dataset\":\"d\",\"items\":0,\"files\":0}\n",
        "{\"format\":\"mist-catalog\",\"version\":3,\"dataset\":\"d\",\"items\":0,\"files\":0}\n",
        "{\"format\":\"mist-catalog\",\"version\":2,\"dataset\":\"../d\",\"items\":0,\"files\":0}\n",
        "{\"format\":\"mist-catalog\",\"version\":2,\"dataset\":\"v1\",\"items\":0,\"files\":0}\n",
        "{\"format\":\"mist-catalog\",\"version\":2,\"dataset\":\"d\",\"items\":1e9,\"files\":0}\n"};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        assert_int_not_equal(read_text(starts[i], strlen(starts[i]), &entries, &error), MIST_OK);
    const char *orders[][3] = {{"b", "a", "descend"}, {"a", "a", "twice"}, {"a", "b", "more than said"}};
    for (size_t i = 0; i < 3; i++) {
        text.size = 0;
        assert_true(json_put(&text, header, i == 2 ? 1u : 2u, 0u));
        add_line(&text, orders[i][0]);
        add_line(&text, orders[i][1]);
        assert_int_equal(read_text((char *)text.data, text.size, &entries, &error), MIST_ERROR_CORRUPT);
        assert_int_equal(entries, 1);
    }
    text.size = 0; /* an item behind an attachment */
    assert_true(json_put(&text, header, 1u, 1u));
    assert_true(json_put(&text, "{\"file\":\"a.csv\",\"size\":3,\"checksum\":\"0000000000000000\"}\n"));
    add_line(&text, "b");
    assert_int_equal(read_text((char *)text.data, text.size, &entries, &error), MIST_ERROR_CORRUPT);
    mist_buffer_free(&text);
    struct mist_buffer noise = {(uint8_t *)(uintptr_t) "\x1f\x8b\x08 no zstd", 12, 0};
    assert_int_equal(read_all(&noise, &entries, &error), MIST_ERROR_CORRUPT);
}

/* A few kilobytes that become gigabytes must end with an error and without the memory for them. */
static void test_decompression_bomb(void **state)
{
    (void)state;
    struct mist_buffer data = {0};
    struct mist_error error = {0};
    unsigned entries;
    ZSTD_CCtx *context = ZSTD_createCCtx();
    enum { CHUNK = 1 << 20, CHUNKS = 300 }; /* above CATALOG_MAX_LINE */
    assert_true(CATALOG_MAX_LINE < (size_t)CHUNK * CHUNKS);
    char *spaces = memory_allocate(CHUNK);
    memset(spaces, ' ', CHUNK);
    assert_true(buffer_reserve(&data, 1 << 20));
    ZSTD_outBuffer out = {data.data, data.capacity, 0};
    char first[256];
    int length = snprintf(first, sizeof first, header, 1u, 0u);
    ZSTD_inBuffer in = {first, (size_t)length, 0};
    assert_int_equal(ZSTD_isError(ZSTD_compressStream2(context, &out, &in, ZSTD_e_continue)), 0);
    for (int i = 0; i <= CHUNKS; i++) {
        in = (ZSTD_inBuffer){spaces, CHUNK, 0};
        size_t left = ZSTD_compressStream2(context, &out, &in, i == CHUNKS ? ZSTD_e_end : ZSTD_e_continue);
        assert_false(ZSTD_isError(left));
    }
    data.size = out.pos;
    assert_true(data.size < 100000);
    assert_int_equal(read_all(&data, &entries, &error), MIST_ERROR_LIMIT);
    assert_non_null(strstr(error.message, "line"));
    ZSTD_freeCCtx(context);
    memory_free(spaces);
    mist_buffer_free(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),          cmocka_unit_test(test_hostile_rows),
        cmocka_unit_test(test_failing_allocations), cmocka_unit_test(test_whole_catalog),
        cmocka_unit_test(test_hostile_catalogs),    cmocka_unit_test(test_decompression_bomb),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
