/* SPDX-License-Identifier: BSD-2-Clause */
/* Help and the man page, printed from the tables of the commands. */
#include "cli/help.h"

#include "cli/command.h"

#include <mist/convert.h>
#include <stdio.h>
#include <string.h>

static const struct option_spec help_option = {"help", 'h', NULL, "show this help"};

/* "-o, --output DIR" */
static void option_label(const struct option_spec *option, char text[64])
{
    char letter[5] = "    ";
    if (option->letter)
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    snprintf(text, 64, "%s--%s%s%s", letter, option->name, option->argument ? " " : "",
             option->argument ? option->argument : "");
}

/* The option's text, with the names of the formats in the place of "{formats}". */
const char *help_option_text(const struct option_spec *option, char text[HELP_SIZE])
{
    char formats[MIST_EXPORT_FORMATS_SIZE];
    const char *place = strstr(option->help, "{formats}");
    if (!place)
        return option->help;
    snprintf(text, HELP_SIZE, "%.*s%s%s", (int)(place - option->help), option->help, mist_export_formats(formats),
             place + strlen("{formats}"));
    return text;
}

static void print_option(const struct option_spec *option)
{
    char label[64], text[HELP_SIZE];
    option_label(option, label);
    printf("  %-26s %s\n", label, help_option_text(option, text));
}

/* Each line of `text` behind `indent`. */
static void print_lines(const char *text, const char *indent)
{
    while (*text) {
        size_t length = strcspn(text, "\n");
        printf("%s%.*s\n", length ? indent : "", (int)length, text);
        text += length + (text[length] == '\n');
    }
}

void command_help(const struct command *command)
{
    printf("mist %s: %s\n\nUsage: mist %s %s\n", command->name, command->summary, command->name, command->synopsis);
    if (command->details) {
        putchar('\n');
        print_lines(command->details, "");
    }
    printf("\nOptions:\n");
    for (const struct option_spec *option = command->options; option->name; option++)
        print_option(option);
    print_option(&help_option);
    if (command->example) {
        printf("\nExample:\n");
        print_lines(command->example, "  ");
    }
}

void help_overview(const struct command *const commands[])
{
    printf("mist: store medical images once, losslessly; stream them at any resolution\n\n"
           "Usage: mist COMMAND [OPTION...]\n\nCommands:\n");
    for (size_t i = 0; commands[i]; i++)
        printf("  %-12s %s\n", commands[i]->name, commands[i]->summary);
    printf("\n'mist COMMAND --help' tells more and shows an example.\n"
           "Exit status: 0 done, 1 something failed (said on standard error), 2 wrong usage.\n"
           "Environment: MIST_JOBS (threads), MIST_TOKEN (sent to the host), MIST_CPU (c, avx2, avx512), NO_COLOR,\n"
           "HTTPS_PROXY.\n");
}

/* Text in which '-' and '\' mean themselves, as man pages want it said. */
static void print_roff(const char *text)
{
    bool start = true;
    for (; *text; text++) {
        if (start && (*text == '.' || *text == '\''))
            fputs("\\&", stdout);
        if (*text == '-')
            fputs("\\-", stdout);
        else if (*text == '\\')
            fputs("\\e", stdout);
        else
            putchar(*text);
        start = *text == '\n';
    }
    putchar('\n');
}

static void print_man_command(const struct command *command)
{
    printf(".SS mist %s\n", command->name);
    print_roff(command->synopsis);
    printf(".PP\n");
    print_roff(command->summary);
    if (command->details) {
        printf(".PP\n.nf\n");
        print_roff(command->details);
        printf(".fi\n");
    }
    for (const struct option_spec *option = command->options; option->name; option++) {
        char label[64], text[HELP_SIZE];
        option_label(option, label);
        printf(".TP\n");
        print_roff(label + strspn(label, " "));
        print_roff(help_option_text(option, text));
    }
    if (command->example) {
        printf(".PP\nExample:\n.PP\n.nf\n.RS\n");
        print_roff(command->example);
        printf(".RE\n.fi\n");
    }
}

void help_man_page(const struct command *const commands[])
{
    printf(".TH MIST 1 \"\" \"mist " MIST_VERSION "\" \"Medical Image Streaming Toolkit\"\n.SH NAME\n"
           "mist \\- store medical images once, losslessly; stream them at any resolution\n"
           ".SH SYNOPSIS\n.B mist\n.I COMMAND\n[\\fIOPTION\\fR...]\n.SH COMMANDS\n");
    for (size_t i = 0; commands[i]; i++)
        print_man_command(commands[i]);
    printf(".SH EXIT STATUS\n0 done, 1 something failed (what, on standard error; the rest was still done), "
           "2 wrong usage.\n.SH ENVIRONMENT\nMIST_JOBS, MIST_TOKEN, MIST_CPU, NO_COLOR, HTTPS_PROXY.\n");
}
