/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drives item files for the Python tests:
 *   item_tool import [-l] ITEM ROOT NAME...    encodes ROOT/NAME... into one item; -l: as a label
 *   item_tool info ITEM                        "levels present tail head_end size id label ends..."
 *   item_tool manifest ITEM
 *   item_tool export ITEM DIR REDUCE native|center FORMAT|- [WxH]
 *   item_tool raw ITEM FRAME REDUCE OUT        a frame's samples as mist_item_decode() gives them
 *   item_tool verify ITEM                      every problem, a line each; exit 1 if there is one
 *   item_tool memory ITEM ROOT NAME...         import; prints the peak resident memory in kB
 */
#include <mist/item.h>

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
        .paths = paths, .names = (const char *const *)names, .count = (uint32_t)count, .label = label, .threads = 2};
    struct mist_error error = {0};
    return mist_item_import(&options, item_path, NULL, NULL, &error) ? fail(&error) : 0;
}

static int info(const mist_item *item)
{
    const struct mist_item_info *about = mist_item_info(item);
    printf("%u %u %d %llu %llu %016llx %d", about->levels, about->levels_present, about->tail_present,
           (unsigned long long)about->head_end, (unsigned long long)about->size, (unsigned long long)about->id,
           about->image.label);
    for (unsigned level = 0; level < about->levels; level++)
        printf(" %llu", (unsigned long long)about->level_end[level]);
    printf("\n");
    return 0;
}

static void print_line(void *context, const char *text)
{
    (void)context;
    puts(text);
}

static int export(const mist_item *item, char **arguments, int count)
{
    struct mist_export_options options = {.reduce = (unsigned)atoi(arguments[1]), .threads = 2};
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
    mist_codec *codec = mist_codec_new();
    int result = 0;
    if (mist_item_decode(item, codec, (uint32_t)atoi(arguments[0]), reduce, &view, &error)) {
        result = fail(&error);
    } else {
        FILE *file = fopen(arguments[2], "wb");
        if (!file || fwrite(view.data, 1, size, file) != size || fclose(file) != 0)
            result = 1;
    }
    mist_codec_free(&codec);
    free(view.data);
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
    struct mist_error error = {0};
    mist_item *item = NULL;
    if (argc < 3 || mist_item_open(argv[2], &item, &error))
        return fail(&error);
    int result = 2;
    if (strcmp(argv[1], "info") == 0)
        result = info(item);
    else if (strcmp(argv[1], "manifest") == 0)
        result = puts(mist_item_manifest(item)) < 0;
    else if (strcmp(argv[1], "export") == 0 && argc >= 7)
        result = export(item, argv + 3, argc - 3);
    else if (strcmp(argv[1], "raw") == 0 && argc == 6)
        result = raw(item, argv + 3);
    else if (strcmp(argv[1], "verify") == 0)
        result = mist_item_verify(item, true, print_line, NULL, &error) != MIST_OK;
    mist_item_close(&item);
    return result;
}
