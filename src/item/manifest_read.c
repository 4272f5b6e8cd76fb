/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "coder/coder.h"
#include "item/manifest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Reads fields one by one; the first one that makes no sense is remembered. */
struct reading {
    struct byte_reader *bytes;
    const char *problem; /* what it is, or NULL */
    bool memory;         /* memory was short */
};

static void wrong(struct reading *reading, const char *what)
{
    if (!reading->problem)
        reading->problem = what;
}

static uint64_t get(struct reading *reading, const char *what, uint64_t low, uint64_t high)
{
    uint64_t value = read_varint(reading->bytes);
    if (!reading->bytes->failed && value >= low && value <= high)
        return value;
    wrong(reading, what);
    return low;
}

static double get_real(struct reading *reading, const char *what)
{
    double value = NAN;
    unsigned kind = read_u8(reading->bytes);
    if (kind == 0) {
        uint64_t bits = read_le64(reading->bytes);
        memcpy(&value, &bits, sizeof value);
    } else if (kind == 1) {
        uint32_t bits = read_le32(reading->bytes);
        float narrow;
        memcpy(&narrow, &bits, sizeof narrow);
        value = (double)narrow;
    } else if (kind == 2) {
        uint64_t zigzag = read_varint(reading->bytes);
        value = zigzag & 1 ? -(double)(zigzag >> 1) - 1 : (double)(zigzag >> 1);
    }
    if (reading->bytes->failed || !isfinite(value)) {
        wrong(reading, what);
        return 0;
    }
    return value;
}

/* Bytes in place; NULL with `problem` set where they are not there. */
static const uint8_t *get_text(struct reading *reading, const char *what, uint64_t limit, size_t *size)
{
    *size = (size_t)get(reading, what, 0, limit);
    const uint8_t *bytes = reading->problem ? NULL : reader_take(reading->bytes, *size);
    if (!bytes)
        wrong(reading, what);
    return bytes;
}

static void get_format(struct reading *reading, struct manifest *manifest)
{
    size_t size;
    const uint8_t *bytes = get_text(reading, "format", 15, &size);
    char name[16] = "";
    if (bytes)
        memcpy(name, bytes, size);
    manifest->kind = format_from_name(name);
    const struct format *format = format_of(manifest->kind);
    if (strlen(name) != size || !format || !format->dataset)
        wrong(reading, "format");
}

static void get_geometry(struct reading *reading, struct mist_geometry *geometry)
{
    for (int i = 0; i < 3; i++)
        geometry->spacing[i] = get_real(reading, "spacing");
    for (int i = 0; geometry->has_affine && i < 12; i++)
        geometry->affine[i / 4][i % 4] = get_real(reading, "affine");
    geometry->affine[3][3] = geometry->has_affine;
}

static void get_image(struct reading *reading, struct manifest *manifest)
{
    struct mist_image_info *image = &manifest->image;
    get_format(reading, manifest);
    unsigned type = read_u8(reading->bytes);
    if (type >= MIST_SAMPLE_TYPES)
        wrong(reading, "type");
    image->type = reading->problem ? MIST_U8 : (enum mist_sample_type)type;
    image->precision = (unsigned)get(reading, "precision", 1, 8 * mist_sample_size(image->type));
    image->width = (uint32_t)get(reading, "width", 1, MIST_MAX_SIDE);
    image->height = (uint32_t)get(reading, "height", 1, MIST_MAX_SIDE);
    image->components = (uint32_t)get(reading, "components", 1, MIST_MAX_COMPONENTS);
    image->slices = (uint32_t)get(reading, "slices", 1, MIST_MAX_FRAMES);
    image->frames = image->slices * (uint32_t)get(reading, "volumes", 1, MIST_MAX_FRAMES / image->slices);
    unsigned axes = read_u8(reading->bytes), flags = read_u8(reading->bytes);
    for (int i = 0; i < 3; i++)
        image->axes[i] = axes >> 2 * i & 3;
    if (axes > 63 || (1u << image->axes[0] | 1u << image->axes[1] | 1u << image->axes[2]) != 7)
        wrong(reading, "axes");
    if (flags > 7)
        wrong(reading, "flags");
    image->label = flags & 1;
    image->geometry.has_affine = flags & 2;
    manifest->centred = flags & 4;
    get_geometry(reading, &image->geometry);
    if (mist_frame_bytes(image->type, image->width, image->height, image->components) == 0)
        wrong(reading, "size");
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void check_distinct(struct reading *reading, const struct manifest *manifest)
{
    const char **paths = memory_allocate_array(manifest->files, sizeof *paths);
    reading->memory = !paths;
    if (!paths)
        return;
    for (uint32_t i = 0; i < manifest->files; i++)
        paths[i] = manifest->file[i].path;
    qsort(paths, manifest->files, sizeof *paths, compare_paths);
    for (uint32_t i = 1; i < manifest->files; i++)
        if (strcmp(paths[i - 1], paths[i]) == 0)
            wrong(reading, "path");
    memory_free(paths);
}

/* The path whose beginning is that of the one before. */
static char *get_path(struct reading *reading, const char *before)
{
    size_t same = (size_t)get(reading, "path", 0, strlen(before)), size;
    const uint8_t *rest = get_text(reading, "path", 1024, &size);
    if (!rest)
        return NULL;
    char *path = memory_allocate(same + size + 1);
    reading->memory = reading->memory || !path;
    if (!path)
        return NULL;
    memcpy(path, before, same);
    memcpy(path + same, rest, size);
    path[same + size] = '\0';
    if (!path_is_safe(path, same + size))
        wrong(reading, "path");
    return path;
}

static void get_files(struct reading *reading, struct manifest *manifest)
{
    manifest->source_bytes = get(reading, "source bytes", 0, LAYOUT_MAX_SIZE);
    uint32_t most = manifest->image.frames < LAYOUT_MAX_FILES ? manifest->image.frames : LAYOUT_MAX_FILES;
    most = most < 2 ? 2 : most; /* the first of two may be a header without frames */
    uint32_t files = (uint32_t)get(reading, "files", 1, most);
    if (reading->problem || files > reader_left(reading->bytes) / 3) {
        wrong(reading, "files");
        return;
    }
    manifest->file = memory_allocate_zeroed(files, sizeof *manifest->file);
    reading->memory = !manifest->file;
    manifest->files = manifest->file ? files : 0;
    uint32_t frame = 0;
    const char *before = "";
    for (uint32_t i = 0; i < manifest->files && !reading->problem && !reading->memory; i++) {
        struct manifest_file *file = &manifest->file[i];
        file->path = get_path(reading, before);
        file->first_frame = frame;
        if (file->path)
            file->frames = (uint32_t)get(reading, "frames", i > 0 || files != 2, manifest->image.frames - frame);
        frame += file->frames;
        before = file->path;
    }
    if (!reading->problem && frame != manifest->image.frames)
        wrong(reading, "frames");
    if (!reading->problem && !reading->memory)
        check_distinct(reading, manifest);
}

static void get_source_head(struct reading *reading, struct manifest *manifest)
{
    size_t size;
    const uint8_t *bytes = get_text(reading, "source head", LAYOUT_MAX_SOURCE_HEAD, &size);
    if (bytes && !buffer_append(&manifest->source_head, bytes, size))
        reading->memory = true;
}

static void get_groups(struct reading *reading, struct manifest *manifest, uint64_t tail_size)
{
    uint32_t groups = (uint32_t)get(reading, "tail index", 0, manifest->files);
    if (reading->problem || groups > reader_left(reading->bytes) / 3) {
        wrong(reading, "tail index");
        return;
    }
    manifest->group = memory_allocate_zeroed(groups, sizeof *manifest->group);
    reading->memory = !manifest->group;
    manifest->groups = manifest->group ? groups : 0;
    uint64_t files = 0, stored = 0;
    for (uint32_t i = 0; i < manifest->groups && !reading->problem; i++) {
        struct manifest_group *group = &manifest->group[i];
        group->files = (uint32_t)get(reading, "tail index", 1, LAYOUT_MAX_FILES);
        group->content = (uint32_t)get(reading, "tail index", 1, (uint64_t)1 << 28);
        group->stored = (uint32_t)get(reading, "tail index", 1, (uint64_t)1 << 28);
        files += group->files;
        stored += group->stored;
    }
    if (files != manifest->files || stored != tail_size)
        wrong(reading, "tail index");
}

static void get_extras(struct reading *reading, struct manifest *manifest)
{
    unsigned count = (unsigned)get(reading, "extras", 0, MANIFEST_MAX_EXTRAS), least = 0;
    for (unsigned i = 0; i < count && !reading->problem && !reading->memory; i++) {
        unsigned tag = read_u8(reading->bytes);
        size_t size;
        const uint8_t *bytes = get_text(reading, "extras", LAYOUT_MAX_META, &size);
        bool known = tag == MANIFEST_WHY_LABEL || tag == MANIFEST_WHY_KEPT || tag == MANIFEST_FRAMES || tag >= 128;
        if (tag < least || !known)
            wrong(reading, "extras");
        least = tag + 1;
        if (bytes && !reading->problem && !manifest_set_extra(manifest, tag, bytes, size))
            reading->memory = true;
    }
}

/* A stream of the lattice coder has a symbol for each value that there is. */
static bool symbols_fit(const struct coder_stream *stream, uint64_t values)
{
    if (!stream || stream->coder != CODER_LATTICE)
        return true;
    struct byte_reader parameters = byte_reader_start(stream->parameters.data, stream->parameters.size);
    return read_varint(&parameters) == values && !parameters.failed;
}

/* The streams must be just those that the value map needs, and labels are never averaged. */
static bool streams_fit(const struct manifest *manifest)
{
    const struct value_map *values = &manifest->values;
    const struct coder_stream *original = manifest_stream(manifest, CODER_ORIGINAL);
    if (original && (original->parameters.size != 1 || values->kind != VALUE_MAP_IDENTITY ||
                     manifest->stream[0].coder != CODER_HTJ2K))
        return false;
    return (values->holes.count > 0) == (manifest_stream(manifest, CODER_HOLES) != NULL) &&
           (values->kind == VALUE_MAP_TABLE) == (manifest_stream(manifest, CODER_VALUES) != NULL) &&
           values->remainder == (manifest_stream(manifest, CODER_EXACT) != NULL) &&
           (values->kind == VALUE_MAP_RANKS) == (manifest->stream[0].coder == CODER_LATTICE) &&
           (values->kind == VALUE_MAP_RANKS) == manifest->image.label &&
           symbols_fit(&manifest->stream[0], values->rank_count) &&
           symbols_fit(manifest_stream(manifest, CODER_HOLES), (uint64_t)values->holes.count + 1);
}

static enum mist_status get_streams(struct reading *reading, struct manifest *manifest, const struct layout *layout,
                                    struct mist_error *error)
{
    unsigned count = (unsigned)get(reading, "streams", 1, LAYOUT_MAX_STREAMS), before = 0;
    enum mist_status status = MIST_OK;
    for (unsigned i = 0; i < count && !reading->problem && !status; i++) {
        struct coder_stream *stream = &manifest->stream[i];
        /* The role, which says what the plane is, stands behind the coder. */
        unsigned role = reader_left(reading->bytes) > 1 ? reading->bytes->at[1] : 0;
        stream->plane = manifest_plane(manifest, layout, role);
        manifest->streams = i + 1;
        status = stream_read(reading->bytes, stream, error);
        if (!status && (stream->role <= before || (i == 0 && stream->role != CODER_PICTURE)))
            wrong(reading, "streams");
        if (!status && !reading->problem)
            status = coder_check(stream, error);
        before = stream->role;
    }
    if (!status && !reading->problem && !streams_fit(manifest))
        wrong(reading, "streams");
    return status;
}

static enum mist_status finish(const struct reading *reading, struct mist_error *error)
{
    if (reading->memory)
        return error_set(error, MIST_ERROR_MEMORY, "the head: out of memory");
    if (reading->problem || reading->bytes->failed)
        return error_set(error, MIST_ERROR_CORRUPT, "the head is damaged: its %s makes no sense",
                         reading->problem ? reading->problem : "end");
    return MIST_OK;
}

static void get_sizes(struct reading *reading, struct layout *layout)
{
    layout->levels = (unsigned)get(reading, "levels", 1, MIST_MAX_LEVELS);
    layout->steps = (unsigned)get(reading, "steps", 0, STEP_MAX);
    layout->chunk_log2 = read_u8(reading->bytes);
    if (layout->chunk_log2 < LAYOUT_MIN_CHUNK_LOG2 || layout->chunk_log2 > LAYOUT_MAX_CHUNK_LOG2)
        wrong(reading, "chunk size");
    layout->tail_size = get(reading, "tail size", 0, LAYOUT_MAX_SIZE);
}

enum mist_status manifest_read(struct byte_reader *reader, struct manifest *manifest, struct layout *layout,
                               struct mist_error *error)
{
    struct reading reading = {.bytes = reader};
    *manifest = (struct manifest){0};
    get_sizes(&reading, layout);
    get_image(&reading, manifest);
    const struct mist_image_info *image = &manifest->image;
    if (!reading.problem && layout->levels > mist_level_count(image->width, image->height))
        wrong(&reading, "levels");
    if (!reading.problem && layout->steps > step_most(image->slices))
        wrong(&reading, "steps");
    if (!reading.problem)
        get_files(&reading, manifest);
    enum mist_status status = finish(&reading, error);
    if (!status)
        status = value_map_read(reader, image->components, &manifest->values, error);
    if (!status && manifest->values.source != image->type)
        status = error_set(error, MIST_ERROR_CORRUPT, "the head is damaged: its value map is of another sample type");
    if (status)
        return status;
    get_source_head(&reading, manifest);
    status = get_streams(&reading, manifest, layout, error);
    if (status)
        return status;
    get_groups(&reading, manifest, layout->tail_size);
    if (!reading.problem)
        get_extras(&reading, manifest);
    return finish(&reading, error);
}
