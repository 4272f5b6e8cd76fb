/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/dicom_attributes.h"

#include "base/bytes.h"
#include "format/dicom_walk.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TILES 1024u
#define MAX_CSA_TAGS 512u
#define MAX_CSA_ITEMS 64u

struct collector {
    struct dicom_attributes *attributes;
    unsigned csa_block, siemens_block, philips_block; /* of private elements: 0x10 .. 0xff; 0: not reserved */
    struct dicom_value csa;
    uint32_t tiles; /* of (0019,xx0A) */
    bool mosaic;    /* by ImageType */
};

/* ---- Siemens' CSA header ("SV10"): named elements of texts, little endian ---- */

/* The texts of a CSA element as numbers. */
static unsigned csa_numbers(struct byte_reader *reader, uint32_t items, double *numbers, unsigned wanted)
{
    unsigned found = 0;
    for (uint32_t i = 0; i < items && !reader->failed; i++) {
        uint32_t length = read_le32(reader);
        reader_take(reader, 12);
        const uint8_t *text = reader_take(reader, length);
        reader_take(reader, (4 - length % 4) % 4);
        char copy[64] = "", *end;
        if (!text || length == 0 || found == wanted)
            continue;
        memcpy(copy, text, length < sizeof copy ? length : sizeof copy - 1);
        double number = strtod(copy, &end);
        if (end != copy && isfinite(number))
            numbers[found++] = number;
    }
    return found;
}

static void read_csa(const struct dicom_value *csa, struct dicom_attributes *attributes, uint32_t *tiles)
{
    struct byte_reader reader = byte_reader_start(csa->data, csa->length);
    const uint8_t *magic = reader_take(&reader, 4);
    if (!magic || memcmp(magic, "SV10", 4) != 0)
        return;
    reader_take(&reader, 4);
    uint32_t tags = read_le32(&reader);
    reader_take(&reader, 4);
    for (uint32_t i = 0; i < tags && i < MAX_CSA_TAGS && !reader.failed; i++) {
        const uint8_t *name = reader_take(&reader, 64);
        reader_take(&reader, 12); /* multiplicity, VR, syngo type */
        uint32_t items = read_le32(&reader);
        reader_take(&reader, 4);
        if (reader.failed || items > MAX_CSA_ITEMS)
            return;
        double numbers[3] = {0};
        unsigned found = csa_numbers(&reader, items, numbers, 3);
        if (strncmp((const char *)name, "NumberOfImagesInMosaic", 64) == 0 && found && numbers[0] >= 1 &&
            numbers[0] <= MAX_TILES)
            *tiles = (uint32_t)numbers[0];
        if (strncmp((const char *)name, "SliceNormalVector", 64) == 0 && found == 3) {
            attributes->has_normal = true;
            memcpy(attributes->normal, numbers, sizeof numbers);
        }
    }
}

/* ---- the dataset ---- */

/* Which value of ImageType says what part of a complex number the image is. */
static char component_in(const char *types)
{
    static const struct {
        const char *word;
        char component;
    } words[] = {{"M", 'M'},     {"P", 'P'},     {"R", 'R'},         {"I", 'I'},     {"MAGNITUDE", 'M'},
                 {"PHASE", 'P'}, {"REAL", 'R'},  {"IMAGINARY", 'I'}, {"M_FFE", 'M'}, {"PHASE MAP", 'P'},
                 {"P_FFE", 'P'}, {"R_FFE", 'R'}, {"I_FFE", 'I'}};
    for (const char *at = types; at; at = strchr(at, '\\'), at = at ? at + 1 : NULL) {
        size_t length = strcspn(at, "\\");
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            if (strlen(words[i].word) == length && memcmp(at, words[i].word, length) == 0)
                return words[i].component;
    }
    return 0;
}

/* Private creators reserve blocks: (gggg,00bb) names who has (gggg,bb00) to (gggg,bbff) (PS3.5, 7.8.1). */
static void collect_private(struct collector *collector, const struct dicom_value *value)
{
    uint32_t group = value->tag >> 16, element = value->tag & 0xffff;
    char text[65];
    if (element >= 0x10 && element <= 0xff) {
        dicom_value_text(value, text, sizeof text);
        if (group == 0x0029 && strcmp(text, "SIEMENS CSA HEADER") == 0)
            collector->csa_block = element;
        if (group == 0x0019 && strcmp(text, "SIEMENS MR HEADER") == 0)
            collector->siemens_block = element;
        if (group == 0x2005 && strncmp(text, "Philips MR Imaging DD 001", 25) == 0)
            collector->philips_block = element;
        return;
    }
    double number;
    if (group == 0x0029 && collector->csa_block && element == (collector->csa_block << 8 | 0x10))
        collector->csa = *value;
    if (group == 0x0019 && collector->siemens_block && element == (collector->siemens_block << 8 | 0x0a) &&
        dicom_value_number(value, "US", 0, &number) && number >= 1 && number <= MAX_TILES)
        collector->tiles = (uint32_t)number;
    if (group == 0x2005 && collector->philips_block && element == (collector->philips_block << 8 | 0x0e) &&
        dicom_value_number(value, "FL", 0, &number) && number > 0)
        collector->attributes->philips_scale = number;
}

static void collect(void *context, const struct dicom_value *value)
{
    struct collector *collector = context;
    char text[256];
    if ((value->tag >> 16) & 1) {
        collect_private(collector, value);
    } else if (value->tag == 0x00080008 && !value->nested) { /* ImageType */
        dicom_value_text(value, text, sizeof text);
        collector->attributes->component = component_in(text);
        collector->mosaic = strstr(text, "MOSAIC") != NULL;
    } else if (value->tag == 0x00089208) { /* ComplexImageComponent */
        dicom_value_text(value, text, sizeof text);
        char component = component_in(text);
        if (component && !collector->attributes->component)
            collector->attributes->component = component;
    } else if (value->tag == 0x00180023) { /* MRAcquisitionType */
        dicom_value_text(value, text, sizeof text);
        collector->attributes->acquired_3d = strcmp(text, "3D") == 0;
    } else if (value->tag == 0x00181312) { /* InPlanePhaseEncodingDirection */
        dicom_value_text(value, text, sizeof text);
        bool known = strcmp(text, "ROW") == 0 || strncmp(text, "COL", 3) == 0;
        collector->attributes->phase_encoding = known ? text[0] : 0;
    }
}

void dicom_attributes_read(const uint8_t *data, const struct dicom_layout *layout, struct dicom_attributes *attributes)
{
    memset(attributes, 0, sizeof *attributes);
    struct collector collector = {.attributes = attributes};
    dicom_walk(data, layout, collect, &collector);
    uint32_t tiles = 0;
    if (collector.csa.data)
        read_csa(&collector.csa, attributes, &tiles);
    if (tiles == 0)
        tiles = collector.tiles;
    if (collector.mosaic && tiles > 1)
        attributes->mosaic_tiles = tiles;
}

/* ---- mosaics ---- */

uint32_t dicom_mosaic_side(uint32_t tiles)
{
    uint32_t side = 1;
    while (side * side < tiles && side < 0xffff)
        side++;
    return side;
}

bool dicom_mosaic_frames(const struct dicom_frame_info *picture, const struct dicom_attributes *attributes,
                         uint32_t columns, uint32_t rows, struct dicom_frame_info *tiles)
{
    const uint32_t side = dicom_mosaic_side(attributes->mosaic_tiles);
    if (attributes->mosaic_tiles < 2 || columns % side || rows % side)
        return false;
    const double *row = picture->row_direction, *column = picture->column_direction;
    double step = fabs(picture->slice_spacing), normal[3];
    if (!(isfinite(step) && step > 0))
        step = fabs(picture->slice_thickness);
    double right = picture->spacing[0] * (columns - columns / side) / 2.0;
    double down = picture->spacing[1] * (rows - rows / side) / 2.0;
    for (int k = 0; k < 3; k++)
        normal[k] = row[(k + 1) % 3] * column[(k + 2) % 3] - row[(k + 2) % 3] * column[(k + 1) % 3];
    double along = 0;
    for (int k = 0; k < 3; k++)
        along += normal[k] * attributes->normal[k];
    double sign = attributes->has_normal && along < 0 ? -1 : 1;
    for (uint32_t i = 0; i < side * side; i++) {
        tiles[i] = *picture;
        tiles[i].in_stack_position = (int32_t)i + 1;
        for (int k = 0; k < 3; k++)
            tiles[i].position[k] += row[k] * right + column[k] * down + sign * normal[k] * step * i;
    }
    return true;
}

struct identity {
    bool named;
    bool removed;
};

static void look_for_identity(void *context, const struct dicom_value *value)
{
    struct identity *identity = context;
    char text[8];
    if (value->nested)
        return;
    switch (value->tag) {
    case 0x00100010: /* PatientName */
    case 0x00100020: /* PatientID */
    case 0x00100030: /* PatientBirthDate */
        identity->named |= dicom_value_text(value, text, sizeof text) > 0;
        break;
    case 0x00120062: /* PatientIdentityRemoved */
        dicom_value_text(value, text, sizeof text);
        identity->removed = strcmp(text, "YES") == 0;
        break;
    }
}

bool dicom_names_patient(const uint8_t *data, const struct dicom_layout *layout)
{
    struct identity identity = {0};
    dicom_walk(data, layout, look_for_identity, &identity);
    return identity.named && !identity.removed;
}
