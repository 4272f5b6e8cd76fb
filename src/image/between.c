/* SPDX-License-Identifier: BSD-2-Clause */
#include "image/between.h"

#include "base/error.h"
#include "base/memory.h"
#include "image/rows.h"

#include <math.h>

enum mist_status resample_between(struct mist_view *here, const struct mist_view *behind, double t,
                                  struct mist_error *error)
{
    double *row = memory_allocate_array(2 * (size_t)here->width, sizeof *row);
    if (!row)
        return error_set(error, MIST_ERROR_MEMORY, "resampling: out of memory");
    double *other = row + here->width;
    for (uint32_t y = 0; y < here->height; y++)
        for (uint32_t c = 0; c < here->components; c++) {
            row_load(here, y, c, row);
            row_load(behind, y, c, other);
            for (uint32_t x = 0; x < here->width; x++)
                if (isfinite(row[x]) && isfinite(other[x]))
                    row[x] = (1 - t) * row[x] + t * other[x];
                else if (t > 0.5)
                    row[x] = other[x];
            row_store(here, y, c, row);
        }
    memory_free(row);
    return MIST_OK;
}
