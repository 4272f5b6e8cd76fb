/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs a fuzz target without a fuzzer: replay FILE|DIRECTORY... Each input is placed right before an inaccessible page,
 * so that reading behind its end is found in any build, and then once more right behind one.
 */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void run_guarded(const uint8_t *data, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (size + page - 1) / page * page;
    uint8_t *map = mmap(NULL, room + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    fuzz_require(map != MAP_FAILED);
    fuzz_require(!mprotect(map, page, PROT_NONE) && !mprotect(map + page + room, page, PROT_NONE));
    uint8_t *last = map + page + room - size, *first = map + page;
    if (size)
        memcpy(last, data, size);
    LLVMFuzzerTestOneInput(last, size);
    memmove(first, last, size);
    LLVMFuzzerTestOneInput(first, size);
    munmap(map, room + 2 * page);
}

static int run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return 1;
    }
    size_t capacity = 1 << 20;
    uint8_t *data = malloc(capacity);
    fuzz_require(data);
    size_t size = fread(data, 1, capacity, file);
    fclose(file);
    run_guarded(data, size);
    free(data);
    return 0;
}

static int run_directory(const char *path, unsigned *count)
{
    struct dirent **entry;
    int entries = scandir(path, &entry, NULL, alphasort), failures = entries < 0;
    for (int i = 0; i < entries; i++) {
        char name[4096];
        if (entry[i]->d_name[0] != '.') {
            snprintf(name, sizeof name, "%s/%s", path, entry[i]->d_name);
            failures += run_file(name);
            ++*count;
        }
        free(entry[i]);
    }
    if (entries >= 0)
        free(entry);
    return failures;
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    int failures = 0;
    for (int i = 1; i < argc; i++) {
        struct stat status;
        if (!stat(argv[i], &status) && S_ISDIR(status.st_mode)) {
            failures += run_directory(argv[i], &count);
        } else {
            failures += run_file(argv[i]);
            count++;
        }
    }
    printf("%u inputs\n", count);
    return failures || !count;
}
