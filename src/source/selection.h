/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which entries of a catalog are taken: struct mist_selection, ready to be asked. What is said of an entry may depend
 * on the others (samples; what comes along with selected items), so the catalog is gone through before, up to twice:
 *
 *     selection_new();
 *     while (!selection_is_ready()) { selection_look() at each entry; selection_looked(); }
 *     selection_takes() ...
 */
#ifndef SOURCE_SELECTION_H
#define SOURCE_SELECTION_H

#include <mist/source.h>

struct selection;

/* Keeps the texts of `which`, which are the caller's. MIST_ERROR_ARGUMENT: a condition that is none. */
enum mist_status selection_new(const struct mist_selection *which, struct selection **selection,
                               struct mist_error *error);
void selection_free(struct selection **selection); /* safe on a pointer to NULL */

bool selection_is_ready(const struct selection *selection);
enum mist_status selection_look(struct selection *selection, const struct mist_catalog_entry *entry,
                                struct mist_error *error);
/* After all entries. MIST_ERROR_ARGUMENT: a condition on a column that no item has. */
enum mist_status selection_looked(struct selection *selection, struct mist_error *error);

/* Of a selection that is ready. */
bool selection_takes(const struct selection *selection, const struct mist_catalog_entry *entry);

/* How many names of the list named nothing that was looked at; *example is one of them, or NULL. */
uint64_t selection_unmatched(const struct selection *selection, const char **example);

#endif
