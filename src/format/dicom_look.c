/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/dicom_look.h"

#include "base/bytes.h"

#include <math.h>

static void store_real(uint8_t *bytes, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    store_le64(bytes, bits);
}

static double load_real(const uint8_t *bytes)
{
    const uint64_t bits = load_le64(bytes);
    double value;
    memcpy(&value, &bits, sizeof value);
    return isfinite(value) ? value : 0;
}

void dicom_look_write(const struct dicom_header *header, enum format_color color, uint8_t bytes[DICOM_LOOK_SIZE])
{
    bytes[0] = 1;
    bytes[1] = (uint8_t)color;
    bytes[2] = (uint8_t)(header->bits_stored < 64 ? header->bits_stored : 64);
    bytes[3] = (uint8_t)header->window_shape;
    store_real(bytes + 4, header->slope);
    store_real(bytes + 12, header->intercept);
    store_real(bytes + 20, header->window[0]);
    store_real(bytes + 28, header->window[1]);
}

static void read_table(unsigned kind, const struct format_table *table, struct format_appearance *appearance)
{
    if (kind == DICOM_TABLE_MODALITY) {
        appearance->modality = *table;
    } else if (kind == DICOM_TABLE_VOI) {
        appearance->voi = *table;
    } else if (kind == DICOM_TABLE_PALETTE) {
        appearance->palette = table->values;
        appearance->palette_entries = table->entries;
    }
}

void dicom_look_read(const uint8_t *head, size_t size, struct format_appearance *appearance)
{
    if (size < DICOM_LOOK_SIZE || head[0] != 1 || head[1] > FORMAT_OTHER_COLOR || head[3] > FORMAT_SIGMOID)
        return;
    appearance->color = (enum format_color)head[1];
    appearance->bits = head[2];
    appearance->shape = (enum format_shape)head[3];
    appearance->slope = load_real(head + 4);
    appearance->intercept = load_real(head + 12);
    appearance->center = load_real(head + 20);
    const double width = load_real(head + 28);
    appearance->width = width > 0 ? width : 0;
    for (size_t at = DICOM_LOOK_SIZE; size - at > DICOM_TABLE_HEADER;) {
        const struct format_table table = {head + at + DICOM_TABLE_HEADER, load_le32(head + at + 2),
                                           (int32_t)load_le32(head + at + 6), head[at + 1]};
        const size_t entry = head[at] == DICOM_TABLE_PALETTE ? 3 : 2;
        const bool good = table.entries > 0 && table.entries <= 65536 && table.bits >= 1 && table.bits <= 16;
        if (!good || table.entries * entry > size - at - DICOM_TABLE_HEADER)
            return;
        read_table(head[at], &table, appearance);
        at += DICOM_TABLE_HEADER + table.entries * entry;
    }
}
