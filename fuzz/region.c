/* SPDX-License-Identifier: BSD-2-Clause */
/* Region decoding gives the pixels of the whole. First nine bytes: reduce, then x, y, width, height of 16 bits. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

static const int32_t *row_of(const int32_t *samples, const struct mist_view *view, uint32_t c, uint32_t y)
{
    return samples + ((size_t)c * view->height + y) * view->width;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mist_decode_options options = mist_decode_options_default();
    struct mist_decode_report report = {0}, part_report = {0};
    struct mist_view view, part_view;
    enum mist_status status;
    options.reduce = fuzz_take(&data, &size, 1) & 7;
    uint16_t x = (uint16_t)fuzz_take(&data, &size, 2), y = (uint16_t)fuzz_take(&data, &size, 2);
    uint16_t width = (uint16_t)fuzz_take(&data, &size, 2), height = (uint16_t)fuzz_take(&data, &size, 2);
    int32_t *whole = fuzz_decode(data, size, &options, &view, &report, &status);
    options.region = true;
    options.x = whole ? x % view.width : x;
    options.y = whole ? y % view.height : y;
    options.width = whole ? 1 + width % (view.width - options.x) : width;
    options.height = whole ? 1 + height % (view.height - options.y) : height;
    int32_t *part = fuzz_decode(data, size, &options, &part_view, &part_report, &status);
    if (whole) {
        fuzz_require(part && part_report.blocks_decoded <= report.blocks_decoded);
        for (uint32_t c = 0; c < view.components; c++)
            for (uint32_t line = 0; line < options.height; line++)
                fuzz_require(!memcmp(row_of(part, &part_view, c, line),
                                     row_of(whole, &view, c, options.y + line) + options.x,
                                     options.width * sizeof *part));
    }
    free(part);
    free(whole);
    return 0;
}
