/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The coder of sparse images: bench/kernels_pyramid UNIT_FRAMES IMAGE.nii.gz... For each image the bytes of its chunks
 * up to each level and the time of decoding them. Little-endian NIfTI of u8, s16 or u16 only.
 */
#include "coder/pyramid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

enum { MAX_BYTES = 1 << 29, HEADER = 352 };

static double seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void require(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "kernels_pyramid: %s\n", what);
    exit(1);
}

struct totals {
    size_t level[MIST_MAX_LEVELS];
    double encoding, decoding;
};

static void run_unit(const struct pyramid_shape *shape, uint8_t *samples, struct totals *totals)
{
    static struct mist_buffer chunks[MIST_MAX_LEVELS];
    struct coder_piece pieces[MIST_MAX_LEVELS];
    size_t frame = mist_frame_bytes(shape->type, shape->width, shape->height, 1);
    struct mist_view *views = calloc(shape->frames, sizeof *views), *out = calloc(shape->frames, sizeof *out);
    uint8_t *decoded = malloc(frame * shape->frames);
    require(views && out && decoded, "not enough memory");
    for (uint32_t i = 0; i < shape->frames; i++) {
        views[i] = mist_view_planar(samples + i * frame, shape->type, shape->width, shape->height, 1);
        out[i] = mist_view_planar(decoded + i * frame, shape->type, shape->width, shape->height, 1);
    }
    double start = seconds();
    require(pyramid_encode(shape, views, chunks, NULL) == MIST_OK, "encoding failed");
    totals->encoding += seconds() - start;
    for (unsigned level = 0; level < shape->levels; level++) {
        pieces[level] = (struct coder_piece){chunks[level].data, chunks[level].size};
        totals->level[level] += chunks[level].size;
    }
    start = seconds();
    require(pyramid_decode(shape, pieces, 0, out, NULL) == MIST_OK, "decoding failed");
    totals->decoding += seconds() - start;
    require(!memcmp(decoded, samples, frame * shape->frames), "decoded samples differ");
    free(views);
    free(out);
    free(decoded);
}

static void run_image(const char *path, uint32_t unit_frames, uint8_t *nifti)
{
    struct pyramid_shape shape = {0};
    struct totals totals = {0};
    int16_t size[3], type;
    gzFile file = gzopen(path, "rb");
    require(file && gzread(file, nifti, MAX_BYTES) > HEADER, path);
    gzclose(file);
    memcpy(size, nifti + 42, sizeof size);
    memcpy(&type, nifti + 70, sizeof type);
    require(type == 2 || type == 4 || type == 512, "a type of sample that this program does not read");
    shape.type = type == 2 ? MIST_U8 : type == 4 ? MIST_S16 : MIST_U16;
    shape.width = (uint32_t)size[0];
    shape.height = (uint32_t)size[1];
    shape.levels = mist_level_count(shape.width, shape.height);
    size_t frame = mist_frame_bytes(shape.type, shape.width, shape.height, 1), sum = 0;
    for (uint32_t z = 0; z < (uint32_t)size[2]; z += shape.frames) {
        shape.frames = unit_frames && unit_frames < (uint32_t)size[2] - z ? unit_frames : (uint32_t)size[2] - z;
        run_unit(&shape, nifti + HEADER + z * frame, &totals);
    }
    const char *name = strrchr(path, '/');
    double samples = 1e-6 * size[0] * size[1] * size[2];
    printf("%-28s %dx%dx%d, %u levels:", name ? name + 1 : path, size[0], size[1], size[2], shape.levels);
    for (unsigned level = 0; level < shape.levels; level++)
        printf(" %zu", sum += totals.level[level]);
    printf(" bytes; million samples/s: decode %.0f, encode %.0f\n", samples / totals.decoding,
           samples / totals.encoding);
}

int main(int count, char **arguments)
{
    uint8_t *nifti = malloc(MAX_BYTES);
    require(count > 2 && nifti, "UNIT_FRAMES IMAGE.nii.gz...");
    for (int i = 2; i < count; i++)
        run_image(arguments[i], (uint32_t)atoi(arguments[1]), nifti);
    free(nifti);
    return 0;
}
