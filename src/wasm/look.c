/* SPDX-License-Identifier: BSD-2-Clause */
/* What an item's values mean, by its source's head: slope and intercept of each frame, units, and a window. */
#include "wasm/wasm.h"

#include "base/bytes.h"
#include "base/json.h"
#include "format/dicom_look.h"
#include "format/dicom_series.h"

#include <math.h>
#include <string.h>

enum { DICOM_FRAMES = 3 }; /* docs/format.md, section 8.2 */

static bool put_scaling(double slope, double intercept)
{
    return json_put(&wasm_text, ", \"slope\": [") && json_put_number(&wasm_text, slope) &&
           json_put(&wasm_text, "], \"intercept\": [") && json_put_number(&wasm_text, intercept) &&
           json_put(&wasm_text, "]");
}

/* ---- NIfTI-1 and -2: scl_slope, scl_inter ---- */

static double real_at(const uint8_t *header, size_t at, bool second, bool swapped)
{
    uint8_t bytes[8];
    size_t size = second ? 8 : 4;
    for (size_t i = 0; i < size; i++)
        bytes[i] = header[swapped ? at + size - 1 - i : at + i];
    float single;
    double real;
    memcpy(&single, bytes, sizeof single);
    memcpy(&real, bytes, sizeof real);
    return second ? real : single;
}

static bool put_nifti(const uint8_t *header, size_t size)
{
    uint32_t own = size >= 352 ? load_le32(header) : 0, other = __builtin_bswap32(own);
    bool swapped = other == 348 || other == 540, second = own == 540 || other == 540;
    if ((own != 348 && own != 540 && !swapped) || (second && size < 540))
        return true;
    double slope = real_at(header, second ? 176 : 112, second, swapped);
    double intercept = real_at(header, second ? 184 : 116, second, swapped);
    if (slope == 0 || !isfinite(slope) || !isfinite(intercept))
        return true;
    return put_scaling(slope, intercept);
}

/* ---- DICOM ---- */

static bool put_column(const struct dicom_series *series, uint32_t count, bool intercept)
{
    bool good = json_put(&wasm_text, intercept ? "], \"intercept\": [" : ", \"slope\": [");
    for (uint32_t i = 0; i < count && good; i++) {
        const struct dicom_frame_info *info = &series->infos[i];
        good = json_put(&wasm_text, i ? "," : "") &&
               json_put_number(&wasm_text, intercept ? info->intercept : info->slope);
    }
    return good && (!intercept || json_put(&wasm_text, "]"));
}

/* One number for all frames where they are alike. */
static bool put_frames(const struct dicom_series *series)
{
    bool rescaled = false, alike = true;
    const struct dicom_frame_info *first = &series->infos[0];
    for (uint32_t i = 0; i < series->count; i++) {
        rescaled = rescaled || series->infos[i].has_rescale;
        alike = alike && series->infos[i].slope == first->slope && series->infos[i].intercept == first->intercept;
    }
    uint32_t count = alike ? 1 : series->count;
    return !rescaled || (put_column(series, count, false) && put_column(series, count, true) &&
                         json_put(&wasm_text, ", \"units\": ") && json_put_string(&wasm_text, first->units));
}

static bool put_dicom(const mist_item *item, const uint8_t *head, size_t size)
{
    struct format_appearance look = {0};
    size_t packed;
    const uint8_t *frames = mist_item_part(item, DICOM_FRAMES, &packed);
    struct dicom_series series = {0};
    bool good = true;
    dicom_look_read(head, size, &look);
    if (look.width > 0)
        good = json_put(&wasm_text, ", \"window\": [") && json_put_number(&wasm_text, look.center) &&
               json_put(&wasm_text, ", ") && json_put_number(&wasm_text, look.width) && json_put(&wasm_text, "]");
    if (good && look.color == FORMAT_GREY_INVERTED)
        good = json_put(&wasm_text, ", \"white_is_zero\": true");
    if (good && frames &&
        dicom_series_load(frames, packed, item ? mist_item_info(item)->image.frames : 0, &series, NULL) == MIST_OK) {
        good = series.count == 0 || put_frames(&series);
        dicom_series_free(&series);
    }
    return good;
}

bool wasm_put_look(const mist_item *item)
{
    size_t size;
    const uint8_t *head = mist_item_part(item, 0, &size);
    const char *format = mist_item_info(item)->format;
    if (!head)
        return true;
    if (strcmp(format, "nifti") == 0)
        return put_nifti(head, size);
    return strcmp(format, "dicom") != 0 || put_dicom(item, head, size);
}
