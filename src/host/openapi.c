/* SPDX-License-Identifier: BSD-2-Clause */
/* What this host answers, as OpenAPI 3.0: made of the table of routes. */
#include "host/reply.h"
#include "host/router.h"

#include "base/json.h"

#include <mist/version.h>
#include <string.h>

static const struct parameter {
    const char *name, *type, *what;
} parameters[] = {
    {"size", "string", "S, WxH or WxHxD: the level whose shorter side is closest"},
    {"reduce", "string", "R, or R,S: at 1/2^R of each side, every 2^S-th slice"},
    {"spacing", "string", "millimetres, or XxYxZ: the level whose spacing is closest"},
    {"policy", "string", "closest, at-least or at-most"},
    {"format", "string", "of the file that is made: nii.gz, npy, png, dcm ..."},
    {"exact", "integer", "1: resampled to exactly the size"},
    {"grid", "string", "native or center"},
    {"file", "integer", "which of several files, from 0"},
    {"accept", "string", "a media type, in the place of the header field"},
    {"after", "string", "the path behind which the page begins"},
    {"limit", "integer", "rows at most"},
    {"path", "string", "this row alone"},
    {"include", "string", "a shell pattern on paths"},
    {"exclude", "string", "a shell pattern on paths"},
    {"where", "string", "a condition on a column: Sex=F"},
    {"sample", "integer", "so many cases"},
    {"seed", "integer", "of the sample"},
    {"max-bytes", "integer", "what all of it may take"},
    {"max-memory", "integer", "what decoding one frame may take"},
    {"seconds", "integer", "how long, 3600 by default, 604800 at most"},
};

static bool put_parameter(const char *name, size_t length, const char *in, bool repeats, bool first,
                          struct mist_buffer *out)
{
    const char *type = "string", *what = strcmp(in, "path") == 0 ? "as listings tell it, percent-encoded" : "";
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++)
        if (strcmp(in, "query") == 0 && strlen(parameters[i].name) == length &&
            memcmp(parameters[i].name, name, length) == 0) {
            type = parameters[i].type;
            what = parameters[i].what;
        }
    return json_put(out,
                    "%s{\"name\": \"%.*s\", \"in\": \"%s\", \"required\": %s, \"description\": ", first ? "" : ", ",
                    (int)length, name, in, strcmp(in, "path") == 0 ? "true" : "false") &&
           json_put_string(out, what) &&
           json_put(out,
                    repeats ? ", \"schema\": {\"type\": \"array\", \"items\": {\"type\": \"%s\"}}}"
                            : ", \"schema\": {\"type\": \"%s\"}}",
                    type);
}

/* Those between braces in the pattern, then those of the query. */
static bool put_parameters(const struct route *row, struct mist_buffer *out)
{
    bool good = json_put(out, "\"parameters\": ["), first = true;
    for (const char *at = strchr(row->shown, '{'); at && good; at = strchr(at, '{')) {
        const size_t length = strcspn(++at, "}");
        good = put_parameter(at, length, "path", false, first, out);
        first = false;
    }
    for (const char *at = row->parameters ? row->parameters : ""; *at && good; at += strspn(at, " +")) {
        const size_t length = strcspn(at, " +");
        good = put_parameter(at, length, "query", at[length] == '+', first, out);
        first = false;
        at += length;
    }
    return good && json_put(out, "]");
}

static bool put_types(const struct route *row, struct mist_buffer *out)
{
    bool good = json_put(out, "\"content\": {"), first = true;
    for (const char *at = row->types; *at && good; at += strspn(at, " ")) {
        const size_t length = strcspn(at, " ");
        good = json_put(out, "%s\"%.*s\": {}", first ? "" : ", ", (int)length, at);
        first = false;
        at += length;
    }
    return good && json_put(out, "}");
}

static bool put_route(const struct route *row, bool first, struct mist_buffer *out)
{
    return json_put(out, "%s\n\"%s\": {\"get\": {\"summary\": ", first ? "" : ",", row->shown) &&
           json_put_string(out, row->summary) && json_put(out, ", ") && put_parameters(row, out) &&
           json_put(out, ", \"responses\": {\"200\": {\"description\": \"the answer\", ") && put_types(row, out) &&
           json_put(out, "}, \"default\": {\"description\": \"what is wrong: {\\\"error\\\": SENTENCE}\", \"content\": "
                         "{\"application/json\": {\"schema\": {\"type\": \"object\", \"properties\": {\"error\": "
                         "{\"type\": \"string\"}}}}}}}}}");
}

void answer_openapi(struct request *request, struct worker *worker)
{
    struct mist_buffer text = {0};
    (void)worker;
    bool good =
        json_put(&text,
                 "{\"openapi\": \"3.0.3\", \"info\": {\"title\": \"MIST\", \"version\": \"%s\", \"description\": "
                 "\"Medical images at any resolution: docs/http.md, and docs/dicomweb.md for /dicom-web. "
                 "HEAD is answered as GET is, without a body.\"}, \"paths\": {",
                 MIST_VERSION);
    bool first = true;
    for (const struct route *row = request->routes; row->pattern && good; row++) {
        if (!row->shown)
            continue;
        good = put_route(row, first, &text);
        first = false;
    }
    if (good && json_put(&text, "}}\n"))
        reply_text(request, "application/json", &text);
    else
        reply_failure(request, &(struct mist_error){MIST_ERROR_MEMORY, "a description: out of memory"});
    mist_buffer_free(&text);
}
