/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * WADO-RS frames (PS3.18, 10.4.1.1.6): as they are stored, their packets sent from where they lie; as samples; or coded
 * as HTJ2K. Several frames, or one for those who ask so, are the parts of a multipart body (RFC 2046) of known length.
 */
#include "base/checksum.h"
#include "base/error.h"
#include "base/memory.h"
#include "host/dicomweb.h"
#include "host/reply.h"
#include "host/resolution.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MAX_FRAMES = 2048 }; /* of one request */
static const uint64_t MAX_BYTES = (uint64_t)1 << 30;

enum form { FORM_STORED, FORM_SAMPLES, FORM_HTJ2K };

/* One frame on its way out: its head, and pieces that lie in `made` or in the item. */
struct part {
    struct mist_buffer made;
    char head[160];
    struct codec_piece piece[CODEC_MAX_PIECES];
    unsigned pieces;
};

struct frames_reply {
    struct dicomweb_opened opened; /* until all bytes are sent */
    bool multipart;
    enum form form;
    uint32_t frame[MAX_FRAMES];
    unsigned frames;
    char type[160]; /* of the body */
    struct part *part;
    struct MHD_IoVec *vector;
    unsigned vectors;
    uint64_t size;
};

static void release_answer(void *owner)
{
    struct frames_reply *reply = owner;
    for (unsigned i = 0; reply->part && i < reply->frames; i++)
        mist_buffer_free(&reply->part[i].made);
    memory_free(reply->part);
    memory_free(reply->vector);
    dicomweb_close(&reply->opened);
    memory_free(reply);
}

/* ---- what is wanted ---- */

static const char *read_frames(const char *list, uint32_t count, struct frames_reply *reply)
{
    for (const char *at = list;;) {
        char one[12];
        uint64_t number;
        const size_t length = strcspn(at, ",");
        snprintf(one, sizeof one, "%.*s", (int)(length < 11 ? length : 11), at);
        if (!parse_unsigned(one, UINT32_MAX, &number) || number == 0)
            return "frames are numbers from 1 on, with commas between them";
        if (number > count)
            return "the instance has fewer frames";
        if (reply->frames == MAX_FRAMES)
            return "these are too many frames for one request";
        reply->frame[reply->frames++] = (uint32_t)number - 1;
        if (!at[length])
            return NULL;
        at += length + 1;
    }
}

static bool is_any(const char *syntax)
{
    return syntax[0] == '\0' || strcmp(syntax, "*") == 0;
}

/* Whether a range can be had, and in what form. PS3.18, 8.7.3.5: octet-stream means explicit VR little endian unless a
 * transfer syntax is named; "*" is what is stored. */
static bool choose_form(const struct dicomweb_media *media, const struct instance *instance, enum form *form)
{
    const char *stored = instance_syntax(instance);
    const char *stored_type = stored ? dicomweb_media_of_syntax(stored) : "";
    const bool bytes = strcmp(media->type, "application/octet-stream") == 0;
    const bool any = strcmp(media->type, "*/*") == 0 || strcmp(media->type, "application/*") == 0;
    const bool htj2k = dicomweb_media_has(media, "image/jphc") || bytes;
    if (stored && strcmp(media->syntax, stored) == 0 && (bytes || dicomweb_media_has(media, stored_type)))
        *form = FORM_STORED;
    else if (strcmp(media->syntax, DICOMWEB_HTJ2K) == 0 && htj2k && instance_has_codestreams(instance))
        *form = FORM_HTJ2K;
    else if (strcmp(media->syntax, DICOMWEB_EXPLICIT) == 0 && (bytes || any))
        *form = FORM_SAMPLES;
    else if (!is_any(media->syntax))
        return false;
    else if (bytes || any)
        *form = stored && media->syntax[0] ? FORM_STORED : FORM_SAMPLES;
    else if (stored && dicomweb_media_has(media, stored_type))
        *form = FORM_STORED;
    else if (dicomweb_media_has(media, "image/jphc") && instance_has_codestreams(instance))
        *form = FORM_HTJ2K;
    else
        return false;
    return true;
}

static bool choose(struct request *request, struct frames_reply *reply)
{
    struct dicomweb_media media[DICOMWEB_MAX_MEDIA];
    const unsigned count = dicomweb_media_of(request, media);
    for (unsigned i = 0; i < count; i++) {
        /* "Accept: any" of a browser or curl means the parts that DICOMweb has by default. */
        reply->multipart = media[i].multipart || strcmp(media[i].type, "*/*") == 0;
        if ((reply->multipart || reply->frames == 1) && choose_form(&media[i], &reply->opened.instance, &reply->form))
            return true;
    }
    const char *stored = instance_syntax(&reply->opened.instance);
    reply_error(request, MHD_HTTP_NOT_ACCEPTABLE,
                "frames can be had as application/octet-stream%s%s, and several of them as multipart/related",
                stored || instance_has_codestreams(&reply->opened.instance) ? " or " : "",
                stored                                              ? dicomweb_media_of_syntax(stored)
                : instance_has_codestreams(&reply->opened.instance) ? "image/jphc"
                                                                    : "");
    return false;
}

/* ---- making it ---- */

static enum mist_status make_part(struct frames_reply *reply, struct worker *worker, unsigned index,
                                  struct mist_error *error)
{
    const struct instance *instance = &reply->opened.instance;
    struct part *part = &reply->part[index];
    mist_decoder *decoder = worker_decoder(worker);
    const char *syntax = DICOMWEB_EXPLICIT;
    enum mist_status status = MIST_OK;
    if (!decoder)
        return error_set(error, MIST_ERROR_MEMORY, "a frame: out of memory");
    if (reply->form == FORM_STORED)
        status =
            instance_stored(instance, reply->frame[index], &syntax, &part->made, part->piece, &part->pieces, error);
    else if (reply->form == FORM_HTJ2K)
        status = instance_codestream(instance, decoder, reply->frame[index], &syntax, &part->made, error);
    else
        status = instance_samples(instance, decoder, reply->frame[index], &part->made, error);
    if (!status && reply->form == FORM_STORED && !syntax) /* this frame alone is coded otherwise */
        return error_set(error, MIST_ERROR_UNSUPPORTED, "frame %" PRIu32 " is not stored as the others are",
                         reply->frame[index] + 1);
    if (reply->form != FORM_STORED)
        part->piece[part->pieces++] = (struct codec_piece){part->made.data, part->made.size};
    const char *type = dicomweb_media_of_syntax(syntax ? syntax : "");
    if (reply->multipart)
        snprintf(part->head, sizeof part->head,
                 "%s--" DICOMWEB_BOUNDARY "\r\nContent-Type: %s; transfer-syntax=%s\r\n\r\n", index ? "\r\n" : "", type,
                 syntax ? syntax : "");
    if (index == 0 && reply->multipart)
        snprintf(reply->type, sizeof reply->type, "multipart/related; type=\"%s\"; boundary=" DICOMWEB_BOUNDARY, type);
    else if (index == 0)
        snprintf(reply->type, sizeof reply->type, "%s; transfer-syntax=%s", type, syntax ? syntax : "");
    return status;
}

static void put_piece(struct frames_reply *reply, const void *data, size_t size)
{
    if (!size)
        return;
    reply->vector[reply->vectors++] = (struct MHD_IoVec){data, size};
    reply->size += size;
}

static enum mist_status make_parts(struct frames_reply *reply, struct worker *worker, struct mist_error *error)
{
    static const char tail[] = "\r\n--" DICOMWEB_BOUNDARY "--\r\n";
    reply->part = memory_allocate_zeroed(reply->frames, sizeof *reply->part);
    reply->vector = memory_allocate_array((size_t)reply->frames * (CODEC_MAX_PIECES + 1) + 1, sizeof *reply->vector);
    enum mist_status status =
        reply->part && reply->vector ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "frames: out of memory");
    for (unsigned i = 0; i < reply->frames && !status; i++) {
        struct part *part = &reply->part[i];
        status = make_part(reply, worker, i, error);
        if (status)
            break;
        put_piece(reply, part->head, strlen(part->head));
        for (unsigned j = 0; j < part->pieces; j++)
            put_piece(reply, part->piece[j].data, part->piece[j].size);
        if (reply->size > MAX_BYTES)
            status = error_set(error, MIST_ERROR_ARGUMENT, "these frames are more than %" PRIu64 " MB; ask for fewer",
                               MAX_BYTES >> 20);
    }
    if (!status && reply->multipart)
        put_piece(reply, tail, sizeof tail - 1);
    return status;
}

/* `reply` is taken over. */
static void reply_frames(struct request *request, struct worker *worker, struct frames_reply *reply)
{
    struct mist_error error = {0};
    enum mist_status status = make_parts(reply, worker, &error);
    if (status) {
        release_answer(reply);
        reply_failure(request, &error);
        return;
    }
    char type[sizeof reply->type];
    memcpy(type, reply->type, sizeof type);
    struct body body = {.type = type,
                        .negotiated = true,
                        .silent = true,
                        .descriptor = -1,
                        .pieces = reply->vector,
                        .piece_count = reply->vectors,
                        .size = reply->size,
                        .release = release_answer,
                        .owner = reply};
    snprintf(body.etag, sizeof body.etag, "\"%016" PRIx64 "-%" PRIu32 "-%016" PRIx64 "-%u-%u%u\"",
             mist_item_info(reply->opened.item->item)->id, reply->opened.instance.file,
             checksum(reply->frame, reply->frames * sizeof *reply->frame), reply->opened.instance.reduce,
             (unsigned)reply->form, reply->multipart);
    reply_body(request, &body);
}

void dicomweb_frames(struct request *request, struct worker *worker, const struct dicomweb_target *target)
{
    struct dicomweb_places places;
    struct mist_error error = {0};
    const char *problem = NULL;
    if (!dicomweb_find(request, target, &places))
        return;
    struct frames_reply *reply = memory_allocate_zeroed(1, sizeof *reply);
    enum mist_status status = reply ? dicomweb_open(request, target, &places, 0, &reply->opened, &error)
                                    : error_set(&error, MIST_ERROR_MEMORY, "frames: out of memory");
    dicomweb_places_free(&places);
    if (status)
        reply_failure(request, &error);
    else if ((problem = read_frames(target->rest, reply->opened.instance.dicom.frames, reply)) != NULL)
        reply_error(request, strstr(problem, "fewer") ? MHD_HTTP_NOT_FOUND : MHD_HTTP_BAD_REQUEST, "%s", problem);
    else if (choose(request, reply) && (reply->form == FORM_STORED || request_renders(request, worker))) {
        reply_frames(request, worker, reply);
        return;
    }
    if (reply)
        release_answer(reply);
}
