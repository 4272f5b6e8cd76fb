/* SPDX-License-Identifier: BSD-2-Clause */
#include "client/held.h"

#include <string.h>

void held_remove(struct held *held, uint64_t start, uint64_t end)
{
    struct held left = {0};
    for (unsigned i = 0; i < held->count; i++) {
        struct mist_byte_range range = held->range[i];
        if (range.start < start && left.count < HELD_MAX)
            left.range[left.count++] = (struct mist_byte_range){range.start, range.end < start ? range.end : start};
        if (range.end > end && left.count < HELD_MAX)
            left.range[left.count++] = (struct mist_byte_range){range.start > end ? range.start : end, range.end};
    }
    held->count = left.count;
    memcpy(held->range, left.range, left.count * sizeof *left.range);
}

void held_add(struct held *held, uint64_t start, uint64_t end)
{
    unsigned from = 0, to;
    if (start >= end)
        return;
    while (from < held->count && held->range[from].end < start)
        from++;
    for (to = from; to < held->count && held->range[to].start <= end; to++) {
        start = held->range[to].start < start ? held->range[to].start : start;
        end = held->range[to].end > end ? held->range[to].end : end;
    }
    /* The ranges [from, to) become one. */
    if (to == from && held->count == HELD_MAX) {
        if (from == HELD_MAX)
            return;
        held->count--;
    }
    memmove(&held->range[from + 1], &held->range[to], (held->count - to) * sizeof *held->range);
    held->count = held->count - (to - from) + 1;
    held->range[from] = (struct mist_byte_range){start, end};
}

uint64_t held_until(const struct held *held, uint64_t at)
{
    for (unsigned i = 0; i < held->count; i++)
        if (held->range[i].start <= at && at < held->range[i].end)
            return held->range[i].end;
    return at;
}

uint64_t held_next(const struct held *held, uint64_t at)
{
    for (unsigned i = 0; i < held->count; i++)
        if (at < held->range[i].end)
            return held->range[i].start > at ? held->range[i].start : at;
    return UINT64_MAX;
}

uint64_t held_bytes(const struct held *held, uint64_t start, uint64_t end)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < held->count; i++) {
        uint64_t from = held->range[i].start > start ? held->range[i].start : start;
        uint64_t to = held->range[i].end < end ? held->range[i].end : end;
        bytes += to > from ? to - from : 0;
    }
    return bytes;
}
