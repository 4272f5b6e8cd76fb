/* SPDX-License-Identifier: BSD-2-Clause */
/* mist info: what is inside an item or a store, and how many bytes each level takes. */
#include "cli/commands.h"
#include "cli/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct option_spec options[] = {
    {"items", 0, NULL, "list every item of a store"},
    {"json", 0, NULL, "print JSON, one object a line"},
    {0},
};

/* ---- an item ---- */

/* Its catalog row, of the file's own path, and what of it is in this file. */
static enum mist_status print_item_json(const char *path, const mist_item *item, struct mist_error *error)
{
    const struct mist_item_info *info = mist_item_info(item);
    struct mist_catalog_entry entry = {.kind = MIST_CATALOG_ITEM, .item = item_row(info)};
    struct mist_catalog_file *files = malloc(info->files * sizeof *files);
    struct mist_item_file file;
    struct mist_buffer text = {0};
    for (uint32_t i = 0; files && i < info->files && mist_item_file(item, i, &file); i++)
        files[i] = (struct mist_catalog_file){file.path, file.frames};
    entry.item.path = path;
    entry.item.files = files;
    entry.item.file_count = info->files;
    enum mist_status status = MIST_ERROR_MEMORY;
    if (files)
        status = mist_catalog_entry_write(&entry, &text, error);
    else
        snprintf(error->message, sizeof error->message, "%s: out of memory", path);
    if (!status) {
        struct mist_item_classes classes;
        printf("%.*s,\"coder\":\"%s\",\"levels_present\":%u,\"tail_present\":%s", (int)text.size - 1, (char *)text.data,
               info->coder, info->levels_present, info->tail_present ? "true" : "false");
        if (mist_item_classes(item, &classes, NULL) == MIST_OK)
            print_vanish_json(&classes);
        printf("}\n");
    }
    mist_buffer_free(&text);
    free(files);
    return status;
}

static void print_levels(const struct mist_item_info *info)
{
    char bytes[32], percent[32], shape[64];
    struct table table = {.columns = 5};
    table_add(&table, "level");
    table_add(&table, "size");
    table_add(&table, "bytes to fetch");
    table_add(&table, "of the item");
    table_add(&table, "<");
    for (unsigned level = 0; level < info->levels; level++) {
        unsigned reduce = info->levels - 1 - level;
        const struct mist_image_info *image = &info->image;
        table_add(&table, "%u", level);
        table_add(&table, "%s",
                  format_shape(image, mist_reduced_size(image->width, reduce), mist_reduced_size(image->height, reduce),
                               image->frames, shape));
        table_add(&table, "%s", format_bytes(info->level_end[level], bytes));
        table_add(&table, "%s", format_percent(info->level_end[level], info->size, percent));
        table_add(&table, "%s", level < info->levels_present ? "" : "not in this file");
    }
    table_add(&table, "all");
    table_add(&table, "with headers");
    table_add(&table, "%s", format_bytes(info->size, bytes));
    table_add(&table, "%s", format_percent(info->size, info->size, percent));
    table_add(&table, "%s", info->tail_present ? "" : "not in this file");
    table_print(&table);
}

static void print_item(const char *path, const mist_item *item)
{
    const struct mist_item_info *info = mist_item_info(item);
    const struct mist_image_info *image = &info->image;
    struct mist_item_file file;
    char shape[64], source[32], size[32], percent[32];
    printf("%s: %s, %s, %s, %u bits\n", path, info->format,
           format_shape(image, image->width, image->height, image->frames, shape), mist_sample_name(image->type),
           image->precision);
    if (image->label)
        printf("a label map, by %s\n", info->label ? info->label : "its item file");
    const double *spacing = image->geometry.spacing;
    if (spacing[0] > 0)
        printf("spacing: %.6g x %.6g x %.6g mm\n", spacing[0], spacing[1], spacing[2]);
    if (info->files == 1 && mist_item_file(item, 0, &file))
        printf("source: %s, ", file.path);
    else
        printf("source: %" PRIu32 " files, ", info->files);
    printf("%s; stored: %s (%s)\n", format_bytes(info->source_bytes, source), format_bytes(info->size, size),
           format_percent(info->size, info->source_bytes, percent));
    printf("coder: %s", info->coder);
    if (info->steps)
        printf("; every %u%s slice can be had without the others", 1u << info->steps, info->steps == 1 ? "nd" : "th");
    if (info->kept)
        printf("\nnot as usual: %s", info->kept);
    printf("\n\n");
    print_levels(info);
    struct mist_item_classes classes;
    if (mist_item_classes(item, &classes, NULL) == MIST_OK) {
        printf("\nclasses: %" PRIu32 "%s\n", classes.count, classes.lost[info->levels - 1] ? "" : "; none vanishes");
        print_vanish(stdout, "", &classes);
    }
}

static enum exit_status info_item(const struct arguments *arguments, const char *path)
{
    struct mist_error error = {0};
    mist_item *item;
    if (mist_item_open(path, &item, &error) != MIST_OK) {
        complain(arguments, "%s", error.message);
        return EXIT_FAILED;
    }
    enum mist_status status = MIST_OK;
    if (option_given(arguments, "json"))
        status = print_item_json(path, item, &error);
    else
        print_item(path, item);
    if (status)
        complain(arguments, "%s", error.message);
    mist_item_close(&item);
    return status ? EXIT_FAILED : EXIT_DONE;
}

/* ---- a store ---- */

enum { MOST_COLUMNS = 64, COLUMN_SIZE = 201 };

/* What a dataset's items take at each reduce. */
struct sums {
    struct mist_level_totals totals;
    unsigned deepest;                        /* levels of the item with the most */
    char columns[MOST_COLUMNS][COLUMN_SIZE]; /* that items have, by tables of the dataset */
    unsigned column_count;                   /* more than MOST_COLUMNS: that many and others */
};

/* Columns of an item come in the order of the tables, so those of one item are mostly those of the one before. */
static void add_columns(struct sums *sums, const struct mist_catalog_item *item)
{
    for (uint32_t i = 0; i < item->column_count; i++) {
        unsigned known = 0;
        while (known < sums->column_count && known < MOST_COLUMNS &&
               strncmp(sums->columns[known], item->columns[i].name, COLUMN_SIZE - 1) != 0)
            known++;
        if (known < sums->column_count)
            continue;
        if (known < MOST_COLUMNS)
            snprintf(sums->columns[known], COLUMN_SIZE, "%s", item->columns[i].name);
        sums->column_count = known < MOST_COLUMNS ? known + 1 : MOST_COLUMNS + 1;
    }
}

static void print_columns(const struct sums *sums)
{
    if (sums->column_count == 0)
        return;
    printf("  columns for --where:");
    for (unsigned i = 0; i < sums->column_count && i < MOST_COLUMNS; i++) {
        char shown[4 * COLUMN_SIZE];
        snprintf(shown, sizeof shown, "%s", sums->columns[i]);
        mist_text_make_visible(shown, sizeof shown);
        printf("%s %s", i ? "," : "", shown);
    }
    puts(sums->column_count > MOST_COLUMNS ? ", ..." : "");
}

static enum mist_status add_sums(void *context, const struct mist_catalog_entry *entry, struct mist_error *error)
{
    struct sums *sums = context;
    (void)error;
    mist_level_totals_add(&sums->totals, &entry->item);
    add_columns(sums, &entry->item);
    if (entry->item.levels > sums->deepest)
        sums->deepest = entry->item.levels;
    return MIST_OK;
}

/* Prints a line of JSON that the library made, and frees it. */
static enum mist_status print_line(enum mist_status status, struct mist_buffer *text)
{
    if (!status)
        printf("%.*s\n", (int)text->size, (char *)text->data);
    mist_buffer_free(text);
    return status;
}

static enum mist_status print_dataset_json(const struct mist_dataset_info *info, const struct sums *sums,
                                           struct mist_error *error)
{
    struct mist_buffer text = {0};
    return print_line(mist_dataset_info_write(info, &sums->totals, sums->deepest, &text, error), &text);
}

static void print_dataset(const struct mist_dataset_info *info, const struct sums *sums)
{
    static const char *const fractions[] = {"full size", "half", "quarter", "eighth"};
    char first[32], second[32], percent[32];
    printf("%s: %" PRIu64 " items (%s of sources, %s stored, %s), %" PRIu64 " other files (%s)\n", info->name,
           info->items, format_bytes(info->source_bytes, first), format_bytes(info->item_bytes, second),
           format_percent(info->item_bytes, info->source_bytes, percent), info->attachments,
           format_bytes(info->attachment_bytes, (char[32]){0}));
    print_card(&info->card, "  ");
    print_columns(sums);
    if (info->unfinished)
        puts("  its last 'mist encode' or 'mist index' was interrupted, or is at work");
    struct table table = {.columns = 3};
    table_add(&table, "<  reduced to");
    table_add(&table, "bytes to fetch");
    table_add(&table, "of the sources");
    for (unsigned reduce = 0; reduce < sums->deepest; reduce++) {
        if (reduce < 4)
            table_add(&table, "  %s", fractions[reduce]);
        else
            table_add(&table, "  1/%u", 1u << reduce);
        table_add(&table, "%s", format_bytes(sums->totals.bytes[reduce], first));
        table_add(&table, "%s", format_percent(sums->totals.bytes[reduce], info->source_bytes, percent));
    }
    table_print(&table);
}

/* Prints one item of a listing. */
static enum mist_status print_entry(void *context, const struct mist_catalog_entry *entry, struct mist_error *error)
{
    const bool *json = context;
    if (*json) {
        struct mist_buffer text = {0};
        return print_line(mist_catalog_entry_write(entry, &text, error), &text);
    }
    const struct mist_catalog_item *item = &entry->item;
    char shape[64], bytes[32];
    printf("%-20s %-4s %9s  %s%s\n",
           format_shape(&item->image, item->image.width, item->image.height, item->image.frames, shape),
           mist_sample_name(item->image.type), format_bytes(item->size, bytes), item->path,
           item->image.label ? " (labels)" : "");
    return MIST_OK;
}

struct listing {
    struct mist_dataset_info *datasets;
    size_t count;
};

static enum mist_status add_dataset(void *context, const struct mist_dataset_info *info, struct mist_error *error)
{
    struct listing *listing = context;
    struct mist_dataset_info *datasets = realloc(listing->datasets, (listing->count + 1) * sizeof *datasets);
    if (!datasets) {
        if (error)
            *error = (struct mist_error){MIST_ERROR_MEMORY, "out of memory"};
        return MIST_ERROR_MEMORY;
    }
    datasets[listing->count++] = *info;
    listing->datasets = datasets;
    return MIST_OK;
}

static enum exit_status info_store(const struct arguments *arguments, const char *path)
{
    struct mist_error error = {0};
    struct listing listing = {0};
    bool json = option_given(arguments, "json"), items = option_given(arguments, "items");
    mist_store *store;
    enum mist_status status = mist_store_open(path, &store, &error);
    if (!status)
        status = mist_store_datasets(store, add_dataset, &listing, &error);
    for (size_t i = 0; i < listing.count && !status; i++) {
        struct sums sums = {0};
        const struct mist_dataset_info *info = &listing.datasets[i];
        if (items && !json)
            printf("%s:\n", info->name);
        status = mist_store_items(store, info->name, NULL, 0, items ? print_entry : add_sums,
                                  items ? (void *)&json : (void *)&sums, &error);
        if (!status && !items && json)
            status = print_dataset_json(info, &sums, &error);
        else if (!status && !items)
            print_dataset(info, &sums);
    }
    mist_store_close(&store);
    free(listing.datasets);
    if (status)
        complain(arguments, "%s", error.message);
    return status ? EXIT_FAILED : EXIT_DONE;
}

static enum exit_status run(const struct arguments *arguments)
{
    struct stat about;
    const char *path = operand(arguments, 0);
    bool directory = stat(path, &about) == 0 && S_ISDIR(about.st_mode);
    return directory ? info_store(arguments, path) : info_item(arguments, path);
}

const struct command command_info = {
    .name = "info",
    .summary = "show what is in an item or a store, and bytes by resolution",
    .synopsis = "ITEM|STORE [OPTION...]",
    .options = options,
    .example = "mist info store\nmist info store/cxr/items/00000061_012.png.mist --json",
    .minimum_operands = 1,
    .maximum_operands = 1,
    .run = run,
};
