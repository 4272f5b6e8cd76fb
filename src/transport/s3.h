/* SPDX-License-Identifier: BSD-2-Clause */
/* s3://BUCKET/PREFIX/DATASET: where that is on the web, and who asks, by the environment that AWS's own tools read. */
#ifndef TRANSPORT_S3_H
#define TRANSPORT_S3_H

#include "transport/url.h"

/*
 * Sets url->kind, base and, where AWS_ACCESS_KEY_ID is set, what requests are signed with. `place` is what follows
 * "s3://". The endpoint is AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL (the bucket is a part of the path then), else
 * Amazon's of AWS_REGION or AWS_DEFAULT_REGION (us-east-1). MIST_ERROR_ARGUMENT, with a sentence that names what is
 * wrong and nothing secret.
 */
enum mist_status s3_url(const char *place, struct url *url, struct mist_error *error);

#endif
