/* SPDX-License-Identifier: BSD-2-Clause */
#include <mist/image.h>

#include <math.h>

/*
 * The geometry of samples that are `scale` times as far apart in-plane and whose first one lies `shift` full-resolution
 * samples right and below the full-resolution first one.
 */
static struct mist_geometry regrid(const struct mist_geometry *full, const double scale[2], const double shift[2])
{
    struct mist_geometry made = *full;
    for (int axis = 0; axis < 2; axis++) {
        made.spacing[axis] *= scale[axis];
        for (int row = 0; full->has_affine && row < 3; row++) {
            made.affine[row][3] += full->affine[row][axis] * shift[axis];
            made.affine[row][axis] *= scale[axis];
        }
    }
    return made;
}

struct mist_geometry mist_geometry_reduce(const struct mist_geometry *full, unsigned reduce, bool centered)
{
    double factor = ldexp(1, (int)reduce), offset = centered ? (factor - 1) / 2 : 0;
    return regrid(full, (double[]){factor, factor}, (double[]){offset, offset});
}

struct mist_geometry mist_geometry_resize(const struct mist_geometry *full, uint32_t width, uint32_t height,
                                          uint32_t new_width, uint32_t new_height)
{
    /* Pixel areas tile the field of view: new pixel n covers [n, n + 1) * scale, its centre is a half less. */
    double x = new_width ? (double)width / new_width : 1, y = new_height ? (double)height / new_height : 1;
    return regrid(full, (double[]){x, y}, (double[]){(x - 1) / 2, (y - 1) / 2});
}
