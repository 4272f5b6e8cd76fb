/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A dataset is read as a row of tokens that say nothing of how lengths are coded, so that two can be compared side by
 * side in constant memory.
 */
#include "format/dicom_same.h"

#include "base/bytes.h"
#include "base/error.h"

#include <stdio.h>
#include <string.h>

#define UNDEFINED UINT32_MAX
#define TAG_ITEM 0xfffee000u
#define TAG_ITEM_END 0xfffee00du
#define TAG_SEQUENCE_END 0xfffee0ddu
#define TAG_TRAILING_PADDING 0xfffcfffcu

enum token_kind { TOKEN_END, TOKEN_VALUE, TOKEN_SEQUENCE, TOKEN_ITEM, TOKEN_CLOSE, TOKEN_DAMAGED };

struct token {
    enum token_kind kind;
    uint32_t tag; /* of a value or sequence */
    char vr[3];   /* "" in implicit VR */
    const uint8_t *data;
    size_t size;
};

/* A dataset, item or sequence that is being read. */
struct level {
    size_t end;
    bool open;  /* ended by a delimiter, not by its length */
    bool items; /* a sequence: items are in it, not elements */
    bool explicit_vr;
};

struct tokens {
    const uint8_t *data;
    size_t size;
    bool big_endian;
    size_t at;
    unsigned depth;
    struct level level[2 * DICOM_MAX_NESTING + 2];
};

static struct tokens tokens_start(const struct dicom_bytes *bytes, size_t from, size_t to, bool explicit_vr,
                                  bool big_endian)
{
    return (struct tokens){.data = bytes->data,
                           .size = to,
                           .big_endian = big_endian,
                           .at = from,
                           .level = {{.end = to, .explicit_vr = explicit_vr}}};
}

static uint32_t load(const struct tokens *tokens, size_t at, unsigned size)
{
    const uint8_t *p = tokens->data + at;
    if (size == 2)
        return tokens->big_endian ? load_be16(p) : load_le16(p);
    return tokens->big_endian ? load_be32(p) : load_le32(p);
}

static uint32_t load_tag(const struct tokens *tokens, size_t at)
{
    return load(tokens, at, 2) << 16 | load(tokens, at + 2, 2);
}

/* Value representations whose length has 32 bits (PS3.5, 7.1.2). */
static bool is_long(const char *vr)
{
    static const char names[] = "OB OD OF OL OV OW SQ SV UC UN UR UT UV";
    for (const char *name = names; *name; name += name[2] ? 3 : 2)
        if (vr[0] == name[0] && vr[1] == name[1])
            return true;
    return false;
}

/* Reads tag, VR and length at tokens->at and moves behind them. */
static bool read_header(struct tokens *tokens, const struct level *level, struct token *token, uint32_t *length)
{
    if (level->end - tokens->at < 8)
        return false;
    *token = (struct token){.kind = TOKEN_VALUE, .tag = load_tag(tokens, tokens->at)};
    size_t taken = 8;
    if (!level->explicit_vr || token->tag >> 16 == 0xfffe) {
        *length = load(tokens, tokens->at + 4, 4);
    } else {
        memcpy(token->vr, tokens->data + tokens->at + 4, 2);
        *length = load(tokens, tokens->at + 6, 2);
        if (is_long(token->vr)) {
            if (level->end - tokens->at < 12)
                return false;
            *length = load(tokens, tokens->at + 8, 4);
            taken = 12;
        }
    }
    tokens->at += taken;
    return *length == UNDEFINED || *length <= level->end - tokens->at;
}

static struct token push(struct tokens *tokens, struct token token, uint32_t length, bool items, bool explicit_vr)
{
    const struct level *above = &tokens->level[tokens->depth];
    if (tokens->depth + 1 == sizeof tokens->level / sizeof *tokens->level)
        return (struct token){.kind = TOKEN_DAMAGED, .tag = token.tag};
    bool open = length == UNDEFINED;
    tokens->level[++tokens->depth] = (struct level){
        .end = open ? above->end : tokens->at + length, .open = open, .items = items, .explicit_vr = explicit_vr};
    return token;
}

/* The fragments of pixel data: their bytes are no elements. */
static bool skip_fragments(struct tokens *tokens, const struct level *level)
{
    struct token item;
    uint32_t length;
    while (read_header(tokens, level, &item, &length)) {
        if (item.tag == TAG_SEQUENCE_END)
            return true;
        if (item.tag != TAG_ITEM || length == UNDEFINED)
            return false;
        tokens->at += length;
    }
    return false;
}

static struct token next_item(struct tokens *tokens)
{
    const struct level level = tokens->level[tokens->depth];
    struct token token;
    uint32_t length;
    if (!read_header(tokens, &level, &token, &length))
        return (struct token){.kind = TOKEN_DAMAGED, .tag = token.tag};
    if (token.tag == TAG_SEQUENCE_END && level.open) {
        tokens->depth--;
        return (struct token){.kind = TOKEN_CLOSE};
    }
    if (token.tag != TAG_ITEM)
        return (struct token){.kind = TOKEN_DAMAGED, .tag = token.tag};
    return push(tokens, (struct token){.kind = TOKEN_ITEM}, length, false, level.explicit_vr);
}

static struct token next_element(struct tokens *tokens)
{
    const struct level level = tokens->level[tokens->depth];
    const struct token damaged = {.kind = TOKEN_DAMAGED};
    struct token token = {0};
    uint32_t length;
    if (!read_header(tokens, &level, &token, &length))
        return (struct token){.kind = TOKEN_DAMAGED, .tag = token.tag};
    if (token.tag == TAG_ITEM_END && level.open) {
        tokens->depth--;
        return (struct token){.kind = TOKEN_CLOSE};
    }
    bool pixels = token.tag >> 16 == 0x7fe0 && tokens->depth == 0;
    if (pixels && length == UNDEFINED)
        return skip_fragments(tokens, &level) ? token : damaged;
    if (length == UNDEFINED || strcmp(token.vr, "SQ") == 0) {
        token.kind = TOKEN_SEQUENCE;
        /* Of unknown VR and undefined length: implicit inside (PS3.5, 6.2.2, note 2). */
        return push(tokens, token, length, true, level.explicit_vr && strcmp(token.vr, "UN") != 0);
    }
    token.data = tokens->data + tokens->at;
    token.size = length;
    tokens->at += length;
    return token;
}

static struct token next_token(struct tokens *tokens)
{
    const struct level *level = &tokens->level[tokens->depth];
    if (tokens->at < level->end)
        return level->items ? next_item(tokens) : next_element(tokens);
    if (tokens->depth == 0)
        return (struct token){.kind = TOKEN_END};
    tokens->depth--; /* by its length, or by the end of what it is in */
    return (struct token){.kind = TOKEN_CLOSE};
}

static bool is_skipped(const struct token *token, unsigned depth)
{
    static const uint32_t tags[] = {0x00020001, 0x00020010, 0x00020012, 0x00020013, 0x00280004,
                                    0x00280006, 0x00280100, 0x00280101, 0x00280102, TAG_TRAILING_PADDING};
    if (token->kind != TOKEN_VALUE)
        return false;
    if ((token->tag & 0xffff) == 0 || (depth == 0 && token->tag >> 16 == 0x7fe0))
        return true;
    for (size_t i = 0; depth == 0 && i < sizeof tags / sizeof *tags; i++)
        if (token->tag == tags[i])
            return true;
    return false;
}

static struct token next_compared(struct tokens *tokens)
{
    struct token token;
    do {
        token = next_token(tokens);
    } while (is_skipped(&token, tokens->depth));
    return token;
}

/* A value without the byte that pads it to an even length. */
static size_t unpadded(const struct token *token)
{
    bool padded = token->size && (token->data[token->size - 1] == ' ' || token->data[token->size - 1] == '\0');
    return token->size - padded;
}

static bool same_token(const struct token *a, const struct token *b)
{
    if (a->kind != b->kind || a->tag != b->tag)
        return false;
    bool unknown = !*a->vr || !*b->vr || strcmp(a->vr, "UN") == 0 || strcmp(b->vr, "UN") == 0;
    if (!unknown && strcmp(a->vr, b->vr) != 0)
        return false;
    if (a->kind != TOKEN_VALUE || (a->size == b->size && memcmp(a->data, b->data, a->size) == 0))
        return true;
    size_t size = unpadded(a);
    return size == unpadded(b) && memcmp(a->data, b->data, size) == 0;
}

/* File meta information may say what the original's should have said. */
static bool is_completion(const struct token *original, const struct token *token)
{
    return token->kind == TOKEN_VALUE && token->tag >> 16 == 0x0002 &&
           (original->kind == TOKEN_END || token->tag < original->tag);
}

/* Side by side until they differ. */
static void compare(struct tokens *a, struct tokens *b, char difference[DICOM_DIFFERENCE_SIZE])
{
    struct token one, other;
    uint32_t last[2] = {0}; /* the last tag of each: what closes has none */
    do {
        one = next_compared(a);
        other = next_compared(b);
        while (is_completion(&one, &other)) /* of file meta information */
            other = next_compared(b);
        last[0] = one.tag ? one.tag : last[0];
        last[1] = other.tag ? other.tag : last[1];
    } while (one.kind != TOKEN_END && one.kind != TOKEN_DAMAGED && same_token(&one, &other));
    const char *what = "differs";
    bool first = one.kind != TOKEN_END && (other.kind == TOKEN_END || last[0] <= last[1]);
    if (one.kind == TOKEN_END && other.kind == TOKEN_END)
        return;
    if (one.kind == TOKEN_DAMAGED || other.kind == TOKEN_DAMAGED)
        what = "cannot be compared, as elements are damaged";
    else if (last[0] != last[1])
        what = first ? "is not there any more" : "was not there";
    uint32_t tag = last[first ? 0 : 1];
    snprintf(difference, DICOM_DIFFERENCE_SIZE, "element (%04X,%04X) %s", tag >> 16, tag & 0xffff, what);
}

enum mist_status dicom_same(const struct dicom_bytes *a, const struct dicom_layout *a_layout,
                            const struct dicom_bytes *b, const struct dicom_layout *b_layout,
                            char difference[DICOM_DIFFERENCE_SIZE], struct mist_error *error)
{
    *difference = '\0';
    if (a_layout->big_endian != b_layout->big_endian)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "DICOM files of different byte orders are not compared");
    if (a_layout->has_meta != b_layout->has_meta)
        snprintf(difference, DICOM_DIFFERENCE_SIZE, "the file meta information is %s",
                 a_layout->has_meta ? "not there any more" : "new");
    if (!*difference && a_layout->has_meta) {
        struct tokens one = tokens_start(a, a_layout->meta, a_layout->dataset, true, false);
        struct tokens other = tokens_start(b, b_layout->meta, b_layout->dataset, true, false);
        compare(&one, &other, difference);
    }
    if (!*difference) {
        struct tokens one = tokens_start(a, a_layout->dataset, a->size, a_layout->explicit_vr, a_layout->big_endian);
        struct tokens other = tokens_start(b, b_layout->dataset, b->size, b_layout->explicit_vr, b_layout->big_endian);
        compare(&one, &other, difference);
    }
    return MIST_OK;
}
