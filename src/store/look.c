/* SPDX-License-Identifier: BSD-2-Clause */
/* What a source file is, by its content and its name. */
#include "store/encode.h"

#include "base/error.h"

#include <string.h>

/* Whether a path ends as that of an image that would become an item. Finder writes "._NAME" beside each NAME. */
static bool claims_an_image(const char *path)
{
    const struct format *format = format_of_path(path);
    const char *slash = strrchr(path, '/');
    return format && format->dataset && strncmp(slash ? slash + 1 : path, "._", 2) != 0;
}

/* File systems take 255 bytes, of which ".mist" and what marks a file that is not whole yet need some. */
enum { LONGEST_ITEM_NAME = 255 - (int)sizeof ".mist-part" + 1 };

int source_look(const char *path, const char *disk, struct format_group *group, bool *grouped, struct mist_error *error)
{
    enum format_kind kind;
    const struct format_input input = format_input_path(disk);
    enum mist_status status = format_detect(&input, &kind, error);
    const struct format *format = status ? NULL : format_of(kind);
    bool image = format && format->dataset;
    *grouped = image && format->grouped;
    if (image)
        status = format_look(kind, &input, group, error);
    else if (!status && claims_an_image(path))
        status = error_set(error, MIST_ERROR_CORRUPT, "it is named like an image, but is none that can be read");
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (!status && image && !format->grouped && strlen(name) > LONGEST_ITEM_NAME)
        status =
            error_set(error, MIST_ERROR_UNSUPPORTED,
                      "its name has %zu bytes, and an item's file, which is named after it, may have %d: it has no "
                      "smaller sizes",
                      strlen(name), LONGEST_ITEM_NAME);
    if (image && status == MIST_ERROR_NOT_FOUND)
        return 0; /* no image in it: nothing to encode, nothing wrong */
    return status ? -1 : image;
}
