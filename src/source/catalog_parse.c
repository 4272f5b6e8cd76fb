/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON lines -> rows. Whatever is in a line, what comes out of here keeps to the limits. */
#include "source/catalog.h"
#include "source/card.h"
#include "source/tree_list.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/json.h"

#include <ctype.h>
#include <string.h>

/* Which keys a line had: each item needs all of these. */
enum {
    HAS_FORMAT = 1,
    HAS_TYPE = 2,
    HAS_WIDTH = 4,
    HAS_HEIGHT = 8,
    HAS_LEVELS = 16,
    HAS_ENDS = 32,
    HAS_SIZE = 64,
    HAS_ID = 128,
    HAS_ALL = 255
};

/*
 * What is gathered while a line is read. Texts are appended to row->text, which moves as it grows: where they start is
 * kept until the line is read.
 */
struct gather {
    struct json_reader json;
    struct catalog_row *row;
    size_t path_at;  /* the entry's path */
    size_t files_at; /* the paths of its files, one behind the other, each with its NUL */
    bool path_seen;
    bool file_seen; /* an attachment's "file" */
    unsigned has;
    size_t label, kept, table; /* texts; SIZE_MAX where there is none */
    size_t columns_at;         /* names and values, one behind the other, each with its NUL */
    uint64_t volumes;
    uint64_t frames_of_files;
    const char *wrong; /* what is wrong beyond the syntax */
};

/* Appends a path to row->text; it must be safe. */
static void gather_path(struct gather *gather)
{
    size_t offset, length;
    if (json_text(&gather->json, &gather->row->text, &offset, &length) &&
        !path_is_safe((const char *)gather->row->text.data + offset, length))
        gather->wrong = "a path that is not safe";
}

static void gather_files(struct gather *gather)
{
    char key[16];
    gather->row->files.size = 0;
    gather->files_at = gather->row->text.size;
    json_enter_array(&gather->json);
    while (json_element(&gather->json) && !gather->wrong) {
        struct mist_catalog_file file = {NULL, 1};
        unsigned paths = 0;
        json_enter_object(&gather->json);
        while (json_key(&gather->json, key, sizeof key)) {
            if (strcmp(key, "path") == 0) {
                gather_path(gather);
                paths++;
            } else if (strcmp(key, "frames") == 0) {
                file.frames = (uint32_t)json_unsigned(&gather->json, MIST_MAX_FRAMES);
            } else {
                json_skip(&gather->json);
            }
        }
        if (paths != 1 || (file.frames == 0 && gather->row->files.size > 0))
            gather->wrong = "a file without path or frames";
        gather->frames_of_files += file.frames;
        if (!buffer_append(&gather->row->files, &file, sizeof file))
            gather->json.failed = true;
        if (gather->frames_of_files > MIST_MAX_FRAMES)
            gather->wrong = "too many frames";
    }
}

/* A text of a column: one with a NUL in it would end early. */
static void check_text(struct gather *gather, size_t offset, size_t length)
{
    if (strlen((const char *)gather->row->text.data + offset) != length)
        gather->wrong = "a column with a NUL in it";
}

/* Their texts follow one another; where these are is known when the line is read. */
static void gather_columns(struct gather *gather)
{
    static const struct mist_catalog_column none;
    size_t name, value, name_length, length;
    gather->row->columns.size = 0;
    gather->columns_at = gather->row->text.size;
    json_enter_object(&gather->json);
    while (!gather->wrong && json_key_text(&gather->json, &gather->row->text, &name, &name_length) &&
           json_text(&gather->json, &gather->row->text, &value, &length)) {
        check_text(gather, name, name_length);
        check_text(gather, value, length);
        if (gather->row->columns.size >= CATALOG_MAX_COLUMNS * sizeof none)
            gather->wrong = "too many columns";
        else if (!buffer_append(&gather->row->columns, &none, sizeof none))
            gather->json.failed = true;
    }
}

static void gather_ends(struct gather *gather)
{
    json_enter_array(&gather->json);
    while (json_element(&gather->json)) {
        uint64_t end = json_unsigned(&gather->json, CATALOG_MAX_BYTES);
        if (gather->row->ends.size >= MIST_MAX_LEVELS * (MIST_MAX_STEPS + 1) * sizeof end) {
            gather->wrong = "too many levels";
            return;
        }
        if (!buffer_append(&gather->row->ends, &end, sizeof end))
            gather->json.failed = true;
    }
}

static void gather_spacing(struct gather *gather)
{
    unsigned count = 0;
    json_enter_array(&gather->json);
    while (json_element(&gather->json)) {
        double value = json_number(&gather->json);
        if (count < 3)
            gather->row->entry.item.image.geometry.spacing[count] = value;
        if (++count > 3 || value < 0 || value > 1e9)
            gather->wrong = "an impossible spacing";
        if (count > 3)
            return;
    }
}

static void gather_axes(struct gather *gather)
{
    uint8_t *axes = gather->row->entry.item.image.axes;
    unsigned count = 0, seen = 0;
    json_enter_array(&gather->json);
    while (json_element(&gather->json) && count < 3) {
        axes[count] = (uint8_t)json_unsigned(&gather->json, 2);
        seen |= 1u << axes[count++];
    }
    if (seen != 7)
        gather->wrong = "impossible axes";
}

static void gather_format(struct gather *gather)
{
    char *format = gather->row->entry.item.format;
    json_short_string(&gather->json, format, sizeof gather->row->entry.item.format);
    for (const char *p = format; *p; p++)
        if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p))
            gather->wrong = "an impossible format";
    if (!*format)
        gather->wrong = "an impossible format";
}

static void gather_type(struct gather *gather)
{
    char name[8];
    if (!json_short_string(&gather->json, name, sizeof name))
        return;
    gather->row->entry.item.image.type = mist_sample_type_from_name(name);
    if (gather->row->entry.item.image.type == MIST_SAMPLE_TYPES)
        gather->wrong = "an unknown sample type";
}

/* One member of an image's description; false if the key is not of these. */
static bool gather_image(struct gather *gather, const char *key)
{
    struct json_reader *json = &gather->json;
    struct mist_image_info *image = &gather->row->entry.item.image;
    if (strcmp(key, "format") == 0) {
        gather->has |= HAS_FORMAT;
        gather_format(gather);
    } else if (strcmp(key, "type") == 0) {
        gather->has |= HAS_TYPE;
        gather_type(gather);
    } else if (strcmp(key, "width") == 0) {
        gather->has |= HAS_WIDTH;
        image->width = (uint32_t)json_unsigned(json, MIST_MAX_SIDE);
    } else if (strcmp(key, "height") == 0) {
        gather->has |= HAS_HEIGHT;
        image->height = (uint32_t)json_unsigned(json, MIST_MAX_SIDE);
    } else if (strcmp(key, "slices") == 0) {
        image->slices = (uint32_t)json_unsigned(json, MIST_MAX_FRAMES);
    } else if (strcmp(key, "volumes") == 0) {
        gather->volumes = json_unsigned(json, MIST_MAX_FRAMES);
    } else if (strcmp(key, "axes") == 0) {
        gather_axes(gather);
    } else if (strcmp(key, "components") == 0) {
        image->components = (uint32_t)json_unsigned(json, MIST_MAX_COMPONENTS);
    } else if (strcmp(key, "precision") == 0) {
        image->precision = (unsigned)json_unsigned(json, 64);
    } else if (strcmp(key, "label") == 0) {
        size_t length;
        image->label = json_text(json, &gather->row->text, &gather->label, &length);
    } else if (strcmp(key, "spacing") == 0) {
        gather_spacing(gather);
    } else {
        return false;
    }
    return true;
}

static void gather_member(struct gather *gather, const char *key)
{
    struct json_reader *json = &gather->json;
    struct mist_catalog_item *item = &gather->row->entry.item;
    struct mist_catalog_attachment *attachment = &gather->row->entry.attachment;
    if (strcmp(key, "path") == 0 || strcmp(key, "file") == 0) {
        if (gather->path_seen)
            gather->wrong = "two paths";
        gather->path_seen = true;
        gather->file_seen = *key == 'f';
        gather->path_at = gather->row->text.size;
        gather_path(gather);
    } else if (strcmp(key, "levels") == 0) {
        gather->has |= HAS_LEVELS;
        item->levels = (unsigned)json_unsigned(json, MIST_MAX_LEVELS);
    } else if (strcmp(key, "steps") == 0) {
        item->steps = (unsigned)json_unsigned(json, MIST_MAX_STEPS);
    } else if (strcmp(key, "centred") == 0) {
        item->centred = json_boolean(json);
    } else if (strcmp(key, "kept") == 0) {
        size_t length;
        json_text(json, &gather->row->text, &gather->kept, &length);
    } else if (strcmp(key, "head_end") == 0) {
        item->head_end = json_unsigned(json, CATALOG_MAX_BYTES);
    } else if (strcmp(key, "ends") == 0) {
        gather->has |= HAS_ENDS;
        gather->row->ends.size = 0;
        gather_ends(gather);
    } else if (strcmp(key, "size") == 0) {
        gather->has |= HAS_SIZE;
        item->size = attachment->size = json_unsigned(json, CATALOG_MAX_BYTES);
    } else if (strcmp(key, "id") == 0) {
        gather->has |= HAS_ID;
        item->id = json_hexadecimal(json);
    } else if (strcmp(key, "checksum") == 0) {
        gather->has |= HAS_ID;
        attachment->checksum = json_hexadecimal(json);
    } else if (strcmp(key, "source_bytes") == 0) {
        item->source_bytes = json_unsigned(json, CATALOG_MAX_BYTES);
    } else if (strcmp(key, "files") == 0) {
        gather->frames_of_files = 0;
        gather_files(gather);
    } else if (strcmp(key, "columns") == 0) {
        gather_columns(gather);
    } else if (strcmp(key, "table") == 0) {
        size_t length;
        json_text(json, &gather->row->text, &gather->table, &length);
    } else if (strcmp(key, "wide") == 0) {
        attachment->wide = json_boolean(json);
    } else if (!gather_image(gather, key)) {
        json_skip(json);
    }
}

/* What an item's numbers must satisfy among each other. */
static const char *item_problem(struct mist_catalog_item *item, const struct mist_buffer *all_ends)
{
    const uint64_t *ends = (const uint64_t *)(const void *)all_ends->data;
    size_t count = all_ends->size / sizeof *ends;
    const struct mist_image_info *image = &item->image;
    if (image->width == 0 || image->height == 0 || image->frames == 0 || image->components == 0)
        return "an empty image";
    if (mist_frame_bytes(image->type, image->width, image->height, image->components) == 0)
        return "a frame that is too large";
    if (image->precision == 0 || image->precision > 8 * mist_sample_size(image->type))
        return "an impossible precision";
    if (item->levels == 0 || count != item->levels * (item->steps + (size_t)1))
        return "ends that do not match its levels";
    if (item->levels > mist_level_count(image->width, image->height))
        return "more levels than its size has";
    if (item->steps && ((uint64_t)15 << item->steps) >= image->slices)
        return "more slice steps than it has slices for";
    uint64_t before = item->head_end;
    for (size_t range = 0; range < count; range++) {
        if (ends[range] < before || item->head_end == 0)
            return "ends that do not ascend";
        before = ends[range];
        item->level_end[range / (item->steps + 1)] = before;
    }
    item->range_end = ends;
    return item->size < before ? "a size below its last end" : NULL;
}

/* The columns get their texts. */
static void finish_columns(struct gather *gather)
{
    struct catalog_row *row = gather->row;
    struct mist_catalog_column *columns = (struct mist_catalog_column *)(void *)row->columns.data;
    size_t count = row->columns.size / sizeof *columns;
    const char *text = (const char *)row->text.data + gather->columns_at;
    for (size_t i = 0; i < count; i++) {
        columns[i].name = text;
        text += strlen(text) + 1;
        columns[i].value = text;
        text += strlen(text) + 1;
    }
    row->entry.item.column_count = (uint32_t)count;
    row->entry.item.columns = columns;
}

/* The files get their paths; items get the one file that is their own path where none is listed. */
static void finish_item(struct gather *gather)
{
    struct catalog_row *row = gather->row;
    struct mist_catalog_item *item = &row->entry.item;
    uint64_t frames = item->image.slices * gather->volumes;
    item->image.frames = frames > MIST_MAX_FRAMES ? 0 : (uint32_t)frames;
    if (gather->label != SIZE_MAX)
        item->label = (const char *)row->text.data + gather->label;
    if (gather->kept != SIZE_MAX)
        item->kept = (const char *)row->text.data + gather->kept;
    if (gather->has != HAS_ALL)
        gather->wrong = "something missing";
    else
        gather->wrong = item_problem(item, &row->ends);
    if (gather->wrong)
        return;
    finish_columns(gather);
    struct mist_catalog_file *files = (struct mist_catalog_file *)(void *)row->files.data;
    size_t count = row->files.size / sizeof *files;
    const char *path = (const char *)row->text.data + gather->files_at;
    for (size_t i = 0; i < count; i++, path += strlen(path) + 1)
        files[i].path = path;
    if (count == 0) {
        struct mist_catalog_file self = {item->path, item->image.frames};
        if (!buffer_append(&row->files, &self, sizeof self)) {
            gather->json.failed = true;
            return;
        }
        count = 1;
    } else if (gather->frames_of_files != item->image.frames) {
        gather->wrong = "files that do not make up its frames";
    }
    item->file_count = (uint32_t)count;
    item->files = (const struct mist_catalog_file *)(const void *)row->files.data;
}

enum mist_status catalog_row_parse(const char *line, size_t size, struct catalog_row *row, struct mist_error *error)
{
    struct gather gather = {.json = json_start(line, size),
                            .row = row,
                            .label = SIZE_MAX,
                            .kept = SIZE_MAX,
                            .table = SIZE_MAX,
                            .volumes = 1};
    char key[16];
    row->text.size = row->files.size = row->ends.size = row->columns.size = 0;
    row->entry = (struct mist_catalog_entry){.kind = MIST_CATALOG_ITEM};
    row->entry.item.image.slices = row->entry.item.image.components = 1;
    for (uint8_t axis = 0; axis < 3; axis++)
        row->entry.item.image.axes[axis] = axis;
    json_enter_object(&gather.json);
    while (!gather.wrong && json_key(&gather.json, key, sizeof key))
        gather_member(&gather, key);
    if (!gather.wrong && !json_finished(&gather.json))
        gather.wrong = "something that is no JSON object of the expected form";
    if (!gather.wrong && !gather.path_seen)
        gather.wrong = "no path";
    if (!gather.wrong && row->entry.item.image.precision == 0)
        row->entry.item.image.precision = (unsigned)(8 * mist_sample_size(row->entry.item.image.type));
    if (!gather.wrong) {
        row->entry.item.path = row->entry.attachment.path = (const char *)row->text.data + gather.path_at;
        if (!gather.file_seen)
            finish_item(&gather);
        else if ((gather.has & (HAS_SIZE | HAS_ID)) != (HAS_SIZE | HAS_ID))
            gather.wrong = "something missing";
        else
            row->entry.kind = MIST_CATALOG_ATTACHMENT;
        if (gather.file_seen && gather.kept != SIZE_MAX)
            row->entry.attachment.kept = (const char *)row->text.data + gather.kept;
        if (gather.file_seen && gather.table != SIZE_MAX)
            row->entry.attachment.table = (const char *)row->text.data + gather.table;
    }
    if (gather.wrong || gather.json.failed)
        return error_set(error, MIST_ERROR_CORRUPT, "a catalog row has %s",
                         gather.wrong ? gather.wrong : "too much in it for the memory");
    return MIST_OK;
}

static void parse_tree(struct json_reader *json, struct mist_dataset_tree *tree)
{
    char key[16];
    json_enter_object(json);
    while (json_key(json, key, sizeof key)) {
        if (strcmp(key, "size") == 0)
            tree->size = json_unsigned(json, CATALOG_MAX_BYTES);
        else if (strcmp(key, "checksum") == 0)
            tree->checksum = json_hexadecimal(json);
        else if (!tree_count_read(json, key, tree))
            json_skip(json);
    }
}

enum mist_status catalog_header_parse(const char *line, size_t size, struct mist_dataset_info *info,
                                      struct mist_error *error)
{
    struct json_reader json = json_start(line, size);
    char key[16], format[16] = "";
    uint64_t version = 0;
    *info = (struct mist_dataset_info){0};
    json_enter_object(&json);
    while (json_key(&json, key, sizeof key)) {
        if (strcmp(key, "format") == 0)
            json_short_string(&json, format, sizeof format);
        else if (strcmp(key, "version") == 0)
            version = json_unsigned(&json, UINT32_MAX);
        else if (strcmp(key, "dataset") == 0)
            json_short_string(&json, info->name, sizeof info->name);
        else if (strcmp(key, "items") == 0)
            info->items = json_unsigned(&json, CATALOG_MAX_ENTRIES);
        else if (strcmp(key, "files") == 0)
            info->attachments = json_unsigned(&json, CATALOG_MAX_ENTRIES);
        else if (strcmp(key, "source_bytes") == 0)
            info->source_bytes = json_unsigned(&json, CATALOG_MAX_BYTES);
        else if (strcmp(key, "item_bytes") == 0)
            info->item_bytes = json_unsigned(&json, CATALOG_MAX_BYTES);
        else if (strcmp(key, "file_bytes") == 0)
            info->attachment_bytes = json_unsigned(&json, CATALOG_MAX_BYTES);
        else if (strcmp(key, "id") == 0)
            info->id = json_hexadecimal(&json);
        else if (strcmp(key, "card") == 0)
            card_read(&json, &info->card);
        else if (strcmp(key, "tree") == 0)
            parse_tree(&json, &info->tree);
        else
            json_skip(&json);
    }
    if (strcmp(format, "mist-catalog") != 0)
        return error_set(error, MIST_ERROR_CORRUPT, "not a MIST catalog");
    if (version != CATALOG_VERSION)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "a catalog of version %llu; this program reads version %d",
                         (unsigned long long)version, CATALOG_VERSION);
    if (!json_finished(&json) || !mist_dataset_name_is_valid(info->name))
        return error_set(error, MIST_ERROR_CORRUPT, "the first line of the catalog is damaged");
    return MIST_OK;
}
