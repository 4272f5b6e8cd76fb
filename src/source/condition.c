/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/condition.h"

#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_ROOM = 64 };

static void trim(const char **text, size_t *length)
{
    while (*length && **text == ' ') {
        ++*text;
        --*length;
    }
    while (*length && (*text)[*length - 1] == ' ')
        --*length;
}

/* A number in the decimal form that tables have: no "nan", no "0x10". */
static bool is_number(const char *text, size_t length, double *number)
{
    char copy[NUMBER_ROOM], *end;
    if (length == 0 || length >= sizeof copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    if (strspn(copy, "0123456789.eE+-") != length)
        return false;
    *number = strtod(copy, &end);
    return *end == '\0' && isfinite(*number);
}

static char *copy_part(const char *text, size_t length)
{
    trim(&text, &length);
    char *copy = memory_allocate(length + 1);
    if (copy) {
        memcpy(copy, text, length);
        copy[length] = '\0';
    }
    return copy;
}

/* The first of the operators in `text`; its length, 0 where there is none. */
static size_t find_operator(const char *text, size_t *at, enum comparison *comparison)
{
    *at = strcspn(text, "!<>=");
    const char *found = text + *at;
    const bool equals = *found && found[1] == '=';
    if (*found == '=')
        *comparison = EQUAL;
    else if (*found == '!' && equals)
        *comparison = NOT_EQUAL;
    else if (*found == '<')
        *comparison = equals ? AT_MOST : LESS;
    else if (*found == '>')
        *comparison = equals ? AT_LEAST : GREATER;
    else
        return 0;
    return *found != '=' && equals ? 2 : 1;
}

enum mist_status condition_parse(const char *text, struct condition *condition, struct mist_error *error)
{
    size_t at;
    *condition = (struct condition){.text = text};
    const size_t size = find_operator(text, &at, &condition->comparison);
    if (size == 0 || strspn(text, " ") == at)
        return error_set(error, MIST_ERROR_ARGUMENT,
                         "'%.200s' is no condition: COLUMN=VALUE, or with !=, <, <=, > or >=", text);
    condition->column = copy_part(text, at);
    condition->value = copy_part(text + at + size, strlen(text + at + size));
    if (!condition->column || !condition->value)
        return error_set(error, MIST_ERROR_MEMORY, "a condition: out of memory");
    condition->numeric = is_number(condition->value, strlen(condition->value), &condition->number);
    return MIST_OK;
}

void condition_free(struct condition *condition)
{
    memory_free(condition->column);
    memory_free(condition->value);
    *condition = (struct condition){0};
}

/* < 0, 0, > 0; NAN where one is a number and the other is none, unless texts may be equal. */
static double compare(const struct condition *condition, const char *text, size_t length)
{
    double number;
    trim(&text, &length);
    if (condition->numeric && is_number(text, length, &number))
        return number - condition->number;
    const size_t own = strlen(condition->value), shorter = own < length ? own : length;
    int order = memcmp(text, condition->value, shorter);
    if (order == 0)
        order = length < own ? -1 : length > own;
    return condition->numeric && order != 0 ? NAN : order;
}

static bool member_meets(const struct condition *condition, const char *text, size_t length)
{
    const double order = compare(condition, text, length);
    switch (condition->comparison) {
    case EQUAL:
    case NOT_EQUAL:
        return order == 0;
    case LESS:
        return order < 0;
    case AT_MOST:
        return order <= 0;
    case GREATER:
        return order > 0;
    case AT_LEAST:
        return order >= 0;
    }
    return false;
}

static bool value_meets(const struct condition *condition, const char *value)
{
    const bool whole = condition->comparison == EQUAL || condition->comparison == NOT_EQUAL;
    bool met = whole && member_meets(condition, value, strlen(value));
    for (const char *at = value; !met; at++) {
        const size_t length = strcspn(at, "|");
        met = member_meets(condition, at, length);
        at += length;
        if (*at == '\0')
            break;
    }
    return condition->comparison == NOT_EQUAL ? !met : met;
}

bool condition_meets(const struct condition *condition, const struct mist_catalog_item *item, bool *known)
{
    *known = false;
    for (uint32_t i = 0; i < item->column_count; i++)
        if (strcmp(item->columns[i].name, condition->column) == 0) {
            *known = true;
            return value_meets(condition, item->columns[i].value);
        }
    return false;
}
