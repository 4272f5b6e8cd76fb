/* SPDX-License-Identifier: BSD-2-Clause */
#include "item/compress.h"

#include "base/error.h"
#include "base/memory.h"
#include "item/dictionary.h"

#include <string.h>
#include <zstd.h>

/* Sections are small beside the pixels and written once: the highest usual level costs little time there. */
enum { LEVEL = 19 };

enum mist_status pack_bytes(const struct mist_buffer *in, struct mist_buffer *out, struct mist_error *error)
{
    /* Megabytes at the highest level would take as long as coding the pixels. */
    const int level = in->size > (size_t)1 << 20 ? 9 : LEVEL;
    size_t bound = ZSTD_compressBound(in->size);
    out->size = 0;
    if (!buffer_reserve(out, bound))
        return error_set(error, MIST_ERROR_MEMORY, "compressing %zu bytes: out of memory", in->size);
    ZSTD_CCtx *context = ZSTD_createCCtx();
    size_t size = context ? ZSTD_compress_usingDict(context, out->data, bound, in->data, in->size, item_dictionary,
                                                    ITEM_DICTIONARY_SIZE, level)
                          : (size_t)-1;
    ZSTD_freeCCtx(context);
    if (ZSTD_isError(size))
        return error_set(error, MIST_ERROR_MEMORY, "compressing %zu bytes: %s", in->size, ZSTD_getErrorName(size));
    if (size < in->size) {
        out->size = size;
        return MIST_OK;
    }
    return buffer_append(out, in->data, in->size)
               ? MIST_OK
               : error_set(error, MIST_ERROR_MEMORY, "storing %zu bytes: out of memory", in->size);
}

enum mist_status unpack_bytes(const uint8_t *data, size_t size, size_t expected, struct mist_buffer *out,
                              struct mist_error *error)
{
    out->size = 0;
    if (!buffer_reserve(out, expected ? expected : 1))
        return error_set(error, MIST_ERROR_MEMORY, "a section of %zu bytes: out of memory", expected);
    if (size == expected) {
        memcpy(out->data, data, size);
        out->size = size;
        return MIST_OK;
    }
    /* Exactly one frame, which states its size: several, or skippable ones, are not what the format allows. */
    if (ZSTD_getFrameContentSize(data, size) != expected || ZSTD_findFrameCompressedSize(data, size) != size)
        return error_set(error, MIST_ERROR_CORRUPT, "a compressed section is damaged");
    ZSTD_DCtx *context = ZSTD_createDCtx();
    size_t got = context ? ZSTD_decompress_usingDict(context, out->data, expected, data, size, item_dictionary,
                                                     ITEM_DICTIONARY_SIZE)
                         : (size_t)-1;
    ZSTD_freeDCtx(context);
    if (ZSTD_isError(got) || got != expected)
        return error_set(error, MIST_ERROR_CORRUPT, "a compressed section is damaged");
    out->size = expected;
    return MIST_OK;
}
