/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the value maps make of samples: value_tool FILE TYPE WIDTH HEIGHT COMPONENTS FRAMES image|labels|auto
 * [OPTION...] FILE: interleaved samples in the machine's byte order. Options: hole=LOW:HIGH (patterns, hexadecimal),
 * threads=N, planes=PREFIX (writes PREFIX.map, .coded, .holes, .table, .remN for readers in other languages), short
 * (statistics only). Prints one JSON object: the map, the bytes of each part (HTJ2K with 3 levels more than the picture
 * has; holes of each lattice by zstd), whether all comes back, and the quality of half size beside the same values as
 * 16-bit integers.
 */
#include "base/bytes.h"
#include "base/memory.h"
#include "coder/remainder.h"

#include <mist/codec.h>
#include <mist/image.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

struct tool {
    struct value_map_frames frames;
    struct value_options options;
    const uint8_t *samples;
    size_t frame_bytes;
    unsigned threads;
    const char *planes;
    struct value_map map, read; /* chosen; and as it is read from its bytes */
    mist_codec *codec;
    size_t map_bytes, coded, half, holes, half_holes, remainder, table;
    bool lossless, hole_lattice;
    double low, high; /* 0.5th and 99.5th percentile of the finite samples */
    double least, most;
    double ssim, ssim16, mad, mad16;
    uint32_t judged;
};

static void check(enum mist_status status, const struct mist_error *error)
{
    if (status) {
        fprintf(stderr, "value_tool: %s\n", error->message);
        exit(1);
    }
}

static void require(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "value_tool: %s\n", what);
        exit(1);
    }
}

static enum mist_status read_frame(void *context, uint32_t frame, struct mist_view *out, struct mist_error *error)
{
    const struct tool *tool = context;
    (void)error;
    memcpy(out->data, tool->samples + frame * tool->frame_bytes, tool->frame_bytes);
    return MIST_OK;
}

static struct mist_view new_view(enum mist_sample_type type, uint32_t width, uint32_t height, uint32_t components)
{
    size_t bytes = mist_frame_bytes(type, width, height, components);
    struct mist_view view = mist_view_planar(calloc(1, bytes), type, width, height, components);
    require(bytes && view.data, "out of memory");
    return view;
}

static void write_plane(const struct tool *tool, const char *suffix, const void *data, size_t size, bool more)
{
    char path[1024];
    if (!tool->planes)
        return;
    snprintf(path, sizeof path, "%s.%s", tool->planes, suffix);
    FILE *file = fopen(path, more ? "ab" : "wb");
    require(file && fwrite(data, 1, size, file) == size && fclose(file) == 0, "cannot write a plane");
}

static size_t plane_bytes(const struct mist_view *view)
{
    return mist_frame_bytes(view->type, view->width, view->height, view->components);
}

static size_t zstd_size(const struct mist_view *plane)
{
    size_t size = plane_bytes(plane), bound = ZSTD_compressBound(size);
    void *out = malloc(bound);
    require(out != NULL, "out of memory");
    size_t got = ZSTD_compress(out, bound, plane->data, size, 19);
    free(out);
    return got;
}

/* The codestream of the coded plane, its bytes at both sizes, and its half size. */
static void code(struct tool *tool, const struct mist_view *coded, unsigned precision, struct mist_view *back,
                 struct mist_view *reduced, size_t *full, size_t *half)
{
    struct mist_buffer stream = {0};
    struct mist_error error = {0};
    struct mist_encode_options options = mist_encode_options_default();
    struct mist_decode_options how = mist_decode_options_default();
    struct mist_codestream_index index;
    options.precision = precision;
    options.color_transform = coded->type == MIST_U8;
    options.levels = (int)mist_level_count(coded->width, coded->height) + 3;
    check(mist_encode(tool->codec, coded, &options, &stream, &error), &error);
    check(mist_codestream_index(stream.data, stream.size, &index, &error), &error);
    /* Items share the header of their codestreams. */
    *full += stream.size - index.header_end;
    *half += index.level_end[index.levels - 2] - index.header_end;
    check(mist_decode(tool->codec, stream.data, stream.size, &how, back, NULL, &error), &error);
    how.reduce = 1;
    check(mist_decode(tool->codec, stream.data, stream.size, &how, reduced, NULL, &error), &error);
    mist_buffer_free(&stream);
}

static double value_at(const struct mist_view *view, size_t i)
{
    switch (view->type) {
    case MIST_F64:
        return ((double *)view->data)[i];
    case MIST_U16:
        return ((uint16_t *)view->data)[i];
    default:
        return NAN;
    }
}

/* Any view as doubles, by a resize to its own size. */
static struct mist_view as_doubles(const struct mist_view *view)
{
    struct mist_view out = new_view(MIST_F64, view->width, view->height, view->components);
    for (uint32_t c = 0; c < view->components; c++)
        for (uint32_t y = 0; y < view->height; y++)
            for (uint32_t x = 0; x < view->width; x++) {
                struct mist_view one = *view;
                double value, largest;
                one.width = one.height = one.components = 1;
                one.data =
                    (char *)view->data + c * view->component_stride + y * view->row_stride + x * view->column_stride;
                mist_range(&one, &value, &largest);
                uint16_t bits16;
                uint32_t bits32;
                uint64_t bits64;
                memcpy(&bits16, one.data, view->type == MIST_F16 ? 2 : 0);
                memcpy(&bits32, one.data, view->type == MIST_F32 ? 4 : 0);
                memcpy(&bits64, one.data, view->type == MIST_F64 ? 8 : 0);
                if ((view->type == MIST_F16 && (bits16 & 0x7c00) == 0x7c00) ||
                    (view->type == MIST_F32 && (bits32 & 0x7f800000) == 0x7f800000) ||
                    (view->type == MIST_F64 && bits64 << 1 >> 53 == 0x7ff))
                    value = NAN;
                ((double *)out.data)[(size_t)c * view->width * view->height + (size_t)y * view->width + x] = value;
            }
    return out;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void find_percentiles(struct tool *tool)
{
    size_t count = 0, pixels = (size_t)tool->frames.width * tool->frames.height * tool->frames.components;
    double *all = malloc(pixels * tool->frames.frames * sizeof *all);
    for (uint32_t i = 0; i < tool->frames.frames; i++) {
        struct mist_view view =
            mist_view_interleaved((void *)(uintptr_t)(tool->samples + i * tool->frame_bytes), tool->frames.type,
                                  tool->frames.width, tool->frames.height, tool->frames.components);
        struct mist_view doubles = as_doubles(&view);
        for (size_t k = 0; k < pixels; k++)
            if (!isnan(value_at(&doubles, k)))
                all[count++] = value_at(&doubles, k);
        free(doubles.data);
    }
    qsort(all, count, sizeof *all, compare);
    tool->low = count ? all[(size_t)(0.005 * (double)count)] : 0;
    tool->high = count ? all[(size_t)(0.995 * (double)(count - 1))] : 0;
    tool->least = tool->low;
    tool->most = tool->high;
    bool outliers = false;
    for (uint32_t i = 0; i < tool->map.holes.count; i++) {
        double value = 0, largest;
        struct mist_view one = mist_view_planar(&tool->map.holes.pattern[i], tool->frames.type, 1, 1, 1);
        mist_range(&one, &value, &largest);
        outliers = outliers || value != 0;
    }
    if (!outliers && count) {
        tool->least = all[0];
        tool->most = all[count - 1];
    }
    free(all);
}

/* Between the percentiles where there are outliers, else between the extremes. */
static void clip(const struct tool *tool, struct mist_view *view)
{
    double *at = view->data;
    for (size_t i = 0; i < plane_bytes(view) / 8; i++)
        at[i] = at[i] < tool->least ? tool->least : at[i] > tool->most ? tool->most : at[i];
}

/* Half size without its holes, and that of the same values as 16-bit integers, beside area averages. */
static void judge(struct tool *tool, const struct mist_view *samples, const struct mist_view *reduced,
                  const struct mist_view *half_holes)
{
    double range = tool->high - tool->low, all = tool->most - tool->least, ssim, mad;
    uint32_t w = samples->width, h = samples->height, n = samples->components;
    if (!(range > 0))
        return;
    struct mist_view full = as_doubles(samples), ours = as_doubles(reduced);
    struct mist_view mean = new_view(MIST_F64, reduced->width, reduced->height, n);
    struct mist_view words = new_view(MIST_U16, w, h, n), back = new_view(MIST_U16, w, h, n);
    struct mist_view less = new_view(MIST_U16, mean.width, mean.height, n);
    struct mist_view plain = new_view(MIST_F64, mean.width, mean.height, n);
    size_t unwanted = 0;
    clip(tool, &full);
    clip(tool, &ours);
    for (size_t i = 0; i < (size_t)ours.width * ours.height * n; i++)
        if (((uint16_t *)half_holes->data)[i])
            ((double *)ours.data)[i] = NAN; /* no measurement */
    for (size_t i = 0; i < (size_t)w * h * n; i++) {
        double value = value_at(&full, i);
        ((uint16_t *)words.data)[i] = isnan(value) ? 0 : (uint16_t)rint((value - tool->least) / all * 65535);
    }
    code(tool, &words, 16, &back, &less, &unwanted, &unwanted);
    for (size_t i = 0; i < (size_t)less.width * less.height * n; i++)
        ((double *)plain.data)[i] = tool->least + value_at(&less, i) / 65535 * all;
    check(mist_area_reduce(&full, 1, &mean, NULL), NULL);
    if (mist_ssim(&ours, &mean, tool->low, range, &ssim, NULL) == MIST_OK &&
        mist_mad(&ours, &mean, range, &mad, NULL) == MIST_OK) {
        tool->ssim += ssim;
        tool->mad += mad;
        mist_ssim(&plain, &mean, tool->low, range, &ssim, NULL);
        mist_mad(&plain, &mean, range, &mad, NULL);
        tool->ssim16 += ssim;
        tool->mad16 += mad;
        tool->judged++;
    }
    free(full.data), free(ours.data), free(mean.data), free(words.data), free(back.data), free(less.data);
    free(plain.data);
}

/* One frame: all of its planes, back again at both sizes. */
static void frame(struct tool *tool, uint32_t index)
{
    const struct value_map *map = &tool->map;
    struct mist_error error = {0};
    uint32_t w = tool->frames.width, h = tool->frames.height, n = tool->frames.components;
    uint32_t planes = value_map_coded_components(map), rw = mist_reduced_size(w, 1), rh = mist_reduced_size(h, 1);
    struct mist_view samples = mist_view_interleaved((void *)(uintptr_t)(tool->samples + index * tool->frame_bytes),
                                                     tool->frames.type, w, h, n);
    struct mist_view coded = new_view(map->coded, w, h, planes), back = new_view(map->coded, w, h, planes);
    struct mist_view less = new_view(map->coded, rw, rh, planes), holes = new_view(MIST_U16, w, h, n);
    struct mist_view half_holes = new_view(MIST_U16, rw, rh, n),
                     remainder = new_view(value_map_remainder_type(map), w, h, n);
    struct mist_view out = mist_view_interleaved(calloc(1, tool->frame_bytes), tool->frames.type, w, h, n);
    struct mist_view reduced = mist_view_interleaved(calloc(1, tool->frame_bytes), tool->frames.type, rw, rh, n);
    struct mist_view lattice = mist_view_interleaved(calloc(1, tool->frame_bytes), tool->frames.type, rw, rh, n);
    check(value_map_forward(map, &samples, &coded, &holes, &remainder, &error), &error);
    code(tool, &coded, map->precision, &back, &less, &tool->coded, &tool->half);
    write_plane(tool, "coded", coded.data, plane_bytes(&coded), index > 0);
    check(value_map_inverse(&tool->read, &back, false, &out, &error), &error);
    if (map->kind == VALUE_MAP_RANKS)
        mist_subsample(&coded, 1, &less, NULL);
    check(value_map_inverse(&tool->read, &less, true, &reduced, &error), &error);
    if (map->holes.count) {
        check(mist_subsample(&holes, 1, &half_holes, &error), &error);
        tool->holes += zstd_size(&holes);
        tool->half_holes += zstd_size(&half_holes);
        write_plane(tool, "holes", holes.data, plane_bytes(&holes), index > 0);
        check(value_map_apply_holes(&tool->read, &holes, &out, &error), &error);
        check(value_map_apply_holes(&tool->read, &half_holes, &reduced, &error), &error);
        mist_subsample(&samples, 1, &lattice, NULL);
        for (size_t i = 0; i < (size_t)rw * rh && n == 1; i++)
            if (((uint16_t *)half_holes.data)[i] && map->hole_bits == 0 &&
                memcmp((char *)lattice.data + i * lattice.column_stride,
                       (char *)reduced.data + i * lattice.column_stride, lattice.column_stride))
                tool->hole_lattice = false;
    }
    if (map->remainder) {
        struct mist_buffer bytes = {0};
        char suffix[20];
        check(remainder_compress(&remainder, &coded, &bytes, &error), &error);
        memset(remainder.data, 0xa5, plane_bytes(&remainder));
        check(remainder_decompress(bytes.data, bytes.size, &back, &remainder, &error), &error);
        check(value_map_apply_remainder(&tool->read, &remainder, &out, &error), &error);
        snprintf(suffix, sizeof suffix, "rem%u", index);
        write_plane(tool, suffix, bytes.data, bytes.size, false);
        tool->remainder += bytes.size;
        mist_buffer_free(&bytes);
    }
    tool->lossless = tool->lossless && memcmp(out.data, samples.data, tool->frame_bytes) == 0;
    if (n == 1 && map->kind != VALUE_MAP_RANKS)
        judge(tool, &samples, &reduced, &half_holes);
    free(coded.data), free(back.data), free(less.data), free(holes.data), free(half_holes.data);
    free(remainder.data), free(out.data), free(reduced.data), free(lattice.data);
}

static void write_map(struct tool *tool)
{
    struct mist_buffer bytes = {0};
    struct mist_error error = {0};
    check(value_map_write(&tool->map, &bytes, &error), &error);
    struct byte_reader reader = byte_reader_start(bytes.data, bytes.size);
    check(value_map_read(&reader, tool->frames.components, &tool->read, &error), &error);
    require(reader_left(&reader) == 0, "the map was not read to its end");
    write_plane(tool, "map", bytes.data, bytes.size, false);
    tool->map_bytes = bytes.size;
    if (tool->map.kind == VALUE_MAP_TABLE) {
        check(value_table_write(&tool->map, &bytes, &error), &error);
        check(value_table_read(bytes.data, bytes.size, &tool->read, &error), &error);
        write_plane(tool, "table", bytes.data, bytes.size, false);
        tool->table = bytes.size;
    }
    mist_buffer_free(&bytes);
}

static uint8_t *load(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    require(file && fseek(file, 0, SEEK_END) == 0, "cannot read the samples");
    *size = (size_t)ftell(file);
    rewind(file);
    uint8_t *data = malloc(*size ? *size : 1);
    require(data && fread(data, 1, *size, file) == *size, "cannot read the samples");
    fclose(file);
    return data;
}

static void print(const struct tool *tool, const struct value_statistics *statistics, bool whole)
{
    const struct value_map *map = &tool->map;
    printf("{\"kind\": \"%s\", \"precision\": %u, \"a\": %.17g, \"b\": %.17g, \"lowest\": %lld, \"highest\": %lld, "
           "\"holes\": %u, \"hole_bits\": %u, \"remainder\": %s, \"ranks\": %u, ",
           value_map_kind_name(map->kind), map->precision, map->a, map->b, (long long)map->lowest,
           (long long)map->highest, map->holes.count, map->hole_bits, map->remainder ? "true" : "false",
           map->rank_count);
    printf("\"whole\": %s, \"distinct\": %u, \"minimum\": %.17g, \"maximum\": %.17g, \"common\": %.4f, \"flatness\": "
           "%.4f, "
           "\"typical\": %.4f, \"labels\": %s, \"map_bytes\": %zu",
           statistics->whole ? "true" : "false", statistics->distinct, statistics->minimum, statistics->maximum,
           statistics->common, statistics->flatness, statistics->typical_flatness,
           value_looks_like_labels(statistics) ? "true" : "false", tool->map_bytes);
    if (whole)
        printf(
            ", \"coded\": %zu, \"half\": %zu, \"hole_bytes\": %zu, \"half_hole_bytes\": %zu, \"remainder_bytes\": %zu, "
            "\"table_bytes\": %zu, \"lossless\": %s, \"hole_lattice\": %s, \"judged\": %u, \"ssim\": %.5f, "
            "\"ssim16\": %.5f, \"mad\": %.6f, \"mad16\": %.6f",
            tool->coded, tool->half, tool->holes, tool->half_holes, tool->remainder, tool->table,
            tool->lossless ? "true" : "false", tool->hole_lattice ? "true" : "false", tool->judged,
            tool->judged ? tool->ssim / tool->judged : 0, tool->judged ? tool->ssim16 / tool->judged : 0,
            tool->judged ? tool->mad / tool->judged : 0, tool->judged ? tool->mad16 / tool->judged : 0);
    printf("}\n");
}

int main(int argc, char **argv)
{
    size_t size;
    bool whole = true;
    struct tool tool = {.threads = 1, .lossless = true, .hole_lattice = true};
    require(argc >= 8, "usage: value_tool FILE TYPE WIDTH HEIGHT COMPONENTS FRAMES image|labels|auto [OPTION...]");
    tool.frames = (struct value_map_frames){mist_sample_type_from_name(argv[2]),
                                            (uint32_t)atol(argv[3]),
                                            (uint32_t)atol(argv[4]),
                                            (uint32_t)atol(argv[5]),
                                            (uint32_t)atol(argv[6]),
                                            read_frame,
                                            &tool};
    tool.options.wish = argv[7][0] == 'i'   ? VALUE_AS_IMAGE
                        : argv[7][0] == 'l' ? VALUE_AS_LABELS
                                            : VALUE_LABELS_IF_ALIKE;
    for (int i = 8; i < argc; i++) {
        unsigned long long low, high;
        if (sscanf(argv[i], "hole=%llx:%llx", &low, &high) == 2 && tool.options.candidates < VALUE_MAX_CANDIDATES)
            tool.options.candidate[tool.options.candidates++] = (struct value_candidate){low, high};
        else if (strncmp(argv[i], "threads=", 8) == 0)
            tool.threads = (unsigned)atoi(argv[i] + 8);
        else if (strncmp(argv[i], "planes=", 7) == 0)
            tool.planes = argv[i] + 7;
        else
            whole = false;
    }
    tool.samples = load(argv[1], &size);
    tool.frame_bytes =
        mist_frame_bytes(tool.frames.type, tool.frames.width, tool.frames.height, tool.frames.components);
    require(tool.frame_bytes && size == tool.frame_bytes * tool.frames.frames, "the file is of another size");
    tool.codec = mist_codec_new();
    struct value_statistics statistics;
    struct mist_error error = {0};
    check(value_map_choose(&tool.frames, &tool.options, tool.threads, &tool.map, &statistics, &error), &error);
    write_map(&tool);
    if (whole)
        find_percentiles(&tool);
    for (uint32_t i = 0; i < tool.frames.frames && whole; i++)
        frame(&tool, i);
    print(&tool, &statistics, whole);
    value_map_free(&tool.map);
    value_map_free(&tool.read);
    mist_codec_free(&tool.codec);
    free((void *)(uintptr_t)tool.samples);
    return 0;
}
