/* SPDX-License-Identifier: BSD-2-Clause */
/* Which MIST this is: the only place that says so, meson.build reads it, too. */
#ifndef MIST_VERSION_H
#define MIST_VERSION_H

#include <mist/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MIST_VERSION_MAJOR 0
#define MIST_VERSION_MINOR 1
#define MIST_VERSION_PATCH 0
/* "0.1.0" */
#define MIST_VERSION                      \
    MIST_VERSION_TEXT(MIST_VERSION_MAJOR) \
    "." MIST_VERSION_TEXT(MIST_VERSION_MINOR) "." MIST_VERSION_TEXT(MIST_VERSION_PATCH)
#define MIST_VERSION_TEXT(number) MIST_VERSION_TEXT_OF(number)
#define MIST_VERSION_TEXT_OF(number) #number
/* For comparing: 0.1.0 is 100, 1.2.3 is 10203. */
#define MIST_VERSION_NUMBER (MIST_VERSION_MAJOR * 10000 + MIST_VERSION_MINOR * 100 + MIST_VERSION_PATCH)

/*
 * Of the library that is loaded, where the macros are those of the headers that a program was built with. Programs of
 * one minor version (0.1, 0.2 ...) work with any library of that version: its SONAME says which. Never NULL;
 * thread-safe.
 */
MIST_API const char *mist_version(void);
MIST_API unsigned mist_version_number(void);

#ifdef __cplusplus
}
#endif
#endif
