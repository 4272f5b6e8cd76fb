/* SPDX-License-Identifier: BSD-2-Clause */
/* What packed sections are compressed against (a raw-content dictionary of zstd): meta of usual small items. */
#ifndef ITEM_DICTIONARY_H
#define ITEM_DICTIONARY_H

#include <stdint.h>

enum { ITEM_DICTIONARY_SIZE = 3489 };
extern const uint8_t item_dictionary[ITEM_DICTIONARY_SIZE];

#endif
