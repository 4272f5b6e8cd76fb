/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What the library asked the system for, in order: 'f' a file synced, 'd' a directory synced, 'r' renamed. */
static char calls[64];
static bool fail_sync;

static void note_call(char what)
{
    size_t length = strlen(calls);
    assert_true(length + 1 < sizeof calls);
    calls[length] = what;
    calls[length + 1] = '\0';
}

/* These stand before the C library's own. */
int fsync(int descriptor)
{
    struct stat about;
    assert_int_equal(fstat(descriptor, &about), 0);
    note_call(S_ISDIR(about.st_mode) ? 'd' : 'f');
    errno = EIO;
    return fail_sync ? -1 : 0;
}
int rename(const char *from, const char *to)
{
    note_call('r');
    return (int)syscall(SYS_renameat, -100, from, -100, to);
}

static void test_safe_paths(void **state)
{
    (void)state;
    const char *good[] = {"a", "a/b.nii.gz", "..a", "a../b", ".hidden", "\xc3\xa9/x y", "\xc2\xa0"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(path_is_safe(good[i], strlen(good[i])));
    const char *bad[] = {"",     "/a",   "a/",   "a//b",     "..",           "a/../b",   ".",       "a/./b",
                         "a\\b", "a\nb", "\xff", "\xc0\xaf", "\xed\xa0\x80", "\xc2\x80", "\xc2\x9b"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(path_is_safe(bad[i], strlen(bad[i])));
    assert_false(path_is_safe("a\0b", 3));
    char text[PATH_LIMIT + 2];
    memset(text, 'a', sizeof text);
    assert_true(path_is_safe(text, PATH_PART_LIMIT));
    assert_false(path_is_safe(text, PATH_PART_LIMIT + 1));
    for (size_t i = 200; i < sizeof text - 2; i += 201)
        text[i] = '/';
    assert_true(path_is_safe(text, PATH_LIMIT));
    assert_false(path_is_safe(text, PATH_LIMIT + 1));
}

static void test_spool(void **state)
{
    (void)state;
    char directory[] = "/tmp/mist-test-XXXXXX", text[4] = "";
    assert_non_null(mkdtemp(directory));
    char *path = path_join(directory, "not/yet/there");
    struct mist_error error = {0};
    int descriptor = file_open_spool(path, &error);
    assert_true(descriptor >= 0);
    assert_int_equal(file_write_at(descriptor, 5, "abc", 3, &error), MIST_OK);
    assert_int_equal(file_read_at(descriptor, 5, text, 3, &error), MIST_OK);
    assert_string_equal(text, "abc");
    assert_int_equal(file_read_at(descriptor, 6, text, 3, &error), MIST_ERROR_TRUNCATED);
    close(descriptor);
    memory_free(path);
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", directory);
    assert_int_equal(system(command), 0);
}

static void test_write_aside(void **state)
{
    (void)state;
    char directory[] = "/tmp/mist-test-XXXXXX";
    assert_non_null(mkdtemp(directory));
    char *path = path_join(directory, "deep/er/file");
    struct mist_error error = {0};
    assert_int_equal(file_write_whole(path, "one", 3, &error), MIST_OK);
    struct file_writer writer;
    assert_int_equal(file_writer_open(path, &writer, &error), MIST_OK);
    fputs("two", writer.stream);
    struct mist_buffer content = {0};
    assert_int_equal(file_read(path, 100, &content, &error), MIST_OK);
    assert_string_equal((char *)content.data, "one"); /* untouched until the commit */
    assert_int_equal(file_writer_commit(&writer, &error), MIST_OK);
    assert_int_equal(file_read(path, 100, &content, &error), MIST_OK);
    assert_string_equal((char *)content.data, "two");
    assert_int_equal(file_read(path, 2, &content, &error), MIST_ERROR_LIMIT);
    assert_int_equal(file_writer_open(path, &writer, &error), MIST_OK);
    file_writer_cancel(&writer);
    assert_int_equal(file_read(path, 100, &content, &error), MIST_OK);
    assert_string_equal((char *)content.data, "two");
    assert_int_equal(file_read(directory, 100, &content, &error), MIST_ERROR_IO);
    char *missing = path_join(directory, "missing");
    assert_int_equal(file_read(missing, 100, &content, &error), MIST_ERROR_NOT_FOUND);
    assert_non_null(strstr(error.message, "missing"));
    memory_free(missing);
    mist_buffer_free(&content);
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", directory);
    assert_int_equal(system(command), 0);
    memory_free(path);
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* A file is on the disk before it gets its name, and the name before the writer says that it is done. */
static void test_synced(void **state)
{
    (void)state;
    char directory[] = "/tmp/mist-test-XXXXXX";
    assert_non_null(mkdtemp(directory));
    char *path = path_join(directory, "file"), *part = path_join(directory, "file.part");
    struct mist_error error = {0};
    calls[0] = '\0';
    assert_int_equal(file_write_whole(path, "one", 3, &error), MIST_OK);
    assert_string_equal(calls, "frd");
    fail_sync = true;
    calls[0] = '\0';
    assert_int_equal(file_write_whole(path, "two", 3, &error), MIST_ERROR_IO);
    fail_sync = false;
    assert_string_equal(calls, "f"); /* not renamed */
    assert_false(exists(part));
    struct mist_buffer content = {0};
    assert_int_equal(file_read(path, 100, &content, &error), MIST_OK);
    assert_string_equal((char *)content.data, "one");
    mist_buffer_free(&content);
    unlink(path);
    rmdir(directory);
    memory_free(path);
    memory_free(part);
}

static unsigned mode_of(const char *path)
{
    struct stat about;
    assert_int_equal(stat(path, &about), 0);
    return about.st_mode & 0777;
}

/* Files and directories are as readable as the user's umask lets them be, and never executable or writable beyond it.
 */
static void test_modes(void **state)
{
    (void)state;
    const struct {
        mode_t mask;
        unsigned file, directory;
    } cases[] = {{022, 0644, 0755}, {077, 0600, 0700}, {002, 0664, 0775}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char directory[] = "/tmp/mist-test-XXXXXX";
        assert_non_null(mkdtemp(directory));
        char *below = path_join(directory, "a"), *path = path_join(below, "file");
        struct mist_error error = {0};
        mode_t before = umask(cases[i].mask);
        calls[0] = '\0';
        assert_int_equal(file_write_whole(path, "one", 3, &error), MIST_OK);
        int spool = file_open_spool(path, &error);
        umask(before);
        struct stat about;
        assert_int_equal(fstat(spool, &about), 0);
        assert_int_equal(about.st_mode & 0777, 0600);
        assert_int_equal(about.st_nlink, 0); /* without a name */
        close(spool);
        assert_int_equal(mode_of(path), cases[i].file);
        assert_int_equal(mode_of(below), cases[i].directory);
        unlink(path);
        rmdir(below);
        rmdir(directory);
        memory_free(path);
        memory_free(below);
    }
}

/* The reason that a file could not be written is said, however much was written after it. */
static void test_full(void **state)
{
    (void)state;
    char directory[] = "/tmp/mist-test-XXXXXX";
    assert_non_null(mkdtemp(directory));
    char *path = path_join(directory, "file"), *part = path_join(directory, "file.part");
    static char bytes[1 << 20];
    struct mist_error error = {0};
    struct file_writer writer;
    struct rlimit before, small;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = 10000; /* as a full disk does, but EFBIG */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (size_t size = 10001; size <= sizeof bytes; size += sizeof bytes / 3) {
        calls[0] = '\0';
        assert_int_not_equal(file_write_whole(path, bytes, size, &error), MIST_OK);
        assert_non_null(strstr(error.message, "File too large"));
        assert_false(exists(part));
        assert_int_equal(file_writer_open(path, &writer, &error), MIST_OK);
        for (size_t i = 0; i < size; i += 100)
            fwrite(bytes, 1, 100, writer.stream);
        assert_int_not_equal(file_writer_commit(&writer, &error), MIST_OK);
        assert_non_null(strstr(error.message, "File too large"));
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_false(exists(path) || exists(part));
    rmdir(directory);
    memory_free(path);
    memory_free(part);
}

/* As many bytes as are allowed are read, one more is not. */
static void test_limit(void **state)
{
    (void)state;
    char path[] = "/tmp/mist-limit-XXXXXX";
    struct mist_error error = {0};
    struct mist_buffer buffer = {0};
    close(mkstemp(path));
    assert_int_equal(file_write_whole(path, "12345", 5, &error), MIST_OK);
    assert_int_equal(file_read(path, 5, &buffer, &error), MIST_OK);
    assert_int_equal(buffer.size, 5);
    assert_string_equal((char *)buffer.data, "12345"); /* ended by a 0 that is not counted */
    assert_int_equal(file_read(path, 4, &buffer, &error), MIST_ERROR_LIMIT);
    mist_buffer_free(&buffer);
    unlink(path);
}

/* A FIFO that nobody writes to is refused, not waited for. */
static void test_fifo(void **state)
{
    (void)state;
    char directory[] = "/tmp/mist-test-XXXXXX";
    assert_non_null(mkdtemp(directory));
    char *path = path_join(directory, "fifo");
    assert_int_equal(mkfifo(path, 0600), 0);
    struct mist_error error = {0};
    struct file_map map;
    alarm(10); /* ends a test that hangs */
    assert_int_equal(file_map_open(path, &map, &error), MIST_ERROR_IO);
    alarm(0);
    assert_non_null(strstr(error.message, "not a regular file"));
    unlink(path);
    rmdir(directory);
    memory_free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_safe_paths), cmocka_unit_test(test_spool), cmocka_unit_test(test_write_aside),
        cmocka_unit_test(test_synced),     cmocka_unit_test(test_modes), cmocka_unit_test(test_full),
        cmocka_unit_test(test_limit),      cmocka_unit_test(test_fifo),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
