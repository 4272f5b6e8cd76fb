/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/card.h"

#include "base/memory.h"
#include "base/text.h"

#include <string.h>

/* The members, by their names in JSON. */
static const struct member {
    const char *name;
    size_t offset, capacity;
} members[] = {
#define MEMBER(name)                                                                                   \
    {                                                                                                  \
#name, offsetof(struct mist_dataset_card, name), sizeof(((struct mist_dataset_card *)0)->name) \
    }
    MEMBER(title), MEMBER(version), MEMBER(licence), MEMBER(citation), MEMBER(description),
#undef MEMBER
};
enum { MEMBERS = sizeof members / sizeof *members };

static char *text_of(const struct mist_dataset_card *card, unsigned i)
{
    return (char *)(uintptr_t)card + members[i].offset;
}

bool card_is_empty(const struct mist_dataset_card *card)
{
    for (unsigned i = 0; i < MEMBERS; i++)
        if (*text_of(card, i))
            return false;
    return true;
}

bool card_same(const struct mist_dataset_card *a, const struct mist_dataset_card *b)
{
    for (unsigned i = 0; i < MEMBERS; i++)
        if (strcmp(text_of(a, i), text_of(b, i)) != 0)
            return false;
    return true;
}

/* Bytes of the UTF-8 character at `text`; 0 where there is none. */
static size_t character_size(const unsigned char *text, size_t size)
{
    const size_t length = text[0] < 0x80   ? 1
                          : text[0] < 0xc2 ? 0
                          : text[0] < 0xe0 ? 2
                          : text[0] < 0xf0 ? 3
                          : text[0] < 0xf5 ? 4
                                           : 0;
    if (length == 0 || length > size)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

/* White space, controls, and U+2028 to U+202E and U+2066 to U+2069, which turn lines and directions. */
static bool is_blank(const unsigned char *text, size_t length)
{
    if (length == 1)
        return *text <= ' ' || *text == 0x7f;
    if (length == 2)
        return text[0] == 0xc2 && text[1] <= 0xa0;
    return length == 3 && text[0] == 0xe2 &&
           ((text[1] == 0x80 && text[2] >= 0xa8 && text[2] <= 0xae) ||
            (text[1] == 0x81 && text[2] >= 0xa6 && text[2] <= 0xa9));
}

void card_set(char *member, size_t capacity, const char *text, size_t size)
{
    size_t used = 0;
    bool blank = false;
    for (size_t at = 0; at < size;) {
        const unsigned char *here = (const unsigned char *)text + at;
        const size_t length = character_size(here, size - at);
        at += length ? length : 1;
        if (length && is_blank(here, length)) {
            blank = used > 0;
            continue;
        }
        const size_t needed = (length ? length : 1) + blank;
        if (used + needed >= capacity)
            break;
        if (blank)
            member[used++] = ' ';
        blank = false;
        if (length)
            memcpy(member + used, here, length);
        else
            member[used] = '?';
        used += length ? length : 1;
    }
    member[used] = '\0';
}

bool card_write(const struct mist_dataset_card *card, struct mist_buffer *out)
{
    const char *comma = "";
    bool good = json_put(out, "{");
    for (unsigned i = 0; i < MEMBERS && good; i++) {
        if (!*text_of(card, i))
            continue;
        good = json_put(out, "%s\"%s\":", comma, members[i].name) && json_put_string(out, text_of(card, i));
        comma = ",";
    }
    return good && json_put(out, "}");
}

void card_read(struct json_reader *json, struct mist_dataset_card *card)
{
    struct mist_buffer text = {0};
    char key[16];
    *card = (struct mist_dataset_card){0};
    json_enter_object(json);
    while (json_key(json, key, sizeof key)) {
        unsigned i = 0;
        while (i < MEMBERS && strcmp(key, members[i].name) != 0)
            i++;
        size_t offset, length;
        text.size = 0;
        if (i == MEMBERS)
            json_skip(json);
        else if (json_text(json, &text, &offset, &length))
            card_set(text_of(card, i), members[i].capacity, (const char *)text.data + offset, length);
    }
    mist_buffer_free(&text);
}
