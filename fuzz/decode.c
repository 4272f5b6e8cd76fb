/* SPDX-License-Identifier: BSD-2-Clause */
/* A codestream (or JPH file) from anywhere is decoded in full, strictly and with best effort. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mist_decode_options options = mist_decode_options_default();
    struct mist_view view, other;
    enum mist_status status, effort;
    int32_t *strict = fuzz_decode(data, size, &options, &view, NULL, &status);
    options.best_effort = true;
    int32_t *best = fuzz_decode(data, size, &options, &other, NULL, &effort);
    /* What decodes strictly is not cut, so best effort has nothing to add. */
    if (strict) {
        fuzz_require(best && other.width == view.width && other.height == view.height);
        fuzz_require(!memcmp(strict, best, (size_t)view.width * view.height * view.components * sizeof *strict));
    }
    free(strict);
    free(best);
    return 0;
}
