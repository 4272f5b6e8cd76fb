/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mist_encode() on the command line, many frames in one go, for the Python tests. Standard input holds one frame a
 * line:
 *   IN OUT TYPE WIDTH HEIGHT COMPONENTS [precision=N] [levels=N] [block=WxH] [precinct=WxH] [progression=0..4]
 *   [tile-parts=0] [color=0] [step=F] [threads=N] [planar]
 * IN holds packed samples in the machine's byte order (component fastest, or slowest if planar). For each line, one
 * line on standard output: the status' name, and its message if it is not "ok". All frames but every fourth go through
 * one context and one buffer, as a caller would do it; every fourth gets new ones.
 */
#include "base/file.h"
#include "base/memory.h"

#include <mist/codec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct request {
    char in[512], out[512];
    enum mist_sample_type type;
    uint32_t width, height, components;
    bool planar;
    struct mist_encode_options options;
};

static void parse_option(const char *word, struct request *request)
{
    struct mist_encode_options *options = &request->options;
    int value = 0;
    if (sscanf(word, "precision=%u", &options->precision) == 1 || sscanf(word, "levels=%d", &options->levels) == 1 ||
        sscanf(word, "block=%ux%u", &options->block_width, &options->block_height) == 2 ||
        sscanf(word, "precinct=%ux%u", &options->precinct_width, &options->precinct_height) == 2 ||
        sscanf(word, "threads=%u", &options->threads) == 1)
        return;
    if (sscanf(word, "progression=%d", &value) == 1) {
        options->progression = (enum mist_progression)value;
    } else if (sscanf(word, "tile-parts=%d", &value) == 1) {
        options->tile_parts = value;
    } else if (sscanf(word, "color=%d", &value) == 1) {
        options->color_transform = value;
    } else if (sscanf(word, "step=%lf", &options->base_step) == 1) {
        options->irreversible = true;
    } else if (!strcmp(word, "planar")) {
        request->planar = true;
    } else {
        fprintf(stderr, "encode_driver: what is '%s'?\n", word);
        exit(2);
    }
}

static void parse_request(char *line, struct request *request)
{
    char type[16];
    int used = 0;
    memset(request, 0, sizeof *request);
    request->options = mist_encode_options_default();
    if (sscanf(line, "%511s %511s %15s %u %u %u%n", request->in, request->out, type, &request->width, &request->height,
               &request->components, &used) != 6)
        exit(2);
    request->type = mist_sample_type_from_name(type);
    for (char *word = strtok(line + used, " \n"); word; word = strtok(NULL, " \n"))
        parse_option(word, request);
}

/* The samples spread out in memory with gaps between rows (and planes), so that strides are not what packing gives. */
static void *spread(const uint8_t *packed, const struct request *request, struct mist_view *view)
{
    const size_t sample = mist_sample_size(request->type);
    const uint32_t components = request->components;
    *view = (struct mist_view){.type = request->type,
                               .width = request->width,
                               .height = request->height,
                               .components = components,
                               .column_stride = request->planar ? sample : sample * components};
    view->row_stride = view->column_stride * request->width + 3 * sample;
    view->component_stride = request->planar ? view->row_stride * request->height + 5 * sample : sample;
    size_t bytes = request->planar ? view->component_stride * components : view->row_stride * request->height;
    view->data = memory_allocate(bytes);
    memset(view->data, 0xa5, bytes);
    size_t row = view->column_stride * request->width, planes = request->planar ? components : 1;
    for (size_t c = 0; c < planes; c++)
        for (uint32_t y = 0; y < request->height; y++)
            memcpy((uint8_t *)view->data + c * view->component_stride + y * view->row_stride,
                   packed + (c * request->height + y) * row, row);
    return view->data;
}

static enum mist_status run(mist_codec *codec, struct mist_buffer *out, const struct request *request,
                            struct mist_error *error)
{
    struct file_map file;
    struct mist_view view;
    enum mist_status status = file_map_open(request->in, &file, error);
    if (status)
        return status;
    size_t expected = (size_t)request->width * request->height * request->components * mist_sample_size(request->type);
    if (file.size != expected) {
        fprintf(stderr, "encode_driver: %s has %zu bytes, not %zu\n", request->in, file.size, expected);
        exit(2);
    }
    void *samples = spread(file.data, request, &view);
    status = mist_encode(codec, &view, &request->options, out, error);
    memory_free(samples);
    file_map_close(&file);
    return status ? status : file_write_whole(request->out, out->data, out->size, error);
}

int main(void)
{
    static char line[4096];
    struct mist_buffer shared = {0};
    mist_codec *context = mist_codec_new();
    for (unsigned n = 1; fgets(line, sizeof line, stdin); n++) {
        struct request request;
        struct mist_error error = {0};
        struct mist_buffer own = {0};
        mist_codec *fresh = n % 4 ? NULL : mist_codec_new();
        parse_request(line, &request);
        enum mist_status status = run(fresh ? fresh : context, fresh ? &own : &shared, &request, &error);
        if (status)
            printf("%s %s\n", mist_status_name(status), error.message);
        else
            printf("ok\n");
        mist_codec_free(&fresh);
        mist_buffer_free(&own);
    }
    mist_codec_free(&context);
    mist_buffer_free(&shared);
    return 0;
}
