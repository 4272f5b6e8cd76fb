/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stores: directories of datasets, laid out so that any static web server can publish them.
 *
 *   STORE/mist.sqlite                  index for this machine; rebuilt from the items alone by mist_store_index()
 *   STORE/DATASET/catalog.jsonl.zst    what the dataset holds, one JSON object a line (docs/format.md)
 *   STORE/DATASET/items/PATH.mist      items
 *   STORE/DATASET/files/PATH           attachments: every other file of the dataset, byte for byte
 *   STORE/DATASET/about.json           what options of encode said of the dataset as a whole, where they said something
 *   STORE/DATASET/withdrawn.txt        paths that are not to be taken in again, where there are some
 */
#ifndef MIST_STORE_H
#define MIST_STORE_H

#include <mist/convert.h>
#include <mist/source.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- a store on this machine ---- */

/* An open store. One may be used by several threads at the same time. */
typedef struct mist_store mist_store;

/* Opens STORE/mist.sqlite for reading; changes made by another process meanwhile are seen. */
MIST_API enum mist_status mist_store_open(const char *directory, mist_store **store, struct mist_error *error);
MIST_API void mist_store_close(mist_store **store);

/* Called for each row; what it gets is valid until it returns. It must not use the same store. Not MIST_OK: stop. */
typedef enum mist_status mist_dataset_visit(void *context, const struct mist_dataset_info *info,
                                            struct mist_error *error);
typedef enum mist_status mist_catalog_visit(void *context, const struct mist_catalog_entry *entry,
                                            struct mist_error *error);

/* All datasets, by name. */
MIST_API enum mist_status mist_store_datasets(mist_store *store, mist_dataset_visit *visit, void *context,
                                              struct mist_error *error);
MIST_API enum mist_status mist_store_dataset(mist_store *store, const char *dataset, struct mist_dataset_info *info,
                                             struct mist_error *error);
/*
 * Items, or attachments, in ascending order of path (as bytes): at most `limit` of those behind the path `after` (NULL:
 * from the first; it need not exist). limit 0: all.
 */
MIST_API enum mist_status mist_store_items(mist_store *store, const char *dataset, const char *after, uint64_t limit,
                                           mist_catalog_visit *visit, void *context, struct mist_error *error);
MIST_API enum mist_status mist_store_attachments(mist_store *store, const char *dataset, const char *after,
                                                 uint64_t limit, mist_catalog_visit *visit, void *context,
                                                 struct mist_error *error);
/* One item or attachment by its path: `visit` is called once, or MIST_ERROR_NOT_FOUND is returned. */
MIST_API enum mist_status mist_store_find(mist_store *store, const char *dataset, enum mist_catalog_kind kind,
                                          const char *path, mist_catalog_visit *visit, void *context,
                                          struct mist_error *error);
/*
 * Opens an item, an attachment, the catalog file (kind MIST_CATALOG_END, path NULL) or the tree list (the same kind,
 * path "tree.jsonl.zst") for reading. The path may come from anybody: what does not lie inside the store, be it through
 * "..", absolute paths or symbolic links, and what is no regular file is MIST_ERROR_NOT_FOUND. The caller closes
 * *descriptor.
 */
MIST_API enum mist_status mist_store_open_file(mist_store *store, const char *dataset, enum mist_catalog_kind kind,
                                               const char *path, int *descriptor, struct mist_error *error);

/* ---- making and checking stores ---- */

/* What happened to one file or item; `sentence` says what is wrong with it. Called from one thread at a time. */
typedef void mist_store_note(void *context, const char *path, const char *sentence);

/* Why an item is a label map: "name", "dataset.json", "option", "intent", "segmentation", "palette", "content" (truth
 * values). */
enum { MIST_LABEL_REASONS = 7 };
MIST_API const char *mist_label_reason(unsigned reason); /* 0 .. MIST_LABEL_REASONS - 1; NULL beyond */

/* Why an item is larger than its sources and MIST_LARGER_ROOM: docs/results.md. A phrase for each; NULL beyond. */
#define MIST_LARGER_REASONS 4u
#define MIST_LARGER_ROOM 300u
MIST_API const char *mist_larger_reason(unsigned reason);

/* Files of one kind of image that MIST does not read. */
struct mist_store_unread {
    char suffix[12]; /* "bmp" */
    uint64_t files;
};
#define MIST_STORE_UNREAD 32u

/* A table that columns of the catalog are from. */
struct mist_store_table {
    char path[256]; /* in the dataset */
    char key[128];  /* its column that names the items */
    uint64_t items; /* that it speaks of */
    uint32_t columns;
};
#define MIST_STORE_TABLES 16u

struct mist_store_report {
    uint64_t items;       /* encoded (or indexed, or verified) now */
    uint64_t attachments; /* copied (or indexed, or verified) now */
    uint64_t unchanged;   /* source files that were in the store already */
    uint64_t failed;      /* source files, items or attachments with something wrong, each noted */
    uint64_t vanished;    /* items and attachments whose sources are gone */
    uint64_t removed;     /* of those, removed with `prune`; or by mist_store_remove() */
    uint64_t withdrawn;   /* source files that are not taken in, since they were withdrawn */
    uint64_t source_bytes;
    uint64_t stored_bytes;
    uint64_t label_maps;                    /* of the items encoded now: label maps ... */
    uint64_t labels_by[MIST_LABEL_REASONS]; /* ... and why */
    uint64_t looks_like;     /* no label maps, though their samples look like it: neither name nor source says so */
    uint64_t named_only;     /* no label maps, though named so: their samples do not look like it */
    uint64_t asked_only;     /* no label maps, though asked for as such: JPEG and JPEG 2000 files stay what they are */
    uint64_t warnings;       /* items encoded now whose sources are odd, each noted; no failures */
    uint64_t naming_patient; /* of the DICOM files that were new: name a patient (PatientName, PatientID or
                                PatientBirthDate) and do not say that identity was removed */
    uint64_t grey_as_color;  /* items encoded now of three components in which all pixels are grey */
    uint64_t larger;         /* items larger than their sources and MIST_LARGER_ROOM ... */
    uint64_t larger_by[MIST_LARGER_REASONS];            /* ... and why */
    struct mist_store_unread unread[MIST_STORE_UNREAD]; /* all in the dataset, by kind; the rest has no suffix */
    struct mist_dataset_card card;
    uint32_t table_count; /* tables that the catalog's columns are from; 0 too where nothing changed */
    struct mist_store_table tables[MIST_STORE_TABLES]; /* the first of them */
    char larger_path[256];                             /* one of them; "" where there is none */
    char looks_like_path[256];                         /* one of each; "" where there is none */
    char named_only_path[256];
    char asked_only_path[256];
    char grey_as_color_path[256];
};

struct mist_store_encode_options {
    const char *const *sources; /* directories or files; with several, each one's base name is a top directory */
    uint32_t source_count;
    const char *dataset; /* NULL: the base name of the first source */
    /* Shell patterns on dataset paths: these are label maps; these are none. The latter win. */
    const char *const *labels;
    const char *const *images;
    uint32_t label_count;
    uint32_t image_count;
    /*
     * Attachments (paths in the dataset) whose columns the catalog has; of those in several the first one's. They are
     * remembered. None, and none remembered: all tables that name items.
     */
    const char *const *tables;
    uint32_t table_count;
    /* What is not "" in it is said of the dataset, and remembered; NULL: nothing new. */
    const struct mist_dataset_card *card;
    unsigned threads; /* 0: pool_default_threads() */
    bool prune;       /* remove items and attachments whose sources are gone */
    mist_store_note *note;
    void *note_context;
};

/*
 * Encodes every image below the sources into items, one per file (DICOM: per series and pixel format), and keeps all
 * other files as attachments. What an earlier run did and whose sources have not changed (size, modification time) is
 * left alone. An image that cannot be encoded is noted, counted as failed and kept as an attachment. May be killed at
 * any moment and run again. Returns MIST_OK if the work was gone through, whatever report->failed says.
 */
MIST_API enum mist_status mist_store_encode(const char *directory, const struct mist_store_encode_options *options,
                                            struct mist_store_report *report, const struct mist_progress *progress,
                                            struct mist_error *error);

/*
 * Withdraws items and attachments: `paths` are theirs, or directories of the dataset. They go from the catalog, then
 * from the store, and are remembered (STORE/DATASET/withdrawn.txt): mist_store_encode() does not take their sources in
 * again. With `undo` nothing is removed, but paths are forgotten, so that it does. Paths that are none are noted and
 * counted as failed. report->removed, items, attachments: what went; unchanged: with `undo`, how many paths were
 * forgotten.
 */
MIST_API enum mist_status mist_store_remove(const char *directory, const char *dataset, const char *const *paths,
                                            uint32_t count, bool undo, mist_store_note *note, void *note_context,
                                            struct mist_store_report *report, struct mist_error *error);

/*
 * Rebuilds mist.sqlite and the catalogs from items/ and files/ alone: of one dataset, or of all (NULL). Item files that
 * do not open are noted and left out.
 */
MIST_API enum mist_status mist_store_index(const char *directory, const char *dataset, unsigned threads,
                                           mist_store_note *note, void *note_context, struct mist_store_report *report,
                                           const struct mist_progress *progress, struct mist_error *error);

/*
 * Checks every item (mist_item_verify(); with `decode`, that every frame decodes) and attachment against the index.
 * Each problem is noted. Returns MIST_OK if the work was gone through, whatever report->failed says.
 */
MIST_API enum mist_status mist_store_verify(mist_store *store, bool decode, unsigned threads, mist_store_note *note,
                                            void *note_context, struct mist_store_report *report,
                                            const struct mist_progress *progress, struct mist_error *error);

/* ---- whether a dataset gives its sources back ---- */

/* How a file comes back at full resolution. */
enum mist_restored {
    MIST_RESTORED_BYTES,   /* byte for byte */
    MIST_RESTORED_CONTENT, /* of gzip: byte for byte once unpacked */
    MIST_RESTORED_PIXELS,  /* every sample and all metadata, coded another way: PNG, DICOM that was compressed */
    MIST_RESTORED_NOT,     /* it differs, or does not come back */
    MIST_RESTORED_MISSING, /* a source that the dataset does not have */
    MIST_RESTORED_EXTRA    /* in the dataset, but not in the sources */
};
enum { MIST_RESTORED_KINDS = 6 };
/* "bytes", "content", "pixels", "not", "missing", "extra". */
MIST_API const char *mist_restored_name(enum mist_restored restored);

struct mist_restoration {
    const char *path; /* relative to the dataset */
    const char *item; /* path of the item that it is part of; NULL: an attachment, or missing */
    enum mist_restored restored;
    const char *why; /* a sentence where it did not come back, else "" */
};
/* Called once for each file, from one thread at a time; what it gets is valid until it returns. */
typedef void mist_restoration_visit(void *context, const struct mist_restoration *restoration);

/*
 * Exports a dataset item by item into a temporary directory (in TMPDIR), and compares every file with the source that
 * it came from. The sources are those that mist_store_encode() was given, and are walked as there. Of PNG all chunks
 * but IHDR's interlacing, IDAT and IEND must be as they were. Of DICOM all elements must, except those that say how
 * pixel data is coded: TransferSyntaxUID, PhotometricInterpretation, PlanarConfiguration, BitsAllocated, BitsStored,
 * HighBit, lengths of groups and sequences, padding, and who wrote the file meta information. Disk needed: an item's
 * largest files, one for each thread. Returns MIST_OK if the work was gone through, whatever was found.
 */
MIST_API enum mist_status mist_store_verify_against(const char *directory, const char *dataset,
                                                    const char *const *sources, uint32_t source_count, unsigned threads,
                                                    mist_restoration_visit *visit, void *context,
                                                    const struct mist_progress *progress, struct mist_error *error);

/* ---- Table 1 of the paper, on one's own data ---- */

enum mist_lossless {
    MIST_LOSSLESS_NO,     /* something came back different */
    MIST_LOSSLESS_PIXELS, /* every sample came back, in files that differ from the originals (PNG, ...) */
    MIST_LOSSLESS_FILES   /* every file came back byte for byte (.nii.gz: after gunzip) */
};

/* What was measured on one item. */
struct mist_evaluation {
    const char *path;
    const char *format;
    const struct mist_image_info *image;
    const char *label; /* why it is a label map; NULL where it is none */
    unsigned levels;
    uint64_t source_bytes;
    uint64_t stored_bytes;
    uint64_t sent[MIST_MAX_LEVELS]; /* bytes of the prefix, by reduce; beyond the smallest level: that of it */
    uint64_t sent_chosen;           /* at the resolution that was measured at */
    enum mist_lossless lossless;    /* by exporting everything and comparing it with the sources */
    unsigned reduce, step;          /* what the rest was measured at: every 2^step-th slice */
    uint32_t width, height, slices; /* of the image at it */
    /*
     * Against area-averaging, means over all frames of the step: SSIM (Gaussian window 11x11, sigma 1.5) and mean
     * absolute difference, both of values scaled to [0,1] by the range of the item's samples; of the
     * native low-pass image and of it on the centred grid. NaN for labels, and where there is nothing to measure
     * (no finite sample, or reduce is 0).
     */
    double ssim_native, mad_native;
    double ssim_center, mad_center;
    bool label_exact; /* labels: the reduced image is exactly every 2^reduce-th sample of the full one */
    struct mist_item_classes classes; /* labels: which of their values vanish; count is 0 where that is not known */
};
typedef void mist_evaluation_visit(void *context, const struct mist_evaluation *evaluation);

/*
 * Encodes the sources into a temporary store (in TMPDIR), exports, decodes, measures, and removes it. `request` chooses
 * the resolution to measure at (NULL: a quarter; grid and exact size are not looked at). `options->note` receives
 * problems; report->failed counts them.
 */
MIST_API enum mist_status mist_evaluate(const struct mist_store_encode_options *options,
                                        const struct mist_resolution_request *request, mist_evaluation_visit *visit,
                                        void *context, struct mist_store_report *report,
                                        const struct mist_progress *progress, struct mist_error *error);

#ifdef __cplusplus
}
#endif
#endif
