/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/decode_item.h"

#include "cli/report.h"

#include <string.h>

struct written {
    bool quiet;
    unsigned files;
    char last[1024];
};

static void count_file(void *context, const char *path)
{
    struct written *written = context;
    written->files++;
    snprintf(written->last, sizeof written->last, "%s", path);
}

/* Fills `export` from the options; false after a complaint. */
static bool choose(const struct arguments *arguments, const struct mist_item_info *info,
                   struct mist_export_options *export)
{
    struct mist_resolution_request request;
    if (!option_resolution(arguments, &request) || !option_grid(arguments, &request) ||
        !option_jobs(arguments, &export->threads) || !option_transfer_syntax(arguments, &export->transfer_syntax))
        return false;
    export->grid = request.grid;
    if (request.exact) {
        export->exact_width = request.width;
        export->exact_height = request.height;
        export->exact_depth = request.depth;
    }
    struct mist_catalog_item row = item_row(info);
    struct mist_choice choice = mist_choose(&row, &request);
    export->reduce = choice.reduce;
    export->step = choice.step;
    export->format = option_value(arguments, "format");
    export->keep_uids = option_given(arguments, "keep-uids");
    export->identical = option_given(arguments, "identical");
    return true;
}

/* Of all that is written: "256x256x64". */
static void written_shape(const struct mist_image_info *image, const struct mist_export_options *export, char shape[64])
{
    const uint32_t exact[3] = {export->exact_width, export->exact_height, export->exact_depth};
    uint32_t slices = (uint32_t)(((uint64_t)image->slices + (1u << export->step) - 1) >> export->step);
    uint32_t sizes[3] = {mist_reduced_size(image->width, export->reduce),
                         mist_reduced_size(image->height, export->reduce), slices};
    for (unsigned i = 0; i < 3; i++) {
        unsigned axis = exact[2] ? image->axes[i] : i;
        if (exact[axis])
            sizes[i] = exact[axis];
    }
    format_shape(image, sizes[0], sizes[1], image->frames / image->slices * sizes[2], shape);
}

enum exit_status decode_item(const struct arguments *arguments, const char *path)
{
    struct mist_error error = {0};
    struct mist_export_options export = {0};
    struct written written = {0};
    mist_item *item;
    const char *directory = option_value(arguments, "output");
    if (!directory)
        return usage_error(arguments, "-o DIR is missing");
    if (mist_item_open(path, &item, &error) != MIST_OK) {
        complain(arguments, "%s", error.message);
        return EXIT_FAILED;
    }
    enum exit_status result = EXIT_USAGE;
    const struct mist_item_info *info = mist_item_info(item);
    if (choose(arguments, info, &export)) {
        enum mist_status status = mist_item_export(item, &export, directory, count_file, &written, &error);
        result = status ? EXIT_FAILED : EXIT_DONE;
        char shape[64];
        written_shape(&info->image, &export, shape);
        if (status)
            complain(arguments, "%s", error.message);
        else if (written.files == 1)
            printf("%s: %s\n", written.last, shape);
        else
            printf("%u files below %s: %s\n", written.files, directory, shape);
    }
    mist_item_close(&item);
    return result;
}
