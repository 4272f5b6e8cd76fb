/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/text_volume.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "image/copy.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

enum { MAX_SUFFIX = 64 << 20, CHUNK = 1 << 20, PACK_LEVEL = 3 };

/* ---- text ---- */

bool text_next_line(const uint8_t *data, size_t size, size_t *at, char line[TEXT_LINE])
{
    if (*at >= size)
        return false;
    const uint8_t *start = data + *at, *end = memchr(start, '\n', size - *at);
    size_t length = end ? (size_t)(end - start) : size - *at;
    *at += length + (end != NULL);
    if (length && start[length - 1] == '\r')
        length--;
    if (length > TEXT_LINE - 1)
        length = TEXT_LINE - 1;
    memcpy(line, start, length);
    line[length] = '\0';
    return true;
}

unsigned text_numbers(const char *text, double *numbers, unsigned most)
{
    unsigned count = 0;
    while (count < most) {
        char *end;
        text += strspn(text, " \t,()");
        numbers[count] = strtod(text, &end);
        if (end == text || !isfinite(numbers[count]))
            break;
        count++;
        text = end;
    }
    return count;
}

bool text_put_number(struct mist_buffer *out, double number)
{
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    return buffer_append(out, text, strlen(text));
}

/* ---- what a header amounts to ---- */

static void fill_geometry(const struct text_volume *volume, struct mist_geometry *geometry)
{
    const unsigned spatial = volume->axes - volume->components > 2 ? 3 : 2;
    for (unsigned axis = 0; axis < 3; axis++) {
        const double *step = volume->direction[axis];
        double length = sqrt(step[0] * step[0] + step[1] * step[1] + step[2] * step[2]);
        geometry->spacing[axis] = volume->has_directions ? length : fabs(volume->spacing[axis]);
    }
    if (!volume->has_directions || spatial < 3)
        return;
    geometry->has_affine = true;
    geometry->affine[3][3] = 1;
    for (unsigned row = 0; row < 3; row++) {
        for (unsigned axis = 0; axis < 3; axis++)
            geometry->affine[row][axis] = volume->flip[row] * volume->direction[axis][row];
        geometry->affine[row][3] = volume->flip[row] * volume->origin[row];
    }
}

/* Sides, frames and geometry of what was parsed. */
static enum mist_status complete(struct text_volume *volume, struct mist_error *error)
{
    const unsigned first = volume->components;
    if (volume->axes < first + 2)
        return error_set(error, MIST_ERROR_NOT_FOUND, "an array of less than two axes is no image");
    uint64_t frames = 1;
    for (unsigned axis = 0; axis < volume->axes; axis++) {
        if (volume->side[axis] == 0 || volume->side[axis] > UINT32_MAX)
            return error_set(error, MIST_ERROR_LIMIT, "a side of %llu samples is beyond the limits",
                             (unsigned long long)volume->side[axis]);
        if (axis >= first + 2 && frames <= MIST_MAX_FRAMES)
            frames *= volume->side[axis];
    }
    struct mist_image_info *info = &volume->info;
    *info = (struct mist_image_info){
        .type = volume->type,
        .precision = 8 * (unsigned)mist_sample_size(volume->type),
        .width = (uint32_t)volume->side[first],
        .height = (uint32_t)volume->side[first + 1],
        .components = first ? (uint32_t)volume->side[0] : 1,
        .frames = frames > MIST_MAX_FRAMES ? UINT32_MAX : (uint32_t)frames,
        .slices = volume->axes > first + 2 ? (uint32_t)volume->side[first + 2] : 1,
        .label = volume->label,
    };
    if (!mist_frame_bytes(info->type, info->width, info->height, info->components) || info->frames > MIST_MAX_FRAMES)
        return error_set(error, MIST_ERROR_LIMIT, "%llu frames of %u x %u x %u samples are beyond the limits",
                         (unsigned long long)frames, info->width, info->height, info->components);
    fill_geometry(volume, &info->geometry);
    return MIST_OK;
}

static enum mist_status parse(const struct text_format *format, const uint8_t *data, size_t size,
                              struct text_volume *volume, struct mist_error *error)
{
    *volume = (struct text_volume){0};
    enum mist_status status = format->parse(data, size, volume, error);
    return status ? status : complete(volume, error);
}

enum mist_status text_volume_look(const struct text_format *format, const struct format_input *input,
                                  struct format_group *group, struct mist_error *error)
{
    struct file_map map;
    struct text_volume volume;
    struct mist_error why = {0};
    enum mist_status status = input_map(input, &map, error);
    if (status)
        return status;
    status = parse(format, map.data, map.size < TEXT_MAX_HEAD ? map.size : TEXT_MAX_HEAD, &volume, &why);
    input_unmap(input, &map);
    if (volume.detached)
        format_group_pair(group, volume.partner);
    return status == MIST_ERROR_NOT_FOUND ? error_set(error, status, "%s: %s", input_name(input), why.message)
                                          : MIST_OK; /* what else is wrong is said when it is opened */
}

/* ---- reading ---- */

struct text_source {
    struct format_source base;
    struct format_input input; /* what holds the samples */
    struct file_map file;
    struct text_volume volume;
    const uint8_t *data; /* `file`, or what it is with its samples inflated, in a spool */
    size_t size;
    size_t offset; /* of the first frame in it */
    bool spooled;
    size_t frame_bytes;
};

static enum mist_status text_read_frame(struct format_source *base, uint32_t frame, struct mist_view *out,
                                        struct mist_error *error)
{
    const struct text_source *source = (const struct text_source *)base;
    if (frame >= base->info.frames)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: there is no frame %u", source->input.name, frame);
    copy_unpack(source->data + source->offset + source->frame_bytes * frame,
                (struct copy_packing){.big_endian = source->volume.big_endian}, out);
    return MIST_OK;
}

static enum mist_status text_read_archive(struct format_source *base, uint32_t file, struct format_archive *archive,
                                          struct mist_error *error)
{
    const struct text_source *source = (const struct text_source *)base;
    const size_t behind = source->offset + source->frame_bytes * base->info.frames;
    *archive = (struct format_archive){.raw = true, .big_endian = source->volume.big_endian};
    if (base->files == 2 && file == 0) /* the header's own file */
        return format_archive_around(archive, base->head.data, base->head.size, NULL, 0, source->input.name, error);
    return format_archive_around(archive, source->data, source->offset, source->data + behind, source->size - behind,
                                 source->input.name, error);
}

static bool text_content(const struct format_source *base, uint32_t file, const uint8_t **data, size_t *size)
{
    const struct text_source *source = (const struct text_source *)base;
    *data = source->data;
    *size = source->size;
    return file + 1 == base->files; /* not the header's own file */
}

static void text_close(struct format_source *base)
{
    struct text_source *source = (struct text_source *)base;
    if (source->spooled)
        munmap((void *)(uintptr_t)source->data, source->size);
    input_unmap(&source->input, &source->file);
    input_free(&source->input);
    format_source_clear(base);
    memory_free(source);
}

/* Inflates what starts at the offset of the samples, exactly as many bytes as they are, behind what comes before. */
static enum mist_status inflate_samples(const struct text_source *source, int spool, uint64_t samples,
                                        struct mist_error *error)
{
    uint8_t *chunk = memory_allocate(CHUNK);
    z_stream stream = {0};
    if (!chunk || inflateInit2(&stream, 15 + 32) != Z_OK) {
        memory_free(chunk);
        return error_set(error, MIST_ERROR_MEMORY, "out of memory");
    }
    const uint8_t *end = source->file.data + source->file.size;
    stream.next_in = (Bytef *)(uintptr_t)(source->file.data + source->offset);
    enum mist_status status =
        source->offset ? file_write_at(spool, 0, source->file.data, source->offset, error) : MIST_OK;
    uint64_t done = 0;
    for (int result = Z_OK; !status && result == Z_OK && done <= samples;) {
        size_t left = (size_t)(end - stream.next_in);
        stream.avail_in = left > UINT32_MAX ? UINT32_MAX : (uInt)left;
        stream.next_out = chunk;
        stream.avail_out = CHUNK;
        result = inflate(&stream, Z_NO_FLUSH);
        size_t got = CHUNK - stream.avail_out;
        if (got && done + got <= samples)
            status = file_write_at(spool, source->offset + done, chunk, got, error);
        done += got;
    }
    inflateEnd(&stream);
    memory_free(chunk);
    if (!status && done != samples)
        status = error_set(error, done > samples ? MIST_ERROR_CORRUPT : MIST_ERROR_TRUNCATED,
                           "the deflated samples are %s than the header says", done > samples ? "more" : "fewer");
    return status;
}

static enum mist_status unpack(struct text_source *source, uint64_t samples, struct mist_error *error)
{
    int spool = file_open_spool(NULL, error);
    if (spool < 0)
        return error ? error->status : MIST_ERROR_IO;
    enum mist_status status = inflate_samples(source, spool, samples, error);
    if (!status) {
        void *data = mmap(NULL, source->offset + samples, PROT_READ, MAP_PRIVATE, spool, 0);
        if (data == MAP_FAILED) {
            status = error_set_errno(error, errno, "unpacking");
        } else {
            source->data = data;
            source->size = source->offset + samples;
            source->spooled = true;
        }
    }
    close(spool);
    return status;
}

/* Finds the samples in the file that holds them. */
static enum mist_status find_samples(struct text_source *source, struct mist_error *error)
{
    const struct text_volume *volume = &source->volume;
    const struct mist_image_info *info = &volume->info;
    const size_t size = source->file.size;
    source->frame_bytes = mist_frame_bytes(info->type, info->width, info->height, info->components);
    const uint64_t samples = (uint64_t)source->frame_bytes * info->frames;
    source->data = source->file.data;
    source->size = size;
    source->offset = volume->detached ? volume->skip : volume->head_size;
    if (volume->skip_all && !volume->packed && size >= samples)
        source->offset = size - (size_t)samples;
    if (source->offset > size || source->offset > TEXT_MAX_HEAD)
        return error_set(error, MIST_ERROR_TRUNCATED, "there are no samples at byte %zu", source->offset);
    if (volume->packed)
        return unpack(source, samples, error);
    if (size - source->offset < samples)
        return error_set(error, MIST_ERROR_TRUNCATED, "%zu bytes of samples, but the header needs %llu",
                         size - source->offset, (unsigned long long)samples);
    if (size - source->offset - samples > MAX_SUFFIX)
        return error_set(error, MIST_ERROR_LIMIT, "%llu bytes behind the samples",
                         (unsigned long long)(size - source->offset - samples));
    return MIST_OK;
}

/* Reads the header of inputs[header] and finds the samples. */
static enum mist_status open_volume(struct text_source *source, const struct text_format *format,
                                    const struct format_input *header, uint32_t count, struct mist_error *error)
{
    struct file_map map;
    enum mist_status status = input_map(header, &map, error);
    if (status)
        return status;
    struct text_volume *volume = &source->volume;
    status = parse(format, map.data, map.size < TEXT_MAX_HEAD ? map.size : TEXT_MAX_HEAD, volume, error);
    if (status == MIST_ERROR_NOT_FOUND && error)
        status = error->status = MIST_ERROR_UNSUPPORTED;
    if (!status && volume->detached != (count == 2))
        status = error_set(error, MIST_ERROR_UNSUPPORTED,
                           volume->detached ? "a header whose samples are in another file, which is not here"
                                            : "the samples follow the header: there is no second file");
    if (!status && !buffer_append(&source->base.head, map.data, volume->detached ? map.size : volume->head_size))
        status = error_set(error, MIST_ERROR_MEMORY, "out of memory");
    if (status)
        error_prefix(error, status, "%s", input_name(header));
    input_unmap(header, &map);
    if (!status)
        status = input_map(&source->input, &source->file, error);
    if (!status && (status = find_samples(source, error)))
        error_prefix(error, status, "%s", source->input.name);
    return status;
}

/* Which of two files is the header; -1: neither, and *error says why that is not one which could be. */
static int find_header(const struct text_format *format, const struct format_input *inputs, struct mist_error *error)
{
    error_set(error, MIST_ERROR_ARGUMENT, "%s: neither file is the header of the other", input_name(inputs));
    for (int i = 0; i < 2; i++) {
        struct file_map map;
        struct text_volume volume;
        struct mist_error why = {0};
        if (input_map(&inputs[i], &map, NULL))
            continue;
        enum mist_status status =
            parse(format, map.data, map.size < TEXT_MAX_HEAD ? map.size : TEXT_MAX_HEAD, &volume, &why);
        input_unmap(&inputs[i], &map);
        if (!status && volume.detached)
            return i;
        if (status && volume.detached)
            error_set(error, status, "%s: %s", input_name(&inputs[i]), why.message);
    }
    return -1;
}

enum mist_status text_volume_open(const struct text_format *format, const struct format_input *inputs, uint32_t count,
                                  struct format_source **result, struct mist_error *error)
{
    static const struct format_source_ops plain = {
        .read_frame = text_read_frame, .read_archive = text_read_archive, .close = text_close};
    static const struct format_source_ops packed = {
        .read_frame = text_read_frame, .read_archive = text_read_archive, .close = text_close, .content = text_content};
    struct mist_error why = {0};
    const int header = count == 2 ? find_header(format, inputs, &why) : 0;
    if (count > 2)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: an image is a file, or a header and its samples",
                         input_name(inputs));
    if (header < 0)
        return error_set(error, why.status, "%s", why.message);
    const struct format_input *samples = count == 2 ? &inputs[1 - header] : inputs;
    struct text_source *source = memory_allocate_zeroed(1, sizeof *source);
    if (!source)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", input_name(inputs));
    enum mist_status status = MIST_OK;
    if (!format_source_init(&source->base, &plain, format->kind, count) || !input_copy(samples, &source->input))
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", input_name(inputs));
    if (!status)
        status = open_volume(source, format, &inputs[header], count, error);
    if (status) {
        text_close(&source->base);
        return status;
    }
    if (source->spooled)
        source->base.ops = &packed;
    source->base.info = source->volume.info;
    source->base.file_order[0] = (uint32_t)header;
    source->base.file_frames[0] = count == 2 ? 0 : source->base.info.frames;
    if (count == 2) {
        source->base.file_order[1] = (uint32_t)(1 - header);
        source->base.file_frames[1] = source->base.info.frames;
    }
    *result = &source->base;
    return MIST_OK;
}

/* ---- writing ---- */

struct text_writer {
    struct format_writer base;
    struct file_writer file;
    struct copy_packing packing;
    struct mist_image_info info;
    bool packed;
    bool deflating; /* the stream is there */
    z_stream stream;
    uint8_t *frame, *chunk;
    size_t frame_bytes;
    struct mist_buffer suffix;
    uint32_t written;
};

static void emit(struct text_writer *writer, const uint8_t *bytes, size_t size, bool last)
{
    FILE *stream = writer->file.stream;
    if (!writer->packed) {
        if (size)
            fwrite(bytes, 1, size, stream);
        return;
    }
    writer->stream.next_in = (Bytef *)(uintptr_t)bytes;
    writer->stream.avail_in = (uInt)size; /* a frame's bytes fit */
    do {
        writer->stream.next_out = writer->chunk;
        writer->stream.avail_out = CHUNK;
        deflate(&writer->stream, last ? Z_FINISH : Z_NO_FLUSH);
        fwrite(writer->chunk, 1, CHUNK - writer->stream.avail_out, stream);
    } while (writer->stream.avail_out == 0);
}

static enum mist_status text_frame(struct format_writer *base, const struct mist_view *frame, struct mist_error *error)
{
    struct text_writer *writer = (struct text_writer *)base;
    if (writer->written == writer->info.frames)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: more than %u frames", writer->file.path, writer->info.frames);
    copy_pack(frame, writer->packing, writer->frame);
    emit(writer, writer->frame, writer->frame_bytes, false);
    writer->written++;
    return MIST_OK;
}

static enum mist_status text_finish(struct format_writer *base, struct mist_error *error)
{
    struct text_writer *writer = (struct text_writer *)base;
    if (writer->written != writer->info.frames)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: %u of %u frames were written", writer->file.path,
                         writer->written, writer->info.frames);
    if (writer->packed)
        emit(writer, NULL, 0, true);
    if (writer->suffix.size)
        fwrite(writer->suffix.data, 1, writer->suffix.size, writer->file.stream);
    return file_writer_commit(&writer->file, error);
}

static void text_free(struct format_writer *base)
{
    struct text_writer *writer = (struct text_writer *)base;
    if (writer->deflating)
        deflateEnd(&writer->stream);
    file_writer_cancel(&writer->file);
    mist_buffer_free(&writer->suffix);
    memory_free(writer->frame);
    memory_free(writer->chunk);
    memory_free(writer);
}

/* The original's volume at the size and place of what is written. */
static enum mist_status adapt(struct text_volume *volume, const struct format_target *target, bool header_only,
                              struct mist_error *error)
{
    const struct mist_image_info *info = &target->info;
    const unsigned first = volume->components;
    const uint32_t slices = info->slices ? info->slices : volume->info.slices;
    const uint64_t frames = (uint64_t)volume->info.frames / volume->info.slices * slices;
    if (info->type != volume->info.type || info->components != volume->info.components ||
        (!header_only && info->frames != frames) || (volume->axes <= first + 2 && slices != 1))
        return error_set(error, MIST_ERROR_CORRUPT, "the kept header is not that of these samples");
    volume->side[first] = info->width;
    volume->side[first + 1] = info->height;
    if (volume->axes > first + 2)
        volume->side[first + 2] = slices;
    for (unsigned axis = 0; axis < 3; axis++) {
        for (unsigned row = 0; row < 3; row++) {
            volume->origin[row] += volume->direction[axis][row] * target->sampling.shift[axis];
            volume->direction[axis][row] *= target->sampling.factor[axis];
        }
        volume->spacing[axis] *= target->sampling.factor[axis];
    }
    return MIST_OK;
}

/* What is written of a file of another format: LPS, as both formats mostly have it. */
static void make_volume(const struct format_target *target, struct text_volume *volume)
{
    const struct mist_image_info *info = &target->info;
    const struct mist_geometry *geometry = &info->geometry;
    const uint32_t slices = info->slices && info->frames % info->slices == 0 ? info->slices : info->frames;
    *volume = (struct text_volume){.type = info->type,
                                   .big_endian = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__,
                                   .packed = true,
                                   .label = info->label,
                                   .components = info->components > 1,
                                   .has_directions = geometry->has_affine,
                                   .flip = {-1, -1, 1}};
    if (volume->components)
        volume->side[volume->axes++] = info->components;
    const uint64_t sides[4] = {info->width, info->height, slices, info->frames / slices};
    const unsigned count = sides[3] > 1 ? 4 : sides[2] > 1 || geometry->has_affine ? 3 : 2;
    for (unsigned i = 0; i < count; i++)
        volume->side[volume->axes++] = sides[i];
    for (unsigned axis = 0; axis < 3; axis++) {
        for (unsigned row = 0; row < 3; row++)
            volume->direction[axis][row] = volume->flip[row] * geometry->affine[row][axis];
        volume->spacing[axis] = geometry->spacing[axis];
        volume->origin[axis] = volume->flip[axis] * geometry->affine[axis][3];
    }
    volume->info = *info;
}

static bool ends_in(const char *path, const char *suffix)
{
    size_t length = strlen(path), ending = strlen(suffix);
    return length >= ending && strcasecmp(path + length - ending, suffix) == 0;
}

/* Everything before the samples, into `head`; and whether the file has samples at all. */
static enum mist_status make_head(struct text_writer *writer, const struct text_format *format,
                                  const struct format_target *target, struct mist_buffer *head,
                                  struct mist_error *error)
{
    struct text_volume volume;
    const bool own = target->source_kind == format->kind && target->head;
    enum mist_status status = MIST_OK;
    bool good = true;
    if (!own) {
        make_volume(target, &volume);
        good = format->write_head(&volume, NULL, 0, true, head);
    } else {
        status = parse(format, target->head, target->head_size, &volume, error);
        if (status)
            return status;
        const bool header_only = volume.detached && ends_in(target->path, format->header_suffix);
        const bool samples_only = volume.detached && target->file == 1;
        const uint32_t slices = target->info.slices ? target->info.slices : volume.info.slices;
        const bool same = target->reduce == 0 && !target->resampled && slices == volume.info.slices;
        const struct format_archive *archive = target->archive;
        status = adapt(&volume, target, header_only, error);
        if (!status && samples_only && same && archive)
            good = buffer_append(head, archive->prefix.data, archive->prefix.size);
        else if (!status && samples_only)
            good = volume.skip_all || buffer_append_zeros(head, volume.skip);
        else if (!status && same && (header_only ? !volume.sized : !volume.packed && !volume.detached))
            good = buffer_append(head, target->head, target->head_size);
        else if (!status)
            good = format->write_head(&volume, target->head, target->head_size, !header_only, head);
        if (good && same && archive && !header_only)
            good = buffer_append(&writer->suffix, archive->suffix.data, archive->suffix.size);
        writer->packed = volume.packed && !header_only;
        writer->info.frames = header_only ? 0 : target->info.frames;
    }
    if (!own)
        writer->packed = volume.packed;
    writer->packing.big_endian = volume.big_endian;
    return status ? status : good ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "out of memory");
}

static enum mist_status prepare(struct text_writer *writer, const struct text_format *format,
                                const struct format_target *target, struct mist_error *error)
{
    const struct mist_image_info *info = &target->info;
    struct mist_buffer head = {0};
    if (info->type == MIST_F16)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "half floats are not written in this format");
    writer->frame_bytes = mist_frame_bytes(info->type, info->width, info->height, info->components);
    writer->frame = memory_allocate(writer->frame_bytes);
    writer->chunk = memory_allocate(CHUNK);
    if (!writer->frame || !writer->chunk)
        return error_set(error, MIST_ERROR_MEMORY, "out of memory");
    enum mist_status status = make_head(writer, format, target, &head, error);
    if (!status && writer->packed) {
        if (deflateInit2(&writer->stream, PACK_LEVEL, Z_DEFLATED, format->zlib ? 15 : 15 + 16, 8, Z_DEFAULT_STRATEGY))
            status = error_set(error, MIST_ERROR_MEMORY, "out of memory");
        else
            writer->deflating = true;
    }
    if (!status) {
        status = format_target_file(target, &writer->file, error);
        if (!status && head.size)
            fwrite(head.data, 1, head.size, writer->file.stream);
        mist_buffer_free(&head);
        return status;
    }
    mist_buffer_free(&head);
    return status;
}

enum mist_status text_volume_writer_open(const struct text_format *format, const struct format_target *target,
                                         struct format_writer **result, struct mist_error *error)
{
    static const struct format_writer_ops ops = {.frame = text_frame, .finish = text_finish, .free = text_free};
    struct text_writer *writer = memory_allocate_zeroed(1, sizeof *writer);
    if (!writer)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", target->path);
    writer->base.ops = &ops;
    writer->info = target->info;
    enum mist_status status = prepare(writer, format, target, error);
    if (status) {
        if (error && !strstr(error->message, target->path))
            error_prefix(error, status, "%s", target->path);
        text_free(&writer->base);
        return status;
    }
    *result = &writer->base;
    return MIST_OK;
}
