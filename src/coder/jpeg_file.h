/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parts of a JPEG file (ITU-T T.81): its markers, its Huffman-coded scans, the coefficients between them. Shared by
 * the jpeg_*.c files only.
 */
#ifndef CODER_JPEG_FILE_H
#define CODER_JPEG_FILE_H

#include "coder/jpeg.h"

/* A coefficient's magnitude stays below this in every file that is taken, so that differences fit 16 bits. */
#define JPEG_COEFFICIENT_LIMIT 16384

/* Zigzag index -> row * 8 + column of the coefficient (T.81, figure 5). */
extern const uint8_t jpeg_zigzag[64];
/*
 * Zigzag index -> place in our blocks: the coefficients in the order in which sizes need them. The first 1, 4, 16, 64
 * places are the upper left 1 x 1, 2 x 2, 4 x 4, 8 x 8 of the block, each group in zigzag order.
 */
extern const uint8_t jpeg_place[64];

struct jpeg_component {
    uint8_t id, h, v;
    uint8_t slot;           /* of the quantisation table */
    uint32_t columns, rows; /* blocks that hold samples */
    uint32_t wide, high;    /* blocks of whole MCUs: what is stored */
    unsigned shift;         /* the component is subsampled by 2^shift both ways */
    unsigned longest_shift; /* ... by 2^longest_shift one way at least */
    bool quantised;         /* quant is set (by the component's first scan) */
    uint16_t quant[64];     /* in zigzag order */
};

struct jpeg_frame {
    uint32_t width, height;
    unsigned components;
    struct jpeg_component component[4];
    uint8_t h_max, v_max;
    uint32_t mcus_wide, mcus_high; /* of interleaved scans */
    bool progressive;
    bool jfif, adobe;  /* APP0 and APP14 that decoders look at when they choose the colour */
    uint8_t transform; /* of APP14 */
    enum jpeg_colour colour;
    uint8_t orientation;
};

/* Columns, rows, padding, shifts and colour from sizes and factors that the caller has set; false beyond the limits. */
bool jpeg_frame_layout(struct jpeg_frame *frame);
/* Samples of all components, padding included. */
uint64_t jpeg_frame_samples(const struct jpeg_frame *frame);

/* A Huffman table as DHT holds it. counts[n]: codes of n bits; counts[0] is 0. */
struct jpeg_table {
    bool known;
    uint8_t counts[17];
    uint8_t symbols[256];
};

/* A scan's header. from .. to: zigzag indices (Ss, Se); high, low: bit positions (Ah, Al). */
struct jpeg_scan {
    unsigned components;
    uint8_t index[4]; /* into the frame's components */
    uint8_t dc[4], ac[4];
    uint8_t from, to, high, low;
};

/* Goes through a file from scan to scan. */
struct jpeg_walk {
    const uint8_t *data;
    size_t size, at;
    bool has_frame;
    struct jpeg_frame frame;
    bool quant_known[4];
    uint16_t quant[4][64];
    struct jpeg_table dc[4], ac[4];
    uint32_t restart; /* MCUs between restart markers; 0: none */
    struct jpeg_scan scan;
    unsigned scans; /* so far */
};

struct jpeg_walk jpeg_walk_start(const uint8_t *data, size_t size);
/*
 * Reads markers up to the next scan's first entropy-coded byte, which `at` is then (*more is true), or up to and with
 * EOI, or to the end if that follows a scan (*more is false). The caller moves `at` behind the entropy-coded bytes.
 */
enum mist_status jpeg_walk_next(struct jpeg_walk *walk, bool *more, struct mist_error *error);
/* Where the entropy-coded bytes that begin at `at` end: at the next marker other than RST0..7, or at the end. */
size_t jpeg_walk_scan_end(const struct jpeg_walk *walk);

/* Quantised coefficients of all components. */
struct jpeg_plane {
    int16_t *block; /* wide x high blocks of `stride` coefficients in the order of jpeg_place */
    uint32_t wide, high;
    unsigned stride; /* 1, 4, 16, 64 */
};
struct jpeg_planes {
    struct jpeg_plane plane[4];
};
void jpeg_planes_free(struct jpeg_planes *planes);
/* Zeroed, with strides[c] coefficients for each block. */
enum mist_status jpeg_planes_allocate(const struct jpeg_frame *frame, const unsigned strides[4],
                                      struct jpeg_planes *planes, struct mist_error *error);

/* What is known of a scan's coding beside its header and tables. */
struct jpeg_scan_coding {
    bool zero_padding;    /* bytes are filled up with 0 bits, not 1 */
    uint32_t longest_run; /* progressive AC scans: the longest EOB run; 0 where there is none */
};

/* Reads the scan whose bytes end at `end` into the planes (stride 64). */
enum mist_status jpeg_scan_read(const struct jpeg_walk *walk, size_t end, struct jpeg_planes *planes,
                                struct jpeg_scan_coding *coding, struct mist_error *error);
/*
 * Appends the entropy-coded bytes of a scan; planes may have any stride, what is beyond it is 0. At most `limit` bytes
 * in all of `out`.
 */
enum mist_status jpeg_scan_write(const struct jpeg_walk *walk, const struct jpeg_planes *planes,
                                 const struct jpeg_scan_coding *coding, size_t limit, struct mist_buffer *out,
                                 struct mist_error *error);

/* How often a sequential scan needs each symbol, per table slot: counts[class][slot][symbol], class 0 DC, 1 AC. */
enum mist_status jpeg_scan_count(const struct jpeg_walk *walk, const struct jpeg_planes *planes,
                                 uint32_t counts[2][4][256], struct mist_error *error);

/* ---- Huffman tables (T.81, annexes C, F and K.2) ---- */

enum { JPEG_LOOKUP_BITS = 9 };
struct jpeg_lookup {
    uint16_t fast[1 << JPEG_LOOKUP_BITS]; /* length << 8 | symbol; 0: a longer code, or none */
    uint32_t limit[18];                   /* by length: first 16-bit left-aligned code that is longer */
    int32_t offset[17];                   /* symbol index = (code >> (16 - length)) + offset */
    uint8_t symbols[256];
};
struct jpeg_codes {
    uint16_t code[256];
    uint8_t length[256]; /* 0: the table has no such symbol */
};
/* False if the table is not a prefix code. */
bool jpeg_lookup_make(const struct jpeg_table *table, struct jpeg_lookup *lookup);
bool jpeg_codes_make(const struct jpeg_table *table, struct jpeg_codes *codes);
/* The best table of at most 16 bits a code for these counts (at least one code, none of all ones). */
void jpeg_table_optimal(const uint32_t counts[256], struct jpeg_table *table);

/* ---- MCUs of a scan in order ---- */

/* Called for each block; `slot` is the component's place in the scan. */
struct jpeg_visitor {
    void *state;
    bool (*block)(void *state, unsigned slot, int16_t *block, unsigned stride);
    bool (*restart)(void *state, unsigned number); /* between intervals; number 0, 1, 2 ... */
};
/* False as soon as a function returns false. */
bool jpeg_scan_visit(const struct jpeg_walk *walk, const struct jpeg_planes *planes,
                     const struct jpeg_visitor *visitor);

/* ---- files ---- */

/* All scans into planes that are allocated here. Fails unless the file holds every bit of every coefficient. */
struct jpeg_picture {
    struct jpeg_frame frame;
    struct jpeg_planes planes;
    struct mist_buffer skeleton; /* the file without its entropy-coded bytes */
    unsigned scans;
    struct jpeg_scan_coding coding[JPEG_MAX_SCANS];
    size_t start[JPEG_MAX_SCANS], end[JPEG_MAX_SCANS]; /* of the entropy-coded bytes in the file */
};
enum mist_status jpeg_file_read(const uint8_t *data, size_t size, struct jpeg_picture *picture,
                                struct mist_error *error);
void jpeg_picture_free(struct jpeg_picture *picture);
/* A sequential file of the planes. `out` is overwritten. */
enum mist_status jpeg_file_write(const struct jpeg_frame *frame, const struct jpeg_planes *planes,
                                 struct mist_buffer *out, struct mist_error *error);

/* The blob from which jpeg_rebuild_file() makes the file of the planes again. */
enum mist_status jpeg_rebuild_make(const uint8_t *data, size_t size, const struct jpeg_picture *picture,
                                   struct mist_buffer *blob, struct mist_error *error);
enum mist_status jpeg_rebuild_file(const struct jpeg_frame *frame, const struct jpeg_planes *planes,
                                   const struct jpeg_piece *blob, struct mist_buffer *file, struct mist_error *error);

/* ---- chunks ---- */

/* The level's chunks of complete planes (stride 64). */
enum mist_status jpeg_levels_write(const struct jpeg_frame *frame, const struct jpeg_planes *planes, bool grey_as_rgb,
                                   struct mist_buffer *levels, struct mist_error *error);

/* Sums of the DC coefficients of 2^depth x 2^depth blocks: what there is of a component below 1/8 of its size. */
struct jpeg_sums {
    int32_t *sum;
    uint32_t wide, high; /* ceil(blocks / 2^depth) */
    unsigned depth;
};
/* What levels 0 .. levels-1-reduce hold. */
struct jpeg_reduced {
    struct jpeg_frame frame;
    bool grey_as_rgb;
    struct jpeg_planes planes; /* stride 1, 4, 16, 64: what the level has of the component; no block where sums are */
    struct jpeg_sums sums[4];  /* set where a component is known below 1/8 only */
};
enum mist_status jpeg_levels_read(const struct jpeg_piece *pieces, unsigned reduce, struct jpeg_reduced *reduced,
                                  struct mist_error *error);
void jpeg_reduced_free(struct jpeg_reduced *reduced);
enum mist_status jpeg_head_read(const struct jpeg_piece *lowest, struct jpeg_reduced *reduced, size_t *head_size,
                                struct mist_error *error);

/* Blocks that a component is reduced by at a reduced size: 0: all of the coefficients ... 3: DC; 3 + d: sums of depth
 * d. */
unsigned jpeg_stage(const struct jpeg_component *component, unsigned reduce);

/* ---- pixels ---- */

/* scale times the mean of the blocks that sum (x, y) is of, rounded; plane: for its size in blocks. */
int32_t jpeg_sums_mean(const struct jpeg_sums *sums, const struct jpeg_plane *plane, uint32_t x, uint32_t y,
                       unsigned scale);

enum mist_status jpeg_pixels_decode(const struct jpeg_reduced *reduced, unsigned reduce, const struct mist_view *out,
                                    struct mist_error *error);
enum mist_status jpeg_pixels_small(const struct jpeg_reduced *reduced, unsigned reduce, const struct mist_view *out,
                                   struct mist_error *error);

#endif
