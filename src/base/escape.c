/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/escape.h"

#include "base/file.h"
#include "base/memory.h"

#include <stdint.h>
#include <string.h>

/* U+F000 .. U+F0FF are EF 80 80 .. EF 83 BF in UTF-8: of U+F000 + b the bytes are EF, 80 + b / 64, 80 + b % 64. */
enum { LEAD = 0xef, TRAIL = 0x80 };

static bool is_escape(const uint8_t *text, size_t left)
{
    return left >= 3 && text[0] == LEAD && (text[1] & 0xfc) == TRAIL && (text[2] & 0xc0) == TRAIL;
}

/* The bytes of the character that starts here, if it can stand in a path as it is; else 0. */
static size_t plain_length(const uint8_t *text, size_t left)
{
    if (*text == '/')
        return 1;
    const size_t length = *text < 0x80 ? 1 : *text >= 0xf0 ? 4 : *text >= 0xe0 ? 3 : 2;
    if (length > left || is_escape(text, left))
        return 0;
    char part[8] = "x"; /* so that no dot is taken for the directory itself */
    memcpy(part + 1, text, length);
    return path_is_safe(part, length + 1) ? length : 0;
}

bool path_escape(const char *path, char *text, size_t size)
{
    const uint8_t *from = (const uint8_t *)path;
    size_t left = strlen(path), used = 0;
    while (left > 0) {
        const size_t plain = plain_length(from, left), length = plain ? plain : 1;
        if (used + (plain ? plain : 3) >= size)
            return false;
        if (plain) {
            memcpy(text + used, from, plain);
        } else {
            const uint8_t escape[3] = {LEAD, (uint8_t)(TRAIL | *from >> 6), (uint8_t)(TRAIL | (*from & 0x3f))};
            memcpy(text + used, escape, 3);
        }
        used += plain ? plain : 3;
        from += length;
        left -= length;
    }
    if (used >= size)
        return false;
    text[used] = '\0';
    return true;
}

void path_unescape(const char *text, char *bytes)
{
    const uint8_t *from = (const uint8_t *)text;
    const size_t size = strlen(text) + 1;
    size_t left = size - 1, used = 0;
    bool any = false;
    while (left > 0) {
        const bool escape = is_escape(from, left);
        const uint8_t byte = escape ? (uint8_t)((from[1] & 3) << 6 | (from[2] & 0x3f)) : *from;
        any |= escape;
        bytes[used++] = (char)(escape && (byte == 0 || byte == '/') ? '\0' : (char)byte);
        from += escape ? 3 : 1;
        left -= escape ? 3 : 1;
    }
    bytes[used] = '\0';
    if (!any)
        return;
    char *again = memory_allocate(size);
    if (!again || strlen(bytes) != used || !path_escape(bytes, again, size) || strcmp(again, text) != 0)
        memcpy(bytes, text, size);
    memory_free(again);
}
