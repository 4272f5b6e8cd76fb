/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * j2k_tool info FILE          what the header says, as JSON
 * j2k_tool split FILE PREFIX  PREFIX.header, .packets, .order, .back (rebuilt); of each reduce r PREFIX.r.j2k
 * (standalone) and PREFIX.r.raw (samples, planar, of the smallest type); JSON: level sizes j2k_tool decode FILE R OUT
 * samples of the file itself Prints the status and its sentence and ends with 1 where something fails.
 */
#include "base/file.h"
#include "base/memory.h"
#include "coder/j2k.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const struct mist_error *error)
{
    printf("{\"status\": %d, \"message\": \"%s\"}\n", (int)error->status, error->message);
    return 1;
}

static void write_file(const char *prefix, const char *suffix, const void *data, size_t size)
{
    char path[1024];
    snprintf(path, sizeof path, "%s%s", prefix, suffix);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file))
        abort();
}

static enum mist_sample_type type_of(const struct j2k_info *info)
{
    if (info->precision <= 8)
        return info->is_signed ? MIST_S8 : MIST_U8;
    if (info->precision <= 16)
        return info->is_signed ? MIST_S16 : MIST_U16;
    return info->is_signed ? MIST_S32 : MIST_U32;
}

/* A planar view of its own memory. */
static struct mist_view new_view(const struct j2k_info *info, unsigned reduce, size_t *size)
{
    struct mist_view view = {.type = type_of(info),
                             .width = mist_reduced_size(info->width, reduce),
                             .height = mist_reduced_size(info->height, reduce),
                             .components = info->components};
    view.column_stride = (ptrdiff_t)mist_sample_size(view.type);
    view.row_stride = view.column_stride * (ptrdiff_t)view.width;
    view.component_stride = view.row_stride * (ptrdiff_t)view.height;
    *size = (size_t)view.component_stride * view.components;
    view.data = memory_allocate(*size);
    return view;
}

static int print_info(const struct j2k_info *info)
{
    printf("{\"width\": %u, \"height\": %u, \"components\": %u, \"precision\": %u, \"signed\": %d, \"levels\": %u, "
           "\"color_transform\": %d, \"reversible\": %d, \"part15\": %d, \"tiles\": %u, \"layers\": %u}\n",
           info->width, info->height, info->components, info->precision, info->is_signed, info->levels,
           info->color_transform, info->reversible, info->part15, info->tiles, info->layers);
    return 0;
}

static enum mist_status write_level(mist_codec *codec, const struct j2k_parts *parts, const struct j2k_info *info,
                                    unsigned reduce, const char *prefix, struct mist_error *error)
{
    char suffix[32];
    struct mist_buffer stream = {0};
    struct codec_packets packets = j2k_parts_packets(parts);
    size_t size;
    struct mist_view view = new_view(info, reduce, &size);
    packets.levels -= reduce;
    enum mist_status status =
        codec_codestream_join(parts->main_header.data, parts->main_header.size, &packets, reduce, &stream, error);
    snprintf(suffix, sizeof suffix, ".%u.j2k", reduce);
    if (!status)
        write_file(prefix, suffix, stream.data, stream.size);
    if (!status)
        status =
            j2k_decode_packets(codec, parts->main_header.data, parts->main_header.size, &packets, reduce, &view, error);
    snprintf(suffix, sizeof suffix, ".%u.raw", reduce);
    if (!status)
        write_file(prefix, suffix, view.data, size);
    memory_free(view.data);
    mist_buffer_free(&stream);
    return status;
}

static int split(const uint8_t *data, size_t size, const char *prefix)
{
    struct j2k_parts parts = {0};
    struct j2k_info info;
    struct mist_error error = {0};
    struct mist_buffer back = {0};
    mist_codec *codec = mist_codec_new();
    enum mist_status status = j2k_info(data, size, &info, &error);
    if (!status)
        status = j2k_split(data, size, &parts, &error);
    for (unsigned reduce = 0; reduce < parts.levels && !status; reduce++)
        status = write_level(codec, &parts, &info, reduce, prefix, &error);
    struct codec_packets packets = j2k_parts_packets(&parts);
    if (!status)
        status = j2k_rebuild(parts.main_header.data, parts.main_header.size, &packets, parts.order.data,
                             parts.order.size, &back, &error);
    if (status)
        return fail(&error);
    write_file(prefix, ".back", back.data, back.size);
    write_file(prefix, ".header", parts.main_header.data, parts.main_header.size);
    write_file(prefix, ".packets", parts.packets.data, parts.packets.size);
    write_file(prefix, ".order", parts.order.data, parts.order.size);
    printf("{\"header\": %zu, \"order\": %zu, \"levels\": [", parts.main_header.size, parts.order.size);
    for (unsigned level = 0; level < parts.levels; level++)
        printf("%s%llu", level ? ", " : "", (unsigned long long)parts.level_size[level]);
    printf("]}\n");
    j2k_parts_free(&parts);
    mist_buffer_free(&back);
    mist_codec_free(&codec);
    return 0;
}

static int decode(const uint8_t *data, size_t size, unsigned reduce, const char *out)
{
    struct j2k_info info;
    struct mist_error error = {0};
    mist_codec *codec = mist_codec_new();
    size_t bytes = 0;
    struct mist_view view = {0};
    enum mist_status status = j2k_info(data, size, &info, &error);
    if (!status) {
        view = new_view(&info, reduce, &bytes);
        status = j2k_decode(codec, data, size, reduce, &view, &error);
    }
    if (!status)
        write_file(out, "", view.data, bytes);
    memory_free(view.data);
    mist_codec_free(&codec);
    return status ? fail(&error) : 0;
}

int main(int argc, char **argv)
{
    struct file_map map;
    struct mist_error error = {0};
    struct j2k_info info;
    if (argc < 3)
        return 2;
    if (file_map_open(argv[2], &map, &error))
        return fail(&error);
    if (!strcmp(argv[1], "info"))
        return j2k_info(map.data, map.size, &info, &error) ? fail(&error) : print_info(&info);
    if (!strcmp(argv[1], "split") && argc == 4)
        return split(map.data, map.size, argv[3]);
    return argc == 5 ? decode(map.data, map.size, (unsigned)atoi(argv[3]), argv[4]) : 2;
}
