/* SPDX-License-Identifier: BSD-2-Clause */
/* WADO-RS rendered and thumbnail (PS3.18, 10.4.1.1.3 and 10.4.1.1.4): pictures that any browser shows. */
#include "base/error.h"
#include "base/memory.h"
#include "format/picture_map.h"
#include "host/dicomweb.h"
#include "host/render.h"
#include "host/reply.h"
#include "host/resolution.h"
#include "item/regrid.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Pixels of a picture; larger ones are for the client to reduce. */
#define MAX_PIXELS ((uint64_t)1 << 26)
enum { THUMBNAIL = 256, MAX_VIEWPORT = 16384 };

enum kind { KIND_JPEG, KIND_PNG, KINDS };
static const char *const types[KINDS] = {"image/jpeg", "image/png"};

struct wish {
    enum kind kind;
    uint32_t width, height; /* the picture fits into these; 0: as it is */
    uint32_t frame;         /* of the instance */
    struct format_window window;
};

/* ---- the request ---- */

/* "W,H" and what else there may be: a part of the picture, which is not cut out. */
static bool read_viewport(const char *text, struct wish *wish)
{
    char *end;
    const unsigned long width = strtoul(text, &end, 10);
    const unsigned long height = *end == ',' ? strtoul(end + 1, &end, 10) : 0;
    if (width < 1 || height < 1 || width > MAX_VIEWPORT || height > MAX_VIEWPORT || (*end && *end != ','))
        return false;
    wish->width = (uint32_t)width;
    wish->height = (uint32_t)height;
    return true;
}

/* "CENTER,WIDTH,FUNCTION" (PS3.18, 8.3.5.1.4); the function is the file's own. */
static bool read_window(const char *text, struct wish *wish)
{
    char two[64];
    const size_t first = strcspn(text, ","), second = text[first] ? strcspn(text + first + 1, ",") : 0;
    const size_t length = first + (text[first] ? 1 + second : 0);
    if (length >= sizeof two)
        return false;
    memcpy(two, text, length);
    two[length] = '\0';
    return format_window_parse(two, &wish->window) && wish->window.mode == FORMAT_WINDOW_GIVEN;
}

static bool read_wish(struct request *request, const struct dicomweb_target *target, uint32_t frames, struct wish *wish)
{
    const bool thumbnail = target->what == DICOMWEB_THUMBNAIL;
    const char *viewport = target_parameter(&request->target, "viewport");
    const char *window = target_parameter(&request->target, "window");
    struct dicomweb_media media[DICOMWEB_MAX_MEDIA];
    const unsigned count = dicomweb_media_of(request, media);
    unsigned at = 0;
    uint64_t frame = thumbnail ? frames / 2 + 1 : 1;
    *wish = (struct wish){.window.mode = FORMAT_WINDOW_AUTO};
    if (thumbnail)
        wish->width = wish->height = THUMBNAIL;
    while (at < count && !dicomweb_media_has(&media[at], types[KIND_JPEG]) &&
           !dicomweb_media_has(&media[at], types[KIND_PNG]))
        at++;
    if (at == count)
        reply_error(request, MHD_HTTP_NOT_ACCEPTABLE, "a picture can be had as image/jpeg or image/png");
    else if (viewport && !read_viewport(viewport, wish))
        reply_error(request, MHD_HTTP_BAD_REQUEST, "viewport is WIDTH,HEIGHT, each 1 to %d", MAX_VIEWPORT);
    else if (window && !read_window(window, wish))
        reply_error(request, MHD_HTTP_BAD_REQUEST, "window is CENTER,WIDTH,FUNCTION");
    else if (target->rest && (!parse_unsigned(target->rest, UINT32_MAX, &frame) || frame == 0 || frame > frames))
        reply_error(request, MHD_HTTP_NOT_FOUND, "there is no frame %.20s; there are %" PRIu32 ", counted from 1",
                    target->rest, frames);
    else {
        wish->kind = dicomweb_media_has(&media[at], types[KIND_JPEG]) ? KIND_JPEG : KIND_PNG;
        wish->frame = (uint32_t)frame - 1;
        return true;
    }
    return false;
}

/* ---- the picture ---- */

/* The size within the viewport, and the level that it is made of: the smallest that is not smaller. */
static void choose_size(const struct mist_item_info *info, const struct wish *wish, struct mist_export_options *options)
{
    const uint32_t width = info->image.width, height = info->image.height;
    double scale = 1;
    if (wish->width) {
        const double across = (double)wish->width / width, down = (double)wish->height / height;
        scale = across < down ? across : down;
    }
    if (scale >= 1)
        return;
    options->exact_width = (uint32_t)(width * scale + 0.5) ? (uint32_t)(width * scale + 0.5) : 1;
    options->exact_height = (uint32_t)(height * scale + 0.5) ? (uint32_t)(height * scale + 0.5) : 1;
    while (options->reduce + 1 < info->levels &&
           mist_reduced_size(width, options->reduce + 1) >= options->exact_width &&
           mist_reduced_size(height, options->reduce + 1) >= options->exact_height)
        options->reduce++;
}

/* The frame on the grid of the options; view->data is the caller's to free. */
static enum mist_status make_view(const mist_item *item, mist_decoder *decoder, uint32_t frame,
                                  const struct mist_export_options *options, struct mist_view *view,
                                  struct mist_error *error)
{
    struct regrid regrid = {.item = item, .options = options};
    struct regrid_room room = {0};
    const struct mist_image_info *image = &mist_item_info(item)->image;
    const struct regrid_source source = {frame, frame, 0};
    enum mist_status status = export_grid(image, mist_item_info(item)->centred, options, &regrid.grid, error);
    if (status)
        return status;
    *view = item_new_view(image->type, regrid.grid.width, regrid.grid.height, image->components);
    if (!regrid_room_make(&regrid, &room) || !view->data || !decoder)
        status = error_set(error, MIST_ERROR_MEMORY, "a picture: out of memory");
    if (!status)
        status = regrid_frame(&regrid, decoder, &source, &room, view, error);
    regrid_room_free(&room);
    return status;
}

/* To 8 bits, as the file's head says that it is to be looked at. */
static enum mist_status make_picture(const mist_item *item, const struct mist_view *view, const struct wish *wish,
                                     struct mist_buffer *out, struct mist_error *error)
{
    static const struct picture_limits limits = {.bits = 8};
    const struct mist_item_info *info = mist_item_info(item);
    struct format_target target = {.kind = FORMAT_PNG,
                                   .info = info->image,
                                   .source = &info->image,
                                   .source_kind = item->manifest.kind,
                                   .head = item->manifest.source_head.data,
                                   .head_size = item->manifest.source_head.size,
                                   .window = wish->window};
    struct picture_map map;
    target.info.width = view->width;
    target.info.height = view->height;
    target.info.frames = 1;
    picture_map_start(&map, &target, &limits);
    uint8_t *packed = memory_allocate(picture_map_bytes(&map));
    if (!packed)
        return error_set(error, MIST_ERROR_MEMORY, "a picture: out of memory");
    enum mist_status status = picture_map_frame(&map, view, packed, error);
    struct mist_view picture = mist_view_interleaved(packed, map.type, map.width, map.height, map.components);
    if (!status && map.components != 1 && map.components != 3)
        status = error_set(error, MIST_ERROR_ARGUMENT, "no picture is made of %" PRIu32 " components", map.components);
    if (!status)
        status = wish->kind == KIND_PNG ? format_png_encode(&picture, item->name, out, error)
                                        : render_jpeg(&picture, item->name, out, error);
    memory_free(packed);
    return status;
}

/* A picture until it is sent. */
struct picture {
    struct mist_buffer bytes;
    struct budget *budget;
    uint64_t held;
};

static void release_picture(void *owner)
{
    struct picture *picture = owner;
    budget_give(picture->budget, picture->held);
    mist_buffer_free(&picture->bytes);
    memory_free(picture);
}

static enum mist_status render(const struct dicomweb_opened *opened, struct worker *worker, const struct wish *wish,
                               struct mist_buffer *out, struct mist_error *error)
{
    const mist_item *item = opened->item->item;
    const struct instance *instance = &opened->instance;
    const struct mist_item_info *info = mist_item_info(item);
    struct mist_export_options options = {.reduce = instance->reduce};
    struct mist_view view = {0};
    /* Of a mosaic, the tile in its middle. */
    const uint32_t tiles = instance->dicom.pixels.across ? instance->dicom.pixels.frames : 0;
    const uint32_t frame = instance->first_frame + (tiles ? tiles / 2 : wish->frame);
    choose_size(info, wish, &options);
    const uint64_t pixels = (uint64_t)mist_reduced_size(info->image.width, options.reduce) *
                            mist_reduced_size(info->image.height, options.reduce);
    if (pixels > MAX_PIXELS)
        return error_set(error, MIST_ERROR_ARGUMENT,
                         "no picture is made of more than %" PRIu64 " pixels; ask for a viewport, or for reduce",
                         MAX_PIXELS);
    enum mist_status status = make_view(item, worker_decoder(worker), frame, &options, &view, error);
    if (!status)
        status = make_picture(item, &view, wish, out, error);
    memory_free(view.data);
    return status;
}

/* What the frame and the picture of it take. */
static uint64_t memory_of(const struct mist_item_info *info, const struct wish *wish, unsigned reduce)
{
    struct mist_export_options options = {.reduce = reduce};
    choose_size(info, wish, &options);
    const struct mist_image_info *image = &info->image;
    return 4 * (uint64_t)mist_frame_bytes(image->type, mist_reduced_size(image->width, options.reduce),
                                          mist_reduced_size(image->height, options.reduce), image->components);
}

/* ARGUMENT and RANGE say that no picture can be made of it: that is the client's to know. */
static void reply_rendered(struct request *request, const struct dicomweb_opened *opened, struct worker *worker,
                           const struct wish *wish)
{
    struct mist_error error = {0};
    struct picture *picture = memory_allocate_zeroed(1, sizeof *picture);
    struct budget *budget = &request->host->budget;
    const uint64_t held = memory_of(mist_item_info(opened->item->item), wish, opened->instance.reduce);
    if (picture && !budget_take(budget, held)) {
        memory_free(picture);
        reply_busy(request);
        return;
    }
    if (picture)
        *picture = (struct picture){.budget = budget, .held = held};
    enum mist_status status = picture ? render(opened, worker, wish, &picture->bytes, &error)
                                      : error_set(&error, MIST_ERROR_MEMORY, "a picture: out of memory");
    if (status) {
        if (picture)
            release_picture(picture);
        if (status == MIST_ERROR_ARGUMENT || status == MIST_ERROR_RANGE)
            reply_error(request, MHD_HTTP_NOT_ACCEPTABLE, "%s", error.message);
        else
            reply_failure(request, &error);
        return;
    }
    if (picture->held > picture->bytes.size) {
        budget_give(budget, picture->held - picture->bytes.size);
        picture->held = picture->bytes.size;
    }
    const struct MHD_IoVec piece = {picture->bytes.data, picture->bytes.size};
    struct body body = {.type = types[wish->kind],
                        .negotiated = true,
                        .descriptor = -1,
                        .pieces = &piece,
                        .piece_count = 1,
                        .size = picture->bytes.size,
                        .release = release_picture,
                        .owner = picture};
    snprintf(body.etag, sizeof body.etag,
             "\"%016" PRIx64 "-%" PRIu32 "-%" PRIu32 "-%u-%" PRIu32 "x%" PRIu32 "-%g-%g-%u\"",
             mist_item_info(opened->item->item)->id, opened->instance.file, wish->frame, opened->instance.reduce,
             wish->width, wish->height, wish->window.center, wish->window.width, (unsigned)wish->kind);
    reply_body(request, &body);
}

void dicomweb_rendered(struct request *request, struct worker *worker, const struct dicomweb_target *target)
{
    struct dicomweb_places places;
    struct dicomweb_opened opened = {0};
    struct mist_error error = {0};
    struct wish wish;
    if (!dicomweb_find(request, target, &places))
        return;
    /* What stands for a study or a series lies in its middle. */
    if (dicomweb_open(request, target, &places, places.count / 2, &opened, &error) != MIST_OK)
        reply_failure(request, &error);
    else if (read_wish(request, target, opened.instance.dicom.frames, &wish))
        reply_rendered(request, &opened, worker, &wish);
    dicomweb_close(&opened);
    dicomweb_places_free(&places);
}
