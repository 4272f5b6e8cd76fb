/* SPDX-License-Identifier: BSD-2-Clause */
/* mist encode: sources into a store. */
#include "cli/commands.h"
#include "cli/encode_codestream.h"
#include "cli/report.h"

#include <inttypes.h>
#include <stdlib.h>

static const struct option_spec options[] = {
    {"output", 'o', "STORE", "the store to encode into, made if it is not there; or FILE.j2c, FILE.jph (below)"},
    {"dataset", 0, "NAME", "name of the dataset (default: that of the first source)"},
    {"labels", 0, "GLOB", "files whose path matches are label maps, never averaged; may be repeated"},
    {"images", 0, "GLOB", "files whose path matches are no label maps; may be repeated, and overrules --labels"},
    {"table", 0, "PATH", "take columns from this table of the dataset only (below); may be repeated"},
    {"title", 0, "TEXT", "the dataset's card (below): what it is called"},
    {"dataset-version", 0, "TEXT", "... its version"},
    {"license", 0, "TEXT", "... what may be done with it"},
    {"citation", 0, "TEXT", "... what to cite"},
    {"description", 0, "TEXT", "... what it is"},
    {"jobs", 'j', "N", "threads (default: MIST_JOBS, or all cores)"},
    {"prune", 0, NULL, "remove what is in the dataset but no longer in the sources"},
    {"json", 0, NULL, "print what was done as one JSON object"},
    {"quiet", 'q', NULL, "print no progress and no summary"},
    {"verbose", 'v', NULL, "a line for every file that is not what it should be, also beyond the first twenty"},
    {"frame", 0, "N", "codestream only: which frame of the image (from 0)"},
    {"block", 0, "WxH", "codestream only: code-block size, powers of two from 4 (default 64x64)"},
    {"precinct", 0, "WxH", "codestream only: precinct size, powers of two (default: maximal)"},
    {"levels", 0, "N", "codestream only: resolution levels (default: by size)"},
    {"progression", 0, "ORDER", "codestream only: LRCP, RLCP, RPCL, PCRL or CPRL (default RPCL)"},
    {"no-tile-parts", 0, NULL, "codestream only: one tile-part instead of one a level"},
    {"no-color-transform", 0, NULL, "codestream only: code RGB as it is"},
    {"irreversible", 0, NULL, "codestream only: lossy (9/7 wavelet, quantised), for previews"},
    {"base-step", 0, "Q", "codestream only: quantisation step as a share of the range (default 1/256)"},
    {0},
};

static void print_json_labels(const struct mist_store_report *report)
{
    printf("{\"label_maps\":%" PRIu64 ",\"labels_by\":{", report->label_maps);
    const char *comma = "";
    for (unsigned reason = 0; reason < MIST_LABEL_REASONS; reason++) {
        if (report->labels_by[reason] == 0)
            continue;
        printf("%s\"%s\":%" PRIu64, comma, mist_label_reason(reason), report->labels_by[reason]);
        comma = ",";
    }
    printf("},\"looks_like_labels\":%" PRIu64 ",\"named_like_labels_only\":%" PRIu64
           ",\"asked_for_as_labels_only\":%" PRIu64,
           report->looks_like, report->named_only, report->asked_only);
}

/* One line for what are label maps and why, and one for each kind of doubt. */
static void print_labels(const struct mist_store_report *report)
{
    if (report->label_maps) {
        printf("label maps, sampled and never averaged: %" PRIu64 " (", report->label_maps);
        const char *comma = "";
        for (unsigned reason = 0; reason < MIST_LABEL_REASONS; reason++)
            if (report->labels_by[reason]) {
                printf("%s%" PRIu64 " by %s", comma, report->labels_by[reason], mist_label_reason(reason));
                comma = ", ";
            }
        printf(")\n");
    }
    if (report->looks_like)
        printf("looks like label maps, but is averaged: %" PRIu64 " (%s%s); --labels or --images decides\n",
               report->looks_like, report->looks_like_path, report->looks_like > 1 ? ", ..." : "");
    if (report->named_only)
        printf("named like label maps, but averaged, as the samples are not like it: %" PRIu64
               " (%s%s); --labels or --images decides\n",
               report->named_only, report->named_only_path, report->named_only > 1 ? ", ..." : "");
    if (report->asked_only)
        printf("asked for as label maps, but averaged, as JPEG and JPEG 2000 files are kept as they are: %" PRIu64
               " (%s%s); as PNG they would be sampled\n",
               report->asked_only, report->asked_only_path, report->asked_only > 1 ? ", ..." : "");
}

static void print_grey(const struct mist_store_report *report)
{
    if (report->grey_as_color)
        printf("grey, but stored as colour: %" PRIu64 " (%s%s); kept so, all three components\n", report->grey_as_color,
               report->grey_as_color_path, report->grey_as_color > 1 ? ", ..." : "");
}

/* One line for items that are larger than their sources. */
static void print_larger(const struct mist_store_report *report)
{
    if (report->larger == 0)
        return;
    printf("%" PRIu64 " item%s larger than %s: %s%s\n", report->larger, report->larger == 1 ? " is" : "s are",
           report->larger == 1 ? "its source" : "their sources", report->larger_path,
           report->larger > 1 ? ", ..." : "");
    for (unsigned reason = 0; reason < MIST_LARGER_REASONS; reason++)
        if (report->larger_by[reason])
            printf("  %" PRIu64 ": %s\n", report->larger_by[reason], mist_larger_reason(reason));
}

static void print_json_larger(const struct mist_store_report *report)
{
    printf(",\"grey_as_color\":%" PRIu64 ",\"larger\":%" PRIu64 ",\"larger_by\":{", report->grey_as_color,
           report->larger);
    const char *comma = "";
    for (unsigned reason = 0; reason < MIST_LARGER_REASONS; reason++) {
        if (report->larger_by[reason] == 0)
            continue;
        printf("%s\"%s\":%" PRIu64, comma, mist_larger_reason(reason), report->larger_by[reason]);
        comma = ",";
    }
    printf("}");
}

/* One line for images that are kept as they are: "kept as they are, since MIST does not read or open them: 4 .gif, 2
 * .svs". */
static void print_unread(const struct mist_store_report *report)
{
    for (unsigned i = 0; i < MIST_STORE_UNREAD && report->unread[i].files; i++)
        printf("%s%" PRIu64 " .%s",
               i ? ", " : "kept as they are, since MIST does not read or open them: ", report->unread[i].files,
               report->unread[i].suffix);
    if (report->unread[0].files)
        putchar('\n');
}

static void print_json_unread(const struct mist_store_report *report)
{
    printf(",\"unread\":{");
    for (unsigned i = 0; i < MIST_STORE_UNREAD && report->unread[i].files; i++)
        printf("%s\"%s\":%" PRIu64, i ? "," : "", report->unread[i].suffix, report->unread[i].files);
    printf("}");
}

/* One line for each table that columns are from. */
static void print_tables(const struct mist_store_report *report)
{
    for (uint32_t i = 0; i < report->table_count && i < MIST_STORE_TABLES; i++) {
        const struct mist_store_table *table = &report->tables[i];
        printf("columns for %" PRIu64 " item%s: from %s, by '%s'\n", table->items, table->items == 1 ? "" : "s",
               table->path, table->key);
    }
    if (report->table_count > MIST_STORE_TABLES)
        printf("columns from %u more tables\n", report->table_count - MIST_STORE_TABLES);
}

static void print_json_tables(const struct mist_store_report *report)
{
    printf(",\"tables\":[");
    for (uint32_t i = 0; i < report->table_count && i < MIST_STORE_TABLES; i++) {
        const struct mist_store_table *table = &report->tables[i];
        printf("%s{\"path\":", i ? "," : "");
        print_json_string(table->path);
        printf(",\"key\":");
        print_json_string(table->key);
        printf(",\"items\":%" PRIu64 ",\"columns\":%u}", table->items, table->columns);
    }
    printf("],\"table_count\":%u", report->table_count);
}

static void print_json(const struct mist_store_report *report)
{
    print_json_labels(report);
    print_json_unread(report);
    print_json_larger(report);
    print_json_tables(report);
    print_json_card(&report->card);
    printf(",\"items\":%" PRIu64 ",\"attachments\":%" PRIu64 ",\"unchanged\":%" PRIu64 ",\"failed\":%" PRIu64
           ",\"vanished\":%" PRIu64 ",\"removed\":%" PRIu64 ",\"withdrawn\":%" PRIu64 ",\"warnings\":%" PRIu64
           ",\"naming_patient\":%" PRIu64 ",\"source_bytes\":%" PRIu64 ",\"stored_bytes\":%" PRIu64 "}\n",
           report->items, report->attachments, report->unchanged, report->failed, report->vanished, report->removed,
           report->withdrawn, report->warnings, report->naming_patient, report->source_bytes, report->stored_bytes);
}

static void print_summary(const struct mist_store_report *report)
{
    char source[32], stored[32], percent[32];
    printf("%" PRIu64 " item%s encoded, %" PRIu64 " other file%s kept", report->items, report->items == 1 ? "" : "s",
           report->attachments, report->attachments == 1 ? "" : "s");
    if (report->source_bytes)
        printf(": %s -> %s (%s)", format_bytes(report->source_bytes, source),
               format_bytes(report->stored_bytes, stored),
               format_percent(report->stored_bytes, report->source_bytes, percent));
    if (report->unchanged)
        printf("; %" PRIu64 " source file%s unchanged", report->unchanged, report->unchanged == 1 ? "" : "s");
    if (report->removed)
        printf("; %" PRIu64 " removed", report->removed);
    if (report->vanished > report->removed)
        printf("; %" PRIu64 " kept whose sources are not there any more (--prune removes them)",
               report->vanished - report->removed);
    if (report->withdrawn)
        printf("; %" PRIu64 " left out that %s withdrawn (mist remove)", report->withdrawn,
               report->withdrawn == 1 ? "was" : "were");
    if (report->failed)
        printf("; %" PRIu64 " failed", report->failed);
    putchar('\n');
    print_labels(report);
    if (report->naming_patient)
        printf("%" PRIu64 " DICOM file%s a patient and do%s not say that identity was removed\n",
               report->naming_patient, report->naming_patient == 1 ? " names" : "s name",
               report->naming_patient == 1 ? "es" : "");
    print_grey(report);
    print_larger(report);
    print_unread(report);
    print_tables(report);
}

static void take_text(const struct arguments *arguments, const char *option, char *text, size_t size)
{
    const char *value = option_value(arguments, option);
    if (value)
        snprintf(text, size, "%s", value);
}

static void take_card(const struct arguments *arguments, struct mist_dataset_card *card)
{
    take_text(arguments, "title", card->title, sizeof card->title);
    take_text(arguments, "dataset-version", card->version, sizeof card->version);
    take_text(arguments, "license", card->licence, sizeof card->licence);
    take_text(arguments, "citation", card->citation, sizeof card->citation);
    take_text(arguments, "description", card->description, sizeof card->description);
}

static enum exit_status run(const struct arguments *arguments)
{
    struct mist_error error = {0};
    struct mist_store_report report;
    struct noted noted = {.arguments = arguments, .most = option_given(arguments, "verbose") ? 0 : 20};
    size_t count = operand_count(arguments);
    bool json = option_given(arguments, "json"), quiet = option_given(arguments, "quiet");
    struct mist_store_encode_options encode = {
        .source_count = (uint32_t)count,
        .dataset = option_value(arguments, "dataset"),
        .prune = option_given(arguments, "prune"),
        .note = print_note,
        .note_context = &noted,
    };
    encode.label_count = (uint32_t)option_values(arguments, "labels", &encode.labels);
    encode.image_count = (uint32_t)option_values(arguments, "images", &encode.images);
    encode.table_count = (uint32_t)option_values(arguments, "table", &encode.tables);
    struct mist_dataset_card card = {.title = ""};
    take_card(arguments, &card);
    encode.card = &card;
    const char *store = option_value(arguments, "output");
    if (!store)
        return usage_error(arguments, "-o STORE is missing");
    if (names_codestream(store))
        return count == 1 ? encode_codestream(arguments, operand(arguments, 0), store)
                          : usage_error(arguments, "a codestream takes one image, not %zu", count);
    if (codestream_option(arguments))
        return usage_error(arguments,
                           "--%s is for codestreams (-o FILE.j2c or FILE.jph): stores are lossless and of one form",
                           codestream_option(arguments));
    if (!option_jobs(arguments, &encode.threads))
        return EXIT_USAGE;
    if (encode.dataset && !mist_dataset_name_is_valid(encode.dataset))
        return usage_error(arguments,
                           "'%s' cannot name a dataset: letters, digits, '.', '_', '-', not starting with "
                           "'.', and none of v1, dicom-web, healthz, metrics",
                           encode.dataset);
    const char **sources = calloc(count, sizeof *sources);
    if (!sources)
        return EXIT_FAILED;
    for (size_t i = 0; i < count; i++)
        sources[i] = operand(arguments, i);
    encode.sources = sources;
    noted.display = progress_start(quiet);
    struct mist_progress progress = progress_callbacks(noted.display);
    enum mist_status status = mist_store_encode(store, &encode, &report, &progress, &error);
    progress_end(&noted.display);
    print_notes_left(&noted);
    free(sources);
    if (status)
        complain(arguments, "%s%s", error.message,
                 status == MIST_ERROR_CANCELLED ? "; run it again to go on where it stopped" : "");
    else if (json)
        print_json(&report);
    else if (!quiet)
        print_summary(&report);
    return status || report.failed ? EXIT_FAILED : EXIT_DONE;
}

const struct command command_encode = {
    .name = "encode",
    .summary = "store datasets losslessly, ready for any resolution",
    .synopsis = "SRC... -o STORE|FILE.j2c|FILE.jph [OPTION...]",
    .details = "Takes directories, files and archives (zip; tar, also compressed by gzip, bzip2, xz or zstd) of\n"
               "DICOM, NIfTI, PNG, JPEG, JPEG 2000, TIFF, BMP, NRRD, MetaImage and NumPy; files may be gzipped\n"
               "(.bz2, .xz, .zst) each. Every image becomes an item: a file each, or a DICOM series each,\n"
               "losslessly, whatever its type. Every other file is kept byte for byte. Files are told by their\n"
               "content. With several sources each becomes a directory of the dataset. Of archives no more\n"
               "than one item for each thread is unpacked at a time, in files in the store.\n\n"
               "Links to something in the same source are kept as links, others are followed. Empty\n"
               "directories, modes, times and names of any bytes come back with 'mist get'.\n\n"
               "Run again, it takes in only what is new or has changed. It may be stopped at any\n"
               "moment. Images that cannot be encoded are named, kept as they are, and make the exit\n"
               "status 1.\n\n"
               "Label maps (segmentations, masks) are sampled at every resolution, never averaged. They\n"
               "are known by their name (a word such as label, mask, seg, gt in it) together with their\n"
               "samples, by dataset.json, or because they say so themselves (NIfTI intent, DICOM SEG,\n"
               "palette); the summary says how many there are and why. --labels and --images overrule.\n\n"
               "DICOM files among the new ones that have a patient's name, ID or birth date and do not\n"
               "say that identity was removed (PatientIdentityRemoved) are counted. All that headers\n"
               "say is kept: whoever may read the store may read that.\n\n"
               "What is odd about files that can be read all the same (no file meta information, pixel\n"
               "data that ends early) is a line on standard error, and no failure.\n\n"
               "Tables of the dataset (CSV, TSV, JSON; .gz, too) that name its images, by path, file name with\n"
               "or without suffix, or patient's directory, give the catalog columns, by which 'mist get\n"
               "--where' chooses. Where several tables have a column of one name, the first one by path is\n"
               "believed; --table (a path in the dataset; remembered) says which tables are meant, in order.\n\n"
               "The dataset's card (title, version, licence, citation, description) is taken from\n"
               "dataset_description.json, dataset.json, CITATION.cff, CITATION, LICENSE and README at\n"
               "its top; options come before them and are remembered. 'mist get' tells it to everybody.\n\n"
               "STORE can be served by 'mist serve', or copied to any static web server.\n\n"
               "With -o FILE.j2c (.j2k, .jhc) or FILE.jph, one image becomes one HTJ2K codestream, or a\n"
               "JPH file around it: .npy, .pgm, .ppm, .pgx, PNG, DICOM or NIfTI, a frame of it. Lossless\n"
               "unless --irreversible is given. 'mist decode' takes it back.",
    .options = options,
    .example = "mist encode Task04_Hippocampus -o store\n"
               "mist encode cohort-a cohort-b -o store --dataset chest --labels '*_seg.nii.gz'\n"
               "mist encode preview.png -o preview.jph --irreversible --base-step 0.01",
    .minimum_operands = 1,
    .maximum_operands = -1,
    .run = run,
};
