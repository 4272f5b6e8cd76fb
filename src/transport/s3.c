/* SPDX-License-Identifier: BSD-2-Clause */
#include "transport/s3.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LEAST_BUCKET = 3, LONGEST_BUCKET = 63, LONGEST_NAME = 128 };

/* The value of a variable that is set and not empty, or NULL. */
static const char *setting(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* Letters of small size, digits, '.', '-': what buckets and regions are called. */
static bool is_name(const char *text, size_t length, size_t least, size_t longest)
{
    for (size_t i = 0; i < length; i++)
        if (!islower((unsigned char)text[i]) && !isdigit((unsigned char)text[i]) && text[i] != '.' && text[i] != '-')
            return false;
    return length >= least && length <= longest && text[0] != '.' && text[0] != '-';
}

/* Text without control characters: it becomes a header field, or a part of one. */
static bool is_plain(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text <= ' ' || (unsigned char)*text >= 0x7f)
            return false;
    return true;
}

/* Our own signature is made of these; without keys, requests are anonymous. */
static enum mist_status take_keys(struct url *url, const char *region, struct mist_error *error)
{
    const char *key = setting("AWS_ACCESS_KEY_ID"), *secret = setting("AWS_SECRET_ACCESS_KEY");
    const char *session = setting("AWS_SESSION_TOKEN");
    if (!key && !secret)
        return MIST_OK;
    if (!key || !secret)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s is set and %s is not: an S3 bucket wants both, or neither",
                         key ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
                         key ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
    if (!is_plain(key) || !is_plain(secret) || (session && !is_plain(session)))
        return error_set(error, MIST_ERROR_ARGUMENT,
                         "a space or control character is in one of AWS_ACCESS_KEY_ID, "
                         "AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN");
    char signer[LONGEST_NAME + 16];
    snprintf(signer, sizeof signer, "aws:amz:%s:s3", region);
    url->user = memory_copy_text(key);
    url->password = memory_copy_text(secret);
    url->signer = memory_copy_text(signer);
    url->session = session ? memory_copy_text(session) : NULL;
    return url->user && url->password && url->signer && (url->session || !session)
               ? MIST_OK
               : error_set(error, MIST_ERROR_MEMORY, "an address: out of memory");
}

static enum mist_status check_endpoint(const char *endpoint, bool *secure, struct mist_error *error)
{
    *secure = strncasecmp(endpoint, "https://", 8) == 0;
    const char *host = *secure ? endpoint + 8 : strncasecmp(endpoint, "http://", 7) == 0 ? endpoint + 7 : NULL;
    bool good = host && *host && *host != '/' && is_plain(endpoint) && !strpbrk(endpoint, "?#@");
    return good ? MIST_OK
                : error_set(error, MIST_ERROR_ARGUMENT,
                            "AWS_ENDPOINT_URL (or AWS_ENDPOINT_URL_S3) is no http:// or https:// address of a host");
}

enum mist_status s3_url(const char *place, struct url *url, struct mist_error *error)
{
    const size_t bucket = strcspn(place, "/");
    const char *key = place + bucket, *endpoint = setting("AWS_ENDPOINT_URL_S3"), *region = setting("AWS_REGION");
    bool secure = true;
    endpoint = endpoint ? endpoint : setting("AWS_ENDPOINT_URL");
    region = region ? region : setting("AWS_DEFAULT_REGION");
    region = region ? region : "us-east-1";
    if (!is_name(place, bucket, LEAST_BUCKET, LONGEST_BUCKET))
        return error_set(error, MIST_ERROR_ARGUMENT, "s3://%s: that is no bucket's name; s3://BUCKET/PREFIX/DATASET",
                         place);
    if (!is_name(region, strlen(region), 1, LONGEST_NAME))
        return error_set(error, MIST_ERROR_ARGUMENT, "AWS_REGION (or AWS_DEFAULT_REGION) is no region's name");
    enum mist_status status = endpoint ? check_endpoint(endpoint, &secure, error) : MIST_OK;
    if (!status)
        status = take_keys(url, region, error);
    if (status)
        return status;
    url->kind = secure ? URL_HTTPS : URL_HTTP;
    size_t head = (endpoint ? strlen(endpoint) : 0) + bucket + strlen(region) + 64;
    url->base = memory_allocate(head + 3 * strlen(key) + 1);
    if (!url->base)
        return error_set(error, MIST_ERROR_MEMORY, "an address: out of memory");
    /* A certificate for all buckets covers no name with a dot in it; those go into the path, as with other endpoints.
     */
    const bool dotted = memchr(place, '.', bucket) != NULL;
    int size;
    if (endpoint) {
        size_t length = strlen(endpoint);
        while (length && endpoint[length - 1] == '/')
            length--;
        size = snprintf(url->base, head, "%.*s/%.*s", (int)length, endpoint, (int)bucket, place);
    } else if (dotted) {
        size = snprintf(url->base, head, "https://s3.%s.amazonaws.com/%.*s", region, (int)bucket, place);
    } else {
        size = snprintf(url->base, head, "https://%.*s.s3.%s.amazonaws.com", (int)bucket, place, region);
    }
    percent_encode_path(key, url->base + size);
    return MIST_OK;
}
