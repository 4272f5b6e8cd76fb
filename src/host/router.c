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

bool route_take_dataset(struct request *request, const char **rest)
{
    size_t length = strcspn(*rest, "/");
    if (length > MIST_DATASET_NAME_MAX)
        return false;
    memcpy(request->dataset, *rest, length);
    request->dataset[length] = '\0';
    if (!mist_dataset_name_is_valid(request->dataset))
        return false;
    *rest += length;
    return true;
}

/* "/NAME" or "/NAME/...": the part behind. */
static const char *behind(const char *path, const char *name)
{
    size_t length = strlen(name);
    if (strncmp(path + 1, name, length) != 0)
        return NULL;
    if (path[1 + length] == '\0')
        return path + 1 + length;
    return path[1 + length] == '/' ? path + 2 + length : NULL;
}

/* Programs are told where to start, browsers get the page. */
static void route_root(struct request *request)
{
    static const char *const types[] = {"application/json", "text/html"};
    request->answer = answer_root;
    if (accept_choose(request_field(request, "Accept"), types, 2) == 1)
        request->answer = answer_page_file, request->path = "index.html";
}

void route(struct request *request)
{
    const char *path = request->target.path, *rest;
    request->answer = answer_nothing_here;
    if (request->method == METHOD_OTHER)
        request->answer = answer_wrong_method;
    else if (request->method == METHOD_OPTIONS)
        request->answer = answer_preflight;
    else if (strcmp(path, "/") == 0)
        route_root(request);
    else if (strncmp(path, "/page/", 6) == 0 && page_file_find(path + 6))
        request->answer = answer_page_file, request->path = path + 6;
    else if (strcmp(path, "/healthz") == 0)
        request->answer = answer_health, request->slow = true;
    else if (strcmp(path, "/metrics") == 0)
        request->answer = answer_metrics;
    else if ((rest = behind(path, "dicom-web")) != NULL)
        request->answer = answer_dicomweb, request->path = rest, request->slow = true;
    else if ((rest = behind(path, "v1")) != NULL ? !route_native(request, rest) : !route_static(request, path + 1))
        request->answer = answer_nothing_here;
}

/* ---- /v1 ---- */

static void route_item(struct request *request, const char *path)
{
    request->path = path;
    request->answer = answer_item_bytes;
    /* A level is chosen, or the item's own parts are asked for: that takes an open item. */
    if (item_part_is_map(path)) {
        request->answer = answer_map;
        request->slow = true;
    } else if (item_part_is_frame(path)) {
        request->answer = answer_frame;
        request->slow = true;
    } else if (request->target.parameters) {
        request->answer = answer_item_prefix;
        request->slow = true;
    }
}

bool route_native(struct request *request, const char *rest)
{
    request->slow = true;
    if (strcmp(rest, "datasets") == 0 || strcmp(rest, "datasets/") == 0) {
        request->answer = answer_datasets;
        return true;
    }
    if (strncmp(rest, "datasets/", 9) != 0)
        return false;
    rest += 9;
    if (!route_take_dataset(request, &rest))
        return false;
    if (*rest == '/')
        rest++;
    if (*rest == '\0')
        request->answer = answer_dataset;
    else if (strcmp(rest, "items") == 0)
        request->answer = answer_items;
    else if (strcmp(rest, "files") == 0)
        request->answer = answer_files;
    else if (strcmp(rest, "plan") == 0)
        request->answer = answer_plan;
    else if (strcmp(rest, "catalog.jsonl.zst") == 0)
        request->answer = answer_catalog, request->slow = false;
    else if (strcmp(rest, TREE_LIST_NAME) == 0)
        request->answer = answer_tree, request->slow = false;
    else if (strncmp(rest, "items/", 6) == 0)
        request->slow = false, route_item(request, rest + 6);
    else if (strncmp(rest, "files/", 6) == 0)
        request->answer = answer_file, request->path = rest + 6, request->slow = false;
    else
        return false;
    return true;
}

/* ---- the store as a static web server shows it ---- */

bool route_static(struct request *request, const char *rest)
{
    if (!route_take_dataset(request, &rest))
        return false;
    size_t length = strlen(rest);
    if (strcmp(rest, "/catalog.jsonl.zst") == 0) {
        request->answer = answer_catalog;
    } else if (strcmp(rest, "/" TREE_LIST_NAME) == 0) {
        request->answer = answer_tree;
    } else if (strncmp(rest, "/files/", 7) == 0) {
        request->answer = answer_file;
        request->path = rest + 7;
    } else if (strncmp(rest, "/items/", 7) == 0 && length > 12 && strcmp(rest + length - 5, ".mist") == 0) {
        /* Cut off ".mist": target.text is the request's own. */
        request->target.text[strlen(request->target.text) - 5] = '\0';
        request->path = rest + 7;
        request->answer = answer_item_bytes;
    } else {
        return false;
    }
    return true;
}
