/* SPDX-License-Identifier: BSD-2-Clause */
/* An open dataset, as the files of this module share it, and opening one whose files come from elsewhere. */
#ifndef SOURCE_DATASET_H
#define SOURCE_DATASET_H

#include "source/selection.h"

#include <mist/source.h>

#define DATASET_CATALOG "catalog.jsonl.zst"
#define DATASET_CATALOG_MAX ((uint64_t)1 << 32)

/* Where the files of a dataset come from. */
struct dataset_files {
    mist_source_open *open;
    void *context;                /* for open */
    void (*close)(void *context); /* called when the dataset is closed or could not be opened; may be NULL */
};

struct mist_dataset {
    char *name; /* for messages */
    struct mist_buffer catalog;
    mist_catalog *reader;
    struct mist_catalog_entry entry; /* the last one read */
    struct selection *selection;     /* what mist_dataset_next() gives; NULL: all */
    char *behind;                    /* its path, where it is an item; NULL: at the beginning */
    struct dataset_files files;
};

/* As mist_dataset_open_sources(). */
enum mist_status dataset_open(const struct dataset_files *files, const char *name, mist_dataset **dataset,
                              struct mist_error *error);

#endif
