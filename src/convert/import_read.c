/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames of the source, which are looked at before they are coded; small ones are kept meanwhile. */
#include "convert/import.h"

#include "base/error.h"
#include "base/memory.h"
#include "image/copy.h"

enum mist_status import_out_of_memory(const struct import *import, struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", import->options->paths[0]);
}

enum mist_status import_read(struct import *import, uint32_t frame, struct mist_view *out, struct mist_error *error)
{
    const struct mist_image_info *info = &import->source->info;
    struct mist_view *held = import->held ? &import->held[frame] : NULL;
    if (held && held->data) {
        copy_samples(held, out, false);
        return MIST_OK;
    }
    enum mist_status status = import->source->ops->read_frame(import->source, frame, out, error);
    if (status || !held)
        return status;
    /* Where memory is short the frame is read once more, and no harm is done. */
    *held = item_new_view(info->type, info->width, info->height, info->components);
    if (held->data)
        copy_samples(out, held, false);
    return MIST_OK;
}

/* Decoding a file twice takes longer than keeping what is small. */
void import_hold_small(struct import *import)
{
    const struct mist_image_info *info = &import->source->info;
    const uint64_t most = (uint64_t)64 << 20;
    size_t bytes = mist_frame_bytes(info->type, info->width, info->height, info->components);
    if (bytes && bytes * (uint64_t)info->frames <= most)
        import->held = memory_allocate_zeroed(info->frames, sizeof *import->held);
}

void import_free_held(struct import *import)
{
    for (uint32_t frame = 0; import->held && frame < import->source->info.frames; frame++)
        memory_free(import->held[frame].data);
    memory_free(import->held);
}
