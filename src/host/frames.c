/* SPDX-License-Identifier: BSD-2-Clause */
/* One frame: a standalone codestream, its packets sent from where they lie in the item; or a picture. */
#include "host/reply.h"
#include "host/fields.h"
#include "host/item_part.h"
#include "host/render.h"
#include "host/resolution.h"
#include "host/router.h"

#include "base/error.h"
#include "base/memory.h"
#include "format/format.h"
#include "item/item.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Samples of a reduced frame that a picture is made of; larger ones are for the client to reduce. */
#define MAX_PICTURE_SAMPLES ((uint64_t)1 << 26)

enum kind { KIND_CODESTREAM, KIND_PNG, KIND_JPEG, KIND_COUNT };
static const char *const types[KIND_COUNT] = {"image/jphc", "image/png", "image/jpeg"};
static const char *const tags[KIND_COUNT] = {"", "-png", "-jpeg"}; /* ends of entity tags */

/* What a body's bytes lie in until they are sent. */
struct frame_owner {
    struct item_cache *cache;
    struct cached_item *item; /* NULL: all bytes are in `made` */
    struct mist_buffer made;  /* headers, or all of it */
    struct budget *budget;
    uint64_t held; /* of the budget */
};

static void release_owner(void *context)
{
    struct frame_owner *owner = context;
    if (owner->item)
        cache_release(owner->cache, owner->item);
    mist_buffer_free(&owner->made);
    if (owner->held)
        budget_give(owner->budget, owner->held);
    memory_free(owner);
}

/* What the request says, besides the item. */
struct frame_request {
    uint32_t frame;
    unsigned reduce;
    enum kind kind;
};

/* ---- codestreams ---- */

/* `pieces` has room for all. */
static enum mist_status find_codestream(const struct frame_request *wanted, struct worker *worker,
                                        struct frame_owner *owner, struct MHD_IoVec *pieces, unsigned *count,
                                        struct mist_error *error)
{
    struct codec_piece found[CODEC_MAX_PIECES];
    const mist_item *item = owner->item->item;
    *count = 0;
    if (!item_has_codestreams(item)) {
        enum mist_status status =
            mist_item_codestream(item, worker_decoder(worker), wanted->frame, wanted->reduce, &owner->made, error);
        pieces[(*count)++] = (struct MHD_IoVec){owner->made.data, owner->made.size};
        return status;
    }
    enum mist_status status =
        item_codestream_pieces(item, wanted->frame, wanted->reduce, &owner->made, found, count, error);
    unsigned used = 0;
    for (unsigned i = 0; i < *count && !status; i++)
        if (found[i].size)
            pieces[used++] = (struct MHD_IoVec){found[i].data, found[i].size};
    *count = used;
    return status;
}

/* ---- pictures ---- */

static enum mist_status make_picture(const struct frame_request *wanted, struct worker *worker,
                                     struct frame_owner *owner, const char *name, struct mist_error *error)
{
    const mist_item *item = owner->item->item;
    const struct mist_image_info *image = &mist_item_info(item)->image;
    mist_decoder *decoder = worker_decoder(worker);
    struct mist_view view = item_new_view(image->type, mist_reduced_size(image->width, wanted->reduce),
                                          mist_reduced_size(image->height, wanted->reduce), image->components);
    enum mist_status status =
        view.data && decoder ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", name);
    if (!status)
        status = mist_item_decode(item, decoder, wanted->frame, wanted->reduce, &view, error);
    if (!status)
        status = wanted->kind == KIND_PNG ? format_png_encode(&view, name, &owner->made, error)
                                          : render_jpeg(&view, name, &owner->made, error);
    memory_free(view.data);
    return status;
}

/* Whether a picture can be made of the item; answers if not. */
static bool can_be_picture(struct request *request, const struct mist_image_info *image, unsigned reduce)
{
    uint64_t samples = (uint64_t)mist_reduced_size(image->width, reduce) * mist_reduced_size(image->height, reduce) *
                       image->components;
    if ((image->components != 1 && image->components != 3) || image->type == MIST_F16)
        reply_error(request, MHD_HTTP_NOT_ACCEPTABLE,
                    "no PNG or JPEG is made of %" PRIu32 " components of type %s; image/jphc can be had",
                    image->components, mist_sample_name(image->type));
    else if (samples > MAX_PICTURE_SAMPLES)
        reply_error(request, MHD_HTTP_NOT_ACCEPTABLE,
                    "no PNG or JPEG is made of more than %" PRIu64 " samples; ask for a greater reduce, or image/jphc",
                    MAX_PICTURE_SAMPLES);
    else
        return true;
    return false;
}

/* ---- the request ---- */

/* Answers with 400, 404 or 406 if it makes no sense. */
static bool read_request(struct request *request, const struct item_part *part, struct frame_request *wanted)
{
    const char *reduce = target_parameter(&request->target, "reduce");
    const char *accept = target_parameter(&request->target, "accept");
    const struct mist_item_info *info = mist_item_info(part->item->item);
    uint64_t frame, levels = 0;
    if (!parameters_known(request))
        return false;
    if (reduce && !parse_unsigned(reduce, UINT32_MAX, &levels)) {
        reply_error(request, MHD_HTTP_BAD_REQUEST, "reduce is a whole number");
        return false;
    }
    if (!parse_unsigned(part->rest, UINT32_MAX, &frame) || frame >= info->image.frames) {
        reply_error(request, MHD_HTTP_NOT_FOUND, "there is no frame %.20s; the item has %" PRIu32 ", counted from 0",
                    part->rest, info->image.frames);
        return false;
    }
    if (levels >= info->levels) {
        reply_error(request, MHD_HTTP_NOT_FOUND, "there is no reduce %" PRIu64 "; the item has 0 to %u", levels,
                    info->levels - 1);
        return false;
    }
    int kind = accept_choose(accept ? accept : request_field(request, "Accept"), types, KIND_COUNT);
    if (kind < 0) {
        reply_error(request, MHD_HTTP_NOT_ACCEPTABLE, "a frame can be had as image/jphc, image/png or image/jpeg");
        return false;
    }
    *wanted = (struct frame_request){(uint32_t)frame, (unsigned)levels, (enum kind)kind};
    return kind == KIND_CODESTREAM || can_be_picture(request, &info->image, wanted->reduce);
}

/* Whether samples must be decoded for it. */
static bool takes_decoding(const struct frame_request *wanted, const mist_item *item)
{
    return wanted->kind != KIND_CODESTREAM || !item_has_codestreams(item);
}

/* What decoding the frame and packing it takes: the samples, once more as they are packed, and what comes of that, in
 * buffers that grow. */
static uint64_t memory_of(const struct frame_request *wanted, const mist_item *item)
{
    const struct mist_image_info *image = &mist_item_info(item)->image;
    return 4 * (uint64_t)mist_frame_bytes(image->type, mist_reduced_size(image->width, wanted->reduce),
                                          mist_reduced_size(image->height, wanted->reduce), image->components);
}

/* From now on only what was made is held, until it is sent. */
static void hold_only(struct frame_owner *owner, uint64_t bytes)
{
    if (owner->held > bytes) {
        budget_give(owner->budget, owner->held - bytes);
        owner->held = bytes;
    }
}

/* `owner` is taken over. */
static void answer_owned(struct request *request, struct worker *worker, const struct frame_request *wanted,
                         struct frame_owner *owner)
{
    struct MHD_IoVec pieces[CODEC_MAX_PIECES];
    struct mist_error error = {0};
    struct body body = {.type = types[wanted->kind],
                        .negotiated = true,
                        .descriptor = -1,
                        .pieces = pieces,
                        .release = release_owner,
                        .owner = owner};
    enum mist_status status;
    snprintf(body.etag, sizeof body.etag, "\"%016" PRIx64 "-%" PRIu32 "-%u%s\"", mist_item_info(owner->item->item)->id,
             wanted->frame, wanted->reduce, tags[wanted->kind]);
    if (wanted->kind == KIND_CODESTREAM) {
        status = find_codestream(wanted, worker, owner, pieces, &body.piece_count, &error);
    } else {
        status = make_picture(wanted, worker, owner, request->path, &error);
        pieces[body.piece_count++] = (struct MHD_IoVec){owner->made.data, owner->made.size};
    }
    hold_only(owner, owner->made.size);
    if (status) {
        release_owner(owner);
        reply_failure(request, &error);
        return;
    }
    for (unsigned i = 0; i < body.piece_count; i++)
        body.size += pieces[i].iov_len;
    reply_body(request, &body);
}

void answer_frame(struct request *request, struct worker *worker)
{
    struct item_part part;
    struct frame_request wanted;
    if (!item_part_open(request, worker, "/frames/", &part))
        return;
    struct frame_owner *owner = NULL;
    bool good = read_request(request, &part, &wanted);
    const bool decodes = good && takes_decoding(&wanted, part.item->item);
    if (decodes)
        good = request_renders(request, worker);
    uint64_t held = 0;
    if (good && decodes) {
        held = memory_of(&wanted, part.item->item);
        good = budget_take(&request->host->budget, held);
        if (!good)
            reply_busy(request);
    }
    if (good) {
        owner = memory_allocate_zeroed(1, sizeof *owner);
        if (!owner) {
            budget_give(&request->host->budget, held);
            reply_failure(request, &(struct mist_error){MIST_ERROR_MEMORY, "a frame: out of memory"});
        }
    }
    if (!owner) {
        cache_release(&request->host->cache, part.item);
        return;
    }
    *owner = (struct frame_owner){
        .cache = &request->host->cache, .item = part.item, .budget = &request->host->budget, .held = held};
    answer_owned(request, worker, &wanted, owner);
}
