/* SPDX-License-Identifier: BSD-2-Clause */
/* Tree lists (first byte even: zstd and lines as they come; odd: the lines, compressed here), and names of any bytes.
 */
#include "fuzz.h"

#include "base/escape.h"
#include "base/memory.h"
#include "source/tree_list.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

static void read_list(const uint8_t *data, size_t size)
{
    struct tree_list *list = NULL;
    struct mist_dataset_tree counts;
    struct tree_entry entry = {.path = ""};
    struct mist_error error = {0};
    char inside[PATH_ROOM], before[PATH_ROOM] = "";
    enum mist_status status = tree_list_open(data, size, &list, &counts, &error);
    while (!status && entry.path) {
        status = tree_list_next(list, &entry, &error);
        if (status || !entry.path)
            break;
        fuzz_require(path_is_safe(entry.path, strlen(entry.path)) && strcmp(before, entry.path) < 0);
        fuzz_require(!entry.target || tree_resolve(entry.path, entry.target, inside));
        fuzz_require(entry.mode <= 07777);
        memcpy(before, entry.path, strlen(entry.path) + 1);
    }
    fuzz_require(!status || error.message[0]);
    tree_list_close(&list);
}

static void read_name(const uint8_t *data, size_t size)
{
    char *bytes = memory_allocate(size + 1), *text = memory_allocate(3 * size + 1),
         *again = memory_allocate(3 * size + 1);
    fuzz_require(bytes && text && again);
    memcpy(bytes, data, size);
    bytes[size] = '\0';
    fuzz_require(path_escape(bytes, text, 3 * size + 1));
    path_unescape(text, again);
    fuzz_require(strcmp(again, bytes) == 0);
    path_unescape(bytes, again);
    fuzz_require(strlen(again) <= strlen(bytes));
    memory_free(bytes);
    memory_free(text);
    memory_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 1 << 16)
        return 0;
    read_name(data + 1, size - 1);
    if (*data % 2 == 0) {
        read_list(data + 1, size - 1);
        return 0;
    }
    const size_t room = ZSTD_compressBound(size);
    uint8_t *packed = memory_allocate(room);
    fuzz_require(packed);
    const size_t length = ZSTD_compress(packed, room, data + 1, size - 1, 1);
    fuzz_require(!ZSTD_isError(length));
    read_list(packed, length);
    memory_free(packed);
    return 0;
}
