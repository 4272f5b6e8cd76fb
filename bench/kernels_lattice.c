/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The coder of label maps: bench/kernels_lattice UNIT_SLICES MAP.nii.gz... (0: a volume is one unit). For each map the
 * bytes of its chunks up to each level, and the CPU time of decoding them beside that of zlib and that of the program
 * gunzip on the file. Little-endian NIfTI with whole-numbered samples from 0 to 65535 only.
 */
#include "coder/lattice.h"

#include <mist/image.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

enum { ROUNDS = 15, MAX_CHUNKS = LATTICE_MAX_LEVELS * (LATTICE_MAX_STEPS + 1), MAX_BYTES = 1 << 29 };

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
    fprintf(stderr, "kernels_lattice: %s\n", what);
    exit(1);
}

/* The whole file inflated; the best time of ROUNDS. */
static uint8_t *inflate_file(const char *path, double *best)
{
    uint8_t *bytes = malloc(MAX_BYTES);
    require(bytes, "not enough memory");
    *best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        double start = seconds();
        gzFile file = gzopen(path, "rb");
        require(file && gzread(file, bytes, MAX_BYTES) > 352, path);
        gzclose(file);
        double took = seconds() - start;
        *best = took < *best ? took : *best;
    }
    return bytes;
}

/* What `gunzip -c FILE > /dev/null` takes; the best time of ROUNDS. */
static double gunzip_file(const char *path)
{
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        struct rusage usage;
        int state;
        fflush(NULL);
        pid_t child = fork();
        require(child >= 0, "no process");
        if (child == 0) {
            if (freopen("/dev/null", "w", stdout))
                execlp("gunzip", "gunzip", "-c", path, (char *)NULL);
            _exit(127);
        }
        require(wait4(child, &state, 0, &usage) == child && state == 0, "gunzip failed");
        double took = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                      1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
        best = took < best ? took : best;
    }
    return best;
}

static unsigned value_at(const uint8_t *nifti, size_t i)
{
    const uint8_t *at = nifti + 352;
    int16_t type, word;
    float real;
    memcpy(&type, nifti + 70, sizeof type);
    if (type == 2)
        return at[i];
    if (type == 16)
        return memcpy(&real, at + 4 * i, sizeof real), (unsigned)real;
    require(type == 4 || type == 512, "a type of sample that this program does not read");
    return memcpy(&word, at + 2 * i, sizeof word), (uint16_t)word;
}

/* Ranks with the shortest axis as that of the slices. */
static uint16_t *take_ranks(const uint8_t *nifti, struct lattice_shape *shape)
{
    int16_t size[3];
    memcpy(size, nifti + 42, sizeof size);
    size_t step[3] = {1, (size_t)size[0], (size_t)size[0] * (size_t)size[1]}, count = step[2] * (size_t)size[2], at = 0;
    unsigned slice = size[2] <= size[0] && size[2] <= size[1] ? 2 : size[1] <= size[0] ? 1 : 0;
    unsigned x = slice == 0, y = slice == 2 ? 1 : 2;
    uint16_t *ranks = malloc(count * sizeof *ranks), *rank_of = calloc(65536, sizeof *rank_of);
    require(ranks && rank_of, "not enough memory");
    for (size_t i = 0; i < count; i++)
        rank_of[value_at(nifti, i)] = 1;
    for (unsigned value = 0; value < 65536; value++)
        rank_of[value] = (uint16_t)(rank_of[value] ? shape->symbols++ : 0);
    for (int c = 0; c < size[slice]; c++)
        for (int b = 0; b < size[y]; b++)
            for (int a = 0; a < size[x]; a++)
                ranks[at++] =
                    rank_of[value_at(nifti, (size_t)a * step[x] + (size_t)b * step[y] + (size_t)c * step[slice])];
    shape->width = (uint32_t)size[x];
    shape->height = (uint32_t)size[y];
    shape->slices = (uint32_t)size[slice];
    shape->levels = mist_level_count(shape->width, shape->height);
    while (shape->slices > 30 && (shape->slices - 1) >> (shape->steps + 1) >= 15)
        shape->steps++;
    free(rank_of);
    return ranks;
}

struct totals {
    size_t level[LATTICE_MAX_LEVELS]; /* bytes of the chunks, from the largest level back */
    double encoding, decoding;
};

static void run_unit(const struct lattice_shape *shape, const uint16_t *ranks, struct totals *totals)
{
    static struct mist_buffer chunks[MAX_CHUNKS];
    static struct coder_piece pieces[MAX_CHUNKS];
    size_t count = (size_t)shape->width * shape->height * shape->slices;
    uint16_t *out = malloc(count * sizeof *out);
    double start = seconds(), best = 1e9;
    require(out && lattice_encode(shape, ranks, chunks, NULL) == MIST_OK, "encoding failed");
    totals->encoding += seconds() - start;
    for (unsigned level = 0; level < shape->levels; level++)
        for (unsigned class = 0; class <= shape->steps; class ++) {
            size_t i = lattice_chunk(shape, level, class);
            pieces[i] = (struct coder_piece){chunks[i].data, chunks[i].size};
            totals->level[shape->levels - 1 - level] += chunks[i].size;
        }
    for (int round = 0; round < ROUNDS; round++) {
        start = seconds();
        require(lattice_decode(shape, pieces, 0, 0, out, NULL) == MIST_OK, "decoding failed");
        best = seconds() - start < best ? seconds() - start : best;
    }
    require(!memcmp(out, ranks, count * sizeof *out), "decoded samples differ");
    totals->decoding += best;
    free(out);
}

static size_t run_map(const char *path, uint32_t unit_slices)
{
    struct lattice_shape shape = {0};
    struct totals totals = {0};
    double inflating, gunzip = gunzip_file(path);
    uint8_t *nifti = inflate_file(path, &inflating);
    uint16_t *ranks = take_ranks(nifti, &shape);
    size_t slice = (size_t)shape.width * shape.height, sum = 0;
    double samples = (double)slice * shape.slices;
    for (uint32_t z = 0; z < shape.slices;) {
        struct lattice_shape unit = shape;
        unit.slices = unit_slices && unit_slices < shape.slices - z ? unit_slices : shape.slices - z;
        run_unit(&unit, ranks + z * slice, &totals);
        z += unit.slices;
    }
    const char *name = strrchr(path, '/');
    printf("%-28s %4ux%ux%u, %u labels, %u levels, %u steps:", name ? name + 1 : path, shape.width, shape.height,
           shape.slices, shape.symbols, shape.levels, shape.steps);
    for (unsigned level = 0; level < shape.levels; level++)
        printf(" %zu", sum += totals.level[shape.levels - 1 - level]);
    printf(" bytes; million samples/s: inflate %.0f, gunzip %.0f, decode %.0f (%.2f of gunzip), encode %.0f\n",
           samples / inflating * 1e-6, samples / gunzip * 1e-6, samples / totals.decoding * 1e-6,
           gunzip / totals.decoding, samples / totals.encoding * 1e-6);
    free(nifti);
    free(ranks);
    return sum;
}

int main(int count, char **arguments)
{
    size_t sum = 0;
    require(count > 2, "UNIT_SLICES MAP.nii.gz...");
    for (int i = 2; i < count; i++)
        sum += run_map(arguments[i], (uint32_t)atoi(arguments[1]));
    printf("%zu bytes in all\n", sum);
    return 0;
}
