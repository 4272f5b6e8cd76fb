/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/request.h"

const char *request_field(const struct request *request, const char *name)
{
    return MHD_lookup_connection_value(request->mhd, MHD_HEADER_KIND, name);
}
