/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/target.h"

#include "base/text.h"

#include <string.h>
#include <strings.h>

/* Decodes text[0..length) in place and ends it with a NUL; NULL, or what is wrong with it. */
static const char *decode(char *text, size_t length, bool query)
{
    static const char *const problems[] = {
        [PERCENT_BROKEN] = "has a '%' that no two hexadecimal digits follow", [PERCENT_NUL] = "has a NUL in it"};
    return problems[percent_decode(text, length, query)];
}

static const char *parse_query(char *query, struct target *target)
{
    const char *problem = NULL;
    for (char *at = query; at && !problem;) {
        char *end = strchr(at, '&');
        size_t length = end ? (size_t)(end - at) : strlen(at);
        char *next = end ? end + 1 : NULL;
        if (length > 0) {
            if (target->parameters == TARGET_MAX_PARAMETERS)
                return "has more than 64 parameters";
            char *equals = memchr(at, '=', length);
            char *value = equals ? equals + 1 : at + length;
            size_t value_length = equals ? length - (size_t)(value - at) : 0;
            struct target_parameter *parameter = &target->parameter[target->parameters++];
            *parameter = (struct target_parameter){at, value};
            /* The value first: it ends where the '&' was, the name where the '=' was. */
            problem = decode(value, value_length, true);
            if (!problem)
                problem = decode(at, equals ? (size_t)(equals - at) : length, true);
        }
        at = next;
    }
    return problem;
}

const char *target_parse(const char *raw, struct target *target)
{
    target->parameters = 0;
    target->path = "/";
    if (strncasecmp(raw, "http://", 7) == 0 || strncasecmp(raw, "https://", 8) == 0) {
        raw = strchr(raw, ':') + 3;
        raw += strcspn(raw, "/?#");
    }
    /* One byte in front, so that "http://host?query" can be given its '/'. */
    size_t length = strcspn(raw, "#");
    if (length > TARGET_MAX)
        return "is longer than 8192 bytes";
    char *text = target->text;
    size_t slash = *raw == '?' || length == 0 ? 1 : 0;
    text[0] = '/';
    memcpy(text + slash, raw, length);
    text[slash + length] = '\0';
    target->path = text;
    if (strcmp(text, "*") == 0)
        return NULL;
    if (text[0] != '/')
        return "does not start with '/'";
    char *query = strchr(text, '?');
    size_t path_length = query ? (size_t)(query - text) : slash + length;
    const char *problem = query ? parse_query(query + 1, target) : NULL;
    return problem ? problem : decode(text, path_length, false);
}

const char *target_parameter(const struct target *target, const char *name)
{
    for (unsigned i = 0; i < target->parameters; i++)
        if (strcmp(target->parameter[i].name, name) == 0)
            return target->parameter[i].value;
    return NULL;
}
