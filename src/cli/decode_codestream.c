/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/decode_codestream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool is_codestream(const char *path)
{
    static const unsigned char raw[] = {0xFF, 0x4F, 0xFF, 0x51};
    static const unsigned char box[] = {0, 0, 0, 12, 'j', 'P', ' ', ' ', 13, 10, 0x87, 10};
    unsigned char start[12] = {0};
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    size_t size = fread(start, 1, sizeof start, file);
    fclose(file);
    return (size >= sizeof raw && !memcmp(start, raw, sizeof raw)) ||
           (size == sizeof box && !memcmp(start, box, sizeof box));
}

struct file_bytes {
    unsigned char *data;
    size_t size;
};

static bool read_whole(const struct arguments *arguments, const char *path, struct file_bytes *bytes)
{
    FILE *file = fopen(path, "rb");
    size_t capacity = 0;
    *bytes = (struct file_bytes){0};
    while (file && !feof(file) && !ferror(file)) {
        if (bytes->size == capacity) {
            unsigned char *grown = realloc(bytes->data, capacity = capacity ? 2 * capacity : 1 << 16);
            if (!grown)
                break;
            bytes->data = grown;
        }
        bytes->size += fread(bytes->data + bytes->size, 1, capacity - bytes->size, file);
    }
    bool good = file && feof(file) && !ferror(file);
    if (!good)
        complain(arguments, "%s: %s", path, strerror(errno));
    if (file)
        fclose(file);
    return good;
}

/* The narrowest integer type for samples of `precision` bits. */
static enum mist_sample_type narrowest(unsigned precision, bool is_signed)
{
    static const enum mist_sample_type types[3][2] = {{MIST_U8, MIST_S8}, {MIST_U16, MIST_S16}, {MIST_U32, MIST_S32}};
    return types[precision > 16 ? 2 : precision > 8 ? 1 : 0][is_signed];
}

/* What comes out: size, components and a type that holds all of them. */
struct picture {
    struct mist_view view;
    unsigned precision;
};

/* `floats`: what is coded as floats are may come out as such. */
static enum mist_status plan_picture(const struct file_bytes *bytes, const struct mist_decode_options *options,
                                     bool floats, struct picture *picture, struct mist_error *error)
{
    struct mist_codestream_info info;
    struct mist_component_info first = {0};
    enum mist_status status = mist_codestream_info(bytes->data, bytes->size, &info, error);
    if (status)
        return status;
    bool is_signed = false, is_unsigned = false;
    uint32_t start = options->component < 0 ? 0 : (uint32_t)options->component;
    uint32_t end = options->component < 0 ? info.components : start + 1;
    for (uint32_t c = start; c < end && !status; c++) {
        struct mist_component_info component;
        status = mist_codestream_component(bytes->data, bytes->size, c, options->reduce, &component, error);
        first = c == start ? component : first;
        floats = floats && component.ordered_float && component.precision == first.precision;
        is_signed = is_signed || component.is_signed;
        is_unsigned = is_unsigned || !component.is_signed;
        picture->precision = component.precision > picture->precision ? component.precision : picture->precision;
    }
    picture->precision += is_signed && is_unsigned && picture->precision < 32; /* a type for both */
    enum mist_sample_type type = floats && first.precision == 16 ? MIST_F16
                                 : floats                        ? MIST_F32
                                                                 : narrowest(picture->precision, is_signed);
    picture->view = mist_view_interleaved(NULL, type, first.width, first.height, end - start);
    return status;
}

static enum mist_status decode_picture(const struct file_bytes *bytes, const struct mist_decode_options *options,
                                       const char *out, struct mist_error *error)
{
    struct picture picture = {0};
    const char *dot = strrchr(out, '.');
    enum mist_status status = plan_picture(bytes, options, dot && strcasecmp(dot, ".npy") == 0, &picture, error);
    if (status)
        return status;
    struct mist_view *view = &picture.view;
    size_t size = mist_frame_bytes(view->type, view->width, view->height, view->components);
    mist_codec *codec = mist_codec_new();
    view->data = size ? malloc(size) : NULL;
    if (!codec || !view->data) {
        status = size ? MIST_ERROR_MEMORY : MIST_ERROR_LIMIT;
        snprintf(error->message, sizeof error->message,
                 size ? "no memory for the picture" : "the picture is too large");
    }
    if (!status)
        status = mist_decode(codec, bytes->data, bytes->size, options, view, NULL, error);
    if (!status)
        status = mist_picture_write(out, view, picture.precision, error);
    free(view->data);
    mist_codec_free(&codec);
    return status;
}

/* Says what can be had from a stream that ends early. */
static void complain_of_cut(const struct arguments *arguments, const char *path, const struct file_bytes *bytes,
                            const char *message)
{
    struct mist_codestream_index index;
    bool known = mist_codestream_index(bytes->data, bytes->size, &index, NULL) == MIST_OK;
    if (known && index.complete)
        complain(arguments, "%s: %s; --reduce %u gives the last complete level, --best-effort what has arrived", path,
                 message, index.levels - index.complete);
    else
        complain(arguments, "%s: %s%s", path, message, known ? "; --best-effort uses what has arrived" : "");
}

enum exit_status decode_codestream(const struct arguments *arguments, const char *path)
{
    struct mist_decode_options options = mist_decode_options_default();
    struct mist_error error = {0};
    struct file_bytes bytes;
    unsigned component = 0;
    const char *out = option_value(arguments, "output");
    if (!option_unsigned(arguments, "component", 0, 16383, &component) ||
        !option_unsigned(arguments, "reduce", 0, 32, &options.reduce))
        return EXIT_USAGE;
    if (option_given(arguments, "component"))
        options.component = (int)component;
    options.best_effort = option_given(arguments, "best-effort");
    if (!out)
        return usage_error(arguments, "-o FILE is missing");
    enum exit_status result = EXIT_FAILED;
    if (read_whole(arguments, path, &bytes)) {
        enum mist_status status = decode_picture(&bytes, &options, out, &error);
        if (status == MIST_ERROR_TRUNCATED)
            complain_of_cut(arguments, path, &bytes, error.message);
        else if (status)
            complain(arguments, "%s: %s", path, error.message);
        else
            result = EXIT_DONE;
    }
    free(bytes.data);
    return result;
}
