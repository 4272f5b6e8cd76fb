/* SPDX-License-Identifier: BSD-2-Clause */
/* Going through all frames of an item to choose its value map. */
#include "image/value_scan.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/pool.h"
#include "image/value_bits.h"

#include <stdatomic.h>

bool value_map_holds(const struct value_map *map, const struct mist_view *frame)
{
    if (map->kind != VALUE_MAP_LINEAR)
        return true;
    for (uint32_t y = 0; y < frame->height; y++)
        for (uint32_t c = 0; c < frame->components; c++) {
            const char *at = (const char *)frame->data + y * frame->row_stride + c * frame->component_stride;
            uint64_t last = 0;
            int32_t code;
            for (uint32_t x = 0; x < frame->width; x++, at += frame->column_stride) {
                uint64_t bits = bits_load(map->source, at);
                if ((x == 0 || bits != last) && !value_map_linear_code(map, bits, &code))
                    return false;
                last = bits;
            }
        }
    return true;
}

/* What the threads share, and what each has to itself. */
struct chooser {
    const struct value_map_frames *frames;
    struct mist_view *buffers;       /* [threads] a frame each, data NULL until used */
    struct value_map_state **states; /* [threads] NULL until used */
    const struct value_map *map;     /* to check in the second pass; NULL in the first */
    atomic_bool refuted;
};

static enum mist_status look(void *context, uint64_t index, unsigned worker, struct mist_error *error)
{
    struct chooser *chooser = context;
    const struct value_map_frames *frames = chooser->frames;
    struct mist_view *buffer = &chooser->buffers[worker];
    if (chooser->map && atomic_load(&chooser->refuted))
        return MIST_OK;
    if (!buffer->data)
        *buffer = mist_view_interleaved(
            memory_allocate_aligned(mist_frame_bytes(frames->type, frames->width, frames->height, frames->components)),
            frames->type, frames->width, frames->height, frames->components);
    if (!chooser->states[worker])
        chooser->states[worker] = value_map_state_new(frames->type);
    if (!buffer->data || !chooser->states[worker])
        return error_set(error, MIST_ERROR_MEMORY, "looking at the sample values: out of memory");
    enum mist_status status = frames->read(frames->context, (uint32_t)index, buffer, error);
    if (status)
        return status;
    if (!chooser->map)
        value_map_scan(chooser->states[worker], buffer);
    else if (!value_map_holds(chooser->map, buffer))
        atomic_store(&chooser->refuted, true);
    return MIST_OK;
}

static enum mist_status choose(struct chooser *chooser, unsigned threads, struct value_map *map,
                               struct mist_error *error)
{
    uint32_t frames = chooser->frames->frames;
    enum mist_status status = pool_run(threads, frames, look, chooser, error);
    if (status)
        return status;
    for (unsigned i = 1; i < threads; i++)
        if (chooser->states[i] && chooser->states[0])
            value_map_merge(chooser->states[0], chooser->states[i]);
        else if (chooser->states[i]) { /* the caller's own thread came too late for any frame */
            chooser->states[0] = chooser->states[i];
            chooser->states[i] = NULL;
        }
    struct value_map maps[VALUE_MAP_PROPOSALS];
    unsigned count = value_map_propose(chooser->states[0], maps);
    for (unsigned i = 0; i < count && !status; i++) {
        *map = maps[i];
        if (map->kind != VALUE_MAP_LINEAR)
            break;
        chooser->map = &maps[i];
        atomic_store(&chooser->refuted, false);
        status = pool_run(threads, frames, look, chooser, error);
        if (!atomic_load(&chooser->refuted))
            break;
    }
    if (!status && map->planes * chooser->frames->components > MIST_MAX_COMPONENTS)
        status = error_set(error, MIST_ERROR_UNSUPPORTED, "64-bit floats of %u components are not supported",
                           chooser->frames->components);
    return status;
}

enum mist_status value_map_choose(const struct value_map_frames *frames, unsigned threads, struct value_map *map,
                                  struct mist_error *error)
{
    if (frames->frames == 0 || mist_frame_bytes(frames->type, frames->width, frames->height, frames->components) == 0)
        return error_set(error, MIST_ERROR_ARGUMENT, "there are no samples to map");
    threads = threads ? threads : 1;
    struct chooser chooser = {.frames = frames};
    chooser.buffers = memory_allocate_zeroed(threads, sizeof *chooser.buffers);
    chooser.states = memory_allocate_zeroed(threads, sizeof *chooser.states);
    enum mist_status status;
    if (chooser.buffers && chooser.states)
        status = choose(&chooser, threads, map, error);
    else
        status = error_set(error, MIST_ERROR_MEMORY, "looking at the sample values: out of memory");
    for (unsigned i = 0; i < threads && chooser.buffers && chooser.states; i++) {
        memory_free(chooser.buffers[i].data);
        value_map_state_free(&chooser.states[i]);
    }
    memory_free(chooser.buffers);
    memory_free(chooser.states);
    return status;
}
