/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The names under which the field knows an item: tables and lists name images by path, by file name, with and without
 * its suffix, or by the patient's directory. Tables are joined by these names when a dataset is encoded, and lists are
 * matched by them when it is downloaded.
 */
#ifndef SOURCE_NAMING_H
#define SOURCE_NAMING_H

#include <mist/source.h>

/* How closely a name names an item, closest first. */
enum naming {
    NAMING_FILE,      /* its path, or the end of it behind a '/', with or without the format's suffix */
    NAMING_CASE,      /* the file's name without the words that tell an image from its label map: naming_case() */
    NAMING_DIRECTORY, /* a directory that it is in, by its path or its name */
    NAMING_NUMBER,    /* the digits of such a name behind its letters: "10000032" of "p10000032", "01" of "sub-01" */
    NAMINGS
};

/* Returns false to stop. `name` is not ended by a NUL. */
typedef bool naming_visit(void *context, enum naming naming, const char *name, size_t length);
/*
 * Visits the names of an item or attachment, closest first; some of them twice. Of an item its own path and those of
 * its files count, where these are few. Returns false if a visit did.
 */
bool naming_each(const struct mist_catalog_entry *entry, naming_visit *visit, void *context);

/*
 * What an image and its label map have in common, as a number: a checksum of the path without its suffix, and without
 * words such as image, imagesTr, t1, flair, mask, seg. Where nothing is left of a name (case_00001/imaging.nii.gz), it
 * is that of the directory.
 */
uint64_t naming_case(const char *path);

/* A checksum of the path without the format's suffix (of unknown ones: without what follows the last dot). */
uint64_t naming_stem(const char *path);
/* A checksum of the path's first `length` bytes; of a directory. */
uint64_t naming_directory(const char *path, size_t length);
/* Bytes of the path of the directory that `path` is in; 0 for the root. */
size_t naming_directory_length(const char *path, size_t length);

/* Whether a word (of letters only) calls what bears it a label map: "mask", "seg" ... in any case. */
bool naming_is_label_word(const char *word, size_t length);
/* The length of the word that `text` starts with: letters, up to a capital behind a small one. */
size_t naming_word_length(const char *text);

/* Whether a path is that of a file that describes the dataset as a whole: README, LICENSE, dataset.json ... */
bool naming_is_document(const char *path);

#endif
