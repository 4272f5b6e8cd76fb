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

/* Names in messages may be anybody's: what could change the terminal is shown escaped. */
static void print_complaint(const struct arguments *arguments, const char *format, va_list list)
{
    char text[8192];
    vsnprintf(text, sizeof text, format, list);
    mist_text_make_visible(text, sizeof text);
    fprintf(stderr, "mist %s: %s", arguments->command->name, text);
}

void complain(const struct arguments *arguments, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    print_complaint(arguments, format, list);
    va_end(list);
    fputc('\n', stderr);
}

enum exit_status usage_error(const struct arguments *arguments, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    print_complaint(arguments, format, list);
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

bool option_count(const struct arguments *arguments, const char *name, unsigned long long minimum,
                  unsigned long long *value)
{
    const char *text = option_value(arguments, name);
    if (!text)
        return true;
    char *end;
    errno = 0;
    const unsigned long long number = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || number < minimum) {
        usage_error(arguments, "--%s takes a whole number%s, not '%s'", name, minimum ? " above 0" : "", text);
        return false;
    }
    *value = number;
    return true;
}

/* Numbers from `minimum` to `maximum` with a separator between; returns how many, 0 if it is something else. */
static int parse_list(const char *text, char separator, unsigned maximum, unsigned *numbers, int most)
{
    for (int count = 0; count < most;) {
        char *end;
        if (*text < '0' || *text > '9' || strspn(text, "0123456789") > 9)
            return 0;
        unsigned long number = strtoul(text, &end, 10);
        if (number > maximum)
            return 0;
        numbers[count++] = (unsigned)number;
        if (*end == '\0')
            return count;
        if (*end != separator)
            return 0;
        text = end + 1;
    }
    return 0;
}

bool option_size(const struct arguments *arguments, const char *name, uint32_t *width, uint32_t *height,
                 uint32_t *depth)
{
    const char *text = option_value(arguments, name);
    unsigned sides[3] = {0};
    if (!text)
        return true;
    int count = parse_list(text, 'x', MIST_MAX_SIDE, sides, depth ? 3 : 2);
    bool good = count > 0;
    for (int i = 0; i < count; i++)
        good = good && sides[i] > 0;
    if (!good) {
        usage_error(arguments, "--%s takes S%s WxH%s, each 1 to %u, not '%s'", name, depth ? "," : " or",
                    depth ? " or WxHxD" : "", MIST_MAX_SIDE, text);
        return false;
    }
    *width = sides[0];
    *height = count > 1 ? sides[1] : sides[0];
    if (count > 2)
        *depth = sides[2];
    return true;
}

bool option_reduce(const struct arguments *arguments, const char *name, unsigned *reduce, unsigned *step)
{
    const char *text = option_value(arguments, name);
    unsigned numbers[2] = {0};
    if (!text)
        return true;
    int count = parse_list(text, ',', MIST_MAX_LEVELS - 1, numbers, 2);
    if (count == 0 || numbers[1] > MIST_MAX_STEPS) {
        usage_error(arguments,
                    "--%s takes a whole number from 0 to %u, and maybe a slice step from 0 to %u (2,1), not '%s'", name,
                    MIST_MAX_LEVELS - 1, MIST_MAX_STEPS, text);
        return false;
    }
    *reduce = numbers[0];
    *step = numbers[1];
    return true;
}

bool option_spacing(const struct arguments *arguments, const char *name, double spacing[3])
{
    const char *text = option_value(arguments, name), *at = text;
    int count = 0;
    if (!text)
        return true;
    for (char *end; count < 3; at = end + 1) {
        spacing[count] = strtod(at, &end);
        if (end == at || !isfinite(spacing[count]) || spacing[count] <= 0 ||
            strspn(at, "0123456789.eE+-") < (size_t)(end - at))
            break;
        count++;
        if (*end == '\0' && count != 2) {
            for (int axis = count; axis < 3; axis++)
                spacing[axis] = spacing[0];
            return true;
        }
        if (*end != 'x')
            break;
    }
    usage_error(arguments, "--%s takes a number of mm above 0, or three (1.5x1.5x2), not '%s'", name, text);
    return false;
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
