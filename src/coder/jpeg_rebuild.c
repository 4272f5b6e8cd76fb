/* SPDX-License-Identifier: BSD-2-Clause */
/* The original file from its coefficients: docs/coder-jpeg.md, "The rebuild blob". */
#include "coder/jpeg_file.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"

#include <zstd.h>

/*
 * A blob: a varint, the size of what follows once inflated; then one zstd frame of
 *   varint file size, varint skeleton size, the skeleton, and for each scan
 *     u8 flags (1: padding by zeros), varint longest EOB run, varint patches, and for each patch
 *       varint bytes that are right, varint bytes to leave out, varint bytes to put in, those bytes.
 */
enum { ZERO_PADDING = 1, ZSTD_EFFORT = 19 };
/* Patches of more than this share of a scan mean that its coding was not understood. */
enum { PATCH_SHARE = 16, PATCH_FREE = 64 };

static enum mist_status damaged(struct mist_error *error)
{
    return error_set(error, MIST_ERROR_CORRUPT, "what the JPEG file is rebuilt from is damaged");
}

static bool put_varint(struct mist_buffer *out, uint64_t value)
{
    uint8_t bytes[10];
    return buffer_append(out, bytes, store_varint(bytes, value));
}

/*
 * What begins most JPEG files: the zstd frame refers to it. JFIF's APP0, and the four tables of T.81, K.3, that nearly
 * every encoder writes that does not optimise.
 */
static const uint8_t usual[] = {
    0xff, 0xd8, 0xff, 0xe0, 0, 16, 'J', 'F', 'I', 'F', 0, 1, 1, 0, 0, 1, 0, 1, 0, 0, 0xff, 0xdb, 0, 67, 0,
    /* DC, luminance and chrominance */
    0xff, 0xc4, 0, 31, 0x00, 0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0xff,
    0xc4, 0, 181, 0x10, 0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125, 0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05,
    0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07, 0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xa1, 0x08, 0x23, 0x42,
    0xb1, 0xc1, 0x15, 0x52, 0xd1, 0xf0, 0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0a, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x25,
    0x26, 0x27, 0x28, 0x29, 0x2a, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49,
    0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74,
    0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96,
    0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7,
    0xb8, 0xb9, 0xba, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8,
    0xd9, 0xda, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7,
    0xf8, 0xf9, 0xfa, 0xff, 0xc4, 0, 31, 0x01, 0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7,
    8, 9, 10, 11, 0xff, 0xc4, 0, 181, 0x11, 0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 119, 0x00, 0x01, 0x02, 0x03,
    0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71, 0x13, 0x22, 0x32, 0x81, 0x08, 0x14, 0x42,
    0x91, 0xa1, 0xb1, 0xc1, 0x09, 0x23, 0x33, 0x52, 0xf0, 0x15, 0x62, 0x72, 0xd1, 0x0a, 0x16, 0x24, 0x34, 0xe1, 0x25,
    0xf1, 0x17, 0x18, 0x19, 0x1a, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45,
    0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68,
    0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a,
    0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2,
    0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3,
    0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf2, 0xf3, 0xf4,
    0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xff, 0xda, 0, 12, 3, 1, 0, 2, 0x11, 3, 0x11, 0, 63, 0, 0xff, 0xd9};

/* What the frame refers to: `usual` and the quantisation tables, which the lowest level's chunk has already. */
struct dictionary {
    size_t size;
    uint8_t bytes[sizeof usual + 4 * 64];
};

static struct dictionary make_dictionary(const struct jpeg_frame *frame)
{
    struct dictionary dictionary = {.size = sizeof usual};
    memcpy(dictionary.bytes, usual, sizeof usual);
    for (unsigned c = 0; c < frame->components; c++)
        for (unsigned k = 0; k < 64; k++)
            dictionary.bytes[dictionary.size++] = (uint8_t)frame->component[c].quant[k];
    return dictionary;
}

static enum mist_status deflate(const struct jpeg_frame *frame, const struct mist_buffer *raw, struct mist_buffer *blob,
                                struct mist_error *error)
{
    struct dictionary dictionary = make_dictionary(frame);
    size_t bound = ZSTD_compressBound(raw->size), size = 0;
    ZSTD_CCtx *context = ZSTD_createCCtx();
    blob->size = 0;
    bool good = context && put_varint(blob, raw->size) && buffer_reserve(blob, blob->size + bound);
    if (good) {
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, ZSTD_EFFORT);
        ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
        ZSTD_CCtx_refPrefix(context, dictionary.bytes, dictionary.size);
        size = ZSTD_compress2(context, blob->data + blob->size, bound, raw->data, raw->size);
        good = !ZSTD_isError(size);
    }
    ZSTD_freeCCtx(context);
    if (!good)
        return error_set(error, MIST_ERROR_MEMORY, "compressing what a JPEG file is rebuilt from: out of memory");
    blob->size += size;
    return MIST_OK;
}

static enum mist_status inflate(const struct jpeg_frame *frame, const struct jpeg_piece *blob, struct mist_buffer *raw,
                                struct mist_error *error)
{
    if (!blob->size)
        return damaged(error);
    struct dictionary dictionary = make_dictionary(frame);
    struct byte_reader reader = byte_reader_start(blob->data, blob->size);
    uint64_t expected = read_varint(&reader);
    /* zstd makes at most 128 KiB of a block, which takes at least 3 bytes. */
    if (reader.failed || expected > JPEG_MAX_REBUILD || expected / 65536 > reader_left(&reader))
        return damaged(error);
    ZSTD_DCtx *context = ZSTD_createDCtx();
    if (!context || !buffer_reserve(raw, (size_t)expected + 1)) {
        ZSTD_freeDCtx(context);
        return error_set(error, MIST_ERROR_MEMORY, "rebuilding a JPEG file: out of memory");
    }
    ZSTD_DCtx_refPrefix(context, dictionary.bytes, dictionary.size);
    size_t size = ZSTD_decompressDCtx(context, raw->data, (size_t)expected, reader.at, reader_left(&reader));
    ZSTD_freeDCtx(context);
    if (ZSTD_isError(size) || size != expected)
        return damaged(error);
    raw->size = size;
    return MIST_OK;
}

/* ---- patches ---- */

struct patches {
    struct mist_buffer bytes;
    size_t count, cost;
};

static bool put_patch(struct patches *patches, size_t right, size_t out, const uint8_t *in, size_t in_size)
{
    patches->count++;
    patches->cost += in_size + 4;
    return put_varint(&patches->bytes, right) && put_varint(&patches->bytes, out) &&
           put_varint(&patches->bytes, in_size) && buffer_append(&patches->bytes, in, in_size);
}

/* Where both have the same size: runs of bytes that differ. Else all between what begins and what ends alike. */
static bool make_patches(const uint8_t *made, size_t made_size, const uint8_t *true_bytes, size_t true_size,
                         struct patches *patches)
{
    patches->bytes.size = patches->count = patches->cost = 0;
    if (made_size != true_size) {
        size_t less = made_size < true_size ? made_size : true_size, head = 0, tail = 0;
        while (head < less && made[head] == true_bytes[head])
            head++;
        while (tail < less - head && made[made_size - 1 - tail] == true_bytes[true_size - 1 - tail])
            tail++;
        return put_patch(patches, head, made_size - head - tail, true_bytes + head, true_size - head - tail);
    }
    for (size_t at = 0, done = 0; at < made_size && patches->cost <= made_size;) {
        if (made[at] == true_bytes[at]) {
            at++;
            continue;
        }
        size_t end = at + 1;
        while (end < made_size && made[end] != true_bytes[end])
            end++;
        if (!put_patch(patches, at - done, end - at, true_bytes + at, end - at))
            return false;
        at = done = end;
    }
    return true;
}

static enum mist_status put_bytes(struct mist_buffer *file, const uint8_t *bytes, size_t size, size_t limit,
                                  struct mist_error *error)
{
    if (size > limit - file->size)
        return damaged(error);
    if (!buffer_append(file, bytes, size))
        return error_set(error, MIST_ERROR_MEMORY, "rebuilding a JPEG file: out of memory");
    return MIST_OK;
}

/* The scan that was made, with its patches, behind what there is of the file. */
static enum mist_status put_patched(struct byte_reader *reader, const struct mist_buffer *made, size_t limit,
                                    struct mist_buffer *file, struct mist_error *error)
{
    struct byte_reader from = byte_reader_start(made->data, made->size);
    uint64_t patches = read_varint(reader);
    enum mist_status status = MIST_OK;
    for (uint64_t i = 0; i < patches && !status; i++) {
        uint64_t right = read_varint(reader), out = read_varint(reader), in = read_varint(reader);
        const uint8_t *put = in <= limit ? reader_take(reader, (size_t)in) : NULL;
        const uint8_t *kept = put && right <= made->size ? reader_take(&from, (size_t)right) : NULL;
        if (!kept || out > made->size || !reader_take(&from, (size_t)out))
            return damaged(error);
        status = put_bytes(file, kept, (size_t)right, limit, error);
        if (!status)
            status = put_bytes(file, put, (size_t)in, limit, error);
    }
    return status ? status : put_bytes(file, from.at, reader_left(&from), limit, error);
}

/* ---- making ---- */

/* The scan as it would be written again, and what has to be patched then. */
static enum mist_status try_scan(const struct jpeg_walk *walk, const struct jpeg_planes *planes,
                                 const struct jpeg_scan_coding *coding, const struct jpeg_piece *true_bytes,
                                 struct patches *patches, struct mist_error *error)
{
    struct mist_buffer made = {0};
    enum mist_status status = jpeg_scan_write(walk, planes, coding, JPEG_MAX_FILE, &made, error);
    if (status == MIST_ERROR_CORRUPT) /* the file is read, but not by the rules by which it would be written */
        status =
            error_set(error, MIST_ERROR_UNSUPPORTED, "scan %u of the JPEG file cannot be written again", walk->scans);
    if (!status && !make_patches(made.data, made.size, true_bytes->data, true_bytes->size, patches))
        status = error_set(error, MIST_ERROR_MEMORY, "comparing a JPEG file: out of memory");
    mist_buffer_free(&made);
    return status;
}

/* Padding by ones is usual; zeros are tried where something differs. */
static enum mist_status describe_scan(const struct jpeg_walk *walk, const struct jpeg_picture *picture,
                                      const struct jpeg_piece *true_bytes, struct mist_buffer *raw,
                                      struct mist_error *error)
{
    struct jpeg_scan_coding coding = picture->coding[walk->scans - 1];
    struct patches ones = {0}, zeros = {0};
    const struct patches *best = &ones;
    enum mist_status status = try_scan(walk, &picture->planes, &coding, true_bytes, &ones, error);
    if (!status && ones.count) {
        coding.zero_padding = true;
        status = try_scan(walk, &picture->planes, &coding, true_bytes, &zeros, error);
        coding.zero_padding = zeros.cost < ones.cost;
        best = coding.zero_padding ? &zeros : &ones;
    }
    if (!status && best->cost > PATCH_FREE + true_bytes->size / PATCH_SHARE)
        status = error_set(error, MIST_ERROR_UNSUPPORTED,
                           "scan %u of the JPEG file is coded in a way that cannot be written again to the byte",
                           walk->scans);
    uint8_t flags = coding.zero_padding ? ZERO_PADDING : 0;
    if (!status && !(buffer_append(raw, &flags, 1) && put_varint(raw, coding.longest_run) &&
                     put_varint(raw, best->count) && buffer_append(raw, best->bytes.data, best->bytes.size)))
        status = error_set(error, MIST_ERROR_MEMORY, "comparing a JPEG file: out of memory");
    mist_buffer_free(&ones.bytes);
    mist_buffer_free(&zeros.bytes);
    return status;
}

enum mist_status jpeg_rebuild_make(const uint8_t *data, size_t size, const struct jpeg_picture *picture,
                                   struct mist_buffer *blob, struct mist_error *error)
{
    struct mist_buffer raw = {0};
    struct jpeg_walk *walk = memory_allocate(sizeof *walk);
    enum mist_status status = MIST_OK;
    if (!walk || !put_varint(&raw, size) || !put_varint(&raw, picture->skeleton.size) ||
        !buffer_append(&raw, picture->skeleton.data, picture->skeleton.size))
        status = error_set(error, MIST_ERROR_MEMORY, "what a JPEG file is rebuilt from: out of memory");
    if (!status)
        *walk = jpeg_walk_start(picture->skeleton.data, picture->skeleton.size);
    for (unsigned scan = 0; scan < picture->scans && !status; scan++) {
        bool more = false;
        status = jpeg_walk_next(walk, &more, error);
        if (!status)
            status = describe_scan(
                walk, picture,
                &(struct jpeg_piece){data + picture->start[scan], picture->end[scan] - picture->start[scan]}, &raw,
                error);
    }
    if (!status)
        status = deflate(&picture->frame, &raw, blob, error);
    memory_free(walk);
    mist_buffer_free(&raw);
    return status;
}

/* ---- rebuilding ---- */

static bool same_layout(const struct jpeg_frame *a, const struct jpeg_frame *b)
{
    bool same = a->width == b->width && a->height == b->height && a->components == b->components;
    for (unsigned c = 0; c < a->components && same; c++)
        same = a->component[c].h == b->component[c].h && a->component[c].v == b->component[c].v;
    return same;
}

static enum mist_status rebuild_scan(const struct jpeg_walk *walk, const struct jpeg_planes *planes,
                                     struct byte_reader *reader, size_t limit, struct mist_buffer *file,
                                     struct mist_error *error)
{
    struct mist_buffer made = {0};
    struct jpeg_scan_coding coding = {0};
    coding.zero_padding = read_u8(reader) & ZERO_PADDING;
    uint64_t run = read_varint(reader);
    coding.longest_run = run > 0x7fff ? 0x7fff : (uint32_t)run;
    enum mist_status status = jpeg_scan_write(walk, planes, &coding, limit, &made, error);
    if (!status)
        status = put_patched(reader, &made, limit, file, error);
    mist_buffer_free(&made);
    return status;
}

static enum mist_status rebuild(const struct jpeg_frame *frame, const struct jpeg_planes *planes,
                                struct jpeg_walk *walk, struct byte_reader *reader, size_t file_size,
                                struct mist_buffer *file, struct mist_error *error)
{
    for (size_t copied = 0;;) {
        bool more = false;
        enum mist_status status = jpeg_walk_next(walk, &more, error);
        if (status)
            return status;
        size_t until = more ? walk->at : walk->size;
        if (walk->has_frame && !same_layout(&walk->frame, frame))
            return error_set(error, MIST_ERROR_CORRUPT, "the JPEG file's head is not that of its chunks");
        status = put_bytes(file, walk->data + copied, until - copied, file_size, error);
        if (!status && !more)
            break;
        copied = until;
        if (!status)
            status = rebuild_scan(walk, planes, reader, file_size, file, error);
        if (status)
            return status;
    }
    return reader->failed || reader_left(reader) || file->size != file_size ? damaged(error) : MIST_OK;
}

enum mist_status jpeg_rebuild_file(const struct jpeg_frame *frame, const struct jpeg_planes *planes,
                                   const struct jpeg_piece *blob, struct mist_buffer *file, struct mist_error *error)
{
    struct mist_buffer raw = {0};
    struct jpeg_walk *walk = memory_allocate(sizeof *walk);
    file->size = 0;
    enum mist_status status = walk ? inflate(frame, blob, &raw, error)
                                   : error_set(error, MIST_ERROR_MEMORY, "rebuilding a JPEG file: out of memory");
    if (!status) {
        struct byte_reader reader = byte_reader_start(raw.data, raw.size);
        uint64_t file_size = read_varint(&reader), skeleton_size = read_varint(&reader);
        const uint8_t *skeleton = skeleton_size <= raw.size ? reader_take(&reader, (size_t)skeleton_size) : NULL;
        if (!skeleton || file_size > JPEG_MAX_FILE) {
            status = damaged(error);
        } else {
            *walk = jpeg_walk_start(skeleton, (size_t)skeleton_size);
            status = rebuild(frame, planes, walk, &reader, (size_t)file_size, file, error);
        }
    }
    if (status)
        file->size = 0;
    memory_free(walk);
    mist_buffer_free(&raw);
    return status;
}
