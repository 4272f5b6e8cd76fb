/* SPDX-License-Identifier: BSD-2-Clause */
/* What the dataset's tables say of its items: the columns of the catalog. */
#ifndef STORE_TABLES_H
#define STORE_TABLES_H

#include "store/maker.h"
#include "store/tally.h"

/*
 * Joins the attachments that are tables with the items, all anew, into the database; see docs/tables.md. `only`: these
 * tables, the first one wins where two have a column of one name; none: all that name items. Sentences about tables
 * that cannot be read go to the tally, and are counted in report->warnings.
 */
enum mist_status tables_join(struct maker *maker, const char *const *only, uint32_t only_count, struct tally *tally,
                             struct mist_store_report *report, struct mist_error *error);

#endif
