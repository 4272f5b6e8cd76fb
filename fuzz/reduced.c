/* SPDX-License-Identifier: BSD-2-Clause */
/* Reduced decoding. First byte: levels to drop (low 6 bits), best effort (bit 6), one component only (bit 7). */
#include "fuzz.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t choice = (uint8_t)fuzz_take(&data, &size, 1);
    struct mist_decode_options options = mist_decode_options_default();
    struct mist_decode_report report = {0};
    struct mist_view view;
    enum mist_status status;
    options.reduce = choice & 63;
    options.best_effort = choice & 64;
    options.component = choice & 128 ? 1 : -1;
    int32_t *samples = fuzz_decode(data, size, &options, &view, &report, &status);
    fuzz_require(!samples || report.levels_used <= MIST_MAX_LEVELS);
    free(samples);
    return 0;
}
