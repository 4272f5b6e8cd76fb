/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/dicom_volume.h"

#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAME_POSITION 0.01  /* millimetres */
#define SAME_DIRECTION 0.02 /* of a cosine: rounding; localizers differ by far more */
#define EVEN 0.05           /* part of a distance between slices by which distances may differ */
#define STRAIGHT 0.005      /* part of a step from slice to slice that may lie beside the normal */
#define MAX_GROUPS 64u      /* orientations, echoes and components of one series; with more nothing is told apart */
enum { LABELS = 8 };        /* ways to tell volumes apart */

/* A frame while it is being sorted. */
struct placed {
    uint32_t index; /* in the frames given */
    uint32_t group;
    uint32_t cluster; /* of positions, counted along the normal within the group */
    double depth;     /* along the normal */
    double label;     /* of its volume, where volumes are told apart by a label */
    double made;      /* when, as far as it is known: a number that orders all frames of the series */
    double order;     /* of its volume */
    const struct dicom_volume_frame *frame;
};

struct planner {
    const struct dicom_volume_frame *frames;
    uint32_t count;
    const struct dicom_volume_options *options;
    struct placed *placed; /* [count] */
    uint32_t groups;
    uint32_t group_first[MAX_GROUPS + 1]; /* a frame of each group */
    struct dicom_volume_plans *plans;
    uint32_t room; /* for plans */
    struct mist_error *error;
};

static enum mist_status out_of_memory(struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "out of memory");
}

/* ---- order of frames ---- */

static int compare(double a, double b)
{
    return (a > b) - (a < b);
}

/* Unknown numbers are one with each other and before all others. */
static double known(double value)
{
    return isfinite(value) ? value : -HUGE_VAL;
}

/* The order in which frames were made, as far as anything tells; 0 where nothing does. */
static int compare_numbers(const struct placed *a, const struct placed *b)
{
    const struct dicom_frame_info *x = a->frame->info, *y = b->frame->info;
    int order = compare(x->temporal_position, y->temporal_position);
    if (!order)
        order = compare(x->acquisition, y->acquisition);
    if (!order)
        order = compare(known(x->acquisition_time), known(y->acquisition_time));
    if (!order)
        order = compare(known(x->trigger_time), known(y->trigger_time));
    if (!order)
        order = compare(x->segment, y->segment);
    return order ? order : compare(x->instance, y->instance);
}

static int compare_made(const struct placed *a, const struct placed *b)
{
    int order = compare_numbers(a, b);
    return order ? order : compare(a->index, b->index);
}

static int by_instance(const void *first, const void *second)
{
    const struct placed *a = first, *b = second;
    int order = compare(a->frame->info->instance, b->frame->info->instance);
    return order ? order : compare(a->index, b->index);
}

static int by_depth(const void *first, const void *second)
{
    const struct placed *a = first, *b = second;
    int order = compare(a->group, b->group);
    return order ? order : compare(a->depth, b->depth);
}

static int by_cluster(const void *first, const void *second)
{
    const struct placed *a = first, *b = second;
    int order = compare(a->group, b->group);
    if (!order)
        order = compare(a->cluster, b->cluster);
    if (!order)
        order = compare(a->order, b->order);
    return order ? order : compare_made(a, b);
}

static int by_identity(const void *first, const void *second)
{
    const struct placed *a = first, *b = second;
    int order = compare(a->group, b->group);
    if (!order)
        order = compare(a->cluster, b->cluster);
    if (!order)
        order = (a->frame->identity > b->frame->identity) - (a->frame->identity < b->frame->identity);
    return order ? order : compare_made(a, b);
}

static int compare_content(const struct placed *a, const struct placed *b)
{
    int order = compare(a->group, b->group);
    if (!order)
        order = compare(a->cluster, b->cluster);
    if (!order)
        order = (a->frame->content > b->frame->content) - (a->frame->content < b->frame->content);
    if (!order)
        order = compare_numbers(a, b);
    return order ? order : compare(known(a->frame->info->b_value), known(b->frame->info->b_value));
}

static int by_content(const void *first, const void *second)
{
    int order = compare_content(first, second);
    return order ? order : compare(((const struct placed *)first)->index, ((const struct placed *)second)->index);
}

static int by_label(const void *first, const void *second)
{
    const struct placed *a = first, *b = second;
    int order = compare(a->label, b->label);
    return order ? order : compare(a->cluster, b->cluster);
}

static int by_volume(const void *first, const void *second)
{
    const struct placed *a = first, *b = second;
    int order = compare(a->order, b->order);
    if (!order)
        order = compare(a->label, b->label);
    return order ? order : compare(a->cluster, b->cluster);
}

/* ---- groups ---- */

static void normal_of(const struct dicom_frame_info *info, double normal[3])
{
    const double *row = info->row_direction, *column = info->column_direction;
    for (int i = 0; i < 3; i++)
        normal[i] = row[(i + 1) % 3] * column[(i + 2) % 3] - row[(i + 2) % 3] * column[(i + 1) % 3];
}

static double dot(const double a[3], const double b[3])
{
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

static bool has_place(const struct dicom_frame_info *info)
{
    return info->has_position && info->has_directions;
}

static bool same_directions(const struct dicom_frame_info *a, const struct dicom_frame_info *b)
{
    if (has_place(a) != has_place(b))
        return false;
    for (int i = 0; i < 3 && has_place(a); i++)
        if (fabs(a->row_direction[i] - b->row_direction[i]) > SAME_DIRECTION ||
            fabs(a->column_direction[i] - b->column_direction[i]) > SAME_DIRECTION)
            return false;
    return true;
}

static bool same_echo(const struct dicom_frame_info *a, const struct dicom_frame_info *b)
{
    return a->echo == b->echo && compare(known(a->echo_time), known(b->echo_time)) == 0;
}

static char component_of(const struct dicom_volume_frame *frame)
{
    return frame->component == 'M' ? 0 : frame->component;
}

static bool same_group(const struct dicom_volume_frame *a, const struct dicom_volume_frame *b)
{
    return component_of(a) == component_of(b) && same_echo(a->info, b->info) && same_directions(a->info, b->info);
}

static void assign_groups(struct planner *planner)
{
    const struct dicom_volume_frame *frames = planner->frames;
    for (uint32_t i = 0; i < planner->count; i++) {
        uint32_t group = 0;
        /* Frames mostly come in runs of one group. */
        uint32_t last = i ? planner->placed[i - 1].group : 0;
        if (i && same_group(&frames[planner->group_first[last]], &frames[i]))
            group = last;
        else
            while (group < planner->groups && !same_group(&frames[planner->group_first[group]], &frames[i]))
                group++;
        if (group == planner->groups)
            planner->group_first[planner->groups++] = i;
        planner->placed[i].group = group;
        if (planner->groups <= MAX_GROUPS)
            continue;
        planner->groups = 1;
        for (uint32_t k = 0; k < planner->count; k++)
            planner->placed[k].group = 0;
        return;
    }
}

/* Depths along the normal of the group's first frame; where a frame of the group has no place, none has a depth. */
static void place(struct planner *planner, bool together)
{
    for (uint32_t i = 0; i < planner->count; i++) {
        struct placed *placed = &planner->placed[i];
        const struct dicom_frame_info *info = placed->frame->info;
        double normal[3];
        normal_of(planner->frames[planner->group_first[placed->group]].info, normal);
        placed->depth = together && has_place(info) ? dot(info->position, normal) : 0;
    }
    qsort(planner->placed, planner->count, sizeof *planner->placed, by_depth);
    for (uint32_t i = 0; i < planner->count; i++) {
        struct placed *placed = &planner->placed[i];
        bool first = i == 0 || placed[-1].group != placed->group;
        bool apart = !first && placed->depth - placed[-1].depth >= SAME_POSITION;
        placed->cluster = first ? 0 : placed[-1].cluster + apart;
    }
}

/* Marks frames that are the same as another one by taking them out of `placed`. */
static void drop_duplicates(struct planner *planner)
{
    for (int pass = 0; pass < 2; pass++) {
        struct placed *placed = planner->placed;
        uint32_t kept = 0;
        qsort(placed, planner->count, sizeof *placed, pass ? by_content : by_identity);
        for (uint32_t i = 0; i < planner->count; i++) {
            const struct placed *last = kept ? &placed[kept - 1] : NULL;
            bool same = last && last->group == placed[i].group && last->cluster == placed[i].cluster;
            if (same && pass == 0)
                same = placed[i].frame->identity && placed[i].frame->identity == last->frame->identity &&
                       compare_numbers(last, &placed[i]) == 0;
            else if (same)
                same = placed[i].frame->content && has_place(placed[i].frame->info) &&
                       last->frame->file != placed[i].frame->file && compare_content(last, &placed[i]) == 0;
            if (!same)
                placed[kept++] = placed[i];
        }
        planner->plans->duplicates += planner->count - kept;
        planner->count = kept;
    }
}

/* ---- volumes ---- */

static double label_of(const struct dicom_frame_info *info, int kind)
{
    switch (kind) {
    case 0:
        return info->temporal_position;
    case 1:
        return info->acquisition;
    case 2:
        return known(info->acquisition_time);
    case 3:
        return known(info->trigger_time);
    case 4:
        return known(info->b_value);
    case 5:
        return known(info->content_time);
    case 6:
        return info->segment;
    default:
        return known(info->inversion_time);
    }
}

/*
 * Whether a label tells `volumes` volumes apart: no volume has a position twice. Sets label and order of each frame and
 * sorts them; *complete: volumes that have all positions; those come first.
 */
static bool try_label(const struct planner *planner, struct placed *placed, uint32_t count, uint32_t positions,
                      uint32_t volumes, int kind, uint32_t *complete)
{
    for (uint32_t i = 0; i < count; i++)
        placed[i].label = label_of(placed[i].frame->info, kind);
    qsort(placed, count, sizeof *placed, by_label);
    uint32_t found = 0;
    *complete = 0;
    for (uint32_t start = 0, end; start < count; start = end, found++) {
        double least = placed[start].made;
        for (end = start + 1; end < count && compare(placed[end].label, placed[start].label) == 0; end++) {
            if (placed[end].cluster == placed[end - 1].cluster)
                return false;
            least = fmin(least, placed[end].made);
        }
        bool whole = end - start == positions;
        *complete += whole;
        for (uint32_t i = start; i < end; i++)
            placed[i].order = whole ? least : HUGE_VAL;
    }
    if (found != volumes || *complete == 0)
        return false;
    qsort(placed, count, sizeof *placed, by_volume);
    return true;
}

/* Frames of each position in the order in which they were made: the first ones are volume 0, and so on. */
static void rank(const struct planner *planner, struct placed *placed, uint32_t count, uint32_t complete)
{
    for (uint32_t i = 0; i < count; i++)
        placed[i].order = placed[i].made;
    qsort(placed, count, sizeof *placed, by_cluster);
    for (uint32_t i = 0, nth = 0; i < count; i++) {
        nth = i && placed[i].cluster == placed[i - 1].cluster ? nth + 1 : 0;
        placed[i].label = 0;
        placed[i].order = nth < complete ? nth : HUGE_VAL;
    }
    qsort(placed, count, sizeof *placed, by_volume);
}

/* Sorts the frames of a group into volumes; *volumes are complete, and what remains is behind them. */
static void find_volumes(const struct planner *planner, struct placed *placed, uint32_t count, uint32_t *positions,
                         uint32_t *volumes)
{
    uint32_t most = 0, least = UINT32_MAX, run = 0;
    *positions = 0;
    for (uint32_t i = 0; i < count; i++) {
        run = i && placed[i].cluster == placed[i - 1].cluster ? run + 1 : 1;
        if (i + 1 == count || placed[i + 1].cluster != placed[i].cluster) {
            ++*positions;
            most = run > most ? run : most;
            least = run < least ? run : least;
        }
    }
    *volumes = 1;
    if (most == 1)
        return;
    for (int kind = 0; kind < LABELS; kind++)
        if (try_label(planner, placed, count, *positions, most, kind, volumes))
            return;
    *volumes = least;
    rank(planner, placed, count, least);
}

/* ---- what a plan says ---- */

static void warn(struct dicom_volume_plan *plan, const char *format, double a, double b, double c)
{
    size_t length = strlen(plan->warning);
    if (length + 3 >= sizeof plan->warning)
        return;
    if (length)
        length += (size_t)snprintf(plan->warning + length, sizeof plan->warning - length, "; ");
    /* NOLINTNEXTLINE(clang-diagnostic-format-nonliteral) */
    snprintf(plan->warning + length, sizeof plan->warning - length, format, a, b, c);
}

static int compare_doubles(const void *a, const void *b)
{
    return compare(*(const double *)a, *(const double *)b);
}

/*
 * The distance of slices along the normal. Where they are even, their mean. Otherwise that of the first two, as
 * dcm2niix has it, unless it is not that of most slices (a gap behind the first one): then the median.
 */
static double distance_of(const double *depths, double *room, uint32_t slices, struct dicom_volume_plan *plan)
{
    double mean = (depths[slices - 1] - depths[0]) / (slices - 1), least = HUGE_VAL, most = 0;
    for (uint32_t i = 1; i < slices; i++) {
        room[i - 1] = fabs(depths[i] - depths[i - 1]);
        least = fmin(least, room[i - 1]);
        most = fmax(most, room[i - 1]);
    }
    if (most - fabs(mean) <= EVEN * fabs(mean) && fabs(mean) - least <= EVEN * fabs(mean))
        return mean;
    double first = room[0], sign = mean < 0 ? -1 : 1;
    qsort(room, slices - 1, sizeof *room, compare_doubles);
    double median = room[(slices - 1) / 2];
    double taken = fabs(first - median) <= EVEN * median ? first : median;
    warn(plan, "slices are %.4g to %.4g mm apart (missing ones?): the affine has %.4g mm for all", least, most, taken);
    return sign * taken;
}

static enum mist_status find_step(const struct planner *planner, struct dicom_volume_plan *plan, double step[3])
{
    const struct dicom_frame_info *first = planner->frames[plan->frame[0]].info;
    const struct dicom_frame_info *last = planner->frames[plan->frame[plan->slices - 1]].info;
    double normal[3], between = fabs(first->slice_spacing), thick = fabs(first->slice_thickness);
    normal_of(first, normal);
    plan->slice_distance = between > 0 && isfinite(between) ? between : thick > 0 && isfinite(thick) ? thick : 1;
    if (plan->slices > 1) {
        double *depths = memory_allocate_zeroed(2 * (size_t)plan->slices, sizeof *depths);
        if (!depths)
            return out_of_memory(planner->error);
        for (uint32_t i = 0; i < plan->slices; i++)
            depths[i] = dot(planner->frames[plan->frame[i]].info->position, normal);
        plan->slice_distance = distance_of(depths, depths + plan->slices, plan->slices, plan);
        memory_free(depths);
    }
    double along = 0, beside = 0, way[3];
    for (int k = 0; k < 3; k++)
        way[k] = last->position[k] - first->position[k];
    along = dot(way, normal);
    for (int k = 0; k < 3; k++)
        beside += pow(way[k] - along * normal[k], 2);
    beside = sqrt(beside);
    bool straight = plan->slices < 2 || beside <= STRAIGHT * fabs(along);
    for (int k = 0; k < 3; k++)
        step[k] = plan->slice_distance * (straight ? normal[k] : way[k] / along);
    plan->slice_distance = fabs(plan->slice_distance);
    if (straight)
        return MIST_OK;
    plan->tilt = atan2(beside, fabs(along)) * 180 / 3.14159265358979323846;
    warn(plan, "slices are tilted by %.3g degrees against their normal: the affine is sheared accordingly", plan->tilt,
         0, 0);
    return MIST_OK;
}

static enum mist_status find_geometry(const struct planner *planner, struct dicom_volume_plan *plan, bool placed)
{
    const struct dicom_frame_info *first = planner->frames[plan->frame[0]].info;
    struct mist_geometry *geometry = &plan->geometry;
    double between = fabs(first->slice_spacing), thick = fabs(first->slice_thickness), step[3];
    for (int i = 0; i < 2; i++)
        geometry->spacing[i] = first->spacing[i] > 0 && isfinite(first->spacing[i]) ? first->spacing[i] : 0;
    geometry->spacing[2] = between > 0 && isfinite(between) ? between : isfinite(thick) ? thick : 0;
    plan->slice_distance = geometry->spacing[2];
    if (!placed || !has_place(first) || geometry->spacing[0] <= 0 || geometry->spacing[1] <= 0) {
        if (plan->slices > 1 || has_place(first))
            warn(plan, "where the slices lie is not known: no affine", 0, 0, 0);
        return MIST_OK;
    }
    enum mist_status status = find_step(planner, plan, step);
    if (status)
        return status;
    geometry->has_affine = true;
    geometry->spacing[2] = sqrt(dot(step, step));
    for (int k = 0; k < 3; k++) {
        double flip = k < 2 ? -1 : 1; /* DICOM's patient axes are left, posterior, superior (PS3.3, C.7.6.2.1.1) */
        geometry->affine[k][0] = flip * first->row_direction[k] * geometry->spacing[0] + 0.0; /* no -0 */
        geometry->affine[k][1] = flip * first->column_direction[k] * geometry->spacing[1] + 0.0;
        geometry->affine[k][2] = flip * step[k] + 0.0;
        geometry->affine[k][3] = flip * first->position[k] + 0.0;
    }
    geometry->affine[3][3] = 1;
    return MIST_OK;
}

/* The clock where it is known and says something else than RepetitionTime, as dcm2niix does. */
static void find_repetition(const struct planner *planner, struct dicom_volume_plan *plan)
{
    const struct dicom_frame_info *first = planner->frames[plan->frame[0]].info;
    double said = first->repetition_time / 1000, clock = 0;
    if (!(isfinite(said) && said > 0))
        said = 0;
    if (plan->volumes > 1) {
        const uint32_t last = plan->frame[(size_t)(plan->volumes - 1) * plan->slices];
        clock = (planner->frames[last].info->acquisition_time - first->acquisition_time) / (plan->volumes - 1);
    }
    bool differs = isfinite(clock) && clock > 0 && (said <= 0 || fabs(clock - said) > EVEN * said);
    plan->repetition = differs ? clock : said;
    if (differs && said > 0)
        warn(plan, "volumes are %.4g s apart by their times, but RepetitionTime is %.4g s", clock, said, 0);
}

static void scale_of(const struct planner *planner, const struct dicom_frame_info *info, double scale[2])
{
    scale[0] = isfinite(info->slope) && info->slope != 0 ? info->slope : 1;
    scale[1] = isfinite(info->intercept) ? info->intercept : 0;
    double philips = planner->options->philips_scale;
    if (isfinite(philips) && philips > 0) { /* floating-point values of the scanner: Chenevert et al. 2014 */
        scale[1] /= scale[0] * philips;
        scale[0] = 1 / philips;
    }
}

static enum mist_status find_scale(const struct planner *planner, struct dicom_volume_plan *plan)
{
    size_t frames = (size_t)plan->slices * plan->volumes;
    double first[2], scale[2];
    bool varies = false;
    scale_of(planner, planner->frames[plan->frame[0]].info, first);
    for (size_t i = 0; i < frames && !varies; i++) {
        scale_of(planner, planner->frames[plan->frame[i]].info, scale);
        varies = scale[0] != first[0] || scale[1] != first[1];
    }
    plan->slope = varies ? 1 : first[0];
    plan->intercept = varies ? 0 : first[1];
    snprintf(plan->units, sizeof plan->units, "%s", planner->frames[plan->frame[0]].info->units);
    if (!varies)
        return MIST_OK;
    plan->scales = memory_allocate_zeroed(frames, 2 * sizeof *plan->scales);
    if (!plan->scales)
        return out_of_memory(planner->error);
    for (size_t i = 0; i < frames; i++)
        scale_of(planner, planner->frames[plan->frame[i]].info, plan->scales + 2 * i);
    return MIST_OK;
}

/* What tells this plan's file from those of the other groups. */
static void name_plan(const struct planner *planner, struct dicom_volume_plan *plan, bool rest)
{
    const struct dicom_volume_frame *first = &planner->frames[plan->frame[0]];
    bool echoes = false, directions = false, components = false;
    for (uint32_t i = 0; i < planner->groups && planner->groups > 1; i++) {
        const struct dicom_volume_frame *other = &planner->frames[planner->group_first[i]];
        echoes |= !same_echo(first->info, other->info);
        directions |= !same_directions(first->info, other->info);
        components |= component_of(first) != component_of(other);
    }
    char *at = plan->suffix;
    size_t room = sizeof plan->suffix;
    int echo = first->info->echo                  ? first->info->echo
               : isfinite(first->info->echo_time) ? (int)fmin(fmax(first->info->echo_time, 0), 99999)
                                                  : 0;
    int32_t least = first->info->instance;
    for (size_t i = 0; i < (size_t)plan->slices * plan->volumes; i++) {
        int32_t own = planner->frames[plan->frame[i]].info->instance;
        least = own < least ? own : least;
    }
    int length = 0;
    if (directions)
        length += snprintf(at + length, room - (size_t)length, "_i%05d", (int)least);
    if (echoes)
        length += snprintf(at + length, room - (size_t)length, "_e%d", echo);
    if (components && component_of(first))
        length += snprintf(at + length, room - (size_t)length, "%s",
                           first->component == 'P'   ? "_ph"
                           : first->component == 'R' ? "_real"
                                                     : "_imaginary");
    if (rest)
        snprintf(at + length, room - (size_t)length, "_rest");
}

static struct dicom_volume_plan *new_plan(struct planner *planner)
{
    struct dicom_volume_plans *plans = planner->plans;
    if (plans->count == planner->room) {
        uint32_t room = planner->room ? 2 * planner->room : 4;
        struct dicom_volume_plan *more = memory_allocate_zeroed(room, sizeof *more);
        if (!more)
            return NULL;
        if (plans->count)
            memcpy(more, plans->plan, plans->count * sizeof *more);
        memory_free(plans->plan);
        plans->plan = more;
        planner->room = room;
    }
    return &plans->plan[plans->count++];
}

static uint8_t dim_info_of(const struct dicom_volume_options *options)
{
    unsigned phase = options->phase_encoding == 'R' ? 1 : options->phase_encoding == 'C' ? 2 : 0;
    return (uint8_t)(phase ? (3 - phase) | phase << 2 | 3u << 4 : 0); /* FPS_INTO_DIM_INFO() of nifti1.h */
}

/* Adds a plan of sorted frames. `rest`: what no complete volume could be made of. */
static enum mist_status add_plan(struct planner *planner, const struct placed *placed, uint32_t slices,
                                 uint32_t volumes, bool has_places, bool rest)
{
    struct dicom_volume_plan *plan = new_plan(planner);
    if (!plan)
        return out_of_memory(planner->error);
    *plan = (struct dicom_volume_plan){.slices = slices, .volumes = volumes};
    plan->frame = memory_allocate_zeroed((size_t)slices * volumes, sizeof *plan->frame);
    if (!plan->frame)
        return out_of_memory(planner->error);
    /* Mosaics are written in the order of their tiles, which the normal of the slices may be against. */
    bool backwards = slices > 1 && placed[0].frame->tile > placed[slices - 1].frame->tile;
    for (uint32_t v = 0; v < volumes; v++)
        for (uint32_t s = 0; s < slices; s++)
            plan->frame[(size_t)v * slices + s] = placed[(size_t)v * slices + (backwards ? slices - 1 - s : s)].index;
    if (rest)
        warn(plan, "%.0f frames belong to volumes that lack slices: they are in a file of their own",
             (double)slices * volumes, 0, 0);
    enum mist_status status = find_geometry(planner, plan, has_places);
    if (!status)
        status = find_scale(planner, plan);
    if (status)
        return status;
    plan->flip = plan->geometry.has_affine || !planner->options->acquired_3d;
    find_repetition(planner, plan);
    name_plan(planner, plan, rest);
    plan->dim_info = dim_info_of(planner->options);
    return MIST_OK;
}

/* Frames that no complete volume could be made of: slices at positions of their own, or a mere list. */
static enum mist_status add_rest(struct planner *planner, struct placed *placed, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        placed[i].order = placed[i].made;
    qsort(placed, count, sizeof *placed, by_cluster);
    bool apart = true;
    for (uint32_t i = 1; i < count; i++)
        apart = apart && placed[i].cluster != placed[i - 1].cluster;
    return add_plan(planner, placed, count, 1, apart, true);
}

static enum mist_status plan_group(struct planner *planner, struct placed *placed, uint32_t count, bool together)
{
    bool places = together;
    for (uint32_t i = 0; i < count; i++)
        places = places && has_place(placed[i].frame->info);
    if (!places)
        return add_plan(planner, placed, count, 1, false, false);
    uint32_t positions, volumes;
    find_volumes(planner, placed, count, &positions, &volumes);
    uint32_t taken = positions * volumes;
    enum mist_status status = add_plan(planner, placed, positions, volumes, true, false);
    return status || taken == count ? status : add_rest(planner, placed + taken, count - taken);
}

static int by_made(const void *first, const void *second)
{
    return compare_made(first, second);
}

/* Instance numbers decide, as for dcm2niix, where they are all different; all else that is known where not. */
static void order_in_time(struct placed *placed, uint32_t count)
{
    bool numbered = true;
    qsort(placed, count, sizeof *placed, by_instance);
    for (uint32_t i = 1; i < count; i++)
        numbered = numbered && placed[i].frame->info->instance != placed[i - 1].frame->info->instance;
    if (!numbered)
        qsort(placed, count, sizeof *placed, by_made);
    for (uint32_t i = 0; i < count; i++)
        placed[i].order = placed[i].made = i;
}

static enum mist_status plan_all(struct planner *planner)
{
    assign_groups(planner);
    uint32_t used = 0;
    for (uint32_t i = 0; i < planner->count; i++)
        if (!planner->frames[i].copy)
            planner->placed[used++] = planner->placed[i];
        else
            planner->plans->duplicates++;
    planner->count = used;
    if (used == 0)
        return error_set(planner->error, MIST_ERROR_ARGUMENT, "a DICOM series without frames");
    bool together = planner->groups > 1;
    for (uint32_t i = 0; i < used && !together; i++)
        if (!same_directions(planner->frames[0].info, planner->placed[i].frame->info))
            break;
        else if (i + 1 == used)
            together = true;
    place(planner, together);
    drop_duplicates(planner);
    order_in_time(planner->placed, planner->count);
    qsort(planner->placed, planner->count, sizeof *planner->placed, by_cluster);
    enum mist_status status = MIST_OK;
    for (uint32_t start = 0, end; start < planner->count && !status; start = end) {
        for (end = start + 1; end < planner->count && planner->placed[end].group == planner->placed[start].group;)
            end++;
        status = plan_group(planner, planner->placed + start, end - start, together);
    }
    return status;
}

enum mist_status dicom_volume_plan(const struct dicom_volume_frame *frames, uint32_t count,
                                   const struct dicom_volume_options *options, struct dicom_volume_plans *plans,
                                   struct mist_error *error)
{
    static const struct dicom_volume_options nothing = {0};
    *plans = (struct dicom_volume_plans){0};
    if (count == 0 || count > MIST_MAX_FRAMES)
        return error_set(error, MIST_ERROR_ARGUMENT, "a DICOM series of %u frames", count);
    struct planner planner = {
        .frames = frames, .count = count, .options = options ? options : &nothing, .plans = plans, .error = error};
    planner.placed = memory_allocate_zeroed(count, sizeof *planner.placed);
    if (!planner.placed)
        return out_of_memory(error);
    for (uint32_t i = 0; i < count; i++) {
        planner.placed[i].index = i;
        planner.placed[i].frame = &frames[i];
    }
    enum mist_status status = plan_all(&planner);
    memory_free(planner.placed);
    if (status)
        dicom_volume_plans_free(plans);
    return status;
}

void dicom_volume_plans_free(struct dicom_volume_plans *plans)
{
    for (uint32_t i = 0; i < plans->count; i++) {
        memory_free(plans->plan[i].frame);
        memory_free(plans->plan[i].scales);
    }
    memory_free(plans->plan);
    *plans = (struct dicom_volume_plans){0};
}

struct mist_geometry dicom_volume_flip(const struct mist_geometry *geometry, uint32_t height)
{
    struct mist_geometry flipped = *geometry;
    for (int k = 0; k < 3 && geometry->has_affine; k++) {
        flipped.affine[k][3] += geometry->affine[k][1] * (height - 1.0);
        flipped.affine[k][1] = 0.0 - geometry->affine[k][1];
    }
    return flipped;
}
