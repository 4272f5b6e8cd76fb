/* SPDX-License-Identifier: BSD-2-Clause */
/* Parsing a command's arguments by its table of options. */
#include "cli/command.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_OPTIONS = 48 };

struct values {
    const char **list;
    size_t count;
};

struct arguments {
    const struct command *const *commands;
    const struct command *command;
    char **operands;
    size_t operand_count;
    struct values values[MAX_OPTIONS]; /* as the command's options are ordered; flags hold "" */
};

static const struct values *find_values(const struct arguments *arguments, const char *name)
{
    for (size_t i = 0; arguments->command->options[i].name; i++)
        if (strcmp(arguments->command->options[i].name, name) == 0)
            return &arguments->values[i];
    fprintf(stderr, "mist: internal error: no option --%s\n", name);
    abort();
}

const struct command *const *known_commands(const struct arguments *arguments)
{
    return arguments->commands;
}

size_t operand_count(const struct arguments *arguments)
{
    return arguments->operand_count;
}

const char *operand(const struct arguments *arguments, size_t index)
{
    return index < arguments->operand_count ? arguments->operands[index] : NULL;
}

bool option_given(const struct arguments *arguments, const char *name)
{
    return find_values(arguments, name)->count > 0;
}

const char *option_value(const struct arguments *arguments, const char *name)
{
    const struct values *values = find_values(arguments, name);
    return values->count ? values->list[values->count - 1] : NULL;
}

size_t option_values(const struct arguments *arguments, const char *name, const char *const **list)
{
    const struct values *values = find_values(arguments, name);
    *list = values->list;
    return values->count;
}

void complain(const struct arguments *arguments, const char *format, ...)
{
    va_list list;
    fprintf(stderr, "mist %s: ", arguments->command->name);
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
}

enum exit_status usage_error(const struct arguments *arguments, const char *format, ...)
{
    va_list list;
    fprintf(stderr, "mist %s: ", arguments->command->name);
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fprintf(stderr, "; see 'mist %s --help'\n", arguments->command->name);
    return EXIT_USAGE;
}

bool option_unsigned(const struct arguments *arguments, const char *name, unsigned minimum, unsigned maximum,
                     unsigned *value)
{
    const char *text = option_value(arguments, name);
    if (!text)
        return true;
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || number < minimum || number > maximum) {
        usage_error(arguments, "--%s takes a whole number from %u to %u, not '%s'", name, minimum, maximum, text);
        return false;
    }
    *value = (unsigned)number;
    return true;
}

bool option_number(const struct arguments *arguments, const char *name, double *value)
{
    const char *text = option_value(arguments, name);
    if (!text)
        return true;
    char *end;
    double number = strtod(text, &end);
    if (end == text || *end || !isfinite(number) || number <= 0) {
        usage_error(arguments, "--%s takes a number above 0, not '%s'", name, text);
        return false;
    }
    *value = number;
    return true;
}

bool option_bytes(const struct arguments *arguments, const char *name, unsigned long long *value)
{
    static const struct {
        const char *suffix;
        double factor;
    } units[] = {{"", 1},
                 {"B", 1},
                 {"k", 1e3},
                 {"kB", 1e3},
                 {"M", 1e6},
                 {"MB", 1e6},
                 {"G", 1e9},
                 {"GB", 1e9},
                 {"T", 1e12},
                 {"TB", 1e12},
                 {"KiB", 1024},
                 {"MiB", 1048576},
                 {"GiB", 1073741824.0},
                 {"TiB", 1099511627776.0}};
    const char *text = option_value(arguments, name);
    if (!text)
        return true;
    char *end;
    double number = strtod(text, &end);
    for (size_t i = 0; end != text && isfinite(number) && number > 0 && i < sizeof units / sizeof *units; i++)
        if (strcasecmp(end, units[i].suffix) == 0 && number * units[i].factor < 9e18) {
            *value = (unsigned long long)(number * units[i].factor);
            return true;
        }
    usage_error(arguments, "--%s takes a number of bytes such as 500M or 2GiB, not '%s'", name, text);
    return false;
}

bool option_size(const struct arguments *arguments, const char *name, uint32_t *width, uint32_t *height)
{
    const char *text = option_value(arguments, name);
    if (!text)
        return true;
    unsigned w = 0, h = 0;
    int used = 0;
    bool digits = *text >= '0' && *text <= '9';
    if (digits && sscanf(text, "%5ux%5u%n", &w, &h, &used) == 2 && !text[used]) {
        ;
    } else if (digits && (used = 0, sscanf(text, "%5u%n", &w, &used)) == 1 && !text[used]) {
        h = w;
    } else {
        w = 0;
    }
    if (w < 1 || h < 1 || w > MIST_MAX_SIDE || h > MIST_MAX_SIDE) {
        usage_error(arguments, "--%s takes S or WxH, each 1 to %u, not '%s'", name, MIST_MAX_SIDE, text);
        return false;
    }
    *width = w;
    *height = h;
    return true;
}

/* Adds a value; false when memory is short. */
static bool add_value(struct values *values, const char *value)
{
    const char **list = realloc(values->list, (values->count + 1) * sizeof *list);
    if (!list)
        return false;
    list[values->count++] = value;
    values->list = list;
    return true;
}

/* getopt's own view of a table: long options whose value is their index + 256, and the letters. */
static size_t build_getopt(const struct option_spec *options, struct option *longs, char *letters)
{
    size_t count = 0;
    *letters++ = ':'; /* missing arguments are reported as ':' and printed by us */
    for (; options[count].name; count++) {
        bool takes = options[count].argument != NULL;
        longs[count] =
            (struct option){options[count].name, takes ? required_argument : no_argument, NULL, (int)count + 256};
        if (options[count].letter) {
            *letters++ = options[count].letter;
            if (takes)
                *letters++ = ':';
        }
    }
    longs[count] = (struct option){"help", no_argument, NULL, 'h'};
    *letters++ = 'h';
    *letters = '\0';
    longs[count + 1] = (struct option){0};
    return count;
}

static size_t index_of(const struct option_spec *options, int code)
{
    size_t index = 0;
    if (code >= 256)
        return (size_t)code - 256;
    while (options[index].name && options[index].letter != code)
        index++;
    return index;
}

/* Returns EXIT_DONE to go on, EXIT_USAGE after a message; *help is set by -h. */
static enum exit_status parse(struct arguments *arguments, int argc, char **argv, bool *help)
{
    const struct option_spec *options = arguments->command->options;
    struct option longs[MAX_OPTIONS + 2];
    char letters[2 * MAX_OPTIONS + 4];
    build_getopt(options, longs, letters);
    opterr = 0;
    optind = 1;
    for (int code; (code = getopt_long(argc, argv, letters, longs, NULL)) != -1;) {
        if (code == 'h') {
            *help = true;
            return EXIT_DONE;
        }
        if (code == ':')
            return usage_error(arguments, "%s needs a value", argv[optind - 1]);
        if (code == '?')
            return usage_error(arguments, "unknown option '%s'", argv[optind - 1]);
        size_t index = index_of(options, code);
        if (!add_value(&arguments->values[index], optarg ? optarg : ""))
            return usage_error(arguments, "out of memory");
    }
    arguments->operands = argv + optind;
    arguments->operand_count = (size_t)(argc - optind);
    int count = argc - optind;
    if (count < arguments->command->minimum_operands)
        return usage_error(arguments, "something is missing: mist %s %s", arguments->command->name,
                           arguments->command->synopsis);
    if (arguments->command->maximum_operands >= 0 && count > arguments->command->maximum_operands)
        return usage_error(arguments, "unexpected '%s'", argv[optind + arguments->command->maximum_operands]);
    return EXIT_DONE;
}

enum exit_status command_run(const struct command *const commands[], const struct command *command, int argc,
                             char **argv)
{
    struct arguments arguments = {.commands = commands, .command = command};
    bool help = false;
    enum exit_status status = parse(&arguments, argc, argv, &help);
    if (help)
        command_help(command);
    else if (status == EXIT_DONE)
        status = command->run(&arguments);
    for (size_t i = 0; i < MAX_OPTIONS; i++)
        free(arguments.values[i].list);
    return status;
}
