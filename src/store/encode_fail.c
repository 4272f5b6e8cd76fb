/* SPDX-License-Identifier: BSD-2-Clause */
/* What the steps of mist_store_encode() say of a file or item with something wrong. */
#include "store/encode.h"

#include <stdio.h>
#include <string.h>

void encode_fail(struct encode *encode, const char *path, const char *sentence)
{
    encode->report->failed++;
    tally_note(&encode->tally, path, sentence);
}

void encode_fail_kept(struct encode *encode, const char *path, const char *sentence, bool kept)
{
    char text[700];
    snprintf(text, sizeof text, "%s%s", sentence ? sentence : "not encoded",
             kept ? "; kept byte for byte as an attachment" : "");
    encode_fail(encode, path, text);
}

const char *encode_sentence(const char *message, const char *disk)
{
    size_t length = strlen(disk);
    bool named = strncmp(message, disk, length) == 0 && strncmp(message + length, ": ", 2) == 0;
    return named ? message + length + 2 : message;
}
