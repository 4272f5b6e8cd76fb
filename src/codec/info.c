/* SPDX-License-Identifier: BSD-2-Clause */
/* mist_codestream_info(): what the main header says. */
#include "base/error.h"
#include "codec/geometry.h"
#include "codec/jph.h"
#include "codec/packets.h"
#include "codec/stream.h"

#include <string.h>

static struct mist_component_info describe(const struct codestream_header *header, uint32_t c, unsigned reduce)
{
    const struct codestream_siz *siz = &header->siz;
    struct rect area = geometry_component((struct rect){siz->x0, siz->y0, siz->x1, siz->y1}, &header->component[c]);
    area = geometry_resolution(area, reduce);
    return (struct mist_component_info){header->component[c].precision, header->component[c].is_signed,
                                        codestream_ordered_float(header, c), rect_width(area), rect_height(area)};
}

static enum mist_status read_header(const uint8_t *data, size_t size, struct codestream_header *header,
                                    struct mist_error *error)
{
    struct codestream_span codestream;
    enum mist_status status = jph_find_codestream(data, size, &codestream, error);
    return status ? status : codestream_parse_header(codestream.data, codestream.size, header, error);
}

/* Fills `info` and frees the header. */
static void describe_codestream(struct codestream_header *header, struct mist_codestream_info *info)
{
    const struct codestream_siz *siz = &header->siz;
    info->width = siz->x1 - siz->x0;
    info->height = siz->y1 - siz->y0;
    info->components = siz->components;
    info->levels = stream_levels(header);
    info->reversible = true;
    info->tiles = siz->tiles_wide * siz->tiles_high;
    for (uint32_t c = 0; c < siz->components; c++) {
        info->reversible = info->reversible && header->coding[c].coding.reversible;
        if (c < MIST_MAX_COMPONENTS)
            info->component[c] = describe(header, c, 0);
    }
    codestream_header_free(header);
}

enum mist_status mist_codestream_info(const uint8_t *data, size_t size, struct mist_codestream_info *info,
                                      struct mist_error *error)
{
    struct codestream_header header;
    memset(info, 0, sizeof *info);
    enum mist_status status = read_header(data, size, &header, error);
    if (!status)
        describe_codestream(&header, info);
    return status;
}

enum mist_status codec_header_info(const uint8_t *main_header, size_t size, struct mist_codestream_info *info,
                                   struct mist_error *error)
{
    struct codestream_header header;
    memset(info, 0, sizeof *info);
    enum mist_status status = codestream_parse_header_alone(main_header, size, &header, error);
    if (!status)
        describe_codestream(&header, info);
    return status;
}

enum mist_status mist_codestream_component(const uint8_t *data, size_t size, uint32_t component, unsigned reduce,
                                           struct mist_component_info *info, struct mist_error *error)
{
    struct codestream_header header;
    memset(info, 0, sizeof *info);
    enum mist_status status = read_header(data, size, &header, error);
    if (status)
        return status;
    if (component >= header.siz.components)
        status = error_set(error, MIST_ERROR_ARGUMENT, "component %u of %u", component, header.siz.components);
    else if (reduce > header.coding[component].coding.decompositions)
        status = error_set(error, MIST_ERROR_ARGUMENT, "reduce %u of a component with %u resolution levels", reduce,
                           header.coding[component].coding.decompositions + 1u);
    else
        *info = describe(&header, component, reduce);
    codestream_header_free(&header);
    return status;
}
