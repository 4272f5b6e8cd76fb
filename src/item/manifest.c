/* SPDX-License-Identifier: BSD-2-Clause */
#include "item/manifest.h"

#include "base/memory.h"

void manifest_free(struct manifest *manifest)
{
    for (uint32_t i = 0; manifest->file && i < manifest->files; i++)
        memory_free(manifest->file[i].path);
    memory_free(manifest->file);
    value_map_free(&manifest->values);
    *manifest = (struct manifest){0};
}

struct manifest_coding manifest_coding(const struct manifest *manifest)
{
    const struct value_map *values = &manifest->values;
    struct manifest_coding coding = {
        .type = values->coded,
        .precision = values->precision,
        .is_signed = mist_sample_is_signed(values->coded),
        .components = manifest->image.components,
    };
    if (manifest->image.label && !coding.is_signed && coding.precision < 32) {
        coding.is_signed = true;
        coding.precision++;
        coding.type = coding.precision <= 8 ? MIST_S8 : coding.precision <= 16 ? MIST_S16 : MIST_S32;
    }
    return coding;
}
