/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of texts that a host keeps: addresses of proxies, names of datasets. */
#ifndef HOST_NAMES_H
#define HOST_NAMES_H

#include <stdbool.h>

/* Start zeroed. */
struct name_list {
    char **name; /* [count] */
    unsigned count;
};

/* False when memory is short; what was copied is to be freed then, too. */
bool name_list_copy(struct name_list *names, const char *const *from, unsigned count);
void name_list_free(struct name_list *names);
bool name_list_has(const struct name_list *names, const char *name);

#endif
