/* SPDX-License-Identifier: BSD-2-Clause */
#include "convert/volume_depth.h"

#include "base/error.h"
#include "base/memory.h"

#include <math.h>

/* The slices of a volume that can be had. */
struct stack {
    const uint32_t *frame; /* [slices], of the item */
    const bool *had;       /* of all frames of the item */
    uint32_t slices;
};

/* The last slice up to `place` that can be had; stack->slices where there is none. */
static uint32_t before(const struct stack *stack, uint32_t place)
{
    for (uint32_t i = place + 1; i-- > 0;)
        if (stack->had[stack->frame[i]])
            return i;
    return stack->slices;
}

/* The first slice from `place` on that can be had; stack->slices where there is none. */
static uint32_t behind(const struct stack *stack, uint32_t place)
{
    while (place < stack->slices && !stack->had[stack->frame[place]])
        place++;
    return place;
}

/* What lies `at` slices behind the first one; false where nothing can be had. */
static bool find_slices(const struct stack *stack, double at, struct regrid_source *source, uint32_t places[2])
{
    const uint32_t last = stack->slices - 1;
    at = !(at > 0) ? 0 : at > last ? last : at;
    uint32_t first = before(stack, (uint32_t)floor(at)), next = behind(stack, (uint32_t)ceil(at));
    if (first == stack->slices && next == stack->slices)
        return false;
    if (first == stack->slices)
        first = next;
    if (next == stack->slices)
        next = first;
    const double way = next > first ? (at - first) / (next - first) : 0;
    places[0] = first;
    places[1] = way > 0 ? next : first;
    *source = (struct regrid_source){stack->frame[places[0]], stack->frame[places[1]], way > 0 ? way : 0};
    return true;
}

enum mist_status volume_depth_plan(const struct dicom_volume_plan *plan, uint32_t depth, bool label, const bool *had,
                                   struct volume_depth *made, struct mist_error *error)
{
    const uint64_t frames = (uint64_t)depth * plan->volumes;
    *made = (struct volume_depth){.plan = *plan, .sampling = sampling_full()};
    if (frames > MIST_MAX_FRAMES)
        return error_set(error, MIST_ERROR_LIMIT, "%llu frames; at most %u are written", (unsigned long long)frames,
                         MIST_MAX_FRAMES);
    sampling_resize_axis(&made->sampling, 2, plan->slices, depth);
    made->plan.slices = depth;
    made->plan.slice_distance *= made->sampling.factor[2];
    made->plan.frame = NULL;
    made->plan.scales = NULL;
    made->source = memory_allocate_array(frames, sizeof *made->source);
    made->places = memory_allocate_array(frames, sizeof *made->places);
    if (!made->source || !made->places)
        return error_set(error, MIST_ERROR_MEMORY, "out of memory");
    for (uint32_t n = 0; n < frames; n++) {
        const uint32_t volume = n / depth * plan->slices, slice = n % depth;
        const struct stack stack = {plan->frame + volume, had, plan->slices};
        const double at = label ? floor((2.0 * slice + 1) * plan->slices / (2.0 * depth))
                                : made->sampling.shift[2] + made->sampling.factor[2] * slice;
        if (!find_slices(&stack, at, &made->source[n], made->places[n]))
            return error_set(error, MIST_ERROR_NOT_FOUND, "no slice of a volume can be had");
        made->places[n][0] += volume;
        made->places[n][1] += volume;
    }
    return MIST_OK;
}

void volume_depth_free(struct volume_depth *made)
{
    memory_free(made->source);
    memory_free(made->places);
    *made = (struct volume_depth){0};
}
