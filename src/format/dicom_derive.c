/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/dicom_derive.h"

#include "base/checksum.h"
#include "base/error.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

enum mist_status dicom_derived_uid(const char *original, const char *how, char uid[DICOM_UID_SIZE],
                                   struct mist_error *error)
{
    char text[512];
    uint8_t hash[EVP_MAX_MD_SIZE];
    int length = snprintf(text, sizeof text, "MIST|%s|%s", original, how);
    if (length >= (int)sizeof text || !EVP_Digest(text, (size_t)length, hash, NULL, EVP_sha256(), NULL))
        return error_set(error, MIST_ERROR_MEMORY, "a DICOM identifier could not be derived");
    hash[6] = (uint8_t)((hash[6] & 0x0f) | 0x80); /* UUID version 8, made by its user's own rules: RFC 9562, 5.8 */
    hash[8] = (uint8_t)((hash[8] & 0x3f) | 0x80); /* its variant: 4.1 */
    char digits[40];                              /* 2^128 has 39 */
    size_t at = sizeof digits - 1;
    digits[at] = '\0';
    for (bool more = true; more && at > 0;) { /* long division of the 16 bytes by 10 */
        unsigned rest = 0;
        more = false;
        for (int i = 0; i < 16; i++) {
            unsigned value = rest << 8 | hash[i];
            hash[i] = (uint8_t)(value / 10);
            rest = value % 10;
            more = more || hash[i];
        }
        digits[--at] = (char)('0' + rest);
    }
    snprintf(uid, DICOM_UID_SIZE, "2.25.%s", digits + at);
    return MIST_OK;
}

/* "1/4 of the resolution, each sample on a sample of the original" and so on; also what identifiers depend on. */
static void describe(const struct format_target *target, const struct dicom_pixels *reduced, char *text, size_t size)
{
    const struct dicom_pixels picture = dicom_pixels_picture(reduced);
    char how[96];
    if (!target->resampled)
        snprintf(how, sizeof how, "5/3 wavelet low-pass, sample n on sample %lu n of the original",
                 1ul << target->reduce);
    else if (target->reduce)
        snprintf(how, sizeof how, "5/3 wavelet low-pass at 1/%lu, resampled to the centred grid",
                 1ul << target->reduce);
    else
        snprintf(how, sizeof how, "resampled to the centred grid");
    if (target->info.label && !target->resampled)
        snprintf(how, sizeof how, "every %lu-th sample of the original", 1ul << target->reduce);
    snprintf(text, size, "Reduced by MIST to %u x %u: %s%s", picture.columns, picture.rows,
             picture.frames == reduced->frames ? "" : "each tile of the mosaic by itself, ", how);
}

/* What an output without codestreams cannot say as the original did. */
static void describe_samples(const struct dicom_archived *archived, const struct dicom_pixels *pixels,
                             struct dicom_derivation *derivation)
{
    const struct dicom_header *header = &archived->header;
    const char *photometric = header->photometric;
    bool decoded = archived->layout.fragments;
    if (pixels->color == FORMAT_RGB && decoded && strncmp(photometric, "YBR_", 4) == 0)
        strcpy(derivation->photometric, "RGB");
    else if (strcmp(photometric, "YBR_FULL_422") == 0 && !pixels->halved)
        strcpy(derivation->photometric, "YBR_FULL");
    derivation->words = pixels->allocated > 8;
    derivation->interleaved = decoded && pixels->components > 1 && !pixels->planar && header->planar;
    unsigned high = pixels->shift + pixels->precision - 1;
    if (archived->layout.real)
        return;
    if (pixels->allocated != header->bits_allocated)
        derivation->bits_allocated = pixels->allocated;
    if (pixels->precision != header->bits_stored || high != header->high_bit) {
        derivation->bits_stored = pixels->precision;
        derivation->high_bit = high;
    }
}

/*
 * Where the first sample lies in the original along axis 0 or 1. A mosaic's position is that of a picture as large as
 * it around the first slice's centre: that of the slice moves as of any image, and the picture around it has another
 * size.
 */
static double origin_of(const struct format_target *target, const struct dicom_pixels *full,
                        const struct dicom_pixels *reduced, unsigned axis)
{
    const double shift = target->sampling.shift[axis], more = full->across ? full->across - 1.0 : 0;
    const double before = axis ? full->rows : full->columns, after = axis ? reduced->rows : reduced->columns;
    return shift + more * (before - target->sampling.factor[axis] * after) / 2;
}

enum mist_status dicom_derivation_make(const struct format_target *target, const struct dicom_archived *archived,
                                       const struct dicom_pixels *reduced, struct dicom_derivation *derivation,
                                       struct mist_error *error)
{
    const struct dicom_header *original = &archived->header;
    uint64_t bytes = reduced->total_bytes + (reduced->total_bytes & 1); /* PS3.5, 8.1.1: padded to an even length */
    const bool encapsulated = target->syntax == FORMAT_SYNTAX_HTJ2K;
    const struct dicom_pixels picture = dicom_pixels_picture(reduced);
    if (bytes >= UINT32_MAX && !encapsulated)
        return error_set(error, MIST_ERROR_LIMIT, "%llu bytes of pixels do not fit into a DICOM file",
                         (unsigned long long)bytes);
    *derivation = (struct dicom_derivation){
        .factor = {target->sampling.factor[0], target->sampling.factor[1]},
        .slice_factor = target->sampling.factor[2],
        .shift = {target->sampling.shift[0], target->sampling.shift[1]},
        .origin = {origin_of(target, &archived->pixels, reduced, 0), origin_of(target, &archived->pixels, reduced, 1)},
        .columns = picture.columns,
        .rows = picture.rows,
        .pixel_bytes = encapsulated ? UINT32_MAX : (uint32_t)bytes,
        .explicit_vr = target->syntax != FORMAT_SYNTAX_SOURCE,
        .encapsulated = encapsulated,
        .same_image = target->reduce == 0 && !target->resampled,
        .keep_uids = target->keep_uids,
    };
    if (derivation->same_image && !archived->layout.fragments && !derivation->explicit_vr)
        derivation->pixel_bytes = archived->layout.pixel_bytes; /* all of it comes back, what is behind samples too */
    describe_samples(archived, reduced, derivation);
    describe(target, reduced, derivation->description, sizeof derivation->description);
    char how[96];
    snprintf(how, sizeof how, "%u|%s|%ux%u", target->reduce, target->resampled ? "center" : "native", reduced->columns,
             reduced->rows);
    /* An original that does not identify itself is known by its header. */
    char header[32];
    snprintf(header, sizeof header, "%016" PRIx64,
             checksum(target->archive->prefix.data, target->archive->prefix.size));
    const char *instance = *original->sop_instance ? original->sop_instance : header;
    const char *series = *original->series ? original->series : header;
    enum mist_status status = dicom_derived_uid(instance, how, derivation->sop_instance, error);
    return status ? status : dicom_derived_uid(series, how, derivation->series, error);
}
