/* SPDX-License-Identifier: BSD-2-Clause */
/* Checking all that an item file holds. */
#include "base/bytes.h"
#include "base/checksum.h"
#include "base/error.h"
#include "base/memory.h"
#include "item/item.h"

#include <stdarg.h>
#include <stdio.h>

struct verification {
    const mist_item *item;
    void (*found)(void *context, const char *sentence);
    void *context;
    enum mist_status first; /* status of the first problem */
    struct mist_error *error;
};

__attribute__((format(printf, 3, 4))) static void report(struct verification *verification, enum mist_status status,
                                                         const char *format, ...)
{
    char sentence[600];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    if (!verification->first) {
        verification->first = status;
        error_set(verification->error, status, "%s", sentence);
    }
    if (verification->found)
        verification->found(verification->context, sentence);
}

/* Of ascending offsets [count + 1], the last i < count with offset[i] <= at; offset[0] <= at. */
static uint32_t last_at(const uint64_t *offset, uint32_t count, uint64_t at)
{
    uint32_t low = 0, high = count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (offset[middle] <= at)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* The first and the last frame that need bytes [start, end) of a range. */
static void find_frames(const mist_item *item, unsigned range, uint64_t start, uint64_t end, uint32_t *low,
                        uint32_t *high)
{
    unsigned class = item->layout.steps - range % (item->layout.steps + 1);
    *low = UINT32_MAX;
    *high = 0;
    for (unsigned i = 0; i < item->chunks.streams; i++) {
        const struct coder_stream *stream = item->chunks.stream[i].stream;
        const uint64_t *offset = item->chunks.stream[i].start[range];
        uint32_t slots = offset ? stream_slots(stream, class) : 0;
        if (slots == 0 || offset[slots] <= start || offset[0] >= end)
            continue;
        uint32_t first, frames;
        uint64_t from = start > offset[0] ? start : offset[0];
        stream_unit_frames(stream, stream_slot_unit(stream, last_at(offset, slots, from), class), &first);
        *low = first < *low ? first : *low;
        frames = stream_unit_frames(stream, stream_slot_unit(stream, last_at(offset, slots, end - 1), class), &first);
        *high = first + frames - 1 > *high ? first + frames - 1 : *high;
    }
}

/* Names the part that damaged bytes [start, end) of the item file belong to. */
static void report_stretch(struct verification *verification, unsigned range, uint64_t start, uint64_t end)
{
    const mist_item *item = verification->item;
    const struct layout *layout = &item->layout;
    if (range == layout_ranges(layout)) {
        report(verification, MIST_ERROR_CHECKSUM,
               "%s: bytes %llu to %llu, in the archival tail, are not those that were stored", item->name,
               (unsigned long long)start, (unsigned long long)end - 1);
        return;
    }
    uint32_t low, high;
    find_frames(item, range, start, end, &low, &high);
    report(verification, MIST_ERROR_CHECKSUM,
           "%s: bytes %llu to %llu, of level %u in frames %u to %u, are not those that were stored", item->name,
           (unsigned long long)start, (unsigned long long)end - 1, range / (layout->steps + 1), low, high);
}

static void verify_checksums(struct verification *verification)
{
    const mist_item *item = verification->item;
    const struct layout *layout = &item->layout;
    const uint64_t stretch = (uint64_t)1 << layout->chunk_log2;
    const uint8_t *sums = item_bytes(item, 0, layout->head_size) + layout_checksums_at(layout);
    for (unsigned range = 0; range <= layout_ranges(layout); range++) {
        uint64_t start = layout_range_start(layout, range), size = layout_range_size(layout, range);
        for (uint64_t at = 0; at < size; at += stretch, sums += 8) {
            uint64_t length = size - at < stretch ? size - at : stretch;
            const uint8_t *bytes = item_bytes(item, start + at, length);
            if (bytes && checksum(bytes, (size_t)length) != load_le64(sums))
                report_stretch(verification, range, start + at, start + at + length);
        }
    }
}

/* Decodes the frames of one file; where all is here, the samples must be those that were stored. */
static void verify_file(struct verification *verification, mist_decoder *decoder, uint32_t index,
                        struct mist_view *view, unsigned reduce, struct checksum_state *state,
                        const struct tail_record *record)
{
    const mist_item *item = verification->item;
    const struct manifest_file *file = &item->manifest.file[index];
    size_t bytes = mist_frame_bytes(view->type, view->width, view->height, view->components);
    bool decoded = true;
    checksum_restart(state);
    for (uint32_t frame = file->first_frame; frame < file->first_frame + file->frames; frame++) {
        struct mist_error error = {0};
        enum mist_status status = mist_item_decode(item, decoder, frame, reduce, view, &error);
        if (status)
            report(verification, status, "%s", error.message);
        decoded = decoded && !status;
        checksum_add(state, view->data, bytes);
    }
    if (decoded && record && reduce == 0 && checksum_value(state) != record->samples_checksum)
        report(verification, MIST_ERROR_CHECKSUM, "%s: the samples of %s are not those of the original", item->name,
               file->path);
}

static void verify_frames(struct verification *verification)
{
    const mist_item *item = verification->item;
    const struct mist_image_info *image = &item->info.image;
    if (item->info.levels_present == 0)
        return;
    unsigned reduce = item->info.levels - item->info.levels_present;
    struct mist_view view = item_new_view(image->type, mist_reduced_size(image->width, reduce),
                                          mist_reduced_size(image->height, reduce), image->components);
    mist_decoder *decoder = mist_decoder_new();
    struct checksum_state *state = checksum_start();
    struct tail_reader tail = {0};
    struct mist_error error = {0};
    if (!view.data || !decoder || !state) {
        report(verification, MIST_ERROR_MEMORY, "%s: out of memory", item->name);
    } else {
        bool archived = item->info.tail_present;
        if (archived)
            tail_reader_start(&tail, item_tail(item), &item->manifest);
        for (uint32_t file = 0; file < item->manifest.files; file++) {
            struct tail_record record = {0};
            if (archived && tail_reader_get(&tail, file, &record, &error)) {
                report(verification, error.status, "%s: %s", item->name, error.message);
                archived = false;
            }
            verify_file(verification, decoder, file, &view, reduce, state, archived ? &record : NULL);
        }
    }
    tail_reader_free(&tail);
    checksum_free(state);
    mist_decoder_free(&decoder);
    memory_free(view.data);
}

enum mist_status mist_item_verify(const mist_item *item, bool decode,
                                  void (*found)(void *context, const char *sentence), void *context,
                                  struct mist_error *error)
{
    struct verification verification = {.item = item, .found = found, .context = context, .error = error};
    verify_checksums(&verification);
    if (decode)
        verify_frames(&verification);
    return verification.first;
}
