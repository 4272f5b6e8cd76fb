/* SPDX-License-Identifier: BSD-2-Clause */
/* mist_codestream_info(): what the main header says. */
#include "base/error.h"
#include "codec/geometry.h"
#include "codec/jph.h"
#include "codec/stream.h"

#include <string.h>

enum mist_status mist_codestream_info(const uint8_t *data, size_t size, struct mist_codestream_info *info,
                                      struct mist_error *error)
{
    struct codestream_span codestream;
    struct codestream_header header;
    memset(info, 0, sizeof *info);
    enum mist_status status = jph_find_codestream(data, size, &codestream, error);
    if (!status)
        status = codestream_parse_header(codestream.data, codestream.size, &header, error);
    if (status)
        return status;
    const struct codestream_siz *siz = &header.siz;
    info->width = siz->x1 - siz->x0;
    info->height = siz->y1 - siz->y0;
    info->components = siz->components;
    info->levels = stream_levels(&header);
    info->reversible = true;
    info->tiles = siz->tiles_wide * siz->tiles_high;
    for (uint32_t c = 0; c < siz->components; c++) {
        if (!header.coding[c].coding.reversible)
            info->reversible = false;
        if (c >= MIST_MAX_COMPONENTS)
            continue;
        struct rect area = geometry_component((struct rect){siz->x0, siz->y0, siz->x1, siz->y1}, &header.component[c]);
        info->component[c].precision = header.component[c].precision;
        info->component[c].is_signed = header.component[c].is_signed;
        info->component[c].width = rect_width(area);
        info->component[c].height = rect_height(area);
    }
    codestream_header_free(&header);
    return MIST_OK;
}
