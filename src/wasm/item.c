/* SPDX-License-Identifier: BSD-2-Clause */
/* Items: pieces in, plans and samples out. Every stretch that has all come is checked against the head's checksums. */
#include "wasm/wasm.h"

#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "source/catalog.h"
#include "source/verifier.h"

#include <inttypes.h>
#include <string.h>

struct mist_buffer wasm_text;

WASM_EXPORT(text) const uint8_t *wasm_text_bytes(void)
{
    return wasm_text.data;
}
WASM_EXPORT(text_size) size_t wasm_text_size(void)
{
    return wasm_text.size;
}

struct mist_resolution_request wasm_request(const double *number)
{
    return (struct mist_resolution_request){.by_reduce = number[0] >= 0,
                                            .reduce = number[0] >= 0 ? (unsigned)number[0] : 0,
                                            .step = (unsigned)number[1],
                                            .width = (uint32_t)number[2],
                                            .height = (uint32_t)number[3],
                                            .depth = (uint32_t)number[4],
                                            .spacing = {number[5], number[6], number[7]},
                                            .policy = (enum mist_policy)number[8],
                                            .grid = number[9] != 0 ? MIST_GRID_CENTER : MIST_GRID_NATIVE,
                                            .exact = number[10] != 0};
}

/* ---- an item of which parts are here ---- */

struct item {
    char *name;
    uint8_t *head;    /* a copy of it: pieces move when they grow */
    mist_item *about; /* of the head alone */
    mist_item *open;  /* of all pieces; NULL where some came since */
    mist_decoder *decoder;
    struct mist_item_piece *piece; /* [pieces] ascending, apart from one another; their bytes are owned */
    size_t pieces, room;
    struct verifier verifier;
    uint8_t *checked; /* by stretch: 1 */
};

WASM_EXPORT(item_free) void wasm_item_free(struct item *item)
{
    if (!item)
        return;
    mist_item_close(&item->open);
    mist_item_close(&item->about);
    mist_decoder_free(&item->decoder);
    verifier_free(&item->verifier);
    for (size_t i = 0; i < item->pieces; i++)
        memory_free((void *)(uintptr_t)item->piece[i].data);
    memory_free(item->piece);
    memory_free(item->checked);
    memory_free(item->head);
    memory_free(item->name);
    memory_free(item);
}

/* An item of which nothing is here. NULL when memory is short. */
WASM_EXPORT(item_new) struct item *wasm_item_new(const char *name)
{
    struct item *item = memory_allocate_zeroed(1, sizeof *item);
    if (item) {
        item->name = memory_copy_text(name);
        item->decoder = mist_decoder_new();
    }
    if (item && item->name && item->decoder)
        return item;
    wasm_item_free(item);
    wasm_no_memory();
    return NULL;
}

/* The first piece that ends behind `offset`. */
static size_t piece_at(const struct item *item, uint64_t offset)
{
    size_t low = 0, high = item->pieces;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (item->piece[middle].offset + item->piece[middle].size <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Whether [start, end) is here, in one piece or in several that touch. */
static bool is_here(const struct item *item, uint64_t start, uint64_t end)
{
    for (size_t i = piece_at(item, start); i < item->pieces && item->piece[i].offset <= start; i++) {
        start = item->piece[i].offset + item->piece[i].size;
        if (start >= end)
            return true;
    }
    return false;
}

static void drop_piece(struct item *item, size_t index)
{
    memory_free((void *)(uintptr_t)item->piece[index].data);
    memmove(item->piece + index, item->piece + index + 1, (--item->pieces - index) * sizeof *item->piece);
}

/* The stretch that the verifier stands at. Damaged: what is here of it is dropped, so that it can be fetched again. */
static enum mist_status check_stretch(struct item *item)
{
    struct verifier *verifier = &item->verifier;
    const uint64_t start = verifier->chunk_start, end = verifier->chunk_end;
    const uint64_t number = verifier->chunk;
    enum mist_status status = MIST_OK;
    for (size_t i = piece_at(item, start); i < item->pieces && item->piece[i].offset < end && !status; i++) {
        const struct mist_item_piece *piece = &item->piece[i];
        uint64_t from = piece->offset > start ? piece->offset : start, to = piece->offset + piece->size;
        to = to < end ? to : end;
        status = verifier_feed(verifier, piece->data + (from - piece->offset), (size_t)(to - from), &wasm_error);
    }
    item->checked[number] = !status;
    for (size_t i = piece_at(item, start); status && i < item->pieces && item->piece[i].offset < end;) {
        if (item->piece[i].offset == 0) /* what is before the stretch is good, the head among it */
            item->piece[i++].size = (size_t)start;
        else
            drop_piece(item, i);
    }
    return status;
}

static enum mist_status check_bytes(struct item *item, uint64_t start, uint64_t end)
{
    struct verifier *verifier = &item->verifier;
    const uint64_t head = verifier->layout.head_size;
    enum mist_status status = MIST_OK;
    for (uint64_t at = start > head ? start : head; at < end && !status;) {
        verifier_seek(verifier, at);
        if (verifier->chunk_start >= verifier->chunk_end)
            return error_set(&wasm_error, MIST_ERROR_CORRUPT, "%s: it is longer than its head says", item->name);
        at = verifier->chunk_end;
        if (!item->checked[verifier->chunk] && is_here(item, verifier->chunk_start, verifier->chunk_end))
            status = check_stretch(item);
    }
    return status;
}

/* With the head here: what it says, and its checksums. */
static enum mist_status read_head(struct item *item)
{
    struct catalog_row row = {0};
    struct layout layout;
    enum mist_status status = layout_read(item->piece[0].data, item->piece[0].size, &layout, &wasm_error);
    if (status)
        return error_prefix(&wasm_error, status, "%s", item->name);
    item->head = memory_allocate(layout.head_size);
    if (!item->head)
        return wasm_no_memory();
    memcpy(item->head, item->piece[0].data, layout.head_size);
    status = mist_item_open_memory(item->head, layout.head_size, item->name, &item->about, &wasm_error);
    if (!status)
        status = catalog_row_from_item(item->about, item->name, &row, &wasm_error);
    if (!status)
        status = verifier_start(&item->verifier, item->name, &row.entry.item, item->head, &wasm_error);
    catalog_row_free(&row);
    if (status)
        return status;
    item->checked = memory_allocate_zeroed((size_t)layout_all_checksums(&item->verifier.layout), 1);
    return item->checked ? check_bytes(item, 0, item->piece[0].size) : wasm_no_memory();
}

/* Bytes behind the end of a piece are put to it, others become a piece of their own. */
static bool insert(struct item *item, uint64_t offset, uint8_t *data, size_t size, bool join)
{
    size_t place = piece_at(item, offset);
    if (join && place > 0 && item->piece[place - 1].offset + item->piece[place - 1].size == offset) {
        struct mist_item_piece *before = &item->piece[place - 1];
        uint8_t *longer = memory_resize((void *)(uintptr_t)before->data, before->size + size, 1);
        if (!longer)
            return false;
        memcpy(longer + before->size, data, size);
        *before = (struct mist_item_piece){before->offset, longer, before->size + size};
        memory_free(data);
        return true;
    }
    if (item->pieces == item->room) {
        size_t room = item->room ? 2 * item->room : 16;
        struct mist_item_piece *more = memory_resize(item->piece, room, sizeof *more);
        if (!more)
            return false;
        item->piece = more;
        item->room = room;
    }
    memmove(item->piece + place + 1, item->piece + place, (item->pieces - place) * sizeof *item->piece);
    item->piece[place] = (struct mist_item_piece){offset, data, size};
    item->pieces++;
    return true;
}

/*
 * Takes bytes that came from wasm_allocate(), of which nothing is here yet. `join`: they go on where a piece ends
 * within what belongs together. The first ones begin at 0; once they hold the head, wasm_item_open() says what it is.
 */
WASM_EXPORT(item_add)
enum mist_status wasm_item_add(struct item *item, double offset, uint8_t *data, size_t size, int join)
{
    const uint64_t start = (uint64_t)offset;
    mist_item_close(&item->open);
    const bool twice = is_here(item, start, start + 1);
    if (twice || !insert(item, start, data, size, join != 0)) {
        memory_free(data);
        return twice ? error_set(&wasm_error, MIST_ERROR_ARGUMENT, "%s: bytes are given twice", item->name)
                     : wasm_no_memory();
    }
    return item->about ? check_bytes(item, start, start + size) : MIST_OK;
}

static void put_range(void *context, uint64_t offset, uint64_t size)
{
    bool *good = context;
    *good = *good &&
            json_put(&wasm_text, "%s[%" PRIu64 ", %" PRIu64 "]", wasm_text.size > 1 ? ", " : "", offset, offset + size);
}

/* What is here, as [[start, end], ...] in wasm_text: after a failed checksum less than was given. */
WASM_EXPORT(item_held) enum mist_status wasm_item_held(struct item *item)
{
    wasm_text.size = 0;
    bool good = json_put(&wasm_text, "[");
    for (size_t i = 0; i < item->pieces && good; i++)
        put_range(&good, item->piece[i].offset, item->piece[i].size);
    return good && json_put(&wasm_text, "]") ? MIST_OK : wasm_no_memory();
}

/* Reads the head. MIST_ERROR_TRUNCATED where it is not all here: the first 24 bytes say how long it is. */
WASM_EXPORT(item_open) enum mist_status wasm_item_open(struct item *item)
{
    if (item->about)
        return MIST_OK;
    if (item->pieces == 0 || item->piece[0].offset != 0)
        return error_set(&wasm_error, MIST_ERROR_TRUNCATED, "%s: its first bytes are not here", item->name);
    return read_head(item);
}

static bool put_numbers(const char *name, const double *number, unsigned count)
{
    bool good = json_put(&wasm_text, ", \"%s\": [", name);
    for (unsigned i = 0; i < count && good; i++)
        good = json_put(&wasm_text, i ? ", " : "") && json_put_number(&wasm_text, number[i]);
    return good && json_put(&wasm_text, "]");
}

static bool put_image(const struct mist_image_info *image)
{
    bool good = json_put(&wasm_text,
                         "\"type\": \"%s\", \"precision\": %u, \"width\": %" PRIu32 ", \"height\": %" PRIu32
                         ", \"components\": %" PRIu32 ", \"frames\": %" PRIu32 ", \"slices\": %" PRIu32
                         ", \"axes\": [%u, %u, %u], \"label\": %s",
                         mist_sample_name(image->type), image->precision, image->width, image->height,
                         image->components, image->frames, image->slices, image->axes[0], image->axes[1],
                         image->axes[2], image->label ? "true" : "false") &&
                put_numbers("spacing", image->geometry.spacing, 3);
    return good && (!image->geometry.has_affine || put_numbers("affine", &image->geometry.affine[0][0], 16));
}

static bool put_text(const char *name, const char *text)
{
    return !text || (json_put(&wasm_text, ", \"%s\": ", name) && json_put_string(&wasm_text, text));
}

/* What the head says, as JSON in wasm_text. */
WASM_EXPORT(item_info) enum mist_status wasm_item_info(struct item *item)
{
    const struct mist_item_info *info = mist_item_info(item->about);
    wasm_text.size = 0;
    bool good =
        json_put(&wasm_text, "{") && put_image(&info->image) && put_text("format", info->format) &&
        put_text("coder", info->coder) && put_text("why_label", info->label) && put_text("kept", info->kept) &&
        json_put(&wasm_text,
                 ", \"levels\": %u, \"steps\": %u, \"centred\": %s, \"files\": %" PRIu32 ", \"source_bytes\": %" PRIu64
                 ", \"head_end\": %" PRIu64 ", \"size\": %" PRIu64 ", \"id\": \"%016" PRIx64 "\", \"ends\": [",
                 info->levels, info->steps, info->centred ? "true" : "false", info->files, info->source_bytes,
                 info->head_end, info->size, info->id);
    for (unsigned level = 0; level < info->levels && good; level++)
        good = json_put(&wasm_text, "%s%" PRIu64, level ? ", " : "", info->level_end[level]);
    good = good && json_put(&wasm_text, "]") && wasm_put_look(item->about) && json_put(&wasm_text, "}");
    return good ? MIST_OK : wasm_no_memory();
}

/* ---- plans ---- */

/* The image that a request makes, and which levels that takes, as JSON in wasm_text. */
WASM_EXPORT(item_plan) enum mist_status wasm_item_plan(struct item *item, const double *numbers)
{
    const struct mist_resolution_request request = wasm_request(numbers);
    struct mist_reading_plan plan;
    enum mist_status status = mist_item_plan(item->about, &request, &plan, &wasm_error);
    if (status)
        return status;
    wasm_text.size = 0;
    bool good = json_put(&wasm_text, "{") && put_image(&plan.image) &&
                json_put(&wasm_text, ", \"reduce\": %u, \"step\": %u}", plan.fetched.reduce, plan.fetched.step);
    return good ? MIST_OK : wasm_no_memory();
}

/* The bytes that frames [first, first + count) of it take, the head aside: [[start, end], ...] in wasm_text. */
WASM_EXPORT(item_ranges)
enum mist_status wasm_item_ranges(struct item *item, const double *numbers, uint32_t first, uint32_t count)
{
    const struct mist_resolution_request request = wasm_request(numbers);
    wasm_text.size = 0;
    bool good = json_put(&wasm_text, "[");
    enum mist_status status = mist_item_plan_frames(item->about, &request, first, count, put_range, &good, &wasm_error);
    if (!status && (!good || !json_put(&wasm_text, "]")))
        status = wasm_no_memory();
    return status;
}

/* ---- samples ---- */

static enum mist_status open_all(struct item *item)
{
    return item->open ? MIST_OK
                      : mist_item_open_pieces(item->piece, item->pieces, item->name, &item->open, &wasm_error);
}

/* Frame `frame` of what the request makes into `out`: its samples, whole pixels row by row. */
WASM_EXPORT(item_read)
enum mist_status wasm_item_read(struct item *item, const double *numbers, uint32_t frame, uint8_t *out)
{
    const struct mist_resolution_request request = wasm_request(numbers);
    struct mist_reading_plan plan;
    wasm_pictures_clear();
    enum mist_status status = mist_item_plan(item->about, &request, &plan, &wasm_error);
    if (!status)
        status = open_all(item);
    if (status)
        return status;
    struct mist_view view =
        mist_view_interleaved(out, plan.image.type, plan.image.width, plan.image.height, plan.image.components);
    return mist_item_read(item->open, item->decoder, &request, frame, 1, &view, &wasm_error);
}

/* Whether the last read failed for a compressed picture that JavaScript has to decode. */
WASM_EXPORT(wanted) int wasm_wanted(void)
{
    return wasm_picture_wanted();
}

/* A part of the head (mist/item.h) in wasm_text; empty where there is none. */
WASM_EXPORT(item_part) enum mist_status wasm_item_part(struct item *item, unsigned tag)
{
    size_t size;
    const uint8_t *part = mist_item_part(item->about, tag, &size);
    wasm_text.size = 0;
    return buffer_append(&wasm_text, part, size) ? MIST_OK : wasm_no_memory();
}
