/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * STORE/DATASET/about.json: what options of `mist encode` said of the dataset as a whole, for later runs and for `mist
 * index`: {"tables":[PATH,...],"card":{...}}.
 */
#ifndef STORE_ABOUT_H
#define STORE_ABOUT_H

#include "store/maker.h"

enum { ABOUT_MAX_TABLES = 64 };

/* Start zeroed; free with about_free(). */
struct about {
    struct mist_buffer text; /* what the lists point into, once all is read */
    const char *tables[ABOUT_MAX_TABLES];
    uint32_t table_count;
    struct mist_dataset_card card; /* what options said; "" elsewhere */
};
void about_free(struct about *about);

/* Nothing where there is no such file. */
enum mist_status about_read(const struct maker *maker, struct about *about, struct mist_error *error);
/* Takes what the options say in place of what is there, and writes the file where that changes it. */
enum mist_status about_update(const struct maker *maker, const struct mist_store_encode_options *options,
                              struct about *about, bool *changed, struct mist_error *error);

#endif
