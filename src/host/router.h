/* SPDX-License-Identifier: BSD-2-Clause */
/* Which path is answered by whom. Another front (DICOMweb) is another function beside these. */
#ifndef HOST_ROUTER_H
#define HOST_ROUTER_H

#include "host/server.h"

/* Sets request->answer, and what it needs, from request->target. */
void route(struct request *request);

/* The fronts: `rest` is the path behind "/v1/", or behind "/". False: there is no such resource. */
bool route_native(struct request *request, const char *rest); /* /v1/... */
bool route_static(struct request *request, const char *rest); /* /DATASET/..., as the files are on disk */

/* Takes the dataset's name off the front of *rest; false if it is none. */
bool route_take_dataset(struct request *request, const char **rest);

/* ---- resources ---- */

answer answer_root, answer_health, answer_metrics;                                      /* service.c */
answer answer_datasets, answer_dataset, answer_items, answer_files;                     /* listings.c */
answer answer_catalog, answer_tree, answer_item_bytes, answer_item_prefix, answer_file; /* stored_files.c */
answer answer_page_file;                                                                /* page.c */
answer answer_plan;                                                                     /* plan.c */
answer answer_map;                                                                      /* map.c */
answer answer_frame;                                                                    /* frames.c */
answer answer_dicomweb;                                                                 /* dicomweb.c */

#endif
