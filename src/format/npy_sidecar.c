/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/npy_sidecar.h"

#include "base/error.h"
#include "base/json.h"

#include <math.h>

unsigned npy_axes(const struct mist_image_info *info, const struct dicom_volume_plan *plan,
                  struct npy_axis axes[NPY_MAX_AXES])
{
    const struct npy_axis all[NPY_MAX_AXES] = {{plan ? plan->volumes : 1, "volume"},
                                               {plan ? plan->slices : info->frames, "slice"},
                                               {info->height, "row"},
                                               {info->width, "column"},
                                               {info->components, "component"}};
    unsigned count = 0;
    for (unsigned i = 0; i < NPY_MAX_AXES; i++)
        if (all[i].side != 1 || i == 2 || i == 3)
            axes[count++] = all[i];
    return count;
}

static bool put_row(struct mist_buffer *out, const double *values, unsigned count)
{
    bool good = json_put(out, "[");
    for (unsigned i = 0; i < count && good; i++)
        good = json_put(out, "%s", i ? ", " : "") && json_put_number(out, values[i]);
    return good && json_put(out, "]");
}

static bool put_geometry(struct mist_buffer *out, const struct mist_geometry *geometry)
{
    bool good = true;
    if (geometry->spacing[0] > 0)
        good = json_put(out, ",\n\t\"spacing\": ") && put_row(out, geometry->spacing, 3);
    if (!geometry->has_affine)
        return good;
    good = good && json_put(out, ",\n\t\"affine\": [");
    for (unsigned i = 0; i < 4 && good; i++)
        good = json_put(out, "%s", i ? ",\n\t\t" : "\n\t\t") && put_row(out, geometry->affine[i], 4);
    return good && json_put(out, "\n\t]");
}

enum mist_status npy_sidecar(const struct mist_image_info *info, const struct dicom_volume_plan *plan,
                             const char *units, struct mist_buffer *out, struct mist_error *error)
{
    struct npy_axis axes[NPY_MAX_AXES];
    const unsigned count = npy_axes(info, plan, axes);
    bool good = json_put(out, "{\n\t\"axes\": [");
    for (unsigned i = 0; i < count && good; i++)
        good = json_put(out, "%s", i ? ", " : "") && json_put_string(out, axes[i].name);
    good = good && json_put(out, "]") && put_geometry(out, &info->geometry);
    if (good && *units)
        good = json_put(out, ",\n\t\"units\": ") && json_put_string(out, units);
    if (good && isfinite(plan->repetition) && plan->repetition > 0)
        good = json_put(out, ",\n\t\"RepetitionTime\": ") && json_put_number(out, plan->repetition);
    good = good && json_put(out, "\n}\n");
    return good ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "out of memory");
}
