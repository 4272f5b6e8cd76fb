/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JPEG files and chunks: what is taken comes back to the byte and decodes at every level; chunks of any bytes decode or
 * fail. The first byte says how many levels follow (0: a file); then 2 bytes each are the sizes of the rebuild blob and
 * of all levels but the last.
 */
#include "fuzz.h"

#include "coder/jpeg.h"

#include <stdlib.h>
#include <string.h>

/* A fuzzer would spend its time on large pictures: of those, the lowest two levels only. Five levels need 513 x 513. */
enum { MAX_PIXELS = 300000, LARGE_PIXELS = 1 << 14 };

static void check_decodes(const struct jpeg_info *info, const struct jpeg_piece *pieces, bool must)
{
    struct mist_error error;
    bool large = (uint64_t)info->width * info->height > LARGE_PIXELS;
    for (unsigned reduce = large && info->levels > 2 ? info->levels - 2 : 0; reduce < info->levels; reduce++) {
        uint32_t width = mist_reduced_size(info->width, reduce), height = mist_reduced_size(info->height, reduce);
        uint8_t *samples = malloc((size_t)width * height * info->components);
        struct mist_buffer alone = {0};
        fuzz_require(samples);
        struct mist_view view = mist_view_interleaved(samples, MIST_U8, width, height, info->components);
        memset(&error, 0, sizeof error);
        enum mist_status status = jpeg_decode(pieces, reduce, &view, &error);
        fuzz_require(!status || (!must && error.status == status && strlen(error.message) > 0));
        enum mist_status also = jpeg_standalone(pieces, reduce, &alone, &error);
        fuzz_require(!also || !must);
        struct jpeg_info found;
        /* What is written alone is a whole JPEG file of the same size. */
        if (!also && jpeg_info(alone.data, alone.size, &found, &error) == MIST_OK)
            fuzz_require(found.width == info->width && found.height == info->height &&
                         found.components == info->components && found.colour == info->colour);
        else
            fuzz_require(!must);
        mist_buffer_free(&alone);
        free(samples);
    }
}

static void check_file(const uint8_t *data, size_t size)
{
    struct jpeg_info info;
    struct jpeg_chunks chunks = {0};
    struct mist_error error = {0};
    struct jpeg_piece pieces[MIST_MAX_LEVELS];
    enum mist_status status = jpeg_info(data, size, &info, &error);
    fuzz_require(!status || (error.status == status && strlen(error.message) > 0));
    if (status || (uint64_t)info.width * info.height > MAX_PIXELS)
        return;
    status = jpeg_split(data, size, &chunks, &error);
    if (status) {
        fuzz_require(status == MIST_ERROR_UNSUPPORTED && !chunks.rebuild.data);
        return;
    }
    for (unsigned level = 0; level < chunks.info.levels; level++)
        pieces[level] = (struct jpeg_piece){chunks.level[level].data, chunks.level[level].size};
    struct jpeg_piece rebuild = {chunks.rebuild.data, chunks.rebuild.size};
    struct mist_buffer file = {0};
    fuzz_require(jpeg_rebuild(pieces, &rebuild, &file, &error) == MIST_OK);
    fuzz_require(file.size == size && !memcmp(file.data, data, size));
    check_decodes(&info, pieces, true);
    mist_buffer_free(&file);
    jpeg_chunks_free(&chunks);
}

static void check_chunks(const uint8_t *data, size_t size, unsigned levels)
{
    struct jpeg_info info;
    struct mist_error error = {0};
    struct jpeg_piece pieces[MIST_MAX_LEVELS + 1];
    size_t sizes[MIST_MAX_LEVELS + 1];
    for (unsigned i = 0; i < levels; i++)
        sizes[i] = fuzz_take(&data, &size, 2);
    for (unsigned i = 0; i <= levels; i++) {
        size_t share = i < levels && sizes[i] < size ? sizes[i] : size;
        pieces[i] = (struct jpeg_piece){data, share};
        data += share;
        size -= share;
    }
    struct jpeg_piece rebuild = pieces[0];
    memmove(pieces, pieces + 1, levels * sizeof *pieces);
    enum mist_status status = jpeg_pieces_info(&pieces[0], &info, &error);
    fuzz_require(!status || (error.status == status && strlen(error.message) > 0));
    if (status || info.levels != levels || (uint64_t)info.width * info.height > MAX_PIXELS)
        return;
    struct mist_buffer file = {0};
    status = jpeg_rebuild(pieces, &rebuild, &file, &error);
    fuzz_require(!status == (file.size > 0));
    mist_buffer_free(&file);
    check_decodes(&info, pieces, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned levels = (unsigned)fuzz_take(&data, &size, 1);
    if (!levels)
        check_file(data, size);
    else if (levels < MIST_MAX_LEVELS)
        check_chunks(data, size, levels);
    return 0;
}
