/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading and writing integers in a stated byte order, and a reader that remembers whether it ran out of bytes. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t load_be16(const uint8_t *p)
{
    return (uint16_t)((p[0] << 8) | p[1]);
}
static inline uint32_t load_be32(const uint8_t *p)
{
    return ((uint32_t)load_be16(p) << 16) | load_be16(p + 2);
}
static inline uint64_t load_be64(const uint8_t *p)
{
    return ((uint64_t)load_be32(p) << 32) | load_be32(p + 4);
}
static inline uint16_t load_le16(const uint8_t *p)
{
    return (uint16_t)((p[1] << 8) | p[0]);
}
static inline uint32_t load_le32(const uint8_t *p)
{
    return ((uint32_t)load_le16(p + 2) << 16) | load_le16(p);
}
static inline uint64_t load_le64(const uint8_t *p)
{
    return ((uint64_t)load_le32(p + 4) << 32) | load_le32(p);
}
static inline void store_be16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}
static inline void store_be32(uint8_t *p, uint32_t v)
{
    store_be16(p, (uint16_t)(v >> 16));
    store_be16(p + 2, (uint16_t)v);
}
static inline void store_be64(uint8_t *p, uint64_t v)
{
    store_be32(p, (uint32_t)(v >> 32));
    store_be32(p + 4, (uint32_t)v);
}
static inline void store_le16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}
static inline void store_le32(uint8_t *p, uint32_t v)
{
    store_le16(p, (uint16_t)v);
    store_le16(p + 2, (uint16_t)(v >> 16));
}
static inline void store_le64(uint8_t *p, uint64_t v)
{
    store_le32(p, (uint32_t)v);
    store_le32(p + 4, (uint32_t)(v >> 32));
}

/* Reads fields one by one; after the end every read gives 0 and `failed` stays set, so one check a unit is enough. */
struct byte_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

static inline struct byte_reader byte_reader_start(const void *data, size_t size)
{
    /* Nothing may be nowhere: NULL + 0 is not defined in C. */
    return (struct byte_reader){(const uint8_t *)data, size ? (const uint8_t *)data + size : (const uint8_t *)data,
                                false};
}
static inline size_t reader_left(const struct byte_reader *reader)
{
    return (size_t)(reader->end - reader->at);
}
/* The next `size` bytes in place, or NULL. */
static inline const uint8_t *reader_take(struct byte_reader *reader, size_t size)
{
    if (reader->failed || reader_left(reader) < size) {
        reader->failed = true;
        return NULL;
    }
    const uint8_t *bytes = reader->at;
    reader->at += size;
    return bytes;
}
static inline uint8_t read_u8(struct byte_reader *reader)
{
    const uint8_t *p = reader_take(reader, 1);
    return p ? *p : 0;
}
static inline uint16_t read_be16(struct byte_reader *reader)
{
    const uint8_t *p = reader_take(reader, 2);
    return p ? load_be16(p) : 0;
}
static inline uint32_t read_be32(struct byte_reader *reader)
{
    const uint8_t *p = reader_take(reader, 4);
    return p ? load_be32(p) : 0;
}
static inline uint64_t read_be64(struct byte_reader *reader)
{
    const uint8_t *p = reader_take(reader, 8);
    return p ? load_be64(p) : 0;
}
static inline uint16_t read_le16(struct byte_reader *reader)
{
    const uint8_t *p = reader_take(reader, 2);
    return p ? load_le16(p) : 0;
}
static inline uint32_t read_le32(struct byte_reader *reader)
{
    const uint8_t *p = reader_take(reader, 4);
    return p ? load_le32(p) : 0;
}
static inline uint64_t read_le64(struct byte_reader *reader)
{
    const uint8_t *p = reader_take(reader, 8);
    return p ? load_le64(p) : 0;
}

/* LEB128 (7 bits a byte, low first). At most 10 bytes; an over-long or too large value sets failed. */
static inline uint64_t read_varint(struct byte_reader *reader)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        uint8_t byte = read_u8(reader);
        if (shift == 63 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return value;
    }
    reader->failed = true;
    return 0;
}
/* Writes 1..10 bytes, returns how many. */
static inline size_t store_varint(uint8_t *p, uint64_t value)
{
    size_t size = 0;
    while (value >= 0x80) {
        p[size++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    p[size++] = (uint8_t)value;
    return size;
}

#endif
