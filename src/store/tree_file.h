/* SPDX-License-Identifier: BSD-2-Clause */
/* DATASET/tree.jsonl.zst: written by encode from its listing, thinned out by remove. */
#ifndef STORE_TREE_FILE_H
#define STORE_TREE_FILE_H

#include "base/file.h"
#include "store/maker.h"

/* From the temporary tables listing and place, without what was withdrawn. */
enum mist_status tree_file_write(struct maker *maker, struct mist_error *error);
/* Takes out of it what was withdrawn, links to that, and directories that hold nothing else. */
enum mist_status tree_file_thin(struct maker *maker, struct mist_error *error);
/* Maps the list of a dataset of an open store; closed with file_map_close(). */
enum mist_status tree_file_map(mist_store *store, const char *dataset, struct file_map *map, struct mist_error *error);
/* What the catalog's first line says of it; all 0 where there is none, or it is damaged. */
void tree_file_describe(const struct maker *maker, struct mist_dataset_tree *tree);

#endif
