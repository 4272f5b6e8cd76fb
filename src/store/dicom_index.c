/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/dicom_index.h"

#include "base/error.h"
#include "base/memory.h"
#include "convert/instance.h"
#include "store/dicom_keys.h"

#include <string.h>

/* The attributes of a level as one object, with a NUL behind it. */
static enum mist_status write_level(const struct instance *instance, enum dicom_level level, struct mist_buffer *out,
                                    struct mist_error *error)
{
    uint32_t tags[DICOM_KEYS_MAX];
    const struct dicom_json_options options = {.only = tags, .only_count = dicom_keys_of_level(level, tags)};
    out->size = 0;
    enum mist_status status = instance_attributes(instance, &options, out, error);
    if (!status && !buffer_append_zeros(out, 1))
        status = error_set(error, MIST_ERROR_MEMORY, "out of memory");
    return status;
}

struct texts {
    struct mist_buffer study, series, instance;
};

static enum mist_status put_item(struct maker *maker, const struct instance *instance, const char *path, uint32_t files,
                                 struct texts *texts, struct mist_error *error)
{
    enum mist_status status = write_level(instance, DICOM_STUDY, &texts->study, error);
    if (!status)
        status = write_level(instance, DICOM_SERIES, &texts->series, error);
    return status ? status
                  : database_run(&maker->database, Q_DICOM_PUT, error, "ititt", maker->id, path, (int64_t)files,
                                 (const char *)texts->study.data, (const char *)texts->series.data);
}

static enum mist_status put_instances(struct maker *maker, struct instance *instance, int64_t id, uint32_t files,
                                      struct texts *texts, struct mist_error *error)
{
    enum mist_status status = MIST_OK;
    for (uint32_t file = 0; file < files && !status; file++) {
        status = instance_select(instance, file, error);
        if (!status)
            status = write_level(instance, DICOM_INSTANCE, &texts->instance, error);
        if (!status)
            status = database_run(&maker->database, Q_DICOM_INSTANCE_PUT, error, "iit", id, (int64_t)file,
                                  (const char *)texts->instance.data);
    }
    return status;
}

enum mist_status dicom_index_put(struct maker *maker, const mist_item *item, const char *path, struct mist_error *error)
{
    const struct mist_item_info *info = mist_item_info(item);
    struct texts texts = {0};
    struct instance instance;
    int64_t id = 0;
    enum mist_status status = database_run(&maker->database, Q_DICOM_DELETE, error, "it", maker->id, path);
    if (status || item->manifest.kind != FORMAT_DICOM)
        return status;
    status = instance_start(item, 0, &instance, error);
    if (!status)
        status = instance_select(&instance, 0, error);
    if (!status)
        status = put_item(maker, &instance, path, info->files, &texts, error);
    if (!status)
        status = database_number(&maker->database, Q_DICOM_ID, &id, error, "it", maker->id, path);
    if (!status && id)
        status = put_instances(maker, &instance, id, info->files, &texts, error);
    if (!status && id)
        status = database_run(&maker->database, Q_DICOM_COUNT, error, "i", id);
    instance_end(&instance);
    mist_buffer_free(&texts.study);
    mist_buffer_free(&texts.series);
    mist_buffer_free(&texts.instance);
    return status;
}
