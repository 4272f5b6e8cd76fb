/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JPEG 2000: JP2 and JPH files and bare codestreams (15444-1, 15444-15). The file is kept as its own packets where it
 * can be taken apart (coder/j2k.h), else as its own bytes above levels of its samples.
 */
#include "format/bare.h"
#include "format/jp2.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "codec/jph.h"
#include "coder/j2k.h"

#include <string.h>

static bool jp2_detect(const uint8_t *data, size_t size)
{
    return size >= 12 &&
           (memcmp(data, "\0\0\0\x0cjP  \r\n\x87\n", 12) == 0 || memcmp(data, "\xff\x4f\xff\x51", 4) == 0);
}

/* ---- the head ---- */

bool jp2_head_read(const uint8_t *head, size_t size, struct jp2_head *out)
{
    enum { FIXED = 6 };
    *out = (struct jp2_head){0};
    if (size < FIXED || head[0] > 1 || head[1] > FORMAT_CMYK_INVERTED || load_be32(head + 2) > size - FIXED)
        return false;
    const size_t before = load_be32(head + 2);
    *out = (struct jp2_head){.high_throughput = head[0],
                             .color = (enum format_color)head[1],
                             .before = head + FIXED,
                             .before_size = before,
                             .behind = head + FIXED + before,
                             .behind_size = size - FIXED - before};
    return true;
}

/* The colours of `components` samples, where the boxes before the codestream say more than their number. */
static enum format_color color_of(const uint8_t *boxes, size_t size, unsigned components)
{
    enum { ENUMERATED = 1, CMYK = 12 };
    const uint8_t *colr = memmem(boxes, size, "colr", 4);
    if (components == 4 && colr && (size_t)(boxes + size - colr) >= 11 && colr[4] == ENUMERATED &&
        load_be32(colr + 7) == CMYK)
        return FORMAT_CMYK;
    return components == 1 ? FORMAT_GREY : components == 3 ? FORMAT_RGB : FORMAT_OTHER_COLOR;
}

static enum mist_status make_head(struct bare_source *source, const struct j2k_info *info, struct mist_error *error)
{
    const uint8_t *data = source->map.data;
    struct byte_reader reader = byte_reader_start(data, source->map.size);
    struct jph_box box;
    size_t before = 0, behind = source->map.size;
    while (data[0] == 0 && jph_next_box(&reader, &box)) {
        if (box.type == JPH_BOX_CODESTREAM) {
            behind = (size_t)(reader.at - data);
            break;
        }
        before = (size_t)(reader.at - data);
    }
    if (before > JP2_MAX_BOXES || source->map.size - behind > JP2_MAX_BOXES)
        return error_set(error, MIST_ERROR_LIMIT, "%s: more than %zu bytes of boxes around the codestream",
                         source->input.name, JP2_MAX_BOXES);
    source->base.color = color_of(data, before, info->components);
    uint8_t fixed[6] = {info->part15, (uint8_t)source->base.color};
    store_be32(fixed + 2, (uint32_t)before);
    struct mist_buffer *head = &source->base.head;
    if (!buffer_append(head, fixed, sizeof fixed) || !buffer_append(head, data, before) ||
        !buffer_append(head, data + behind, source->map.size - behind))
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", source->input.name);
    return MIST_OK;
}

static void jp2_appearance(const uint8_t *head, size_t size, struct format_appearance *appearance)
{
    struct jp2_head read;
    if (jp2_head_read(head, size, &read))
        appearance->color = read.color;
}

/* ---- the source ---- */

static enum mist_sample_type type_of(const struct j2k_info *info)
{
    if (info->precision > 16)
        return info->is_signed ? MIST_S32 : MIST_U32;
    if (info->precision > 8)
        return info->is_signed ? MIST_S16 : MIST_U16;
    return info->is_signed ? MIST_S8 : MIST_U8;
}

static enum mist_status describe(struct bare_source *source, struct mist_error *error)
{
    struct j2k_info info;
    enum mist_status status = j2k_info(source->map.data, source->map.size, &info, error);
    if (status)
        return error_prefix(error, status, "%s", source->input.name);
    if (!mist_frame_bytes(type_of(&info), info.width, info.height, info.components))
        return error_set(error, MIST_ERROR_LIMIT, "%s: %u x %u pixels are beyond the limits", source->input.name,
                         info.width, info.height);
    source->base.info = (struct mist_image_info){.type = type_of(&info),
                                                 .precision = info.precision,
                                                 .width = info.width,
                                                 .height = info.height,
                                                 .components = info.components,
                                                 .frames = 1};
    source->base.stream = info.part15 ? FORMAT_STREAM_HTJ2K : FORMAT_STREAM_J2K;
    source->base.stream_lossy = true; /* nothing else gives the file back, whether its blocks are exact or not */
    return make_head(source, &info, error);
}

static enum mist_status jp2_read_frame(struct format_source *base, uint32_t frame, struct mist_view *out,
                                       struct mist_error *error)
{
    const struct bare_source *source = (const struct bare_source *)base;
    (void)frame;
    mist_codec *codec = mist_codec_new();
    if (!codec)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", source->input.name);
    enum mist_status status = j2k_decode(codec, source->map.data, source->map.size, 0, out, error);
    mist_codec_free(&codec);
    return status ? error_prefix(error, status, "%s", source->input.name) : MIST_OK;
}

static enum mist_status jp2_open(const struct format_input *inputs, uint32_t count, struct format_source **result,
                                 struct mist_error *error)
{
    static const struct format_source_ops ops = {.read_frame = jp2_read_frame,
                                                 .read_archive = bare_read_archive,
                                                 .close = bare_close,
                                                 .codestream = bare_codestream};
    return bare_open(FORMAT_JP2, &ops, describe, inputs, count, result, error);
}

static enum mist_status jp2_look(const struct format_input *input, struct format_group *group, struct mist_error *error)
{
    (void)group;
    return bare_look(jp2_open, input, error);
}

const struct format_ops format_ops_jp2 = {.detect = jp2_detect,
                                          .look = jp2_look,
                                          .open = jp2_open,
                                          .writer_open = jp2_writer_open,
                                          .restorer_open = bare_restorer_open,
                                          .appearance = jp2_appearance};
