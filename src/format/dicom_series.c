/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/dicom_series.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAME_POSITION 0.01 /* millimetres */

static void normal_of(const struct dicom_header *header, double normal[3])
{
    const double *row = header->row_direction, *column = header->column_direction;
    for (int i = 0; i < 3; i++)
        normal[i] = row[(i + 1) % 3] * column[(i + 2) % 3] - row[(i + 2) % 3] * column[(i + 1) % 3];
}

static int compare_numbers(double a, double b)
{
    return (a > b) - (a < b);
}

static int compare_depth(const void *first, const void *second)
{
    const struct dicom_instance *a = first, *b = second;
    return compare_numbers(a->depth, b->depth);
}

static int compare_all(const void *first, const void *second)
{
    const struct dicom_instance *a = first, *b = second;
    int order = compare_numbers(a->depth, b->depth);
    if (!order)
        order = compare_numbers(a->temporal, b->temporal);
    if (!order)
        order = compare_numbers(a->acquisition, b->acquisition);
    if (!order)
        order = compare_numbers(a->instance, b->instance);
    if (!order)
        order = strcmp(a->input.name, b->input.name);
    return order ? order : compare_numbers(a->index, b->index);
}

void dicom_series_sort(struct dicom_instance *instances, uint32_t count, const struct dicom_header *header)
{
    double normal[3];
    normal_of(header, normal);
    bool placed = true;
    for (uint32_t i = 0; i < count; i++)
        placed = placed && instances[i].has_plane;
    for (uint32_t i = 0; i < count; i++) {
        const double *at = instances[i].position;
        instances[i].depth = placed ? at[0] * normal[0] + at[1] * normal[1] + at[2] * normal[2] : 0;
    }
    /* Depths that differ by rounding are made equal, so that the other criteria decide among them. */
    qsort(instances, count, sizeof *instances, compare_depth);
    for (uint32_t i = 1; i < count; i++)
        if (instances[i].depth - instances[i - 1].depth < SAME_POSITION)
            instances[i].depth = instances[i - 1].depth;
    qsort(instances, count, sizeof *instances, compare_all);
    uint32_t first = 0;
    for (uint32_t i = 0; i < count; i++) {
        instances[i].first = first;
        first += instances[i].frames;
    }
}

static double length_of(const double vector[3])
{
    return sqrt(vector[0] * vector[0] + vector[1] * vector[1] + vector[2] * vector[2]);
}

/* The step from frame to frame, and whether there is one that holds for all frames. */
static bool even_step(const struct dicom_instance *instances, uint32_t count, double step[3])
{
    const struct dicom_instance *first = &instances[0], *last = &instances[count - 1];
    if (count > 1) {
        for (uint32_t i = 0; i < count; i++)
            if (!instances[i].has_plane || instances[i].frames != 1)
                return false;
    } else if (!first->has_plane || !first->regular) {
        return false;
    }
    uint32_t steps = count > 1 ? count - 1 : first->frames - 1;
    for (int k = 0; k < 3; k++)
        step[k] = steps ? (last->last_position[k] - first->position[k]) / steps : 0;
    double distance = length_of(step);
    if (steps && distance < SAME_POSITION)
        return false;
    for (uint32_t i = 1; i < count; i++) {
        double error[3];
        for (int k = 0; k < 3; k++)
            error[k] = instances[i].position[k] - (first->position[k] + i * step[k]);
        if (length_of(error) > distance / 4)
            return false;
    }
    return true;
}

struct mist_geometry dicom_series_geometry(const struct dicom_instance *instances, uint32_t count,
                                           const struct dicom_header *header)
{
    struct mist_geometry geometry = {.spacing = {header->spacing[0], header->spacing[1], header->slice_spacing}};
    double step[3];
    if (header->spacing[0] <= 0 || header->spacing[1] <= 0 || !even_step(instances, count, step))
        return geometry;
    if (length_of(step) > 0) {
        geometry.spacing[2] = length_of(step);
    } else { /* one frame: along the normal, by the thickness or, so that the affine has an inverse, by 1 */
        normal_of(header, step);
        for (int k = 0; k < 3; k++)
            step[k] *= header->slice_spacing > 0 ? header->slice_spacing : 1;
    }
    geometry.has_affine = true;
    for (int k = 0; k < 3; k++) {
        double flip = k < 2 ? -1 : 1; /* DICOM's patient axes are left, posterior, superior (PS3.3, C.7.6.2.1.1) */
        geometry.affine[k][0] = flip * header->row_direction[k] * header->spacing[0] + 0.0; /* no -0 */
        geometry.affine[k][1] = flip * header->column_direction[k] * header->spacing[1] + 0.0;
        geometry.affine[k][2] = flip * step[k] + 0.0;
        geometry.affine[k][3] = flip * instances[0].position[k] + 0.0;
    }
    geometry.affine[3][3] = 1;
    return geometry;
}
