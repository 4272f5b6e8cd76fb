/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/dicomweb.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The length of what stands before a separator, which counts within quotes for nothing. */
static size_t span(const char *text, size_t size, char separator)
{
    bool quoted = false;
    size_t at = 0;
    for (; at < size; at++) {
        if (text[at] == '"')
            quoted = !quoted;
        else if (text[at] == separator && !quoted)
            break;
    }
    return at;
}

/* A token or quoted text without its quotes and the space around it, in lower case; "" where it does not fit. */
static void take(const char *text, size_t size, char *out, size_t capacity)
{
    while (size && (*text == ' ' || *text == '\t'))
        text++, size--;
    while (size && (text[size - 1] == ' ' || text[size - 1] == '\t'))
        size--;
    if (size >= 2 && *text == '"' && text[size - 1] == '"')
        text++, size -= 2;
    if (size >= capacity)
        size = 0;
    for (size_t i = 0; i < size; i++)
        out[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] | 0x20 : text[i]);
    out[size] = '\0';
}

static unsigned weight_of(const char *text)
{
    unsigned weight = 0, unit = 1000;
    for (size_t i = 0; text[i] && unit; i++) {
        if (i == 1 && text[i] == '.')
            continue;
        if (text[i] < '0' || text[i] > '9')
            return 0;
        weight += (unsigned)(text[i] - '0') * unit;
        unit /= 10;
    }
    return weight > 1000 ? 1000 : weight;
}

/* One range. False if it makes no sense. */
static bool read_range(const char *text, size_t size, struct dicomweb_media *media)
{
    *media = (struct dicomweb_media){.weight = 1000};
    size_t length = span(text, size, ';');
    take(text, length, media->type, sizeof media->type);
    if (!strchr(media->type, '/'))
        return false;
    media->multipart = strcmp(media->type, "multipart/related") == 0;
    if (media->multipart)
        strcpy(media->type, "*/*");
    while (length < size) {
        char name[32], value[72];
        const char *parameter = text + length + 1;
        const size_t room = size - length - 1, whole = span(parameter, room, ';'), key = span(parameter, whole, '=');
        take(parameter, key, name, sizeof name);
        take(parameter + key + (key < whole), whole - key - (key < whole), value, sizeof value);
        if (strcmp(name, "type") == 0 && media->multipart && strchr(value, '/'))
            snprintf(media->type, sizeof media->type, "%.63s", value);
        else if (strcmp(name, "transfer-syntax") == 0)
            snprintf(media->syntax, sizeof media->syntax, "%s", value);
        else if (strcmp(name, "q") == 0)
            media->weight = weight_of(value);
        length += 1 + whole;
    }
    if (strcmp(media->type, "image/jhc") == 0) /* as the JavaScript client calls it */
        strcpy(media->type, "image/jphc");
    return media->weight > 0;
}

unsigned dicomweb_media_parse(const char *accept, struct dicomweb_media media[DICOMWEB_MAX_MEDIA])
{
    unsigned count = 0;
    for (size_t size = strlen(accept); count < DICOMWEB_MAX_MEDIA;) {
        const size_t length = span(accept, size, ',');
        struct dicomweb_media one;
        if (read_range(accept, length, &one)) {
            unsigned at = count++;
            for (; at > 0 && media[at - 1].weight < one.weight; at--)
                media[at] = media[at - 1];
            media[at] = one;
        }
        if (length == size)
            break;
        accept += length + 1;
        size -= length + 1;
    }
    return count;
}

unsigned dicomweb_media_of(const struct request *request, struct dicomweb_media media[DICOMWEB_MAX_MEDIA])
{
    const char *accept = target_parameter(&request->target, "accept");
    if (!accept)
        accept = request_field(request, "Accept");
    unsigned count = accept ? dicomweb_media_parse(accept, media) : 0;
    /* Nothing, or nothing that makes sense ("undefined", as one viewer sends): anything will do. */
    if (count == 0)
        media[count++] = (struct dicomweb_media){.multipart = true, .type = "*/*", .weight = 1000};
    return count;
}

bool dicomweb_media_has(const struct dicomweb_media *media, const char *type)
{
    const size_t main_type = (size_t)(strchr(type, '/') - type) + 1;
    return strcmp(media->type, "*/*") == 0 || strcmp(media->type, type) == 0 ||
           (strncmp(media->type, type, main_type) == 0 && strcmp(media->type + main_type, "*") == 0);
}

const char *dicomweb_media_of_syntax(const char *syntax)
{
    static const struct {
        const char *syntax, *type;
    } types[] = {
        {"1.2.840.10008.1.2.5", "image/dicom-rle"}, {"1.2.840.10008.1.2.4.50", "image/jpeg"},
        {"1.2.840.10008.1.2.4.51", "image/jpeg"},   {"1.2.840.10008.1.2.4.57", "image/jpeg"},
        {"1.2.840.10008.1.2.4.70", "image/jpeg"},   {"1.2.840.10008.1.2.4.80", "image/jls"},
        {"1.2.840.10008.1.2.4.81", "image/jls"},    {"1.2.840.10008.1.2.4.90", "image/jp2"},
        {"1.2.840.10008.1.2.4.91", "image/jp2"},    {DICOMWEB_HTJ2K, "image/jphc"},
        {DICOMWEB_HTJ2K_RPCL, "image/jphc"},        {"1.2.840.10008.1.2.4.203", "image/jphc"},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].syntax, syntax) == 0)
            return types[i].type;
    return "application/octet-stream";
}
