/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a request chooses of a dataset as one tar stream: NAME/catalog.jsonl.zst, NAME/items/PATH.mist, NAME/files/PATH.
 * Of an item it has the head, the levels asked for, and the tail where that is needed; the rest is a hole of a sparse
 * file, so that every byte is where it is in the whole item, and the folder is a dataset that `mist get` reads at that
 * size. POSIX.1-2001 pax headers; holes as GNU tar's format 1.0 has them, which libarchive and Python read, too.
 */
#include "host/chosen.h"
#include "host/reply.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "item/layout.h"
#include "source/tree_list.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 512, CHUNK = 1 << 18 };
#define USTAR_MAX_SIZE UINT64_C(077777777777)

/* A file that is to come. Its path follows it in the queue, with its NUL. */
struct waiting {
    enum mist_catalog_kind kind; /* MIST_CATALOG_END: a list of the dataset */
    uint64_t size, id;           /* of an item */
    unsigned ranges;             /* of it; of other files 0: all there is */
    struct mist_byte_range range[MIST_MAX_RANGES];
    size_t path_size;
};

struct archive {
    struct chosen *chosen;
    struct mist_buffer queue;
    size_t taken;        /* bytes of it */
    struct waiting file; /* the one that is being sent */
    const char *path;    /* its own, in the queue */
    int descriptor;      /* of it; -1: none */
    unsigned range;      /* that is being sent, and the next byte of it */
    uint64_t at;
    size_t padding; /* behind it, to a whole block */
};

/* ---- tar ---- */

/* One record of a pax header: "LENGTH KEY=VALUE\n", of which LENGTH counts itself. */
static bool put_record(struct mist_buffer *out, const char *key, const char *value)
{
    const size_t rest = strlen(key) + strlen(value) + 3; /* " =\n" */
    size_t length = rest + 1;
    for (size_t digits = 1, most = 9; length > most; most = most * 10 + 9)
        length = rest + ++digits;
    return buffer_print(out, "%zu %s=%s\n", length, key, value);
}

static bool put_number(struct mist_buffer *out, const char *key, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    return put_record(out, key, text);
}

static bool put_header(struct mist_buffer *out, const char *name, char type, uint64_t size, int64_t time)
{
    char header[BLOCK] = {0};
    unsigned sum = 0;
    snprintf(header, 100, "%s", name);
    memcpy(header + 100, "0000644", 8);
    memcpy(header + 108, "0000000", 8);
    memcpy(header + 116, "0000000", 8);
    snprintf(header + 124, 12, "%011" PRIo64, size <= USTAR_MAX_SIZE ? size : 0);
    snprintf(header + 136, 12, "%011" PRIo64, time >= 0 && (uint64_t)time <= USTAR_MAX_SIZE ? (uint64_t)time : 0);
    memset(header + 148, ' ', 8);
    header[156] = type;
    memcpy(header + 257,
           "ustar\0"
           "00",
           8);
    for (unsigned i = 0; i < BLOCK; i++)
        sum += (unsigned char)header[i];
    snprintf(header + 148, 8, "%06o", sum);
    return buffer_append(out, header, BLOCK);
}

static size_t padding_of(uint64_t size)
{
    return (size_t)((BLOCK - size % BLOCK) % BLOCK);
}

/* Where an item has bytes, as text: how many stretches, and of each its place and length. */
static bool put_map(struct mist_buffer *out, const struct waiting *file)
{
    const bool open = file->range[file->ranges - 1].end < file->size; /* it ends with a hole */
    const size_t before = out->size;
    bool good = buffer_print(out, "%u\n", file->ranges + open);
    for (unsigned i = 0; i < file->ranges && good; i++)
        good = buffer_print(out, "%" PRIu64 "\n%" PRIu64 "\n", file->range[i].start,
                            file->range[i].end - file->range[i].start);
    good = good && (!open || buffer_print(out, "%" PRIu64 "\n0\n", file->size));
    return good && buffer_append_zeros(out, padding_of(out->size - before));
}

/* All that comes before the bytes of the archive's file. */
static bool put_start(struct archive *archive, const struct stat *about, struct mist_buffer *out)
{
    const struct waiting *file = &archive->file;
    const char *folder = file->kind == MIST_CATALOG_ITEM         ? "items/"
                         : file->kind == MIST_CATALOG_ATTACHMENT ? "files/"
                                                                 : "";
    const bool whole = file->ranges == 1 && file->range[0].start == 0 && file->range[0].end == file->size;
    struct mist_buffer name = {0}, records = {0}, map = {0};
    uint64_t size = 0;
    for (unsigned i = 0; i < file->ranges; i++)
        size += file->range[i].end - file->range[i].start;
    bool good = buffer_print(&name, "%s/%s%s%s", archive->chosen->dataset.name, folder, archive->path,
                             file->kind == MIST_CATALOG_ITEM ? ".mist" : "") &&
                buffer_append_zeros(&name, 1);
    const char *path = (const char *)name.data;
    archive->padding = padding_of(size);
    if (good && whole) {
        good = put_record(&records, "path", path);
    } else if (good) {
        good = put_map(&map, file) && put_number(&records, "GNU.sparse.major", 1) &&
               put_number(&records, "GNU.sparse.minor", 0) && put_record(&records, "GNU.sparse.name", path) &&
               put_number(&records, "GNU.sparse.realsize", file->size);
        size += map.size;
    }
    good = good && (size <= USTAR_MAX_SIZE || put_number(&records, "size", size));
    const int64_t time = (int64_t)about->st_mtim.tv_sec;
    good = good && put_header(out, "PaxHeaders/mist", 'x', records.size, time) &&
           buffer_append(out, records.data, records.size) && buffer_append_zeros(out, padding_of(records.size)) &&
           put_header(out, whole ? "mist" : "GNUSparseFile.0/mist", '0', size, time) &&
           (!map.size || buffer_append(out, map.data, map.size));
    mist_buffer_free(&name);
    mist_buffer_free(&records);
    mist_buffer_free(&map);
    return good;
}

/* ---- what is to come ---- */

static enum mist_status add_file(struct archive *archive, struct waiting *file, const char *path,
                                 struct mist_error *error)
{
    file->path_size = strlen(path) + 1;
    return buffer_append(&archive->queue, file, sizeof *file) && buffer_append(&archive->queue, path, file->path_size)
               ? MIST_OK
               : error_set(error, MIST_ERROR_MEMORY, "an archive: out of memory");
}

/* GNU tar begins every stretch with a block of its own: so they begin and end with blocks of the file. */
static void widen_to_blocks(struct waiting *file)
{
    unsigned count = 0;
    for (unsigned i = 0; i < file->ranges; i++) {
        const uint64_t start = file->range[i].start / BLOCK * BLOCK, over = file->range[i].end + BLOCK - 1;
        const uint64_t end = file->size - file->range[i].end < BLOCK ? file->size : over / BLOCK * BLOCK;
        if (count && start <= file->range[count - 1].end)
            file->range[count - 1].end = end;
        else
            file->range[count++] = (struct mist_byte_range){start, end};
    }
    file->ranges = count;
}

static enum mist_status add_entry(void *context, const struct mist_catalog_entry *entry, struct mist_error *error)
{
    struct archive *archive = context;
    struct waiting file = {.kind = entry->kind};
    if (entry->kind == MIST_CATALOG_ATTACHMENT)
        return add_file(archive, &file, entry->attachment.path, error);
    const struct mist_catalog_item *item = &entry->item;
    const struct selected selected = select_item(&archive->chosen->select, item);
    struct mist_error refused;
    if (select_check_item(&archive->chosen->select, item, &selected, &refused)) /* as /plan says of it */
        return MIST_OK;
    file.size = item->size;
    file.id = item->id;
    file.ranges = mist_catalog_item_ranges(item, selected.fetched, selected.tail, file.range);
    widen_to_blocks(&file);
    return add_file(archive, &file, item->path, error);
}

/* Opens a file of the store and checks that it is the one the index speaks of. */
static bool open_file(struct archive *archive, struct stat *about)
{
    struct waiting *file = &archive->file;
    mist_store *store = archive->chosen->request->host->store;
    const char *path =
        file->kind == MIST_CATALOG_END && strcmp(archive->path, TREE_LIST_NAME) != 0 ? NULL : archive->path;
    uint8_t start[LAYOUT_CHECKSUM_AT + 8];
    if (mist_store_open_file(store, archive->chosen->dataset.name, file->kind, path, &archive->descriptor, NULL)) {
        archive->descriptor = -1;
        return false;
    }
    if (fstat(archive->descriptor, about) != 0)
        return false;
    if (file->kind == MIST_CATALOG_ITEM)
        return (uint64_t)about->st_size == file->size &&
               pread(archive->descriptor, start, sizeof start, 0) == (ssize_t)sizeof start &&
               load_le64(start + LAYOUT_CHECKSUM_AT) == file->id;
    file->size = (uint64_t)about->st_size;
    file->ranges = 1;
    file->range[0] = (struct mist_byte_range){0, file->size};
    return true;
}

/* The next file of the queue. */
static bool start_file(struct archive *archive, struct mist_buffer *out)
{
    struct stat about;
    memcpy(&archive->file, archive->queue.data + archive->taken, sizeof archive->file);
    archive->path = (const char *)archive->queue.data + archive->taken + sizeof archive->file;
    archive->taken += sizeof archive->file + archive->file.path_size;
    if (archive->file.kind == MIST_CATALOG_END && strcmp(archive->path, TREE_LIST_NAME) == 0 &&
        !open_file(archive, &about)) {
        return true; /* of a dataset without one */
    }
    if (archive->descriptor < 0 && !open_file(archive, &about))
        return false;
    archive->range = 0;
    archive->at = archive->file.range[0].start;
    return put_start(archive, &about, out);
}

/* ---- the stream ---- */

/* Some bytes of the file that is open. */
static bool put_bytes(struct archive *archive, struct mist_buffer *out)
{
    while (archive->range < archive->file.ranges && out->size < CHUNK) {
        const uint64_t end = archive->file.range[archive->range].end, left = end - archive->at;
        const size_t size = left < CHUNK - out->size ? (size_t)left : CHUNK - out->size, before = out->size;
        if (!buffer_append_zeros(out, size) ||
            file_read_at(archive->descriptor, archive->at, out->data + before, size, NULL) != MIST_OK)
            return false;
        archive->at += size;
        if (archive->at == end && ++archive->range < archive->file.ranges)
            archive->at = archive->file.range[archive->range].start;
    }
    if (archive->range < archive->file.ranges)
        return true;
    close(archive->descriptor);
    archive->descriptor = -1;
    return buffer_append_zeros(out, archive->padding);
}

static int produce(void *context, struct request *request, struct mist_buffer *out)
{
    struct archive *archive = context;
    bool good = true;
    (void)request;
    while (good && out->size < CHUNK) {
        if (archive->descriptor >= 0) {
            good = put_bytes(archive, out);
        } else if (archive->taken < archive->queue.size) {
            good = start_file(archive, out);
        } else if (archive->chosen->kind != MIST_CATALOG_END) {
            archive->queue.size = archive->taken = 0;
            good = chosen_page(archive->chosen, add_entry, archive, NULL) == MIST_OK;
        } else {
            return buffer_append_zeros(out, 2 * (size_t)BLOCK) ? 0 : -1;
        }
    }
    return good ? 1 : -1;
}

static void release_archive(void *context)
{
    struct archive *archive = context;
    if (archive->descriptor >= 0)
        close(archive->descriptor);
    mist_buffer_free(&archive->queue);
    chosen_free(&archive->chosen);
    memory_free(archive);
}

void answer_archive(struct request *request, struct worker *worker)
{
    struct chosen *chosen = chosen_read(request);
    (void)worker;
    if (!chosen)
        return;
    struct archive *archive = memory_allocate_zeroed(1, sizeof *archive);
    struct waiting list = {.kind = MIST_CATALOG_END};
    if (archive) {
        archive->chosen = chosen;
        archive->descriptor = -1;
    }
    if (!archive || add_file(archive, &list, "catalog.jsonl.zst", NULL) ||
        add_file(archive, &list, TREE_LIST_NAME, NULL)) {
        if (archive)
            release_archive(archive);
        else
            chosen_free(&chosen);
        reply_failure(request, &(struct mist_error){MIST_ERROR_MEMORY, "an archive: out of memory"});
        return;
    }
    char name[MIST_DATASET_NAME_MAX + 40];
    snprintf(name, sizeof name, "attachment; filename=\"%s.tar\"", chosen->dataset.name);
    const struct stream stream = {
        .type = "application/x-tar", .produce = produce, .release = release_archive, .owner = archive};
    reply_stream(request, &stream);
    if (request->response)
        MHD_add_response_header(request->response, "Content-Disposition", name);
}
