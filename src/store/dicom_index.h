/* SPDX-License-Identifier: BSD-2-Clause */
/* What the index of a store knows of DICOM items: studies, series and instances, for QIDO-RS (PS3.18, 10.6). */
#ifndef STORE_DICOM_INDEX_H
#define STORE_DICOM_INDEX_H

#include "store/maker.h"

/*
 * Puts the attributes of a DICOM item into the index, in place of those that it had; of others only takes these away.
 * They come from the item's archival tail alone. The maker's lock is held, its transaction begun.
 */
enum mist_status dicom_index_put(struct maker *maker, const mist_item *item, const char *path,
                                 struct mist_error *error);

#endif
