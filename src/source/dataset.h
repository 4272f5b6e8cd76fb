/* SPDX-License-Identifier: BSD-2-Clause */
/* An open dataset, as the files of this module share it. */
#ifndef SOURCE_DATASET_H
#define SOURCE_DATASET_H

#include "source/transport.h"

#include <mist/source.h>

struct mist_dataset {
    char *name; /* for messages */
    struct mist_buffer catalog;
    mist_catalog *reader;
    struct mist_catalog_entry entry; /* the last one read */
    char *behind;                    /* its path, where it is an item; NULL: at the beginning */
    mist_source_open *open;
    void *context;
    /* of those opened by their address */
    struct transport_shared shared;
    struct transport_settings settings;
    struct transport *transport;
};

#endif
