/* SPDX-License-Identifier: BSD-2-Clause */
/* .../items/PATH/PART: an item, open, and which part of it is asked for. */
#ifndef HOST_ITEM_PART_H
#define HOST_ITEM_PART_H

#include "host/server.h"

struct item_part {
    struct cached_item *item; /* to be given back with cache_release() */
    const char *rest;         /* what stands behind the separator in the path */
};

/*
 * Splits request->path at the last `separator` ("/map", "/frames/") and opens the item in front of it. Where there is
 * an item whose own path looks like that, it is what is meant, and is answered. False if the request was answered.
 */
bool item_part_open(struct request *request, struct worker *worker, const char *separator, struct item_part *part);

/* Whether a path ends in "/map" or "/frames/NUMBER". */
bool item_part_is_map(const char *path);
bool item_part_is_frame(const char *path);

#endif
