/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The frame of the command line: each sub-command is one file that defines a `struct command`; parsing, --help, shell
 * completion and the man page all come from its table of options.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <mist/mist.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum exit_status { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct option_spec {
    const char *name;     /* "size" for --size; NULL ends a table */
    char letter;          /* 'o' for -o; 0: none */
    const char *argument; /* "WxH"; NULL: a flag */
    const char *help;     /* one line without a full stop */
};

struct arguments;

struct command {
    const char *name;
    const char *summary;  /* one line: "download a dataset at the resolution asked for" */
    const char *synopsis; /* "URL -o DIR [OPTION...]" */
    const char *details;  /* paragraphs for --help and the man page, wrapped at 80 columns, or NULL */
    const struct option_spec *options;
    const char *example; /* whole command lines, one a line */
    int minimum_operands;
    int maximum_operands; /* -1: any number */
    enum exit_status (*run)(const struct arguments *arguments);
};

/* ---- what the user said; texts live as long as the process ---- */

/* All sub-commands, ended by NULL: for those that print about the others. */
const struct command *const *known_commands(const struct arguments *arguments);
size_t operand_count(const struct arguments *arguments);
const char *operand(const struct arguments *arguments, size_t index);
bool option_given(const struct arguments *arguments, const char *name);
/* The last value of an option, or NULL if it was not given. */
const char *option_value(const struct arguments *arguments, const char *name);
/* All values of an option that may be repeated, in order. */
size_t option_values(const struct arguments *arguments, const char *name, const char *const **values);

/*
 * Values with a form. Each returns true and leaves *value as it was if the option was not given; says what is wrong and
 * returns false if it was given and does not parse (then return EXIT_USAGE).
 */
bool option_unsigned(const struct arguments *arguments, const char *name, unsigned minimum, unsigned maximum,
                     unsigned *value);
/* Of any size; `minimum` is 0 or 1. */
bool option_count(const struct arguments *arguments, const char *name, unsigned long long minimum,
                  unsigned long long *value);
bool option_number(const struct arguments *arguments, const char *name, double *value);            /* > 0 */
bool option_bytes(const struct arguments *arguments, const char *name, unsigned long long *value); /* 10M, 2GiB */
/* S or WxH; where depth is not NULL WxHxD, too. *depth is left alone by the others. */
bool option_size(const struct arguments *arguments, const char *name, uint32_t *width, uint32_t *height,
                 uint32_t *depth);
bool option_reduce(const struct arguments *arguments, const char *name, unsigned *reduce, unsigned *step); /* R, R,S */
/* MM, or one for each axis: XxYxZ. */
bool option_spacing(const struct arguments *arguments, const char *name, double spacing[3]);

/* "mist encode: ..." on standard error; the second adds "see 'mist encode --help'" and returns EXIT_USAGE. */
void complain(const struct arguments *arguments, const char *format, ...) __attribute__((format(printf, 2, 3)));
enum exit_status usage_error(const struct arguments *arguments, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Parses argv (whose first entry follows the command's name) and runs the command, which is one of `commands`. */
enum exit_status command_run(const struct command *const commands[], const struct command *command, int argc,
                             char **argv);
/* `mist COMMAND --help` (help.c). */
void command_help(const struct command *command);

/* ---- progress on standard error: one line with rate and time left, only where that is a terminal ---- */

struct progress_display;
/* NULL (harmless everywhere below) with `quiet` or where standard error is no terminal. */
struct progress_display *progress_start(bool quiet);
/* What to hand to the library. SIGINT makes its report function ask to stop, so that work ends cleanly. */
struct mist_progress progress_callbacks(struct progress_display *display);
/* Removes the line. */
void progress_end(struct progress_display **display);
/* Clears the line so that a message can be printed; the next report draws it again. */
void progress_pause(struct progress_display *display);

/* "1.2 MB" (powers of 1000) into `text`, which is returned. */
const char *format_bytes(unsigned long long bytes, char text[32]);

#endif
