/* SPDX-License-Identifier: BSD-2-Clause */
/* JPH boxes: the codestream that is found lies inside the file, and means the same without the boxes. */
#include "fuzz.h"

#include "codec/jph.h"

#include <string.h>

static void check_same(const uint8_t *data, size_t size, const struct codestream_span *inner)
{
    struct mist_codestream_info outside, inside;
    struct mist_codestream_index outside_index, inside_index;
    memset(&outside, 0, sizeof outside);
    memset(&inside, 0, sizeof inside);
    enum mist_status status = mist_codestream_info(data, size, &outside, NULL);
    fuzz_require(mist_codestream_info(inner->data, inner->size, &inside, NULL) == status);
    fuzz_require(status || !memcmp(&outside, &inside, sizeof outside));
    status = mist_codestream_index(data, size, &outside_index, NULL);
    fuzz_require(mist_codestream_index(inner->data, inner->size, &inside_index, NULL) == status);
    if (status)
        return;
    uint64_t before = (uint64_t)(inner->data - data);
    fuzz_require(outside_index.levels == inside_index.levels && outside_index.complete == inside_index.complete);
    for (unsigned level = 0; level < inside_index.levels; level++)
        fuzz_require(!inside_index.level_end[level] ||
                     outside_index.level_end[level] == inside_index.level_end[level] + before);
}

/* What is put into a JPH file is found in it again. */
static void check_wrap(const struct codestream_span *inner)
{
    struct mist_buffer out = {0};
    struct codestream_span found = {0};
    if (mist_jph_wrap(inner->data, inner->size, &out, NULL) == MIST_OK) {
        fuzz_require(jph_find_codestream(out.data, out.size, &found, NULL) == MIST_OK);
        fuzz_require(found.size == inner->size && !memcmp(found.data, inner->data, inner->size));
    }
    mist_buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct codestream_span inner = {0};
    if (jph_find_codestream(data, size, &inner, NULL) != MIST_OK)
        return 0;
    fuzz_require(inner.data >= data && inner.data <= data + size);
    fuzz_require(inner.size <= (size_t)(data + size - inner.data));
    /* What begins like a box file again would be opened once more: not what is compared here. */
    if (inner.size >= 2 && inner.data[0] == 0xff && inner.data[1] == 0x4f) {
        check_same(data, size, &inner);
        check_wrap(&inner);
    }
    return 0;
}
