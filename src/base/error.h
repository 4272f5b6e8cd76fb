/* SPDX-License-Identifier: BSD-2-Clause */
/* Failing with one clear sentence. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <mist/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Writes status and message into `error` (may be NULL) and returns status: `return error_set(error, ..., "...")`. */
enum mist_status error_set(struct mist_error *error, enum mist_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As error_set(), with ": " and the text of `errnum` (an errno value) behind the message. */
enum mist_status error_set_errno(struct mist_error *error, int errnum, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "where: " before the message already in `error`; returns error's status. For adding the file or item name. */
enum mist_status error_prefix(struct mist_error *error, enum mist_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#ifdef __cplusplus
}
#endif
#endif
