/* SPDX-License-Identifier: BSD-2-Clause */
/* Finding studies, series and instances in a store (PS3.18, 10.6; PS3.4, C.2.2.2). */
#ifndef STORE_DICOM_SEARCH_H
#define STORE_DICOM_SEARCH_H

#include "store/dicom_keys.h"

#include <mist/store.h>

/* One condition: an attribute's value as QIDO-RS writes it. What matches everything ("", "*") is no condition. */
struct dicom_match {
    const struct dicom_key *key; /* not computed, but for ModalitiesInStudy */
    const char *value;
};

struct dicom_query {
    enum dicom_level level;
    const char *dataset; /* NULL: of all */
    char *const *hidden; /* [hidden_count] names of datasets that are passed over */
    size_t hidden_count;
    const struct dicom_match *match;
    size_t matches;
    uint64_t limit; /* rows */
    uint64_t offset;
};

#define DICOM_SEARCH_VALUES 1000u /* of all conditions together: UIDs of lists each count */
#define DICOM_SEARCH_WILDCARDS 4u /* '*' in a value */

/* One row. Texts are valid until the visit returns; what is of a finer level than the query's is NULL or 0. */
struct dicom_found {
    const char *dataset;
    const char *item; /* where it is, or one of the places */
    const char *study;
    const char *series;
    const char *sop;
    uint32_t file;                /* of the item */
    const char *study_attributes; /* JSON objects */
    const char *series_attributes;
    const char *attributes;
    const char *modalities; /* of a study, different ones, separated by commas */
    uint64_t series_count;  /* of a study */
    uint64_t instances;     /* of a study or a series */
};
typedef enum mist_status dicom_visit(void *context, const struct dicom_found *found, struct mist_error *error);

/*
 * Calls `visit` for each that matches all conditions: by study, series, dataset, item, and in it as its files are in
 * order. Conditions on attributes of a finer level than the query's are not looked at. An instance (of a study and
 * series) that is there several times is given, and counted, once. MIST_ERROR_ARGUMENT: a value makes no sense, or
 * there are too many. Thread-safe; `visit` must not use the same store.
 */
enum mist_status dicom_search_store(mist_store *store, const struct dicom_query *query, dicom_visit *visit,
                                    void *context, struct mist_error *error);

#endif
