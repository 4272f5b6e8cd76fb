/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/context.h"

#include "base/memory.h"

#include <string.h>

#define ARENA_ALIGNMENT 64
#define ARENA_FIRST_CHUNK ((size_t)1 << 18)
/* From here on a chunk asks for large pages: rows of blocks lie pages apart (synthetic 4096 x 4096: 3 to 5 %). */
#define ARENA_LARGE_CHUNK ((size_t)1 << 23)

struct arena_chunk {
    struct arena_chunk *older;
    size_t capacity;
    size_t used;
    unsigned char padding[ARENA_ALIGNMENT - 3 * sizeof(size_t)];
};
_Static_assert(sizeof(struct arena_chunk) == ARENA_ALIGNMENT, "the bytes behind a chunk's header are aligned");

static bool arena_grow(struct arena *arena, size_t needed)
{
    size_t capacity = arena->reserved > ARENA_FIRST_CHUNK ? arena->reserved / 2 : ARENA_FIRST_CHUNK;
    if (capacity < needed)
        capacity = needed;
    size_t bytes;
    struct arena_chunk *chunk = NULL;
    if (size_add(capacity, sizeof *chunk, &bytes))
        chunk = memory_allocate_aligned(bytes);
    if (!chunk)
        return false;
    if (bytes >= ARENA_LARGE_CHUNK)
        memory_prefer_large_pages(chunk, bytes);
    chunk->older = arena->chunk;
    chunk->capacity = capacity;
    chunk->used = 0;
    arena->chunk = chunk;
    arena->reserved += capacity;
    if (arena->peak < arena->reserved)
        arena->peak = arena->reserved;
    return true;
}

void *arena_allocate(struct arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (!size_multiply(count, size, &bytes) || !size_add(bytes, ARENA_ALIGNMENT - 1, &bytes))
        return NULL;
    bytes &= ~(size_t)(ARENA_ALIGNMENT - 1);
    if (!bytes)
        bytes = ARENA_ALIGNMENT;
    if (!arena->chunk || arena->chunk->capacity - arena->chunk->used < bytes) {
        if (!arena_grow(arena, bytes))
            return NULL;
    }
    struct arena_chunk *chunk = arena->chunk;
    void *block = (unsigned char *)(chunk + 1) + chunk->used;
    chunk->used += bytes;
    return block;
}

void *arena_allocate_zeroed(struct arena *arena, size_t count, size_t size)
{
    void *block = arena_allocate(arena, count, size);
    if (block)
        memset(block, 0, count * size);
    return block;
}

void arena_free(struct arena *arena)
{
    while (arena->chunk) {
        struct arena_chunk *older = arena->chunk->older;
        memory_free(arena->chunk);
        arena->chunk = older;
    }
    arena->reserved = 0;
    arena->peak = 0;
}

void arena_reset(struct arena *arena)
{
    size_t keep = arena->keep ? arena->keep : ARENA_KEEP;
    size_t total = arena->peak;
    if (arena->chunk && !arena->chunk->older && arena->chunk->capacity >= total && total <= keep) {
        arena->chunk->used = 0;
        return;
    }
    arena_free(arena);
    if (total && total <= keep)
        arena_grow(arena, total); /* if memory is short now, the next allocation tries again and reports it */
}

struct arena_mark arena_mark(const struct arena *arena)
{
    return (struct arena_mark){arena->chunk, arena->chunk ? arena->chunk->used : 0};
}

void arena_rewind(struct arena *arena, struct arena_mark mark)
{
    while (arena->chunk && arena->chunk != mark.chunk) {
        struct arena_chunk *older = arena->chunk->older;
        arena->reserved -= arena->chunk->capacity;
        memory_free(arena->chunk);
        arena->chunk = older;
    }
    if (arena->chunk)
        arena->chunk->used = mark.used;
}

mist_codec *mist_codec_new(void)
{
    mist_codec *codec = memory_allocate_zeroed(1, sizeof *codec);
    if (codec)
        codec_kernels_select(&codec->kernels, cpu_level());
    return codec;
}

void mist_codec_free(mist_codec **codec)
{
    if (!codec || !*codec)
        return;
    pool_stop(&(*codec)->kept_pool);
    arena_free(&(*codec)->arena);
    memory_free(*codec);
    *codec = NULL;
}
