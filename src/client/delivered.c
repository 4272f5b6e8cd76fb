/* SPDX-License-Identifier: BSD-2-Clause */
/* CACHE/DATASET/delivered.json: what the last download into an output directory was. */
#include "client/session.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"

#include <inttypes.h>
#include <mist/mist.h>
#include <stdio.h>

static bool put_text(struct mist_buffer *out, const char *name, const char *text)
{
    return json_put(out, ",\"%s\":", name) && (text ? json_put_string(out, text) : json_put(out, "null"));
}

static bool put_list(struct mist_buffer *out, const char *name, const char *const *texts, uint32_t count)
{
    bool good = json_put(out, ",\"%s\":[", name);
    for (uint32_t i = 0; i < count && good; i++)
        good = json_put(out, "%s", i ? "," : "") && json_put_string(out, texts[i]);
    return good && json_put(out, "]");
}

static bool put_request(const struct session *session, struct mist_buffer *out)
{
    const struct mist_get_options *options = session->options;
    const struct mist_resolution_request *asked = &options->resolution;
    bool good = json_put(out, ",\"request\":{\"policy\":%d", (int)asked->policy);
    if (asked->by_reduce)
        good = good && json_put(out, ",\"reduce\":[%u,%u]", asked->reduce, asked->step);
    if (asked->width)
        good = good && json_put(out, ",\"size\":[%u,%u,%u]", asked->width, asked->height, asked->depth);
    if (asked->spacing[0] > 0)
        good = good &&
               json_put(out, ",\"spacing\":[%.9g,%.9g,%.9g]", asked->spacing[0], asked->spacing[1], asked->spacing[2]);
    if (options->max_bytes)
        good = good && json_put(out, ",\"max_bytes\":%" PRIu64 ",\"budget_reduce\":%d", options->max_bytes,
                                session->report.budget_reduce);
    good = good && json_put(out, ",\"exact\":%s,\"grid\":\"%s\"", asked->exact ? "true" : "false",
                            asked->grid == MIST_GRID_CENTER ? "center" : "native");
    const struct mist_selection *which = &options->selection;
    good = good && put_list(out, "include", which->include, which->include_count) &&
           put_list(out, "exclude", which->exclude, which->exclude_count) &&
           put_list(out, "where", which->where, which->where_count);
    if (which->name_count)
        good = good && json_put(out, ",\"names\":%" PRIu32, which->name_count);
    if (which->sample)
        good = good && json_put(out, ",\"sample\":%" PRIu64 ",\"seed\":%" PRIu64, which->sample, which->seed);
    if (which->limit)
        good = good && json_put(out, ",\"limit\":%" PRIu64, which->limit);
    return good && put_text(out, "format", options->format) && json_put(out, "}");
}

static bool put_all(const struct session *session, struct mist_buffer *out)
{
    const struct mist_get_report *report = &session->report;
    bool good =
        json_put(out, "{\"mist\":\"" MIST_VERSION "\"") && put_text(out, "dataset", session->dataset.name) &&
        json_put(out, ",\"id\":\"%016" PRIx64 "\"", session->dataset.id) &&
        put_text(out, "licence", *session->dataset.card.licence ? session->dataset.card.licence : NULL) &&
        put_text(out, "citation", *session->dataset.card.citation ? session->dataset.card.citation : NULL) &&
        put_text(out, "url", session->settings.url.base) && put_request(session, out) &&
        json_put(out,
                 ",\"items\":%" PRIu64 ",\"labels_sampled\":%" PRIu64 ",\"attachments\":%" PRIu64 ",\"failed\":%" PRIu64
                 ",\"files\":%" PRIu64 ",\"unchanged\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"larger\":[",
                 report->items, report->labels_sampled, report->attachments, report->failed, report->files,
                 report->unchanged, report->selected_bytes);
    for (unsigned i = 0; i < report->larger_count && good; i++)
        good = json_put(out, "%s{\"why\":", i ? "," : "") && json_put_string(out, report->larger[i].why) &&
               json_put(out, ",\"files\":%" PRIu64 ",\"bytes\":%" PRIu64 "}", report->larger[i].files,
                        report->larger[i].bytes);
    return good && json_put(out, "]}\n");
}

enum mist_status session_say_what_was_delivered(const struct session *session, struct mist_error *error)
{
    struct mist_buffer text = {0};
    enum mist_status status = put_all(session, &text) && session->delivered_path
                                  ? file_write_whole(session->delivered_path, text.data, text.size, error)
                                  : error_set(error, MIST_ERROR_MEMORY, "out of memory");
    mist_buffer_free(&text);
    return status;
}
