/* SPDX-License-Identifier: BSD-2-Clause */
/* Allocation with checked sizes, and a hook through which tests make the n-th allocation fail. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <mist/buffer.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All return NULL when memory is short or count * size overflows. A size of 0 gives a valid pointer. */
void *memory_allocate(size_t size);
void *memory_allocate_array(size_t count, size_t size);
void *memory_allocate_zeroed(size_t count, size_t size);
/* On failure the old block stays valid. */
void *memory_resize(void *block, size_t count, size_t size);
/* Aligned to 64 bytes (a cache line and the widest vector); freed with memory_free() like every other block. */
void *memory_allocate_aligned(size_t size);
/* Of a block that is used again and again: asks for pages of 2 MiB, where the system has them. Only ever a hint. */
void memory_prefer_large_pages(void *block, size_t size);
char *memory_copy_text(const char *text);
void memory_free(void *block);

/* Bytes that this process may use at most: the machine's memory, or what its container is allowed. */
uint64_t memory_of_machine(void);

/* For tests: the n-th allocation from now on fails (1: the next one); 0 switches this off. Process-wide. */
void memory_fail_at(uint64_t nth);

/* *product = a * b; false if that overflows. */
static inline bool size_multiply(size_t a, size_t b, size_t *product)
{
    return !__builtin_mul_overflow(a, b, product);
}
static inline bool size_add(size_t a, size_t b, size_t *sum)
{
    return !__builtin_add_overflow(a, b, sum);
}

/* ---- struct mist_buffer: false when memory is short; the content stays then ---- */

bool buffer_reserve(struct mist_buffer *buffer, size_t capacity); /* at least this capacity, growing geometrically */
bool buffer_append(struct mist_buffer *buffer, const void *bytes, size_t size);
bool buffer_append_zeros(struct mist_buffer *buffer, size_t size);
/* Text as printf() makes it, of any length; without a NUL in size. */
bool buffer_print(struct mist_buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool buffer_print_list(struct mist_buffer *buffer, const char *format, va_list list)
    __attribute__((format(printf, 2, 0)));

#ifdef __cplusplus
}
#endif
#endif
