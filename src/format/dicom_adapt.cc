// SPDX-License-Identifier: BSD-2-Clause
// The header of a derived DICOM instance, made of the original's with DCMTK.
#include "format/dicom_header.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"
#include "format/dicom_csa.h"
#include "format/dicom_dcmtk.h"

#include <dcmtk/dcmdata/dcistrmb.h>
#include <dcmtk/dcmdata/dcostrmb.h>

#include <cmath>
#include <memory>
#include <new>
#include <vector>

using namespace dicom;

namespace
{

// ---- deriving ----

// A number as a decimal string: as short as it can be exactly, at most 16 characters (PS3.5, table 6.2-1).
OFString decimal(double value)
{
    char text[40], best[40] = "0";
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strlen(text) > 16)
            break;
        strcpy(best, text);
        if (strtod(text, nullptr) == value)
            break;
    }
    return best;
}

void put_decimals(DcmItem &item, const DcmTagKey &tag, const double *values, unsigned count)
{
    OFString text;
    for (unsigned i = 0; i < count; i++)
        text += (i ? "\\" : "") + decimal(values[i]);
    item.putAndInsertOFStringArray(tag, text);
}

void scale_spacing(DcmItem &item, const DcmTagKey &tag, const dicom_derivation &derivation)
{
    double spacing[2];
    if (!get_numbers(item, tag, spacing, 2))
        return;
    spacing[0] *= derivation.factor[1];
    spacing[1] *= derivation.factor[0];
    put_decimals(item, tag, spacing, 2);
}

// A pixel position that counts from 1, on axis 0 (columns) or 1 (rows).
long new_position(long position, unsigned axis, const dicom_derivation &derivation)
{
    return std::lround((static_cast<double>(position) - 1 - derivation.shift[axis]) / derivation.factor[axis]) + 1;
}

// Integer strings: each a position along `axis`, or in turn a row and a column where axis is 2, or a length where 3.
void move_edges(DcmItem &item, const DcmTagKey &tag, unsigned axis, const dicom_derivation &derivation)
{
    OFString text;
    Sint32 value;
    for (unsigned long i = 0; item.findAndGetSint32(tag, value, i).good(); i++) {
        long moved = axis == 3   ? std::lround(value / derivation.factor[0])
                     : axis == 2 ? new_position(value, i % 2 ? 0 : 1, derivation)
                                 : new_position(value, axis, derivation);
        text += (i ? "\\" : "");
        text += std::to_string(moved).c_str();
    }
    if (!text.empty())
        item.putAndInsertOFStringArray(tag, text);
}

// Spacings and shapes in pixels (PS3.3, C.7.6.11 and C.8.7.3.1.4) of a dataset or a functional group.
void adapt_item(DcmItem &item, const dicom_derivation &derivation)
{
    for (const DcmTagKey &tag : {DCM_PixelSpacing, DCM_ImagerPixelSpacing, DCM_NominalScannedPixelSpacing})
        scale_spacing(item, tag, derivation);
    double between; // centre to centre; slices are as thick as they were
    if (derivation.slice_factor > 1 && get_numbers(item, DCM_SpacingBetweenSlices, &between, 1)) {
        between *= derivation.slice_factor;
        put_decimals(item, DCM_SpacingBetweenSlices, &between, 1);
    }
    for (const DcmTagKey &tag : {DCM_ShutterLeftVerticalEdge, DCM_ShutterRightVerticalEdge,
                                 DCM_CollimatorLeftVerticalEdge, DCM_CollimatorRightVerticalEdge})
        move_edges(item, tag, 0, derivation);
    for (const DcmTagKey &tag : {DCM_ShutterUpperHorizontalEdge, DCM_ShutterLowerHorizontalEdge,
                                 DCM_CollimatorUpperHorizontalEdge, DCM_CollimatorLowerHorizontalEdge})
        move_edges(item, tag, 1, derivation);
    for (const DcmTagKey &tag : {DCM_CenterOfCircularShutter, DCM_VerticesOfThePolygonalShutter,
                                 DCM_CenterOfCircularCollimator, DCM_VerticesOfThePolygonalCollimator})
        move_edges(item, tag, 2, derivation);
    for (const DcmTagKey &tag : {DCM_RadiusOfCircularShutter, DCM_RadiusOfCircularCollimator})
        move_edges(item, tag, 3, derivation);
}

// The centre of the first sample moves by `origin` samples of the original.
void move_origin(DcmItem *position, DcmItem *orientation, DcmItem *measures, const dicom_derivation &derivation)
{
    plane where;
    double spacing[2];
    if (!get_plane(position, orientation, where) || !measures || !get_numbers(*measures, DCM_PixelSpacing, spacing, 2))
        return;
    for (int k = 0; k < 3; k++)
        where.position[k] += where.directions[k] * spacing[1] * derivation.origin[0] +
                             where.directions[3 + k] * spacing[0] * derivation.origin[1];
    put_decimals(*position, DCM_ImagePositionPatient, where.position, 3);
}

// Value 1 becomes DERIVED (PS3.3, C.7.6.1.1.2).
void set_derived(DcmItem &item, const DcmTagKey &tag)
{
    OFString value;
    item.findAndGetOFStringArray(tag, value);
    size_t rest = value.find('\\');
    value = "DERIVED" + (rest == OFString_npos ? OFString("\\PRIMARY") : value.substr(rest));
    item.putAndInsertOFStringArray(tag, value);
}

// A new item behind those of a sequence, or alone in a new one.
const signed long append_item = -2;

void put_code(DcmItem &item, const DcmTagKey &sequence, const char *value, const char *meaning)
{
    DcmItem *code = nullptr;
    if (item.findOrCreateSequenceItem(sequence, code, append_item).bad())
        throw std::bad_alloc();
    code->putAndInsertString(DCM_CodeValue, value);
    code->putAndInsertString(DCM_CodingSchemeDesignator, "DCM");
    code->putAndInsertString(DCM_CodeMeaning, meaning);
}

// What was derived from what and how: PS3.3, C.12.4; codes from PS3.16, CID 7203 and CID 7202.
void put_derivation(DcmItem &item, const dicom_header &original, const dicom_derivation &derivation)
{
    OFString before;
    item.findAndGetOFStringArray(DCM_DerivationDescription, before);
    size_t room = 1024 - strlen(derivation.description) - 2; // ST has at most 1,024 characters: PS3.5, 6.2
    OFString text = before.empty() || before.length() > room ? OFString() : before + "; ";
    item.putAndInsertOFStringArray(DCM_DerivationDescription, text + derivation.description);
    put_code(item, DCM_DerivationCodeSequence, "113085", "Spatial resampling");
    if (!original.sop_class[0] || !original.sop_instance[0])
        return;
    DcmItem *source = nullptr;
    if (item.findOrCreateSequenceItem(DCM_SourceImageSequence, source, append_item).bad())
        throw std::bad_alloc();
    source->putAndInsertString(DCM_ReferencedSOPClassUID, original.sop_class);
    source->putAndInsertString(DCM_ReferencedSOPInstanceUID, original.sop_instance);
    put_code(*source, DCM_PurposeOfReferenceCodeSequence, "121322", "Source image for image processing operation");
}

// Adapts all functional groups in one item of the shared or per-frame sequence.
void adapt_groups(DcmItem &groups, const dicom_derivation &derivation)
{
    for (DcmObject *at = groups.nextInContainer(nullptr); at; at = groups.nextInContainer(at)) {
        if (at->ident() != EVR_SQ)
            continue;
        DcmSequenceOfItems *sequence = static_cast<DcmSequenceOfItems *>(at);
        for (DcmObject *part = sequence->nextInContainer(nullptr); part; part = sequence->nextInContainer(part)) {
            DcmItem &item = *static_cast<DcmItem *>(part);
            adapt_item(item, derivation);
            if (item.tagExists(DCM_FrameType))
                set_derived(item, DCM_FrameType);
        }
    }
}

void put_derivation_group(DcmItem &groups, const dicom_header &original, const dicom_derivation &derivation)
{
    DcmItem *group = nullptr;
    if (groups.findOrCreateSequenceItem(DCM_DerivationImageSequence, group, append_item).bad())
        throw std::bad_alloc();
    put_derivation(*group, original, derivation);
}

void adapt_functional_groups(DcmDataset &dataset, const dicom_header &original, const dicom_derivation &derivation)
{
    DcmItem *shared = nullptr;
    DcmSequenceOfItems *frames = nullptr;
    dataset.findAndGetSequenceItem(DCM_SharedFunctionalGroupsSequence, shared, 0);
    dataset.findAndGetSequence(DCM_PerFrameFunctionalGroupsSequence, frames);
    if (!shared && !frames)
        return;
    bool moved = derivation.origin[0] != 0 || derivation.origin[1] != 0;
    DcmObject *at = nullptr;
    while (frames && (at = frames->nextInContainer(at))) {
        DcmItem *frame = static_cast<DcmItem *>(at);
        DcmItem *position = nullptr; // a shared one is moved below, once
        frame->findAndGetSequenceItem(DCM_PlanePositionSequence, position, 0);
        if (moved)
            move_origin(position, functional_group(frame, shared, DCM_PlaneOrientationSequence),
                        functional_group(frame, shared, DCM_PixelMeasuresSequence), derivation);
        adapt_groups(*frame, derivation);
        if (frame->tagExists(DCM_DerivationImageSequence)) // each frame has its own history, or all share one
            put_derivation_group(*frame, original, derivation);
    }
    if (!shared && dataset.findOrCreateSequenceItem(DCM_SharedFunctionalGroupsSequence, shared, 0).bad())
        throw std::bad_alloc();
    if (moved)
        move_origin(functional_group(nullptr, shared, DCM_PlanePositionSequence),
                    functional_group(nullptr, shared, DCM_PlaneOrientationSequence),
                    functional_group(nullptr, shared, DCM_PixelMeasuresSequence), derivation);
    adapt_groups(*shared, derivation);
    at = frames ? frames->nextInContainer(nullptr) : nullptr;
    if (!at || !static_cast<DcmItem *>(at)->tagExists(DCM_DerivationImageSequence))
        put_derivation_group(*shared, original, derivation);
}

// One axis of an ultrasound region (PS3.3, C.8.5.5): bounds and reference pixel count from 0.
void adapt_region_axis(DcmItem &region, unsigned axis, const dicom_derivation &derivation)
{
    const DcmTagKey bounds[2][2] = {{DCM_RegionLocationMinX0, DCM_RegionLocationMaxX1},
                                    {DCM_RegionLocationMinY0, DCM_RegionLocationMaxY1}};
    const DcmTagKey delta_tags[2] = {DCM_PhysicalDeltaX, DCM_PhysicalDeltaY};
    const DcmTagKey reference_tags[2] = {DCM_ReferencePixelX0, DCM_ReferencePixelY0};
    const DcmTagKey value_tags[2] = {DCM_ReferencePixelPhysicalValueX, DCM_ReferencePixelPhysicalValueY};
    double factor = derivation.factor[axis], old_start = 0, new_start = 0, last;
    last = (axis ? derivation.rows : derivation.columns) - 1;
    for (unsigned i = 0; i < 2; i++) {
        Uint32 bound = 0;
        if (region.findAndGetUint32(bounds[axis][i], bound).bad())
            continue;
        double moved = std::floor((bound - derivation.shift[axis]) / factor);
        moved = std::fmin(std::fmax(moved, 0), last);
        if (i == 0) {
            old_start = bound;
            new_start = moved;
        }
        region.putAndInsertUint32(bounds[axis][i], static_cast<Uint32>(moved));
    }
    Float64 delta = 0, value = 0;
    if (region.findAndGetFloat64(delta_tags[axis], delta).bad())
        return;
    region.putAndInsertFloat64(delta_tags[axis], delta * factor);
    Sint32 reference = 0; // relative to the region's start; an old pixel that may lie between new ones
    if (region.findAndGetSint32(reference_tags[axis], reference).bad())
        return;
    double exact = (old_start + reference - derivation.shift[axis]) / factor - new_start;
    double rounded = std::fmin(std::fmax(std::round(exact), -1e9), 1e9);
    region.putAndInsertSint32(reference_tags[axis], static_cast<Sint32>(rounded));
    region.findAndGetFloat64(value_tags[axis], value);
    region.putAndInsertFloat64(value_tags[axis], value + (rounded - exact) * delta * factor);
}

void adapt_regions(DcmDataset &dataset, const dicom_derivation &derivation)
{
    DcmSequenceOfItems *regions = nullptr;
    if (dataset.findAndGetSequence(DCM_SequenceOfUltrasoundRegions, regions).bad() || !regions)
        return;
    for (DcmObject *at = regions->nextInContainer(nullptr); at; at = regions->nextInContainer(at))
        for (unsigned axis = 0; axis < 2; axis++)
            adapt_region_axis(*static_cast<DcmItem *>(at), axis, derivation);
}

// Texts of Siemens' own header that repeat what the dataset says of pixels.
void change_csa(DcmDataset &dataset, const dicom_derivation &derivation, std::vector<dicom_csa_change> &changes)
{
    dicom_csa_change change = {"Rows", 1, {}};
    snprintf(change.text[0], sizeof change.text[0], "%-8u", derivation.rows);
    changes.push_back(change);
    change.name = "Columns";
    snprintf(change.text[0], sizeof change.text[0], "%-8u", derivation.columns);
    changes.push_back(change);
    const struct {
        DcmTagKey tag;
        const char *name;
        unsigned count;
    } numbers[] = {{DCM_PixelSpacing, "PixelSpacing", 2}, {DCM_ImagePositionPatient, "ImagePositionPatient", 3}};
    for (const auto &repeated : numbers) {
        double values[3];
        change.name = repeated.name;
        change.count = repeated.count;
        if (!get_numbers(dataset, repeated.tag, values, repeated.count))
            continue;
        for (unsigned i = 0; i < repeated.count; i++)
            snprintf(change.text[i], sizeof change.text[i], "%.8f", values[i]);
        changes.push_back(change);
    }
}

// When the dataset itself has been adapted.
void adapt_csa(DcmDataset &dataset, const dicom_derivation &derivation)
{
    for (Uint16 block = 0x10; block <= 0xff; block++) {
        OFString creator;
        DcmElement *element = nullptr;
        Uint8 *bytes = nullptr;
        const DcmTagKey tag(0x0029, static_cast<Uint16>(block << 8 | 0x10));
        if (dataset.findAndGetOFString(DcmTagKey(0x0029, block), creator).bad() || creator != DICOM_CSA_CREATOR ||
            dataset.findAndGetElement(tag, element).bad() || element->getUint8Array(bytes).bad() || !bytes)
            continue;
        std::vector<dicom_csa_change> changes;
        change_csa(dataset, derivation, changes);
        mist_buffer changed = {};
        if (dicom_csa_rewrite(bytes, element->getLength(), changes.data(), static_cast<unsigned>(changes.size()),
                              &changed))
            element->putUint8Array(changed.data, changed.size);
        mist_buffer_free(&changed);
    }
}

// Pixels that were not square stay so; ones that were may no longer be. Vertical to horizontal: PS3.3, C.7.6.3.1.7.
void adapt_aspect(DcmDataset &dataset, const dicom_derivation &derivation)
{
    double ratio = derivation.factor[1] / derivation.factor[0];
    bool has_spacing = dataset.tagExists(DCM_PixelSpacing) || dataset.tagExists(DCM_ImagerPixelSpacing) ||
                       dataset.tagExists(DCM_NominalScannedPixelSpacing) ||
                       dataset.tagExists(DCM_SharedFunctionalGroupsSequence);
    if (std::fabs(ratio - 1) < 1e-6 || has_spacing)
        return;
    Sint32 vertical = 1, horizontal = 1;
    if (dataset.findAndGetSint32(DCM_PixelAspectRatio, vertical, 0).bad() ||
        dataset.findAndGetSint32(DCM_PixelAspectRatio, horizontal, 1).bad() || vertical < 1 || horizontal < 1)
        vertical = horizontal = 1;
    ratio *= static_cast<double>(vertical) / horizontal;
    double scale = 10000 / std::fmax(ratio, 1);
    OFString text = std::to_string(std::lround(std::fmax(1, ratio * scale))).c_str();
    dataset.putAndInsertOFStringArray(DCM_PixelAspectRatio, text + "\\" + std::to_string(std::lround(scale)).c_str());
}

bool must_go(const DcmTag &tag)
{
    Uint16 group = tag.getGroup(), element = tag.getElement();
    bool extremes = group == 0x0028 && element >= 0x0104 && element <= 0x0111; // smallest, largest values and planes
    bool repeating = (group & 0xff00) == 0x6000 || (group & 0xff00) == 0x5000; // overlays, curves
    return extremes || (repeating && group % 2 == 0) || group == 0x4ffe || group == 0x7fe0;
}

void remove_obsolete(DcmDataset &dataset)
{
    for (unsigned long i = dataset.card(); i-- > 0;)
        if (must_go(dataset.getElement(i)->getTag()))
            delete dataset.remove(i);
}

// What is said of samples: they may be written in another way than they came.
void describe_samples(DcmDataset &dataset, const dicom_derivation &derivation)
{
    if (derivation.photometric[0])
        dataset.putAndInsertString(DCM_PhotometricInterpretation, derivation.photometric);
    if (derivation.interleaved)
        dataset.putAndInsertUint16(DCM_PlanarConfiguration, 0);
    if (derivation.bits_allocated)
        dataset.putAndInsertUint16(DCM_BitsAllocated, static_cast<Uint16>(derivation.bits_allocated));
    if (derivation.bits_stored) {
        dataset.putAndInsertUint16(DCM_BitsStored, static_cast<Uint16>(derivation.bits_stored));
        dataset.putAndInsertUint16(DCM_HighBit, static_cast<Uint16>(derivation.high_bit));
    }
    dataset.findAndDeleteElement(DcmTagKey(0x7fe0, 0x0001)); // the Extended Offset Table and its lengths
    dataset.findAndDeleteElement(DcmTagKey(0x7fe0, 0x0002));
}

void derive(DcmDataset &dataset, const dicom_header &original, const dicom_derivation &derivation)
{
    describe_samples(dataset, derivation);
    if (derivation.same_image)
        return;
    remove_obsolete(dataset);
    if (derivation.origin[0] != 0 || derivation.origin[1] != 0)
        move_origin(&dataset, &dataset, &dataset, derivation); // needs the spacing of the original
    adapt_item(dataset, derivation);
    adapt_aspect(dataset, derivation);
    adapt_regions(dataset, derivation);
    adapt_functional_groups(dataset, original, derivation);
    dataset.putAndInsertUint16(DCM_Rows, static_cast<Uint16>(derivation.rows));
    dataset.putAndInsertUint16(DCM_Columns, static_cast<Uint16>(derivation.columns));
    adapt_csa(dataset, derivation);
    set_derived(dataset, DCM_ImageType);
    put_derivation(dataset, original, derivation);
    if (derivation.keep_uids)
        return;
    dataset.putAndInsertString(DCM_SOPInstanceUID, derivation.sop_instance);
    dataset.putAndInsertString(DCM_SeriesInstanceUID, derivation.series);
}

// ---- writing ----

// Appends what write(stream) puts out, piece by piece.
template <typename Write> enum mist_status serialize(Write write, struct mist_buffer *out, struct mist_error *error)
{
    std::vector<char> piece(1 << 16);
    DcmOutputBufferStream stream(piece.data(), static_cast<offile_off_t>(piece.size()));
    OFCondition condition;
    do {
        condition = write(stream);
        void *bytes = nullptr;
        offile_off_t size = 0;
        stream.flushBuffer(bytes, size);
        if (size == 0 && condition == EC_StreamNotifyClient)
            break;
        if (!buffer_append(out, bytes, static_cast<size_t>(size)))
            throw std::bad_alloc();
    } while (condition == EC_StreamNotifyClient);
    if (condition.bad())
        return error_set(error, MIST_ERROR_CORRUPT, "the DICOM header cannot be written: %s", condition.text());
    return MIST_OK;
}

// `meta`: file meta information is written also where the original has none.
enum mist_status write_header(const uint8_t *data, const dicom_layout &layout, std::unique_ptr<DcmDataset> dataset,
                              E_TransferSyntax syntax, bool meta, struct mist_buffer *out, struct mist_error *error)
{
    enum mist_status status;
    if (!layout.has_meta && !meta) {
        dataset->transferInit();
        status = serialize(
            [&](DcmOutputStream &stream) {
                return dataset->write(stream, syntax, EET_ExplicitLength, nullptr, EGL_withoutGL);
            },
            out, error);
        dataset->transferEnd();
        return status;
    }
    DcmFileFormat file(dataset.release(), OFFalse);
    DcmInputBufferStream stream;
    stream.setBuffer(data, static_cast<offile_off_t>(layout.dataset));
    stream.setEos();
    if (layout.has_meta) {
        file.getMetaInfo()->transferInit();
        OFCondition condition = file.getMetaInfo()->read(stream);
        file.getMetaInfo()->transferEnd();
        if (condition.bad())
            return parse_failed(condition, error);
    }
    file.transferInit();
    status = serialize(
        [&](DcmOutputStream &to) {
            return file.write(to, syntax, EET_ExplicitLength, nullptr, EGL_withoutGL, EPD_withoutPadding, 0, 0, 0,
                              EWM_updateMeta);
        },
        out, error);
    file.transferEnd();
    return status;
}

// The header of the pixel data element (PS3.5, 7.1).
void write_pixel_element(dicom_layout layout, const dicom_derivation &derivation, struct mist_buffer *out)
{
    const bool words = derivation.words;
    const uint32_t length = derivation.pixel_bytes;
    if (derivation.explicit_vr) {
        layout.explicit_vr = true;
        layout.big_endian = false;
    }
    uint8_t bytes[12];
    const uint16_t group = 0x7fe0, element = layout.real == 32 ? 0x0008 : layout.real == 64 ? 0x0009 : 0x0010;
    size_t size = layout.explicit_vr ? 12 : 8;
    bytes[6] = bytes[7] = 0;
    memcpy(bytes + 4, !layout.fragments ? layout.pixel_vr : words ? "OW" : "OB", 2);
    (layout.big_endian ? store_be16 : store_le16)(bytes, group);
    (layout.big_endian ? store_be16 : store_le16)(bytes + 2, element);
    (layout.big_endian ? store_be32 : store_le32)(bytes + size - 4, length);
    if (!buffer_append(out, bytes, size))
        throw std::bad_alloc();
}

} // namespace

enum mist_status dicom_header_derive(const uint8_t *data, const struct dicom_layout *layout,
                                     const struct dicom_derivation *derivation, struct mist_buffer *out,
                                     struct mist_error *error)
try {
    quiet hush;
    std::unique_ptr<DcmDataset> dataset(new DcmDataset);
    enum mist_status status = parse_dataset(data, *layout, *dataset, error);
    if (status)
        return status;
    dicom_header original = {};
    get_identity(*dataset, original);
    derive(*dataset, original, *derivation);
    const bool own = derivation->explicit_vr;
    status = write_header(data, *layout, std::move(dataset), own ? EXS_LittleEndianExplicit : syntax_of(*layout), own,
                          out, error);
    if (!status && !derivation->encapsulated)
        write_pixel_element(*layout, *derivation, out);
    return status;
} catch (...) {
    return error_set(error, MIST_ERROR_MEMORY, "out of memory deriving a DICOM header");
}
