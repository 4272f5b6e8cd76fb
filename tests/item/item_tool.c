/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drives item files for the Python tests:
 *   item_tool import [-l] ITEM ROOT NAME...    encodes ROOT/NAME... into one item; -l: as a label
 *   item_tool info ITEM                        "levels steps present tail head_end size id label coder", the levels'
 * ends, the ranges' ends, then a line for each source file: "first frames path" item_tool export ITEM DIR REDUCE
 * native|center FORMAT|- [WxH] item_tool raw ITEM FRAME REDUCE OUT        a frame's samples as mist_item_decode() gives
 * them item_tool verify ITEM                      every problem, a line each; exit 1 if there is one item_tool memory
 * ITEM ROOT NAME...         import; prints the peak resident memory in kB item_tool prefixes ITEM STEP [SIZE...] opens
 * the first 0, STEP, 2 STEP ... bytes and the first SIZE ...; a line each: "bytes refused STATUS" or "bytes levels tail
 * sum", with the checksum of all frames decoded at the last complete level item_tool pieces ITEM OFFSET:SIZE... opens
 * just these bytes; "levels tail", then for each reduce and frame a line: "reduce frame" and the checksum of its
 * samples, or the status item_tool ranges ITEM FIRST COUNT REDUCE   "offset size" of what mist_item_ranges() says, a
 * line each item_tool flips ITEM STEP                  flips bits of byte 0, STEP, 2 STEP ... and verifies; a line
 * each: the byte's offset and the first problem found, or '-'
 */
#include "base/checksum.h"

#include <mist/convert.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static int fail(const struct mist_error *error)
{
    printf("! %s: %s\n", mist_status_name(error->status), error->message);
    return 1;
}

static int import(bool label, const char *item_path, const char *root, char **names, int count)
{
    const char **paths = calloc((size_t)count, sizeof *paths);
    for (int i = 0; i < count; i++) {
        size_t size = strlen(root) + strlen(names[i]) + 2;
        char *path = malloc(size);
        snprintf(path, size, "%s/%s", root, names[i]);
        paths[i] = path;
    }
    struct mist_import_options options = {
        .paths = paths, .names = (const char *const *)names, .count = (uint32_t)count, .threads = 2};
    options.label = label ? "option" : NULL;
    struct mist_error error = {0};
    return mist_item_import(&options, item_path, NULL, NULL, &error) ? fail(&error) : 0;
}

static int info(const mist_item *item)
{
    const struct mist_item_info *about = mist_item_info(item);
    printf("%u %u %u %d %llu %llu %016llx %s %s\n", about->levels, about->steps, about->levels_present,
           about->tail_present, (unsigned long long)about->head_end, (unsigned long long)about->size,
           (unsigned long long)about->id, about->label ? about->label : "-", about->coder);
    for (unsigned level = 0; level < about->levels; level++)
        printf("%llu ", (unsigned long long)about->level_end[level]);
    printf("\n");
    for (unsigned range = 0; range < about->levels * (about->steps + 1); range++)
        printf("%llu ", (unsigned long long)about->range_end[range]);
    printf("\n");
    struct mist_item_file file;
    for (uint32_t i = 0; mist_item_file(item, i, &file); i++)
        printf("%u %u %s\n", file.first_frame, file.frames, file.path);
    return 0;
}

static void print_line(void *context, const char *text)
{
    (void)context;
    puts(text);
}

static int export(const mist_item *item, char **arguments, int count)
{
    struct mist_export_options options = {.threads = 2};
    sscanf(arguments[1], "%u,%u", &options.reduce, &options.step);
    options.grid = strcmp(arguments[2], "center") == 0 ? MIST_GRID_CENTER : MIST_GRID_NATIVE;
    options.format = strcmp(arguments[3], "-") == 0 ? NULL : arguments[3];
    if (count > 4)
        sscanf(arguments[4], "%ux%u", &options.exact_width, &options.exact_height);
    struct mist_error error = {0};
    return mist_item_export(item, &options, arguments[0], print_line, NULL, &error) ? fail(&error) : 0;
}

static int raw(const mist_item *item, char **arguments)
{
    const struct mist_image_info *image = &mist_item_info(item)->image;
    unsigned reduce = (unsigned)atoi(arguments[1]);
    uint32_t width = mist_reduced_size(image->width, reduce), height = mist_reduced_size(image->height, reduce);
    size_t size = mist_frame_bytes(image->type, width, height, image->components);
    struct mist_view view = mist_view_interleaved(malloc(size), image->type, width, height, image->components);
    struct mist_error error = {0};
    mist_decoder *decoder = mist_decoder_new();
    int result = 0;
    if (mist_item_decode(item, decoder, (uint32_t)atoi(arguments[0]), reduce, &view, &error)) {
        result = fail(&error);
    } else {
        FILE *file = fopen(arguments[2], "wb");
        if (!file || fwrite(view.data, 1, size, file) != size || fclose(file) != 0)
            result = 1;
    }
    mist_decoder_free(&decoder);
    free(view.data);
    return result;
}

/* ---- prefixes and damage, in memory of exactly their size, so that reading beyond it is noticed ---- */

static uint8_t *read_all(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0)
        return NULL;
    *size = (size_t)ftell(file);
    rewind(file);
    uint8_t *data = malloc(*size + 1);
    bool good = data && fread(data, 1, *size, file) == *size;
    fclose(file);
    if (!good)
        free(data);
    return good ? data : NULL;
}

/* XXH3-64 of all frames' samples, one after the other; 0 where one does not decode. */
static uint64_t sum_of_frames(const mist_item *item, mist_decoder *decoder, unsigned reduce)
{
    const struct mist_image_info *image = &mist_item_info(item)->image;
    uint32_t width = mist_reduced_size(image->width, reduce), height = mist_reduced_size(image->height, reduce);
    size_t size = mist_frame_bytes(image->type, width, height, image->components);
    struct mist_view view = mist_view_interleaved(malloc(size), image->type, width, height, image->components);
    struct checksum_state *state = checksum_start();
    bool good = true;
    for (uint32_t frame = 0; frame < image->frames && good; frame++) {
        good = mist_item_decode(item, decoder, frame, reduce, &view, NULL) == MIST_OK;
        checksum_add(state, view.data, size);
    }
    uint64_t sum = good ? checksum_value(state) : 0;
    checksum_free(state);
    free(view.data);
    return sum;
}

static void try_prefix(const uint8_t *data, size_t size, mist_decoder *decoder)
{
    uint8_t *copy = malloc(size ? size : 1);
    mist_item *item;
    struct mist_error error = {0};
    memcpy(copy, data, size);
    if (mist_item_open_memory(copy, size, "prefix", &item, &error)) {
        printf("%zu refused %s\n", size, mist_status_name(error.status));
    } else {
        const struct mist_item_info *about = mist_item_info(item);
        uint64_t sum = about->levels_present ? sum_of_frames(item, decoder, about->levels - about->levels_present) : 0;
        printf("%zu %u %d %016llx\n", size, about->levels_present, about->tail_present, (unsigned long long)sum);
    }
    mist_item_close(&item);
    free(copy);
}

static int prefixes(const char *path, size_t step, char **sizes, int count)
{
    size_t size;
    uint8_t *data = read_all(path, &size);
    mist_decoder *decoder = mist_decoder_new();
    for (size_t at = 0; data && step && at <= size; at += step)
        try_prefix(data, at, decoder);
    for (int i = 0; data && i < count; i++)
        if ((size_t)atoll(sizes[i]) <= size)
            try_prefix(data, (size_t)atoll(sizes[i]), decoder);
    mist_decoder_free(&decoder);
    int result = data == NULL;
    free(data);
    return result;
}

/* Copies of the pieces, each of exactly its size. */
static size_t take_pieces(char **words, int count, const uint8_t *data, size_t size, struct mist_item_piece *pieces)
{
    size_t found = 0;
    for (int i = 0; i < count; i++) {
        unsigned long long offset, length;
        if (sscanf(words[i], "%llu:%llu", &offset, &length) != 2 || offset > size || length > size - offset)
            continue;
        uint8_t *copy = malloc(length ? length : 1);
        memcpy(copy, data + offset, length);
        pieces[found++] = (struct mist_item_piece){offset, copy, length};
    }
    return found;
}

static void try_frame(const mist_item *item, mist_decoder *decoder, uint32_t frame, unsigned reduce)
{
    const struct mist_image_info *image = &mist_item_info(item)->image;
    uint32_t width = mist_reduced_size(image->width, reduce), height = mist_reduced_size(image->height, reduce);
    size_t size = mist_frame_bytes(image->type, width, height, image->components);
    struct mist_view view = mist_view_interleaved(malloc(size), image->type, width, height, image->components);
    enum mist_status status = mist_item_decode(item, decoder, frame, reduce, &view, NULL);
    if (status)
        printf("%u %u %s\n", reduce, frame, mist_status_name(status));
    else
        printf("%u %u %016llx\n", reduce, frame, (unsigned long long)checksum(view.data, size));
    free(view.data);
}

static int pieces(const char *path, char **words, int count)
{
    size_t size;
    uint8_t *data = read_all(path, &size);
    struct mist_item_piece *parts = calloc((size_t)count + 1, sizeof *parts);
    size_t found = data ? take_pieces(words, count, data, size, parts) : 0;
    mist_item *item;
    struct mist_error error = {0};
    int result = 0;
    if (mist_item_open_pieces(parts, found, "pieces", &item, &error)) {
        result = fail(&error);
    } else {
        const struct mist_item_info *about = mist_item_info(item);
        mist_decoder *decoder = mist_decoder_new();
        printf("%u %d\n", about->levels_present, about->tail_present);
        for (unsigned reduce = about->levels; reduce-- > 0;)
            for (uint32_t frame = 0; frame < about->image.frames; frame++)
                try_frame(item, decoder, frame, reduce);
        mist_decoder_free(&decoder);
    }
    mist_item_close(&item);
    for (size_t i = 0; i < found; i++)
        free((void *)(uintptr_t)parts[i].data);
    free(parts);
    free(data);
    return result;
}

static void print_range(void *context, uint64_t offset, uint64_t size)
{
    (void)context;
    printf("%llu %llu\n", (unsigned long long)offset, (unsigned long long)size);
}

static void keep_first(void *context, const char *text)
{
    char *first = context;
    if (!*first)
        snprintf(first, 600, "%s", text);
}

static int flips(const char *path, size_t step)
{
    size_t size;
    uint8_t *data = read_all(path, &size);
    for (size_t at = 0; data && at < size; at += step) {
        char first[600] = "";
        mist_item *item;
        struct mist_error error = {0};
        uint8_t *copy = malloc(size);
        memcpy(copy, data, size);
        copy[at] ^= (uint8_t)(1u << at % 8); /* all bits take their turn */
        if (mist_item_open_memory(copy, size, "damaged", &item, &error) ||
            mist_item_verify(item, true, keep_first, first, &error))
            keep_first(first, error.message);
        printf("%zu %s\n", at, *first ? first : "-");
        mist_item_close(&item);
        free(copy);
    }
    int result = data == NULL;
    free(data);
    return result;
}

int main(int argc, char **argv)
{
    bool label = argc > 2 && strcmp(argv[2], "-l") == 0;
    if (argc > 4 + label && strcmp(argv[1], "import") == 0)
        return import(label, argv[2 + label], argv[3 + label], argv + 4 + label, argc - 4 - label);
    if (argc > 4 && strcmp(argv[1], "memory") == 0) {
        int result = import(false, argv[2], argv[3], argv + 4, argc - 4);
        struct rusage usage;
        getrusage(RUSAGE_SELF, &usage);
        printf("%ld\n", usage.ru_maxrss);
        return result;
    }
    if (argc > 3 && strcmp(argv[1], "prefixes") == 0)
        return prefixes(argv[2], (size_t)atoll(argv[3]), argv + 4, argc - 4);
    if (argc > 2 && strcmp(argv[1], "pieces") == 0)
        return pieces(argv[2], argv + 3, argc - 3);
    if (argc == 4 && strcmp(argv[1], "flips") == 0)
        return flips(argv[2], (size_t)atoll(argv[3]));
    struct mist_error error = {0};
    mist_item *item = NULL;
    if (argc < 3 || mist_item_open(argv[2], &item, &error))
        return fail(&error);
    int result = 2;
    if (strcmp(argv[1], "info") == 0)
        result = info(item);
    else if (strcmp(argv[1], "export") == 0 && argc >= 7)
        result = export(item, argv + 3, argc - 3);
    else if (strcmp(argv[1], "raw") == 0 && argc == 6)
        result = raw(item, argv + 3);
    else if (strcmp(argv[1], "ranges") == 0 && argc == 6)
        result = mist_item_ranges(item, (uint32_t)atoi(argv[3]), (uint32_t)atoi(argv[4]), (unsigned)atoi(argv[5]),
                                  print_range, NULL, &error) != MIST_OK;
    else if (strcmp(argv[1], "verify") == 0)
        result = mist_item_verify(item, true, print_line, NULL, &error) != MIST_OK;
    mist_item_close(&item);
    return result;
}
