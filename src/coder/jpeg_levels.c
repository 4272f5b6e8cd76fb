/* SPDX-License-Identifier: BSD-2-Clause */
/* Chunks of levels: docs/coder-jpeg.md, "Chunks". */
#include "coder/jpeg_levels.h"

#include "base/bytes.h"
#include "base/error.h"

enum { HEAD_VERSION = 1, MAX_DEPTH = 8 };
enum { HEAD_JFIF = 1, HEAD_ADOBE = 2, HEAD_GREY = 4 };

unsigned jpeg_stage(const struct jpeg_component *component, unsigned reduce)
{
    /* From 1/8 up libjpeg scales a component by the same factor both ways; below, jpeg_pixels_small() takes means. */
    unsigned least = reduce > 3 ? 3 : 0, shift = reduce > 3 ? component->longest_shift : component->shift;
    return reduce > shift + least ? reduce - shift : least;
}

/* ---- the head of the lowest level's chunk ---- */

static bool head_write(const struct jpeg_frame *frame, bool grey_as_rgb, struct mist_buffer *out)
{
    uint8_t head[32 + 4 * 3], tables[4 * 129];
    size_t size = 0, table_bytes = 0;
    head[size++] = HEAD_VERSION;
    head[size++] =
        (uint8_t)((frame->jfif ? HEAD_JFIF : 0) | (frame->adobe ? HEAD_ADOBE : 0) | (grey_as_rgb ? HEAD_GREY : 0));
    head[size++] = frame->transform;
    head[size++] = frame->orientation;
    size += store_varint(head + size, frame->width);
    size += store_varint(head + size, frame->height);
    head[size++] = (uint8_t)frame->components;
    for (unsigned c = 0; c < frame->components; c++) {
        const struct jpeg_component *component = &frame->component[c];
        unsigned same = 0; /* the first component with this table */
        bool wide = false;
        while (memcmp(frame->component[same].quant, component->quant, sizeof component->quant))
            same++;
        head[size++] = component->id;
        head[size++] = (uint8_t)(component->h << 4 | component->v);
        for (unsigned k = 0; k < 64; k++)
            wide |= component->quant[k] > 255;
        head[size++] = (uint8_t)(same == c ? 0x10 | wide : same);
        for (unsigned k = 0; k < 64 && same == c; k++) {
            if (wide)
                tables[table_bytes++] = (uint8_t)(component->quant[k] >> 8);
            tables[table_bytes++] = (uint8_t)component->quant[k];
        }
    }
    return buffer_append(out, head, size) && buffer_append(out, tables, table_bytes);
}

static bool read_components(struct byte_reader *reader, struct jpeg_frame *frame)
{
    uint8_t table[4] = {0};
    for (unsigned c = 0; c < frame->components; c++) {
        struct jpeg_component *component = &frame->component[c];
        component->id = read_u8(reader);
        uint8_t factors = read_u8(reader);
        component->h = factors >> 4;
        component->v = factors & 15;
        table[c] = read_u8(reader);
        bool refers = table[c] < c && table[table[c]] >= 0x10;
        if (!component->h || component->h > 4 || !component->v || component->v > 4 ||
            (!refers && table[c] != 0x10 && table[c] != 0x11))
            return false;
        component->slot = (uint8_t)(table[c] < 0x10 ? table[c] : c);
        component->quantised = true;
    }
    for (unsigned c = 0; c < frame->components; c++) {
        struct jpeg_component *component = &frame->component[c];
        for (unsigned k = 0; k < 64; k++)
            component->quant[k] = table[c] < 0x10 ? frame->component[table[c]].quant[k]
                                  : table[c] & 1  ? read_be16(reader)
                                                  : read_u8(reader);
    }
    return !reader->failed;
}

enum mist_status jpeg_head_read(const struct jpeg_piece *lowest, struct jpeg_reduced *reduced, size_t *head_size,
                                struct mist_error *error)
{
    struct jpeg_frame *frame = &reduced->frame;
    memset(reduced, 0, sizeof *reduced);
    if (!lowest->size)
        return error_set(error, MIST_ERROR_TRUNCATED, "the JPEG chunk of level 0 is empty");
    struct byte_reader reader = byte_reader_start(lowest->data, lowest->size);
    if (read_u8(&reader) != HEAD_VERSION)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "the JPEG chunk is of a version that is not known here");
    uint8_t flags = read_u8(&reader);
    frame->transform = read_u8(&reader);
    frame->orientation = read_u8(&reader);
    uint64_t width = read_varint(&reader), height = read_varint(&reader);
    frame->components = read_u8(&reader);
    frame->jfif = flags & HEAD_JFIF;
    frame->adobe = flags & HEAD_ADOBE;
    reduced->grey_as_rgb = flags & HEAD_GREY;
    frame->width = width > JPEG_MAX_SIDE ? 0 : (uint32_t)width;
    frame->height = height > JPEG_MAX_SIDE ? 0 : (uint32_t)height;
    bool good = !reader.failed && flags < 8 && frame->orientation >= 1 && frame->orientation <= 8 &&
                (frame->components == 1 || frame->components == 3 || frame->components == 4) &&
                read_components(&reader, frame) && jpeg_frame_layout(frame);
    if (!good)
        return error_set(error, MIST_ERROR_CORRUPT, "the head of a JPEG chunk is damaged");
    *head_size = (size_t)(reader.at - lowest->data);
    return MIST_OK;
}

/* ---- levels ---- */

/* A component on its way from the lowest level up. */
struct climber {
    const struct jpeg_component *component;
    struct jpeg_plane *plane;
    struct jpeg_sums sums[MAX_DEPTH + 1]; /* by depth; coding: all of them; decoding: as far as it has come */
    unsigned stage;
    bool begun;
};

struct climb {
    bool decoding;
    struct jpeg_frame *frame;
    struct climber climber[4];
    struct bins bins;
    struct jpeg_dc_models *dc;
    struct jpeg_ac_models *ac;
};

static bool allocate_sums(const struct jpeg_component *component, unsigned depth, struct jpeg_sums *sums)
{
    sums->depth = depth;
    sums->wide = mist_reduced_size(component->wide, depth);
    sums->high = mist_reduced_size(component->high, depth);
    sums->sum = memory_allocate_zeroed((size_t)sums->wide * sums->high + 1, sizeof *sums->sum);
    return sums->sum != NULL;
}

static void free_sums(struct climber *climber)
{
    for (unsigned depth = 0; depth <= MAX_DEPTH; depth++) {
        memory_free(climber->sums[depth].sum);
        climber->sums[depth].sum = NULL;
    }
}

/* For coding: the sums of all depths down to the lowest level's. */
static bool make_sums(struct climber *climber, unsigned deepest)
{
    const struct jpeg_plane *plane = climber->plane;
    for (unsigned depth = 0; depth <= deepest; depth++) {
        struct jpeg_sums *sums = &climber->sums[depth];
        const struct jpeg_sums *finer = sums - 1;
        if (!allocate_sums(climber->component, depth, sums))
            return false;
        if (!depth) {
            for (size_t i = 0; i < (size_t)sums->wide * sums->high; i++)
                sums->sum[i] = plane->block[i * plane->stride];
            continue;
        }
        for (uint32_t y = 0; y < finer->high; y++)
            for (uint32_t x = 0; x < finer->wide; x++)
                sums->sum[(size_t)(y / 2) * sums->wide + x / 2] += finer->sum[(size_t)y * finer->wide + x];
    }
    return true;
}

static unsigned depth_of(unsigned stage)
{
    return stage > 3 ? stage - 3 : 0;
}

/* DC coefficients go from the sums of depth 0 to the plane, if blocks are asked for. */
static void settle_dc(const struct climb *climb, struct climber *climber)
{
    struct jpeg_plane *plane = climber->plane;
    if (!climb->decoding || !plane->block)
        return;
    for (size_t i = 0; i < (size_t)plane->wide * plane->high; i++)
        plane->block[i * plane->stride] = (int16_t)climber->sums[0].sum[i];
    free_sums(climber);
}

static bool allocate_next(struct climb *climb, struct climber *climber, unsigned depth)
{
    if (climb->decoding && !allocate_sums(climber->component, depth, &climber->sums[depth]))
        climb->bins.short_of_memory = true;
    return !climb->bins.short_of_memory;
}

static bool climb_component(struct climb *climb, struct climber *climber, unsigned group, unsigned target)
{
    if (!climber->begun) {
        unsigned depth = depth_of(target);
        climber->begun = true;
        climber->stage = depth + 3;
        if (!allocate_next(climb, climber, depth))
            return false;
        if (!jpeg_dc_base(&climb->bins, climb->dc, group, &climber->sums[depth]))
            return false;
        if (!depth)
            settle_dc(climb, climber);
    }
    while (climber->stage > target) {
        unsigned stage = --climber->stage;
        if (stage >= 3) {
            struct jpeg_sums *coarse = &climber->sums[stage - 2], *fine = &climber->sums[stage - 3];
            if (!allocate_next(climb, climber, stage - 3))
                return false;
            if (!jpeg_dc_refine(&climb->bins, climb->dc, group, coarse, fine))
                return false;
            if (stage == 3)
                settle_dc(climb, climber);
        } else if (!jpeg_ac_band(&climb->bins, climb->ac, group, 3 - stage, climber->component->quant,
                                 climber->plane)) {
            return false;
        }
    }
    return true;
}

/* All components of one level, in a range coder and with models of its own. */
static bool climb_level(struct climb *climb, unsigned reduce)
{
    climb->dc = jpeg_dc_models_new();
    climb->ac = jpeg_ac_models_new();
    bool good = climb->dc && climb->ac;
    climb->bins.short_of_memory = !good;
    for (unsigned c = 0; c < climb->frame->components && good; c++) {
        struct climber *climber = &climb->climber[c];
        good = climb_component(climb, climber, c > 0, jpeg_stage(climber->component, reduce));
    }
    memory_free(climb->dc);
    memory_free(climb->ac);
    return good && !climb->bins.failed;
}

static void climb_start(struct climb *climb, struct jpeg_frame *frame, struct jpeg_planes *planes, bool decoding)
{
    memset(climb, 0, sizeof *climb);
    climb->decoding = decoding;
    climb->frame = frame;
    for (unsigned c = 0; c < frame->components; c++) {
        climb->climber[c].component = &frame->component[c];
        climb->climber[c].plane = &planes->plane[c];
    }
}

enum mist_status jpeg_levels_write(const struct jpeg_frame *frame, const struct jpeg_planes *planes, bool grey_as_rgb,
                                   struct mist_buffer *levels, struct mist_error *error)
{
    unsigned count = mist_level_count(frame->width, frame->height);
    struct jpeg_frame own = *frame;
    struct jpeg_planes shared = *planes;
    struct climb climb;
    climb_start(&climb, &own, &shared, false);
    levels[0].size = 0;
    bool good = head_write(frame, grey_as_rgb, &levels[0]);
    for (unsigned c = 0; c < frame->components && good; c++)
        good = make_sums(&climb.climber[c], depth_of(jpeg_stage(&frame->component[c], count - 1)));
    for (unsigned level = 0; level < count && good; level++) {
        if (level)
            levels[level].size = 0;
        bins_start_coding(&climb.bins, &levels[level]);
        good = climb_level(&climb, count - 1 - level) && bins_finish(&climb.bins);
    }
    for (unsigned c = 0; c < 4; c++)
        free_sums(&climb.climber[c]);
    return good ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "the levels of a JPEG file: out of memory");
}

void jpeg_reduced_free(struct jpeg_reduced *reduced)
{
    jpeg_planes_free(&reduced->planes);
    for (unsigned c = 0; c < 4; c++)
        memory_free(reduced->sums[c].sum);
    memset(reduced, 0, sizeof *reduced);
}

static enum mist_status allocate_planes(struct jpeg_reduced *reduced, unsigned reduce, struct mist_error *error)
{
    unsigned strides[4] = {0};
    for (unsigned c = 0; c < reduced->frame.components; c++) {
        unsigned stage = jpeg_stage(&reduced->frame.component[c], reduce);
        strides[c] = stage > 3 ? 0 : 1u << 2 * (3 - stage);
    }
    return jpeg_planes_allocate(&reduced->frame, strides, &reduced->planes, error);
}

enum mist_status jpeg_levels_read(const struct jpeg_piece *pieces, unsigned reduce, struct jpeg_reduced *reduced,
                                  struct mist_error *error)
{
    size_t at;
    enum mist_status status = jpeg_head_read(&pieces[0], reduced, &at, error);
    if (status)
        return status;
    unsigned count = mist_level_count(reduced->frame.width, reduced->frame.height);
    if (reduce >= count)
        return error_set(error, MIST_ERROR_ARGUMENT, "the JPEG picture has %u levels; it cannot be reduced by %u",
                         count, reduce);
    status = allocate_planes(reduced, reduce, error);
    if (status)
        return status;
    struct climb climb;
    climb_start(&climb, &reduced->frame, &reduced->planes, true);
    for (unsigned level = 0; level < count - reduce && !status; level++, at = 0) {
        bins_start_decoding(&climb.bins, pieces[level].data + at, pieces[level].size - at);
        if (climb_level(&climb, count - 1 - level))
            continue;
        if (climb.bins.short_of_memory)
            status = error_set(error, MIST_ERROR_MEMORY, "the JPEG chunk of level %u: out of memory", level);
        else if (climb.bins.failed)
            status = error_set(error, MIST_ERROR_TRUNCATED, "the JPEG chunk of level %u ends too early", level);
        else
            status = error_set(error, MIST_ERROR_CORRUPT, "the JPEG chunk of level %u is damaged", level);
    }
    for (unsigned c = 0; c < reduced->frame.components; c++) {
        struct climber *climber = &climb.climber[c];
        unsigned depth = depth_of(jpeg_stage(climber->component, reduce));
        if (!status && !reduced->planes.plane[c].block) {
            reduced->sums[c] = climber->sums[depth];
            climber->sums[depth].sum = NULL;
        }
        free_sums(climber);
    }
    if (status)
        jpeg_reduced_free(reduced);
    return status;
}
