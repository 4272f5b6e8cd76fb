/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/memory.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/mman.h>
#endif

/* Counts down to the allocation that a test wants to fail; 0 in normal use. */
static atomic_ullong failure_countdown;

void memory_fail_at(uint64_t nth)
{
    atomic_store(&failure_countdown, nth);
}

static bool must_fail(void)
{
    if (atomic_load_explicit(&failure_countdown, memory_order_relaxed) == 0)
        return false;
    return atomic_fetch_sub(&failure_countdown, 1) == 1;
}

void *memory_allocate(size_t size)
{
    return must_fail() ? NULL : malloc(size ? size : 1);
}

void *memory_allocate_array(size_t count, size_t size)
{
    size_t bytes;
    return size_multiply(count, size, &bytes) ? memory_allocate(bytes) : NULL;
}

void *memory_allocate_zeroed(size_t count, size_t size)
{
    if (must_fail())
        return NULL;
    return count && size ? calloc(count, size) : calloc(1, 1);
}

void *memory_resize(void *block, size_t count, size_t size)
{
    size_t bytes;
    if (!size_multiply(count, size, &bytes) || must_fail())
        return NULL;
    return realloc(block, bytes ? bytes : 1);
}

void *memory_allocate_aligned(size_t size)
{
    size_t rounded;
    if (!size_add(size ? size : 1, 63, &rounded) || must_fail())
        return NULL;
    return aligned_alloc(64, rounded & ~(size_t)63);
}

void memory_prefer_large_pages(void *block, size_t size)
{
#ifdef MADV_HUGEPAGE
    enum { PAGE = 1 << 12 };
    uintptr_t begin = ((uintptr_t)block + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
    uintptr_t end = ((uintptr_t)block + size) & ~(uintptr_t)(PAGE - 1);
    if (begin < end)
        (void)madvise((void *)begin, end - begin, MADV_HUGEPAGE);
#else
    (void)block, (void)size;
#endif
}

char *memory_copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = memory_allocate(size);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}

void memory_free(void *block)
{
    free(block);
}

bool buffer_reserve(struct mist_buffer *buffer, size_t capacity)
{
    if (capacity <= buffer->capacity)
        return true;
    size_t grown = buffer->capacity + buffer->capacity / 2;
    if (grown < capacity)
        grown = capacity;
    uint8_t *data = memory_resize(buffer->data, grown, 1);
    if (!data)
        return false;
    buffer->data = data;
    buffer->capacity = grown;
    return true;
}

bool buffer_append(struct mist_buffer *buffer, const void *bytes, size_t size)
{
    size_t total;
    if (!size_add(buffer->size, size, &total) || !buffer_reserve(buffer, total))
        return false;
    if (size)
        memcpy(buffer->data + buffer->size, bytes, size);
    buffer->size = total;
    return true;
}

bool buffer_append_zeros(struct mist_buffer *buffer, size_t size)
{
    size_t total;
    if (!size_add(buffer->size, size, &total) || !buffer_reserve(buffer, total))
        return false;
    if (size)
        memset(buffer->data + buffer->size, 0, size);
    buffer->size = total;
    return true;
}

bool buffer_print_list(struct mist_buffer *buffer, const char *format, va_list list)
{
    va_list again;
    size_t total;
    va_copy(again, list);
    int length = vsnprintf(NULL, 0, format, list);
    bool good = length >= 0 && size_add(buffer->size, (size_t)length + 1, &total) && buffer_reserve(buffer, total);
    if (good) {
        vsnprintf((char *)buffer->data + buffer->size, (size_t)length + 1, format, again);
        buffer->size += (size_t)length;
    }
    va_end(again);
    return good;
}

bool buffer_print(struct mist_buffer *buffer, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    bool good = buffer_print_list(buffer, format, list);
    va_end(list);
    return good;
}

void mist_buffer_free(struct mist_buffer *buffer)
{
    if (buffer) {
        memory_free(buffer->data);
        *buffer = (struct mist_buffer){0};
    }
}

/* What the control group (version 2, then 1) of this process may use; UINT64_MAX where it is in none or is not told. */
static uint64_t memory_of_group(void)
{
    static const char *const paths[] = {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"};
    unsigned long long limit = UINT64_MAX;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        FILE *stream = fopen(paths[i], "re");
        if (!stream)
            continue;
        if (fscanf(stream, "%llu", &limit) != 1) /* "max" */
            limit = UINT64_MAX;
        fclose(stream);
        break;
    }
    return limit;
}

uint64_t memory_of_machine(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    uint64_t machine = pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : UINT64_MAX;
    uint64_t group = memory_of_group();
    return group < machine ? group : machine;
}
