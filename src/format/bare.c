/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/bare.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

enum mist_status bare_codestream(struct format_source *base, uint32_t frame, struct mist_buffer *out,
                                 enum format_stream *stream, struct mist_error *error)
{
    const struct bare_source *source = (const struct bare_source *)base;
    (void)frame;
    out->size = 0;
    *stream = base->stream;
    return buffer_append(out, source->map.data, source->map.size)
               ? MIST_OK
               : error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", source->input.name);
}

enum mist_status bare_read_archive(struct format_source *base, uint32_t file, struct format_archive *archive,
                                   struct mist_error *error)
{
    (void)base, (void)file, (void)error;
    *archive = (struct format_archive){0};
    return MIST_OK;
}

void bare_close(struct format_source *base)
{
    struct bare_source *source = (struct bare_source *)base;
    input_unmap(&source->input, &source->map);
    input_free(&source->input);
    format_source_clear(base);
    memory_free(source);
}

enum mist_status bare_open(enum format_kind kind, const struct format_source_ops *ops,
                           enum mist_status (*describe)(struct bare_source *source, struct mist_error *error),
                           const struct format_input *inputs, uint32_t count, struct format_source **result,
                           struct mist_error *error)
{
    struct bare_source *source = memory_allocate_zeroed(1, sizeof *source);
    if (!source)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", input_name(inputs));
    enum mist_status status = MIST_OK;
    if (!format_source_init(&source->base, ops, kind, count) || !input_copy(inputs, &source->input))
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", input_name(inputs));
    if (!status)
        status = input_map(&source->input, &source->map, error);
    if (!status)
        status = describe(source, error);
    if (status) {
        bare_close(&source->base);
        return status;
    }
    source->base.file_frames[0] = 1;
    *result = &source->base;
    return MIST_OK;
}

enum mist_status bare_look(enum mist_status (*open)(const struct format_input *inputs, uint32_t count,
                                                    struct format_source **source, struct mist_error *error),
                           const struct format_input *input, struct mist_error *error)
{
    struct format_source *source = NULL;
    struct mist_error why = {0};
    enum mist_status status = open(input, 1, &source, &why);
    format_close(&source);
    return status == MIST_ERROR_UNSUPPORTED ? error_set(error, status, "%s", why.message) : MIST_OK;
}

/* ---- restoring ---- */

static enum mist_status restore_frame(struct format_restorer *restorer, const struct mist_view *frame,
                                      struct mist_buffer *out, struct mist_error *error)
{
    (void)restorer;
    (void)frame;
    (void)out;
    return error_set(error, MIST_ERROR_ARGUMENT, "a file that is one codestream cannot be made of its samples again");
}

static enum mist_status restore_bytes(struct format_restorer *restorer, const uint8_t *codestream, size_t size,
                                      struct mist_buffer *out, struct mist_error *error)
{
    (void)restorer;
    return buffer_append(out, codestream, size) ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "out of memory");
}

static void restore_free(struct format_restorer *restorer)
{
    memory_free(restorer);
}

enum mist_status bare_restorer_open(const struct format_archive *archive, const struct mist_image_info *info,
                                    struct format_restorer **restorer, struct mist_error *error)
{
    static const struct format_restorer_ops ops = {restore_frame, restore_bytes, restore_free};
    (void)archive;
    (void)info;
    *restorer = memory_allocate(sizeof **restorer);
    if (!*restorer)
        return error_set(error, MIST_ERROR_MEMORY, "out of memory");
    (*restorer)->ops = &ops;
    return MIST_OK;
}
