/* SPDX-License-Identifier: BSD-2-Clause */
/* mist verify: is everything that was stored still there, and whole? */
#include "cli/commands.h"
#include "cli/report.h"
#include "cli/verify_against.h"

#include <inttypes.h>
#include <sys/stat.h>

static const struct option_spec options[] = {
    {"against", 0, "SRC", "compare a dataset, file by file, with what it was encoded from; may be repeated"},
    {"json", 0, NULL, "with --against: print what was found as one JSON object"},
    {"quick", 0, NULL, "checksums and structure only, without decoding"},
    {"jobs", 'j', "N", "threads (default: MIST_JOBS, or all cores)"},
    {"quiet", 'q', NULL, "print problems only"},
    {0},
};

/* Sentences about one item file. */
struct subject {
    struct noted noted;
    const char *path;
};

static void found(void *context, const char *sentence)
{
    struct subject *subject = context;
    print_note(&subject->noted, subject->path, sentence);
}

static enum exit_status verify_item(const struct arguments *arguments, const char *path)
{
    struct mist_error error = {0};
    struct subject subject = {.noted.arguments = arguments, .path = path};
    mist_item *item;
    if (mist_item_open(path, &item, &error) != MIST_OK) {
        complain(arguments, "%s", error.message);
        return EXIT_FAILED;
    }
    const struct mist_item_info *info = mist_item_info(item);
    enum mist_status status = mist_item_verify(item, !option_given(arguments, "quick"), found, &subject, &error);
    if (!status && !option_given(arguments, "quiet")) {
        if (info->levels_present < info->levels)
            printf("%s: good, levels 0 to %u of %u\n", path, info->levels_present - 1, info->levels);
        else
            printf("%s: good%s\n", path, info->tail_present ? "" : ", without the original headers");
    }
    mist_item_close(&item);
    return status ? EXIT_FAILED : EXIT_DONE;
}

static enum exit_status verify_store(const struct arguments *arguments, const char *path)
{
    struct mist_error error = {0};
    struct mist_store_report report;
    struct noted noted = {.arguments = arguments};
    mist_store *store;
    unsigned jobs;
    bool quiet = option_given(arguments, "quiet");
    if (!option_jobs(arguments, &jobs))
        return EXIT_USAGE;
    if (mist_store_open(path, &store, &error) != MIST_OK) {
        complain(arguments, "%s", error.message);
        return EXIT_FAILED;
    }
    noted.display = progress_start(quiet);
    struct mist_progress progress = progress_callbacks(noted.display);
    enum mist_status status = mist_store_verify(store, !option_given(arguments, "quick"), jobs, print_note, &noted,
                                                &report, &progress, &error);
    progress_end(&noted.display);
    mist_store_close(&store);
    char bytes[32];
    if (status)
        complain(arguments, "%s", error.message);
    else if (!quiet)
        printf("%" PRIu64 " items and %" PRIu64 " other files, %s: %s\n", report.items, report.attachments,
               format_bytes(report.stored_bytes, bytes), report.failed ? "with problems" : "all good");
    return status || report.failed ? EXIT_FAILED : EXIT_DONE;
}

static enum exit_status run(const struct arguments *arguments)
{
    if (option_given(arguments, "against"))
        return operand_count(arguments) == 1 ? verify_against(arguments, operand(arguments, 0))
                                             : usage_error(arguments, "--against compares one dataset");
    if (option_given(arguments, "json"))
        return usage_error(arguments, "--json is of --against");
    enum exit_status result = EXIT_DONE;
    for (size_t i = 0; i < operand_count(arguments) && result != EXIT_USAGE; i++) {
        const char *path = operand(arguments, i);
        struct stat about;
        bool directory = stat(path, &about) == 0 && S_ISDIR(about.st_mode);
        enum exit_status one = directory ? verify_store(arguments, path) : verify_item(arguments, path);
        result = one > result ? one : result;
    }
    return result;
}

const struct command command_verify = {
    .name = "verify",
    .summary = "check items or a whole store",
    .synopsis = "ITEM|STORE... [OPTION...] | STORE/DATASET --against SRC [OPTION...]",
    .details = "Checks every checksum, the structure, and that every frame decodes; of a store also\n"
               "that its catalogs, attachments and items belong together. Each problem is one line on\n"
               "standard error that names the item and the part of it; the exit status is then 1.\n\n"
               "With --against, whether a dataset gives back what it was made of: every file is\n"
               "exported into a temporary directory (in TMPDIR, an item at a time) and compared with\n"
               "its source. Files come back byte for byte; gzip byte for byte once unpacked; PNG and\n"
               "DICOM that was compressed at least in all pixels and metadata (in DICOM all elements\n"
               "but those that say how pixel data is coded: transfer syntax, photometric\n"
               "interpretation, planar configuration, bits allocated and stored, high bit). What does\n"
               "not, what is missing, and what no source has is one line each on standard error, and\n"
               "the exit status is then 1. Give the sources as 'mist encode' was given them.",
    .options = options,
    .example = "mist verify store\nmist verify --quick store/cxr/items/00000061_012.png.mist\n"
               "mist verify store/cxr --against cxr",
    .minimum_operands = 1,
    .maximum_operands = -1,
    .run = run,
};
