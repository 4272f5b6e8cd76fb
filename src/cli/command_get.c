/* SPDX-License-Identifier: BSD-2-Clause */
/* mist get: a dataset at the resolution asked for. */
#include "cli/commands.h"
#include "cli/names.h"
#include "cli/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct option_spec options[] = {
    {"output", 'o', "DIR", "where the files go; made if it is not there"},
    {"size", 0, "S|WxH|WxHxD", "each item at the level (and slice step) closest to this size"},
    {"reduce", 0, "R[,S]", "at 1/2^R of each side, and every 2^S-th slice"},
    {"spacing", 0, "MM|XxYxZ", "at the level and slice step closest to this voxel size"},
    {"policy", 0, "P", "with --size, --spacing: closest (default), at-least or at-most"},
    {"max-bytes", 0, "N", "drop levels until all of it takes at most N bytes (500M, 2GiB)"},
    {"exact", 0, NULL, "resample to exactly the --size given"},
    {"grid", 0, "G", "native (default, geometry exact) or center (conventional pixel grid)"},
    {"include", 0, "GLOB", "only items and files whose path matches; may be repeated"},
    {"exclude", 0, "GLOB", "not those whose path matches; may be repeated"},
    {"include-from", 0, "FILE", "only what a line of FILE names (below); may be repeated"},
    {"where", 0, "COLUMN=VALUE", "only items for which a table says so (below); may be repeated: all must hold"},
    {"sample", 0, "N", "N of the cases that are left, the same ones each time"},
    {"seed", 0, "S", "with --sample: other ones (default 0)"},
    {"limit", 0, "N", "at most N cases, the first by path"},
    {"format", 0, "F", "{formats}, or mist (default: that of the source)"},
    {"transfer-syntax", 0, "T", "DICOM: explicit or htj2k (default: that of the source)"},
    {"keep-uids", 0, NULL, "DICOM: smaller images keep the identifiers of their originals"},
    {"identical", 0, NULL, "PNG at full size: compressed as libpng does, to the byte where it wrote the original"},
    {"jobs", 'j', "N", "threads for decoding (default: MIST_JOBS, or all cores)"},
    {"connections", 0, "N", "requests in flight, 1 to 64 (default: 4 to 64, as the line and the host bear)"},
    {"max-memory", 0, "N", "refuse items whose frames need more (default: a quarter of the machine)"},
    {"timeout", 0, "SECONDS", "wait so long for a host that sends nothing (default 30; below)"},
    {"retries", 0, "N", "how often a transfer that failed is tried again (default 5; below)"},
    {"cacert", 0, "FILE", "PEM: who signs the host's certificate, instead of the system's list"},
    {"cert", 0, "FILE", "PEM: the certificate that shows the host who you are"},
    {"cert-key", 0, "FILE", "PEM: its private key, where it is a file of its own"},
    {"cache", 0, "DIR", "keep what was fetched there (default: MIST_CACHE, or the output DIR.mist)"},
    {"times", 0, NULL,
     "give files, links and directories the modes and times that they had where the dataset was made"},
    {"no-cache", 0, NULL, "do not keep what was fetched of an item once its files are written"},
    {"prune", 0, NULL, "remove files downloaded earlier that the host no longer has (below)"},
    {"dry-run", 0, NULL, "say what would be fetched, to the byte, and change nothing; needs no -o"},
    {"json", 0, NULL, "print what was done as one JSON object"},
    {"quiet", 'q', NULL, "print no progress and no summary"},
    {0},
};

/* What --prune removes, each with its NUL. */
struct removed {
    char *paths;
    size_t size;
    bool incomplete; /* no memory */
};

static void add_removed(void *context, const char *path)
{
    struct removed *removed = context;
    size_t length = strlen(path) + 1;
    char *longer = removed->incomplete ? NULL : realloc(removed->paths, removed->size + length);
    if (!longer) {
        removed->incomplete = true;
        return;
    }
    memcpy(longer + removed->size, path, length);
    removed->paths = longer;
    removed->size += length;
}

static void print_json(const struct mist_get_report *report, const char *url, const struct removed *removed)
{
    char shown[4200];
    mist_url_without_secrets(url, shown, sizeof shown);
    printf("{\"url\":");
    print_json_string(shown);
    printf(",\"dataset\":\"%s\",\"items\":%" PRIu64 ",\"attachments\":%" PRIu64 ",\"unchanged\":%" PRIu64
           ",\"failed\":%" PRIu64 ",\"files\":%" PRIu64 ",\"vanished\":%" PRIu64 ",\"removed\":%" PRIu64
           ",\"source_bytes\":%" PRIu64 ",\"selected_bytes\":%" PRIu64 ",\"planned_bytes\":%" PRIu64
           ",\"fetched_bytes\":%" PRIu64 ",\"catalog_bytes\":%" PRIu64 ",\"requests\":%" PRIu64,
           report->dataset, report->items, report->attachments, report->unchanged, report->failed, report->files,
           report->vanished, report->removed, report->source_bytes, report->selected_bytes, report->planned_bytes,
           report->fetched_bytes, report->catalog_bytes, report->requests);
    if (report->budget_reduce >= 0)
        printf(",\"budget_reduce\":%d", report->budget_reduce);
    printf(",\"labels_sampled\":%" PRIu64 ",\"unmatched\":%" PRIu64, report->labels_sampled, report->unmatched);
    printf(",\"links\":%" PRIu64 ",\"links_left_out\":%" PRIu64 ",\"empty_directories\":%" PRIu64, report->links,
           report->links_left_out, report->directories);
    print_json_card(&report->card);
    printf(",\"larger\":[");
    for (unsigned i = 0; i < report->larger_count; i++) {
        printf("%s{\"why\":", i ? "," : "");
        print_json_string(report->larger[i].why);
        printf(",\"files\":%" PRIu64 ",\"bytes\":%" PRIu64 "}", report->larger[i].files, report->larger[i].bytes);
    }
    putchar(']');
    if (removed && !removed->incomplete) {
        printf(",\"removed_files\":[");
        for (size_t at = 0; at < removed->size; at += strlen(removed->paths + at) + 1) {
            fputs(at ? "," : "", stdout);
            print_json_string(removed->paths + at);
        }
        putchar(']');
    }
    printf("}\n");
}

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

/* Of files that the host no longer has. */
static void print_vanished(const struct mist_get_report *report, bool prune, bool dry)
{
    uint64_t kept = report->vanished - report->removed;
    if (report->removed)
        printf("; %" PRIu64 " file%s %s", report->removed, plural(report->removed), dry ? "would go" : "removed");
    if (kept)
        printf("; %" PRIu64 " file%s kept that the host no longer has%s", kept, plural(kept),
               prune ? "" : " (--prune removes them)");
}

static void print_removal(const char *path)
{
    char shown[4200];
    snprintf(shown, sizeof shown, "%s", path);
    mist_text_make_visible(shown, sizeof shown);
    printf("would remove %s\n", shown);
}

static void print_labels(const struct mist_get_report *report)
{
    if (report->labels_sampled)
        printf("label maps, sampled and never averaged: %" PRIu64 "\n", report->labels_sampled);
}

static void print_plan(const struct mist_get_report *report, const struct removed *removed)
{
    char source[32], percent[32];
    for (size_t at = 0; removed && at < removed->size; at += strlen(removed->paths + at) + 1)
        print_removal(removed->paths + at);
    printf("%s: %" PRIu64 " item%s and %" PRIu64 " other file%s", report->dataset, report->items, plural(report->items),
           report->attachments, plural(report->attachments));
    if (report->unchanged)
        printf(", %" PRIu64 " of them here already", report->unchanged);
    printf("; %" PRIu64 " bytes to fetch", report->planned_bytes);
    if (report->planned_bytes < report->selected_bytes)
        printf(" of %" PRIu64, report->selected_bytes);
    if (report->source_bytes)
        printf(" (the originals have %s: %s)", format_bytes(report->source_bytes, source),
               format_percent(report->planned_bytes, report->source_bytes, percent));
    print_vanished(report, removed != NULL, true);
    putchar('\n');
    print_labels(report);
}

static void print_summary(const struct mist_get_report *report, bool prune)
{
    char fetched[32], source[32], percent[32];
    printf("%s: %" PRIu64 " item%s and %" PRIu64 " other file%s: %" PRIu64 " file%s written, %s fetched",
           report->dataset, report->items, plural(report->items), report->attachments, plural(report->attachments),
           report->files, plural(report->files), format_bytes(report->fetched_bytes, fetched));
    if (report->source_bytes && report->fetched_bytes)
        printf(" (the originals have %s: %s)", format_bytes(report->source_bytes, source),
               format_percent(report->fetched_bytes, report->source_bytes, percent));
    if (report->unchanged)
        printf("; %" PRIu64 " unchanged", report->unchanged);
    if (report->links)
        printf("; %" PRIu64 " link%s made", report->links, plural(report->links));
    print_vanished(report, prune, false);
    if (report->failed)
        printf("; %" PRIu64 " failed", report->failed);
    putchar('\n');
    print_labels(report);
    /* What whoever uses the data has to know of them. */
    if (*report->card.licence)
        printf("licence: %s\n", report->card.licence);
    if (*report->card.citation)
        printf("please cite: %s\n", report->card.citation);
}

/* What could not be made as small as asked for. */
static void say_larger(const struct arguments *arguments, const struct mist_get_report *report)
{
    char bytes[32];
    for (unsigned i = 0; i < report->larger_count; i++) {
        const struct mist_get_larger *larger = &report->larger[i];
        complain(arguments, "%" PRIu64 " file%s larger than asked for (%s): %s", larger->files,
                 larger->files == 1 ? " is" : "s are", format_bytes(larger->bytes, bytes), larger->why);
    }
}

/* Which items and files; false after a complaint. */
static bool choose_selection(const struct arguments *arguments, struct mist_selection *which, struct names *names)
{
    const char *const *files;
    unsigned long long sample = 0, seed = 0, limit = 0;
    which->include_count = (uint32_t)option_values(arguments, "include", &which->include);
    which->exclude_count = (uint32_t)option_values(arguments, "exclude", &which->exclude);
    which->where_count = (uint32_t)option_values(arguments, "where", &which->where);
    const size_t lists = option_values(arguments, "include-from", &files);
    for (size_t i = 0; i < lists; i++)
        if (!names_read(arguments, files[i], names))
            return false;
    if (lists && !names_split(arguments, names))
        return false;
    which->names = names->list;
    which->name_count = names->count;
    if (!option_count(arguments, "sample", 1, &sample) || !option_count(arguments, "seed", 0, &seed) ||
        !option_count(arguments, "limit", 1, &limit))
        return false;
    if (option_given(arguments, "seed") && !sample) {
        usage_error(arguments, "--seed goes with --sample");
        return false;
    }
    which->sample = sample;
    which->seed = seed;
    which->limit = limit;
    return true;
}

/* Fills `get` from the options; false after a complaint. */
static bool choose(const struct arguments *arguments, struct mist_get_options *get, struct names *names)
{
    unsigned long long max_bytes = 0, max_memory = 0;
    get->url = operand(arguments, 0);
    get->directory = option_value(arguments, "output");
    get->cache = option_value(arguments, "cache");
    if (!get->cache)
        get->cache = getenv("MIST_CACHE");
    if (get->cache && !*get->cache)
        get->cache = NULL;
    get->format = option_value(arguments, "format");
    get->ca_file = option_value(arguments, "cacert");
    get->certificate = option_value(arguments, "cert");
    get->certificate_key = option_value(arguments, "cert-key");
    get->keep_uids = option_given(arguments, "keep-uids");
    get->identical = option_given(arguments, "identical");
    get->no_cache = option_given(arguments, "no-cache");
    get->prune = option_given(arguments, "prune");
    get->times = option_given(arguments, "times");
    get->token = getenv("MIST_TOKEN");
    if (get->token && !*get->token)
        get->token = NULL;
    if (get->directory ? !*get->directory : !option_given(arguments, "dry-run")) {
        usage_error(arguments, "-o DIR is missing");
        return false;
    }
    if (!option_resolution(arguments, &get->resolution) || !option_grid(arguments, &get->resolution) ||
        !option_jobs(arguments, &get->threads) || !option_transfer_syntax(arguments, &get->transfer_syntax) ||
        !option_bytes(arguments, "max-bytes", &max_bytes) || !option_bytes(arguments, "max-memory", &max_memory) ||
        !option_unsigned(arguments, "connections", 1, 64, &get->transfers) ||
        !option_unsigned(arguments, "timeout", 1, 3600, &get->timeout) ||
        !option_unsigned(arguments, "retries", 0, 100, &get->retries))
        return false;
    get->max_bytes = max_bytes;
    get->max_memory = max_memory;
    if (!choose_selection(arguments, &get->selection, names))
        return false;
    return true;
}

static enum exit_status run(const struct arguments *arguments)
{
    struct mist_error error = {0};
    struct mist_get_report report;
    struct noted noted = {.arguments = arguments};
    struct removed removed = {0};
    struct names names = {0};
    struct mist_get_options get = mist_get_options_default();
    bool dry = option_given(arguments, "dry-run"), quiet = option_given(arguments, "quiet");
    if (!choose(arguments, &get, &names)) {
        names_free(&names);
        return EXIT_USAGE;
    }
    get.note = print_note;
    get.note_context = &noted;
    get.removed = add_removed;
    get.removed_context = &removed;
    noted.display = progress_start(quiet);
    struct mist_progress progress = progress_callbacks(noted.display);
    enum mist_status status = (dry ? mist_get_plan : mist_get)(&get, &report, &progress, &error);
    progress_end(&noted.display);
    const struct removed *listed = get.prune ? &removed : NULL;
    if (!status && !quiet)
        say_larger(arguments, &report);
    if (!status && !quiet && report.unmatched)
        complain(arguments, "%" PRIu64 " of the names in --include-from %s nothing here: %s%s", report.unmatched,
                 report.unmatched == 1 ? "names" : "name", report.unmatched_name, report.unmatched > 1 ? ", ..." : "");
    if (!status && !quiet && report.links_left_out)
        complain(arguments, "%" PRIu64 " link%s not made, since what %s to is not here under its name: %s%s",
                 report.links_left_out, report.links_left_out == 1 ? " was" : "s were",
                 report.links_left_out == 1 ? "it leads" : "they lead", report.links_left_out_path,
                 report.links_left_out > 1 ? ", ..." : "");
    if (status == MIST_ERROR_ARGUMENT)
        usage_error(arguments, "%s", error.message);
    else if (status)
        complain(arguments, "%s%s", error.message,
                 status == MIST_ERROR_CANCELLED ? "; run it again to go on where it stopped" : "");
    else if (option_given(arguments, "json"))
        print_json(&report, get.url, listed);
    else if (dry && !quiet)
        print_plan(&report, listed);
    else if (!quiet)
        print_summary(&report, get.prune);
    free(removed.paths);
    names_free(&names);
    if (status == MIST_ERROR_ARGUMENT)
        return EXIT_USAGE;
    return status || report.failed ? EXIT_FAILED : EXIT_DONE;
}

const struct command command_get = {
    .name = "get",
    .summary = "download a dataset at the resolution asked for",
    .synopsis = "URL -o DIR [OPTION...]",
    .details = "URL is http(s)://HOST/DATASET of 'mist serve' or any static web server that publishes a\n"
               "store, s3://BUCKET/PREFIX/DATASET, file:///PATH, or a path: the place that has catalog.jsonl.zst.\n\n"
               "The files come under their own paths and names; label maps on the same grid as the\n"
               "images; at full size they are the originals. Files of the same names below DIR are\n"
               "replaced. GLOBs are matched against paths in the dataset; '*' matches '/' too, and what\n"
               "matches a directory matches all below it.\n\n"
               "Tables of the dataset (CSV, TSV, JSON) that name its items give these columns: --where\n"
               "'Finding Labels=Pneumonia', --where split=test; with =, !=, <, <=, >, >=. A value such as\n"
               "A|B is a list: one member that meets the condition is enough (none may, with !=). Numbers\n"
               "are compared as numbers. What a table says nothing of meets no condition. 'mist info' lists\n"
               "the columns. A line of --include-from is a path, a file's name with or without its suffix,\n"
               "or a patient's directory, exactly. A case of --sample and --limit is an image with its label\n"
               "maps. With any of these, README, LICENSE and the like come along, files beside selected\n"
               "items under their names, and, also with --include, the tables that the columns are from.\n\n"
               "Every byte is checked against checksums before a file is made of it. What was fetched is\n"
               "kept in DIR.mist, beside the output (in DIR/.mist where nothing can be made beside it; or\n"
               "where --cache or MIST_CACHE says). So, run again, what is there and unchanged is left\n"
               "alone, an interrupted download goes on, and a larger --size fetches only what is missing.\n"
               "DIR.mist may be removed; --no-cache keeps only the record of what was written.\n\n"
               "Links within the dataset come as links, empty directories as such; names that are no text\n"
               "(other bytes than UTF-8, control characters, backslashes) as they were. --times gives modes\n"
               "(without set-user-ID and the like) and times as well.\n\n"
               "--prune removes files that an earlier 'mist get' of this dataset wrote in DIR and that the\n"
               "host no longer has, and directories that this leaves empty; not what --include and\n"
               "--exclude leave out, no file that was changed since or was there before, and nothing when\n"
               "something failed. With --dry-run it says which. Without it they are only counted.\n\n"
               "--json prints {url, dataset, items, attachments, unchanged, failed, files (written now),\n"
               "vanished (files here that the host no longer has), removed (of those), source_bytes (of\n"
               "the originals), selected_bytes (for a download from nothing), planned_bytes (missing at\n"
               "the start), fetched_bytes, catalog_bytes, requests, budget_reduce (with --max-bytes),\n"
               "unmatched (names of --include-from that name nothing), links, links_left_out,\n"
               "empty_directories,\n"
               "larger (what could not be made as small as asked for: [{why, files, bytes}]),\n"
               "removed_files (with --prune: their paths; with --dry-run: of what would go)}.\n\n"
               "A transfer that brings less than 100 bytes a second for --timeout seconds, or breaks off, is\n"
               "tried again from where it stopped, after 1/2 to 16 seconds; connecting may take half of\n"
               "--timeout. A host that does not answer at all is not tried again. After 24 failures of\n"
               "network or disk in a row the run ends.\n\n"
               "MIST_TOKEN is sent to the host as a bearer token, and never to another; so are user and\n"
               "password of https://USER:PASSWORD@HOST/DATASET, which are never shown; without either,\n"
               "what ~/.netrc says of the host. A bucket is asked with AWS_ACCESS_KEY_ID,\n"
               "AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN (without them, as anybody), in AWS_REGION, at\n"
               "AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL or Amazon's own. HTTPS_PROXY,\n"
               "HTTP_PROXY and NO_PROXY are minded as curl does.",
    .options = options,
    .example = "mist get https://images.example.org/chest -o chest --size 256 --dry-run\n"
               "mist get https://images.example.org/chest -o chest --size 256\n"
               "mist get https://images.example.org/chest -o chest --size 512  # only what is missing\n"
               "mist get store/chest -o small --max-bytes 2GiB --include 'images/*'\n"
               "mist get store/chest -o ill --size 512 --where 'Finding Labels=Pneumonia' --sample 100",
    .minimum_operands = 1,
    .maximum_operands = 1,
    .run = run,
};
