/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>

/* As in item.level_end: what there is of a number of levels is the same for all items. */
static const uint64_t *fake_ends(unsigned levels)
{
    static uint64_t ends[MIST_MAX_LEVELS];
    for (unsigned level = 0; level < levels; level++)
        ends[level] = 100 + 1000 * (1ull << (2 * level));
    return ends;
}

struct mist_catalog_item fake_item(const char *path, uint32_t width, uint32_t height, struct mist_catalog_file *file)
{
    struct mist_catalog_item item = {.path = path, .format = "png", .head_end = 100, .file_count = 1, .files = file};
    item.image = (struct mist_image_info){.type = MIST_U16,
                                          .precision = 12,
                                          .width = width,
                                          .height = height,
                                          .components = 1,
                                          .frames = 1,
                                          .slices = 1,
                                          .axes = {0, 1, 2}};
    item.levels = mist_level_count(width, height);
    for (unsigned level = 0; level < item.levels; level++)
        item.level_end[level] = 100 + 1000 * (1ull << (2 * level));
    item.range_end = fake_ends(item.levels);
    item.size = item.level_end[item.levels - 1] + 17;
    item.id = 0x0123456789abcdef;
    item.source_bytes = 12345;
    *file = (struct mist_catalog_file){path, 1};
    return item;
}

void make_directory(char path[64])
{
    snprintf(path, 64, "/tmp/mist-store-XXXXXX");
    assert_non_null(mkdtemp(path));
}

void remove_directory(const char *path)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    assert_int_equal(system(command), 0);
}
