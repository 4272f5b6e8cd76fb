/* SPDX-License-Identifier: BSD-2-Clause */
/* /, /healthz, /metrics. */
#include "host/reply.h"
#include "host/router.h"

#include "base/error.h"
#include "base/json.h"

void answer_root(struct request *request, struct worker *worker)
{
    struct mist_buffer text = {0};
    (void)worker;
    if (json_put(&text, "{\"service\": \"mist\", \"datasets\": \"/v1/datasets\"}\n"))
        reply_text(request, "application/json", &text);
    else
        mist_buffer_free(&text);
}

static enum mist_status see(void *context, const struct mist_dataset_info *info, struct mist_error *error)
{
    (void)context, (void)info, (void)error;
    return MIST_OK;
}

/* Healthy is who can read its index. */
void answer_health(struct request *request, struct worker *worker)
{
    struct mist_error error = {0};
    struct mist_buffer text = {0};
    (void)worker;
    if (mist_store_datasets(request->host->store, see, NULL, &error) != MIST_OK)
        reply_failure(request, &error);
    else if (json_put(&text, "{\"status\": \"ok\"}\n"))
        reply_text(request, "application/json", &text);
    else
        mist_buffer_free(&text);
}

void answer_metrics(struct request *request, struct worker *worker)
{
    struct mist_buffer text = {0};
    (void)worker;
    if (metrics_write(&request->host->metrics, &text))
        reply_text(request, "text/plain; version=0.0.4; charset=utf-8", &text);
    else
        mist_buffer_free(&text);
}
