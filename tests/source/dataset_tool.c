/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dataset_tool URL|directory:PATH REDUCE STEP FIRST COUNT OUT [center|WxH|WxHxD]: reads every item of a dataset as an
 * array, without any file of it, and writes OUT/NUMBER.raw; prints PATH TYPE WIDTH HEIGHT COMPONENTS FRAMES, spacings,
 * affine a line. COUNT 0: all frames. A size is exact and instead of REDUCE and STEP. "directory:" opens files by
 * callbacks of its own.
 */
#include <mist/mist.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum mist_status open_below(void *context, const char *path, struct mist_source **source,
                                   struct mist_error *error)
{
    char full[4096];
    snprintf(full, sizeof full, "%s/%s", (const char *)context, path);
    return mist_source_file(full, source, error);
}

static enum mist_status read_item(mist_dataset *dataset, const char *path,
                                  const struct mist_resolution_request *request, uint32_t first, uint32_t count,
                                  const char *out, struct mist_error *error)
{
    struct mist_catalog_entry entry;
    enum mist_status status = mist_dataset_find(dataset, path, &entry, error);
    if (status)
        return status;
    struct mist_image_info image, info;
    status = mist_request_image(&entry.item, request, &image, error);
    if (status)
        return status;
    if (count == 0 || first >= image.frames) {
        first = 0;
        count = image.frames;
    } else if (count > image.frames - first) {
        count = image.frames - first;
    }
    size_t frame = mist_frame_bytes(image.type, image.width, image.height, image.components);
    uint8_t *samples = malloc(frame * count);
    struct mist_view *views = malloc(count * sizeof *views);
    for (uint32_t i = 0; i < count; i++)
        views[i] = mist_view_interleaved(samples + i * frame, image.type, image.width, image.height, image.components);
    status = mist_dataset_read(dataset, path, request, first, count, views, &info, error);
    FILE *file = status ? NULL : fopen(out, "wb");
    if (file) {
        fwrite(samples, frame, count, file);
        fclose(file);
        printf("%s\t%s\t%u\t%u\t%u\t%u\t%u", path, mist_sample_name(info.type), info.width, info.height,
               info.components, first, count);
        for (int i = 0; i < 12; i++)
            printf("\t%.9g", info.geometry.has_affine ? info.geometry.affine[i / 4][i % 4] : 0);
        printf("\t%u\t%u\t%u\n", info.axes[0], info.axes[1], info.axes[2]);
    }
    free(views);
    free(samples);
    return status;
}

int main(int argc, char **argv)
{
    struct mist_error error = {0};
    mist_dataset *dataset = NULL;
    if (argc != 7 && argc != 8)
        return 2;
    struct mist_resolution_request request = {
        .by_reduce = true, .reduce = (unsigned)atoi(argv[2]), .step = (unsigned)atoi(argv[3])};
    if (argc == 8 && strcmp(argv[7], "center") == 0) {
        request.grid = MIST_GRID_CENTER;
    } else if (argc == 8) {
        request = (struct mist_resolution_request){.exact = true, .policy = MIST_POLICY_AT_LEAST};
        sscanf(argv[7], "%ux%ux%u", &request.width, &request.height, &request.depth);
    }
    bool own = strncmp(argv[1], "directory:", 10) == 0;
    enum mist_status status = own ? mist_dataset_open_sources(open_below, argv[1] + 10, "own", &dataset, &error)
                                  : mist_dataset_open(argv[1], NULL, &dataset, &error);
    static char paths[1000][1100];
    unsigned count = 0;
    struct mist_catalog_entry entry = {.kind = MIST_CATALOG_ITEM};
    while (!status && !(status = mist_dataset_next(dataset, &entry, &error)) && entry.kind == MIST_CATALOG_ITEM &&
           count < 1000)
        snprintf(paths[count++], sizeof *paths, "%s", entry.item.path);
    for (unsigned i = 0; i < count && !status; i++) {
        char out[4096];
        snprintf(out, sizeof out, "%s/%u.raw", argv[6], i);
        status = read_item(dataset, paths[i], &request, (uint32_t)atoi(argv[4]), (uint32_t)atoi(argv[5]), out, &error);
    }
    if (status)
        fprintf(stderr, "%s\n", error.message);
    mist_dataset_close(&dataset);
    return status ? 1 : 0;
}
