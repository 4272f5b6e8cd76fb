/* SPDX-License-Identifier: BSD-2-Clause */
/* How the samples of one chunk of a label map are coded, row by row. Used by lattice.c only. */
#ifndef CODER_LATTICE_SAMPLES_H
#define CODER_LATTICE_SAMPLES_H

#include "coder/adaptive.h"
#include "coder/range_coder.h"

#include <mist/image.h>

/* Where a row's new samples lie, and so which of their neighbours are known. */
enum lattice_phase {
    PHASE_FIRST, /* the coarsest lattice, in raster order */
    PHASE_EVEN,  /* the odd columns of an even row: coarse samples left and right */
    PHASE_ODD,   /* an odd row: known rows above and below */
    PHASES
};

enum {
    LATTICE_MARGIN = 4, /* columns and rows of rank 0 around a plane */
    LATTICE_BLOCK = 16, /* rows are compared in runs of this length, up to that much behind their end */
    SETS = 2,           /* first candidate, further candidates */
    REFERENCES = 3,     /* 0, 1 or 2 other slices known */
    RUN_CLASSES = 41,   /* runs by their logarithm; the last class: before the first run of a chunk */
    TREE_BITS = 8
};

/* What learns of the samples of one phase. */
struct lattice_contexts {
    adaptive_bit slices[SETS][(1 << 9) + (1 << 8) + (1 << 13)]; /* for 0, 1, 2 references */
    adaptive_bit wide[SETS][REFERENCES][1 << 12];
    int32_t weights[SETS][REFERENCES][8][MIX_INPUTS];
};

/* What learns of all samples alike. */
struct lattice_shared {
    adaptive_bit run_ends[RUN_CLASSES + 1];
    adaptive_bit run_class[RUN_CLASSES + 1][RUN_CLASSES];
    adaptive_bit run_bits[RUN_CLASSES][3];
    adaptive_bit rank[1 << TREE_BITS];
};

/* Everything that learns. It goes on from chunk to chunk, see lattice.c. */
struct lattice_model {
    struct lattice_contexts contexts[PHASES];
    struct lattice_shared shared;
};

void lattice_model_start(struct lattice_model *model);

/* One direction: counting runs (before encoding), encoding, decoding. */
enum lattice_task { LATTICE_COUNT, LATTICE_ENCODE, LATTICE_DECODE };

struct lattice_coder {
    enum lattice_task task;
    uint32_t symbols;
    unsigned rank_bits; /* of symbols - 1 */
    struct adaptive_tables tables;
    struct lattice_model *model;
    struct range_encoder encoder;
    struct range_decoder decoder;
    uint64_t run;            /* quiet samples until the next that is not as its neighbours */
    unsigned run_class;      /* of the run before */
    struct mist_buffer runs; /* of uint64_t: what counting found */
    size_t next_run;         /* in bytes */
    bool failed;             /* memory was short */
    uint64_t *differs;       /* a bit for each sample of a row */
    ptrdiff_t stride;        /* samples from row to row, in all planes of a level */
};

/* A chunk: start, rows, end. For encoding it is done twice, first with LATTICE_COUNT. */
void lattice_chunk_start(struct lattice_coder *coder, enum lattice_task task, struct mist_buffer *out,
                         struct coder_piece piece);
void lattice_chunk_end(struct lattice_coder *coder);

struct lattice_row {
    enum lattice_phase phase;
    unsigned references; /* how many of `before` and `after` are to be used */
    /*
     * Of the row, from x = 0 on. In encoding all are right already; in decoding those of lower levels are, and the odd
     * columns of an even row are as the sample before them.
     */
    uint16_t *samples;
    const uint16_t *before, *after; /* the same row in other slices */
    uint32_t width;
};
void lattice_row_code(struct lattice_coder *coder, const struct lattice_row *row);

#endif
