/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/encode_codestream.h"

#include "cli/report.h"

#include <string.h>
#include <strings.h>

static bool ends_with(const char *path, const char *const extensions[])
{
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && extensions[i]; i++)
        if (strcasecmp(dot, extensions[i]) == 0)
            return true;
    return false;
}

static bool names_jph(const char *path)
{
    return ends_with(path, (const char *const[]){".jph", NULL});
}

bool names_codestream(const char *path)
{
    return names_jph(path) || ends_with(path, (const char *const[]){".j2c", ".j2k", ".jhc", NULL});
}

const char *codestream_option(const struct arguments *arguments)
{
    static const char *const names[] = {"frame",       "block",         "precinct",           "levels",
                                        "progression", "no-tile-parts", "no-color-transform", "irreversible",
                                        "base-step"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (option_given(arguments, names[i]))
            return names[i];
    return NULL;
}

static bool parse_progression(const struct arguments *arguments, enum mist_progression *progression)
{
    static const char *const names[] = {"LRCP", "RLCP", "RPCL", "PCRL", "CPRL"};
    const char *text = option_value(arguments, "progression");
    for (unsigned i = 0; text && i < sizeof names / sizeof *names; i++)
        if (strcasecmp(text, names[i]) == 0) {
            *progression = (enum mist_progression)i;
            return true;
        }
    if (text)
        usage_error(arguments, "--progression takes LRCP, RLCP, RPCL, PCRL or CPRL, not '%s'", text);
    return !text;
}

/* Which combinations are allowed is for mist_encode() to say. */
static bool parse_options(const struct arguments *arguments, struct mist_encode_options *options, unsigned *frame)
{
    unsigned levels = 0;
    uint32_t block[2] = {options->block_width, options->block_height}, precinct[2] = {0, 0};
    if (!option_unsigned(arguments, "levels", 1, MIST_MAX_LEVELS, &levels) ||
        !option_unsigned(arguments, "frame", 0, MIST_MAX_FRAMES - 1, frame) ||
        !option_size(arguments, "block", &block[0], &block[1], NULL) ||
        !option_size(arguments, "precinct", &precinct[0], &precinct[1], NULL) ||
        !parse_progression(arguments, &options->progression) ||
        !option_number(arguments, "base-step", &options->base_step) || !option_jobs(arguments, &options->threads))
        return false;
    options->levels = (int)levels;
    options->block_width = block[0];
    options->block_height = block[1];
    options->precinct_width = precinct[0];
    options->precinct_height = precinct[1];
    options->tile_parts = !option_given(arguments, "no-tile-parts");
    options->color_transform = !option_given(arguments, "no-color-transform");
    options->irreversible = option_given(arguments, "irreversible");
    if (option_given(arguments, "base-step") && !options->irreversible) {
        usage_error(arguments, "--base-step is for --irreversible");
        return false;
    }
    return true;
}

static enum mist_status encode_picture(const struct mist_view *picture, const struct mist_encode_options *options,
                                       bool jph, struct mist_buffer *out, struct mist_error *error)
{
    mist_codec *codec = mist_codec_new();
    struct mist_buffer stream = {0};
    enum mist_status status = MIST_ERROR_MEMORY;
    if (codec)
        status = mist_encode(codec, picture, options, &stream, error);
    else
        snprintf(error->message, sizeof error->message, "no memory for encoding");
    mist_codec_free(&codec);
    if (!status && jph) {
        status = mist_jph_wrap(stream.data, stream.size, out, error);
        mist_buffer_free(&stream);
    } else {
        *out = stream;
    }
    return status;
}

enum exit_status encode_codestream(const struct arguments *arguments, const char *image, const char *out)
{
    struct mist_encode_options options = mist_encode_options_default();
    struct mist_error error = {0};
    struct mist_buffer samples = {0}, bytes = {0};
    struct mist_view picture;
    unsigned frame = 0;
    if (!parse_options(arguments, &options, &frame))
        return EXIT_USAGE;
    enum exit_status result = EXIT_FAILED;
    if (mist_picture_read(image, frame, &samples, &picture, &options.precision, &error))
        complain(arguments, "%s", error.message);
    else if (encode_picture(&picture, &options, names_jph(out), &bytes, &error))
        complain(arguments, "%s: %s", image, error.message);
    else if (mist_buffer_write_file(&bytes, out, &error))
        complain(arguments, "%s", error.message);
    else
        result = EXIT_DONE;
    mist_buffer_free(&samples);
    mist_buffer_free(&bytes);
    return result;
}
