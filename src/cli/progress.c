/* SPDX-License-Identifier: BSD-2-Clause */
/* One line on standard error: bar, count, rate, time left. */
#include "cli/command.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

struct progress_display {
    double started;
    double drawn;             /* when the line was last drawn */
    unsigned long long first; /* what was done already when the first report came: not part of the rate */
    bool seen;
    bool visible;
};

/* Set by the signal handler; read by every report. */
static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
    interrupted = 1;
    /* A second Ctrl-C ends the process at once: everything is written aside, so that is safe too. */
    signal(signal_number, SIG_DFL);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

struct progress_display *progress_start(bool quiet)
{
    interrupted = 0;
    signal(SIGINT, on_interrupt);
    signal(SIGTERM, on_interrupt);
    if (quiet || !isatty(STDERR_FILENO))
        return NULL;
    struct progress_display *display = calloc(1, sizeof *display);
    if (display)
        display->started = now();
    return display;
}

static int terminal_columns(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

static void format_amount(const char *unit, unsigned long long amount, char text[32])
{
    if (strcmp(unit, "bytes") == 0)
        format_bytes(amount, text);
    else
        snprintf(text, 32, "%llu", amount);
}

/* "1:02:03" or "2:03". */
static void format_duration(double seconds, char text[32])
{
    unsigned long whole = seconds < 0 ? 0 : seconds > 3.6e7 ? 36000000 : (unsigned long)(seconds + 0.5);
    if (whole >= 3600)
        snprintf(text, 32, "%lu:%02lu:%02lu", whole / 3600, whole / 60 % 60, whole % 60);
    else
        snprintf(text, 32, "%lu:%02lu", whole / 60, whole % 60);
}

static void draw(struct progress_display *display, const char *unit, unsigned long long done, unsigned long long total,
                 const char *label, double time)
{
    char done_text[32], total_text[32] = "?", rate_text[32], left_text[32] = "";
    format_amount(unit, done, done_text);
    if (total)
        format_amount(unit, total, total_text);
    double seconds = time - display->started;
    double rate = seconds > 0 ? (double)(done - display->first) / seconds : 0;
    format_amount(unit, (unsigned long long)rate, rate_text);
    if (total > done && rate > 0)
        format_duration((double)(total - done) / rate, left_text);
    char line[512];
    bool bytes = strcmp(unit, "bytes") == 0;
    int used = snprintf(line, sizeof line, "%3.0f%% %s/%s%s%s  %s/s  %s%s  ",
                        total ? 100.0 * (double)done / (double)total : 0.0, done_text, total_text, bytes ? "" : " ",
                        bytes ? "" : unit, rate_text, left_text, *left_text ? " left" : "");
    int columns = terminal_columns(), length = columns > 1 ? columns - 1 : 79;
    if (used < (int)sizeof line)
        snprintf(line + used, sizeof line - (size_t)used, "%s", label ? label : "");
    if (length > (int)strlen(line))
        length = (int)strlen(line);
    while (length > 0 && ((unsigned char)line[length] & 0xc0) == 0x80) /* not within a character of several bytes */
        length--;
    fprintf(stderr, "\r%.*s\x1b[K", length, line);
    fflush(stderr);
    display->visible = true;
    display->drawn = time;
}

static int report(void *context, const char *unit, unsigned long long done, unsigned long long total, const char *label)
{
    struct progress_display *display = context;
    if (!display)
        return interrupted;
    double time = now();
    if (!display->seen) {
        display->seen = true;
        display->first = done;
    }
    if (time - display->drawn >= 0.1 || (total && done == total))
        draw(display, unit, done, total, label, time);
    return interrupted;
}

struct mist_progress progress_callbacks(struct progress_display *display)
{
    return (struct mist_progress){report, display};
}

void progress_pause(struct progress_display *display)
{
    if (display && display->visible) {
        fputs("\r\x1b[K", stderr);
        fflush(stderr);
        display->visible = false;
    }
}

void progress_end(struct progress_display **display)
{
    progress_pause(*display);
    free(*display);
    *display = NULL;
}

const char *format_bytes(unsigned long long bytes, char text[32])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    double amount = (double)bytes;
    size_t unit = 0;
    while (amount >= 999.5 && unit + 1 < sizeof units / sizeof *units) {
        amount /= 1000;
        unit++;
    }
    snprintf(text, 32, unit && amount < 99.95 ? "%.1f %s" : "%.0f %s", amount, units[unit]);
    return text;
}
