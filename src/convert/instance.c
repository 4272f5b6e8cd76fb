/* SPDX-License-Identifier: BSD-2-Clause */
#include "convert/instance.h"

#include "base/error.h"
#include "base/memory.h"
#include "convert/original.h"
#include "format/dicom_writer.h"
#include "item/decoder.h"
#include "item/regrid.h"

#include <string.h>

static enum mist_status out_of_memory(const struct instance *instance, struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", instance->item->name);
}

enum mist_status instance_start(const mist_item *item, unsigned reduce, struct instance *instance,
                                struct mist_error *error)
{
    *instance = (struct instance){.item = item, .reduce = reduce};
    if (item->manifest.kind != FORMAT_DICOM)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "%s: not made of DICOM files", item->name);
    if (!item->info.tail_present)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "%s: its archival tail is not here", item->name);
    if (reduce >= item->info.levels)
        return error_set(error, MIST_ERROR_NOT_FOUND, "there is no reduce %u; there are 0 to %u", reduce,
                         item->info.levels - 1);
    tail_reader_start(&instance->tail, item_tail(item), &item->manifest);
    return MIST_OK;
}

void instance_end(struct instance *instance)
{
    tail_reader_free(&instance->tail);
}

enum mist_status instance_select(struct instance *instance, uint32_t file, struct mist_error *error)
{
    const mist_item *item = instance->item;
    const struct mist_export_options options = {.reduce = instance->reduce};
    enum mist_status status = tail_reader_get(&instance->tail, file, &instance->record, error);
    if (!status)
        status = export_grid(&item->info.image, item->info.centred, &options, &instance->grid, error);
    if (status)
        return error_prefix(error, status, "%s", item->name);
    const struct export_grid *grid = &instance->grid;
    const struct manifest_file *of = &item->manifest.file[file];
    struct format_target target = {.kind = FORMAT_DICOM,
                                   .info = item->info.image,
                                   .source = &item->info.image,
                                   .sampling = grid->sampling,
                                   .reduce = instance->reduce,
                                   .source_kind = FORMAT_DICOM,
                                   .head = item->manifest.source_head.data,
                                   .head_size = item->manifest.source_head.size,
                                   .archive = &instance->record.archive,
                                   .file = file,
                                   .first_frame = of->first_frame,
                                   .keep_uids = true};
    target.info.width = grid->width;
    target.info.height = grid->height;
    target.info.frames = of->frames;
    if (of->frames % target.info.slices)
        target.info.slices = of->frames;
    target.info.geometry = sampling_geometry(&grid->sampling, &item->info.image.geometry);
    instance->file = file;
    instance->first_frame = of->first_frame;
    status = dicom_instance_start(&target, &instance->dicom, error);
    return status ? error_prefix(error, status, "%s", of->path) : MIST_OK;
}

enum mist_status instance_attributes(const struct instance *instance, const struct dicom_json_options *options,
                                     struct mist_buffer *out, struct mist_error *error)
{
    enum mist_status status = dicom_instance_attributes(&instance->dicom, options, out, error);
    return status ? error_prefix(error, status, "%s", instance->item->manifest.file[instance->file].path) : MIST_OK;
}

/* ---- samples ---- */

static struct mist_view new_view(const struct instance *instance)
{
    const struct mist_image_info *info = &instance->dicom.target.info;
    return item_new_view(info->type, info->width, info->height, info->components);
}

/*
 * Frames [first, first + count) of the item one by one on the native grid, which is not always that of its own levels.
 * `take` gets each.
 */
static enum mist_status each_frame(const struct instance *instance, mist_decoder *decoder, uint32_t first,
                                   uint32_t count, struct mist_view *view,
                                   enum mist_status (*take)(void *context, const struct mist_view *view,
                                                            struct mist_error *error),
                                   void *context, struct mist_error *error)
{
    const struct mist_export_options options = {.reduce = instance->reduce};
    const struct regrid regrid = {.item = instance->item, .options = &options, .grid = instance->grid};
    struct regrid_room room;
    enum mist_status status = regrid_room_make(&regrid, &room) ? MIST_OK : out_of_memory(instance, error);
    for (uint32_t frame = first; frame < first + count && !status; frame++) {
        const struct regrid_source source = {frame, frame, 0};
        status = regrid_frame(&regrid, decoder, &source, &room, view, error);
        if (!status && take)
            status = take(context, view, error);
    }
    regrid_room_free(&room);
    return status;
}

struct packing {
    struct format_restorer *packer;
    struct mist_buffer *out;
};

static enum mist_status pack_frame(void *context, const struct mist_view *view, struct mist_error *error)
{
    struct packing *packing = context;
    return format_restorer_frame(packing->packer, view, packing->out, error);
}

enum mist_status instance_samples(const struct instance *instance, mist_decoder *decoder, uint32_t frame,
                                  struct mist_buffer *out, struct mist_error *error)
{
    const bool mosaic = instance->dicom.pixels.across != 0;
    const uint32_t first = instance->first_frame + (mosaic ? 0 : frame);
    const uint32_t count = mosaic ? instance->dicom.pixels.frames : 1;
    struct packing packing = {.out = out};
    struct mist_view view = new_view(instance);
    enum mist_status status = view.data ? MIST_OK : out_of_memory(instance, error);
    if (!status)
        status = dicom_instance_packer(&instance->dicom, &packing.packer, error);
    if (!status)
        status = each_frame(instance, decoder, first, count, &view, pack_frame, &packing, error);
    format_restorer_free(&packing.packer);
    memory_free(view.data);
    return status;
}

/* ---- codestreams ---- */

bool instance_has_codestreams(const struct instance *instance)
{
    return dicom_encapsulate_fits(&instance->dicom.archived);
}

/* Whether the bytes that came compressed are kept, and are the image that is asked for. */
static bool has_originals(const struct instance *instance)
{
    return instance->reduce == 0 && instance->record.rebuild.size && instance->dicom.decoded;
}

static bool stores_codestreams(const struct instance *instance)
{
    return item_has_codestreams(instance->item) && !instance->dicom.pixels.across && instance_has_codestreams(instance);
}

const char *instance_syntax(const struct instance *instance)
{
    struct codec_piece pieces[CODEC_MAX_PIECES];
    struct mist_buffer headers = {0};
    const char *syntax = NULL;
    unsigned count = 0;
    if (has_originals(instance))
        return instance->dicom.archived.layout.transfer_syntax;
    if (stores_codestreams(instance) &&
        item_codestream_pieces(instance->item, instance->first_frame, instance->reduce, &headers, pieces, &count,
                               NULL) == MIST_OK &&
        count) /* the first one has the main header */
        syntax = dicom_encapsulate_syntax(&instance->dicom.pixels, pieces[0].data, pieces[0].size);
    mist_buffer_free(&headers);
    return syntax;
}

/* The bytes that came compressed; `out` is empty where none are kept. */
static enum mist_status find_original(const struct instance *instance, uint32_t frame, struct mist_buffer *out,
                                      struct mist_error *error)
{
    struct original_reader reader;
    out->size = 0;
    if (!has_originals(instance))
        return MIST_OK;
    enum mist_status status = original_start(instance->item, instance->first_frame, &instance->record, &reader, error);
    for (uint32_t i = 0; i < frame && !status; i++)
        status = original_skip(&reader, error);
    if (!status)
        status = original_next(&reader, out, error);
    original_end(&reader);
    return status;
}

enum mist_status instance_stored(const struct instance *instance, uint32_t frame, const char **syntax,
                                 struct mist_buffer *out, struct codec_piece pieces[CODEC_MAX_PIECES], unsigned *count,
                                 struct mist_error *error)
{
    const struct dicom_instance *dicom = &instance->dicom;
    *syntax = NULL;
    *count = 0;
    enum mist_status status = find_original(instance, frame, out, error);
    if (status)
        return status;
    if (out->size) {
        pieces[(*count)++] = (struct codec_piece){out->data, out->size};
        *syntax = dicom->archived.layout.transfer_syntax;
        return MIST_OK;
    }
    if (!stores_codestreams(instance))
        return MIST_OK;
    status = item_codestream_pieces(instance->item, instance->first_frame + frame, instance->reduce, out, pieces, count,
                                    error);
    if (!status && *count)
        *syntax = dicom_encapsulate_syntax(&dicom->pixels, pieces[0].data, pieces[0].size);
    if (!*syntax)
        *count = 0;
    return status;
}

/* The picture of a mosaic, put together of its tiles. */
static enum mist_status join_tiles(const struct instance *instance, mist_decoder *decoder, struct mist_view *view,
                                   struct mist_error *error)
{
    const struct dicom_pixels picture = dicom_pixels_picture(&instance->dicom.pixels);
    struct mist_buffer samples = {0};
    enum mist_status status = instance_samples(instance, decoder, 0, &samples, error);
    *view = item_new_view(picture.type, picture.columns, picture.rows, picture.components);
    if (!status && !view->data)
        status = out_of_memory(instance, error);
    if (!status)
        dicom_pixels_unpack(&picture, 0, samples.data, view);
    mist_buffer_free(&samples);
    return status;
}

enum mist_status instance_codestream(const struct instance *instance, mist_decoder *decoder, uint32_t frame,
                                     const char **syntax, struct mist_buffer *out, struct mist_error *error)
{
    const struct dicom_instance *dicom = &instance->dicom;
    const bool mosaic = dicom->pixels.across != 0;
    struct mist_view view = {0};
    enum mist_status status = MIST_OK;
    *syntax = NULL;
    if (!instance_has_codestreams(instance))
        return error_set(error, MIST_ERROR_UNSUPPORTED, "%s: DICOM has no HTJ2K of such samples",
                         instance->item->manifest.file[instance->file].path);
    if (mosaic) {
        status = join_tiles(instance, decoder, &view, error);
    } else {
        view = new_view(instance);
        status = view.data ? each_frame(instance, decoder, instance->first_frame + frame, 1, &view, NULL, NULL, error)
                           : out_of_memory(instance, error);
    }
    struct mist_encode_options options = mist_encode_options_default();
    options.precision = dicom->pixels.precision;
    options.color_transform = dicom->pixels.color == FORMAT_RGB && !dicom->pixels.label;
    if (!status)
        status = mist_encode(decoder->codec, &view, &options, out, error);
    const struct dicom_pixels picture = dicom_pixels_picture(&dicom->pixels);
    if (!status && !(*syntax = dicom_encapsulate_syntax(&picture, out->data, out->size)))
        status = error_set(error, MIST_ERROR_UNSUPPORTED, "%s: its samples do not fit into HTJ2K",
                           instance->item->manifest.file[instance->file].path);
    memory_free(view.data);
    return status;
}
