/* SPDX-License-Identifier: BSD-2-Clause */
/* Characters: UTF-8, hexadecimal digits, and the percent coding of addresses (RFC 3986). */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Length (1 .. 4) of the UTF-8 sequence that text[0 .. left) starts with, or 0 if it starts with none: shortest form,
 * no surrogates, at most U+10FFFF (RFC 3629). `left` > 0.
 */
size_t utf8_length(const char *text, size_t left);

/*
 * Makes text[0 .. size) harmless to show to a person, in place, as long as it fits: control characters, characters that
 * change the direction of writing (by which a name can look like another one) and bytes that are no UTF-8 become
 * "\x1b" or "\u202e". What does not fit is cut. The text stays ended by a NUL.
 */
void text_make_visible(char *text, size_t size);

/* 0 .. 15, or -1 if `c` is no hexadecimal digit of either case. */
int hex_value(char c);

enum percent_result { PERCENT_GOOD, PERCENT_BROKEN, PERCENT_NUL };

/*
 * Decodes text[0 .. length) in place and puts a NUL behind the result; so text[length] must be writable. With
 * `plus_is_space`, as queries of forms have it, '+' becomes a space. PERCENT_BROKEN: a '%' that no two hexadecimal
 * digits follow; PERCENT_NUL: a NUL, plain or coded. The text is then partly decoded.
 */
enum percent_result percent_decode(char *text, size_t length, bool plus_is_space);

/*
 * Writes `path` percent-encoded, and a NUL: letters, digits, "-._~" and the '/' between the parts of a path stay as
 * they are. `out` has room for 3 * strlen(path) + 1 bytes. Returns the end of the text, where the NUL is.
 */
char *percent_encode_path(const char *path, char *out);

#ifdef __cplusplus
}
#endif
#endif
