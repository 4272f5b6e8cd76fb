/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/confined.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A directory `d` to stay in, its neighbour `d2` whose name starts alike, and links from the one to the other. */
static char place[] = "/tmp/mist-test-XXXXXX";
static int root;

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(place) || chdir(place) != 0)
        return -1;
    if (mkdir("d", 0777) || mkdir("d/sub", 0777) || mkdir("d2", 0777) || mkfifo("d/fifo", 0666))
        return -1;
    write_file("d/file", "in");
    write_file("d/sub/file", "below");
    write_file("d2/secret", "out");
    write_file("outside", "out");
    if (symlink("sub/file", "d/link_in") || symlink("../d2/secret", "d/link_out") ||
        symlink("../d2", "d/directory_out") || symlink("sub", "d/directory_in") || symlink("loop", "d/loop"))
        return -1;
    root = open("d", O_RDONLY | O_DIRECTORY);
    return root < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[64];
    close(root);
    snprintf(command, sizeof command, "rm -r %s", place);
    return chdir("/") || system(command);
}

/* What the file says, or "" where it is not given. */
static const char *read_following(const char *path)
{
    static char text[16];
    int descriptor;
    memset(text, 0, sizeof text);
    struct mist_error error = {0};
    enum mist_status status = confined_open_following(root, path, &descriptor, &error);
    if (status) {
        assert_int_equal(status, MIST_ERROR_NOT_FOUND);
        assert_int_equal(descriptor, -1);
        return text;
    }
    assert_true(read(descriptor, text, sizeof text - 1) > 0);
    close(descriptor);
    return text;
}

static void expect_confined(void)
{
    alarm(10); /* ends a test that hangs at the FIFO */
    assert_string_equal(read_following("file"), "in");
    assert_string_equal(read_following("sub/file"), "below");
    assert_string_equal(read_following("link_in"), "below");
    assert_string_equal(read_following("directory_in/file"), "below");
    const char *refused[] = {"link_out", "directory_out/secret", "../outside", "../d2/secret", "sub", "fifo", "loop",
                             "missing",  "sub/../../outside",    ".",          "file/x"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (*read_following(refused[i]))
            fail_msg("given: %s", refused[i]);
    alarm(0);
}

static void test_following(void **state)
{
    (void)state;
    expect_confined();
}

/* From here on the kernel answers this process that it has no openat2(). */
static bool forbid_openat2(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    struct open_how how = {.flags = O_RDONLY};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 &&
           syscall(SYS_openat2, root, "file", &how, sizeof how) == -1 && errno == ENOSYS;
}

/* The last test: the filter stays. */
static void test_following_on_old_kernels(void **state)
{
    (void)state;
    if (!forbid_openat2()) {
        puts("openat2() could not be forbidden here");
        skip();
    }
    expect_confined();
    /* Where the root is the root of the file system, all is below it. */
    char path[64];
    int whole = open("/", O_RDONLY | O_DIRECTORY), descriptor;
    snprintf(path, sizeof path, "%s/outside", place + 1);
    assert_int_equal(confined_open_following(whole, path, &descriptor, NULL), MIST_OK);
    close(descriptor);
    close(whole);
}

static void test_no_link_is_written_through(void **state)
{
    (void)state;
    struct mist_error error = {0};
    struct stat about;
    int descriptor;
    assert_int_equal(confined_open(root, "link_in", O_RDONLY), -1);
    assert_int_equal(confined_open(root, "directory_in/file", O_RDONLY), -1);
    assert_int_equal(confined_open(root, "fifo", O_RDONLY), -1);
    assert_int_equal(confined_open(-1, "file", O_RDONLY), -1);
    descriptor = confined_open(root, "sub/file", O_RDONLY);
    assert_true(descriptor >= 0);
    close(descriptor);
    assert_false(confined_stat(root, "link_in", &about));
    assert_true(confined_stat(root, "sub/file", &about) && about.st_size == 5);
    assert_int_equal(confined_open_writable(root, "directory_out/new", &descriptor, &error), MIST_ERROR_IO);
    assert_non_null(strstr(error.message, "directory_out: a symbolic link; nothing is written through it"));
    assert_int_equal(confined_open_writable(root, "file/new", &descriptor, &error), MIST_ERROR_IO);
    assert_non_null(strstr(error.message, "file: a file is there where a directory is needed"));
    assert_int_not_equal(confined_open_writable(root, "link_out", &descriptor, &error), MIST_OK);
    assert_int_not_equal(confined_rename(root, "file", root, "directory_out/new", &error), MIST_OK);
    confined_remove(root, "directory_out/secret");
    assert_int_equal(access("d2/secret", F_OK), 0);
    assert_int_not_equal(access("d2/new", F_OK), 0);
}

static void test_written_and_removed(void **state)
{
    (void)state;
    struct mist_error error = {0};
    int descriptor;
    assert_int_equal(confined_open_writable(root, "x/y/new", &descriptor, &error), MIST_OK);
    assert_int_equal(write(descriptor, "new", 3), 3);
    close(descriptor);
    assert_int_equal(confined_rename(root, "x/y/new", root, "x/z/moved", &error), MIST_OK);
    assert_string_equal(read_following("x/z/moved"), "new");
    assert_int_equal(confined_rename(root, "x/z/moved", root, "x/y", &error), MIST_ERROR_IO);
    assert_non_null(strstr(error.message, "a directory of this name is in the way"));
    assert_int_equal(confined_remove_tidily(root, "x/z/moved", &error), MIST_OK);
    assert_int_equal(access("d/x/z", F_OK), -1); /* empty: gone with its file */
    assert_int_equal(access("d/x/y", F_OK), 0);  /* it was not on the way */
    int below;
    assert_int_equal(confined_directory(root, "x", &below, &error), MIST_OK);
    assert_int_equal(symlinkat("../../d2", below, "link"), 0);
    confined_clear(below);
    close(below);
    assert_int_equal(rmdir("d/x"), 0);
    assert_int_equal(access("d2/secret", F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_following),
        cmocka_unit_test(test_no_link_is_written_through),
        cmocka_unit_test(test_written_and_removed),
        cmocka_unit_test(test_following_on_old_kernels),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
