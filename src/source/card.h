/* SPDX-License-Identifier: BSD-2-Clause */
/* A dataset's card: struct mist_dataset_card as JSON, in the catalog's first line and in the store's table. */
#ifndef SOURCE_CARD_H
#define SOURCE_CARD_H

#include "base/json.h"

#include <mist/source.h>

/* Whether nothing is known. */
bool card_is_empty(const struct mist_dataset_card *card);
bool card_same(const struct mist_dataset_card *a, const struct mist_dataset_card *b);

/*
 * Puts a text into a member of a card: at most capacity - 1 bytes, cut between characters; runs of white space and
 * controls (also those that turn the direction of text around) become one space, none at the ends. `text` is UTF-8;
 * what is not becomes '?'.
 */
void card_set(char *member, size_t capacity, const char *text, size_t size);
#define CARD_SET(member, text, size) card_set(member, sizeof(member), text, size)

/* {"licence":TEXT,...}: the members that are known. False when memory is short. */
bool card_write(const struct mist_dataset_card *card, struct mist_buffer *out);
/* Reads it; members that are not known are passed over. What is no object sets json->failed. */
void card_read(struct json_reader *json, struct mist_dataset_card *card);

#endif
