/* SPDX-License-Identifier: BSD-2-Clause */
/* Choosing a resolution: pure functions of a catalog row, so that host and client agree. */
#include <mist/source.h>

#include "coder/step.h"

#include <math.h>

/* ---- one size that halves ---- */

/* Whether the smaller size b is nearer to s, as a ratio, than the larger size a: s^2 < a * b (all are below 2^32). */
static bool smaller_is_nearer(uint32_t a, uint32_t b, uint32_t s)
{
    return (uint64_t)s * s < (uint64_t)a * b;
}

/* How often a spacing is doubled, at most `last` times, to come to the one asked for. */
static unsigned double_spacing(double have, double asked, unsigned last, enum mist_policy policy)
{
    unsigned doubled = 0;
    if (!(have > 0) || !(asked > 0))
        return 0;
    for (; doubled < last; doubled++, have *= 2) {
        bool further;
        switch (policy) {
        case MIST_POLICY_AT_LEAST:
            further = 2 * have <= asked;
            break;
        case MIST_POLICY_AT_MOST:
            further = have < asked;
            break;
        default: /* nearer as a ratio: asked > sqrt(have * 2 have) */
            further = asked * asked > 2 * have * have;
            break;
        }
        if (!further)
            break;
    }
    return doubled;
}

/* ---- by size ---- */

struct sides {
    uint32_t first, second;
};

static struct sides sort_sides(uint32_t a, uint32_t b)
{
    return a < b ? (struct sides){a, b} : (struct sides){b, a};
}

static struct sides sides_at(struct sides full, unsigned reduce)
{
    return (struct sides){mist_reduced_size(full.first, reduce), mist_reduced_size(full.second, reduce)};
}

/* `full` and `asked` in the same order; the first one is the shorter side of the image. */
static unsigned choose_level(struct sides full, struct sides asked, unsigned last, enum mist_policy policy)
{
    unsigned reduce = 0;
    for (; reduce < last; reduce++) {
        struct sides here = sides_at(full, reduce), next = sides_at(full, reduce + 1);
        bool further;
        switch (policy) {
        case MIST_POLICY_AT_LEAST:
            further = next.first >= asked.first && next.second >= asked.second;
            break;
        case MIST_POLICY_AT_MOST:
            further = here.first > asked.first || here.second > asked.second;
            break;
        default:
            further = smaller_is_nearer(here.first, next.first, asked.first);
            break;
        }
        if (!further)
            break;
    }
    return reduce;
}

/* The part of what is asked for along the axes of the written file that a frame's columns, rows or slices have. */
static uint32_t asked_along(const struct mist_catalog_item *item, const struct mist_resolution_request *request,
                            unsigned axis)
{
    const uint32_t asked[3] = {request->width, request->height, request->depth};
    return asked[item->image.axes[axis] % 3];
}

static unsigned choose_step(const struct mist_catalog_item *item, const struct mist_resolution_request *request)
{
    const uint32_t slices = item->image.slices, asked = asked_along(item, request, 2);
    const enum mist_policy policy = request->policy;
    unsigned step = 0;
    /* Interpolated slices are to lie between two that are half as far apart at most. */
    if (request->exact && policy == MIST_POLICY_AT_LEAST) {
        while (step < item->steps && slices >> (step + 1) >= 2 * (uint64_t)asked)
            step++;
        return step;
    }
    for (; step < item->steps; step++) {
        uint32_t here = step_slices(slices, step), next = step_slices(slices, step + 1);
        if (policy == MIST_POLICY_AT_LEAST  ? next < asked
            : policy == MIST_POLICY_AT_MOST ? here <= asked
                                            : !smaller_is_nearer(here, next, asked))
            break;
    }
    return step;
}

static struct mist_choice choose_by_size(const struct mist_catalog_item *item,
                                         const struct mist_resolution_request *request)
{
    const uint32_t width = item->image.width, height = item->image.height;
    const unsigned last = item->levels - 1;
    if (!request->depth)
        return (struct mist_choice){
            choose_level(sort_sides(width, height), sort_sides(request->width, request->height), last, request->policy),
            0};
    uint32_t columns = asked_along(item, request, 0), rows = asked_along(item, request, 1);
    struct sides full = {width, height}, asked = {columns, rows};
    if (height < width) {
        full = (struct sides){height, width};
        asked = (struct sides){rows, columns};
    }
    return (struct mist_choice){choose_level(full, asked, last, request->policy), choose_step(item, request)};
}

/* ---- by spacing ---- */

static struct mist_choice choose_by_spacing(const struct mist_catalog_item *item,
                                            const struct mist_resolution_request *request)
{
    const double *spacing = item->image.geometry.spacing;
    const uint8_t *axes = item->image.axes;
    /* In-plane both axes are reduced alike: the one that is coarser, for what is asked along it, decides. */
    double column = request->spacing[axes[0] % 3], row = request->spacing[axes[1] % 3];
    bool by_row = spacing[1] * column > spacing[0] * row;
    return (struct mist_choice){
        double_spacing(by_row ? spacing[1] : spacing[0], by_row ? row : column, item->levels - 1, request->policy),
        double_spacing(spacing[2], request->spacing[axes[2] % 3], item->steps, request->policy)};
}

struct mist_choice mist_choose(const struct mist_catalog_item *item, const struct mist_resolution_request *request)
{
    struct mist_choice choice = {0};
    if (request->by_reduce)
        choice = (struct mist_choice){request->reduce, request->step};
    else if (request->width && request->height)
        choice = choose_by_size(item, request);
    else if (request->spacing[0] > 0)
        choice = choose_by_spacing(item, request);
    return mist_choice_within(item, choice);
}

struct mist_choice mist_choice_within(const struct mist_catalog_item *item, struct mist_choice choice)
{
    return (struct mist_choice){choice.reduce < item->levels ? choice.reduce : item->levels - 1,
                                choice.step < item->steps ? choice.step : item->steps};
}

/* ---- bytes ---- */

unsigned mist_catalog_item_ranges(const struct mist_catalog_item *item, struct mist_choice choice, bool tail,
                                  struct mist_byte_range ranges[MIST_MAX_RANGES])
{
    const unsigned classes = item->steps + 1, last = item->levels * classes - 1;
    unsigned count = 0;
    uint64_t start = 0;
    choice = mist_choice_within(item, choice);
    for (unsigned level = 0; level < item->levels - choice.reduce; level++) {
        uint64_t end = item->range_end[level * classes + item->steps - choice.step];
        if (level)
            start = item->range_end[level * classes - 1];
        if (count && ranges[count - 1].end == start)
            ranges[count - 1].end = end;
        else if (end > start)
            ranges[count++] = (struct mist_byte_range){start, end};
    }
    if (tail && item->size > item->range_end[last]) {
        if (count && ranges[count - 1].end == item->range_end[last])
            ranges[count - 1].end = item->size;
        else
            ranges[count++] = (struct mist_byte_range){item->range_end[last], item->size};
    }
    return count;
}

uint64_t mist_catalog_item_bytes(const struct mist_catalog_item *item, struct mist_choice choice, bool tail)
{
    struct mist_byte_range ranges[MIST_MAX_RANGES];
    unsigned count = mist_catalog_item_ranges(item, choice, tail, ranges);
    uint64_t bytes = 0;
    for (unsigned i = 0; i < count; i++)
        bytes += ranges[i].end - ranges[i].start;
    return bytes;
}

void mist_level_totals_add(struct mist_level_totals *totals, const struct mist_catalog_item *item)
{
    for (unsigned reduce = 0; reduce < MIST_MAX_LEVELS; reduce++)
        totals->bytes[reduce] += mist_catalog_item_bytes(item, (struct mist_choice){reduce, 0}, false);
}

int mist_level_totals_choose(const struct mist_level_totals *totals, uint64_t max_bytes)
{
    for (int reduce = 0; reduce < (int)MIST_MAX_LEVELS; reduce++)
        if (totals->bytes[reduce] <= max_bytes)
            return reduce;
    return -1;
}
