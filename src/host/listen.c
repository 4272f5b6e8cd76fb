/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/listen.h"

#include "base/error.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NAME_SIZE = 256 };

/* Splits "HOST:PORT"; the brackets of an IPv6 address go. */
static bool split(const char *where, char name[NAME_SIZE], char port[8])
{
    const char *colon = strrchr(where, ':');
    bool bracketed = where[0] == '[';
    if (!colon || colon == where || strspn(colon + 1, "0123456789") != strlen(colon + 1) || strlen(colon + 1) > 5 ||
        colon[1] == '\0' || strtoul(colon + 1, NULL, 10) > 65535)
        return false;
    const char *start = where + bracketed, *end = colon - bracketed;
    if (end <= start || (bracketed && *end != ']') || end - start >= NAME_SIZE)
        return false;
    memcpy(name, start, (size_t)(end - start));
    name[end - start] = '\0';
    strcpy(port, colon + 1);
    return bracketed || !strchr(name, ':');
}

static int listen_on(const struct addrinfo *address)
{
    int on = 1, off = 0;
    int listener = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener < 0)
        return -1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address->ai_family == AF_INET6) /* [::] takes IPv4 too */
        setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(listener, address->ai_addr, address->ai_addrlen) == 0 && listen(listener, SOMAXCONN) == 0)
        return listener;
    int problem = errno;
    close(listener);
    errno = problem;
    return -1;
}

static enum mist_status describe(int listener, unsigned *port, char *url, size_t url_size, struct mist_error *error)
{
    struct sockaddr_storage bound;
    socklen_t length = sizeof bound;
    char name[64], service[16];
    if (getsockname(listener, (struct sockaddr *)&bound, &length) != 0 ||
        getnameinfo((struct sockaddr *)&bound, length, name, sizeof name, service, sizeof service,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return error_set_errno(error, errno, "the listening socket");
    *port = (unsigned)strtoul(service, NULL, 10);
    bool six = bound.ss_family == AF_INET6;
    snprintf(url, url_size, "http://%s%s%s:%u/", six ? "[" : "", name, six ? "]" : "", *port);
    return MIST_OK;
}

enum mist_status listen_open(const char *where, int *listener, unsigned *port, char *url, size_t url_size,
                             struct mist_error *error)
{
    char name[NAME_SIZE], service[8];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *found = NULL;
    *listener = -1;
    if (!split(where, name, service))
        return error_set(error, MIST_ERROR_ARGUMENT, "'%s' is no address to listen on; it is HOST:PORT or [IPV6]:PORT",
                         where);
    int problem = getaddrinfo(name, service, &hints, &found);
    if (problem)
        return error_set(error, MIST_ERROR_IO, "cannot listen on %s: %s", where, gai_strerror(problem));
    for (struct addrinfo *address = found; address && *listener < 0; address = address->ai_next)
        *listener = listen_on(address);
    int reason = errno;
    freeaddrinfo(found);
    if (*listener < 0)
        return error_set_errno(error, reason, "cannot listen on %s", where);
    enum mist_status status = describe(*listener, port, url, url_size, error);
    if (status) {
        close(*listener);
        *listener = -1;
    }
    return status;
}
