/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/dicom_attributes.h"

#include "format/dicom_csa.h"
#include "format/dicom_walk.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TILES 1024u

struct collector {
    struct dicom_attributes *attributes;
    unsigned csa_block, siemens_block, philips_block; /* of private elements: 0x10 .. 0xff; 0: not reserved */
    struct dicom_value csa;
    uint32_t tiles; /* of (0019,xx0A) */
    bool mosaic;    /* by ImageType */
};

static void read_csa(const struct dicom_value *csa, struct dicom_attributes *attributes, uint32_t *tiles)
{
    double number;
    if (dicom_csa_numbers(csa->data, csa->length, "NumberOfImagesInMosaic", &number, 1) == 1 && number >= 1 &&
        number <= MAX_TILES)
        *tiles = (uint32_t)number;
    attributes->has_normal = dicom_csa_numbers(csa->data, csa->length, "SliceNormalVector", attributes->normal, 3) == 3;
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
        if (group == 0x0029 && strcmp(text, DICOM_CSA_CREATOR) == 0)
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

void dicom_mosaic_frames(const struct dicom_frame_info *picture, const struct dicom_attributes *attributes,
                         const struct dicom_pixels *pixels, struct dicom_frame_info *tiles)
{
    const double *row = picture->row_direction, *column = picture->column_direction;
    double step = fabs(picture->slice_spacing), normal[3];
    if (!(isfinite(step) && step > 0))
        step = fabs(picture->slice_thickness);
    double right = picture->spacing[0] * ((double)pixels->columns * pixels->across - pixels->columns) / 2.0;
    double down = picture->spacing[1] * ((double)pixels->rows * pixels->across - pixels->rows) / 2.0;
    for (int k = 0; k < 3; k++)
        normal[k] = row[(k + 1) % 3] * column[(k + 2) % 3] - row[(k + 2) % 3] * column[(k + 1) % 3];
    double along = 0;
    for (int k = 0; k < 3; k++)
        along += normal[k] * attributes->normal[k];
    double sign = attributes->has_normal && along < 0 ? -1 : 1;
    for (uint32_t i = 0; i < pixels->frames; i++) {
        tiles[i] = *picture;
        tiles[i].in_stack_position = (int32_t)i + 1;
        for (int k = 0; k < 3; k++)
            tiles[i].position[k] += row[k] * right + column[k] * down + sign * normal[k] * step * i;
    }
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
