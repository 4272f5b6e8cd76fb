/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files of an archive while they are worked on. An archive is read from one end to the other, so whoever needs its
 * files takes turns in the order in which they lie in it: the units of a plan are sorted so, and only where the files
 * of one lie among those of others must an archive be read from its start again. What is unpacked is one unit for each
 * worker, in files of the dataset's directory that go with the unit.
 */
#ifndef STORE_UNPACK_H
#define STORE_UNPACK_H

#include "store/walk.h"

/* The place of an entry: its archive's number, from 1, times 2^40, and its own number from 0. */
enum { PLACE_SHIFT = 40 };

/* The archive that the walk is in. Places are of the archive that was added last. */
enum mist_status unpack_add_archive(struct encode *encode, const char *path, struct mist_error *error);
/* Lists the file entry that `source` stands at; with encode->unpack_to it is unpacked there, once and for all. */
enum mist_status unpack_list(struct walk *walk, struct archive_source *source, const char *path, const char *name,
                             const struct packed_entry *entry, uint64_t number, struct mist_error *error);

/* Writes the entry at a place to the file `to`. Not for two threads at a time. */
enum mist_status unpack_entry(struct encode *encode, int64_t place, const char *to, struct mist_error *error);

/* The index-th unit's turn: waits for those before it. Each unit has one, and ends it. */
void unpack_take_turn(struct encode *encode, uint64_t index);
void unpack_end_turn(struct encode *encode);

void unpack_start(struct encode *encode);
void unpack_end(struct encode *encode);

#endif
