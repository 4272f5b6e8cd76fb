/* SPDX-License-Identifier: BSD-2-Clause */
/* How every fallible function of MIST reports failure. */
#ifndef MIST_STATUS_H
#define MIST_STATUS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define MIST_API __attribute__((visibility("default")))
#else
#define MIST_API
#endif

enum mist_status {
    MIST_OK = 0,
    MIST_ERROR_ARGUMENT,    /* the caller asked for something that makes no sense */
    MIST_ERROR_MEMORY,      /* an allocation failed */
    MIST_ERROR_IO,          /* the operating system refused a read, write, open, ... */
    MIST_ERROR_CORRUPT,     /* bytes that break the rules of their format */
    MIST_ERROR_TRUNCATED,   /* bytes that end too early */
    MIST_ERROR_CHECKSUM,    /* bytes that are not those that were stored */
    MIST_ERROR_UNSUPPORTED, /* a valid input that MIST does not handle */
    MIST_ERROR_LIMIT,       /* a size beyond a stated limit */
    MIST_ERROR_RANGE,       /* a sample outside the declared precision */
    MIST_ERROR_NOT_FOUND,   /* no such item, dataset, level, ... */
    MIST_ERROR_NETWORK,     /* a transfer failed */
    MIST_ERROR_CANCELLED    /* the caller's progress function asked to stop */
};

/*
 * Why a call failed, as one sentence for a person: which file, what is wrong. Owned by the caller, who may pass NULL
 * wherever a `struct mist_error *` is taken. Written only on failure.
 */
struct mist_error {
    enum mist_status status;
    char message[500];
};

/* The name of a status in lower case ("corrupt"), for logs and JSON. Never NULL. Thread-safe. */
MIST_API const char *mist_status_name(enum mist_status status);

/*
 * Makes text[0 .. size) (ended by a NUL) harmless to print, in place: control characters, characters that change the
 * direction of writing and bytes that are no UTF-8 become "\x1b" or "\u202e"; what does not fit is cut. Messages in a
 * mist_error are so already; names of items and files, which are their makers', are not. Thread-safe.
 */
MIST_API void mist_text_make_visible(char *text, size_t size);

/*
 * Reports how far a long task is. `done` and `total` count `unit`s ("files", "bytes"); total is 0 while unknown.
 * `label` names what is being worked on. Called from one thread at a time. Returning non-zero asks the task to stop.
 */
struct mist_progress {
    int (*report)(void *context, const char *unit, unsigned long long done, unsigned long long total,
                  const char *label);
    void *context;
};

#ifdef __cplusplus
}
#endif
#endif
