/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a client may write: lines of the input are a request's target, its Accept, Range, If-None-Match and
 * Accept-Encoding fields, and then fields with a colon. Each goes where the host sends it before anything is opened.
 */
#include "fuzz.h"

#include "host/access.h"
#include "host/dicomweb.h"
#include "host/fields.h"
#include "host/router.h"

#include <stdlib.h>
#include <string.h>

enum { LINES = 5 };

/* Hosts on which all is public, and on which nothing is. */
static struct mist_host *host_of(bool closed)
{
    static struct mist_host hosts[2];
    static char *all[] = {"*"};
    static char path[] = "access";
    static struct access_rule rule = {.datasets = {all, 1}, .end = INT64_MAX};
    if (closed && !hosts[1].access.path) {
        pthread_rwlock_init(&hosts[1].access.lock, NULL);
        hosts[1].access.rule = &rule;
        hosts[1].access.rules = 1;
        hosts[1].access.path = path;
    }
    return &hosts[closed];
}

static void read_target(const char *text, struct request *request)
{
    const char *wrong = target_parse(text, &request->target);
    if (wrong)
        return;
    fuzz_require(request->target.path[0] == '/' || strcmp(request->target.path, "*") == 0);
    fuzz_require(request->target.parameters <= TARGET_MAX_PARAMETERS);
    for (unsigned i = 0; i < request->target.parameters; i++)
        fuzz_require(target_parameter(&request->target, request->target.parameter[i].name));
    if (strncmp(request->target.path, "/dicom-web/", 11) == 0) {
        struct dicomweb_target target;
        char *path = strdup(request->target.path + 11);
        fuzz_require(path);
        if (dicomweb_target_parse(path, &target)) {
            struct mist_buffer url = {0};
            fuzz_require(dicomweb_put_url(&target, target.study, target.series, target.instance, &url));
            mist_buffer_free(&url);
        }
        free(path);
    }
    if (request->host->access.path) /* nobody guesses a signature */
        fuzz_require(!access_allows(request, "a"));
    route(request);
    if (request->host->access.path && request->dataset[0] && strcmp(request->method_name, "GET") == 0)
        fuzz_require(request->answer == access_refuse || strstr(request->target.path, "/link"));
    fuzz_require(request->answer && (!request->dataset[0] || mist_dataset_name_is_valid(request->dataset)));
}

static void read_range(const char *text, uint64_t total)
{
    uint64_t first, size;
    if (range_parse(text, total, &first, &size) == RANGE_PART)
        fuzz_require(size > 0 && first < total && size <= total - first);
}

static void read_fields(const char *accept, const char *range, const char *tags, const char *encodings)
{
    static const char *const types[] = {"image/jphc", "image/png", "image/jpeg"};
    struct dicomweb_media media[DICOMWEB_MAX_MEDIA];
    int choice = accept_choose(accept, types, 3);
    fuzz_require(choice >= -1 && choice < 3);
    const unsigned count = dicomweb_media_parse(accept, media);
    fuzz_require(count <= DICOMWEB_MAX_MEDIA);
    for (unsigned i = 0; i < count; i++) {
        fuzz_require(media[i].weight <= 1000 && (i == 0 || media[i].weight <= media[i - 1].weight));
        dicomweb_media_has(&media[i], "image/jphc");
    }
    read_range(range, 1);
    read_range(range, 1000);
    read_range(range, UINT64_MAX);
    etag_listed(tags, "\"0123456789abcdef\"", true);
    fuzz_require(!etag_listed("", "\"0123456789abcdef\"", false));
    gzip_accepted(encodings);
    char address[FORWARDED_SIZE];
    if (forwarded_client(tags, address))
        fuzz_require(strspn(address, "0123456789abcdefABCDEF.:") == strlen(address));
}

static void look_at_fields(char *text)
{
    struct field_check check = {0};
    for (char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        const size_t size = strcspn(line, "\n"), name = strcspn(line, ":\n");
        field_look(&check, line, name, name < size ? line + name + 1 : NULL, name < size ? size - name - 1 : 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), *line[LINES], *at = text;
    struct request *request = calloc(1, sizeof *request);
    fuzz_require(text && request);
    memcpy(text, data, size);
    text[size] = '\0';
    for (unsigned i = 0; i < LINES; i++) {
        line[i] = at;
        char *end = at + strcspn(at, "\n");
        at = *end ? end + 1 : end;
        *end = '\0';
    }
    request->method_name = "GET";
    for (int closed = 0; closed < 2; closed++) {
        request->host = host_of(closed);
        read_target(line[0], request);
    }
    read_fields(line[1], line[2], line[3], line[4]);
    look_at_fields(at);
    free(request);
    free(text);
    return 0;
}
