/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "item/layout.h"
#include "item/manifest.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Reads members one by one; the first one that is missing or makes no sense is remembered. */
struct reading {
    const char *problem; /* the member's name, or NULL */
    bool memory;         /* memory was short */
};

static const json_t *member(struct reading *reading, const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    if (!value && !reading->problem)
        reading->problem = name;
    return value;
}

static int64_t read_integer(struct reading *reading, const json_t *object, const char *name, int64_t low, int64_t high)
{
    const json_t *value = member(reading, object, name);
    if (json_is_integer(value) && json_integer_value(value) >= low && json_integer_value(value) <= high)
        return json_integer_value(value);
    if (!reading->problem)
        reading->problem = name;
    return low;
}

/* Never NULL. */
static const char *read_text(struct reading *reading, const json_t *object, const char *name)
{
    const json_t *value = member(reading, object, name);
    if (json_is_string(value) && strlen(json_string_value(value)) == json_string_length(value))
        return json_string_value(value);
    if (!reading->problem)
        reading->problem = name;
    return "";
}

static double read_real(struct reading *reading, const json_t *object, const char *name)
{
    const json_t *value = member(reading, object, name);
    if (!json_is_number(value) && !reading->problem)
        reading->problem = name;
    return json_number_value(value);
}

static bool read_reals(struct reading *reading, const json_t *object, const char *name, double *values, size_t count)
{
    const json_t *array = json_object_get(object, name);
    bool good = json_is_array(array) && json_array_size(array) == count;
    for (size_t i = 0; good && i < count; i++) {
        good = json_is_number(json_array_get(array, i));
        values[i] = json_number_value(json_array_get(array, i));
    }
    if (!good && !reading->problem)
        reading->problem = name;
    return good;
}

static enum mist_sample_type read_type(struct reading *reading, const json_t *object, const char *name)
{
    enum mist_sample_type type = mist_sample_type_from_name(read_text(reading, object, name));
    if (type >= MIST_SAMPLE_TYPES && !reading->problem)
        reading->problem = name;
    return type;
}

/* Of source files: what is only ever written (NPY, PNM, PGX) is none of them. */
static enum format_kind read_format(struct reading *reading, const json_t *root)
{
    enum format_kind kind = format_from_name(read_text(reading, root, "format"));
    bool source = kind == FORMAT_PNG || kind == FORMAT_JPEG || kind == FORMAT_NIFTI || kind == FORMAT_DICOM;
    if (!source && !reading->problem)
        reading->problem = "format";
    return kind;
}

static void read_geometry(struct reading *reading, const json_t *root, struct mist_geometry *geometry)
{
    const json_t *object = member(reading, root, "geometry");
    read_reals(reading, object, "spacing", geometry->spacing, 3);
    if (json_object_get(object, "affine")) {
        geometry->has_affine = read_reals(reading, object, "affine", &geometry->affine[0][0], 12);
        geometry->affine[3][3] = 1;
    }
}

static void read_image(struct reading *reading, const json_t *root, struct mist_image_info *image)
{
    image->type = read_type(reading, root, "type");
    image->precision = (unsigned)read_integer(reading, root, "precision", 1, 64);
    image->width = (uint32_t)read_integer(reading, root, "width", 1, MIST_MAX_SIDE);
    image->height = (uint32_t)read_integer(reading, root, "height", 1, MIST_MAX_SIDE);
    image->components = (uint32_t)read_integer(reading, root, "components", 1, MIST_MAX_COMPONENTS);
    image->frames = (uint32_t)read_integer(reading, root, "frames", 1, MIST_MAX_FRAMES);
    const json_t *label = json_object_get(root, "label");
    image->label = json_is_true(label);
    if (label && !json_is_boolean(label) && !reading->problem)
        reading->problem = "label";
    read_geometry(reading, root, &image->geometry);
    if (reading->problem)
        return;
    if (image->precision > 8 * mist_sample_size(image->type))
        reading->problem = "precision";
    else if (mist_frame_bytes(image->type, image->width, image->height, image->components) == 0)
        reading->problem = "width";
}

static void read_values(struct reading *reading, const json_t *root, const struct mist_image_info *image,
                        struct value_map *values)
{
    const json_t *object = member(reading, root, "values");
    const char *kind = read_text(reading, object, "map");
    enum mist_sample_type coded = read_type(reading, object, "coded");
    unsigned precision = (unsigned)read_integer(reading, object, "precision", 1, 32);
    *values = value_map_identity(coded, image->components, precision);
    values->source = image->type;
    values->kind = strcmp(kind, value_map_kind_name(VALUE_MAP_LINEAR)) == 0 ? VALUE_MAP_LINEAR : VALUE_MAP_IDENTITY;
    if (values->kind == VALUE_MAP_LINEAR) {
        values->a = read_real(reading, object, "a");
        values->b = read_real(reading, object, "b");
    } else if (strcmp(kind, value_map_kind_name(VALUE_MAP_IDENTITY)) != 0 && !reading->problem) {
        reading->problem = "map";
    }
}

static void read_file(struct reading *reading, const json_t *object, uint32_t frames_left, struct manifest_file *file)
{
    const char *path = read_text(reading, object, "path");
    if (!path_is_safe(path, strlen(path)) && !reading->problem)
        reading->problem = "path";
    file->frames = 1;
    if (json_object_get(object, "frames"))
        file->frames = (uint32_t)read_integer(reading, object, "frames", 1, MIST_MAX_FRAMES);
    if (file->frames > frames_left && !reading->problem)
        reading->problem = "frames";
    if (!reading->problem && !(file->path = memory_copy_text(path)))
        reading->memory = true;
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
    for (uint32_t i = 1; i < manifest->files && !reading->problem; i++) {
        if (strcmp(paths[i - 1], paths[i]) == 0)
            reading->problem = "path";
    }
    memory_free(paths);
}

static void read_files(struct reading *reading, const json_t *root, struct manifest *manifest)
{
    const json_t *array = member(reading, root, "files");
    size_t count = json_array_size(array); /* 0 if it is no array */
    if (reading->problem || count < 1 || count > manifest->image.frames || count > LAYOUT_MAX_FILES) {
        reading->problem = reading->problem ? reading->problem : "files";
        return;
    }
    manifest->file = memory_allocate_zeroed(count, sizeof *manifest->file);
    reading->memory = !manifest->file;
    manifest->files = (uint32_t)count;
    uint32_t frame = 0;
    for (size_t i = 0; i < count && !reading->problem && !reading->memory; i++) {
        manifest->file[i].first_frame = frame;
        read_file(reading, json_array_get(array, i), manifest->image.frames - frame, &manifest->file[i]);
        frame += manifest->file[i].frames;
    }
    if (!reading->problem && frame != manifest->image.frames)
        reading->problem = "frames";
    if (!reading->problem && !reading->memory)
        check_distinct(reading, manifest);
}

/*
 * At least as many values as the text has, those that are nested included: jansson takes up to 200 bytes for each, so
 * they are counted before it reads them.
 */
static size_t count_values(const char *text, size_t size)
{
    size_t count = 1;
    bool quoted = false;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (c == '"')
            quoted = !quoted;
        else if (quoted)
            i += c == '\\'; /* with what it escapes */
        else
            count += c == ',' || c == ':' || c == '[' || c == '{';
    }
    return count;
}

enum mist_status manifest_read(const char *text, size_t size, struct manifest *manifest, struct mist_error *error)
{
    *manifest = (struct manifest){0};
    if (count_values(text, size) > LAYOUT_MAX_VALUES)
        return error_set(error, MIST_ERROR_CORRUPT, "the manifest is damaged: it has more than %u values",
                         LAYOUT_MAX_VALUES);
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    if (!root)
        return error_set(error, MIST_ERROR_CORRUPT, "the manifest is damaged: it is not JSON");
    struct reading reading = {0};
    manifest->kind = read_format(&reading, root);
    manifest->source_bytes = (uint64_t)read_integer(&reading, root, "source_bytes", 0, (int64_t)LAYOUT_MAX_SIZE);
    read_image(&reading, root, &manifest->image);
    read_values(&reading, root, &manifest->image, &manifest->values);
    if (!reading.problem)
        read_files(&reading, root, manifest);
    json_decref(root);
    enum mist_status status = MIST_OK;
    if (reading.memory)
        status = error_set(error, MIST_ERROR_MEMORY, "the manifest: out of memory");
    else if (reading.problem)
        status = error_set(error, MIST_ERROR_CORRUPT, "the manifest is damaged: \"%s\" is missing or makes no sense",
                           reading.problem);
    else
        status = value_map_check(&manifest->values, error);
    if (status)
        manifest_free(manifest);
    return status;
}
