/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files of every format but DICOM in memory: detection, looking, opening, all frames, the archive, how they are meant
 * to look. Raw archives must give the file back to the byte.
 */
#include "fuzz.h"

#include "format/ops.h"
#include "format/picture_kinds.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_FRAMES = 16 };

static void restore(struct format_source *source, const uint8_t *data, size_t size, struct mist_view *view)
{
    struct format_archive archive;
    struct format_restorer *restorer = NULL;
    struct mist_buffer file = {0}, part = {0};
    if (source->ops->read_archive(source, 0, &archive, NULL))
        return;
    if (archive.raw && format_restorer_open(source->kind, &archive, &source->info, &restorer, NULL) == MIST_OK) {
        bool good = true;
        for (uint32_t frame = 0; good && frame < source->info.frames; frame++) {
            const size_t before = part.size;
            good = source->ops->read_frame(source, frame, view, NULL) == MIST_OK &&
                   format_restorer_frame(restorer, view, &part, NULL) == MIST_OK && part.size >= before;
        }
        if (source->ops->content)
            source->ops->content(source, 0, &data, &size);
        fuzz_require(good && archive.prefix.size + part.size + archive.suffix.size == size);
        fuzz_require(!archive.prefix.size || !memcmp(data, archive.prefix.data, archive.prefix.size));
        fuzz_require(!memcmp(data + archive.prefix.size, part.data, part.size));
        fuzz_require(!archive.suffix.size ||
                     !memcmp(data + archive.prefix.size + part.size, archive.suffix.data, archive.suffix.size));
    }
    mist_buffer_free(&file);
    mist_buffer_free(&part);
    format_restorer_free(&restorer);
    format_archive_free(&archive);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct format_input input = format_input_memory("fuzz", data, size);
    struct format_group group;
    struct format_source *source = NULL;
    struct mist_error error = {0};
    struct format_appearance look;
    enum format_kind kind;
    format_picture_kind("fuzz", data, size < FORMAT_PICTURE_BYTES ? size : FORMAT_PICTURE_BYTES);
    for (enum format_kind any = FORMAT_UNKNOWN; any < FORMAT_KINDS; any++)
        format_appearance_read(any, data, size, &look);
    fuzz_require(format_detect(&input, &kind, &error) == MIST_OK);
    if (kind == FORMAT_UNKNOWN || kind == FORMAT_DICOM || format_look(kind, &input, &group, &error))
        return 0;
    enum mist_status status = format_open(kind, &input, 1, &source, &error);
    fuzz_require(status == MIST_OK || error.message[0]);
    if (status)
        return 0;
    const struct mist_image_info *info = &source->info;
    uint64_t samples = (uint64_t)info->width * info->height * info->components;
    /* Turned volumes are put together again by other means (format/turn.h). */
    if (samples <= FUZZ_MAX_SAMPLES && info->frames <= MAX_FRAMES && info->axes[2] == 2) {
        size_t bytes = mist_frame_bytes(info->type, info->width, info->height, info->components);
        struct mist_view view =
            mist_view_interleaved(malloc(bytes), info->type, info->width, info->height, info->components);
        fuzz_require(view.data);
        for (uint32_t frame = 0; frame < info->frames; frame++)
            source->ops->read_frame(source, frame, &view, &error);
        restore(source, data, size, &view);
        free(view.data);
    }
    format_appearance_read(kind, source->head.data, source->head.size, &look);
    format_close(&source);
    return 0;
}
