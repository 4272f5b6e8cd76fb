/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Volumes whose header is lines of text: NRRD and MetaImage. The samples follow the header or are in a file of their
 * own, plain or deflated. Each format parses and changes its own lines; reading, restoring and writing are here.
 */
#ifndef FORMAT_TEXT_VOLUME_H
#define FORMAT_TEXT_VOLUME_H

#include "format/ops.h"

#define TEXT_MAX_HEAD ((size_t)1 << 20) /* bytes of a header */
enum { TEXT_MAX_AXES = 6, TEXT_LINE = 4096 /* longest line that is looked at, with its NUL */ };

/* What a header says. */
struct text_volume {
    /* Filled by the format. */
    enum mist_sample_type type;
    bool big_endian;
    bool packed;   /* samples are deflated */
    bool sized;    /* ... and the header says to how many bytes: what is written has another number of them */
    bool detached; /* they are in another file */
    bool label;
    char partner[256]; /* of a detached one: the file that has the samples, as the header names it */
    size_t head_size;  /* bytes of the header */
    size_t skip;       /* bytes before the samples in their file; of an attached header 0 */
    bool skip_all;     /* ... or as many as there are more than needed */
    unsigned axes;
    uint64_t side[TEXT_MAX_AXES]; /* fastest first */
    bool components;              /* the first axis is they */
    /* In space: of axis i of columns, rows, slices. */
    bool has_directions;
    double direction[3][3]; /* step to the next sample, along the axes of the file's own space */
    double origin[3];
    double flip[3];    /* 1 or -1: the file's space -> RAS */
    double spacing[3]; /* where there are no directions; 0: not known */
    /* Filled by text_volume_complete(). */
    struct mist_image_info info;
};

struct text_format {
    enum format_kind kind;
    bool zlib;                 /* deflated samples are a zlib stream, not a gzip member; read are both */
    const char *header_suffix; /* of a header without samples: ".nhdr" */
    /* Reads the header at the start of a file. Errors do not name the file; NOT_FOUND: there is no image in it. */
    enum mist_status (*parse)(const uint8_t *data, size_t size, struct text_volume *volume, struct mist_error *error);
    /*
     * Appends the header for what is written: `volume` has the new sizes and places. `head` is the original's, NULL for
     * a new file, whose lines are all to be made. `joined`: the samples follow, whatever the original said.
     */
    bool (*write_head)(const struct text_volume *volume, const uint8_t *head, size_t size, bool joined,
                       struct mist_buffer *out);
};

/* ---- for parsers ---- */

/* The line at *at without its end, as text (cut at TEXT_LINE - 1); *at moves behind it. False at the end. */
bool text_next_line(const uint8_t *data, size_t size, size_t *at, char line[TEXT_LINE]);
/* Numbers behind one another, with blanks, commas and brackets between them; how many there were. */
unsigned text_numbers(const char *text, double *numbers, unsigned most);
/* "0.1", in as few digits as say the same. */
bool text_put_number(struct mist_buffer *out, double number);

/* ---- for format_ops ---- */

enum mist_status text_volume_look(const struct text_format *format, const struct format_input *input,
                                  struct format_group *group, struct mist_error *error);
enum mist_status text_volume_open(const struct text_format *format, const struct format_input *inputs, uint32_t count,
                                  struct format_source **source, struct mist_error *error);
enum mist_status text_volume_writer_open(const struct text_format *format, const struct format_target *target,
                                         struct format_writer **writer, struct mist_error *error);

#endif
