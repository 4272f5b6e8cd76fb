/* SPDX-License-Identifier: BSD-2-Clause */
/* Datasets by their address. */
#ifndef MIST_REMOTE_H
#define MIST_REMOTE_H

#include <mist/source.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * An address as it may be shown: without the user and password that "https://USER:PASSWORD@HOST/..." has. Writes at
 * most `size` bytes, with a NUL; returns the length that all of it has, as snprintf() does.
 */
MIST_API size_t mist_url_without_secrets(const char *url, char *text, size_t size);

/*
 * Opens http(s)://HOST/DATASET, s3://BUCKET/PREFIX/DATASET (by the variables that AWS's tools read), file:///PATH or a
 * path: where catalog.jsonl.zst is. `token`: NULL, or sent as "Authorization: Bearer TOKEN" to that host only; it must
 * live as long as the dataset.
 */
MIST_API enum mist_status mist_dataset_open(const char *url, const char *token, mist_dataset **dataset,
                                            struct mist_error *error);

#ifdef __cplusplus
}
#endif
#endif
