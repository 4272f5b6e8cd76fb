/* SPDX-License-Identifier: BSD-2-Clause */
/* The files of web/, which are a part of the program: the page at "/" for those who come with a browser. */
#ifndef HOST_PAGE_H
#define HOST_PAGE_H

#include <stddef.h>

struct page_file {
    const char *name; /* "page.js"; NULL behind the last */
    const char *type;
    const unsigned char *data;
    size_t size;
    const unsigned char *packed; /* the same by gzip */
    size_t packed_size;
};
extern const struct page_file page_files[];

/* The file of that name, or NULL. */
const struct page_file *page_file_find(const char *name);

#endif
