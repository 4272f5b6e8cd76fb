/* SPDX-License-Identifier: BSD-2-Clause */
/* The rows of formats.def. Linked with names.c alone, which so is seen to need no reader or writer. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "kind/names.h"
#include "format/picture_kinds.h"

#include <string.h>

static void test_rows(void **state)
{
    (void)state;
    assert_null(format_of(FORMAT_UNKNOWN));
    assert_null(format_of(FORMAT_KINDS));
    assert_null(format_name(FORMAT_UNKNOWN));
    for (enum format_kind kind = FORMAT_UNKNOWN + 1; kind < FORMAT_KINDS; kind++) {
        const struct format *format = format_of(kind);
        assert_non_null(format);
        assert_int_equal(format->kind, kind);
        assert_int_equal(format_from_name(format->name), kind); /* so names differ */
        assert_non_null(format->media_type);
        assert_non_null(format->suffixes[0]);
        if (format->dataset) /* char format[8] in mist/item.h and mist/store.h */
            assert_true(strlen(format->name) < 8);
        for (unsigned i = 0; i < FORMAT_MAX_NAMES && format->suffixes[i]; i++) {
            assert_ptr_equal(format_of_path(format->suffixes[i]), format); /* so suffixes differ */
            assert_null(strpbrk(format->suffixes[i], "ABCDEFGHIJKLMNOPQRSTUVWXYZ"));
        }
        assert_null(format->outputs[FORMAT_MAX_NAMES - 1].name);
        for (const struct format_output *output = format->outputs; output->name; output++) {
            const struct format *found;
            assert_ptr_equal(format_of_path(output->suffix), format);
            assert_ptr_equal(format_output_of_path(output->suffix, &found), output);
            assert_ptr_equal(found, format);
            assert_true(output->item || output->picture_bits > 0);
        }
    }
    assert_int_equal(format_from_name("tiff64"), FORMAT_UNKNOWN);
    assert_int_equal(format_from_name(NULL), FORMAT_UNKNOWN);
    assert_int_equal(format_from_name("PNG"), FORMAT_UNKNOWN);
}

static void test_outputs(void **state)
{
    (void)state;
    const struct format *format;
    const struct format_output *output = format_output_find("nii.gz", &format);
    assert_non_null(output);
    assert_true(output->gzip);
    assert_int_equal(format->kind, FORMAT_NIFTI);
    assert_string_equal(output->suffix, ".nii.gz");
    assert_non_null(format_output_find("j2c", &format));
    assert_true(format->whole_codestream);
    assert_null(format_output_find("pgm", &format)); /* pictures only */
    assert_null(format);
    assert_null(format_output_find("nifti", &format));
    assert_true(format_output_is_of("nii", FORMAT_NIFTI));
    assert_true(format_output_is_of("nii.gz", FORMAT_NIFTI));
    assert_false(format_output_is_of("nii", FORMAT_DICOM));
    assert_false(format_output_is_of("mist", FORMAT_DICOM));
    assert_non_null(format_output_of_path("a/B.PPM", &format));
    assert_int_equal(format->kind, FORMAT_PNM);
    assert_null(format_output_of_path("a.ppm/b", &format));
    char text[FORMAT_LIST_SIZE];
    assert_string_equal(format_item_outputs(text), "nii, nii.gz, dcm, png, npy, nrrd, mha, tif, j2c, jpg, jp2, bmp");
    assert_string_equal(format_picture_outputs(text), ".png, .npy, .pgm, .ppm, .pgx");
}

static void test_picture_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *path, *bytes;
        size_t size;
        const char *kind;
    } cases[] = {{"a.gif", "GIF89a", 6, "gif"},
                 {"a.dat", "RIFF\0\0\0\0WEBPVP8 ", 16, "webp"},
                 {"slide.svs", "II*\0\x08\0\0\0", 8, "svs"},
                 {"SLIDE.NDPI", "II*\0\x08\0\0\0", 8, "ndpi"},
                 {"a.tif", "II*\0\x08\0\0\0", 8, "tiff"},
                 {"a.txt", "BM: a text about bitmaps", 24, NULL},
                 {"a", "BM\x36\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", 18, "bmp"},
                 {"a.mgz", "\x1f\x8b\x08", 3, "mgz"},
                 {"a.heic",
                  "\0\0\0\x18"
                  "ftypheic",
                  12, "heic"},
                 {"clip.mp4",
                  "\0\0\0\x18"
                  "ftypisom",
                  12, "mp4"},
                 {"a.jpg", "\xff\xd8\xff\xe0", 4, "jpeg"},
                 {"x.jp2", "\0\0\0\x0cjP  \r\n\x87\n", 12, "jp2"},
                 {"table.csv", "a,b\n", 4, NULL},
                 {"empty", "", 0, NULL},
                 {"broken.png", "", 0, "png"},
                 {".svs", "", 0, NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *kind = format_picture_kind(cases[i].path, (const uint8_t *)cases[i].bytes, cases[i].size);
        if (cases[i].kind)
            assert_string_equal(kind, cases[i].kind);
        else
            assert_null(kind);
    }
}

static void test_paths(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        size_t stem;
    } paths[] = {
        {"a.nii.gz", 1},   {"A.NII.GZ", 1}, {"b/a.Nii", 3},     {"a.gz", 4},        {"scan.IMA", 8},
        {".png", 4},       {"b/.png", 6},   {"a.b.DCM", 3},     {"a.png.txt", 9},   {"x.JPG", 1},
        {"nii.gz.nii", 6}, {"", 0},         {"b.png/file", 10}, {"1.2.840", 7},     {"a.png.gz", 1},
        {"a.nii.bz2", 1},  {"A.DCM.XZ", 1}, {"a.txt.gz", 8},    {"x/.png.zst", 10},
    };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_int_equal(format_stem(paths[i].path), paths[i].stem);
    assert_int_equal(format_wrapping_of_path("X.NII.GZ"), WRAPPING_GZIP);
    assert_int_equal(format_wrapping_of_path("x.png.Bz2"), WRAPPING_BZIP2);
    assert_int_equal(format_wrapping_of_path("x.gzip"), WRAPPING_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_outputs),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_picture_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
