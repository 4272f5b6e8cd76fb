/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * WADO-RS instances (PS3.18, 10.4.1.1.1): whole DICOM files. They are written one by one into a temporary file, so that
 * the length is known before the first byte is sent, and memory stays small.
 */
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "host/dicomweb.h"
#include "host/reply.h"
#include "store/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <mist/convert.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint64_t MAX_BYTES = (uint64_t)8 << 30; /* of one answer, on the disk of TMPDIR */

struct retrieval {
    bool multipart;
    const char *transfer_syntax; /* as in struct mist_export_options */
    char *directory;             /* files are exported to it, and removed as they are taken */
    int spool;
    uint64_t size;
    bool any;
    struct mist_error error; /* of a callback */
};

/* ---- what is wanted ---- */

/* PS3.18, 8.7.3.5.2: explicit VR little endian unless another transfer syntax is named; "*" is as stored. */
static bool choose(struct request *request, bool one, struct retrieval *retrieval)
{
    struct dicomweb_media media[DICOMWEB_MAX_MEDIA];
    const unsigned count = dicomweb_media_of(request, media);
    for (unsigned i = 0; i < count; i++) {
        const char *syntax = media[i].syntax;
        if (!dicomweb_media_has(&media[i], "application/dicom"))
            continue;
        retrieval->multipart = media[i].multipart || strcmp(media[i].type, "*/*") == 0;
        if (!retrieval->multipart && !one)
            continue;
        if (strcmp(syntax, "*") == 0)
            retrieval->transfer_syntax = NULL;
        else if (syntax[0] == '\0' || strcmp(syntax, DICOMWEB_EXPLICIT) == 0)
            retrieval->transfer_syntax = "explicit";
        else if (strcmp(syntax, DICOMWEB_HTJ2K) == 0 || strcmp(syntax, DICOMWEB_HTJ2K_RPCL) == 0)
            retrieval->transfer_syntax = "htj2k";
        else
            continue;
        return true;
    }
    reply_error(request, MHD_HTTP_NOT_ACCEPTABLE,
                "instances can be had as application/dicom, several as parts of multipart/related, with the transfer "
                "syntaxes * (as stored), " DICOMWEB_EXPLICIT " and " DICOMWEB_HTJ2K);
    return false;
}

/* ---- the files ---- */

static enum mist_status put_bytes(struct retrieval *retrieval, const void *data, size_t size, struct mist_error *error)
{
    for (size_t done = 0; done < size;) {
        const ssize_t written = write(retrieval->spool, (const uint8_t *)data + done, size - done);
        if (written < 0 && errno != EINTR)
            return error_set_errno(error, errno, "a temporary file");
        done += written > 0 ? (size_t)written : 0;
    }
    retrieval->size += size;
    return MIST_OK;
}

static enum mist_status copy_file(struct retrieval *retrieval, const char *path, struct mist_error *error)
{
    struct stat about;
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    enum mist_status status = MIST_OK;
    if (file < 0 || fstat(file, &about) != 0)
        status = error_set_errno(error, errno, "%s", path);
    else if (retrieval->size + (uint64_t)about.st_size > MAX_BYTES)
        status = error_set(error, MIST_ERROR_ARGUMENT,
                           "these instances are more than %" PRIu64 " GB; ask for a series, or for them one by one",
                           MAX_BYTES >> 30);
    for (off_t at = 0; !status && at < about.st_size;) {
        const ssize_t copied = sendfile(retrieval->spool, file, &at, (size_t)(about.st_size - at));
        if (copied <= 0 && errno != EINTR)
            status = error_set_errno(error, copied < 0 ? errno : EIO, "a temporary file");
    }
    if (!status)
        retrieval->size += (uint64_t)about.st_size;
    if (file >= 0)
        close(file);
    return status;
}

/* Takes a file that was exported. */
static void take_file(void *context, const char *path)
{
    static const char head[] = "--" DICOMWEB_BOUNDARY "\r\nContent-Type: application/dicom\r\n\r\n";
    struct retrieval *retrieval = context;
    struct mist_error *error = &retrieval->error;
    if (!error->status && retrieval->multipart && retrieval->any)
        put_bytes(retrieval, "\r\n", 2, error);
    if (!error->status && retrieval->multipart)
        put_bytes(retrieval, head, sizeof head - 1, error);
    if (!error->status)
        copy_file(retrieval, path, error);
    retrieval->any = true;
    unlink(path);
}

/* `file` is a source file's number, or ALL of them. */
static enum mist_status export_file(const struct dicomweb_opened *opened, uint32_t file, bool all,
                                    struct retrieval *retrieval, struct mist_error *error)
{
    const struct mist_export_options options = {.reduce = opened->instance.reduce,
                                                .format = NULL,
                                                .threads = 1,
                                                .transfer_syntax = retrieval->transfer_syntax,
                                                .only_file = all ? 0 : file + 1};
    enum mist_status status =
        mist_item_export(opened->item->item, &options, retrieval->directory, take_file, retrieval, error);
    if (!status && retrieval->error.status) {
        *error = retrieval->error;
        status = error->status;
    }
    return status;
}

/* Where all instances of an item are wanted in its order, they are exported together. */
static bool wants_all(const struct dicomweb_places *places, size_t first, uint32_t files)
{
    if (places->count - first < files)
        return false;
    for (uint32_t i = 0; i < files; i++)
        if (places->place[first + i].item != places->place[first].item ||
            places->place[first + i].dataset != places->place[first].dataset || places->place[first + i].file != i)
            return false;
    return true;
}

static enum mist_status export_all(struct request *request, const struct dicomweb_target *target,
                                   const struct dicomweb_places *places, struct retrieval *retrieval,
                                   struct mist_error *error)
{
    static const char tail[] = "\r\n--" DICOMWEB_BOUNDARY "--\r\n";
    struct dicomweb_opened opened = {0};
    enum mist_status status = MIST_OK;
    for (size_t i = 0; i < places->count && !status;) {
        status = dicomweb_open(request, target, places, i, &opened, error);
        if (status)
            break;
        const uint32_t files = mist_item_info(opened.item->item)->files;
        const bool all = wants_all(places, i, files);
        status = export_file(&opened, places->place[i].file, all, retrieval, error);
        i += all ? files : 1;
    }
    dicomweb_close(&opened);
    if (!status && retrieval->multipart)
        status = put_bytes(retrieval, tail, sizeof tail - 1, error);
    return status;
}

void dicomweb_retrieve(struct request *request, struct worker *worker, const struct dicomweb_target *target)
{
    struct dicomweb_places places;
    struct retrieval retrieval = {.spool = -1};
    struct mist_error error = {0};
    (void)worker;
    if (!dicomweb_find(request, target, &places))
        return;
    if (!choose(request, places.count == 1, &retrieval)) {
        dicomweb_places_free(&places);
        return;
    }
    retrieval.spool = file_open_spool(NULL, &error);
    enum mist_status status =
        retrieval.spool < 0 ? error.status : scratch_make("mist-serve", &retrieval.directory, &error);
    if (!status)
        status = export_all(request, target, &places, &retrieval, &error);
    scratch_remove(&retrieval.directory);
    dicomweb_places_free(&places);
    if (status) {
        if (retrieval.spool >= 0)
            close(retrieval.spool);
        reply_failure(request, &error);
        return;
    }
    struct body body = {.type = retrieval.multipart
                                    ? "multipart/related; type=\"application/dicom\"; boundary=" DICOMWEB_BOUNDARY
                                    : "application/dicom",
                        .negotiated = true,
                        .descriptor = retrieval.spool,
                        .size = retrieval.size};
    reply_body(request, &body);
}
