/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* The character that a sequence of utf8_length() bytes stands for. */
static uint32_t utf8_code(const char *text, size_t length)
{
    const unsigned char *p = (const unsigned char *)text;
    uint32_t code = length == 1 ? p[0] : p[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++)
        code = (code << 6) | (p[i] & 0x3fu);
    return code;
}

size_t utf8_length(const char *text, size_t left)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *p = (const unsigned char *)text;
    size_t length = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc0 ? 2 : 0;
    if (length == 0 || length > left || p[0] > 0xf4)
        return 0;
    if (length == 1)
        return 1;
    for (size_t i = 1; i < length; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    uint32_t code = utf8_code(text, length);
    bool surrogate = code >= 0xd800 && code < 0xe000;
    return code < smallest[length] || code > 0x10ffff || surrogate ? 0 : length;
}

/* Controls (C0, DEL, C1), the line and paragraph separators, and what Unicode's Bidi_Control property names. */
static bool is_invisible(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x61c || code == 0x200e || code == 0x200f ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

void text_make_visible(char *text, size_t size)
{
    size_t left, length;
    for (char *p = text; size && *p; p += length) {
        left = strlen(p);
        size_t sequence = utf8_length(p, left), taken = sequence ? sequence : 1;
        uint32_t code = sequence ? utf8_code(p, sequence) : 0;
        length = taken;
        if (sequence && !is_invisible(code))
            continue;
        char escape[8];
        int made = !sequence      ? snprintf(escape, sizeof escape, "\\x%02x", (unsigned char)*p)
                   : code < 0x100 ? snprintf(escape, sizeof escape, "\\x%02x", (unsigned)code)
                                  : snprintf(escape, sizeof escape, "\\u%04x", (unsigned)code & 0xffffu);
        size_t room = size - 1 - (size_t)(p - text), wanted = (size_t)made, behind = left - taken;
        if (wanted > room) {
            *p = '\0';
            return;
        }
        if (wanted + behind > room)
            behind = room - wanted;
        memmove(p + wanted, p + taken, behind);
        memcpy(p, escape, wanted);
        p[wanted + behind] = '\0';
        length = wanted;
    }
}

int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

enum percent_result percent_decode(char *text, size_t length, bool plus_is_space)
{
    char *out = text;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (c == '%') {
            int high = length - i > 2 ? hex_value(text[i + 1]) : -1;
            int low = length - i > 2 ? hex_value(text[i + 2]) : -1;
            if (high < 0 || low < 0)
                return PERCENT_BROKEN;
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        if (c == '\0')
            return PERCENT_NUL;
        *out++ = c;
    }
    *out = '\0';
    return PERCENT_GOOD;
}

/* These mean themselves everywhere (RFC 3986, 2.3). By hand: isalnum() takes more letters in some locales. */
static bool is_unreserved(char c)
{
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return letter || (c >= '0' && c <= '9') || (c && strchr("-._~", c));
}

char *percent_encode_path(const char *path, char *out)
{
    static const char digits[] = "0123456789ABCDEF";
    for (; *path; path++) {
        if (*path == '/' || is_unreserved(*path)) {
            *out++ = *path;
        } else {
            *out++ = '%';
            *out++ = digits[(unsigned char)*path >> 4];
            *out++ = digits[*path & 15];
        }
    }
    *out = '\0';
    return out;
}
