/* SPDX-License-Identifier: BSD-2-Clause */
#include "image/sampling.h"

#include <math.h>

struct sampling sampling_full(void)
{
    return (struct sampling){.factor = {1, 1, 1}};
}

struct sampling sampling_reduce(unsigned reduce, unsigned slice_reduce, bool centered)
{
    double factor = ldexp(1, (int)reduce), offset = centered ? (factor - 1) / 2 : 0;
    return (struct sampling){{factor, factor, ldexp(1, (int)slice_reduce)}, {offset, offset, 0}};
}

void sampling_resize_axis(struct sampling *sampling, unsigned axis, uint32_t size, uint32_t new_size)
{
    /* Pixel areas tile the field of view: new pixel n covers [n, n + 1) * factor, its centre is a half less. */
    double factor = new_size ? (double)size / new_size : 1;
    sampling->factor[axis] = factor;
    sampling->shift[axis] = (factor - 1) / 2;
}

struct sampling sampling_resize(uint32_t width, uint32_t height, uint32_t new_width, uint32_t new_height)
{
    struct sampling sampling = sampling_full();
    sampling_resize_axis(&sampling, 0, width, new_width);
    sampling_resize_axis(&sampling, 1, height, new_height);
    return sampling;
}

struct mist_geometry sampling_geometry(const struct sampling *sampling, const struct mist_geometry *full)
{
    struct mist_geometry made = *full;
    for (int axis = 0; axis < 3; axis++) {
        made.spacing[axis] *= sampling->factor[axis];
        for (int row = 0; full->has_affine && row < 3; row++) {
            made.affine[row][3] += full->affine[row][axis] * sampling->shift[axis];
            made.affine[row][axis] *= sampling->factor[axis];
        }
    }
    return made;
}

struct mist_geometry mist_geometry_reduce(const struct mist_geometry *full, unsigned reduce, bool centered)
{
    struct sampling sampling = sampling_reduce(reduce, 0, centered);
    return sampling_geometry(&sampling, full);
}

struct mist_geometry mist_geometry_resize(const struct mist_geometry *full, uint32_t width, uint32_t height,
                                          uint32_t new_width, uint32_t new_height)
{
    struct sampling sampling = sampling_resize(width, height, new_width, new_height);
    return sampling_geometry(&sampling, full);
}
