/* SPDX-License-Identifier: BSD-2-Clause */
/* j2k.wasm: frames that are JPEG 2000 Part 1, by OpenJPEG. A module of its own, which pages load when they meet one. */
#include "wasm/wasm.h"

#include "codec/part1.h"

/* part1_decode() into whole pixels of `type`, row by row. */
WASM_EXPORT(decode)
enum mist_status j2k_decode(const uint8_t *data, size_t size, unsigned reduce, unsigned type, uint32_t width,
                            uint32_t height, uint32_t components, uint8_t *out)
{
    struct mist_view view = mist_view_interleaved(out, (enum mist_sample_type)type, width, height, components);
    return part1_decode(data, size, reduce, &view, &wasm_error);
}
