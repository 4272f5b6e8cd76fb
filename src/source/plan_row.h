/* SPDX-License-Identifier: BSD-2-Clause */
/* Plans as JSON, line by line (docs/http.md, Plans): what a download would fetch of each entry, and of all of them. */
#ifndef SOURCE_PLAN_ROW_H
#define SOURCE_PLAN_ROW_H

#include "source/select.h"

/* Start zeroed. */
struct plan_totals {
    uint64_t items, files, bytes;
};

/* Each appends a line; false when memory is short. */
bool plan_start_write(const struct mist_dataset_info *dataset, struct mist_buffer *out);
/* Of an entry that select_takes(); adds it to the totals. */
bool plan_row_write(const struct select *select, const struct mist_catalog_entry *entry, struct plan_totals *totals,
                    struct mist_buffer *out);
bool plan_totals_write(const struct plan_totals *totals, struct mist_buffer *out);

#endif
