/* SPDX-License-Identifier: BSD-2-Clause */
/* Choosing a resolution: pure functions of a catalog row, so that host and client agree. */
#include <mist/store.h>

#include <math.h>

/* ---- by size ---- */

struct sides {
    uint32_t shorter;
    uint32_t longer;
};

static struct sides sort_sides(uint32_t a, uint32_t b)
{
    return a < b ? (struct sides){a, b} : (struct sides){b, a};
}

static struct sides sides_at(const struct mist_catalog_item *item, unsigned reduce)
{
    return sort_sides(mist_reduced_size(item->image.width, reduce), mist_reduced_size(item->image.height, reduce));
}

static bool size_covers(struct sides have, struct sides asked)
{
    return have.shorter >= asked.shorter && have.longer >= asked.longer;
}

static bool size_fits(struct sides have, struct sides asked)
{
    return have.shorter <= asked.shorter && have.longer <= asked.longer;
}

/* Whether the smaller side b is nearer to s, as a ratio, than the larger side a: s^2 < a * b (65535^2 < 2^64). */
static bool smaller_is_nearer(uint32_t a, uint32_t b, uint32_t s)
{
    return (uint64_t)s * s < (uint64_t)a * b;
}

static unsigned choose_by_size(const struct mist_catalog_item *item, struct sides asked, enum mist_policy policy)
{
    unsigned reduce = 0, last = item->levels - 1;
    switch (policy) {
    case MIST_POLICY_AT_LEAST:
        while (reduce < last && size_covers(sides_at(item, reduce + 1), asked))
            reduce++;
        break;
    case MIST_POLICY_AT_MOST:
        while (reduce < last && !size_fits(sides_at(item, reduce), asked))
            reduce++;
        break;
    case MIST_POLICY_CLOSEST:
        while (reduce < last &&
               smaller_is_nearer(sides_at(item, reduce).shorter, sides_at(item, reduce + 1).shorter, asked.shorter))
            reduce++;
        break;
    }
    return reduce;
}

/* ---- by spacing ---- */

static unsigned choose_by_spacing(const struct mist_catalog_item *item, double asked, enum mist_policy policy)
{
    const double *spacing = item->image.geometry.spacing;
    double have = fmax(spacing[0], spacing[1]);
    unsigned reduce = 0, last = item->levels - 1;
    if (!(have > 0))
        return 0;
    for (; reduce < last; reduce++, have *= 2) {
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
    return reduce;
}

unsigned mist_choose_reduce(const struct mist_catalog_item *item, const struct mist_resolution_request *request)
{
    if (request->by_reduce)
        return request->reduce < item->levels ? request->reduce : item->levels - 1;
    if (request->width && request->height)
        return choose_by_size(item, sort_sides(request->width, request->height), request->policy);
    if (request->spacing > 0)
        return choose_by_spacing(item, request->spacing, request->policy);
    return 0;
}

/* ---- by bytes ---- */

uint64_t mist_catalog_item_bytes(const struct mist_catalog_item *item, unsigned reduce, bool tail)
{
    if (tail)
        return item->size;
    return item->level_end[reduce < item->levels ? item->levels - 1 - reduce : 0];
}

void mist_level_totals_add(struct mist_level_totals *totals, const struct mist_catalog_item *item)
{
    for (unsigned reduce = 0; reduce < MIST_MAX_LEVELS; reduce++)
        totals->bytes[reduce] += mist_catalog_item_bytes(item, reduce, false);
}

int mist_level_totals_choose(const struct mist_level_totals *totals, uint64_t max_bytes)
{
    for (int reduce = 0; reduce < (int)MIST_MAX_LEVELS; reduce++)
        if (totals->bytes[reduce] <= max_bytes)
            return reduce;
    return -1;
}
