/* SPDX-License-Identifier: BSD-2-Clause */
/* What a dataset says of itself: its card. */
#ifndef STORE_DESCRIBE_H
#define STORE_DESCRIBE_H

#include "store/maker.h"

/*
 * Fills what is "" in the card from the attachments at the top of the dataset: dataset_description.json (BIDS),
 * dataset.json (Medical Segmentation Decathlon, nnU-Net), CITATION.cff, CITATION, LICENSE, README. What is damaged or
 * too large says nothing.
 */
enum mist_status describe_dataset(struct maker *maker, struct mist_dataset_card *card, struct mist_error *error);

#endif
