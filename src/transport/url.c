/* SPDX-License-Identifier: BSD-2-Clause */
#include "transport/url.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "transport/s3.h"

#include <ctype.h>
#include <mist/remote.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { MAX_URL = 4096 };

/* Length of "scheme" in "scheme:..." (RFC 3986, 3.1), 0 if it does not start with one. Single letters are none. */
static size_t scheme_length(const char *text)
{
    size_t length = 0;
    if (!isalpha((unsigned char)text[0]))
        return 0;
    while (isalnum((unsigned char)text[length]) || (text[length] && strchr("+-.", text[length])))
        length++;
    return length > 1 && text[length] == ':' ? length : 0;
}

static void drop_last_slashes(char *text, size_t keep)
{
    size_t length = strlen(text);
    while (length > keep && text[length - 1] == '/')
        text[--length] = '\0';
}

/* What is wrong with a web address, or NULL. `host` is what follows "://". */
static const char *web_problem(const char *host)
{
    if (strpbrk(host, "?#"))
        return "a query or fragment ('?', '#') cannot be part of it";
    for (const char *p = host; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7f)
            return "there is a space or control character in it";
    return *host == '\0' || *host == '/' ? "it names no host" : NULL;
}

/* Where the host begins behind "://": behind the last '@' of the authority, which ends user and password. */
static const char *host_of(const char *authority)
{
    const char *end = authority + strcspn(authority, "/?#"), *host = authority;
    for (const char *p = authority; p < end; p++)
        if (*p == '@')
            host = p + 1;
    return host;
}

/* Takes "USER:PASSWORD@" out of url->base, whose authority starts at `start`. */
static enum mist_status take_secrets(struct url *url, size_t start, struct mist_error *error)
{
    char *authority = url->base + start;
    size_t length = (size_t)(host_of(authority) - authority);
    if (length == 0)
        return MIST_OK;
    authority[length - 1] = '\0';
    char *colon = strchr(authority, ':');
    if (colon)
        *colon = '\0';
    url->user = memory_copy_text(authority);
    url->password = memory_copy_text(colon ? colon + 1 : "");
    memmove(authority, authority + length, strlen(authority + length) + 1);
    if (!url->user || !url->password)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", url->base);
    if (percent_decode(url->user, strlen(url->user), false) ||
        percent_decode(url->password, strlen(url->password), false))
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: the percent-encoding of user or password is broken",
                         url->base);
    return MIST_OK;
}

static enum mist_status parse_web(const char *text, size_t scheme, struct url *url, struct mist_error *error)
{
    bool secure = scheme == 5 && strncasecmp(text, "https", 5) == 0;
    const char *host = host_of(text + scheme + 3), *problem = web_problem(host);
    if (!secure && !(scheme == 4 && strncasecmp(text, "http", 4) == 0))
        return error_set(error, MIST_ERROR_ARGUMENT,
                         "%.*s://%s: only http, https, s3 and file addresses can be fetched", (int)scheme, text, host);
    if (problem)
        return error_set(error, MIST_ERROR_ARGUMENT, "%.*s://%s: %s", (int)scheme, text, host, problem);
    url->kind = secure ? URL_HTTPS : URL_HTTP;
    url->base = memory_copy_text(text);
    return url->base ? take_secrets(url, scheme + 3, error) : MIST_OK;
}

static enum mist_status parse_file(const char *text, struct url *url, struct mist_error *error)
{
    const char *path = text + strlen("file:");
    if (strncmp(path, "//", 2) == 0) {
        path += 2;
        if (strncasecmp(path, "localhost/", 10) == 0)
            path += 9;
    }
    if (*path != '/')
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: file addresses are file:///PATH", text);
    url->base = memory_copy_text(path);
    if (!url->base)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", text);
    if (percent_decode(url->base, strlen(url->base), false) == PERCENT_GOOD)
        return MIST_OK;
    return error_set(error, MIST_ERROR_ARGUMENT, "%s: its percent-encoding is broken", text);
}

enum mist_status url_parse(const char *text, struct url *url, struct mist_error *error)
{
    *url = (struct url){.kind = URL_DIRECTORY};
    size_t scheme = scheme_length(text);
    enum mist_status status = MIST_OK;
    if (!*text || strlen(text) > MAX_URL)
        return error_set(error, MIST_ERROR_ARGUMENT, "an address of %zu characters; it may have 1 to %d", strlen(text),
                         MAX_URL);
    if (scheme == 4 && strncasecmp(text, "file", 4) == 0) {
        status = parse_file(text, url, error);
    } else if (scheme == 2 && strncasecmp(text, "s3://", 5) == 0) {
        url->s3 = true;
        status = s3_url(text + 5, url, error);
    } else if (scheme && strncmp(text + scheme, "://", 3) == 0) {
        status = parse_web(text, scheme, url, error);
    } else {
        url->base = memory_copy_text(text);
    }
    if (!status && !url->base)
        status = error_set(error, MIST_ERROR_MEMORY, "an address: out of memory");
    if (status)
        url_free(url);
    else
        drop_last_slashes(url->base, url->kind == URL_DIRECTORY ? 1 : strlen("http://") + 1);
    return status;
}

void url_free(struct url *url)
{
    memory_free(url->base);
    memory_free(url->user);
    memory_free(url->password);
    memory_free(url->signer);
    memory_free(url->session);
    *url = (struct url){0};
}

char *url_join(const struct url *url, const char *path)
{
    size_t length = strlen(url->base);
    char *joined = memory_allocate(length + 3 * strlen(path) + 2);
    if (!joined)
        return NULL;
    memcpy(joined, url->base, length);
    char *out = joined + length;
    if (length == 0 || out[-1] != '/')
        *out++ = '/';
    if (url->kind == URL_DIRECTORY)
        strcpy(out, path);
    else
        percent_encode_path(path, out);
    return joined;
}

size_t mist_url_without_secrets(const char *url, char *text, size_t size)
{
    size_t scheme = scheme_length(url);
    const char *authority = scheme && strncmp(url + scheme, "://", 3) == 0 ? url + scheme + 3 : url;
    int length = snprintf(text, size, "%.*s%s", (int)(authority - url), url, scheme ? host_of(authority) : authority);
    return length < 0 ? 0 : (size_t)length;
}
