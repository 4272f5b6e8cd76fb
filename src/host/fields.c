/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/fields.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

static const char *skip_space(const char *at)
{
    return at + strspn(at, " \t");
}

/* ---- Range ---- */

/* Digits, of any length: what does not fit is UINT64_MAX, which lies behind every end. False if there are none. */
static bool read_position(const char **at, uint64_t *value)
{
    const char *start = *at;
    for (*value = 0; **at >= '0' && **at <= '9'; ++*at) {
        uint64_t digit = (uint64_t)(**at - '0');
        if (__builtin_mul_overflow(*value, 10, value) || __builtin_add_overflow(*value, digit, value)) {
            *value = UINT64_MAX;
            *at += strspn(*at, "0123456789");
            return true;
        }
    }
    return *at > start;
}

/* "5-9", "5-", "-5": false if it is not one of them. `suffix`: only `last` counts, as a number of bytes. */
static bool read_range(const char *at, bool *suffix, uint64_t *first, uint64_t *last)
{
    at = skip_space(at);
    *suffix = *at == '-';
    *first = 0;
    if (!*suffix && !read_position(&at, first))
        return false;
    if (*at++ != '-')
        return false;
    bool has_last = read_position(&at, last);
    if (!has_last)
        *last = UINT64_MAX;
    return *skip_space(at) == '\0' && (*suffix ? has_last : *last >= *first);
}

enum range_kind range_parse(const char *value, uint64_t total, uint64_t *first, uint64_t *size)
{
    uint64_t start, last;
    bool suffix;
    *first = 0;
    *size = total;
    if (!value || strncasecmp(value, "bytes=", 6) != 0 || !read_range(value + 6, &suffix, &start, &last))
        return RANGE_WHOLE;
    if (suffix ? last == 0 || total == 0 : start >= total)
        return RANGE_UNSATISFIABLE;
    if (suffix) {
        *size = last < total ? last : total;
        *first = total - *size;
    } else {
        *size = (last < total - 1 ? last : total - 1) - start + 1;
        *first = start;
    }
    return RANGE_PART;
}

/* ---- entity tags ---- */

bool etag_listed(const char *list, const char *etag, bool weak)
{
    size_t length = strlen(etag);
    const char *at = skip_space(list);
    if (*at == '*')
        return *skip_space(at + 1) == '\0';
    while (*at) {
        bool is_weak = strncmp(at, "W/", 2) == 0;
        if (is_weak)
            at += 2;
        if (*at != '"')
            return false;
        const char *end = strchr(at + 1, '"');
        if (!end)
            return false;
        if ((weak || !is_weak) && (size_t)(end + 1 - at) == length && memcmp(at, etag, length) == 0)
            return true;
        at = skip_space(end + 1);
        if (*at == ',')
            at = skip_space(at + 1);
        else if (*at)
            return false;
    }
    return false;
}

/* ---- Accept ---- */

/* "0.5" as 500 of 1000; malformed weights are 0. */
static unsigned read_weight(const char *at, size_t length)
{
    unsigned weight = 0, unit = 1000;
    for (size_t i = 0; i < length && i < 5; i++) {
        if (i == 1 && at[i] == '.')
            continue;
        if (at[i] < '0' || at[i] > '9')
            return 0;
        weight += (unsigned)(at[i] - '0') * unit;
        unit /= 10;
    }
    return weight > 1000 ? 0 : weight;
}

/* One media range: how exactly it names the type (0: not at all), and the weight. */
static unsigned match_range(const char *range, size_t length, const char *type, unsigned *weight)
{
    size_t name = 0;
    while (name < length && range[name] != ';' && range[name] != ' ' && range[name] != '\t')
        name++;
    *weight = 1000;
    for (size_t i = name; i + 2 < length; i++)
        if ((range[i] == ';' || range[i] == ' ') && (range[i + 1] | 0x20) == 'q' && range[i + 2] == '=') {
            size_t end = i + 3;
            while (end < length && range[end] != ';' && range[end] != ' ' && range[end] != '\t')
                end++;
            *weight = read_weight(range + i + 3, end - i - 3);
        }
    size_t main_type = (size_t)(strchr(type, '/') - type) + 1;
    if (name == strlen(type) && strncasecmp(range, type, name) == 0)
        return 3;
    if (name == main_type + 1 && range[main_type] == '*' && strncasecmp(range, type, main_type) == 0)
        return 2;
    return name == 3 && memcmp(range, "*/*", 3) == 0 ? 1 : 0;
}

/* The weight of the range that names the type most exactly. */
static unsigned type_weight(const char *value, const char *type)
{
    unsigned best = 0, result = 0;
    for (const char *at = value; *at;) {
        at = skip_space(at);
        size_t length = strcspn(at, ",");
        unsigned weight, exact = match_range(at, length, type, &weight);
        if (exact > best) {
            best = exact;
            result = weight;
        }
        at += length + (at[length] == ',');
    }
    return result;
}

int accept_choose(const char *value, const char *const *types, unsigned count)
{
    int chosen = -1;
    unsigned best = 0;
    if (!value || *skip_space(value) == '\0')
        return 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned weight = type_weight(value, types[i]);
        if (weight > best) {
            best = weight;
            chosen = (int)i;
        }
    }
    return chosen;
}

static bool is_token(const char *name, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (name[i] <= ' ' || name[i] >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", name[i]))
            return false;
    return size > 0;
}

void field_look(struct field_check *check, const char *name, size_t name_size, const char *value, size_t value_size)
{
    const bool host = name_size == 4 && strncasecmp(name, "Host", 4) == 0;
    const bool length = name_size == 14 && strncasecmp(name, "Content-Length", 14) == 0;
    if (!is_token(name, name_size))
        check->wrong = "the request has a header field whose name is none";
    for (size_t i = 0; i < value_size; i++)
        if (((unsigned char)value[i] < ' ' && value[i] != '\t') || value[i] == 0x7f || (host && value[i] == ' '))
            check->wrong = "the request has a header field with a character that may not be in it";
    if (host && check->host)
        check->wrong = "the request has two Host fields";
    if (length && check->length)
        check->wrong = "the request has two Content-Length fields";
    check->host |= host;
    check->length |= length;
}

/* Of one encoding, "gzip;q=0.5": its name's length, and whether its weight is above 0. */
static size_t read_encoding(const char *encoding, bool *wanted)
{
    const size_t name = strcspn(encoding, ",; \t"), length = strcspn(encoding, ",");
    size_t at = name + strspn(encoding + name, " \t;");
    *wanted = true;
    if (at + 2 <= length && (encoding[at] | 0x20) == 'q' && encoding[at + 1] == '=')
        *wanted = read_weight(encoding + at + 2, strcspn(encoding + at + 2, ",; \t")) > 0;
    return name;
}

bool gzip_accepted(const char *encodings)
{
    bool others = false, wanted;
    for (const char *at = encodings ? encodings : ""; *at; at += strcspn(at, ","), at += *at == ',') {
        at = skip_space(at);
        const size_t name = read_encoding(at, &wanted);
        if (name == 4 && strncasecmp(at, "gzip", 4) == 0)
            return wanted;
        if (name == 1 && *at == '*')
            others = wanted;
    }
    return others;
}

bool forwarded_client(const char *value, char address[FORWARDED_SIZE])
{
    struct in6_addr ignored;
    if (!value)
        return false;
    const char *comma = strrchr(value, ','), *start = comma ? comma + 1 : value;
    start += strspn(start, " \t");
    const size_t length = strcspn(start, " \t");
    if (length == 0 || length >= FORWARDED_SIZE)
        return false;
    memcpy(address, start, length);
    address[length] = '\0';
    return inet_pton(AF_INET, address, &ignored) == 1 || inet_pton(AF_INET6, address, &ignored) == 1;
}
