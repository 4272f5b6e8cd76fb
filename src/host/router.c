/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/router.h"

#include "host/fields.h"
#include "host/item_part.h"
#include "host/page.h"
#include "host/reply.h"
#include "source/tree_list.h"

#include <string.h>

static void answer_nothing_here(struct request *request, struct worker *worker)
{
    (void)worker;
    reply_error(request, MHD_HTTP_NOT_FOUND, "there is nothing at %.300s; docs/http.md lists what there is",
                request->target.path);
}

static void answer_preflight(struct request *request, struct worker *worker)
{
    struct mist_buffer nothing = {0};
    (void)worker;
    reply_text(request, NULL, &nothing);
    if (!request->response)
        return;
    request->status = MHD_HTTP_NO_CONTENT;
    MHD_add_response_header(request->response, "Allow", "GET, HEAD, OPTIONS");
    MHD_add_response_header(request->response, "Access-Control-Allow-Methods", "GET, HEAD, OPTIONS");
    MHD_add_response_header(request->response, "Access-Control-Allow-Headers",
                            "Accept, Authorization, Content-Type, If-Match, If-None-Match, If-Range, Range");
    MHD_add_response_header(request->response, "Access-Control-Max-Age", "86400");
}

static void answer_wrong_method(struct request *request, struct worker *worker)
{
    (void)worker;
    reply_error(request, MHD_HTTP_METHOD_NOT_ALLOWED, "this host only answers GET, HEAD and OPTIONS");
}

/* ---- what a row may ask besides its pattern ---- */

static bool wants_page(struct request *request)
{
    static const char *const types[] = {"application/json", "text/html"};
    if (accept_choose(request_field(request, "Accept"), types, 2) != 1)
        return false;
    request->path = "index.html";
    return true;
}

static bool is_page(struct request *request)
{
    return page_file_find(request->path) != NULL;
}

static bool is_map(struct request *request)
{
    return item_part_is_map(request->path);
}

static bool is_frame(struct request *request)
{
    return item_part_is_frame(request->path);
}

static bool has_format(struct request *request)
{
    return target_parameter(&request->target, "format") != NULL;
}

static bool has_parameters(struct request *request)
{
    return request->target.parameters > 0;
}

/* Cuts off ".mist": the path is a part of target.text, which is the request's own. */
static bool is_item_file(struct request *request)
{
    const size_t length = strlen(request->path);
    if (length <= 5 || strcmp(request->path + length - 5, ".mist") != 0)
        return false;
    request->target.text[request->path - request->target.text + (ptrdiff_t)length - 5] = '\0';
    return true;
}

/* ---- the table ---- */

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
};

static const struct route routes[] = {
    {"/", answer_page_file, COST_FILE, wants_page},
    {"/", answer_root, COST_FILE, NULL},
    {"/page/*", answer_page_file, COST_FILE, is_page},
    {"/healthz", answer_health, COST_LOOK, NULL},
    {"/metrics", answer_metrics, COST_FILE, NULL},
    {"/dicom-web/?*", answer_dicomweb, COST_LOOK, NULL},
    {"/v1/datasets/?", answer_datasets, COST_LOOK, NULL},
    {"/v1/datasets/:/?", answer_dataset, COST_LOOK, NULL},
    {"/v1/datasets/:/items", answer_items, COST_LOOK, NULL},
    {"/v1/datasets/:/files", answer_files, COST_LOOK, NULL},
    {"/v1/datasets/:/plan", answer_plan, COST_LOOK, NULL},
    {"/v1/datasets/:/catalog.jsonl.zst", answer_catalog, COST_FILE, NULL},
    {"/v1/datasets/:/" TREE_LIST_NAME, answer_tree, COST_FILE, NULL},
    {"/v1/datasets/:/items/*", answer_map, COST_LOOK, is_map},
    {"/v1/datasets/:/items/*", answer_frame, COST_LOOK, is_frame},
    {"/v1/datasets/:/items/*", answer_item_file, COST_LOOK, has_format},
    /* A level is chosen: that takes an open item. */
    {"/v1/datasets/:/items/*", answer_item_prefix, COST_LOOK, has_parameters},
    {"/v1/datasets/:/items/*", answer_item_bytes, COST_FILE, NULL},
    {"/v1/datasets/:/files/*", answer_file, COST_FILE, NULL},
    /* The store as a static web server shows it. */
    {"/:/catalog.jsonl.zst", answer_catalog, COST_FILE, NULL},
    {"/:/" TREE_LIST_NAME, answer_tree, COST_FILE, NULL},
    {"/:/items/*", answer_item_bytes, COST_FILE, is_item_file},
    {"/:/files/*", answer_file, COST_FILE, NULL},
};

/* Takes a dataset's name off the front of *path. */
static bool take_dataset(struct request *request, const char **path)
{
    const size_t length = strcspn(*path, "/");
    if (length > MIST_DATASET_NAME_MAX)
        return false;
    memcpy(request->dataset, *path, length);
    request->dataset[length] = '\0';
    *path += length;
    return mist_dataset_name_is_valid(request->dataset);
}

static bool matches(const char *pattern, const char *path, struct request *request)
{
    while (*pattern) {
        if (*pattern == ':') {
            if (!take_dataset(request, &path))
                return false;
            pattern++;
        } else if (strncmp(pattern, "/?", 2) == 0) {
            pattern += 2;
            if (*path && *path != '/')
                return false;
            path += *path == '/';
            if (*pattern == '*') {
                request->path = path;
                return true;
            }
        } else if (*pattern == '*') {
            request->path = path;
            return *path != '\0';
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return *path == '\0';
}

void route(struct request *request)
{
    request->answer = answer_nothing_here;
    request->cost = COST_FILE;
    if (request->method == METHOD_OTHER) {
        request->answer = answer_wrong_method;
        return;
    }
    if (request->method == METHOD_OPTIONS) {
        request->answer = answer_preflight;
        return;
    }
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        const struct route *row = &routes[i];
        request->path = NULL;
        request->dataset[0] = '\0';
        if (!matches(row->pattern, request->target.path, request) || (row->also && !row->also(request)))
            continue;
        request->answer = row->answer;
        request->cost = row->cost;
        return;
    }
    request->path = NULL;
}
