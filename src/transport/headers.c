/* SPDX-License-Identifier: BSD-2-Clause */
#include "transport/headers.h"

#include <curl/curl.h>
#include <string.h>
#include <strings.h>

/* Decimal digits below 2^63; advances *at. */
static bool take_number(const char **at, const char *end, uint64_t *number)
{
    const char *start = *at;
    *number = 0;
    while (*at < end && **at >= '0' && **at <= '9') {
        if (*number > (INT64_MAX - 9) / 10)
            return false;
        *number = *number * 10 + (uint64_t)(*(*at)++ - '0');
    }
    return *at > start;
}

static bool take(const char **at, const char *end, char c)
{
    if (*at == end || **at != c)
        return false;
    ++*at;
    return true;
}

bool content_range_parse(const char *value, size_t size, struct content_range *range)
{
    const char *at = value + 6, *end = value + size;
    *range = (struct content_range){0};
    if (size < 6 || strncasecmp(value, "bytes ", 6) != 0)
        return false;
    while (at < end && *at == ' ')
        at++;
    if (!take_number(&at, end, &range->first) || !take(&at, end, '-') || !take_number(&at, end, &range->last) ||
        !take(&at, end, '/'))
        return false;
    range->total_known = at == end || *at != '*';
    if (range->total_known ? !take_number(&at, end, &range->total) : !take(&at, end, '*'))
        return false;
    return at == end && range->first <= range->last && (!range->total_known || range->last < range->total);
}

bool retry_after_parse(const char *value, size_t size, int64_t now, unsigned *seconds)
{
    const char *at = value, *end = value + size;
    uint64_t number;
    char text[64];
    if (take_number(&at, end, &number) && at == end) {
        *seconds = number > UINT32_MAX ? UINT32_MAX : (unsigned)number;
        return true;
    }
    if (size == 0 || size >= sizeof text)
        return false;
    memcpy(text, value, size);
    text[size] = '\0';
    int64_t date = curl_getdate(text, NULL);
    if (date < 0)
        return false;
    *seconds = date <= now ? 0 : date - now > UINT32_MAX ? UINT32_MAX : (unsigned)(date - now);
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool header_match(const char *line, size_t size, const char *name, const char **value, size_t *value_size)
{
    size_t length = strlen(name);
    if (size <= length || strncasecmp(line, name, length) != 0 || line[length] != ':')
        return false;
    const char *start = line + length + 1, *end = line + size;
    while (start < end && is_space(*start))
        start++;
    while (end > start && is_space(end[-1]))
        end--;
    *value = start;
    *value_size = (size_t)(end - start);
    return true;
}
