/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Downloading a dataset at the resolution asked for: from a MIST host, any static web server, or a directory.
 *
 *   DIRECTORY/PATH                       the dataset's files, under their own names
 *   CACHE/DATASET/items/PATH.mist-part   what was fetched of each item: ranges of the host's file, and their list
 *   CACHE/DATASET/written.sqlite         which files were written, of which content and at which resolution
 *
 * CACHE is DIRECTORY.mist beside the output; DIRECTORY/.mist where nothing can be made there; or what `cache` says,
 * which several output directories may share, one at a time.
 *
 * So a later call for a higher resolution fetches only the bytes that are missing, one for a lower resolution fetches
 * none, and what is there and unchanged is neither fetched nor written again. The cache may be removed at any time:
 * then the next call starts from nothing.
 */
#ifndef MIST_CLIENT_H
#define MIST_CLIENT_H

#include <mist/convert.h>
#include <mist/store.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Texts and lists are the caller's and must live until the call returns. */
struct mist_get_options {
    const char *url;       /* http(s)://HOST/[PREFIX/]DATASET, s3://BUCKET/PREFIX/DATASET, file:///PATH or a path: where
                              catalog.jsonl.zst is */
    const char *directory; /* where the files go; made if it is not there */
    const char *cache;     /* where what was fetched is kept; NULL: DIRECTORY.mist */

    struct mist_resolution_request resolution; /* by default full resolution, native grid */
    uint64_t max_bytes; /* 0: no limit; else drop levels from all items until a download from nothing takes no more */
    const char *format; /* NULL: that of the source; one of mist_export_formats() (mist/item.h); "mist": the items */
    const char *transfer_syntax; /* of DICOM, as in struct mist_export_options; NULL: that of the source */
    bool keep_uids;              /* likewise */
    bool identical;              /* likewise */

    struct mist_selection selection; /* which items and files; by default all */

    unsigned threads;   /* for decoding and writing; 0: MIST_JOBS, or all cores */
    unsigned transfers; /* requests in flight, 1 .. 64; 0 (default): 4 to 64, as sizes and the host ask for */
    /*
     * Bytes of memory that decoding may take, default (0) a quarter of the machine's. An item of which one frame takes
     * more is refused by the dimensions in the catalog, before anything of it is fetched.
     */
    uint64_t max_memory;
    unsigned retries; /* of a transfer that fails in a way that may pass; default 5 */
    /*
     * Seconds, 1 .. 3600, default 30 (0 as well): a transfer that brings less than 100 bytes a second for so long has
     * failed in such a way. Connecting may take half of it. A host that never said anything is not tried again.
     */
    unsigned timeout;
    const char *token;           /* sent as "Authorization: Bearer TOKEN" to the host of `url` only; NULL: none */
    const char *ca_file;         /* PEM: who signs certificates of https hosts, instead of the system's; or NULL */
    const char *certificate;     /* PEM: the certificate by which we show a host who we are; or NULL */
    const char *certificate_key; /* PEM: its private key; NULL: in the same file */
    bool times;                  /* modes and modification times of files, links and directories are the source's */
    bool no_cache;               /* remove what was fetched of an item once its files are written */

    /*
     * Remove files that an earlier call wrote for an item or attachment that the host has no longer; not what
     * `selection` leaves out, not what was changed since it was written, and nothing if something failed. Directories
     * that this leaves empty go too. `removed` (may be NULL) is called with each path that is, or in a plan would be,
     * removed.
     */
    bool prune;
    void (*removed)(void *context, const char *path);
    void *removed_context;

    /* One sentence for everything that went wrong with one item or file, or that `prune` keeps; may be NULL. */
    mist_store_note *note;
    void *note_context;
};
MIST_API struct mist_get_options mist_get_options_default(void);

/* Files that come larger than asked for, for one reason. */
struct mist_get_larger {
    char why[160];
    uint64_t files;
    uint64_t bytes; /* that are sent for them */
};
#define MIST_GET_REASONS 8u /* the last one stands for all others, too */

struct mist_get_report {
    char dataset[MIST_DATASET_NAME_MAX + 1];
    uint64_t items;          /* selected */
    uint64_t attachments;    /* selected */
    uint64_t labels_sampled; /* of the items: label maps that come smaller; every n-th sample of them, none averaged */
    uint64_t unchanged;      /* of both: were there already */
    uint64_t failed;         /* of both, each noted; in a plan those that would be refused */
    uint64_t files;          /* files written now */
    uint64_t vanished;       /* files that an earlier call wrote and that the host no longer has, under any item */
    uint64_t removed;        /* of those, removed with `prune`; in a plan: would be */
    uint64_t directories;    /* empty ones that the dataset has, made or there */
    uint64_t links;          /* made now */
    uint64_t links_left_out; /* what they lead to is not there: not selected, or in another format */
    char links_left_out_path[256]; /* ... one of them */
    uint64_t source_bytes;         /* of the original files of the selected items, and attachments */
    uint64_t selected_bytes;       /* what a download of the selection from nothing takes, attachments included */
    uint64_t planned_bytes;        /* what was missing when the call began: bodies of items and attachments */
    uint64_t fetched_bytes;        /* what was transferred: bodies of items and attachments; the catalog is not in it */
    uint64_t catalog_bytes;        /* of the catalog, which is fetched first */
    uint64_t requests;             /* made for all of this */
    unsigned larger_count;         /* of larger[] */
    struct mist_get_larger larger[MIST_GET_REASONS]; /* of all that is selected */
    int budget_reduce;                               /* the reduce that max_bytes led to, -1 without it */
    struct mist_dataset_card card;
    uint64_t unmatched;       /* of selection.names: those that name nothing in the dataset ... */
    char unmatched_name[256]; /* ... and one of them */
};

/*
 * What mist_get() would do: fetches the catalog and looks at the directory, changes nothing. Without a directory
 * (options->directory NULL): what a download from nothing would take. A later mist_get() with
 * the same options transfers exactly report->planned_bytes, provided that nothing changed in between and no transfer
 * had to be repeated.
 */
MIST_API enum mist_status mist_get_plan(const struct mist_get_options *options, struct mist_get_report *report,
                                        const struct mist_progress *progress, struct mist_error *error);

/*
 * Downloads. Every byte is checked against the catalog and the checksums in the items' heads before a file is made of
 * it; files are written aside and renamed. May be killed at any moment and called again. One call at a time works on a
 * directory (MIST_ERROR_IO for the second). Returns MIST_OK if the work was gone through, whatever report->failed says;
 * MIST_ERROR_CANCELLED if `progress` asked to stop; report holds what was done in both cases.
 */
MIST_API enum mist_status mist_get(const struct mist_get_options *options, struct mist_get_report *report,
                                   const struct mist_progress *progress, struct mist_error *error);

#ifdef __cplusplus
}
#endif
#endif
