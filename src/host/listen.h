/* SPDX-License-Identifier: BSD-2-Clause */
/* The socket that connections come in on. */
#ifndef HOST_LISTEN_H
#define HOST_LISTEN_H

#include <mist/status.h>
#include <stddef.h>

/* Listens on "HOST:PORT" or "[IPV6]:PORT"; tells the port, which is a free one if PORT is 0, and the URL. */
enum mist_status listen_open(const char *where, int *listener, unsigned *port, char *url, size_t url_size,
                             struct mist_error *error);

#endif
