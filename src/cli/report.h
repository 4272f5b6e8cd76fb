/* SPDX-License-Identifier: BSD-2-Clause */
/* What the commands that work on many files have in common: notes while they run, choices of resolution, tables. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "cli/command.h"

/* Prints "mist encode: PATH: sentence" above the progress line. A mist_store_note; context: struct noted. */
struct noted {
    const struct arguments *arguments;
    struct progress_display *display;
    unsigned most; /* notes beyond these are counted only; 0: no such limit */
    unsigned long long count;
};
/* Says how many were not printed. */
void print_notes_left(const struct noted *noted);
void print_note(void *context, const char *path, const char *sentence);

/* -j, or MIST_JOBS and the cores (0). False after a complaint. */
bool option_jobs(const struct arguments *arguments, unsigned *jobs);
/* --transfer-syntax, or NULL. False after a complaint. */
bool option_transfer_syntax(const struct arguments *arguments, const char **name);
/* --size, --reduce, --spacing (where the command has them) and --policy. False after a complaint. */
/* --grid and --exact, after option_resolution(). */
bool option_grid(const struct arguments *arguments, struct mist_resolution_request *request);
bool option_resolution(const struct arguments *arguments, struct mist_resolution_request *request);

/* The numbers of an open item as a catalog row without paths, for mist_choose(). */
struct mist_catalog_item item_row(const struct mist_item_info *info);

/* "512x512", "512x512x54", "512x512x54 RGB" for frames of width x height of an image with its components. */
const char *format_shape(const struct mist_image_info *image, uint32_t width, uint32_t height, uint32_t frames,
                         char text[64]);
/* "12.3 %" of a whole; "-" of nothing. */
const char *format_percent(unsigned long long part, unsigned long long whole, char text[32]);

/*
 * A table on standard output whose columns are as wide as their widest cell. The first row is the heading; columns
 * whose heading starts with '<' (not printed) are aligned to the left.
 */
struct table {
    char **cells;
    size_t count;
    size_t columns;
};
void table_add(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
void table_print(struct table *table); /* and frees it */

/* A dataset's card, a line each for what is known, behind `indent`; or as a member "card" of JSON, behind a comma. */
void print_card(const struct mist_dataset_card *card, const char *indent);
void print_json_card(const struct mist_dataset_card *card);

/* A JSON string with quotes and escapes, on standard output. */
void print_json_string(const char *text);

/* Which values of a label map vanish at which reduce: `,"classes":N,"vanish":[...]`; or sentences, after `before`. */
void print_vanish_json(const struct mist_item_classes *classes);
void print_vanish(FILE *out, const char *before, const struct mist_item_classes *classes);

#endif
