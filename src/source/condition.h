/* SPDX-License-Identifier: BSD-2-Clause */
/* One condition on a column of an item: "Finding Labels=Pneumonia". */
#ifndef SOURCE_CONDITION_H
#define SOURCE_CONDITION_H

#include <mist/source.h>

enum comparison { EQUAL, NOT_EQUAL, LESS, AT_MOST, GREATER, AT_LEAST };

struct condition {
    const char *text; /* as it was given; the caller's */
    char *column;     /* owned */
    char *value;      /* owned */
    enum comparison comparison;
    bool numeric; /* the value is a number: `number` */
    double number;
};

/* MIST_ERROR_ARGUMENT if `text` is no condition. Freed with condition_free() in any case. */
enum mist_status condition_parse(const char *text, struct condition *condition, struct mist_error *error);
void condition_free(struct condition *condition);

/* Whether an item meets it; see struct mist_selection. *known: it has a value in the column. */
bool condition_meets(const struct condition *condition, const struct mist_catalog_item *item, bool *known);

#endif
