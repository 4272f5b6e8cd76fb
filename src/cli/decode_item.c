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

static bool option_grid(const struct arguments *arguments, enum mist_grid *grid)
{
    const char *text = option_value(arguments, "grid");
    *grid = text && strcmp(text, "center") == 0 ? MIST_GRID_CENTER : MIST_GRID_NATIVE;
    if (!text || strcmp(text, "center") == 0 || strcmp(text, "native") == 0)
        return true;
    usage_error(arguments, "--grid is native or center, not '%s'", text);
    return false;
}

/* Fills `export` from the options; false after a complaint. */
static bool choose(const struct arguments *arguments, const struct mist_item_info *info,
                   struct mist_export_options *export)
{
    struct mist_resolution_request request;
    bool exact = option_given(arguments, "exact");
    if (!option_resolution(arguments, true, &request) || !option_grid(arguments, &export->grid) ||
        !option_jobs(arguments, &export->threads) || !option_transfer_syntax(arguments, &export->transfer_syntax))
        return false;
    if (exact && !request.width) {
        usage_error(arguments, "--exact needs --size");
        return false;
    }
    if (exact) {
        export->exact_width = request.width;
        export->exact_height = request.height;
        if (!option_given(arguments, "policy")) /* shrink from the next larger level rather than blow up */
            request.policy = MIST_POLICY_AT_LEAST;
    }
    struct mist_catalog_item row = item_row(info);
    export->reduce = mist_choose_reduce(&row, &request);
    export->format = option_value(arguments, "format");
    export->keep_uids = option_given(arguments, "keep-uids");
    return true;
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
        uint32_t width = export.exact_width ? export.exact_width : mist_reduced_size(info->image.width, export.reduce);
        uint32_t height =
            export.exact_height ? export.exact_height : mist_reduced_size(info->image.height, export.reduce);
        if (status)
            complain(arguments, "%s", error.message);
        else if (written.files == 1)
            printf("%s: %s\n", written.last, format_shape(&info->image, width, height, shape));
        else
            printf("%u files below %s: %s\n", written.files, directory,
                   format_shape(&info->image, width, height, shape));
    }
    mist_item_close(&item);
    return result;
}
