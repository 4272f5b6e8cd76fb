/* SPDX-License-Identifier: BSD-2-Clause */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void fuzz_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: %s does not hold\n", file, line, condition);
    abort();
}

uint64_t fuzz_take(const uint8_t **data, size_t *size, unsigned count)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < count && *size; i++) {
        value |= (uint64_t) * *data << 8 * i;
        ++*data;
        --*size;
    }
    return value;
}

int32_t *fuzz_decode(const uint8_t *data, size_t size, const struct mist_decode_options *options,
                     struct mist_view *view, struct mist_decode_report *report, enum mist_status *status)
{
    struct mist_codestream_info info;
    struct mist_error error = {0};
    struct mist_component_info component;
    *status = mist_codestream_info(data, size, &info, &error);
    uint32_t c = options->component < 0 ? 0 : (uint32_t)options->component;
    if (!*status)
        *status = mist_codestream_component(data, size, c, options->reduce, &component, &error);
    if (*status)
        return NULL;
    uint32_t components = options->component < 0 ? info.components : 1;
    uint32_t width = options->region ? options->width : component.width;
    uint32_t height = options->region ? options->height : component.height;
    if (!width || !height || !components || components > MIST_MAX_COMPONENTS ||
        (uint64_t)width * height > FUZZ_MAX_SAMPLES / components) {
        *status = MIST_ERROR_LIMIT;
        return NULL;
    }
    int32_t *samples = malloc((size_t)width * height * components * sizeof *samples);
    fuzz_require(samples);
    *view = mist_view_planar(samples, component.is_signed ? MIST_S32 : MIST_U32, width, height, components);
    mist_codec *codec = mist_codec_new();
    fuzz_require(codec);
    *status = mist_decode(codec, data, size, options, view, report, &error);
    mist_codec_free(&codec);
    fuzz_require(!*status == !error.status);
    fuzz_require(*status == MIST_OK || strlen(error.message) > 0);
    if (*status) {
        free(samples);
        samples = NULL;
    }
    return samples;
}
