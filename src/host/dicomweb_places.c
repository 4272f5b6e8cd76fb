/* SPDX-License-Identifier: BSD-2-Clause */
/* The instances that a path names: found in the index, opened one after the other. */
#include "base/error.h"
#include "base/memory.h"
#include "host/access.h"
#include "host/dicomweb.h"
#include "host/reply.h"

#include <string.h>

void dicomweb_places_free(struct dicomweb_places *places)
{
    memory_free(places->place);
    mist_buffer_free(&places->texts);
    *places = (struct dicomweb_places){0};
}

static bool put_text(struct dicomweb_places *places, const char *text, size_t *offset)
{
    *offset = places->texts.size;
    return buffer_append(&places->texts, text, strlen(text) + 1);
}

/* What the instance before has, too, is not kept twice. */
static bool put_same(struct dicomweb_places *places, const char *text, size_t before, bool has_before, size_t *offset)
{
    if (has_before && strcmp(dicomweb_text(places, before), text) == 0) {
        *offset = before;
        return true;
    }
    return put_text(places, text, offset);
}

static bool make_room(struct dicomweb_places *places)
{
    if (places->count < places->capacity)
        return true;
    const size_t capacity = places->capacity ? 2 * places->capacity : 16;
    struct dicomweb_place *grown = memory_allocate_array(capacity, sizeof *grown);
    if (!grown)
        return false;
    if (places->count)
        memcpy(grown, places->place, places->count * sizeof *grown);
    memory_free(places->place);
    places->place = grown;
    places->capacity = capacity;
    return true;
}

static enum mist_status add_place(void *context, const struct dicom_found *found, struct mist_error *error)
{
    struct dicomweb_places *places = context;
    if (places->count == DICOMWEB_MAX_INSTANCES)
        return error_set(error, MIST_ERROR_ARGUMENT,
                         "these are more than %u instances; ask for a series, or for instances one by one",
                         DICOMWEB_MAX_INSTANCES);
    bool good = make_room(places);
    if (good) {
        struct dicomweb_place *place = &places->place[places->count];
        const struct dicomweb_place before = places->count ? place[-1] : (struct dicomweb_place){0};
        const bool has = places->count > 0;
        place->file = found->file;
        good = put_same(places, found->dataset, before.dataset, has, &place->dataset) &&
               put_same(places, found->item, before.item, has, &place->item) &&
               put_same(places, found->study, before.study, has, &place->study) &&
               put_same(places, found->series, before.series, has, &place->series) &&
               put_text(places, found->sop, &place->sop);
        places->count++;
    }
    return good ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "a list of instances: out of memory");
}

bool dicomweb_find(struct request *request, const struct dicomweb_target *target, struct dicomweb_places *places)
{
    const char *const uids[] = {target->study, target->series, target->instance};
    static const uint32_t tags[] = {TAG_STUDY, TAG_SERIES, TAG_SOP_INSTANCE};
    struct dicom_match match[3];
    struct dicom_query query = {
        .level = DICOM_INSTANCE, .dataset = target->dataset, .match = match, .limit = DICOMWEB_MAX_INSTANCES + 1ull};
    struct mist_error error = {0};
    *places = (struct dicomweb_places){0};
    if (!access_find_hidden(request))
        return false;
    query.hidden = request->hidden.name;
    query.hidden_count = request->hidden.count;
    for (unsigned i = 0; i < 3; i++)
        if (uids[i])
            match[query.matches++] = (struct dicom_match){dicom_key_of_tag(tags[i]), uids[i]};
    enum mist_status status = dicom_search_store(request->host->store, &query, add_place, places, &error);
    if (!status && places->count == 0)
        status = error_set(&error, MIST_ERROR_NOT_FOUND, "there is no such %s here",
                           target->instance ? "instance"
                           : target->series ? "series"
                                            : "study");
    if (status) {
        dicomweb_places_free(places);
        reply_failure(request, &error);
    }
    return !status;
}

static enum mist_status open_item(struct request *request, const struct dicomweb_target *target, const char *dataset,
                                  const char *path, struct dicomweb_opened *opened, struct mist_error *error)
{
    int descriptor;
    opened->cache = &request->host->cache;
    enum mist_status status =
        mist_store_open_file(request->host->store, dataset, MIST_CATALOG_ITEM, path, &descriptor, error);
    if (!status)
        status = cache_open(opened->cache, descriptor, path, &opened->item, error);
    if (status) {
        opened->item = NULL;
        return status;
    }
    const unsigned levels = mist_item_info(opened->item->item)->levels;
    return instance_start(opened->item->item, target->reduce < levels ? target->reduce : levels - 1, &opened->instance,
                          error);
}

enum mist_status dicomweb_open(struct request *request, const struct dicomweb_target *target,
                               const struct dicomweb_places *places, size_t index, struct dicomweb_opened *opened,
                               struct mist_error *error)
{
    const struct dicomweb_place *place = &places->place[index], *before = &places->place[opened->place];
    enum mist_status status = MIST_OK;
    if (!opened->item || place->item != before->item || place->dataset != before->dataset) {
        dicomweb_close(opened);
        status = open_item(request, target, dicomweb_text(places, place->dataset), dicomweb_text(places, place->item),
                           opened, error);
    }
    opened->place = index;
    return status ? status : instance_select(&opened->instance, place->file, error);
}

void dicomweb_close(struct dicomweb_opened *opened)
{
    if (!opened->item)
        return;
    instance_end(&opened->instance);
    cache_release(opened->cache, opened->item);
    *opened = (struct dicomweb_opened){0};
}
