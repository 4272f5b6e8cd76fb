/* SPDX-License-Identifier: BSD-2-Clause */
/* mist eval: Table 1 of the paper on one's own data. */
#include "cli/commands.h"
#include "cli/report.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

static const struct option_spec options[] = {
    {"size", 0, "S|WxH[xD]", "measure at the level closest to this size (default: at a quarter)"},
    {"reduce", 0, "R[,S]", "measure at 1/2^R of each side, and every 2^S-th slice"},
    {"spacing", 0, "MM|XxYxZ", "measure at the level and slice step closest to this voxel size"},
    {"policy", 0, "P", "with --size and --spacing: closest (default), at-least or at-most"},
    {"labels", 0, "GLOB", "files whose path matches are label maps; may be repeated"},
    {"images", 0, "GLOB", "files whose path matches are no label maps; may be repeated"},
    {"total", 0, NULL, "print the total only"},
    {"jobs", 'j', "N", "threads (default: MIST_JOBS, or all cores)"},
    {"json", 0, NULL, "print JSON, one object a line"},
    {"quiet", 'q', NULL, "print no progress"},
    {0},
};

enum { FRACTIONS = 4 }; /* full, half, quarter, eighth */

struct total {
    uint64_t items;
    uint64_t source_bytes;
    uint64_t stored_bytes;
    uint64_t sent[FRACTIONS];
    uint64_t chosen; /* at the size asked for */
    enum mist_lossless lossless;
    uint64_t measured; /* images that were reduced; no labels */
    double sums[4];    /* SSIM and MAD, native and centred */
    uint64_t labels;
    uint64_t labels_exact;
};

struct evaluation {
    struct noted noted;
    struct total total;
    struct table table;
    bool json;
    bool total_only;
    bool sized;     /* one size was asked for */
    char *vanished; /* sentences about classes of label maps; NULL: none yet */
    size_t vanished_size;
    FILE *vanishing; /* what they are written to; NULL when memory is short */
};

static const char *lossless_name(enum mist_lossless lossless)
{
    static const char *const names[] = {
        [MIST_LOSSLESS_NO] = "NO", [MIST_LOSSLESS_PIXELS] = "pixels", [MIST_LOSSLESS_FILES] = "files"};
    return names[lossless];
}

/* ---- adding up ---- */

static void add_to_total(struct total *total, const struct mist_evaluation *item)
{
    const double values[4] = {item->ssim_native, item->mad_native, item->ssim_center, item->mad_center};
    if (total->items++ == 0 || item->lossless < total->lossless)
        total->lossless = item->lossless;
    total->source_bytes += item->source_bytes;
    total->stored_bytes += item->stored_bytes;
    for (unsigned reduce = 0; reduce < FRACTIONS; reduce++)
        total->sent[reduce] += item->sent[reduce];
    total->chosen += item->sent_chosen;
    total->labels += item->image->label;
    total->labels_exact += item->label_exact;
    if (isnan(item->ssim_native))
        return;
    total->measured++;
    for (int i = 0; i < 4; i++)
        total->sums[i] += values[i];
}

/* ---- JSON ---- */

static void print_numbers_json(const double values[4])
{
    static const char *const names[4] = {"ssim_native", "mad_native", "ssim_center", "mad_center"};
    for (int i = 0; i < 4; i++)
        if (isnan(values[i]))
            printf(",\"%s\":null", names[i]);
        else
            printf(",\"%s\":%.6f", names[i], values[i]);
}

static void print_item_json(const struct mist_evaluation *item)
{
    const struct mist_image_info *image = item->image;
    printf("{\"item\":");
    print_json_string(item->path);
    printf(",\"format\":\"%s\",\"type\":\"%s\",\"width\":%" PRIu32 ",\"height\":%" PRIu32 ",\"frames\":%" PRIu32
           ",\"slices\":%" PRIu32,
           item->format, mist_sample_name(image->type), image->width, image->height, image->frames, image->slices);
    if (item->label) {
        printf(",\"label\":");
        print_json_string(item->label);
    }
    printf(",\"source_bytes\":%" PRIu64 ",\"stored_bytes\":%" PRIu64 ",\"sent\":[", item->source_bytes,
           item->stored_bytes);
    for (unsigned reduce = 0; reduce < item->levels; reduce++)
        printf("%s%" PRIu64, reduce ? "," : "", item->sent[reduce]);
    printf("],\"sent_chosen\":%" PRIu64 ",\"lossless\":\"%s\",\"reduce\":%u,\"step\":%u,\"reduced_width\":%" PRIu32
           ",\"reduced_height\":%" PRIu32 ",\"reduced_slices\":%" PRIu32,
           item->sent_chosen, item->lossless == MIST_LOSSLESS_NO ? "no" : lossless_name(item->lossless), item->reduce,
           item->step, item->width, item->height, item->slices);
    print_numbers_json((const double[4]){item->ssim_native, item->mad_native, item->ssim_center, item->mad_center});
    if (image->label)
        printf(",\"label_exact\":%s", item->label_exact ? "true" : "false");
    print_vanish_json(&item->classes);
    printf("}\n");
}

static void print_total_json(const struct total *total)
{
    double values[4];
    for (int i = 0; i < 4; i++)
        values[i] = total->measured ? total->sums[i] / (double)total->measured : NAN;
    printf("{\"total\":%" PRIu64 ",\"source_bytes\":%" PRIu64 ",\"stored_bytes\":%" PRIu64 ",\"sent\":[", total->items,
           total->source_bytes, total->stored_bytes);
    for (unsigned reduce = 0; reduce < FRACTIONS; reduce++)
        printf("%s%" PRIu64, reduce ? "," : "", total->sent[reduce]);
    printf("],\"sent_chosen\":%" PRIu64 ",\"lossless\":\"%s\",\"measured\":%" PRIu64, total->chosen,
           total->lossless == MIST_LOSSLESS_NO ? "no" : lossless_name(total->lossless), total->measured);
    print_numbers_json(values);
    printf(",\"labels\":%" PRIu64 ",\"labels_exact\":%" PRIu64 "}\n", total->labels, total->labels_exact);
}

/* ---- the table ---- */

/* Bytes and their share of the original. */
static void add_bytes(struct table *table, uint64_t bytes, uint64_t source)
{
    char text[32], percent[32];
    table_add(table, "%s", format_bytes(bytes, text));
    table_add(table, "%s", format_percent(bytes, source, percent));
}

static void add_heading(struct evaluation *evaluation)
{
    static const char *const left[] = {
        "<item", "<size",    "original",    "stored", "",    "half",         "",   "quarter", "", "eighth",
        "",      "lossless", "measured at", "SSIM",   "MAD", "SSIM centred", "MAD"};
    static const char *const sized[] = {"<item", "<size",    "original",    "stored", "",    "sent",
                                        "",      "lossless", "measured at", "SSIM",   "MAD", "SSIM centred",
                                        "MAD"};
    size_t count = evaluation->sized ? sizeof sized / sizeof *sized : sizeof left / sizeof *left;
    evaluation->table.columns = count;
    for (size_t i = 0; i < count; i++)
        table_add(&evaluation->table, "%s", evaluation->sized ? sized[i] : left[i]);
}

static void add_measures(struct table *table, const double values[4], const char *instead)
{
    for (int i = 0; i < 4; i++)
        if (!isnan(values[i]))
            table_add(table, i % 2 ? "%.4f" : "%.3f", values[i]);
        else
            table_add(table, "%s", i == 0 ? instead : "");
}

static void add_row(struct evaluation *evaluation, const struct mist_evaluation *item)
{
    struct table *table = &evaluation->table;
    char shape[64], bytes[32];
    table_add(table, "%s", item->path);
    table_add(table, "%s %s",
              format_shape(item->image, item->image->width, item->image->height, item->image->frames, shape),
              mist_sample_name(item->image->type));
    table_add(table, "%s", format_bytes(item->source_bytes, bytes));
    add_bytes(table, item->stored_bytes, item->source_bytes);
    if (evaluation->sized)
        add_bytes(table, item->sent_chosen, item->source_bytes);
    for (unsigned reduce = 1; reduce < FRACTIONS && !evaluation->sized; reduce++)
        add_bytes(table, item->sent[reduce], item->source_bytes);
    table_add(table, "%s", lossless_name(item->lossless));
    const uint32_t frames = item->step ? item->image->frames / item->image->slices * item->slices : 1;
    table_add(table, "%s", format_shape(&(struct mist_image_info){0}, item->width, item->height, frames, shape));
    const char *instead = !item->image->label ? "-" : item->label_exact ? "exact subset" : "NOT a subset";
    add_measures(table, (const double[4]){item->ssim_native, item->mad_native, item->ssim_center, item->mad_center},
                 instead);
}

static void add_total(struct evaluation *evaluation)
{
    struct table *table = &evaluation->table;
    const struct total *total = &evaluation->total;
    char bytes[32], labels[64] = "-";
    double values[4];
    table_add(table, "total");
    table_add(table, "%" PRIu64 " items", total->items);
    table_add(table, "%s", format_bytes(total->source_bytes, bytes));
    add_bytes(table, total->stored_bytes, total->source_bytes);
    if (evaluation->sized)
        add_bytes(table, total->chosen, total->source_bytes);
    for (unsigned reduce = 1; reduce < FRACTIONS && !evaluation->sized; reduce++)
        add_bytes(table, total->sent[reduce], total->source_bytes);
    table_add(table, "%s", lossless_name(total->lossless));
    if (total->labels)
        snprintf(labels, sizeof labels, "%" PRIu64 "/%" PRIu64 " exact", total->labels_exact, total->labels);
    table_add(table, "%s", "");
    for (int i = 0; i < 4; i++)
        values[i] = total->measured ? total->sums[i] / (double)total->measured : NAN;
    add_measures(table, values, labels);
}

/* ---- the command ---- */

static void visit(void *context, const struct mist_evaluation *item)
{
    struct evaluation *evaluation = context;
    add_to_total(&evaluation->total, item);
    if (evaluation->total_only)
        return;
    progress_pause(evaluation->noted.display);
    if (evaluation->json)
        print_item_json(item);
    else
        add_row(evaluation, item);
    char before[512];
    snprintf(before, sizeof before, "%s: ", item->path);
    if (!evaluation->json && evaluation->vanishing)
        print_vanish(evaluation->vanishing, before, &item->classes);
}

static void print_end(struct evaluation *evaluation)
{
    const struct total *total = &evaluation->total;
    if (total->items == 0)
        return;
    if (evaluation->json) {
        print_total_json(total);
        return;
    }
    add_total(evaluation);
    table_print(&evaluation->table);
    printf(
        "\nlossless: what came back was compared with the sources; 'files': byte for byte (.nii.gz after gunzip, PNG "
        "by --identical),\n"
        "'pixels': every sample. SSIM (Gaussian window 11, sigma 1.5) and MAD, both of values scaled to [0,1] by the\n"
        "range of the item's samples, are against area-averaging, mean over frames; first of the native reduced "
        "image,\n"
        "then of it on the centred grid ('--grid center').\n");
    if (total->labels)
        printf("Labels: the reduced map is every 2^r-th sample of the full one, %" PRIu64 " of %" PRIu64 " exactly.\n",
               total->labels_exact, total->labels);
    if (evaluation->vanishing && fflush(evaluation->vanishing) == 0 && evaluation->vanished_size)
        printf("\n%s", evaluation->vanished);
}

static enum exit_status run(const struct arguments *arguments)
{
    struct mist_error error = {0};
    struct mist_store_report report = {0};
    struct mist_resolution_request request;
    struct evaluation evaluation = {.noted.arguments = arguments, .json = option_given(arguments, "json")};
    struct mist_store_encode_options encode = {
        .source_count = (uint32_t)operand_count(arguments),
        .note = print_note,
        .note_context = &evaluation.noted,
    };
    encode.label_count = (uint32_t)option_values(arguments, "labels", &encode.labels);
    encode.image_count = (uint32_t)option_values(arguments, "images", &encode.images);
    if (!option_jobs(arguments, &encode.threads) || !option_resolution(arguments, &request))
        return EXIT_USAGE;
    evaluation.sized = request.by_reduce || request.width || request.spacing[0] > 0;
    evaluation.total_only = option_given(arguments, "total");
    const char **sources = calloc(encode.source_count, sizeof *sources);
    if (!sources)
        return EXIT_FAILED;
    for (uint32_t i = 0; i < encode.source_count; i++)
        sources[i] = operand(arguments, i);
    encode.sources = sources;
    add_heading(&evaluation);
    evaluation.vanishing = open_memstream(&evaluation.vanished, &evaluation.vanished_size);
    evaluation.noted.display = progress_start(option_given(arguments, "quiet"));
    struct mist_progress progress = progress_callbacks(evaluation.noted.display);
    enum mist_status status =
        mist_evaluate(&encode, evaluation.sized ? &request : NULL, visit, &evaluation, &report, &progress, &error);
    progress_end(&evaluation.noted.display);
    free(sources);
    if (status)
        complain(arguments, "%s", error.message);
    else
        print_end(&evaluation);
    if (evaluation.vanishing)
        fclose(evaluation.vanishing);
    free(evaluation.vanished);
    const struct total *total = &evaluation.total;
    if (!status && total->items == 0)
        complain(arguments, "no images found");
    bool good = !status && report.failed == 0 && total->items > 0 && total->lossless != MIST_LOSSLESS_NO &&
                total->labels == total->labels_exact;
    return good ? EXIT_DONE : EXIT_FAILED;
}

const struct command command_eval = {
    .name = "eval",
    .summary = "measure what streaming saves on your data, and what it keeps",
    .synopsis = "SRC... [OPTION...]",
    .details = "Table 1 of the paper on your own data: encodes SRC into a temporary store and prints,\n"
               "for each item and in total, the original bytes, the bytes stored, the bytes sent at\n"
               "half, quarter and eighth size (or at --size), whether everything comes back exactly\n"
               "(it is exported and compared with the sources), and SSIM and mean absolute difference\n"
               "against conventional downsampling. The exit status is 1 if anything was not lossless.\n"
               "\n"
               "SSIM is the mean structural similarity of Wang et al. 2004: Gaussian window of 11x11\n"
               "with sigma 1.5 (only where it lies inside the image; smaller for smaller images), K1\n"
               "0.01, K2 0.03. MAD is the mean absolute difference. Both are of values scaled to [0,1],\n"
               "from the smallest to the largest sample of the item, against the mean over blocks of\n"
               "2^R x 2^R pixels; mean over frames, then over items. They are\n"
               "given for the image as it is sent, and on the centred grid (--grid center), where\n"
               "conventional downsampling puts its samples. Labels are not averaged but compared: the\n"
               "reduced map must be every 2^R-th sample; classes that vanish at a level are named.\n"
               "Images that are sent whole have no figures.",
    .options = options,
    .example = "mist eval chest-xrays/\nmist eval --size 256 --total --json ct-head/",
    .minimum_operands = 1,
    .maximum_operands = -1,
    .run = run,
};
