/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Datasets as their readers see them: what a catalog says, and which part of an item is fetched for a resolution.
 * docs/format.md has the layout of catalogs and items.
 */
#ifndef MIST_SOURCE_H
#define MIST_SOURCE_H

#include <mist/item.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- what a catalog says ---- */

/* One source file of an item. */
struct mist_catalog_file {
    const char *path; /* relative to the dataset */
    uint32_t frames;
};

/* What a table of the dataset says of an item: "Finding Labels": "Cardiomegaly|Emphysema". */
struct mist_catalog_column {
    const char *name;
    const char *value; /* as in the table; several are separated by '|'; never "" */
};

/* One item. */
struct mist_catalog_item {
    const char *path;             /* relative to the dataset; the item is DATASET/items/PATH.mist */
    char format[16];              /* of the source files: "png", "jpeg", "nifti", "dicom" */
    struct mist_image_info image; /* of the geometry only `spacing` is kept (has_affine is false) */
    unsigned levels;              /* resolution levels, 1 .. MIST_MAX_LEVELS */
    unsigned steps;               /* as in struct mist_item_info, like all that follows up to source_bytes */
    bool centred;
    const char *label;
    const char *kept;
    uint64_t head_end;
    uint64_t level_end[MIST_MAX_LEVELS];
    const uint64_t *range_end;
    uint64_t size;
    uint64_t id;
    uint64_t source_bytes;
    uint32_t file_count;
    const struct mist_catalog_file *files; /* in frame order */
    uint32_t column_count;
    const struct mist_catalog_column *columns;
};

/* One attachment: DATASET/files/PATH. */
struct mist_catalog_attachment {
    const char *path;
    uint64_t size;
    uint64_t checksum; /* XXH3-64 of its bytes */
    const char *kept;  /* it is an image: why it is no item; else NULL */
    const char *table; /* it is a table that columns are from: the column that names the items; else NULL */
    bool wide;         /* ... and it speaks of items outside of its own directory, too */
};

enum mist_catalog_kind { MIST_CATALOG_END, MIST_CATALOG_ITEM, MIST_CATALOG_ATTACHMENT };

/* One line of a catalog. */
struct mist_catalog_entry {
    enum mist_catalog_kind kind;
    struct mist_catalog_item item;
    struct mist_catalog_attachment attachment;
};

#define MIST_DATASET_NAME_MAX 64u

/*
 * What a dataset says of itself, UTF-8 without line ends or controls; "" where nothing is known. `mist encode` takes it
 * from its options, else from dataset_description.json, dataset.json, LICENSE, CITATION and README.
 */
struct mist_dataset_card {
    char title[256];
    char version[64];
    char licence[256];
    char citation[512];
    char description[1024];
};

/* DATASET/tree.jsonl.zst, which has links, directories, modes and times of the tree that the dataset was made of. */
struct mist_dataset_tree {
    uint64_t size; /* of the file; 0: there is none */
    uint64_t checksum;
    uint64_t files; /* whose modes and times are in it */
    uint64_t directories;
    uint64_t empty; /* of the directories: with nothing in them */
    uint64_t links;
};

struct mist_dataset_info {
    char name[MIST_DATASET_NAME_MAX + 1];
    uint64_t items;
    uint64_t attachments;
    uint64_t source_bytes;     /* of all source files of items */
    uint64_t item_bytes;       /* of all item files */
    uint64_t attachment_bytes; /* of all attachments */
    uint64_t id;               /* changes whenever an item or attachment does; the same for the same content */
    struct mist_dataset_card card;
    struct mist_dataset_tree tree;
    /* A run of encode or index is at work or was interrupted: the other fields, the catalog and the items may each be
     * of another moment. Only a store knows; false in what a catalog says of itself. */
    bool unfinished;
};

/* One path part of [A-Za-z0-9._-], 1 .. 64 bytes, not starting with '.', and no word that the host's URLs use. */
MIST_API bool mist_dataset_name_is_valid(const char *name);

/* Appends an entry, without a line end, as it stands in a catalog: JSON. */
MIST_API enum mist_status mist_catalog_entry_write(const struct mist_catalog_entry *entry, struct mist_buffer *out,
                                                   struct mist_error *error);
/* Appends the first line of a catalog: {"format":"mist-catalog",...}, without a line end. */
MIST_API enum mist_status mist_catalog_header_write(const struct mist_dataset_info *info, struct mist_buffer *out,
                                                    struct mist_error *error);

struct mist_level_totals;
/*
 * Appends what is known of a dataset as one JSON object: {"dataset":NAME,"items":...,"id":...}, as in the catalog's
 * first line. With `totals` (else NULL) also "unfinished" and "bytes_by_reduce", of `levels` numbers.
 */
MIST_API enum mist_status mist_dataset_info_write(const struct mist_dataset_info *info,
                                                  const struct mist_level_totals *totals, unsigned levels,
                                                  struct mist_buffer *out, struct mist_error *error);

/*
 * Reads catalog.jsonl.zst in bounded memory. Everything in it is checked: paths are safe, sizes are within their
 * limits, ends of levels ascend, entries are in ascending order of path (items first), and there are as many of them as
 * the first line says. Memory given to _open_memory() must outlive the reader.
 */
typedef struct mist_catalog mist_catalog;
MIST_API enum mist_status mist_catalog_open(const char *path, mist_catalog **catalog, struct mist_error *error);
MIST_API enum mist_status mist_catalog_open_memory(const uint8_t *data, size_t size, const char *name,
                                                   mist_catalog **catalog, struct mist_error *error);
MIST_API void mist_catalog_close(mist_catalog **catalog);
MIST_API const struct mist_dataset_info *mist_catalog_dataset(const mist_catalog *catalog);
/* The next entry, valid until the next call; kind MIST_CATALOG_END after the last one. */
MIST_API enum mist_status mist_catalog_next(mist_catalog *catalog, struct mist_catalog_entry *entry,
                                            struct mist_error *error);

/* ---- choosing items: the same rule on the host and in the client ---- */

/*
 * Which items and attachments are taken: those that meet all that is given here. Zeroed: all. Texts and lists are the
 * caller's.
 *
 * `include`, `exclude`: shell patterns on paths relative to the dataset ('*' matches '/' too; a pattern that matches a
 * directory matches all below it). Of an item its own path and those of its files count. Exclude wins over all else.
 * `names`: paths, file names with or without suffix, or names of directories, exactly; with `include`, what meets one
 * of the two is taken.
 * `where`: "COLUMN=VALUE", "COLUMN!=VALUE", or with <, <=, >, >=, on the columns that tables of the dataset have for an
 * item; all must hold. A value in the table that is a list ("A|B") meets a condition (but !=) if one of its members
 * does, or, with =, the whole of it. Where both sides are numbers they are compared as such, else as texts, byte by
 * byte. An item that has no value in the column meets no condition, != included.
 * `sample`: so many cases of those left, by `seed`: the same ones on every machine, and the larger sample holds the
 * smaller one. `limit`: at most so many cases, the first by path. 0: all. A case is an image with its label maps: items
 * whose paths differ only in words such as images, labels, t1, flair, mask, seg.
 *
 * With `names`, `where`, `sample` or `limit`, of the attachments only those are taken that are included, or describe
 * the dataset (README, LICENSE, dataset.json ...), or stand beside a selected item under its name. Tables that the
 * columns of selected items are from are always taken, unless excluded.
 */
struct mist_selection {
    const char *const *include;
    const char *const *exclude;
    const char *const *names;
    const char *const *where;
    uint32_t include_count;
    uint32_t exclude_count;
    uint32_t name_count;
    uint32_t where_count;
    uint64_t sample;
    uint64_t seed;
    uint64_t limit;
};

/* ---- choosing a resolution: the same rule on the host and in the client ---- */

enum mist_policy {
    MIST_POLICY_CLOSEST, /* the paper's rule */
    MIST_POLICY_AT_LEAST,
    MIST_POLICY_AT_MOST
};

/*
 * Asks for one of: a reduce (`by_reduce`), a size (width and height not 0), a spacing (spacing[0] not 0); in this order
 * if several are set; all zero: full resolution. Sizes and spacings go along the axes of the file that is written
 * (NIfTI: i, j, k; other formats: columns, rows, slices).
 */
struct mist_resolution_request {
    bool by_reduce;
    unsigned reduce;
    unsigned step;  /* with by_reduce: every 2^step-th slice */
    uint32_t width; /* `--size S` sets both to S, and no depth */
    uint32_t height;
    uint32_t depth;    /* 0: all slices */
    double spacing[3]; /* mm; `--spacing MM` sets all of them */
    enum mist_policy policy;
    enum mist_grid grid; /* of what is written or read, as in struct mist_export_options */
    /*
     * Resample to exactly the size asked for, on the conventional grid; a depth is interpolated to between slices, too.
     * MIST_POLICY_AT_LEAST then makes it smaller from the next larger level.
     */
    bool exact;
};

/* What is dropped from an item: `reduce` of its levels, 0 .. levels - 1, and all but every 2^step-th slice. */
struct mist_choice {
    unsigned reduce;
    unsigned step;
};

/*
 * Which resolution of this item is meant.
 *
 * Size without depth: the shorter side asked for, s, is compared with the shorter side of the image at each level.
 * Closest: the level whose shorter side is nearest to s as a ratio (a level of 256 and one of 512 are equally far from
 * 362); of equals the larger. At least: the smallest level with both the shorter side >= s and the longer side >= the
 * longer one asked for. At most: the largest level with both <=. No slice is dropped. With a depth the sides are
 * compared with what is asked along their own axes (closest: the shorter side of the image is), and the slice step is
 * chosen in the same way from the number of slices; but at least for an exact depth: the smallest that leaves twice as
 * many slices, so that each one that is made lies between two near ones.
 * Spacing: the same on the in-plane spacing that is larger against what is asked along it, which a level doubles, and
 * on the spacing of slices, which a step doubles; "at least" is this detail or more (spacing <= asked), "at most" this
 * detail or less. Where no spacing is known nothing is dropped.
 * Where no level (step) meets the policy, the largest (at least) or the smallest one (at most) is taken. What lies
 * beyond the smallest level or the largest step is these.
 */
MIST_API struct mist_choice mist_choose(const struct mist_catalog_item *item,
                                        const struct mist_resolution_request *request);
/* The choice, with what lies beyond the item's levels and steps taken back to the last ones. */
MIST_API struct mist_choice mist_choice_within(const struct mist_catalog_item *item, struct mist_choice choice);

/* Bytes [start, end) of an item file. */
struct mist_byte_range {
    uint64_t start;
    uint64_t end;
};
#define MIST_MAX_RANGES (MIST_MAX_LEVELS + 1u)
/*
 * The parts of the item file that hold the head, the levels and slices of a choice and, with `tail`, the tail: not
 * empty, ascending, apart from one another; returns how many. At most one for each level, and one for the tail.
 */
MIST_API unsigned mist_catalog_item_ranges(const struct mist_catalog_item *item, struct mist_choice choice, bool tail,
                                           struct mist_byte_range ranges[MIST_MAX_RANGES]);
/* Their bytes together. */
MIST_API uint64_t mist_catalog_item_bytes(const struct mist_catalog_item *item, struct mist_choice choice, bool tail);

/* For --max-bytes: what a selection of items takes at each common reduce. Start zeroed. */
struct mist_level_totals {
    uint64_t bytes[MIST_MAX_LEVELS]; /* by reduce; items with fewer levels count with their smallest one */
};
MIST_API void mist_level_totals_add(struct mist_level_totals *totals, const struct mist_catalog_item *item);
/* The smallest reduce whose total is at most max_bytes; -1 if even the smallest level does not fit. */
MIST_API int mist_level_totals_choose(const struct mist_level_totals *totals, uint64_t max_bytes);

/* ---- bytes from anywhere ---- */

/*
 * A run of bytes that can be read in parts. Make your own by filling one in; it must stay where it is until closed.
 * One read at a time.
 */
struct mist_source {
    /* Exactly `size` bytes at `offset`, or an error. */
    enum mist_status (*read)(struct mist_source *source, uint64_t offset, uint8_t *bytes, size_t size,
                             struct mist_error *error);
    void (*close)(struct mist_source *source); /* frees what it needs freed; may be NULL */
    uint64_t size;                             /* UINT64_MAX where it is not known */
    void *context;                             /* yours */
};
/* Memory that outlives the source. */
MIST_API enum mist_status mist_source_memory(const uint8_t *data, size_t size, struct mist_source **source,
                                             struct mist_error *error);
MIST_API enum mist_status mist_source_file(const char *path, struct mist_source **source, struct mist_error *error);
/* Safe on a pointer to NULL. */
MIST_API void mist_source_close(struct mist_source **source);

/* ---- datasets as arrays: nothing is written to a disk ---- */

/* An open dataset. For one thread at a time. */
typedef struct mist_dataset mist_dataset;

/*
 * Opens a dataset whose files the caller opens: "catalog.jsonl.zst" (of known size), "items/PATH.mist". `open` and
 * `context` must live as long as the dataset; it closes what was opened.
 */
typedef enum mist_status mist_source_open(void *context, const char *path, struct mist_source **source,
                                          struct mist_error *error);
MIST_API enum mist_status mist_dataset_open_sources(mist_source_open *open, void *context, const char *name,
                                                    mist_dataset **dataset, struct mist_error *error);
MIST_API void mist_dataset_close(mist_dataset **dataset);

MIST_API const struct mist_dataset_info *mist_dataset_about(const mist_dataset *dataset);
/* The next entry of the catalog, valid until the next call with this dataset; MIST_CATALOG_END at the end. */
MIST_API enum mist_status mist_dataset_next(mist_dataset *dataset, struct mist_catalog_entry *entry,
                                            struct mist_error *error);
/*
 * An item by its path, or MIST_ERROR_NOT_FOUND; mist_dataset_next() goes on behind it. Quick when paths are asked for
 * in ascending order, else the catalog is read from its beginning.
 */
MIST_API enum mist_status mist_dataset_find(mist_dataset *dataset, const char *path, struct mist_catalog_entry *entry,
                                            struct mist_error *error);

/*
 * From now on mist_dataset_next() gives only what is selected, from the beginning of the catalog; NULL: everything
 * again. What `selection` points to must live until then. mist_dataset_find() finds all items all the same.
 * MIST_ERROR_ARGUMENT: a condition that is none, or a column that no item has.
 */
MIST_API enum mist_status mist_dataset_select(mist_dataset *dataset, const struct mist_selection *selection,
                                              struct mist_error *error);

/*
 * The image that a request makes of an item, as the catalog knows it: no affine. MIST_ERROR_ARGUMENT for an exact size
 * that is none.
 */
MIST_API enum mist_status mist_request_image(const struct mist_catalog_item *item,
                                             const struct mist_resolution_request *request,
                                             struct mist_image_info *image, struct mist_error *error);

/*
 * Decodes frames [first, first + count) of an item at a size into `views`, which are as mist_request_image() says, on
 * the grid or at the exact size asked for: the samples that mist_get() writes. Fetches the head and the ranges that
 * these frames take, no more; where all frames are asked for they are checked against the head's checksums. `info` (may
 * be NULL) receives the image with its affine. Frames are counted as they are made: of the slice step, or of the exact
 * depth. A find of its own: entries become invalid.
 */
MIST_API enum mist_status mist_dataset_read(mist_dataset *dataset, const char *path,
                                            const struct mist_resolution_request *request, uint32_t first,
                                            uint32_t count, struct mist_view *views, struct mist_image_info *info,
                                            struct mist_error *error);

/* ---- one item by transfers of your own ---- */

/* What meets a request. */
struct mist_reading_plan {
    struct mist_image_info image; /* that is made; without an affine where only a catalog knows the item */
    struct mist_choice fetched;   /* the levels and slices that it takes: of label maps on other grids more */
    unsigned ranges;
    struct mist_byte_range range[MIST_MAX_RANGES]; /* [ranges] of the item file, the head first */
};
/*
 * How a request is met by an item that a catalog knows, or of which at least the head is here. MIST_ERROR_ARGUMENT for
 * an exact size that is none. Thread-safe.
 */
MIST_API enum mist_status mist_request_plan(const struct mist_catalog_item *item,
                                            const struct mist_resolution_request *request,
                                            struct mist_reading_plan *plan, struct mist_error *error);
MIST_API enum mist_status mist_item_plan(const mist_item *item, const struct mist_resolution_request *request,
                                         struct mist_reading_plan *plan, struct mist_error *error);
/*
 * What frames [first, first + count) of what is made take: `visit` is called for ranges of the item file, which may
 * overlap and come in any order; the head is not among them.
 */
MIST_API enum mist_status mist_item_plan_frames(const mist_item *item, const struct mist_resolution_request *request,
                                                uint32_t first, uint32_t count,
                                                void (*visit)(void *context, uint64_t offset, uint64_t size),
                                                void *context, struct mist_error *error);
/*
 * Decodes frames [first, first + count) of what is made into `views`, as mist_dataset_read() does, of an item of which
 * what they take is here; MIST_ERROR_TRUNCATED where it is not. Checksums are mist_item_verify()'s.
 */
MIST_API enum mist_status mist_item_read(const mist_item *item, mist_decoder *decoder,
                                         const struct mist_resolution_request *request, uint32_t first, uint32_t count,
                                         struct mist_view *views, struct mist_error *error);

#ifdef __cplusplus
}
#endif
#endif
