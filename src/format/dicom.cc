// SPDX-License-Identifier: BSD-2-Clause
// The attributes of DICOM files that MIST acts on, read with DCMTK. All that touches pixels, files or MIST's own
// interfaces is C, in the other dicom_* files; no exception leaves the C++ ones.
#include "format/dicom_header.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"
#include "format/dicom_dcmtk.h"

#include <cmath>
#include <vector>

using namespace dicom;

namespace
{

// The planes of all frames, or of as many as are known.
std::vector<plane> get_planes(DcmDataset &dataset, uint32_t frames)
{
    std::vector<plane> planes;
    plane where;
    DcmItem *shared = nullptr;
    dataset.findAndGetSequenceItem(DCM_SharedFunctionalGroupsSequence, shared, 0);
    DcmSequenceOfItems *groups = nullptr;
    if (dataset.findAndGetSequence(DCM_PerFrameFunctionalGroupsSequence, groups).good() && groups) {
        DcmObject *at = nullptr;
        while (planes.size() < frames && (at = groups->nextInContainer(at))) {
            DcmItem *frame = static_cast<DcmItem *>(at);
            if (!get_plane(functional_group(frame, shared, DCM_PlanePositionSequence),
                           functional_group(frame, shared, DCM_PlaneOrientationSequence), where))
                break;
            planes.push_back(where);
        }
        return planes;
    }
    if (!get_plane(&dataset, &dataset, where))
        return planes;
    planes.push_back(where);
    const double *d = where.directions;
    double normal[3] = {d[1] * d[5] - d[2] * d[4], d[2] * d[3] - d[0] * d[5], d[0] * d[4] - d[1] * d[3]};
    std::vector<double> offsets = grid_offsets(dataset, frames);
    for (size_t i = 1; i < offsets.size(); i++) {
        plane next = where;
        for (int k = 0; k < 3; k++)
            next.position[k] += normal[k] * (offsets[i] - offsets[0]);
        planes.push_back(next);
    }
    return planes;
}

// Whether planes are parallel and evenly spaced, within a quarter of a step and a thousandth of a cosine.
bool is_regular(const std::vector<plane> &planes)
{
    const plane &first = planes.front(), &last = planes.back();
    for (size_t i = 0; i < planes.size(); i++) {
        double part = planes.size() > 1 ? static_cast<double>(i) / static_cast<double>(planes.size() - 1) : 0;
        double away = 0, step = 0;
        for (int k = 0; k < 3; k++) {
            double across = last.position[k] - first.position[k];
            away += std::pow(planes[i].position[k] - (first.position[k] + part * across), 2);
            step += std::pow(across / static_cast<double>(planes.size() > 1 ? planes.size() - 1 : 1), 2);
        }
        if (away > step / 16)
            return false;
        for (int k = 0; k < 6; k++)
            if (std::fabs(planes[i].directions[k] - first.directions[k]) > 1e-3)
                return false;
    }
    return true;
}

void get_geometry(DcmDataset &dataset, dicom_header &header)
{
    DcmItem *shared = nullptr, *frame = nullptr;
    dataset.findAndGetSequenceItem(DCM_SharedFunctionalGroupsSequence, shared, 0);
    dataset.findAndGetSequenceItem(DCM_PerFrameFunctionalGroupsSequence, frame, 0);
    DcmItem *measures = functional_group(frame, shared, DCM_PixelMeasuresSequence);
    DcmItem &item = measures ? *measures : dataset;
    double spacing[2]; // between rows, between columns: PS3.3, 10.7.1.3
    if ((get_numbers(item, DCM_PixelSpacing, spacing, 2) || get_numbers(item, DCM_ImagerPixelSpacing, spacing, 2) ||
         get_numbers(item, DCM_NominalScannedPixelSpacing, spacing, 2)) &&
        spacing[0] > 0 && spacing[1] > 0) {
        header.spacing[0] = spacing[1];
        header.spacing[1] = spacing[0];
    }
    double distance;
    if ((get_numbers(item, DCM_SpacingBetweenSlices, &distance, 1) && distance != 0) ||
        get_numbers(item, DCM_SliceThickness, &distance, 1))
        header.slice_spacing = std::fabs(distance);
    std::vector<plane> planes = get_planes(dataset, header.frames);
    if (planes.empty())
        return;
    header.has_plane = true;
    header.regular = planes.size() == header.frames && is_regular(planes);
    memcpy(header.position, planes.front().position, sizeof header.position);
    memcpy(header.last_position, planes.back().position, sizeof header.last_position);
    memcpy(header.row_direction, planes.front().directions, sizeof header.row_direction);
    memcpy(header.column_direction, planes.front().directions + 3, sizeof header.column_direction);
}

void get_pixel_description(DcmDataset &dataset, dicom_header &header)
{
    get_text(dataset, DCM_PhotometricInterpretation, header.photometric, sizeof header.photometric);
    header.columns = get_u16(dataset, DCM_Columns, 0);
    header.rows = get_u16(dataset, DCM_Rows, 0);
    int32_t frames = get_integer(dataset, DCM_NumberOfFrames, 1);
    header.frames = frames < 0 ? 0 : static_cast<uint32_t>(frames);
    // The last three are demanded by the standard, but missing in files from before it.
    header.bits_allocated = get_u16(dataset, DCM_BitsAllocated, 0);
    header.bits_stored = get_u16(dataset, DCM_BitsStored, header.bits_allocated);
    header.high_bit = get_u16(dataset, DCM_HighBit, header.bits_stored ? header.bits_stored - 1 : 0);
    header.samples = get_u16(dataset, DCM_SamplesPerPixel, 1);
    header.is_signed = get_u16(dataset, DCM_PixelRepresentation, 0) != 0;
    header.planar = get_u16(dataset, DCM_PlanarConfiguration, 0) != 0;
}

// A number whatever its VR: that of PixelPaddingValue is US or SS, and not always the one that it should be.
bool get_any(DcmDataset &dataset, const DcmTagKey &tag, double &value)
{
    DcmElement *element = nullptr;
    Uint16 u16;
    Sint16 s16;
    Float32 f32;
    Float64 f64;
    if (dataset.findAndGetElement(tag, element).bad() || !element)
        return false;
    if (element->getUint16(u16).good())
        value = u16;
    else if (element->getSint16(s16).good())
        value = s16;
    else if (element->getFloat32(f32).good())
        value = f32;
    else if (element->getFloat64(f64).good())
        value = f64;
    else
        return false;
    return true;
}

void get_padding(DcmDataset &dataset, const dicom_layout &layout, dicom_header &header)
{
    const DcmTagKey value = layout.real == 32   ? DCM_FloatPixelPaddingValue
                            : layout.real == 64 ? DCM_DoubleFloatPixelPaddingValue
                                                : DCM_PixelPaddingValue;
    const DcmTagKey limit = layout.real == 32   ? DCM_FloatPixelPaddingRangeLimit
                            : layout.real == 64 ? DCM_DoubleFloatPixelPaddingRangeLimit
                                                : DCM_PixelPaddingRangeLimit;
    header.has_padding = get_any(dataset, value, header.padding[0]);
    header.padding[1] = header.padding[0];
    if (header.has_padding)
        get_any(dataset, limit, header.padding[1]);
}

// Of the first frame, where the object is enhanced.
void get_look(DcmDataset &dataset, dicom_header &header)
{
    DcmItem *shared = nullptr, *frame = nullptr;
    dataset.findAndGetSequenceItem(DCM_SharedFunctionalGroupsSequence, shared, 0);
    dataset.findAndGetSequenceItem(DCM_PerFrameFunctionalGroupsSequence, frame, 0);
    DcmItem *rescale = functional_group(frame, shared, DCM_PixelValueTransformationSequence);
    DcmItem *voi = functional_group(frame, shared, DCM_FrameVOILUTSequence);
    DcmItem &values = rescale ? *rescale : dataset, &window = voi ? *voi : dataset;
    header.slope = 1;
    double numbers[2];
    if (get_numbers(values, DCM_RescaleSlope, numbers, 1) &&
        get_numbers(values, DCM_RescaleIntercept, numbers + 1, 1) && numbers[0] != 0) {
        header.slope = numbers[0];
        header.intercept = numbers[1];
    }
    if (get_numbers(window, DCM_WindowCenter, numbers, 1) && get_numbers(window, DCM_WindowWidth, numbers + 1, 1) &&
        numbers[1] > 0)
        memcpy(header.window, numbers, sizeof header.window);
    OFString shape;
    if (window.findAndGetOFString(DCM_VOILUTFunction, shape).good())
        header.window_shape = shape == "SIGMOID" ? 2 : shape == "LINEAR_EXACT" ? 1 : 0;
    header.has_tables = values.tagExists(DCM_ModalityLUTSequence) || window.tagExists(DCM_VOILUTSequence) ||
                        dataset.tagExists(DCM_RedPaletteColorLookupTableData);
}

// What a LUT descriptor says, and the entries to it.
struct table {
    uint32_t entries = 0;
    int32_t first = 0;
    unsigned bits = 0;
    std::vector<uint16_t> values;
};

bool get_table(DcmItem &item, const DcmTagKey &descriptor, const DcmTagKey &data, bool is_signed, table &table)
{
    DcmElement *element = nullptr;
    const Uint16 *words = nullptr;
    unsigned long count = 0;
    double said[3];
    if (item.findAndGetElement(descriptor, element).bad() || !element || element->getVM() != 3)
        return false;
    for (unsigned long i = 0; i < 3; i++) {
        Uint16 u16;
        Sint16 s16;
        if (element->getUint16(u16, i).good())
            said[i] = u16;
        else if (element->getSint16(s16, i).good())
            said[i] = i == 1 ? s16 : static_cast<Uint16>(s16);
        else
            return false;
    }
    table.entries = said[0] == 0 ? 65536 : static_cast<uint32_t>(said[0]);
    table.first = static_cast<int32_t>(said[1]);
    if (is_signed && table.first > 32767)
        table.first -= 65536;
    table.bits = static_cast<unsigned>(said[2]);
    if (table.bits < 1 || table.bits > 16)
        return false;
    if (item.findAndGetUint16Array(data, words, &count).bad() || !words || count == 0) {
        // US of one value each, or a VR that DCMTK gives no array of.
        if (item.findAndGetElement(data, element).bad() || !element ||
            element->getUint16Array(*const_cast<Uint16 **>(&words)).bad() || !words)
            return false;
        count = element->getLength() / 2;
    }
    if (table.bits == 8 && count < table.entries && 2 * count >= table.entries) // two entries a word
        for (uint32_t i = 0; i < table.entries; i++)
            table.values.push_back(words[i / 2] >> 8 * (i % 2) & 0xff);
    else
        table.values.assign(words, words + (count < table.entries ? count : table.entries));
    table.entries = static_cast<uint32_t>(table.values.size());
    return true;
}

bool put_table_header(uint8_t kind, const table &table, uint32_t entries, mist_buffer *out)
{
    uint8_t bytes[DICOM_TABLE_HEADER] = {kind, static_cast<uint8_t>(table.bits)};
    store_le32(bytes + 2, entries);
    store_le32(bytes + 6, static_cast<uint32_t>(table.first));
    return buffer_append(out, bytes, sizeof bytes);
}

bool put_table(uint8_t kind, const table &table, mist_buffer *out)
{
    bool good = put_table_header(kind, table, table.entries, out);
    for (uint32_t i = 0; i < table.entries && good; i++) {
        const uint8_t bytes[2] = {static_cast<uint8_t>(table.values[i]), static_cast<uint8_t>(table.values[i] >> 8)};
        good = buffer_append(out, bytes, 2);
    }
    return good;
}

bool put_palette(DcmDataset &dataset, const dicom_header &header, mist_buffer *out)
{
    table color[3];
    if (!get_table(dataset, DCM_RedPaletteColorLookupTableDescriptor, DCM_RedPaletteColorLookupTableData,
                   header.is_signed, color[0]) ||
        !get_table(dataset, DCM_GreenPaletteColorLookupTableDescriptor, DCM_GreenPaletteColorLookupTableData,
                   header.is_signed, color[1]) ||
        !get_table(dataset, DCM_BluePaletteColorLookupTableDescriptor, DCM_BluePaletteColorLookupTableData,
                   header.is_signed, color[2]) ||
        header.is_signed || header.bits_stored < 1 || header.bits_stored > 16)
        return true;
    const uint32_t entries = 1u << header.bits_stored;
    table first;
    first.bits = 8;
    bool good = put_table_header(DICOM_TABLE_PALETTE, first, entries, out);
    for (uint32_t value = 0; value < entries && good; value++) {
        uint8_t rgb[3];
        for (int c = 0; c < 3; c++) {
            const int64_t at = static_cast<int64_t>(value) - color[c].first;
            const uint32_t last = color[c].entries - 1;
            const uint16_t entry = color[c].values[at < 0 ? 0 : at > last ? last : static_cast<uint32_t>(at)];
            rgb[c] = static_cast<uint8_t>(color[c].bits > 8 ? entry >> (color[c].bits - 8) : entry);
        }
        good = buffer_append(out, rgb, 3);
    }
    return good;
}

} // namespace

void dicom::get_identity(DcmDataset &dataset, dicom_header &header)
{
    get_text(dataset, DCM_SOPClassUID, header.sop_class, sizeof header.sop_class);
    get_text(dataset, DCM_SOPInstanceUID, header.sop_instance, sizeof header.sop_instance);
    get_text(dataset, DCM_SeriesInstanceUID, header.series, sizeof header.series);
    header.temporal = get_integer(dataset, DCM_TemporalPositionIdentifier, 0);
    header.acquisition = get_integer(dataset, DCM_AcquisitionNumber, 0);
    header.instance = get_integer(dataset, DCM_InstanceNumber, 0);
    OFString image_type;
    if (dataset.findAndGetOFStringArray(DCM_ImageType, image_type).good())
        header.localizer = image_type.find("LOCALIZER") != OFString_npos;
    char kind[17];
    get_text(dataset, DCM_SegmentationType, kind, sizeof kind);
    header.label = strcmp(kind, "BINARY") == 0 || strcmp(kind, "LABELMAP") == 0;
}

enum mist_status dicom_header_read(const uint8_t *data, const struct dicom_layout *layout, struct dicom_header *header,
                                   struct dicom_frames *frames, struct mist_error *error)
try {
    quiet hush;
    *header = dicom_header();
    if (frames)
        *frames = dicom_frames();
    DcmDataset dataset;
    enum mist_status status = parse_dataset(data, *layout, dataset, error);
    if (status)
        return status;
    get_identity(dataset, *header);
    get_pixel_description(dataset, *header);
    get_padding(dataset, *layout, *header);
    get_look(dataset, *header);
    get_geometry(dataset, *header);
    return frames ? get_frames(dataset, header->frames, *frames, error) : MIST_OK;
} catch (...) {
    return error_set(error, MIST_ERROR_MEMORY, "out of memory reading a DICOM header");
}

enum mist_status dicom_tables_read(const uint8_t *data, const struct dicom_layout *layout, struct mist_buffer *out,
                                   struct mist_error *error)
try {
    quiet hush;
    DcmDataset dataset;
    enum mist_status status = parse_dataset(data, *layout, dataset, error);
    if (status)
        return status;
    dicom_header header = dicom_header();
    get_identity(dataset, header);
    get_pixel_description(dataset, header);
    get_look(dataset, header);
    DcmItem *shared = nullptr, *frame = nullptr, *lut = nullptr;
    dataset.findAndGetSequenceItem(DCM_SharedFunctionalGroupsSequence, shared, 0);
    dataset.findAndGetSequenceItem(DCM_PerFrameFunctionalGroupsSequence, frame, 0);
    DcmItem *voi = functional_group(frame, shared, DCM_FrameVOILUTSequence);
    table modality, window;
    bool good = true;
    if (dataset.findAndGetSequenceItem(DCM_ModalityLUTSequence, lut, 0).good() && lut &&
        get_table(*lut, DCM_LUTDescriptor, DCM_LUTData, header.is_signed, modality))
        good = put_table(DICOM_TABLE_MODALITY, modality, out);
    const bool below_zero = modality.entries == 0 && (header.is_signed || header.intercept < 0);
    if ((voi ? *voi : dataset).findAndGetSequenceItem(DCM_VOILUTSequence, lut, 0).good() && lut &&
        get_table(*lut, DCM_LUTDescriptor, DCM_LUTData, below_zero, window))
        good = good && put_table(DICOM_TABLE_VOI, window, out);
    if (strcmp(header.photometric, "PALETTE COLOR") == 0 && !header.label)
        good = good && put_palette(dataset, header, out);
    return good ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "out of memory reading a DICOM header");
} catch (...) {
    return error_set(error, MIST_ERROR_MEMORY, "out of memory reading a DICOM header");
}
