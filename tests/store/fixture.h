/* SPDX-License-Identifier: BSD-2-Clause */
/* Made-up rows and temporary directories. */
#ifndef TESTS_STORE_FIXTURE_H
#define TESTS_STORE_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <mist/store.h>

/* A whole item of one file: u16, ends by halving. `file` must live as long as the item. */
struct mist_catalog_item fake_item(const char *path, uint32_t width, uint32_t height, struct mist_catalog_file *file);

/* A new directory below /tmp in `path`, and its removal with all in it. */
void make_directory(char path[64]);
void remove_directory(const char *path);

#endif
