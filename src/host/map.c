/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An item's map as JSON: which bytes of the item file the picture of each frame has in each level, as [offset, size];
 * frames that are coded together share them. Made while it is sent.
 */
#include "host/item_part.h"
#include "host/reply.h"
#include "host/resolution.h"
#include "host/router.h"

#include "base/memory.h"
#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>

enum { FRAMES_AT_ONCE = 1024 };

struct map_writer {
    struct item_cache *cache;
    struct cached_item *item;
    unsigned level;
    uint32_t frame;
    bool started;
};

static bool put_start(const struct mist_item_info *info, struct mist_buffer *out)
{
    const struct mist_image_info *image = &info->image;
    bool good = json_put(out,
                         "{\"id\": \"%016" PRIx64 "\", \"width\": %" PRIu32 ", \"height\": %" PRIu32
                         ", \"frames\": %" PRIu32 ", \"components\": %" PRIu32 ", \"type\": \"%s\", \"precision\": %u",
                         info->id, image->width, image->height, image->frames, image->components,
                         mist_sample_name(image->type), image->precision);
    if (good && info->label)
        good = json_put(out, ", \"label\": ") && json_put_string(out, info->label);
    return good && json_put(out, ", \"head_end\": %" PRIu64 ", \"size\": %" PRIu64 ", \"levels\": [", info->head_end,
                            info->size);
}

static bool put_level(const struct mist_item_info *info, unsigned level, struct mist_buffer *out)
{
    unsigned reduce = info->levels - 1 - level;
    return json_put(out,
                    "%s\n{\"reduce\": %u, \"width\": %" PRIu32 ", \"height\": %" PRIu32 ", \"offset\": %" PRIu64
                    ", \"end\": %" PRIu64 ", \"ranges\": [",
                    level ? "," : "", reduce, mist_reduced_size(info->image.width, reduce),
                    mist_reduced_size(info->image.height, reduce), level ? info->level_end[level - 1] : info->head_end,
                    info->level_end[level]);
}

/* Some frames of the level that is being written; goes on to the next one behind the last. */
static bool put_ranges(struct map_writer *writer, struct mist_buffer *out)
{
    const mist_item *item = writer->item->item;
    const struct mist_item_info *info = mist_item_info(item);
    bool good = writer->frame > 0 || put_level(info, writer->level, out);
    for (unsigned i = 0; i < FRAMES_AT_ONCE && writer->frame < info->image.frames && good; i++, writer->frame++) {
        uint64_t offset, size;
        good = mist_item_range(item, writer->frame, writer->level, &offset, &size, NULL) == MIST_OK &&
               json_put(out, "%s[%" PRIu64 ",%" PRIu64 "]", writer->frame ? "," : "", offset, size);
    }
    if (good && writer->frame == info->image.frames) {
        writer->frame = 0;
        writer->level++;
        good = json_put(out, "]}");
    }
    return good;
}

static int produce(void *context, struct request *request, struct mist_buffer *out)
{
    struct map_writer *writer = context;
    const struct mist_item_info *info = mist_item_info(writer->item->item);
    (void)request;
    bool good = writer->started || put_start(info, out);
    writer->started = true;
    good = good && put_ranges(writer, out);
    if (good && writer->level < info->levels)
        return 1;
    return good && json_put(out, "]}\n") ? 0 : -1;
}

static void release_writer(void *context)
{
    struct map_writer *writer = context;
    cache_release(writer->cache, writer->item);
    memory_free(writer);
}

void answer_map(struct request *request, struct worker *worker)
{
    struct item_part part;
    if (!item_part_open(request, worker, "/map", &part))
        return;
    struct item_cache *cache = &request->host->cache;
    struct map_writer *writer = NULL;
    bool good = parameters_known(request);
    if (good) {
        writer = memory_allocate_zeroed(1, sizeof *writer);
        if (!writer)
            reply_failure(request, &(struct mist_error){MIST_ERROR_MEMORY, "a map: out of memory"});
    }
    if (!writer) {
        cache_release(cache, part.item);
        return;
    }
    writer->cache = cache;
    writer->item = part.item;
    struct stream stream = {.type = "application/json", .produce = produce, .release = release_writer, .owner = writer};
    snprintf(stream.etag, sizeof stream.etag, "\"%016" PRIx64 "-map\"", mist_item_info(part.item->item)->id);
    reply_stream(request, &stream);
}
