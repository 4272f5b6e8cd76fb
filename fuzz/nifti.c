/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NIfTI and ANALYZE headers and files, and what NIfTI files are made from: descriptions of DICOM frames, DICOM
 * attributes. The first byte says what the rest is: bit 0: a description; bit 4: a DICOM file; else NIfTI: bits 1-2:
 * which axis is made smaller; bit 3: a pair. Whatever is read is read whole, if it is small.
 */
#include "fuzz.h"

#include "base/memory.h"
#include "format/dicom_series.h"
#include "format/format.h"
#include "format/nifti_header.h"

#include <stdlib.h>
#include <string.h>

static void read_description(const uint8_t *data, size_t size)
{
    uint32_t count = 1 + (uint32_t)fuzz_take(&data, &size, 1);
    struct mist_error error = {0};
    struct dicom_series series;
    if (dicom_series_load(data, size, count, &series, &error)) {
        fuzz_require(error.message[0]);
        return;
    }
    struct dicom_volume_plans plans;
    if (dicom_volume_plan(series.frames, series.count, &series.options, &plans, &error) == MIST_OK) {
        uint64_t planned = 0;
        for (uint32_t i = 0; i < plans.count; i++) {
            const struct dicom_volume_plan *plan = &plans.plan[i];
            planned += (uint64_t)plan->slices * plan->volumes;
            for (size_t n = 0; n < (size_t)plan->slices * plan->volumes; n++)
                fuzz_require(plan->frame[n] < series.count);
            struct mist_buffer sidecar = {0};
            fuzz_require(dicom_sidecar_finish(series.sidecar.data, series.sidecar.size, plan,
                                              series.frames[plan->frame[0]].info, &sidecar, &error) == MIST_OK);
            mist_buffer_free(&sidecar);
        }
        fuzz_require(planned <= series.count);
    }
    dicom_volume_plans_free(&plans);
    dicom_series_free(&series);
}

static void read_attributes(const uint8_t *data, size_t size)
{
    struct dicom_layout layout;
    struct dicom_attributes attributes;
    struct mist_buffer sidecar = {0};
    if (dicom_layout_read(data, size, &layout, NULL) || layout.deflated)
        return;
    dicom_attributes_read(data, &layout, &attributes);
    fuzz_require(attributes.mosaic_tiles <= 1024);
    fuzz_require(dicom_sidecar(data, &layout, 1.5, "HU", &sidecar, NULL) == MIST_OK && sidecar.size > 4);
    mist_buffer_free(&sidecar);
}

static void read_frames(struct format_source *source)
{
    const struct mist_image_info *info = &source->info;
    size_t bytes = mist_frame_bytes(info->type, info->width, info->height, info->components);
    fuzz_require(bytes && info->slices && info->frames % info->slices == 0);
    if (bytes > FUZZ_MAX_SAMPLES || info->frames > 64)
        return;
    struct mist_view view =
        mist_view_interleaved(malloc(bytes), info->type, info->width, info->height, info->components);
    for (uint32_t i = 0; i < info->frames; i++)
        fuzz_require(source->ops->read_frame(source, i, &view, NULL) == MIST_OK);
    free(view.data);
}

/* A changed header is one that is read again as it was changed. */
static void resize(const uint8_t *data, size_t size, unsigned how)
{
    struct nifti_header header, again;
    struct mist_image_info info;
    if (nifti_header_read(data, size, &header, NULL) || nifti_header_info(&header, &info, NULL))
        return;
    struct mist_buffer copy = {0};
    fuzz_require(buffer_append(&copy, data, size));
    unsigned axis = header.axes[how % 3];
    if (header.dim[axis + 1] >= 2) {
        nifti_header_resize(&header, axis, (uint32_t)header.dim[axis + 1] / 2, 2, 0.5);
        nifti_header_store_geometry(&header, copy.data);
        fuzz_require(nifti_header_read(copy.data, copy.size, &again, NULL) == MIST_OK);
        fuzz_require(again.dim[axis + 1] == header.dim[axis + 1]);
    }
    if (header.pair && nifti_header_join(&header, &copy))
        fuzz_require(nifti_header_read(copy.data, copy.size, &again, NULL) == MIST_OK && !again.pair);
    mist_buffer_free(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned how = (unsigned)fuzz_take(&data, &size, 1);
    if (how & 1) {
        read_description(data, size);
        return 0;
    }
    if (how & 16) {
        read_attributes(data, size);
        return 0;
    }
    resize(data, size, how >> 1 & 3);
    struct mist_error error = {0};
    struct format_source *source;
    /* As a pair, the header is what comes first and the samples are what is behind it. */
    size_t split = size < 352 ? size : 352;
    const struct format_input inputs[2] = {
        format_input_memory("fuzzed", data, how & 8 ? split : size),
        format_input_memory("samples", data + split, size - split),
    };
    if (format_open(FORMAT_NIFTI, inputs, how & 8 ? 2 : 1, &source, &error)) {
        fuzz_require(!source && error.message[0]);
        return 0;
    }
    read_frames(source);
    format_close(&source);
    return 0;
}
