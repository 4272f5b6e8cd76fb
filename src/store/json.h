/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading JSON (RFC 8259) value by value, without building a tree: catalogs come from the network, and a tree would
 * take some hundred bytes for each two of a hostile line. Nothing is allocated but the text of strings that are wanted.
 */
#ifndef STORE_JSON_H
#define STORE_JSON_H

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
 * next key (cut off if it is longer, so that it equals no known one) until the closing brace. Arrays:
 * json_enter_array(), then `while (json_element(r)) ...read one value...`.
 */
bool json_enter_object(struct json_reader *reader);
bool json_key(struct json_reader *reader, char *key, size_t capacity);
bool json_enter_array(struct json_reader *reader);
bool json_element(struct json_reader *reader);

/* Appends a string, unescaped, and a NUL to `out` and gives where it starts in `out` and its length. */
bool json_text(struct json_reader *reader, struct mist_buffer *out, size_t *offset, size_t *length);
/* A string of at most capacity - 1 bytes. */
bool json_short_string(struct json_reader *reader, char *text, size_t capacity);
/* A whole number of at most `maximum`: digits only. */
uint64_t json_unsigned(struct json_reader *reader, uint64_t maximum);
double json_number(struct json_reader *reader);
bool json_boolean(struct json_reader *reader);
/* A string of 16 hexadecimal digits. */
uint64_t json_hexadecimal(struct json_reader *reader);
/* Any value, nested at most 16 deep. */
void json_skip(struct json_reader *reader);
/* Nothing but white space is left. */
bool json_finished(struct json_reader *reader);

/* ---- writing: false when memory is short ---- */

bool json_put(struct mist_buffer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool json_put_string(struct mist_buffer *out, const char *text); /* with quotes and escapes */
bool json_put_number(struct mist_buffer *out, double value);     /* shortest digits that read back the same */

#endif
