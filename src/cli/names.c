/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void names_free(struct names *names)
{
    free(names->text);
    free(names->list);
    *names = (struct names){0};
}

bool names_read(const struct arguments *arguments, const char *path, struct names *names)
{
    enum { STEP = 1 << 16, MOST = 1 << 30 };
    FILE *file = fopen(path, "rb");
    size_t got = file != NULL;
    while (got > 0 && names->size < MOST) {
        char *longer = realloc(names->text, names->size + STEP + 2);
        if (!longer)
            break;
        names->text = longer;
        got = fread(names->text + names->size, 1, STEP, file);
        names->size += got;
    }
    const bool good = file && got == 0 && !ferror(file);
    if (!good)
        complain(arguments, "%s: %s", path,
                 names->size >= MOST ? "more than 1 GiB is no list of names"
                 : file              ? "cannot be read"
                                     : strerror(errno));
    else
        names->text[names->size++] = '\n';
    if (file)
        fclose(file);
    return good;
}

bool names_split(const struct arguments *arguments, struct names *names)
{
    size_t lines = 0;
    for (size_t i = 0; i < names->size; i++)
        lines += names->text[i] == '\n';
    names->list = lines < UINT32_MAX ? malloc((lines + 1) * sizeof *names->list) : NULL;
    if (!names->list) {
        complain(arguments, "--include-from: out of memory");
        return false;
    }
    for (char *line = names->text, *end; line && line < names->text + names->size; line = end + 1) {
        end = memchr(line, '\n', (size_t)(names->text + names->size - line));
        char *last = end;
        while (last > line && strchr(" \t\r", last[-1]) && last[-1])
            last--;
        *last = '\0';
        line += strspn(line, " \t");
        if (*line)
            names->list[names->count++] = line;
    }
    if (names->count == 0)
        complain(arguments, "--include-from: there is no name in it");
    return names->count > 0;
}
