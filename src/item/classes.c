/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which values of a label map a reduced level has no sample of. Levels are nested lattices, so that one look at the
 * full map answers for all of them: a value is there at every reduce up to the largest that one of its samples lies on.
 */
#include "item/decoder.h"

#include "base/error.h"
#include "base/memory.h"
#include "image/rows.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* The largest reduce whose lattice has this sample. */
static unsigned lattice_of(uint32_t x, uint32_t y, unsigned most)
{
    unsigned reduce = 0;
    while (reduce < most && ((x | y) >> reduce & 1) == 0)
        reduce++;
    return reduce;
}

/* deepest[rank]: 1 + the largest reduce at which a sample has it; 0: none has it. */
static void look_at_frame(const struct mist_view *ranks, unsigned most, uint32_t count, uint8_t *deepest)
{
    for (uint32_t y = 0; y < ranks->height; y++) {
        const uint16_t *row = (const uint16_t *)((const uint8_t *)ranks->data + (ptrdiff_t)y * ranks->row_stride);
        for (uint32_t x = 0; x < ranks->width; x++)
            if (row[x] < count && deepest[row[x]] <= most) { /* most samples are of values that are known to stay */
                unsigned reduce = lattice_of(x, y, most);
                if (deepest[row[x]] <= reduce)
                    deepest[row[x]] = (uint8_t)(reduce + 1);
            }
    }
}

/* The value of a rank, as JSON: a number, or an array of those of its components; what is not finite as text. */
static bool write_value(const mist_item *item, uint32_t rank, char text[160], struct mist_error *error)
{
    const struct mist_image_info *image = &item->info.image;
    uint16_t coded = (uint16_t)rank;
    uint64_t room[4] = {0};
    struct mist_view from = mist_view_interleaved(&coded, MIST_U16, 1, 1, 1);
    struct mist_view to = mist_view_interleaved(room, image->type, 1, 1, image->components);
    if (image->components > 4 || value_map_inverse(&item->manifest.values, &from, false, &to, error) != MIST_OK)
        return false;
    size_t length = 0;
    for (uint32_t c = 0; c < image->components; c++) {
        const char *before = c ? "," : image->components > 1 ? "[" : "";
        double value;
        row_load(&to, 0, c, &value);
        if (image->type == MIST_U64 || image->type == MIST_S64)
            length += (size_t)snprintf(text + length, 160 - length,
                                       image->type == MIST_U64 ? "%s%" PRIu64 : "%s%" PRId64, before, room[c]);
        else
            length +=
                (size_t)snprintf(text + length, 160 - length, isfinite(value) ? "%s%.9g" : "%s\"%g\"", before, value);
    }
    if (image->components > 1)
        snprintf(text + length, 160 - length, "]");
    return true;
}

/* One more value that levels of `reduce` and beyond do not have. */
static void add_lost(struct mist_item_classes *classes, unsigned reduce, unsigned levels, const char *value)
{
    for (; reduce < levels; reduce++) {
        char *values = classes->values[reduce];
        size_t length = strlen(values);
        classes->lost[reduce]++;
        if (length + strlen(value) + 2 <= MIST_CLASSES_TEXT && classes->named[reduce] + 1 == classes->lost[reduce]) {
            snprintf(values + length, MIST_CLASSES_TEXT - length, "%s%s", length ? "," : "", value);
            classes->named[reduce]++;
        }
    }
}

static enum mist_status look(const mist_item *item, mist_decoder *decoder, struct mist_view *ranks, uint8_t *deepest,
                             struct mist_error *error)
{
    const struct value_map *values = &item->manifest.values;
    enum mist_status status = MIST_OK;
    for (uint32_t frame = 0; frame < item->info.image.frames && !status; frame++) {
        status = item_decode_stream(item, decoder, 0, frame, 0, ranks, error);
        if (!status)
            look_at_frame(ranks, item->info.levels - 1, values->rank_count, deepest);
    }
    return status;
}

enum mist_status mist_item_classes(const mist_item *item, struct mist_item_classes *classes, struct mist_error *error)
{
    const struct mist_image_info *image = &item->info.image;
    const struct value_map *values = &item->manifest.values;
    *classes = (struct mist_item_classes){0};
    if (!image->label || values->kind != VALUE_MAP_RANKS)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "%s: it is no label map", item->name);
    if ((uint64_t)image->width * image->height > MIST_CLASSES_MAX_PIXELS / image->frames)
        return error_set(error, MIST_ERROR_LIMIT, "%s: too large to look for classes that vanish", item->name);
    mist_decoder *decoder = mist_decoder_new();
    struct mist_view ranks = item_new_view(MIST_U16, image->width, image->height, 1);
    uint8_t *deepest = memory_allocate_zeroed(values->rank_count, 1);
    enum mist_status status = decoder && ranks.data && deepest
                                  ? look(item, decoder, &ranks, deepest, error)
                                  : error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", item->name);
    for (uint32_t rank = 0; rank < values->rank_count && !status; rank++) {
        char text[160];
        classes->count += deepest[rank] > 0;
        if (deepest[rank] == 0 || deepest[rank] >= item->info.levels)
            continue;
        if (!write_value(item, rank, text, error))
            snprintf(text, sizeof text, "\"class %" PRIu32 "\"", rank);
        add_lost(classes, deepest[rank], item->info.levels, text);
    }
    memory_free(deepest);
    memory_free(ranks.data);
    mist_decoder_free(&decoder);
    return status;
}
