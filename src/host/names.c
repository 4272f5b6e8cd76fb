/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/names.h"

#include "base/memory.h"

#include <string.h>

bool name_list_copy(struct name_list *names, const char *const *from, unsigned count)
{
    names->name = count ? memory_allocate_zeroed(count, sizeof *names->name) : NULL;
    for (; names->name && names->count < count; names->count++) {
        names->name[names->count] = memory_copy_text(from[names->count]);
        if (!names->name[names->count])
            return false;
    }
    return names->count == count;
}

void name_list_free(struct name_list *names)
{
    for (unsigned i = 0; i < names->count; i++)
        memory_free(names->name[i]);
    memory_free(names->name);
    *names = (struct name_list){0};
}

bool name_list_has(const struct name_list *names, const char *name)
{
    for (unsigned i = 0; i < names->count; i++)
        if (strcmp(names->name[i], name) == 0)
            return true;
    return false;
}
