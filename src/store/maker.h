/* SPDX-License-Identifier: BSD-2-Clause */
/* The writable side of one dataset of a store: what encode and index share. */
#ifndef STORE_MAKER_H
#define STORE_MAKER_H

#include "source/catalog.h"
#include "store/database.h"

#include <mist/store.h>
#include <pthread.h>

enum maker_query {
    /* the dataset */
    Q_DATASET_ADD,
    Q_DATASET_ID,
    Q_DATASET_RUNNING,
    Q_DATASET_SET_RUNNING,
    Q_DATASET_SET_INFO,
    /* items and attachments */
    Q_ITEM_PUT,
    Q_ITEM_DELETE,
    Q_ITEMS,
    Q_ITEMS_BETWEEN,
    Q_ITEM_COUNT,
    Q_ITEMS_SET_COLUMNS,
    Q_JOINED_GET,
    Q_JOINED_PUT,
    Q_ATTACHMENT_PUT,
    Q_ATTACHMENT_DELETE,
    Q_ATTACHMENTS,
    Q_ATTACHMENTS_UNMARK,
    Q_ATTACHMENT_MARK,
    Q_ATTACHMENT_EXISTS,
    /* what QIDO-RS searches */
    Q_DICOM_DELETE,
    Q_DICOM_PUT,
    Q_DICOM_ID,
    Q_DICOM_INSTANCE_PUT,
    Q_DICOM_COUNT,
    /* what the sources were like */
    Q_SOURCE_PUT,
    Q_SOURCE_OWNER,
    Q_SOURCE_DELETE_PATH,
    Q_SOURCE_DELETE_OWNER,
    Q_SOURCE_DELETE_GONE,
    Q_SOURCE_DELETE_ORPHANS,
    Q_SOURCE_RETIMED,
    Q_SOURCE_TOUCH,
    Q_OWNER_IS_USED,
    /* encode's temporary tables */
    Q_LISTING_ADD,
    Q_PLACE_ADD,
    Q_PLACE_FIND,
    Q_PLACE_MARK,
    Q_PLACE_UNMARKED,
    Q_LISTED_ADD,
    Q_LISTED_APPLY,
    Q_LISTING_MATCH,
    Q_LISTING_UNKNOWN,
    Q_LISTING_NEXT_UNKNOWN,
    Q_LISTING_INDEX_PLACES,
    Q_LISTING_UNKNOWN_PACKED,
    Q_LISTING_NEXT_PACKED,
    Q_LISTING_CLASSIFY,
    Q_LISTING_FIND,
    Q_LISTING_MARK,
    Q_LISTING_UNMARKED,
    Q_PAIRS_LEFT,
    Q_PAIRS_JOIN,
    Q_UNITS_OF_FILES,
    Q_UNITS_ASSIGN_FILES,
    Q_SERIES,
    Q_UNIT_EXISTS,
    Q_UNIT_ADD_SERIES,
    Q_UNITS_ASSIGN_SERIES,
    Q_LISTING_DONE,
    Q_UNITS_DUE,
    Q_UNITS_SHRUNK,
    Q_UNITS_STORED,
    Q_MISSING_ADD,
    Q_UNITS_DUE_MISSING,
    Q_UNITS_PLACE,
    Q_TODO_FILL,
    Q_TODO_COUNT,
    Q_TODO_BYTES,
    Q_TODO_NTH,
    Q_MEMBERS,
    Q_UNCHANGED,
    Q_OLD_PROBLEMS,
    Q_VANISHED_ITEMS,
    Q_VANISHED_ATTACHMENTS,
    /* the tree list */
    Q_TREE_FILES,
    Q_TREE_PLACES,
    Q_TREE_ADD,
    Q_TREE_WITHDRAW,
    Q_TREE_WITHDRAW_DIRECTORIES,
    Q_TREE_EMPTY,
    Q_TREE,
    /* index's temporary table */
    Q_FOUND_ADD,
    Q_FOUND_COUNT,
    Q_FOUND_NTH,
    Q_FOUND_GOOD,
    Q_PUBLISHED_ADD,
    Q_PUBLISHED_KEPT,
    Q_SOURCE_NOTE,
    Q_ITEMS_KEEP_FOUND,
    Q_ATTACHMENTS_KEEP_FOUND,
    /* what was withdrawn */
    Q_WITHDRAWN,
    Q_WITHDRAWN_ADD,
    Q_WITHDRAWN_ADD_FILES,
    Q_WITHDRAWN_COUNT,
    Q_WITHDRAWN_DELETE,
    Q_WITHDRAWN_LISTED,
    Q_WITHDRAWN_UNLIST,
    Q_ITEM_AT_OR_BELOW,
    Q_ATTACHMENT_AT_OR_BELOW,
    Q_MISSING,
    Q_COUNT
};

struct maker {
    struct database database;
    const char *store; /* directory */
    char name[MIST_DATASET_NAME_MAX + 1];
    char *directory; /* STORE/DATASET */
    int lock_file;
    int64_t id;
    bool interrupted_before; /* the last run on this dataset did not end */
    pthread_mutex_t lock;    /* of the database and of everything below */
    bool in_transaction;
    bool touched;            /* something was written since it was opened */
    struct catalog_row row;  /* scratch */
    struct mist_buffer text; /* scratch */
};

/*
 * Makes or opens STORE/DATASET for writing. One process at a time may have a dataset open so.
 * `store` is kept, not copied. On failure the maker is closed.
 */
enum mist_status maker_open(struct maker *maker, const char *store, const char *name, struct mist_error *error);
/* With `finished`, the next run knows that this one went through. */
void maker_close(struct maker *maker, bool finished);

/* Path of an item file, an attachment or the catalog (MIST_CATALOG_END). NULL when memory is short. */
char *maker_path(const struct maker *maker, enum mist_catalog_kind kind, const char *path);
/*
 * A file in the dataset's directory of one worker's own, ".WHAT-N", for what is tried or not yet whole: no item or
 * attachment can have this place. maker_sweep() removes those that a killed run left. NULL when memory is short.
 */
char *maker_scratch(const struct maker *maker, const char *what, unsigned worker);

/*
 * A transaction: begun by the first change, ended by maker_commit() or maker_rollback(). It keeps other processes from
 * writing to their datasets, so it must not stay open while pixels are worked on; with a write-ahead log and
 * synchronous = NORMAL a commit waits for no disk.
 */
enum mist_status maker_begin(struct maker *maker, struct mist_error *error);
enum mist_status maker_commit(struct maker *maker, struct mist_error *error);
void maker_rollback(struct maker *maker);

/* Puts an item that is in its place in the store into the table; the lock is held by the caller. */
enum mist_status maker_put_entry(struct maker *maker, const struct mist_catalog_entry *entry, struct mist_error *error);
enum mist_status maker_put_item(struct maker *maker, const mist_item *item, const char *path, struct mist_error *error);
enum mist_status maker_put_attachment(struct maker *maker, const char *path, uint64_t size, uint64_t checksum,
                                      struct mist_error *error);
/* Removes the row, then the file. Fine if there is none. */
enum mist_status maker_remove(struct maker *maker, enum mist_catalog_kind kind, const char *path,
                              struct mist_error *error);

/* Removes what a killed run left half-written. */
enum mist_status maker_sweep(struct maker *maker, struct mist_error *error);

/* Writes catalog.jsonl.zst (if it is not as the tables are) and the dataset's totals; see publish.c. */
enum mist_status maker_publish(struct maker *maker, const struct mist_dataset_card *card,
                               struct mist_dataset_info *info, struct mist_error *error);

#endif
