/* SPDX-License-Identifier: BSD-2-Clause */
/* mist decode: files out of items, pictures out of codestreams. */
#include "cli/commands.h"
#include "cli/decode_codestream.h"
#include "cli/decode_item.h"

static const struct option_spec options[] = {
    {"output", 'o', "DIR|FILE", "where to write; of a codestream .npy, .pgm, .ppm, .pgx or .png"},
    {"size", 0, "S|WxH|WxHxD", "item: at the level and slice step closest to this size (default: full size)"},
    {"reduce", 0, "R[,S]", "at 1/2^R of each side; of items every 2^S-th slice (default 0,0: all)"},
    {"spacing", 0, "MM|XxYxZ", "item: at the level and slice step closest to this voxel size"},
    {"policy", 0, "P", "with --size, --spacing: closest (default), at-least or at-most"},
    {"exact", 0, NULL, "item: resample to exactly the --size given"},
    {"grid", 0, "G", "item: native (default, geometry exact) or center (conventional pixel grid)"},
    {"format", 0, "F", "item: one of {formats} (default: that of the source)"},
    {"transfer-syntax", 0, "T", "item: DICOM as explicit or htj2k (default: that of the source)"},
    {"keep-uids", 0, NULL, "item: smaller DICOM images keep the identifiers of their originals"},
    {"identical", 0, NULL, "item: PNG at full size compressed as libpng does, to the byte where it wrote the original"},
    {"jobs", 'j', "N", "item: threads (default: 1)"},
    {"component", 0, "N", "codestream: only component N, from 0 (default: all, of one size)"},
    {"best-effort", 0, NULL, "codestream: of a file that ends early use what has arrived"},
    {0},
};

/* The first given option of a list, or NULL. */
static const char *first_given(const struct arguments *arguments, const char *const *names)
{
    while (*names && !option_given(arguments, *names))
        names++;
    return *names;
}

static enum exit_status run(const struct arguments *arguments)
{
    static const char *const of_items[] = {"size", "spacing",         "policy",    "exact",     "grid", "format",
                                           "jobs", "transfer-syntax", "keep-uids", "identical", NULL};
    static const char *const of_codestreams[] = {"component", "best-effort", NULL};
    const char *path = operand(arguments, 0);
    bool codestream = is_codestream(path);
    const char *misplaced = first_given(arguments, codestream ? of_items : of_codestreams);
    if (misplaced)
        return usage_error(arguments, "--%s is not for %s", misplaced, codestream ? "codestreams" : "items");
    return codestream ? decode_codestream(arguments, path) : decode_item(arguments, path);
}

const struct command command_decode = {
    .name = "decode",
    .summary = "turn an item back into files, or a codestream into a picture",
    .synopsis = "ITEM -o DIR [OPTION...] | FILE.j2c -o FILE.npy|.pgm|.ppm|.pgx|.png [OPTION...]",
    .details = "Writes the files of an item (.mist) below DIR, under the names that they had, at the\n"
               "resolution asked for; at full size they are the originals.\n\n"
               "Decodes any HTJ2K codestream (ISO/IEC 15444-15; .j2c, .j2k, .jhc) or JPH file. Samples\n"
               "are written as they are, in the narrowest type that holds them: .npy of height x\n"
               "width (x components), .pgx with any sign and depth, .pgm, .ppm and .png unsigned up to\n"
               "16 bits.",
    .options = options,
    .example = "mist decode store/cxr/items/00000061_012.png.mist -o out --size 256\n"
               "mist decode scan.j2c -o scan.npy --reduce 2\n"
               "mist decode scan.jph -o red.pgm --component 0",
    .minimum_operands = 1,
    .maximum_operands = 1,
    .run = run,
};
