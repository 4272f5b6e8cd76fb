/* SPDX-License-Identifier: BSD-2-Clause */
/* mist verify STORE/DATASET --against SRC: does a dataset give back what it was made of? */
#include "cli/verify_against.h"

#include "cli/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct against {
    struct noted noted;
    bool json;
    uint64_t count[MIST_RESTORED_KINDS];
    FILE *list[MIST_RESTORED_KINDS]; /* of JSON: the elements so far, in `text` */
    char *text[MIST_RESTORED_KINDS];
    size_t size[MIST_RESTORED_KINDS];
    bool short_of_memory;
};

static void put_json_string(FILE *out, const char *text, bool *failed)
{
    struct mist_buffer json = {0};
    *failed |= !mist_buffer_put_json_string(&json, text) || fwrite(json.data, 1, json.size, out) != json.size;
    mist_buffer_free(&json);
}

/* "PATH", or {"path":PATH,"item":ITEM,"why":SENTENCE} of what did not come back. */
static void add_element(struct against *against, const struct mist_restoration *restoration)
{
    FILE *out = against->list[restoration->restored];
    bool *failed = &against->short_of_memory;
    if (against->count[restoration->restored] > 1)
        fputc(',', out);
    if (restoration->restored < MIST_RESTORED_NOT) {
        put_json_string(out, restoration->path, failed);
        return;
    }
    fputs("{\"path\":", out);
    put_json_string(out, restoration->path, failed);
    if (restoration->item) {
        fputs(",\"item\":", out);
        put_json_string(out, restoration->item, failed);
    }
    fputs(",\"why\":", out);
    put_json_string(out, restoration->why, failed);
    fputc('}', out);
}

/* The lists, each in memory until all is known. */
static void open_lists(struct against *against)
{
    for (int i = 0; i < MIST_RESTORED_KINDS && against->json; i++) {
        against->list[i] = open_memstream(&against->text[i], &against->size[i]);
        if (!against->list[i]) {
            against->short_of_memory = true;
            against->json = false;
        }
    }
}

static void close_lists(struct against *against)
{
    for (int i = 0; i < MIST_RESTORED_KINDS; i++)
        if (against->list[i])
            against->short_of_memory |= fclose(against->list[i]) != 0;
}

static void restored(void *context, const struct mist_restoration *restoration)
{
    struct against *against = context;
    against->count[restoration->restored]++;
    if (restoration->restored >= MIST_RESTORED_NOT) {
        char sentence[700];
        snprintf(sentence, sizeof sentence, "%s: %s",
                 restoration->restored == MIST_RESTORED_NOT ? "not restored"
                                                            : mist_restored_name(restoration->restored),
                 restoration->why);
        print_note(&against->noted, restoration->path, sentence);
    }
    if (against->json)
        add_element(against, restoration);
}

static void print_json_against(const struct against *against)
{
    for (int i = 0; i < MIST_RESTORED_KINDS; i++)
        printf("%s\"%s\":[%s]", i ? "," : "{", mist_restored_name((enum mist_restored)i), against->text[i]);
    printf("}\n");
}

static void print_against(const struct against *against)
{
    static const char *const said[MIST_RESTORED_KINDS] = {
        "restored byte for byte",          "restored byte for byte once unpacked",
        "restored in pixels and metadata", "not restored",
        "missing in the dataset",          "not in the sources"};
    for (int i = 0; i < MIST_RESTORED_KINDS; i++)
        printf("%" PRIu64 " %s%s", against->count[i], said[i], i + 1 < MIST_RESTORED_KINDS ? ", " : "\n");
}

/* STORE/DATASET, with no end of slashes, as two texts that the caller frees together: *store. */
static bool split_dataset(const char *path, char **store, char **dataset)
{
    *store = strdup(path);
    if (!*store)
        return false;
    size_t length = strlen(*store);
    while (length > 1 && (*store)[length - 1] == '/')
        (*store)[--length] = '\0';
    char *slash = strrchr(*store, '/');
    *dataset = slash ? slash + 1 : NULL;
    if (slash)
        *slash = '\0';
    return slash && slash != *store && mist_dataset_name_is_valid(*dataset);
}

enum exit_status verify_against(const struct arguments *arguments, const char *path)
{
    const char *const *sources;
    const size_t count = option_values(arguments, "against", &sources);
    struct against against = {.noted.arguments = arguments, .json = option_given(arguments, "json")};
    const bool quiet = option_given(arguments, "quiet");
    struct mist_error error = {0};
    char *store = NULL, *dataset = NULL;
    unsigned jobs;
    if (!option_jobs(arguments, &jobs))
        return EXIT_USAGE;
    if (!split_dataset(path, &store, &dataset)) {
        free(store);
        return usage_error(arguments, "--against compares one dataset: STORE/DATASET, not '%s'", path);
    }
    open_lists(&against);
    against.noted.display = progress_start(quiet);
    struct mist_progress progress = progress_callbacks(against.noted.display);
    enum mist_status status = mist_store_verify_against(store, dataset, sources, (uint32_t)count, jobs, restored,
                                                        &against, &progress, &error);
    progress_end(&against.noted.display);
    close_lists(&against);
    if (status)
        complain(arguments, "%s", error.message);
    else if (against.short_of_memory)
        complain(arguments, "out of memory");
    else if (against.json)
        print_json_against(&against);
    else if (!quiet)
        print_against(&against);
    for (int i = 0; i < MIST_RESTORED_KINDS; i++)
        free(against.text[i]);
    free(store);
    bool all = !against.count[MIST_RESTORED_NOT] && !against.count[MIST_RESTORED_MISSING] &&
               !against.count[MIST_RESTORED_EXTRA];
    return status || !all || against.short_of_memory ? EXIT_FAILED : EXIT_DONE;
}
