/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/error.h"

#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void mist_text_make_visible(char *text, size_t size)
{
    text_make_visible(text, size);
}

const char *mist_status_name(enum mist_status status)
{
    static const char *const names[] = {
        [MIST_OK] = "ok",
        [MIST_ERROR_ARGUMENT] = "argument",
        [MIST_ERROR_MEMORY] = "memory",
        [MIST_ERROR_IO] = "io",
        [MIST_ERROR_CORRUPT] = "corrupt",
        [MIST_ERROR_TRUNCATED] = "truncated",
        [MIST_ERROR_CHECKSUM] = "checksum",
        [MIST_ERROR_UNSUPPORTED] = "unsupported",
        [MIST_ERROR_LIMIT] = "limit",
        [MIST_ERROR_RANGE] = "range",
        [MIST_ERROR_NOT_FOUND] = "not-found",
        [MIST_ERROR_NETWORK] = "network",
        [MIST_ERROR_CANCELLED] = "cancelled",
    };
    unsigned index = (unsigned)status;
    return index < sizeof names / sizeof *names ? names[index] : "unknown";
}

enum mist_status error_set(struct mist_error *error, enum mist_status status, const char *format, ...)
{
    if (error) {
        va_list arguments;
        error->status = status;
        va_start(arguments, format);
        vsnprintf(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
        text_make_visible(error->message, sizeof error->message); /* names in it may be anybody's */
    }
    return status;
}

static enum mist_status status_of_errno(int errnum)
{
    switch (errnum) {
    case ENOENT:
    case ENOTDIR:
        return MIST_ERROR_NOT_FOUND;
    case ENOMEM:
        return MIST_ERROR_MEMORY;
    default:
        return MIST_ERROR_IO;
    }
}

/* glibc's strerror_r() gives the text, which may be elsewhere; that of POSIX fills the room. */
static const char *text_of(int errnum, char *room, size_t size)
{
#ifdef __GLIBC__
    return strerror_r(errnum, room, size);
#else
    return strerror_r(errnum, room, size) == 0 ? room : "unknown error";
#endif
}

enum mist_status error_set_errno(struct mist_error *error, int errnum, const char *format, ...)
{
    enum mist_status status = status_of_errno(errnum);
    if (error) {
        char text[128];
        va_list arguments;
        error->status = status;
        va_start(arguments, format);
        vsnprintf(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
        size_t used = strlen(error->message);
        /* The GNU strerror_r is thread-safe and may return its own constant string. */
        snprintf(error->message + used, sizeof error->message - used, ": %s", text_of(errnum, text, sizeof text));
        text_make_visible(error->message, sizeof error->message);
    }
    return status;
}

enum mist_status error_prefix(struct mist_error *error, enum mist_status status, const char *format, ...)
{
    if (error) {
        char message[sizeof error->message];
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(message, sizeof message, format, arguments);
        va_end(arguments);
        size_t used = strlen(message);
        snprintf(message + used, sizeof message - used, ": %s", error->message);
        memcpy(error->message, message, sizeof message);
        text_make_visible(error->message, sizeof error->message);
        error->status = status;
    }
    return status;
}
