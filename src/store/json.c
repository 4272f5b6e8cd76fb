/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/json.h"

#include "base/memory.h"

#include <ctype.h>
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

/* Where unescaped bytes go: a growing buffer, or a fixed text whose overflow is remembered, or nowhere. */
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
    } else if (sink->length + 1 < sink->capacity) {
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
        char c = reader->at < reader->end ? *reader->at : 'x';
        if (!isxdigit((unsigned char)c)) {
            reader->failed = true;
            return 0;
        }
        value = value * 16 + (unsigned)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
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
        char c = *reader->at++;
        if (c == '"')
            return;
        if (c == '\\')
            take_escape(reader, sink);
        else
            put_byte(sink, reader, c);
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

bool json_element(struct json_reader *reader)
{
    return !reader->failed && next_in_run(reader, '[', ']');
}

/* ---- numbers and the rest ---- */

uint64_t json_unsigned(struct json_reader *reader, uint64_t maximum)
{
    uint64_t value = 0;
    skip_space(reader);
    const char *start = reader->at;
    while (!reader->failed && reader->at < reader->end && isdigit((unsigned char)*reader->at)) {
        unsigned digit = (unsigned)(*reader->at++ - '0');
        if (value > (UINT64_MAX - digit) / 10)
            reader->failed = true;
        value = value * 10 + digit;
    }
    bool fraction = reader->at < reader->end && strchr(".eE", *reader->at) && *reader->at;
    if (reader->at == start || fraction || value > maximum || (*start == '0' && reader->at - start > 1))
        reader->failed = true;
    return reader->failed ? 0 : value;
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
    char *end = text;
    double value = length && (isdigit((unsigned char)text[0]) || text[0] == '-') ? strtod(text, &end) : 0;
    if (end == text || *end || !isfinite(value))
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
    char text[256];
    va_list list;
    va_start(list, format);
    int length = vsnprintf(text, sizeof text, format, list);
    va_end(list);
    return length >= 0 && (size_t)length < sizeof text && buffer_append(out, text, (size_t)length);
}

bool json_put_string(struct mist_buffer *out, const char *text)
{
    bool good = buffer_append(out, "\"", 1);
    for (const char *p = text; *p && good; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '"' || c == '\\')
            good = json_put(out, "\\%c", c);
        else if (c < 0x20)
            good = json_put(out, "\\u%04x", c);
        else
            good = buffer_append(out, p, 1);
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
    for (char *p = text; *p; p++) /* the decimal point of the locale */
        if (*p == ',')
            *p = '.';
    return buffer_append(out, text, strlen(text));
}
