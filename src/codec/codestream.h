/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The marker segments of a codestream as parsed parameters (15444-1 Annex A, 15444-15 Annex A). The parser fills them,
 * the encoder's marker writer reads them; both sides agree on every field through these structures.
 */
#ifndef CODEC_CODESTREAM_H
#define CODEC_CODESTREAM_H

#include <mist/codec.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum codestream_marker {
    MARKER_SOC = 0xFF4F,
    MARKER_CAP = 0xFF50,
    MARKER_SIZ = 0xFF51,
    MARKER_COD = 0xFF52,
    MARKER_COC = 0xFF53,
    MARKER_TLM = 0xFF55,
    MARKER_PRF = 0xFF56, /* profile (15444-1 A.5.3) */
    MARKER_PLM = 0xFF57,
    MARKER_PLT = 0xFF58,
    MARKER_CPF = 0xFF59, /* corresponding profile (15444-15 A.6) */
    MARKER_QCD = 0xFF5C,
    MARKER_QCC = 0xFF5D,
    MARKER_RGN = 0xFF5E,
    MARKER_POC = 0xFF5F,
    MARKER_PPM = 0xFF60,
    MARKER_PPT = 0xFF61,
    MARKER_CRG = 0xFF63,
    MARKER_COM = 0xFF64,
    /* 15444-2 */
    MARKER_DCO = 0xFF70,
    MARKER_VMS = 0xFF71,
    MARKER_DFS = 0xFF72,
    MARKER_ADS = 0xFF73,
    MARKER_MCT = 0xFF74,
    MARKER_MCC = 0xFF75,
    MARKER_NLT = 0xFF76,
    MARKER_MIC = 0xFF77,
    MARKER_CBD = 0xFF78,
    MARKER_MCO = 0xFF79,
    MARKER_ATK = 0xFF7A,
    MARKER_QPD = 0xFF7B,
    MARKER_QPC = 0xFF7C,
    MARKER_SOT = 0xFF90,
    MARKER_SOP = 0xFF91,
    MARKER_EPH = 0xFF92,
    MARKER_SOD = 0xFF93,
    MARKER_EOC = 0xFFD9
};

#define CODESTREAM_MAX_DECOMPOSITIONS 32
#define CODESTREAM_MAX_COMPONENTS 16384
#define CODESTREAM_MAX_TILES 65535
#define CODESTREAM_MAX_BANDS (3 * CODESTREAM_MAX_DECOMPOSITIONS + 1)
#define CODESTREAM_SOT_SIZE 12                           /* bytes of a SOT marker segment, marker included */
#define CODESTREAM_PART_HEADER (CODESTREAM_SOT_SIZE + 2) /* SOT and SOD with nothing between them */

/* Scod (A.6.1) and SPcod code-block style bits (A.6.1 and 15444-15 A.4). */
#define SCOD_PRECINCTS 0x01
#define SCOD_SOP 0x02
#define SCOD_EPH 0x04
#define BLOCK_STYLE_BYPASS 0x01    /* Part 1: lower planes are partly raw, in segments of their own */
#define BLOCK_STYLE_TERMINATE 0x04 /* Part 1: a segment for each coding pass */
#define BLOCK_STYLE_VERTICALLY_CAUSAL 0x08
#define BLOCK_STYLE_HT 0x40
#define BLOCK_STYLE_MIXED 0x80

/* Bit 15 - 14 of Pcap says that Part 15 capabilities are present: the 15th bit from the top, 1-based. */
#define PCAP_PART15 ((uint32_t)1 << (32 - 15))

struct codestream_component {
    uint8_t precision; /* 1 .. 38 */
    bool is_signed;
    uint8_t dx; /* XRsiz, YRsiz: sub-sampling against the reference grid, 1 .. 255 */
    uint8_t dy;
};

/* SIZ. The image area is [x0, x1) x [y0, y1) on the reference grid. */
struct codestream_siz {
    uint16_t capabilities; /* Rsiz; bit 14: a CAP segment is present */
    uint32_t x1, y1;       /* Xsiz, Ysiz */
    uint32_t x0, y0;       /* XOsiz, YOsiz */
    uint32_t tile_width, tile_height;
    uint32_t tile_x0, tile_y0;       /* XTOsiz, YTOsiz */
    uint32_t components;             /* Csiz */
    uint32_t tiles_wide, tiles_high; /* derived: equation (B-5) */
};

struct codestream_cap {
    bool present;
    uint32_t parts;  /* Pcap */
    uint16_t ccap15; /* Part 15: bits 15-14 HTONLY/HTDECLARED/MIXED, 13 MULTIHT, 12 RGN, 11 HETEROGENEOUS,
                        5 HTIRV (irreversible), 4-0 MAGB */
};

/* What COD says of the codestream or tile as a whole. */
struct codestream_style {
    bool sop;
    bool eph;
    uint8_t progression; /* enum mist_progression */
    uint16_t layers;
    uint8_t component_transform; /* 1: RCT or ICT on components 0..2 */
};

/* What COD or COC says of one tile-component. */
struct codestream_coding {
    uint8_t decompositions;
    uint8_t block_width_log2; /* 2 .. 10, sum at most 12 */
    uint8_t block_height_log2;
    uint8_t block_style;
    bool reversible;                                     /* 5/3; else 9/7 */
    bool precincts;                                      /* sizes below are signalled; else all are 15, 15 */
    uint8_t precinct[CODESTREAM_MAX_DECOMPOSITIONS + 1]; /* PPx | PPy << 4 by resolution level */
};

enum codestream_quantization { QUANTIZATION_NONE, QUANTIZATION_DERIVED, QUANTIZATION_EXPOUNDED };

/* QCD or QCC. */
struct codestream_quantizer {
    enum codestream_quantization style;
    uint8_t guard_bits;
    uint8_t bands;                       /* entries in step; bands in the order LL, HL, LH, HH, HL, ... */
    uint16_t step[CODESTREAM_MAX_BANDS]; /* exponent << 11 | mantissa (mantissa 0 without quantisation) */
};

/* One progression order change (A.6.6). */
struct codestream_progression {
    uint8_t resolution_start;
    uint8_t resolution_end; /* exclusive */
    uint16_t component_start;
    uint16_t component_end; /* exclusive */
    uint16_t layer_end;     /* exclusive */
    uint8_t order;
};

/* All that decides how one component of one tile is coded. */
struct codestream_component_coding {
    struct codestream_coding coding;
    struct codestream_quantizer quantizer;
    uint8_t region_shift; /* RGN's SPrgn: Maxshift; 0 without */
    bool own_coding;      /* from COC, QCC of the header in question: COD, QCD of the same header do not override */
    bool own_quantizer;
};

/* A run of bytes inside the input. */
struct codestream_span {
    const uint8_t *data;
    size_t size;
};

/* One TLM entry: tile and length of a tile-part; the tile is -1 where TLM leaves it to the order. */
struct codestream_tlm_entry {
    int32_t tile;
    uint32_t length;
};

/* Progression order changes in the order in which they apply. */
struct codestream_progressions {
    struct codestream_progression *change; /* owned */
    uint32_t count;
};

/* The payloads of PPM or PPT behind their index byte, by index; data NULL where one is missing. */
struct codestream_packed_headers {
    struct codestream_span span[256];
    uint32_t count; /* highest index + 1 */
};

/* The main header. Free with codestream_header_free(). */
struct codestream_header {
    struct codestream_siz siz;
    struct codestream_component *component; /* [siz.components] */
    struct codestream_cap cap;
    struct codestream_style style;
    struct codestream_component_coding *coding; /* [siz.components] */
    struct codestream_progressions progressions;
    struct codestream_packed_headers *ppm; /* NULL without PPM */
    struct codestream_tlm_entry *tlm;      /* by Ztlm, then by entry */
    uint32_t tlm_count;
    uint8_t *nonlinearity; /* [siz.components] NLT type of each component (15444-2 A.3.10), 0 without */
    size_t size;           /* bytes from SOC to the first SOT marker */
};

/* Whether a component is coded as bit patterns of binary16 or binary32 are (nonlinearity.h): may come out as floats. */
static inline bool codestream_ordered_float(const struct codestream_header *header, uint32_t c)
{
    unsigned precision = header->component[c].precision;
    return header->nonlinearity[c] == 3 && header->component[c].is_signed && (precision == 16 || precision == 32);
}

/* SOT: one tile-part in the input. */
struct codestream_tile_part {
    uint32_t tile;
    uint8_t index; /* TPsot */
    uint8_t count; /* TNsot; 0: not said */
    bool cut;      /* Psot goes beyond the input: the bytes end early */
    size_t offset; /* of the SOT marker in the codestream */
    size_t end;    /* behind the last byte of the tile-part, clipped to the input */
};

struct codestream_tile_parts {
    struct codestream_tile_part *part; /* in codestream order */
    uint32_t count;
    bool complete; /* ends with EOC, nothing cut */
    size_t end;    /* where the walk ended */
};

/*
 * Parses the main header (SOC .. first SOT). `data` is a raw codestream. On failure `header` is freed and zeroed.
 * MIST_ERROR_TRUNCATED if the input ends within the main header.
 */
enum mist_status codestream_parse_header(const uint8_t *data, size_t size, struct codestream_header *header,
                                         struct mist_error *error);
/* A main header without anything behind it. */
enum mist_status codestream_parse_header_alone(const uint8_t *data, size_t size, struct codestream_header *header,
                                               struct mist_error *error);
void codestream_header_free(struct codestream_header *header);

/*
 * Whether packets lie level by level (packets.h), by the main header: MIST_ERROR_UNSUPPORTED if not. Then every
 * component has *levels resolution levels.
 */
enum mist_status codestream_check_by_level(const struct codestream_header *header, unsigned *levels,
                                           struct mist_error *error);

/* Lists the tile-parts behind the main header. Free with codestream_tile_parts_free(). */
enum mist_status codestream_list_tile_parts(const uint8_t *data, size_t size, const struct codestream_header *header,
                                            struct codestream_tile_parts *parts, struct mist_error *error);
void codestream_tile_parts_free(struct codestream_tile_parts *parts);

/*
 * The header of one tile: starts as the main header says and takes in the tile-part headers one by one. It refers to
 * the main header, which must outlive it. Free with codestream_tile_header_free().
 */
struct codestream_tile_header {
    struct codestream_style style;
    const struct codestream_component_coding *coding;   /* [siz.components]; the main header's or own_coding */
    struct codestream_component_coding *own_coding;     /* owned; NULL while nothing differs */
    const struct codestream_progressions *progressions; /* the main header's or own_progressions */
    struct codestream_progressions own_progressions;
    struct codestream_packed_headers *ppt; /* owned; NULL without PPT */
    bool started;                          /* the first tile-part has been taken in */
};

void codestream_tile_header_start(const struct codestream_header *header, struct codestream_tile_header *tile);
/* Takes in the header of one tile-part; *body is where its packets start (behind SOD). */
enum mist_status codestream_tile_header_add(const uint8_t *data, const struct codestream_header *header,
                                            const struct codestream_tile_part *part,
                                            struct codestream_tile_header *tile, size_t *body,
                                            struct mist_error *error);
void codestream_tile_header_free(struct codestream_tile_header *tile);

/* ---- what the parameters mean ---- */

/* Exponent and mantissa of the n-th band (0: LL, then HL, LH, HH by resolution level; E-3, E-5 of 15444-1). */
unsigned codestream_band_exponent(const struct codestream_quantizer *quantizer, unsigned band);
unsigned codestream_band_mantissa(const struct codestream_quantizer *quantizer, unsigned band);

/* Magnitude bit-planes Mb of the n-th band (E-2), Maxshift of RGN not included: guard bits + exponent - 1. */
unsigned codestream_band_planes(const struct codestream_quantizer *quantizer, unsigned band);

#endif
