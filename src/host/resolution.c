/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/resolution.h"

#include "host/reply.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool parse_unsigned(const char *text, uint64_t maximum, uint64_t *value)
{
    *value = 0;
    if (*text == '\0')
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || __builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, (uint64_t)(*text - '0'), value))
            return false;
    }
    return *value <= maximum;
}

/* Whether the list has the name; *repeats if it may be given more than once. */
static bool is_known(const char *name, const char *const *known, bool *repeats)
{
    size_t length = strlen(name);
    for (; *known; known++) {
        if (strncmp(*known, name, length) != 0)
            continue;
        *repeats = strcmp(*known + length, "+") == 0;
        if (*repeats || (*known)[length] == '\0')
            return true;
    }
    return false;
}

bool parameters_known(struct request *request, const char *const *known)
{
    const struct target *target = &request->target;
    for (unsigned i = 0; i < target->parameters; i++) {
        const char *name = target->parameter[i].name;
        bool repeats = false;
        if (!is_known(name, known, &repeats)) {
            reply_error(request, MHD_HTTP_BAD_REQUEST, "there is no parameter '%.100s' here", name);
            return false;
        }
        if (!repeats && target_parameter(target, name) != target->parameter[i].value) {
            reply_error(request, MHD_HTTP_BAD_REQUEST, "the parameter '%.100s' is given more than once", name);
            return false;
        }
    }
    return true;
}

/* "S" or "WxH", each 1 .. MIST_MAX_SIDE. */
static bool parse_size(const char *text, uint32_t *width, uint32_t *height)
{
    char first[8];
    uint64_t w, h;
    size_t length = strcspn(text, "x");
    if (length >= sizeof first)
        return false;
    memcpy(first, text, length);
    first[length] = '\0';
    if (!parse_unsigned(first, MIST_MAX_SIDE, &w) || w == 0)
        return false;
    h = w;
    if (text[length] == 'x' && (!parse_unsigned(text + length + 1, MIST_MAX_SIDE, &h) || h == 0))
        return false;
    *width = (uint32_t)w;
    *height = (uint32_t)h;
    return true;
}

static bool parse_spacing(const char *text, double *spacing)
{
    char *end;
    if (text[strspn(text, "0123456789.eE+-")] != '\0' || *text == '\0')
        return false;
    *spacing = strtod(text, &end);
    return *end == '\0' && isfinite(*spacing) && *spacing > 0;
}

bool resolution_parse(struct request *request, const char *const *known, struct mist_resolution_request *wanted)
{
    const struct target *target = &request->target;
    const char *size = target_parameter(target, "size"), *reduce = target_parameter(target, "reduce");
    const char *spacing = target_parameter(target, "spacing"), *policy = target_parameter(target, "policy");
    const char *problem = NULL;
    uint64_t number = 0;
    *wanted = (struct mist_resolution_request){0};
    if (!parameters_known(request, known))
        return false;
    if ((size != NULL) + (reduce != NULL) + (spacing != NULL) > 1)
        problem = "only one of size, reduce and spacing can be asked for";
    else if (size && !parse_size(size, &wanted->width, &wanted->height))
        problem = "size is S or WxH, each from 1 to 65535";
    else if (reduce && !parse_unsigned(reduce, MIST_MAX_LEVELS - 1, &number))
        problem = "reduce is a whole number from 0 to 32";
    else if (spacing && !parse_spacing(spacing, &wanted->spacing))
        problem = "spacing is a number of millimetres above 0";
    else if (policy && strcmp(policy, "at-least") == 0)
        wanted->policy = MIST_POLICY_AT_LEAST;
    else if (policy && strcmp(policy, "at-most") == 0)
        wanted->policy = MIST_POLICY_AT_MOST;
    else if (policy && strcmp(policy, "closest") != 0)
        problem = "policy is closest, at-least or at-most";
    wanted->by_reduce = reduce != NULL;
    wanted->reduce = (unsigned)number;
    if (problem)
        reply_error(request, MHD_HTTP_BAD_REQUEST, "%s", problem);
    return !problem;
}

unsigned resolution_choose(const struct mist_item_info *info, const struct mist_resolution_request *wanted)
{
    const struct mist_catalog_item item = {.image = info->image, .levels = info->levels};
    return mist_choose_reduce(&item, wanted);
}
