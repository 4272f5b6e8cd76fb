/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/page.h"

#include "base/checksum.h"
#include "host/fields.h"
#include "host/reply.h"
#include "host/router.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Nothing but what this host sends runs or is shown; nobody frames the page. WebAssembly may be compiled. */
static const char policy[] =
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const struct page_file *page_file_find(const char *name)
{
    for (const struct page_file *file = page_files; file->name; file++)
        if (strcmp(file->name, name) == 0)
            return file;
    return NULL;
}

void answer_page_file(struct request *request, struct worker *worker)
{
    const struct page_file *file = page_file_find(request->path);
    (void)worker;
    if (!file) {
        reply_error(request, MHD_HTTP_NOT_FOUND, "the page has no file '%.100s'", request->path);
        return;
    }
    const char *encodings = request_field(request, "Accept-Encoding"), *range = request_field(request, "Range");
    /* Of a packed body a range would be one of packed bytes. */
    const bool packed = !range && gzip_accepted(encodings);
    const struct MHD_IoVec piece = {packed ? file->packed : file->data, packed ? file->packed_size : file->size};
    struct body body = {.type = file->type,
                        .negotiated = strcmp(file->name, "index.html") == 0,
                        .size = piece.iov_len,
                        .descriptor = -1,
                        .pieces = &piece,
                        .piece_count = 1};
    snprintf(body.etag, sizeof body.etag, "\"%016" PRIx64 "%s\"", checksum(file->data, file->size),
             packed ? "-gzip" : "");
    reply_body(request, &body);
    if (!request->response)
        return;
    MHD_add_response_header(request->response, "Content-Security-Policy", policy);
    MHD_add_response_header(request->response, "Referrer-Policy", "no-referrer");
    MHD_add_response_header(request->response, "Vary", "Accept-Encoding");
    if (packed)
        MHD_add_response_header(request->response, "Content-Encoding", "gzip");
}
