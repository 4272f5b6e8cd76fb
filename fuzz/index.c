/* SPDX-License-Identifier: BSD-2-Clause */
/* The index function, and the header rewrite that makes reduced codestreams. First byte: levels to drop. */
#include "fuzz.h"

#include <stdlib.h>

/* A reduced codestream is one that the decoder takes; its components are the original's at that level. */
static void check_reduced(const struct mist_buffer *out, const uint8_t *data, size_t size,
                          const struct mist_codestream_info *full, unsigned reduce)
{
    struct mist_codestream_info info;
    struct mist_component_info component;
    struct mist_codestream_index index;
    fuzz_require(mist_codestream_info(out->data, out->size, &info, NULL) == MIST_OK);
    for (uint32_t c = 0; c < full->components && c < MIST_MAX_COMPONENTS; c++) {
        fuzz_require(mist_codestream_component(data, size, c, reduce, &component, NULL) == MIST_OK);
        fuzz_require(info.component[c].width == component.width && info.component[c].height == component.height);
    }
    fuzz_require(info.components == full->components && info.levels == full->levels - reduce);
    fuzz_require(mist_codestream_index(out->data, out->size, &index, NULL) == MIST_OK);
    fuzz_require(index.levels == info.levels);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned reduce = fuzz_take(&data, &size, 1) & 63;
    struct mist_codestream_info info;
    struct mist_codestream_index index;
    struct mist_buffer out = {0};
    bool known = mist_codestream_info(data, size, &info, NULL) == MIST_OK;
    if (mist_codestream_index(data, size, &index, NULL) == MIST_OK) {
        fuzz_require(known && index.levels == info.levels && index.complete <= index.levels);
        uint64_t before = index.header_end;
        for (unsigned level = 0; level < index.levels; level++) {
            uint64_t end = index.level_end[level]; /* 0: unknown, and so are the levels above it */
            fuzz_require(level < index.complete ? end && end <= size : end == 0 || before);
            fuzz_require(end == 0 || end >= before);
            before = end;
        }
    }
    if (mist_codestream_reduce(data, size, reduce, &out, NULL) == MIST_OK)
        check_reduced(&out, data, size, &info, reduce);
    mist_buffer_free(&out);
    return 0;
}
