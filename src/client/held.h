/* SPDX-License-Identifier: BSD-2-Clause */
/* Which bytes of an item file are here: ranges, ascending, apart from one another. */
#ifndef CLIENT_HELD_H
#define CLIENT_HELD_H

#include <mist/source.h>

/* One for each level and class, and what an interrupted transfer adds. */
#define HELD_MAX (MIST_MAX_LEVELS * (MIST_MAX_STEPS + 1) + 2)

struct held {
    unsigned count;
    struct mist_byte_range range[HELD_MAX];
};

/* Adds [start, end). Where there would be too many ranges the last one is forgotten: its bytes are fetched again. */
void held_add(struct held *held, uint64_t start, uint64_t end);
void held_remove(struct held *held, uint64_t start, uint64_t end);
/* The end of what is held from `at` on without a gap; `at` itself where it is not held. */
uint64_t held_until(const struct held *held, uint64_t at);
/* Where the next held byte at or behind `at` is; UINT64_MAX where there is none. */
uint64_t held_next(const struct held *held, uint64_t at);
/* How many bytes of [start, end) are held. */
uint64_t held_bytes(const struct held *held, uint64_t start, uint64_t end);

#endif
