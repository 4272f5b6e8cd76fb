/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/router.h"

#include "host/access.h"
#include "host/chosen.h"
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

#define DATASET "/v1/datasets/{dataset}"
#define BYTES "application/octet-stream"
#define JSON "application/json"

/* Until a pattern is NULL. */
static const struct route routes[] = {
    {"/", answer_page_file, COST_FILE, wants_page, NULL, NULL, NULL, NULL},
    {"/", answer_root, COST_FILE, NULL, NULL, "/", "Where to start; for browsers the page", JSON " text/html"},
    {"/page/*", answer_page_file, COST_FILE, is_page, NULL, NULL, NULL, NULL},
    {"/openapi.json", answer_openapi, COST_FILE, NULL, NULL, "/openapi.json", "This description", JSON},
    {"/healthz", answer_health, COST_LOOK, NULL, NULL, "/healthz", "Whether the store's index can be read", JSON},
    {"/metrics", answer_metrics, COST_FILE, NULL, NULL, "/metrics", "Counters in Prometheus' format", "text/plain"},
    {"/dicom-web/?*", answer_dicomweb, COST_LOOK, NULL, NULL, NULL, NULL, NULL},
    {"/v1/datasets/?", answer_datasets, COST_LOOK, NULL, "", "/v1/datasets", "All datasets", JSON},
    {"/v1/datasets/:/?", answer_dataset, COST_LOOK, NULL, "", DATASET, "What is known of a dataset", JSON},
    {"/v1/datasets/:/items", answer_items, COST_LOOK, NULL, "after limit path", DATASET "/items",
     "A page of the catalog's items, or one", JSON},
    {"/v1/datasets/:/files", answer_files, COST_LOOK, NULL, "after limit path", DATASET "/files",
     "A page of the other files, or one", JSON},
    {"/v1/datasets/:/plan", answer_plan, COST_LOOK, NULL, CHOSEN_PARAMETERS, DATASET "/plan",
     "What a download would fetch, exactly", "application/x-ndjson"},
    {"/v1/datasets/:/archive", answer_archive, COST_LOOK, NULL, CHOSEN_PARAMETERS, DATASET "/archive",
     "All that a download would fetch, as a tar stream", "application/x-tar"},
    {"/v1/datasets/:/link", answer_link, COST_LOOK, NULL, "seconds", DATASET "/link",
     "With a token of a private dataset: what opens it for a while without, as ?access=", JSON},
    {"/v1/datasets/:/catalog.jsonl.zst", answer_catalog, COST_FILE, NULL, NULL, DATASET "/catalog.jsonl.zst",
     "The catalog file", "application/zstd"},
    {"/v1/datasets/:/" TREE_LIST_NAME, answer_tree, COST_FILE, NULL, NULL, DATASET "/" TREE_LIST_NAME,
     "Links, directories, modes and times", "application/zstd"},
    {"/v1/datasets/:/items/*", answer_map, COST_LOOK, is_map, "", DATASET "/items/{path}/map",
     "Which bytes of an item each frame has in each level", JSON},
    {"/v1/datasets/:/items/*", answer_frame, COST_LOOK, is_frame, "reduce accept",
     DATASET "/items/{path}/frames/{frame}", "One frame: a codestream, or a picture",
     "image/jphc image/png image/jpeg"},
    {"/v1/datasets/:/items/*", answer_item_file, COST_LOOK, has_format, ROUTE_ITEM_FILE, NULL, NULL, NULL},
    /* A level is chosen: that takes an open item. */
    {"/v1/datasets/:/items/*", answer_item_prefix, COST_LOOK, has_parameters, ROUTE_RESOLUTION, NULL, NULL, NULL},
    {"/v1/datasets/:/items/*", answer_item_bytes, COST_FILE, NULL, ROUTE_ITEM_FILE, DATASET "/items/{path}",
     "An item, its prefix at a size, or with format a file made of it", BYTES},
    {"/v1/datasets/:/files/*", answer_file, COST_FILE, NULL, NULL, DATASET "/files/{path}", "Another file", "*/*"},
    /* The store as a static web server shows it. */
    {"/:/catalog.jsonl.zst", answer_catalog, COST_FILE, NULL, NULL, NULL, NULL, NULL},
    {"/:/" TREE_LIST_NAME, answer_tree, COST_FILE, NULL, NULL, NULL, NULL, NULL},
    {"/:/items/*", answer_item_bytes, COST_FILE, is_item_file, NULL, NULL, NULL, NULL},
    {"/:/files/*", answer_file, COST_FILE, NULL, NULL, NULL, NULL, NULL},
    {0},
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
    request->routes = routes;
    request->link = NULL;
    access_take_link(request);
    if (request->method == METHOD_OTHER) {
        request->answer = answer_wrong_method;
        return;
    }
    if (request->method == METHOD_OPTIONS) {
        request->answer = answer_preflight;
        return;
    }
    for (const struct route *row = routes; row->pattern; row++) {
        request->path = NULL;
        request->dataset[0] = '\0';
        if (!matches(row->pattern, request->target.path, request) || (row->also && !row->also(request)))
            continue;
        request->answer = row->answer;
        request->cost = row->cost;
        request->parameters = row->parameters;
        if (request->dataset[0] && row->answer != answer_link && !access_allows(request, request->dataset)) {
            request->answer = access_refuse;
            request->cost = COST_FILE;
        }
        return;
    }
    request->path = NULL;
    request->dataset[0] = '\0';
}
