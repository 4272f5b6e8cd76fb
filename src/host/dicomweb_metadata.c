/* SPDX-License-Identifier: BSD-2-Clause */
/* WADO-RS metadata and bulk data (PS3.18, 10.4.1.1.2 and 10.4.1.1.5): what the archival tails say. */
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "host/dicomweb.h"
#include "host/reply.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const size_t MAX_ANSWER = (size_t)256 << 20;

static enum mist_status out_of_memory(struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "metadata: out of memory");
}

/* AvailableTransferSyntaxUID (PS3.3, C.12.1.1.17 ...): in which frames can be had. */
static enum mist_status put_syntaxes(const struct instance *instance, struct mist_buffer *out, struct mist_error *error)
{
    const char *stored = instance_syntax(instance);
    const bool other = stored && strcmp(stored, DICOMWEB_HTJ2K) != 0;
    bool good = json_put(out, "{\"vr\":\"UI\",\"Value\":[\"" DICOMWEB_EXPLICIT "\"");
    if (good && stored)
        good = json_put(out, ",") && json_put_string(out, stored);
    if (good && (other || !stored) && instance_has_codestreams(instance))
        good = json_put(out, ",\"" DICOMWEB_HTJ2K "\"");
    return good && json_put(out, "]}") && buffer_append_zeros(out, 1) ? MIST_OK : out_of_memory(error);
}

struct metadata {
    struct mist_buffer text, bulk, syntaxes;
};

static enum mist_status add_instance(const struct dicomweb_target *target, const struct dicomweb_places *places,
                                     size_t index, const struct instance *instance, struct metadata *metadata,
                                     struct mist_error *error)
{
    const struct dicomweb_place *place = &places->place[index];
    metadata->bulk.size = metadata->syntaxes.size = 0;
    const struct dicomweb_target whole = {.dataset = target->dataset}; /* bulk data has no level */
    if (!dicomweb_put_url(&whole, dicomweb_text(places, place->study), dicomweb_text(places, place->series),
                          dicomweb_text(places, place->sop), &metadata->bulk) ||
        !json_put(&metadata->bulk, "/bulkdata/") || !buffer_append_zeros(&metadata->bulk, 1))
        return out_of_memory(error);
    enum mist_status status = put_syntaxes(instance, &metadata->syntaxes, error);
    if (status)
        return status;
    const struct dicom_json_member more = {TAG_AVAILABLE_TRANSFER_SYNTAX, (const char *)metadata->syntaxes.data};
    const struct dicom_json_options options = {
        .bulk = (const char *)metadata->bulk.data, .more = &more, .more_count = 1};
    if (metadata->text.size > MAX_ANSWER)
        return error_set(error, MIST_ERROR_ARGUMENT,
                         "the metadata are more than %zu MB; ask for a series, or for instances one by one",
                         MAX_ANSWER >> 20);
    if (!json_put(&metadata->text, index ? ",\n" : "\n"))
        return out_of_memory(error);
    return instance_attributes(instance, &options, &metadata->text, error);
}

void dicomweb_metadata(struct request *request, struct worker *worker, const struct dicomweb_target *target)
{
    struct dicomweb_places places;
    struct dicomweb_opened opened = {0};
    struct metadata metadata = {0};
    struct mist_error error = {0};
    (void)worker;
    if (!dicomweb_find(request, target, &places))
        return;
    enum mist_status status = json_put(&metadata.text, "[") ? MIST_OK : out_of_memory(&error);
    for (size_t i = 0; i < places.count && !status; i++) {
        status = dicomweb_open(request, target, &places, i, &opened, &error);
        if (!status)
            status = add_instance(target, &places, i, &opened.instance, &metadata, &error);
    }
    if (!status && !json_put(&metadata.text, "]\n"))
        status = out_of_memory(&error);
    dicomweb_close(&opened);
    if (status)
        reply_failure(request, &error);
    else
        reply_text(request, "application/dicom+json", &metadata.text);
    mist_buffer_free(&metadata.text);
    mist_buffer_free(&metadata.bulk);
    mist_buffer_free(&metadata.syntaxes);
    dicomweb_places_free(&places);
}

/* ---- bulk data ---- */

static bool read_tag(const char *text, uint32_t *tag)
{
    *tag = 0;
    for (unsigned i = 0; i < 8; i++) {
        const int digit = hex_value(text[i]);
        if (digit < 0)
            return false;
        *tag = *tag << 4 | (uint32_t)digit;
    }
    return text[8] == '\0';
}

static void release_buffer(void *owner)
{
    mist_buffer_free(owner);
    memory_free(owner);
}

/* One part, or the value alone. */
static void reply_value(struct request *request, const struct mist_buffer *value, const char *etag)
{
    static const char head[] = "--" DICOMWEB_BOUNDARY "\r\nContent-Type: application/octet-stream\r\n\r\n";
    static const char tail[] = "\r\n--" DICOMWEB_BOUNDARY "--\r\n";
    struct dicomweb_media media[DICOMWEB_MAX_MEDIA];
    const unsigned count = dicomweb_media_of(request, media);
    unsigned chosen = 0;
    while (chosen < count && !dicomweb_media_has(&media[chosen], "application/octet-stream"))
        chosen++;
    if (chosen == count) {
        reply_error(request, MHD_HTTP_NOT_ACCEPTABLE, "bulk data can be had as application/octet-stream");
        return;
    }
    struct mist_buffer *whole = memory_allocate_zeroed(1, sizeof *whole);
    bool good = whole != NULL;
    if (good && media[chosen].multipart)
        good = buffer_append(whole, head, sizeof head - 1) && buffer_append(whole, value->data, value->size) &&
               buffer_append(whole, tail, sizeof tail - 1);
    else if (good)
        good = buffer_append(whole, value->data, value->size);
    if (!good) {
        if (whole)
            release_buffer(whole);
        reply_failure(request, &(struct mist_error){MIST_ERROR_MEMORY, "bulk data: out of memory"});
        return;
    }
    const struct MHD_IoVec piece = {whole->data, whole->size};
    struct body body = {.type =
                            media[chosen].multipart
                                ? "multipart/related; type=\"application/octet-stream\"; boundary=" DICOMWEB_BOUNDARY
                                : "application/octet-stream",
                        .negotiated = true,
                        .descriptor = -1,
                        .pieces = &piece,
                        .piece_count = 1,
                        .size = whole->size,
                        .release = release_buffer,
                        .owner = whole};
    snprintf(body.etag, sizeof body.etag, "%s", etag);
    reply_body(request, &body);
}

void dicomweb_bulkdata(struct request *request, struct worker *worker, const struct dicomweb_target *target)
{
    struct dicomweb_places places;
    struct dicomweb_opened opened = {0};
    struct mist_buffer value = {0};
    struct mist_error error = {0};
    char etag[ETAG_SIZE];
    uint32_t tag;
    (void)worker;
    if (!read_tag(target->rest, &tag)) {
        reply_error(request, MHD_HTTP_NOT_FOUND, "an attribute is named by eight hexadecimal digits");
        return;
    }
    if (!dicomweb_find(request, target, &places))
        return;
    enum mist_status status = dicomweb_open(request, target, &places, 0, &opened, &error);
    if (!status)
        status = dicom_instance_value(&opened.instance.dicom, tag, &value, &error);
    if (!status)
        snprintf(etag, sizeof etag, "\"%016" PRIx64 "-%" PRIu32 "-%08" PRIx32 "\"",
                 mist_item_info(opened.item->item)->id, places.place[0].file, tag);
    dicomweb_close(&opened);
    if (status)
        reply_failure(request, &error);
    else
        reply_value(request, &value, etag);
    mist_buffer_free(&value);
    dicomweb_places_free(&places);
}
