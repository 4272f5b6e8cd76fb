/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/json.h"

#include "base/memory.h"
#include "base/text.h"

#include <ctype.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 16 };

static void skip_space(struct json_reader *reader)
{
    while (reader->at < reader->end && strchr(" \t\r\n", *reader->at) && *reader->at)
        reader->at++;
}

/* Takes `c` if it is next. */
static bool take(struct json_reader *reader, char c)
{
    skip_space(reader);
    if (reader->failed || reader->at == reader->end || *reader->at != c)
        return false;
    reader->at++;
    return true;
}

static bool expect(struct json_reader *reader, char c)
{
    if (!take(reader, c))
        reader->failed = true;
    return !reader->failed;
}

static bool take_word(struct json_reader *reader, const char *word)
{
    size_t length = strlen(word);
    skip_space(reader);
    if (reader->failed || (size_t)(reader->end - reader->at) < length || memcmp(reader->at, word, length) != 0)
        return false;
    reader->at += length;
    return true;
}

/* The next of a comma-separated run that `close` ends. Right behind the opening bracket there is no comma. */
static bool next_in_run(struct json_reader *reader, char open, char close)
{
    bool first = reader->at[-1] == open; /* no value ends in an opening bracket */
    if (take(reader, close))
        return false;
    return first ? !reader->failed : expect(reader, ',');
}

bool json_enter_object(struct json_reader *reader)
{
    return expect(reader, '{');
}

bool json_enter_array(struct json_reader *reader)
{
    return expect(reader, '[');
}

/* ---- strings ---- */

/* Where unescaped bytes go: a growing buffer, or a fixed text. What does not fit there, and a NUL, is an overflow. */
struct sink {
    struct mist_buffer *buffer;
    char *text;
    size_t capacity;
    size_t length;
    bool overflow;
};

static void put_byte(struct sink *sink, struct json_reader *reader, char byte)
{
    if (sink->buffer) {
        if (!buffer_append(sink->buffer, &byte, 1))
            reader->failed = true;
    } else if (byte && sink->length + 1 < sink->capacity) {
        sink->text[sink->length] = byte;
    } else {
        sink->overflow = true;
    }
    sink->length++;
}

static unsigned take_hex4(struct json_reader *reader)
{
    unsigned value = 0;
    for (int i = 0; i < 4; i++) {
        int digit = reader->at < reader->end ? hex_value(*reader->at) : -1;
        if (digit < 0) {
            reader->failed = true;
            return 0;
        }
        value = value * 16 + (unsigned)digit;
        reader->at++;
    }
    return value;
}

static void put_code(struct sink *sink, struct json_reader *reader, unsigned code)
{
    if (code < 0x80) {
        put_byte(sink, reader, (char)code);
    } else if (code < 0x800) {
        put_byte(sink, reader, (char)(0xc0 | code >> 6));
        put_byte(sink, reader, (char)(0x80 | (code & 0x3f)));
    } else {
        if (code < 0x10000) {
            put_byte(sink, reader, (char)(0xe0 | code >> 12));
        } else {
            put_byte(sink, reader, (char)(0xf0 | code >> 18));
            put_byte(sink, reader, (char)(0x80 | (code >> 12 & 0x3f)));
        }
        put_byte(sink, reader, (char)(0x80 | (code >> 6 & 0x3f)));
        put_byte(sink, reader, (char)(0x80 | (code & 0x3f)));
    }
}

/* What follows a backslash. */
static void take_escape(struct json_reader *reader, struct sink *sink)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    char c = reader->at < reader->end ? *reader->at++ : '\0';
    const char *found = c ? strchr(names, c) : NULL;
    if (found) {
        put_byte(sink, reader, values[found - names]);
    } else if (c == 'u') {
        unsigned code = take_hex4(reader);
        if (code >= 0xd800 && code < 0xdc00) { /* the first half of a pair; the second must follow */
            bool pair = reader->end - reader->at >= 2 && reader->at[0] == '\\' && reader->at[1] == 'u';
            reader->at += pair ? 2 : 0;
            unsigned low = pair ? take_hex4(reader) : 0;
            if (low < 0xdc00 || low >= 0xe000)
                reader->failed = true;
            code = 0x10000 + ((code & 0x3ff) << 10) + (low & 0x3ff);
        } else if (code >= 0xdc00 && code < 0xe000) {
            reader->failed = true;
        }
        put_code(sink, reader, code);
    } else {
        reader->failed = true;
    }
}

static void take_string(struct json_reader *reader, struct sink *sink)
{
    if (!expect(reader, '"'))
        return;
    while (!reader->failed) {
        if (reader->at == reader->end || (unsigned char)*reader->at < 0x20) {
            reader->failed = true;
            return;
        }
        size_t step = utf8_length(reader->at, (size_t)(reader->end - reader->at));
        char c = *reader->at;
        if (step == 0) {
            reader->failed = true;
        } else if (c == '"' || c == '\\') {
            reader->at++;
            if (c == '"')
                return;
            take_escape(reader, sink);
        } else {
            for (; step > 0; step--)
                put_byte(sink, reader, *reader->at++);
        }
    }
}

bool json_text(struct json_reader *reader, struct mist_buffer *out, size_t *offset, size_t *length)
{
    struct sink sink = {.buffer = out};
    *offset = out->size;
    take_string(reader, &sink);
    *length = sink.length;
    if (!buffer_append_zeros(out, 1))
        reader->failed = true;
    return !reader->failed;
}

static bool take_fixed(struct json_reader *reader, char *text, size_t capacity, bool *overflow)
{
    struct sink sink = {.text = text, .capacity = capacity};
    take_string(reader, &sink);
    text[sink.length < capacity ? sink.length : capacity - 1] = '\0';
    *overflow = sink.overflow;
    return !reader->failed;
}

bool json_short_string(struct json_reader *reader, char *text, size_t capacity)
{
    bool overflow;
    if (!take_fixed(reader, text, capacity, &overflow) || overflow)
        reader->failed = true;
    return !reader->failed;
}

bool json_key(struct json_reader *reader, char *key, size_t capacity)
{
    bool overflow;
    if (reader->failed || !next_in_run(reader, '{', '}') || !take_fixed(reader, key, capacity, &overflow))
        return false;
    if (overflow)
        key[0] = '\0';
    return expect(reader, ':');
}

bool json_key_text(struct json_reader *reader, struct mist_buffer *out, size_t *offset, size_t *length)
{
    return !reader->failed && next_in_run(reader, '{', '}') && json_text(reader, out, offset, length) &&
           expect(reader, ':');
}

bool json_element(struct json_reader *reader)
{
    return !reader->failed && next_in_run(reader, '[', ']');
}

/* ---- numbers and the rest ---- */

/* The digits of a whole number, which may start with a '-' if `sign` is given. */
static uint64_t take_digits(struct json_reader *reader, bool *sign)
{
    uint64_t value = 0;
    skip_space(reader);
    if (sign)
        *sign = take(reader, '-');
    const char *start = reader->at;
    while (!reader->failed && reader->at < reader->end && isdigit((unsigned char)*reader->at)) {
        unsigned digit = (unsigned)(*reader->at++ - '0');
        if (value > (UINT64_MAX - digit) / 10)
            reader->failed = true;
        value = value * 10 + digit;
    }
    bool fraction = reader->at < reader->end && *reader->at && strchr(".eE", *reader->at);
    if (reader->at == start || fraction || (*start == '0' && reader->at - start > 1))
        reader->failed = true;
    return value;
}

uint64_t json_unsigned(struct json_reader *reader, uint64_t maximum)
{
    uint64_t value = take_digits(reader, NULL);
    if (value > maximum)
        reader->failed = true;
    return reader->failed ? 0 : value;
}

int64_t json_signed(struct json_reader *reader, int64_t lowest, int64_t highest)
{
    bool minus;
    uint64_t size = take_digits(reader, &minus);
    if (size > (uint64_t)INT64_MAX + minus)
        reader->failed = true;
    int64_t value = minus ? (int64_t)(0 - size) : (int64_t)size;
    if (value < lowest || value > highest)
        reader->failed = true;
    return reader->failed ? 0 : value;
}

/* Whether text is a number as RFC 8259, section 6 has it; strtod() takes more. */
static bool is_number(const char *text)
{
    text += *text == '-';
    size_t whole = strspn(text, "0123456789");
    if (whole == 0 || (whole > 1 && *text == '0'))
        return false;
    text += whole;
    if (*text == '.') {
        size_t digits = strspn(++text, "0123456789");
        if (digits == 0)
            return false;
        text += digits;
    }
    if (*text == 'e' || *text == 'E') {
        text++;
        text += *text == '+' || *text == '-';
        if (!isdigit((unsigned char)*text))
            return false;
        text += strspn(text, "0123456789");
    }
    return *text == '\0';
}

/* The decimal point of the locale, which the embedding program may have set; one byte in all that matter. */
static char decimal_point(void)
{
    return *localeconv()->decimal_point;
}

double json_number(struct json_reader *reader)
{
    char text[40];
    size_t length = 0;
    skip_space(reader);
    while (reader->at < reader->end && length + 1 < sizeof text && *reader->at &&
           strchr("+-.0123456789eE", *reader->at))
        text[length++] = *reader->at++;
    text[length] = '\0';
    if (!is_number(text))
        reader->failed = true;
    char *point = strchr(text, '.');
    if (point)
        *point = decimal_point();
    double value = reader->failed ? 0 : strtod(text, NULL);
    if (!isfinite(value))
        reader->failed = true;
    return reader->failed ? 0 : value;
}

bool json_boolean(struct json_reader *reader)
{
    if (take_word(reader, "true"))
        return true;
    if (!take_word(reader, "false"))
        reader->failed = true;
    return false;
}

uint64_t json_hexadecimal(struct json_reader *reader)
{
    char text[17];
    if (!json_short_string(reader, text, sizeof text) || strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16) {
        reader->failed = true;
        return 0;
    }
    return strtoull(text, NULL, 16);
}

static void skip_value(struct json_reader *reader, int depth)
{
    char key[2];
    bool overflow;
    skip_space(reader);
    if (depth > MAX_DEPTH || reader->at == reader->end) {
        reader->failed = true;
        return;
    }
    switch (*reader->at) {
    case '{':
        json_enter_object(reader);
        while (json_key(reader, key, sizeof key))
            skip_value(reader, depth + 1);
        break;
    case '[':
        json_enter_array(reader);
        while (json_element(reader))
            skip_value(reader, depth + 1);
        break;
    case '"':
        take_fixed(reader, key, sizeof key, &overflow);
        break;
    default:
        if (!take_word(reader, "true") && !take_word(reader, "false") && !take_word(reader, "null"))
            json_number(reader);
    }
}

void json_skip(struct json_reader *reader)
{
    if (!reader->failed)
        skip_value(reader, 0);
}

bool json_finished(struct json_reader *reader)
{
    skip_space(reader);
    return !reader->failed && reader->at == reader->end;
}

/* ---- writing ---- */

bool json_put(struct mist_buffer *out, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    bool good = buffer_print_list(out, format, list);
    va_end(list);
    return good;
}

bool mist_buffer_put_json_string(struct mist_buffer *out, const char *text)
{
    size_t left = strlen(text);
    bool good = buffer_append(out, "\"", 1);
    while (left > 0 && good) {
        unsigned char c = (unsigned char)*text;
        size_t step = utf8_length(text, left);
        if (step == 0)
            good = json_put(out, "\\ufffd");
        else if (c == '"' || c == '\\')
            good = json_put(out, "\\%c", c);
        else if (c < 0x20)
            good = json_put(out, "\\u%04x", c);
        else
            good = buffer_append(out, text, step);
        step += step == 0;
        text += step;
        left -= step;
    }
    return good && buffer_append(out, "\"", 1);
}

bool json_put_number(struct mist_buffer *out, double value)
{
    char text[40] = "0";
    for (int digits = 1; digits <= 17 && isfinite(value); digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    char *point = strchr(text, decimal_point());
    if (point)
        *point = '.';
    return buffer_append(out, text, strlen(text));
}
