/* SPDX-License-Identifier: BSD-2-Clause */
/* mist decode: pictures out of codestreams. */
#include "cli/commands.h"
#include "cli/decode_codestream.h"

static const struct option_spec options[] = {
    {"output", 'o', "FILE", "where to write; .npy, .pgm, .ppm, .pgx or .png by the name"},
    {"reduce", 0, "R", "at 1/2^R of each side (default 0: full size)"},
    {"component", 0, "N", "only component N, from 0 (default: all, which must have one size)"},
    {"best-effort", 0, NULL, "of a file that ends early use what has arrived"},
    {0},
};

static enum exit_status run(const struct arguments *arguments)
{
    const char *path = operand(arguments, 0);
    if (is_codestream(path))
        return decode_codestream(arguments, path);
    complain(arguments, "%s: not an HTJ2K codestream or JPH file", path);
    return EXIT_FAILED;
}

const struct command command_decode = {
    .name = "decode",
    .summary = "turn an HTJ2K codestream into a picture",
    .synopsis = "FILE.j2c -o FILE.npy|.pgm|.ppm|.pgx|.png [OPTION...]",
    .details = "Decodes any HTJ2K codestream (ISO/IEC 15444-15; .j2c, .j2k, .jhc) or JPH file. Samples\n"
               "are written as they are, in the narrowest type that holds them: .npy of height x\n"
               "width (x components), .pgx with any sign and depth, .pgm, .ppm and .png unsigned up to\n"
               "16 bits.",
    .options = options,
    .example = "mist decode scan.j2c -o scan.npy --reduce 2\n"
               "mist decode scan.jph -o red.pgm --component 0",
    .minimum_operands = 1,
    .maximum_operands = 1,
    .run = run,
};
