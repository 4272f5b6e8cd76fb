/* SPDX-License-Identifier: BSD-2-Clause */
/* Which path is answered by whom: a table in router.c. */
#ifndef HOST_ROUTER_H
#define HOST_ROUTER_H

#include "host/server.h"

/* Sets request->answer, and what it needs, from request->target. */
void route(struct request *request);

/*
 * The first row whose pattern is the path's and whose `also`, if there is one, agrees. In a pattern ":" is a dataset's
 * name, "/?" a slash that may be missing, and "*" at the end all the rest, also with slashes: the request's path; it is
 * not empty, but after "/?", where it is.
 */
struct route {
    const char *pattern;
    answer *answer;
    enum cost cost;
    bool (*also)(struct request *request);
    const char *parameters; /* names with spaces between, "+" behind those that may be repeated; NULL: any, unread */
    const char *shown;      /* the pattern as docs/http.md and /openapi.json have it; NULL: not told of by itself */
    const char *summary;
    const char *types; /* of the answer, with spaces between */
};

/* Of an item's bytes: item_part.c answers with them where an item's own path looks like that of a part. */
#define ROUTE_RESOLUTION "size reduce spacing policy"
#define ROUTE_ITEM_FILE ROUTE_RESOLUTION " format exact grid file"

/* ---- resources ---- */

answer answer_root, answer_health, answer_metrics;                                      /* service.c */
answer answer_openapi;                                                                  /* openapi.c */
answer answer_datasets, answer_dataset, answer_items, answer_files;                     /* listings.c */
answer answer_catalog, answer_tree, answer_item_bytes, answer_item_prefix, answer_file; /* stored_files.c */
answer answer_item_file;                                                                /* item_file.c */
answer answer_page_file;                                                                /* page.c */
answer answer_plan;                                                                     /* plan.c */
answer answer_archive;                                                                  /* archive.c */
answer answer_link;                                                                     /* access.c */
answer answer_map;                                                                      /* map.c */
answer answer_frame;                                                                    /* frames.c */
answer answer_dicomweb;                                                                 /* dicomweb.c */

#endif
