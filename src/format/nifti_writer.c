/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing NIfTI: the original to the byte, the same with fewer samples, or a new file of another format's frames, which
 * of a DICOM series is what dcm2niix makes of it.
 */
#include "format/nifti.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "format/dicom_volume.h"
#include "format/gzip.h"
#include "format/nifti_header.h"
#include "format/turn.h"
#include "image/copy.h"

#include <math.h>
#include <string.h>
#include <strings.h>

struct nifti_writer {
    struct format_writer base;
    struct file_writer file;
    struct mist_image_info info; /* of the frames that come */
    bool big_endian;
    struct gzip_writer *gzip; /* NULL: the file is plain */
    uint8_t *packed;          /* one frame as it is written */
    float *real;              /* one frame in its units, where these differ from slice to slice; else NULL */
    struct turner *turner;    /* where the planes are not the file's; else NULL */
    struct mist_buffer suffix;
    bool bits; /* a bit a sample: `gathered` are those that do not make up a byte yet */
    uint8_t gathered;
    unsigned gathered_count;
    bool flip;      /* rows are written last first */
    double *scales; /* [frames][2] slope and intercept, with `real` */
    uint32_t written;
};

static void emit(void *context, const uint8_t *bytes, size_t size)
{
    struct nifti_writer *writer = context;
    if (writer->gzip)
        gzip_write(writer->gzip, bytes, size, false);
    else if (size)
        fwrite(bytes, 1, size, writer->file.stream);
}

/* Samples in the order of the file. */
static void emit_samples(void *context, const uint8_t *bytes, size_t size)
{
    struct nifti_writer *writer = context;
    if (!writer->bits) {
        emit(writer, bytes, size);
        return;
    }
    for (size_t i = 0; i < size; i++) {
        writer->gathered |= (uint8_t)((bytes[i] & 1) << writer->gathered_count);
        if (++writer->gathered_count == 8) {
            emit(writer, &writer->gathered, 1);
            writer->gathered = 0;
            writer->gathered_count = 0;
        }
    }
}

/* ---- frames ---- */

#define SCALE(type)                                                      \
    for (size_t n = 0; n < count; n++) {                                 \
        type value;                                                      \
        memcpy(&value, writer->packed + n * sizeof value, sizeof value); \
        writer->real[n] = (float)((double)value * scale[0] + scale[1]);  \
    }

/* The packed samples of the frame in their units. */
static void scale_samples(struct nifti_writer *writer, size_t count)
{
    const double *scale = writer->scales + 2 * (size_t)writer->written;
    switch (writer->info.type) {
    case MIST_U8:
        SCALE(uint8_t) break;
    case MIST_S8:
        SCALE(int8_t) break;
    case MIST_U16:
        SCALE(uint16_t) break;
    case MIST_S16:
        SCALE(int16_t) break;
    case MIST_U32:
        SCALE(uint32_t) break;
    case MIST_S32:
        SCALE(int32_t) break;
    case MIST_F32:
        SCALE(float) break;
    case MIST_F64:
        SCALE(double) break;
    default:
        break;
    }
}

static enum mist_status nifti_write_frame(struct format_writer *base, const struct mist_view *frame,
                                          struct mist_error *error)
{
    struct nifti_writer *writer = (struct nifti_writer *)base;
    const struct mist_image_info *info = &writer->info;
    if (writer->written == info->frames)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: more than %u planes", writer->file.path, info->frames);
    struct mist_view view = *frame;
    if (writer->flip) {
        view.data = (uint8_t *)view.data + (info->height - 1) * view.row_stride;
        view.row_stride = 0 - view.row_stride;
    }
    size_t count = (size_t)info->width * info->height * info->components;
    enum mist_status status = MIST_OK;
    copy_pack(&view, (struct copy_packing){.big_endian = writer->big_endian}, writer->packed);
    if (writer->real) {
        scale_samples(writer, count);
        emit(writer, (const uint8_t *)writer->real, count * sizeof *writer->real);
    } else if (writer->turner) {
        status = turner_plane(writer->turner, writer->packed, error);
    } else {
        emit_samples(writer, writer->packed, count * mist_sample_size(info->type));
    }
    writer->written++;
    return status ? error_prefix(error, status, "%s", writer->file.path) : MIST_OK;
}

static enum mist_status nifti_finish(struct format_writer *base, struct mist_error *error)
{
    struct nifti_writer *writer = (struct nifti_writer *)base;
    if (writer->written != writer->info.frames)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: %u of %u planes were written", writer->file.path,
                         writer->written, writer->info.frames);
    if (writer->gathered_count)
        emit(writer, &writer->gathered, 1);
    emit(writer, writer->suffix.data, writer->suffix.size);
    if (writer->gzip)
        gzip_write(writer->gzip, NULL, 0, true);
    return file_writer_commit(&writer->file, error);
}

static void nifti_free(struct format_writer *base)
{
    struct nifti_writer *writer = (struct nifti_writer *)base;
    gzip_writer_free(&writer->gzip);
    turner_free(&writer->turner);
    file_writer_cancel(&writer->file);
    mist_buffer_free(&writer->suffix);
    memory_free(writer->packed);
    memory_free(writer->real);
    memory_free(writer->scales);
    memory_free(writer);
}

/* ---- headers ---- */

static bool ends_with(const char *path, const char *suffix)
{
    size_t length = strlen(path), wanted = strlen(suffix);
    return length >= wanted && strcasecmp(path + length - wanted, suffix) == 0;
}

/* Slices that are written; `all` of the original where nothing else is said. */
static uint32_t slices_of(const struct format_target *target, uint32_t all)
{
    return target->info.slices ? target->info.slices : all;
}

static bool is_original(const struct format_target *target, uint32_t slices)
{
    return target->reduce == 0 && !target->resampled && slices_of(target, slices) == slices;
}

/* What comes before the samples: header, changed where the size is another, or what is before them in an .img. */
static enum mist_status put_head(const struct format_target *target, struct nifti_header *parsed,
                                 struct mist_buffer *out, struct mist_error *error)
{
    const bool original = is_original(target, (uint32_t)parsed->dim[parsed->axes[2] + 1]);
    bool good = true;
    if (parsed->pair && ends_with(target->path, ".img")) {
        const struct format_archive *archive = target->archive;
        if (original && archive)
            good = buffer_append(out, archive->prefix.data, archive->prefix.size);
        else
            good = buffer_append_zeros(out, (size_t)parsed->data_offset);
        return good ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "out of memory");
    }
    if (!buffer_append(out, target->head, target->head_size))
        return error_set(error, MIST_ERROR_MEMORY, "out of memory");
    if (parsed->pair && !ends_with(target->path, ".hdr") && !nifti_header_join(parsed, out))
        return error_set(error, MIST_ERROR_MEMORY, "out of memory");
    if (original)
        return MIST_OK;
    const uint32_t slices = slices_of(target, (uint32_t)parsed->dim[parsed->axes[2] + 1]);
    const uint32_t sizes[3] = {target->info.width, target->info.height, slices};
    for (unsigned i = 0; i < 3; i++) /* sampling is along columns, rows and slices; the header's axes are the file's */
        nifti_header_resize(parsed, parsed->axes[i], sizes[i], target->sampling.factor[i], target->sampling.shift[i]);
    nifti_header_store_geometry(parsed, out->data);
    return MIST_OK;
}

/* The original's header. */
static enum mist_status adapt_header(struct nifti_writer *writer, const struct format_target *target,
                                     struct mist_buffer *header, struct mist_error *error)
{
    struct nifti_header parsed;
    struct mist_image_info info;
    enum mist_status status = nifti_header_read(target->head, target->head_size, &parsed, error);
    if (!status)
        status = nifti_header_info(&parsed, &info, error);
    if (status)
        return status;
    const bool no_samples = parsed.pair && ends_with(target->path, ".hdr");
    const uint64_t frames = (uint64_t)info.frames / info.slices * slices_of(target, info.slices);
    if ((!parsed.pair && parsed.data_offset != target->head_size) || info.type != target->info.type ||
        info.components != target->info.components || target->info.frames != (no_samples ? 0 : frames))
        return error_set(error, MIST_ERROR_CORRUPT, "the kept NIfTI header is not that of these samples");
    writer->big_endian = parsed.big_endian;
    writer->bits = parsed.bits;
    writer->info.slices = slices_of(target, info.slices);
    memcpy(writer->info.axes, info.axes, sizeof info.axes);
    const struct format_archive *archive = target->archive;
    bool original = is_original(target, info.slices);
    if (original && archive && !buffer_append(&writer->suffix, archive->suffix.data, archive->suffix.size))
        return error_set(error, MIST_ERROR_MEMORY, "out of memory");
    return put_head(target, &parsed, header, error);
}

/* Slopes and intercepts of the frames that come: of every step-th slice of each volume. */
static enum mist_status take_scales(struct nifti_writer *writer, const struct dicom_volume_plan *plan, uint32_t step,
                                    struct mist_error *error)
{
    const struct mist_image_info *info = &writer->info;
    const size_t count = (size_t)info->width * info->height * info->components;
    writer->scales = memory_allocate_zeroed(info->frames, 2 * sizeof *writer->scales);
    writer->real = memory_allocate_array(count, sizeof *writer->real);
    if (!writer->scales || !writer->real)
        return error_set(error, MIST_ERROR_MEMORY, "out of memory");
    for (uint32_t i = 0; i < info->frames; i++) {
        size_t from = (size_t)(i / info->slices) * plan->slices + (size_t)(i % info->slices) * step;
        memcpy(writer->scales + 2 * (size_t)i, plan->scales + 2 * from, 2 * sizeof *plan->scales);
    }
    return MIST_OK;
}

/* A new header; for a DICOM series it is what dcm2niix would say. */
static enum mist_status fresh_header(struct nifti_writer *writer, const struct format_target *target,
                                     struct mist_buffer *header, struct mist_error *error)
{
    const struct dicom_volume_plan *plan = target->volume;
    struct mist_image_info info = target->info;
    struct nifti_extra extra = {0};
    writer->big_endian = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
    if (!plan)
        return nifti_header_make(&info, &extra, header, error);
    uint32_t step = 1;
    while (info.slices && (plan->slices + step - 1) / step > info.slices)
        step *= 2;
    if (info.slices == 0 || (plan->slices + step - 1) / step != info.slices ||
        info.frames != info.slices * plan->volumes)
        return error_set(error, MIST_ERROR_ARGUMENT, "%u planes are not those of a volume of %u slices", info.frames,
                         plan->slices);
    if (plan->scales) {
        enum mist_status status = take_scales(writer, plan, step, error);
        if (status)
            return status;
        info.type = MIST_F32;
    }
    writer->flip = plan->flip;
    if (plan->flip)
        info.geometry = dicom_volume_flip(&info.geometry, info.height);
    extra = (struct nifti_extra){.slice_distance = plan->slice_distance * step,
                                 .repetition = plan->repetition,
                                 .slope = plan->slope,
                                 .intercept = plan->intercept,
                                 .dim_info = plan->dim_info,
                                 .timed = true,
                                 .as_signed = info.precision < 16,
                                 .about = "mist: from DICOM"};
    return nifti_header_make(&info, &extra, header, error);
}

enum mist_status nifti_writer_open(const struct format_target *target, struct format_writer **result,
                                   struct mist_error *error)
{
    static const struct format_writer_ops ops = {
        .frame = nifti_write_frame, .finish = nifti_finish, .free = nifti_free};
    const struct mist_image_info *info = &target->info;
    struct nifti_writer *writer = memory_allocate_zeroed(1, sizeof *writer);
    if (!writer)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", target->path);
    writer->base.ops = &ops;
    writer->info = *info;
    struct mist_buffer header = {0};
    const bool adapted = target->source_kind == FORMAT_NIFTI && target->head;
    enum mist_status status =
        adapted ? adapt_header(writer, target, &header, error) : fresh_header(writer, target, &header, error);
    writer->packed = memory_allocate(mist_frame_bytes(info->type, info->width, info->height, info->components));
    if (!status && !writer->packed)
        status = error_set(error, MIST_ERROR_MEMORY, "out of memory");
    const struct turn_sink sink = {emit_samples, writer};
    if (!status && adapted && info->frames && turn_is_needed(&writer->info))
        status = turner_new(&writer->info, target->path, &sink, &writer->turner, error);
    if (status)
        error_prefix(error, status, "%s", target->path);
    else
        status = format_target_file(target, &writer->file, error);
    if (!status && target->gzip && !(writer->gzip = gzip_writer_new(writer->file.stream)))
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", target->path);
    if (!status)
        emit(writer, header.data, header.size);
    mist_buffer_free(&header);
    if (status)
        nifti_free(&writer->base);
    else
        *result = &writer->base;
    return status;
}
