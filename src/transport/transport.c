/* SPDX-License-Identifier: BSD-2-Clause */
#include "transport/transport.h"

enum mist_status transport_new(const struct transport_settings *settings, struct transport **transport,
                               struct mist_error *error)
{
    *transport = NULL;
    return settings->url.kind == URL_DIRECTORY ? transport_directory_new(settings, transport, error)
                                               : transport_http_new(settings, transport, error);
}

void transport_free(struct transport **transport)
{
    if (*transport) {
        (*transport)->ops->free(*transport);
        *transport = NULL;
    }
}

enum mist_status transport_fetch(struct transport *transport, const struct transport_request *request,
                                 struct mist_error *error)
{
    return transport->ops->fetch(transport, request, error);
}
