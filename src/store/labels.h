/* SPDX-License-Identifier: BSD-2-Clause */
/* Who says that a file is a label map: its name, a dataset's own description, the user. Content has its own say later.
 */
#ifndef STORE_LABELS_H
#define STORE_LABELS_H

#include <mist/store.h>
#include <stdbool.h>

/* As kept in the tables; a greater one overrules a lesser one. */
enum label_said { LABEL_UNSAID, LABEL_NAMED, LABEL_LISTED, LABEL_OPTION, LABEL_IMAGE };

/* "name", "dataset.json", "option"; NULL for the others. */
const char *label_reason(enum label_said said);

/*
 * What the names of a path relative to the dataset, and the user's patterns, say. Names say label map where a directory
 * or the file has one of the field's words as a whole word: label(s), mask(s), seg(s), segmentation(s), dseg, gt,
 * groundtruth, ground_truth, annotation(s), aseg, aparc, wmparc, parc, parcellation, atlas, roi(s), contour(s), in any
 * case. Words end where letters do, and where a capital follows a small letter (labelsTr). "probseg" is another word.
 */
enum label_said label_of_path(const char *path, const struct mist_store_encode_options *options);

/* Calls `visit` with each path that a dataset.json (as of the Medical Segmentation Decathlon) lists as a label. */
void labels_listed(const char *json, size_t size, void (*visit)(void *context, const char *path), void *context);

#endif
