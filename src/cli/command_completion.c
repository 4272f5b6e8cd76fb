/* SPDX-License-Identifier: BSD-2-Clause */
/* mist completion and mist man: what is printed from the tables of all commands. */
#include "cli/commands.h"
#include "cli/help.h"

#include <string.h>

#define HELP_OF_HELP "what the command does, and an example"

static void complete_bash(const struct command *const commands[])
{
    printf("_mist() {\n    local word=${COMP_WORDS[COMP_CWORD]}\n    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
           "        COMPREPLY=($(compgen -W \"");
    for (size_t i = 0; commands[i]; i++)
        printf("%s%s", i ? " " : "", commands[i]->name);
    printf("\" -- \"$word\"))\n        return\n    fi\n    local options=\n    case ${COMP_WORDS[1]} in\n");
    for (size_t i = 0; commands[i]; i++) {
        printf("    %s) options=\"--help", commands[i]->name);
        for (const struct option_spec *option = commands[i]->options; option->name; option++)
            printf(" --%s", option->name);
        printf("\" ;;\n");
    }
    printf("    esac\n    case $word in\n    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;;\n"
           "    *) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n    esac\n}\ncomplete -o filenames -F _mist mist\n");
}

/* Within single quotes of zsh, in which quotes end; what a specification of _arguments sees as its own is escaped. */
static void put_zsh(const char *text)
{
    for (; *text; text++)
        if (*text == '\'')
            printf("'\\''");
        else
            printf("%s%c", strchr("[]:\\", *text) ? "\\" : "", *text);
}

/* Within single quotes of fish. */
static void put_fish(const char *text)
{
    for (; *text; text++)
        printf("%s%c", strchr("'\\", *text) ? "\\" : "", *text);
}

static void complete_zsh(const struct command *const commands[])
{
    char text[HELP_SIZE];
    printf("#compdef mist\n_mist() {\n    local -a commands\n    commands=(");
    for (size_t i = 0; commands[i]; i++) {
        printf(" '%s:", commands[i]->name);
        put_zsh(commands[i]->summary);
        printf("'");
    }
    printf(" )\n    if (( CURRENT == 2 )); then _describe command commands; return; fi\n    case ${words[2]} in\n");
    for (size_t i = 0; commands[i]; i++) {
        printf("    %s) _arguments '--help[" HELP_OF_HELP "]'", commands[i]->name);
        for (const struct option_spec *option = commands[i]->options; option->name; option++) {
            printf(" '*--%s[", option->name);
            put_zsh(help_option_text(option, text));
            printf("]");
            if (option->argument) {
                printf(":");
                put_zsh(option->argument);
                printf(":_files");
            }
            printf("'");
        }
        printf(" '*:file:_files' ;;\n");
    }
    printf("    esac\n}\n_mist \"$@\"\n");
}

static void complete_fish(const struct command *const commands[])
{
    char text[HELP_SIZE];
    for (size_t i = 0; commands[i]; i++) {
        printf("complete -c mist -n __fish_use_subcommand -a %s -d '", commands[i]->name);
        put_fish(commands[i]->summary);
        printf("'\n");
        printf("complete -c mist -n '__fish_seen_subcommand_from %s' -l help -d '" HELP_OF_HELP "'\n",
               commands[i]->name);
        for (const struct option_spec *option = commands[i]->options; option->name; option++) {
            printf("complete -c mist -n '__fish_seen_subcommand_from %s' -l %s%s -d '", commands[i]->name, option->name,
                   option->argument ? " -r" : "");
            put_fish(help_option_text(option, text));
            printf("'\n");
        }
    }
}

static enum exit_status run_completion(const struct arguments *arguments)
{
    const char *shell = operand(arguments, 0);
    if (strcmp(shell, "bash") == 0)
        complete_bash(known_commands(arguments));
    else if (strcmp(shell, "zsh") == 0)
        complete_zsh(known_commands(arguments));
    else if (strcmp(shell, "fish") == 0)
        complete_fish(known_commands(arguments));
    else
        return usage_error(arguments, "no completion for '%s'; there is bash, zsh, fish", shell);
    return EXIT_DONE;
}

static enum exit_status run_man(const struct arguments *arguments)
{
    help_man_page(known_commands(arguments));
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
