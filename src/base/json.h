/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading JSON (RFC 8259) value by value, without building a tree, since catalogs come from the network and a tree
 * takes some hundred bytes for each two of a hostile line; and writing it. Strict: text is UTF-8, numbers are as the
 * RFC has them, nothing follows the last comma. Nothing is allocated but the text of strings that are wanted.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <mist/buffer.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sticky: after the first thing that is not as asked for, `failed` stays set and every read gives 0 or false. */
struct json_reader {
    const char *at;
    const char *end;
    bool failed;
};

static inline struct json_reader json_start(const char *text, size_t size)
{
    return (struct json_reader){text, text + size, false};
}

/*
 * Objects: `if (json_enter_object(r)) while (json_key(r, key, sizeof key)) ...read one value...`. json_key() gives the
 * next key until the closing brace; one that is too long or has a NUL in it is given as "". Arrays:
 * json_enter_array(), then `while (json_element(r)) ...read one value...`.
 */
bool json_enter_object(struct json_reader *reader);
bool json_key(struct json_reader *reader, char *key, size_t capacity);
bool json_enter_array(struct json_reader *reader);
bool json_element(struct json_reader *reader);

/* The next key of an object, of any length, as json_text() gives texts. */
bool json_key_text(struct json_reader *reader, struct mist_buffer *out, size_t *offset, size_t *length);
/* Appends a string, unescaped, and a NUL to `out` and gives where it starts in `out` and its length. */
bool json_text(struct json_reader *reader, struct mist_buffer *out, size_t *offset, size_t *length);
/* A string of at most capacity - 1 bytes without a NUL. */
bool json_short_string(struct json_reader *reader, char *text, size_t capacity);
/* A whole number of at most `maximum`: digits only. */
uint64_t json_unsigned(struct json_reader *reader, uint64_t maximum);
/* A whole number of lowest .. highest, with a '-' perhaps. */
int64_t json_signed(struct json_reader *reader, int64_t lowest, int64_t highest);
/* Finite; at most 39 characters. */
double json_number(struct json_reader *reader);
bool json_boolean(struct json_reader *reader);
/* A string of 16 hexadecimal digits. */
uint64_t json_hexadecimal(struct json_reader *reader);
/* Any value, nested at most 16 deep. */
void json_skip(struct json_reader *reader);
/* Nothing but white space is left. */
bool json_finished(struct json_reader *reader);

/* ---- writing: false when memory is short ---- */

/* Braces, commas, keys and whole numbers: the caller's format is taken as it is. */
bool json_put(struct mist_buffer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* With quotes and escapes. */
static inline bool json_put_string(struct mist_buffer *out, const char *text)
{
    return mist_buffer_put_json_string(out, text);
}
/* The shortest digits that read back the same; 0 for infinities and NaNs, which JSON does not have. */
bool json_put_number(struct mist_buffer *out, double value);

#endif
