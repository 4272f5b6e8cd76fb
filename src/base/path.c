/* SPDX-License-Identifier: BSD-2-Clause */
/* Paths as texts. */
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <string.h>

char *path_join(const char *directory, const char *name)
{
    size_t first = strlen(directory), second = strlen(name);
    bool slash = first && second && directory[first - 1] != '/';
    char *joined = memory_allocate(first + slash + second + 1);
    if (!joined)
        return NULL;
    memcpy(joined, directory, first);
    if (slash)
        joined[first] = '/';
    memcpy(joined + first + slash, name, second + 1);
    return joined;
}

bool path_is_safe(const char *path, size_t length)
{
    if (length == 0 || length > PATH_LIMIT)
        return false;
    size_t part = 0; /* where the current part starts */
    for (size_t i = 0; i <= length;) {
        if (i == length || path[i] == '/') {
            size_t size = i - part;
            bool dots = (size == 1 && path[part] == '.') || (size == 2 && memcmp(path + part, "..", 2) == 0);
            if (size == 0 || size > PATH_PART_LIMIT || dots)
                return false;
            part = ++i;
            continue;
        }
        unsigned char c = (unsigned char)path[i];
        size_t step = utf8_length(path + i, length - i);
        /* U+0080 .. U+009F: to a terminal U+009B begins a command, as ESC [ does. */
        bool control = c < 0x20 || c == 0x7f || (step == 2 && c == 0xc2 && (unsigned char)path[i + 1] < 0xa0);
        if (step == 0 || control || c == '\\')
            return false;
        i += step;
    }
    return true;
}
