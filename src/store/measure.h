/* SPDX-License-Identifier: BSD-2-Clause */
/* What a reduced level is worth, measured against area-averaging. */
#ifndef STORE_MEASURE_H
#define STORE_MEASURE_H

#include <mist/store.h>

/* Fills the measured members of `evaluation`, whose `reduce`, `step`, `width`, `height` and `slices` are set. */
enum mist_status measure_item(const mist_item *item, unsigned threads, struct mist_evaluation *evaluation,
                              struct mist_error *error);

#endif
