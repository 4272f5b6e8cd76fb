/* SPDX-License-Identifier: BSD-2-Clause */
/* Everything that is printed from the tables: help, the man page, shell completion. */
#include "cli/help.h"

#include "cli/command.h"

#include <mist/item.h>
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

enum { HELP_SIZE = 512 };

/* The option's text, with the names of the formats in the place of "{formats}". */
static const char *option_text(const struct option_spec *option, char text[HELP_SIZE])
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
    printf("  %-26s %s\n", label, option_text(option, text));
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

void help_overview(void)
{
    printf("mist: store medical images once, losslessly; stream them at any resolution\n\n"
           "Usage: mist COMMAND [OPTION...]\n\nCommands:\n");
    for (size_t i = 0; all_commands[i]; i++)
        printf("  %-12s %s\n", all_commands[i]->name, all_commands[i]->summary);
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
        print_roff(option_text(option, text));
    }
    if (command->example) {
        printf(".PP\nExample:\n.PP\n.nf\n.RS\n");
        print_roff(command->example);
        printf(".RE\n.fi\n");
    }
}

void help_man_page(void)
{
    printf(".TH MIST 1 \"\" \"mist " MIST_VERSION "\" \"Medical Image Streaming Toolkit\"\n.SH NAME\n"
           "mist \\- store medical images once, losslessly; stream them at any resolution\n"
           ".SH SYNOPSIS\n.B mist\n.I COMMAND\n[\\fIOPTION\\fR...]\n.SH COMMANDS\n");
    for (size_t i = 0; all_commands[i]; i++)
        print_man_command(all_commands[i]);
    printf(".SH EXIT STATUS\n0 done, 1 something failed (what, on standard error; the rest was still done), "
           "2 wrong usage.\n.SH ENVIRONMENT\nMIST_JOBS, MIST_TOKEN, MIST_CPU, NO_COLOR, HTTPS_PROXY.\n");
}

static void complete_bash(void)
{
    printf("_mist() {\n    local word=${COMP_WORDS[COMP_CWORD]}\n    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
           "        COMPREPLY=($(compgen -W \"");
    for (size_t i = 0; all_commands[i]; i++)
        printf("%s%s", i ? " " : "", all_commands[i]->name);
    printf("\" -- \"$word\"))\n        return\n    fi\n    local options=\n    case ${COMP_WORDS[1]} in\n");
    for (size_t i = 0; all_commands[i]; i++) {
        printf("    %s) options=\"--help", all_commands[i]->name);
        for (const struct option_spec *option = all_commands[i]->options; option->name; option++)
            printf(" --%s", option->name);
        printf("\" ;;\n");
    }
    printf("    esac\n    case $word in\n    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;;\n"
           "    *) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n    esac\n}\ncomplete -o filenames -F _mist mist\n");
}

static void complete_zsh(void)
{
    char text[HELP_SIZE];
    printf("#compdef mist\n_mist() {\n    local -a commands\n    commands=(");
    for (size_t i = 0; all_commands[i]; i++)
        printf(" '%s:%s'", all_commands[i]->name, all_commands[i]->summary);
    printf(" )\n    if (( CURRENT == 2 )); then _describe command commands; return; fi\n    case ${words[2]} in\n");
    for (size_t i = 0; all_commands[i]; i++) {
        printf("    %s) _arguments", all_commands[i]->name);
        for (const struct option_spec *option = all_commands[i]->options; option->name; option++)
            printf(" '--%s[%s]%s%s'", option->name, option_text(option, text), option->argument ? ":" : "",
                   option->argument ? option->argument : "");
        printf(" '*:file:_files' ;;\n");
    }
    printf("    esac\n}\n_mist \"$@\"\n");
}

static void complete_fish(void)
{
    char text[HELP_SIZE];
    for (size_t i = 0; all_commands[i]; i++) {
        printf("complete -c mist -n __fish_use_subcommand -a %s -d '%s'\n", all_commands[i]->name,
               all_commands[i]->summary);
        for (const struct option_spec *option = all_commands[i]->options; option->name; option++)
            printf("complete -c mist -n '__fish_seen_subcommand_from %s' -l %s%s -d '%s'\n", all_commands[i]->name,
                   option->name, option->argument ? " -r" : "", option_text(option, text));
    }
}

static enum exit_status run_completion(const struct arguments *arguments)
{
    const char *shell = operand(arguments, 0);
    if (strcmp(shell, "bash") == 0)
        complete_bash();
    else if (strcmp(shell, "zsh") == 0)
        complete_zsh();
    else if (strcmp(shell, "fish") == 0)
        complete_fish();
    else
        return usage_error(arguments, "no completion for '%s'; there is bash, zsh, fish", shell);
    return EXIT_DONE;
}

static enum exit_status run_man(const struct arguments *arguments)
{
    (void)arguments;
    help_man_page();
    return EXIT_DONE;
}

static const struct option_spec no_options[] = {{0}};

const struct command command_completion = {
    .name = "completion",
    .summary = "print a completion script for a shell",
    .synopsis = "bash|zsh|fish",
    .options = no_options,
    .example = "mist completion bash > /etc/bash_completion.d/mist",
    .minimum_operands = 1,
    .maximum_operands = 1,
    .run = run_completion,
};

const struct command command_man = {
    .name = "man",
    .summary = "print the manual page",
    .synopsis = "",
    .options = no_options,
    .example = "mist man | man -l -",
    .run = run_man,
};
