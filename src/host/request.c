/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/server.h"

const char *request_field(const struct request *request, const char *name)
{
    return MHD_lookup_connection_value(request->mhd, MHD_HEADER_KIND, name);
}

bool request_renders(struct request *request, struct worker *worker)
{
    if (worker->pool == &request->host->renders)
        return true;
    request->moves_on = true;
    return false;
}
