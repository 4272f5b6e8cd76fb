/* SPDX-License-Identifier: BSD-2-Clause */
/* What both modules have: memory for JavaScript, and the sentence of the last failure. */
#include "wasm/wasm.h"

#include "base/error.h"
#include "base/memory.h"

struct mist_error wasm_error;

enum mist_status wasm_no_memory(void)
{
    return error_set(&wasm_error, MIST_ERROR_MEMORY, "the memory of this page is full");
}

WASM_EXPORT(allocate) void *wasm_allocate(size_t size)
{
    return memory_allocate_aligned(size);
}
WASM_EXPORT(release) void wasm_release(void *block)
{
    memory_free(block);
}
WASM_EXPORT(message) const char *wasm_message(void)
{
    return wasm_error.message;
}
