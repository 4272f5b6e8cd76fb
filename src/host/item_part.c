/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/item_part.h"

#include "host/reply.h"
#include "host/router.h"

#include <string.h>
#include <unistd.h>

bool item_part_is_map(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash > path && strcmp(slash, "/map") == 0;
}

bool item_part_is_frame(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash - path > 7 && memcmp(slash - 7, "/frames", 7) == 0 && slash[1] != '\0' &&
           slash[1 + strspn(slash + 1, "0123456789")] == '\0';
}

static bool is_an_item(struct request *request)
{
    int descriptor;
    if (mist_store_open_file(request->host->store, request->dataset, MIST_CATALOG_ITEM, request->path, &descriptor,
                             NULL) != MIST_OK)
        return false;
    close(descriptor);
    return true;
}

/* The last place where the separator stands; the router has seen that there is one. */
static char *find_last(char *path, const char *separator)
{
    char *last = strstr(path, separator);
    for (char *next = last; next; next = strstr(next + 1, separator))
        last = next;
    return last;
}

bool item_part_open(struct request *request, struct worker *worker, const char *separator, struct item_part *part)
{
    struct mist_error error = {0};
    int descriptor;
    if (is_an_item(request)) {
        const bool file = target_parameter(&request->target, "format") != NULL;
        request->parameters = file ? ROUTE_ITEM_FILE : ROUTE_RESOLUTION;
        (file                         ? answer_item_file
         : request->target.parameters ? answer_item_prefix
                                      : answer_item_bytes)(request, worker);
        return false;
    }
    /* The path is a part of target.text, which is the request's own. */
    char *at = find_last(request->target.text + (request->path - request->target.text), separator);
    *at = '\0';
    part->rest = at + strlen(separator);
    enum mist_status status = mist_store_open_file(request->host->store, request->dataset, MIST_CATALOG_ITEM,
                                                   request->path, &descriptor, &error);
    if (!status)
        status = cache_open(&request->host->cache, descriptor, request->path, &part->item, &error);
    if (status)
        reply_failure(request, &error);
    return !status;
}
