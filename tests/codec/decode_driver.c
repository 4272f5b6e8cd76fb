/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The codec's public functions on the command line, for the Python tests:
 *   decode_driver info FILE
 *   decode_driver decode FILE OUT [reduce=R] [component=C] [region=X,Y,W,H] [best-effort] [threads=N]
 *   decode_driver index FILE
 *   decode_driver reduce FILE R OUT
 *   decode_driver packets FILE            start, body and end of every packet of tile 0, in codestream order
 * OUT of decode: 32-bit little-endian samples, planar. Each prints one line of JSON; on failure
 * {"status": "...", "message": "..."} and exit status 1.
 */
#include "base/file.h"
#include "base/memory.h"
#include "codec/stream.h"

#include <mist/codec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(enum mist_status status, const struct mist_error *error)
{
    printf("{\"status\": \"%s\", \"message\": \"%s\"}\n", mist_status_name(status), error->message);
    return 1;
}

static int run_info(const struct file_map *file)
{
    struct mist_codestream_info info;
    struct mist_error error = {0};
    enum mist_status status = mist_codestream_info(file->data, file->size, &info, &error);
    if (status)
        return fail(status, &error);
    printf("{\"width\": %u, \"height\": %u, \"components\": %u, \"levels\": %u, \"reversible\": %s, \"tiles\": %u, "
           "\"component\": [",
           info.width, info.height, info.components, info.levels, info.reversible ? "true" : "false", info.tiles);
    for (uint32_t c = 0; c < info.components && c < MIST_MAX_COMPONENTS; c++)
        printf("%s{\"precision\": %u, \"signed\": %s, \"width\": %u, \"height\": %u}", c ? ", " : "",
               info.component[c].precision, info.component[c].is_signed ? "true" : "false", info.component[c].width,
               info.component[c].height);
    printf("]}\n");
    return 0;
}

static void parse_options(int argc, char **argv, struct mist_decode_options *options)
{
    for (int i = 0; i < argc; i++) {
        if (sscanf(argv[i], "reduce=%u", &options->reduce) == 1 ||
            sscanf(argv[i], "component=%d", &options->component) == 1 ||
            sscanf(argv[i], "threads=%u", &options->threads) == 1)
            continue;
        if (!strcmp(argv[i], "best-effort"))
            options->best_effort = true;
        else if (sscanf(argv[i], "region=%u,%u,%u,%u", &options->x, &options->y, &options->width, &options->height) ==
                 4)
            options->region = true;
        else
            exit(2);
    }
}

static int run_decode(const struct file_map *file, const char *out_path, int argc, char **argv)
{
    struct mist_decode_options options = mist_decode_options_default();
    struct mist_codestream_info info;
    struct mist_decode_report report = {0};
    struct mist_error error = {0};
    parse_options(argc, argv, &options);
    enum mist_status status = mist_codestream_info(file->data, file->size, &info, &error);
    if (status)
        return fail(status, &error);
    uint32_t c = options.component < 0 ? 0 : (uint32_t)options.component;
    uint32_t count = options.component < 0 ? info.components : 1;
    struct mist_component_info component;
    status = mist_codestream_component(file->data, file->size, c, options.reduce, &component, &error);
    if (status)
        return fail(status, &error);
    uint32_t width = options.region ? options.width : component.width;
    uint32_t height = options.region ? options.height : component.height;
    bool is_signed = component.is_signed;
    size_t bytes = (size_t)width * height * count * 4;
    void *samples = memory_allocate(bytes);
    struct mist_view out = mist_view_planar(samples, is_signed ? MIST_S32 : MIST_U32, width, height, count);
    mist_codec *codec = mist_codec_new();
    status = mist_decode(codec, file->data, file->size, &options, &out, &report, &error);
    mist_codec_free(&codec);
    if (!status)
        status = file_write_whole(out_path, samples, bytes, &error);
    memory_free(samples);
    if (status)
        return fail(status, &error);
    printf("{\"width\": %u, \"height\": %u, \"components\": %u, \"signed\": %s, \"blocks\": %u, \"levels\": %u}\n",
           width, height, count, is_signed ? "true" : "false", report.blocks_decoded, report.levels_used);
    return 0;
}

static int run_index(const struct file_map *file)
{
    struct mist_codestream_index index;
    struct mist_error error = {0};
    enum mist_status status = mist_codestream_index(file->data, file->size, &index, &error);
    if (status)
        return fail(status, &error);
    printf("{\"levels\": %u, \"complete\": %u, \"header_end\": %llu, \"level_end\": [", index.levels, index.complete,
           (unsigned long long)index.header_end);
    for (unsigned level = 0; level < index.levels; level++)
        printf("%s%llu", level ? ", " : "", (unsigned long long)index.level_end[level]);
    printf("]}\n");
    return 0;
}

static int run_reduce(const struct file_map *file, unsigned reduce, const char *out_path)
{
    struct mist_buffer out = {0};
    struct mist_error error = {0};
    enum mist_status status = mist_codestream_reduce(file->data, file->size, reduce, &out, &error);
    if (!status)
        status = file_write_whole(out_path, out.data, out.size, &error);
    size_t size = out.size;
    mist_buffer_free(&out);
    if (status)
        return fail(status, &error);
    printf("{\"size\": %zu}\n", size);
    return 0;
}

struct packet_list {
    struct tile_scan *scan;
    const char *separator;
};

static void print_packet(void *context, const struct progression_packet *packet, size_t end)
{
    struct packet_list *list = context;
    const struct packet_reader *reader = &list->scan->reader;
    const uint8_t *data = list->scan->stream->data;
    printf("%s[%td, %td, %zu, %u, %u, %llu, %u]", list->separator, reader->packet_start - data,
           reader->packet_body - data, end, packet->component, packet->resolution, (unsigned long long)packet->precinct,
           packet->layer);
    list->separator = ", ";
}

static int run_packets(const struct file_map *file)
{
    struct arena arena = {0};
    struct stream stream;
    struct mist_error error = {0};
    enum mist_status status = stream_open(file->data, file->size, &stream, &error);
    if (status)
        return fail(status, &error);
    struct tile_scan scan = {.stream = &stream, .arena = &arena, .after_packet = print_packet};
    struct packet_list list = {&scan, ""};
    scan.context = &list;
    status = tile_scan_open(&scan, &error);
    printf("[");
    if (!status)
        status = tile_scan_read(&scan, &error);
    printf("]\n");
    tile_scan_close(&scan);
    stream_close(&stream);
    arena_free(&arena);
    return status ? 2 : 0;
}

int main(int argc, char **argv)
{
    struct file_map file;
    struct mist_error error = {0};
    if (argc < 3)
        return 2;
    enum mist_status status = file_map_open(argv[2], &file, &error);
    if (status)
        return fail(status, &error);
    int result = 2;
    if (!strcmp(argv[1], "info"))
        result = run_info(&file);
    else if (!strcmp(argv[1], "decode") && argc > 3)
        result = run_decode(&file, argv[3], argc - 4, argv + 4);
    else if (!strcmp(argv[1], "index"))
        result = run_index(&file);
    else if (!strcmp(argv[1], "packets"))
        result = run_packets(&file);
    else if (!strcmp(argv[1], "reduce") && argc == 5)
        result = run_reduce(&file, (unsigned)atoi(argv[3]), argv[4]);
    file_map_close(&file);
    return result;
}
