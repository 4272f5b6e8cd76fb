/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a request asks for of a dataset, at which resolution, as `mist get` would choose: read from the index page by
 * page, so that a dataset of a million items takes no more memory than one of ten.
 */
#ifndef HOST_CHOSEN_H
#define HOST_CHOSEN_H

#include "host/router.h"
#include "source/select.h"

enum { CHOSEN_PAGE = 256 /* entries */ };

struct chosen {
    struct request *request;
    struct mist_dataset_info dataset;
    struct select select;
    const char *lists[3][TARGET_MAX_PARAMETERS]; /* include, exclude, where */
    enum mist_catalog_kind kind;                 /* of the next page; MIST_CATALOG_END behind the last */
    struct mist_buffer after;                    /* the path of the last row, "" before the first; with its NUL */
    struct select_budget budget;
};

/* The parameters that it reads (struct route). */
#define CHOSEN_PARAMETERS \
    ROUTE_RESOLUTION " max-bytes exact grid format include+ exclude+ where+ sample seed limit max-memory"

/* Reads the request's parameters, and goes through the lists as often as choosing takes. NULL: it was answered. */
struct chosen *chosen_read(struct request *request);
/* Calls `taken` for those of the next page that are among what is asked for. */
enum mist_status chosen_page(struct chosen *chosen, mist_catalog_visit *taken, void *context, struct mist_error *error);
void chosen_free(struct chosen **chosen);

#endif
