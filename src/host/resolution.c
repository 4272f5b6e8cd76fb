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

/* Whether the list, with spaces between, has the name; *repeats if it may be given more than once ("include+"). */
static bool is_known(const char *name, const char *known, bool *repeats)
{
    const size_t length = strlen(name);
    for (const char *at = known; *at; at += strspn(at, " ")) {
        const size_t word = strcspn(at, " +");
        *repeats = at[word] == '+';
        if (word == length && memcmp(at, name, length) == 0)
            return true;
        at += word + *repeats;
    }
    return false;
}

bool parameters_known(struct request *request)
{
    const struct target *target = &request->target;
    for (unsigned i = 0; i < target->parameters; i++) {
        const char *name = target->parameter[i].name;
        bool repeats = false;
        if (!is_known(name, request->parameters, &repeats)) {
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

/* One to three numbers with a separator between; returns how many, 0 if it is something else. */
static unsigned parse_list(const char *text, char separator, uint64_t maximum, uint64_t numbers[3])
{
    for (unsigned count = 0; count < 3; text++) {
        char one[24];
        size_t length = strspn(text, "0123456789");
        if (length >= sizeof one)
            return 0;
        memcpy(one, text, length);
        one[length] = '\0';
        if (!parse_unsigned(one, maximum, &numbers[count++]))
            return 0;
        text += length;
        if (*text == '\0')
            return count;
        if (*text != separator)
            return 0;
    }
    return 0;
}

/* "S", "WxH" or "WxHxD", each 1 .. MIST_MAX_SIDE. */
static bool parse_size(const char *text, struct mist_resolution_request *wanted)
{
    uint64_t sides[3] = {0};
    unsigned count = parse_list(text, 'x', MIST_MAX_SIDE, sides);
    for (unsigned i = 0; i < count; i++)
        if (sides[i] == 0)
            return false;
    wanted->width = (uint32_t)sides[0];
    wanted->height = (uint32_t)(count > 1 ? sides[1] : sides[0]);
    wanted->depth = (uint32_t)sides[2];
    return count > 0;
}

/* "R" or "R,S". */
static bool parse_reduce(const char *text, struct mist_resolution_request *wanted)
{
    uint64_t numbers[3] = {0};
    unsigned count = parse_list(text, ',', MIST_MAX_LEVELS - 1, numbers);
    wanted->by_reduce = true;
    wanted->reduce = (unsigned)numbers[0];
    wanted->step = (unsigned)numbers[1];
    return (count == 1 || count == 2) && numbers[1] <= MIST_MAX_STEPS;
}

/* "MM" or "XxYxZ". */
static bool parse_spacing(const char *text, double spacing[3])
{
    unsigned count = 0;
    if (text[strspn(text, "0123456789.eE+-x")] != '\0')
        return false;
    for (char *end; count < 3; text = end + 1) {
        if (*text == 'x' || *text == '\0')
            return false;
        spacing[count] = strtod(text, &end);
        if (end == text || !isfinite(spacing[count]) || !(spacing[count] > 0))
            return false;
        count++;
        if (*end == '\0')
            break;
        if (*end != 'x' || count == 3)
            return false;
    }
    if (count == 1)
        spacing[1] = spacing[2] = spacing[0];
    return count != 2;
}

bool resolution_parse(struct request *request, struct mist_resolution_request *wanted)
{
    const struct target *target = &request->target;
    const char *size = target_parameter(target, "size"), *reduce = target_parameter(target, "reduce");
    const char *spacing = target_parameter(target, "spacing"), *policy = target_parameter(target, "policy");
    const char *problem = NULL;
    *wanted = (struct mist_resolution_request){0};
    if (!parameters_known(request))
        return false;
    if ((size != NULL) + (reduce != NULL) + (spacing != NULL) > 1)
        problem = "only one of size, reduce and spacing can be asked for";
    else if (size && !parse_size(size, wanted))
        problem = "size is S, WxH or WxHxD, each from 1 to 65535";
    else if (reduce && !parse_reduce(reduce, wanted))
        problem = "reduce is a whole number from 0 to 32, and maybe a slice step from 0 to 16 (2,1)";
    else if (spacing && !parse_spacing(spacing, wanted->spacing))
        problem = "spacing is a number of millimetres above 0, or three (1.5x1.5x2)";
    else if (policy && strcmp(policy, "at-least") == 0)
        wanted->policy = MIST_POLICY_AT_LEAST;
    else if (policy && strcmp(policy, "at-most") == 0)
        wanted->policy = MIST_POLICY_AT_MOST;
    else if (policy && strcmp(policy, "closest") != 0)
        problem = "policy is closest, at-least or at-most";
    if (problem)
        reply_error(request, MHD_HTTP_BAD_REQUEST, "%s", problem);
    return !problem;
}

struct mist_choice resolution_choose(const struct mist_item_info *info, const struct mist_resolution_request *wanted)
{
    const struct mist_catalog_item item = {.image = info->image, .levels = info->levels, .steps = info->steps};
    return mist_choose(&item, wanted);
}
