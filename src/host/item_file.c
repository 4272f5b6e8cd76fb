/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * .../items/PATH?format=FORMAT: a file made of an item at the size asked for, for those who have no decoder. It is
 * written into a temporary file first, so that its length is known and memory stays small.
 */
#include "base/checksum.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "host/reply.h"
#include "host/resolution.h"
#include "host/router.h"
#include "kind/names.h"
#include "store/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <mist/convert.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_BYTES ((uint64_t)8 << 30) /* of the samples of one answer, on the disk of TMPDIR */

/* What the request says. */
struct wish {
    struct mist_resolution_request resolution;
    const struct format *format;
    const struct format_output *output;
    bool one; /* of several files */
    uint64_t file;
};

/* The file that is sent, of those that the item becomes. */
struct made {
    const char *suffix;
    uint64_t wanted, count;
    char path[PATH_ROOM + 256];
};

static void take_file(void *context, const char *path)
{
    struct made *made = context;
    const size_t length = strlen(path), suffix = strlen(made->suffix);
    if (length < suffix || strcmp(path + length - suffix, made->suffix) != 0)
        return; /* what describes the file that comes with it: a JSON sidecar */
    if (made->count++ == made->wanted)
        snprintf(made->path, sizeof made->path, "%s", path);
}

/* Answers with 400 if it makes no sense. */
static bool read_wish(struct request *request, struct wish *wish)
{
    const char *format = target_parameter(&request->target, "format"),
               *file = target_parameter(&request->target, "file");
    const char *exact = target_parameter(&request->target, "exact"), *grid = target_parameter(&request->target, "grid");
    char formats[FORMAT_LIST_SIZE];
    if (!resolution_parse(request, &wish->resolution))
        return false;
    wish->output = format ? format_output_find(format, &wish->format) : NULL;
    wish->one = file != NULL;
    wish->resolution.exact = exact && strcmp(exact, "1") == 0;
    wish->resolution.grid = grid && strcmp(grid, "center") == 0 ? MIST_GRID_CENTER : MIST_GRID_NATIVE;
    if (!wish->output)
        reply_error(request, MHD_HTTP_BAD_REQUEST, "format is one of %s", format_item_outputs(formats));
    else if (file && !parse_unsigned(file, UINT32_MAX, &wish->file))
        reply_error(request, MHD_HTTP_BAD_REQUEST, "file is a whole number: which of several, from 0");
    else if (exact && strcmp(exact, "1") != 0 && strcmp(exact, "0") != 0)
        reply_error(request, MHD_HTTP_BAD_REQUEST, "exact is 1 or 0");
    else if (wish->resolution.exact && !wish->resolution.width)
        reply_error(request, MHD_HTTP_BAD_REQUEST, "exact goes with size");
    else if (grid && strcmp(grid, "center") != 0 && strcmp(grid, "native") != 0)
        reply_error(request, MHD_HTTP_BAD_REQUEST, "grid is native or center");
    else
        return true;
    return false;
}

/* Answers with 406 if such a file cannot be made, or not of so many samples. */
static bool can_be_made(struct request *request, const struct mist_item_info *info, const struct wish *wish,
                        const struct mist_export_options *options)
{
    const struct mist_image_info *image = &info->image;
    const uint32_t width =
        options->exact_width ? options->exact_width : mist_reduced_size(image->width, options->reduce);
    const uint32_t height =
        options->exact_height ? options->exact_height : mist_reduced_size(image->height, options->reduce);
    const uint64_t frame = mist_frame_bytes(image->type, width, height, image->components);
    const bool each = wish->format->one_output_a_source && format_from_name(info->format) == wish->format->kind;
    if (each && info->files > 1 && !wish->one)
        reply_error(request, MHD_HTTP_NOT_ACCEPTABLE,
                    "it is a series of %" PRIu32 " files; ask for one of them: file=0 to %" PRIu32, info->files,
                    info->files - 1);
    else if (!wish->format->many_frames && image->frames > 1)
        reply_error(request, MHD_HTTP_NOT_ACCEPTABLE,
                    "it has %" PRIu32 " frames, and a %s file holds one: ask for frames/N, or for nii.gz or npy",
                    image->frames, wish->output->name);
    else if (frame == 0 || frame > MAX_BYTES / image->frames)
        reply_error(request, MHD_HTTP_NOT_ACCEPTABLE, "it is too large at this size; ask for a smaller one");
    else
        return true;
    return false;
}

static void choose_options(const struct mist_item_info *info, const struct wish *wish,
                           struct mist_export_options *options)
{
    struct mist_resolution_request asked = wish->resolution;
    if (asked.exact && asked.policy == MIST_POLICY_CLOSEST) /* shrunk from the next larger level, not blown up */
        asked.policy = MIST_POLICY_AT_LEAST;
    const struct mist_choice choice = resolution_choose(info, &asked);
    *options = (struct mist_export_options){
        .reduce = choice.reduce, .step = choice.step, .grid = asked.grid, .format = wish->output->name, .threads = 1};
    /* Of a series whose files become a file each, no other is written. */
    if (wish->one && wish->format->one_output_a_source && format_from_name(info->format) == wish->format->kind &&
        wish->file < info->files)
        options->only_file = (uint32_t)wish->file + 1;
    if (asked.exact) {
        options->exact_width = asked.width;
        options->exact_height = asked.height;
        options->exact_depth = asked.depth;
    }
}

/* Opens the file that is to be sent; answers if there is none. */
static int open_made(struct request *request, const struct wish *wish, const struct made *made)
{
    struct mist_error error = {0};
    if (made->count > 1 && !wish->one) {
        reply_error(request, MHD_HTTP_NOT_ACCEPTABLE,
                    "%" PRIu64 " files are made of it (volumes that differ); ask for one of them: file=0 to %" PRIu64,
                    made->count, made->count - 1);
        return -1;
    }
    if (!*made->path) {
        reply_error(request, MHD_HTTP_NOT_FOUND, "there is no file %" PRIu64 "; %" PRIu64 " are made of it", wish->file,
                    made->count);
        return -1;
    }
    const int descriptor = open(made->path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        error_set_errno(&error, errno, "%s", made->path);
        reply_failure(request, &error);
    }
    return descriptor;
}

static void send_made(struct request *request, const struct mist_item_info *info, const struct wish *wish,
                      const struct made *made)
{
    struct stat about;
    char shown[PATH_ROOM + 300], name[256];
    struct body body = {.type = wish->output->gzip ? "application/gzip" : wish->format->media_type};
    body.descriptor = open_made(request, wish, made);
    if (body.descriptor < 0)
        return;
    body.size = fstat(body.descriptor, &about) == 0 ? (uint64_t)about.st_size : 0;
    snprintf(body.etag, sizeof body.etag, "\"%016" PRIx64 "-%016" PRIx64 "\"", info->id,
             checksum(request->connection->target, strlen(request->connection->target)));
    reply_body(request, &body);
    if (!request->response)
        return;
    /* A name that no header field could be broken with. */
    const char *slash = strrchr(made->path, '/');
    snprintf(name, sizeof name, "%s", slash ? slash + 1 : made->path);
    for (unsigned char *c = (unsigned char *)name; *c; c++)
        if (*c < 0x20 || *c >= 0x7f || *c == '"' || *c == '\\')
            *c = '_';
    snprintf(shown, sizeof shown, "attachment; filename=\"%s\"", name);
    MHD_add_response_header(request->response, "Content-Disposition", shown);
}

/* The item is open, and this is a worker that decodes. */
static void make_and_send(struct request *request, const mist_item *item, const struct wish *wish,
                          const struct mist_export_options *options)
{
    const struct mist_item_info *info = mist_item_info(item);
    struct made *made = memory_allocate_zeroed(1, sizeof *made);
    char *directory = NULL;
    struct mist_error error = {0};
    enum mist_status status = made ? scratch_make("mist-serve", &directory, &error)
                                   : error_set(&error, MIST_ERROR_MEMORY, "a file of an item: out of memory");
    if (!status) {
        made->suffix = wish->output->suffix;
        made->wanted = wish->one && !options->only_file ? wish->file : 0;
        status = mist_item_export(item, options, directory, take_file, made, &error);
    }
    if (status == MIST_ERROR_ARGUMENT || status == MIST_ERROR_UNSUPPORTED || status == MIST_ERROR_RANGE)
        reply_error(request, MHD_HTTP_NOT_ACCEPTABLE, "no %s file can be made of it: %s", wish->output->name,
                    error.message);
    else if (status)
        reply_failure(request, &error);
    else
        send_made(request, info, wish, made);
    scratch_remove(&directory);
    memory_free(made);
}

void answer_item_file(struct request *request, struct worker *worker)
{
    struct wish wish = {.file = 0};
    struct mist_error error = {0};
    struct mist_export_options options;
    struct cached_item *item;
    int descriptor;
    if (!read_wish(request, &wish) || !request_renders(request, worker))
        return;
    enum mist_status status = mist_store_open_file(request->host->store, request->dataset, MIST_CATALOG_ITEM,
                                                   request->path, &descriptor, &error);
    if (!status)
        status = cache_open(&request->host->cache, descriptor, request->path, &item, &error);
    if (status) {
        reply_failure(request, &error);
        return;
    }
    const struct mist_item_info *info = mist_item_info(item->item);
    choose_options(info, &wish, &options);
    if (can_be_made(request, info, &wish, &options)) {
        const uint64_t held = 4 * (uint64_t)mist_frame_bytes(info->image.type, info->image.width, info->image.height,
                                                             info->image.components);
        if (budget_take(&request->host->budget, held)) {
            make_and_send(request, item->item, &wish, &options);
            budget_give(&request->host->budget, held);
        } else {
            reply_busy(request);
        }
    }
    cache_release(&request->host->cache, item);
}
