/* SPDX-License-Identifier: BSD-2-Clause */
/* The query parameters that choose a resolution: size, reduce, spacing, policy. */
#ifndef HOST_RESOLUTION_H
#define HOST_RESOLUTION_H

#include "host/server.h"

/* A number without sign of at most `maximum`; false if it is none. */
bool parse_unsigned(const char *text, uint64_t maximum, uint64_t *value);

/*
 * Whether the request has only parameters of its route (router.c), each at most once but those that may be repeated;
 * answers with 400 and returns false if not.
 */
bool parameters_known(struct request *request);

/* Reads what is asked for; answers with 400 and returns false if that makes no sense, or if there are other parameters.
 */
bool resolution_parse(struct request *request, struct mist_resolution_request *wanted);

/* mist_choose() for an open item. */
struct mist_choice resolution_choose(const struct mist_item_info *info, const struct mist_resolution_request *wanted);

#endif
