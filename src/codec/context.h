/* SPDX-License-Identifier: BSD-2-Clause */
/* The codec context: scratch memory reused from frame to frame. */
#ifndef CODEC_CONTEXT_H
#define CODEC_CONTEXT_H

#include "base/pool.h"
#include "codec/kernels.h"

#include <mist/codec.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * An arena: allocation by advancing an offset, freed all at once by arena_reset(). Blocks stay where they are until
 * then. The first frame grows it chunk by chunk; arena_reset() joins the chunks into one of their total size, so that
 * from the second frame of a kind on there is one chunk and no call to the allocator.
 *
 *     chunk -> [ header | used ............ | free ]  (newest; allocation here)
 *       |
 *       +-> older chunks, full
 */
struct arena_chunk;
struct arena {
    struct arena_chunk *chunk;
    size_t reserved; /* bytes in all chunks */
    size_t peak;     /* the most that was reserved since arena_free() */
    size_t keep;     /* arena_reset() gives all back if the peak exceeds this; 0: ARENA_KEEP */
};
#define ARENA_KEEP ((size_t)1 << 30)

/* Aligned to 64 bytes; content undefined. NULL when memory is short or count * size overflows. */
void *arena_allocate(struct arena *arena, size_t count, size_t size);
void *arena_allocate_zeroed(struct arena *arena, size_t count, size_t size);
void arena_reset(struct arena *arena);
void arena_free(struct arena *arena);

/* A position to return to: what was allocated since is free again. */
struct arena_mark {
    struct arena_chunk *chunk;
    size_t used;
};
struct arena_mark arena_mark(const struct arena *arena);
void arena_rewind(struct arena *arena, struct arena_mark mark);

struct mist_codec {
    struct arena arena;
    struct codec_kernels kernels; /* for this CPU */
    struct pool *pool;            /* of this call: kept_pool, or NULL where one thread does all */
    struct pool *kept_pool;       /* its threads sleep between calls: waking costs less than starting them */
};

#endif
