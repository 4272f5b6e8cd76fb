/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/text.h"

#include <stdint.h>
#include <string.h>

size_t utf8_length(const char *text, size_t left)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *p = (const unsigned char *)text;
    size_t length = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc0 ? 2 : 0;
    if (length == 0 || length > left || p[0] > 0xf4)
        return 0;
    if (length == 1)
        return 1;
    uint32_t code = p[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        code = (code << 6) | (p[i] & 0x3fu);
    }
    bool surrogate = code >= 0xd800 && code < 0xe000;
    return code < smallest[length] || code > 0x10ffff || surrogate ? 0 : length;
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
