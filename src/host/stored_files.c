/* SPDX-License-Identifier: BSD-2-Clause */
/* What lies in the store as files: items, whole or up to a level; attachments; catalogs. All sent by sendfile(). */
#include "host/reply.h"
#include "host/resolution.h"
#include "host/router.h"

#include "base/bytes.h"
#include "base/error.h"
#include "item/layout.h"
#include "kind/names.h"
#include "source/tree_list.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* Opens what the request names; answers itself and returns -1 if that fails. */
static int open_or_answer(struct request *request, enum mist_catalog_kind kind, struct stat *about)
{
    struct mist_error error = {0};
    int descriptor;
    enum mist_status status =
        mist_store_open_file(request->host->store, request->dataset, kind, request->path, &descriptor, &error);
    if (!status && fstat(descriptor, about) != 0) {
        status = error_set_errno(&error, errno, "%s", request->target.path);
        close(descriptor);
    }
    if (!status)
        return descriptor;
    reply_failure(request, &error);
    return -1;
}

/* Files of a store are replaced, never written to, so inode, size and time name one version of them. */
static void tag_file(const struct stat *about, char etag[ETAG_SIZE])
{
    snprintf(etag, ETAG_SIZE, "\"%" PRIx64 "-%" PRIx64 "-%" PRIx64 ".%09lx\"", (uint64_t)about->st_ino,
             (uint64_t)about->st_size, (uint64_t)about->st_mtim.tv_sec, (unsigned long)about->st_mtim.tv_nsec);
}

static void answer_with_file(struct request *request, enum mist_catalog_kind kind, const char *type)
{
    struct stat about;
    struct body body = {.type = type};
    body.descriptor = open_or_answer(request, kind, &about);
    if (body.descriptor < 0)
        return;
    body.size = (uint64_t)about.st_size;
    tag_file(&about, body.etag);
    reply_body(request, &body);
}

void answer_tree(struct request *request, struct worker *worker)
{
    (void)worker;
    request->path = TREE_LIST_NAME;
    answer_with_file(request, MIST_CATALOG_END, "application/zstd");
}

void answer_catalog(struct request *request, struct worker *worker)
{
    (void)worker;
    request->path = NULL;
    answer_with_file(request, MIST_CATALOG_END, "application/zstd");
}

/* Types that browsers only show. Whatever could run in a page of this origin goes as bytes. */
static const char *type_of(const char *path)
{
    static const struct {
        const char *extension, *type;
    } types[] = {
        {".csv", "text/csv; charset=utf-8"},   {".tsv", "text/tab-separated-values; charset=utf-8"},
        {".txt", "text/plain; charset=utf-8"}, {".md", "text/plain; charset=utf-8"},
        {".json", "application/json"},         {".pdf", "application/pdf"},
        {".gz", "application/gzip"},           {".zip", "application/zip"},
    };
    const struct format *format = format_of_path(path);
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof types / sizeof *types; i++)
        if (strcasecmp(dot, types[i].extension) == 0)
            return types[i].type;
    return format ? format->media_type : "application/octet-stream";
}

void answer_file(struct request *request, struct worker *worker)
{
    (void)worker;
    answer_with_file(request, MIST_CATALOG_ATTACHMENT, type_of(request->path));
}

/* The id stands in the file itself, so the tag always is that of the bytes that are sent. */
static void tag_item(int descriptor, const struct stat *about, char etag[ETAG_SIZE])
{
    uint8_t start[LAYOUT_CHECKSUM_AT + 8];
    if (pread(descriptor, start, sizeof start, 0) == (ssize_t)sizeof start &&
        memcmp(start, LAYOUT_MAGIC, LAYOUT_CHECKSUM_AT) == 0)
        snprintf(etag, ETAG_SIZE, "\"%016" PRIx64 "\"", load_le64(start + LAYOUT_CHECKSUM_AT));
    else
        tag_file(about, etag); /* damaged: `mist verify` says so */
}

void answer_item_bytes(struct request *request, struct worker *worker)
{
    struct stat about;
    struct body body = {.type = "application/octet-stream"};
    (void)worker;
    body.descriptor = open_or_answer(request, MIST_CATALOG_ITEM, &about);
    if (body.descriptor < 0)
        return;
    body.size = (uint64_t)about.st_size;
    tag_item(body.descriptor, &about, body.etag);
    reply_body(request, &body);
}

void answer_item_prefix(struct request *request, struct worker *worker)
{
    struct mist_resolution_request wanted;
    struct mist_error error = {0};
    struct stat about;
    struct cached_item *item;
    struct body body = {.type = "application/octet-stream"};
    (void)worker;
    if (!resolution_parse(request, &wanted))
        return;
    body.descriptor = open_or_answer(request, MIST_CATALOG_ITEM, &about);
    if (body.descriptor < 0)
        return;
    if (cache_open(&request->host->cache, dup(body.descriptor), request->path, &item, &error) != MIST_OK) {
        close(body.descriptor);
        reply_failure(request, &error);
        return;
    }
    const struct mist_item_info *info = mist_item_info(item->item);
    unsigned reduce = resolution_choose(info, &wanted).reduce; /* a prefix has all slices */
    body.size = info->level_end[info->levels - 1 - reduce];
    snprintf(body.etag, sizeof body.etag, "\"%016" PRIx64 "-%u\"", info->id, reduce);
    cache_release(&request->host->cache, item);
    if (body.size > (uint64_t)about.st_size) {
        close(body.descriptor);
        error_set(&error, MIST_ERROR_TRUNCATED, "%s: the item file ends early", request->path);
        reply_failure(request, &error);
        return;
    }
    reply_body(request, &body);
}
