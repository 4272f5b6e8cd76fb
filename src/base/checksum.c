/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/checksum.h"

#include <mist/buffer.h>
#include <xxhash.h>

/* struct checksum_state is XXH3_state_t under our name, so that xxhash.h stays in this file. */
static XXH3_state_t *inner(struct checksum_state *state)
{
    return (XXH3_state_t *)state;
}

uint64_t checksum(const void *data, size_t size)
{
    return XXH3_64bits(data, size);
}

uint64_t mist_checksum(const void *data, size_t size)
{
    return checksum(data, size);
}

struct checksum_state *checksum_start(void)
{
    XXH3_state_t *state = XXH3_createState();
    if (state)
        XXH3_64bits_reset(state);
    return (struct checksum_state *)state;
}

void checksum_add(struct checksum_state *state, const void *data, size_t size)
{
    XXH3_64bits_update(inner(state), data, size);
}

uint64_t checksum_value(const struct checksum_state *state)
{
    return XXH3_64bits_digest((const XXH3_state_t *)state);
}

void checksum_restart(struct checksum_state *state)
{
    XXH3_64bits_reset(inner(state));
}

void checksum_free(struct checksum_state *state)
{
    XXH3_freeState(inner(state));
}
