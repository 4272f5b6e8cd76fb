/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/error.h"
#include "base/memory.h"
#include "item/manifest.h"

#include <jansson.h>
#include <math.h>

/* Each takes the value over and is false when memory is short. */
static bool put(json_t *object, const char *name, json_t *value)
{
    return json_object_set_new(object, name, value) == 0;
}
static bool put_integer(json_t *object, const char *name, int64_t value)
{
    return put(object, name, json_integer(value));
}

static json_t *numbers(const double *values, size_t count)
{
    json_t *array = json_array();
    bool good = array != NULL;
    for (size_t i = 0; good && i < count; i++)
        good = json_array_append_new(array, json_real(isfinite(values[i]) ? values[i] : 0)) == 0;
    if (!good)
        json_decref(array);
    return good ? array : NULL;
}

/* JSON has no infinities and NaNs: an affine that holds one places nothing and is left out. */
static json_t *write_geometry(const struct mist_geometry *geometry)
{
    json_t *object = json_object();
    bool has_affine = geometry->has_affine;
    for (int i = 0; i < 12; i++)
        has_affine = has_affine && isfinite(geometry->affine[i / 4][i % 4]);
    bool good = object && put(object, "spacing", numbers(geometry->spacing, 3));
    if (good && has_affine)
        good = put(object, "affine", numbers(&geometry->affine[0][0], 12));
    if (!good)
        json_decref(object);
    return good ? object : NULL;
}

static json_t *write_values(const struct value_map *values)
{
    json_t *object = json_object();
    bool good = object && put(object, "map", json_string(value_map_kind_name(values->kind))) &&
                put(object, "coded", json_string(mist_sample_name(values->coded))) &&
                put_integer(object, "precision", values->precision);
    if (good && values->kind == VALUE_MAP_LINEAR)
        good = put(object, "a", json_real(values->a)) && put(object, "b", json_real(values->b));
    if (!good)
        json_decref(object);
    return good ? object : NULL;
}

static json_t *write_files(const struct manifest *manifest)
{
    json_t *array = json_array();
    bool good = array != NULL;
    for (uint32_t i = 0; good && i < manifest->files; i++) {
        json_t *object = json_object();
        good = object && put(object, "path", json_string(manifest->file[i].path)) &&
               (manifest->file[i].frames == 1 || put_integer(object, "frames", manifest->file[i].frames));
        if (good)
            good = json_array_append_new(array, object) == 0;
        else
            json_decref(object);
    }
    if (!good)
        json_decref(array);
    return good ? array : NULL;
}

static json_t *write_all(const struct manifest *manifest)
{
    const struct mist_image_info *image = &manifest->image;
    json_t *root = json_object();
    bool good = root && put(root, "format", json_string(format_name(manifest->kind))) &&
                put(root, "type", json_string(mist_sample_name(image->type))) &&
                put_integer(root, "precision", image->precision) && put_integer(root, "width", image->width) &&
                put_integer(root, "height", image->height) && put_integer(root, "components", image->components) &&
                put_integer(root, "frames", image->frames) && (!image->label || put(root, "label", json_true())) &&
                put(root, "geometry", write_geometry(&image->geometry)) &&
                put(root, "values", write_values(&manifest->values)) &&
                put_integer(root, "source_bytes", (int64_t)manifest->source_bytes) &&
                put(root, "files", write_files(manifest));
    if (!good)
        json_decref(root);
    return good ? root : NULL;
}

static int append_text(const char *text, size_t size, void *context)
{
    return buffer_append((struct mist_buffer *)context, text, size) ? 0 : -1;
}

enum mist_status manifest_write(const struct manifest *manifest, struct mist_buffer *out, struct mist_error *error)
{
    out->size = 0;
    json_t *root = write_all(manifest);
    bool good = root && json_dump_callback(root, append_text, out, JSON_COMPACT) == 0;
    json_decref(root);
    return good ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "the manifest: out of memory");
}
