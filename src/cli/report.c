/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void print_note(void *context, const char *path, const char *sentence)
{
    struct noted *noted = context;
    if (noted->most && ++noted->count > noted->most)
        return;
    progress_pause(noted->display);
    /* Sentences about a file mostly start with its name. */
    size_t length = strlen(path);
    bool named = strncmp(sentence, path, length) == 0 && sentence[length] == ':';
    complain(noted->arguments, "%s%s%s", named ? "" : path, named ? "" : ": ", sentence);
}

void print_notes_left(const struct noted *noted)
{
    if (noted->most && noted->count > noted->most)
        complain(noted->arguments, "%llu more files like these; --verbose names them all", noted->count - noted->most);
}

bool option_transfer_syntax(const struct arguments *arguments, const char **name)
{
    *name = option_value(arguments, "transfer-syntax");
    if (!*name || strcmp(*name, "explicit") == 0 || strcmp(*name, "htj2k") == 0)
        return true;
    usage_error(arguments, "--transfer-syntax is explicit or htj2k, not '%s'", *name);
    return false;
}

bool option_jobs(const struct arguments *arguments, unsigned *jobs)
{
    *jobs = 0;
    return option_unsigned(arguments, "jobs", 1, 256, jobs);
}

bool option_resolution(const struct arguments *arguments, struct mist_resolution_request *request)
{
    static const char *const names[] = {
        [MIST_POLICY_CLOSEST] = "closest", [MIST_POLICY_AT_LEAST] = "at-least", [MIST_POLICY_AT_MOST] = "at-most"};
    *request = (struct mist_resolution_request){.by_reduce = option_given(arguments, "reduce")};
    int asked = request->by_reduce + option_given(arguments, "size");
    if (!option_reduce(arguments, "reduce", &request->reduce, &request->step) ||
        !option_size(arguments, "size", &request->width, &request->height, &request->depth))
        return false;
    asked += option_given(arguments, "spacing");
    if (!option_spacing(arguments, "spacing", request->spacing))
        return false;
    if (asked > 1) {
        usage_error(arguments, "only one of --size, --reduce, --spacing can be chosen by");
        return false;
    }
    const char *policy = option_value(arguments, "policy");
    for (size_t i = 0; policy && i < sizeof names / sizeof *names; i++)
        if (strcmp(policy, names[i]) == 0) {
            request->policy = (enum mist_policy)i;
            return true;
        }
    if (policy)
        usage_error(arguments, "--policy is closest, at-least or at-most, not '%s'", policy);
    return !policy;
}

bool option_grid(const struct arguments *arguments, struct mist_resolution_request *request)
{
    const char *grid = option_value(arguments, "grid");
    request->exact = option_given(arguments, "exact");
    request->grid = grid && strcmp(grid, "center") == 0 ? MIST_GRID_CENTER : MIST_GRID_NATIVE;
    if (request->exact && !option_given(arguments, "size")) {
        usage_error(arguments, "--exact needs --size");
        return false;
    }
    if (request->exact && !option_given(arguments, "policy")) /* shrink from the next larger level, not blow up */
        request->policy = MIST_POLICY_AT_LEAST;
    if (!grid || request->grid == MIST_GRID_CENTER || strcmp(grid, "native") == 0)
        return true;
    usage_error(arguments, "--grid is native or center, not '%s'", grid);
    return false;
}

struct mist_catalog_item item_row(const struct mist_item_info *info)
{
    struct mist_catalog_item row = {
        .image = info->image,
        .levels = info->levels,
        .steps = info->steps,
        .centred = info->centred,
        .label = info->label,
        .kept = info->kept,
        .head_end = info->head_end,
        .range_end = info->range_end,
        .size = info->size,
        .id = info->id,
        .source_bytes = info->source_bytes,
    };
    memcpy(row.format, info->format, sizeof row.format);
    memcpy(row.level_end, info->level_end, sizeof row.level_end);
    return row;
}

const char *format_shape(const struct mist_image_info *image, uint32_t width, uint32_t height, uint32_t frames,
                         char text[64])
{
    int used = snprintf(text, 64, "%ux%u", width, height);
    if (frames > 1)
        used += snprintf(text + used, 64 - (size_t)used, "x%u", frames);
    if (image->components > 1)
        snprintf(text + used, 64 - (size_t)used, " %s", image->components == 3 ? "RGB" : "multi");
    return text;
}

const char *format_percent(unsigned long long part, unsigned long long whole, char text[32])
{
    if (whole == 0)
        return "-";
    snprintf(text, 32, "%.1f %%", 100.0 * (double)part / (double)whole);
    return text;
}

void table_add(struct table *table, const char *format, ...)
{
    char **cells = realloc(table->cells, (table->count + 1) * sizeof *cells);
    va_list list;
    if (!cells)
        return;
    table->cells = cells;
    va_start(list, format);
    char *plain = NULL, *cell = NULL;
    int length = vasprintf(&plain, format, list);
    if (length >= 0 && (cell = malloc((size_t)length * 4 + 1))) { /* an escape is at most 4 times as long */
        memcpy(cell, plain, (size_t)length + 1);
        mist_text_make_visible(cell, (size_t)length * 4 + 1);
        cells[table->count++] = cell;
    }
    free(length >= 0 ? plain : NULL);
    va_end(list);
}

/* Characters as they show: UTF-8 continuation bytes take no room. */
static size_t shown_width(const char *text)
{
    size_t width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static size_t column_width(const struct table *table, size_t column)
{
    size_t width = 0;
    for (size_t i = column; i < table->count; i += table->columns) {
        size_t shown = shown_width(table->cells[i] + (i < table->columns && table->cells[i][0] == '<'));
        if (shown > width)
            width = shown;
    }
    return width;
}

void table_print(struct table *table)
{
    size_t *widths = calloc(table->columns, sizeof *widths);
    for (size_t column = 0; widths && column < table->columns; column++)
        widths[column] = column_width(table, column);
    for (size_t i = 0; widths && i < table->count; i++) {
        size_t column = i % table->columns;
        bool left = column < table->count && table->cells[column][0] == '<';
        const char *text = table->cells[i] + (i < table->columns && left);
        size_t padding = widths[column] - shown_width(text);
        bool last = column + 1 == table->columns;
        if (left)
            printf("%s%*s", text, last ? 0 : (int)padding, "");
        else
            printf("%*s%s", (int)padding, "", text);
        fputs(last ? "\n" : "  ", stdout);
    }
    for (size_t i = 0; i < table->count; i++)
        if (i >= table->columns)
            free(table->cells[i]);
    for (size_t i = 0; i < table->columns && i < table->count; i++)
        free(table->cells[i]);
    free(widths);
    free(table->cells);
    *table = (struct table){0};
}

void print_json_string(const char *text)
{
    struct mist_buffer json = {0};
    if (mist_buffer_put_json_string(&json, text))
        fwrite(json.data, 1, json.size, stdout);
    else
        fputs("\"\"", stdout); /* memory is short: still JSON */
    mist_buffer_free(&json);
}

void print_vanish_json(const struct mist_item_classes *classes)
{
    const char *comma = "";
    if (classes->count == 0)
        return;
    printf(",\"classes\":%" PRIu32 ",\"vanish\":[", classes->count);
    for (unsigned reduce = 1; reduce < MIST_MAX_LEVELS; reduce++) {
        if (classes->lost[reduce] == 0)
            continue;
        printf("%s{\"reduce\":%u,\"classes\":%" PRIu32 ",\"values\":[%s]}", comma, reduce, classes->lost[reduce],
               classes->values[reduce]);
        comma = ",";
    }
    printf("]");
}

void print_vanish(FILE *out, const char *before, const struct mist_item_classes *classes)
{
    for (unsigned reduce = 1; reduce < MIST_MAX_LEVELS; reduce++)
        if (classes->lost[reduce])
            fprintf(out, "%sat 1/%u of each side %" PRIu32 " of %" PRIu32 " classes vanish%s: %s%s\n", before,
                    1u << reduce, classes->lost[reduce], classes->count, classes->lost[reduce] == 1 ? "es" : "",
                    classes->values[reduce], classes->named[reduce] < classes->lost[reduce] ? ", ..." : "");
}

void print_card(const struct mist_dataset_card *card, const char *indent)
{
    if (*card->title || *card->version)
        printf("%s%s%s%s\n", indent, card->title, *card->title && *card->version ? ", version " : "", card->version);
    if (*card->description)
        printf("%s%s\n", indent, card->description);
    if (*card->licence)
        printf("%slicence: %s\n", indent, card->licence);
    if (*card->citation)
        printf("%splease cite: %s\n", indent, card->citation);
}

void print_json_card(const struct mist_dataset_card *card)
{
    const struct {
        const char *name, *text;
    } members[] = {{"title", card->title},
                   {"version", card->version},
                   {"licence", card->licence},
                   {"citation", card->citation},
                   {"description", card->description}};
    const char *comma = "";
    printf(",\"card\":{");
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        if (!*members[i].text)
            continue;
        printf("%s\"%s\":", comma, members[i].name);
        print_json_string(members[i].text);
        comma = ",";
    }
    putchar('}');
}
