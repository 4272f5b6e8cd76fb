/* SPDX-License-Identifier: BSD-2-Clause */
/* One source file of a DICOM item as an instance of DICOMweb: attributes, frames, pictures (format/dicom_instance.h).
 */
#ifndef CONVERT_INSTANCE_H
#define CONVERT_INSTANCE_H

#include "format/dicom_instance.h"
#include "item/export_plan.h"
#include "item/item.h"

#include <mist/item.h>

struct instance {
    const mist_item *item;
    unsigned reduce;
    struct export_grid grid;   /* of what is given: the native one */
    uint32_t file;             /* which one is at hand */
    uint32_t first_frame;      /* of the item */
    struct tail_reader tail;   /* files in ascending order are fast */
    struct tail_record record; /* of the file */
    struct dicom_instance dicom;
};

/*
 * The instances of an item at 1/2^reduce, which must stay open. MIST_ERROR_UNSUPPORTED: it is no DICOM item, or its
 * tail is not here; MIST_ERROR_NOT_FOUND: no such level. instance_end() whatever is returned. Not for two threads at a
 * time.
 */
enum mist_status instance_start(const mist_item *item, unsigned reduce, struct instance *instance,
                                struct mist_error *error);
void instance_end(struct instance *instance);
/* Makes a source file, 0 .. files - 1, the one at hand: what all others speak of. */
enum mist_status instance_select(struct instance *instance, uint32_t file, struct mist_error *error);

/* As dicom_json(); of reduced ones what a derived file would say, but for the identifiers, which are the original's. */
enum mist_status instance_attributes(const struct instance *instance, const struct dicom_json_options *options,
                                     struct mist_buffer *out, struct mist_error *error);

/* The bytes of frame 0 .. dicom.frames - 1 as samples, explicit VR little endian, appended to `out`. */
enum mist_status instance_samples(const struct instance *instance, mist_decoder *decoder, uint32_t frame,
                                  struct mist_buffer *out, struct mist_error *error);

/* The UID of the transfer syntax of frames as they are stored, or NULL: see instance_stored(). */
const char *instance_syntax(const struct instance *instance);
/* Whether instance_codestream() can make codestreams. */
bool instance_has_codestreams(const struct instance *instance);

/*
 * A frame as it is stored: *syntax is the UID of its transfer syntax. Its bytes are `pieces`, which lie in `out` (it is
 * overwritten) and in the item. NULL, and no pieces: it is not stored in a form that DICOM knows (label maps, mosaics,
 * floats, reduced ones of what is kept as it came compressed).
 */
enum mist_status instance_stored(const struct instance *instance, uint32_t frame, const char **syntax,
                                 struct mist_buffer *out, struct codec_piece pieces[CODEC_MAX_PIECES], unsigned *count,
                                 struct mist_error *error);

/*
 * A frame as a lossless HTJ2K codestream with the precision and sign that its attributes declare, appended to `out`.
 * MIST_ERROR_UNSUPPORTED where DICOM has none of such samples (floats, single bits, 32 bits).
 */
enum mist_status instance_codestream(const struct instance *instance, mist_decoder *decoder, uint32_t frame,
                                     const char **syntax, struct mist_buffer *out, struct mist_error *error);

#endif
