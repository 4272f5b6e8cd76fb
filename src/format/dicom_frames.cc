// SPDX-License-Identifier: BSD-2-Clause
// What is said of each frame: from its functional groups, the shared ones, or the dataset.
#include "base/error.h"
#include "base/memory.h"
#include "format/dicom_dcmtk.h"

#include <cmath>
#include <vector>

using namespace dicom;

namespace
{

const double absent = NAN;

// Where to look for what a functional group macro holds: the frame's group, the shared one, the dataset.
struct places {
    DcmItem *frame;
    DcmItem *shared;
    DcmItem *dataset;
};

// The item that has `tag`: in functional group `group`, else in the dataset; nullptr if none has it.
DcmItem *holder(const places &where, const DcmTagKey &group, const DcmTagKey &tag)
{
    DcmItem *item = functional_group(where.frame, where.shared, group);
    if (item && item->tagExistsWithValue(tag))
        return item;
    return where.dataset->tagExistsWithValue(tag) ? where.dataset : nullptr;
}

double real(const places &where, const DcmTagKey &group, const DcmTagKey &tag)
{
    Float64 value = absent;
    DcmItem *item = holder(where, group, tag);
    return item && item->findAndGetFloat64(tag, value).good() && std::isfinite(value) ? value : absent;
}

int32_t integer(const places &where, const DcmTagKey &group, const DcmTagKey &tag)
{
    DcmItem *item = holder(where, group, tag);
    return item ? get_integer(*item, tag, 0) : 0;
}

// The first that is a number.
double first_of(double a, double b)
{
    return std::isnan(a) ? b : a;
}

// Seconds since midnight of "HHMMSS.FFFFFF", which may be cut behind hours or minutes; colons of older files are
// stepped over. `skip` characters (the date of a date and time) come first.
double seconds_of(const OFString &text, size_t skip)
{
    double parts[3] = {0, 0, 0};
    size_t at = skip;
    if (text.length() < skip + 2)
        return absent;
    for (int i = 0; i < 3 && at + 2 <= text.length(); i++) {
        if (text[at] < '0' || text[at] > '9' || text[at + 1] < '0' || text[at + 1] > '9')
            return i ? parts[0] * 3600 + parts[1] * 60 : absent;
        parts[i] = (text[at] - '0') * 10 + (text[at + 1] - '0');
        at += 2;
        if (i < 2 && at < text.length() && text[at] == ':')
            at++;
    }
    if (at < text.length() && text[at] == '.')
        for (double weight = 0.1; ++at < text.length() && text[at] >= '0' && text[at] <= '9'; weight /= 10)
            parts[2] += (text[at] - '0') * weight;
    return parts[0] * 3600 + parts[1] * 60 + parts[2];
}

double time_of(const places &where, const DcmTagKey &group, const DcmTagKey &tag, size_t skip)
{
    OFString text;
    DcmItem *item = holder(where, group, tag);
    return item && item->findAndGetOFString(tag, text).good() ? seconds_of(text, skip) : absent;
}

const size_t date_length = 8; // YYYYMMDD

void get_place(const places &where, dicom_frame_info &info)
{
    DcmItem *position = holder(where, DCM_PlanePositionSequence, DCM_ImagePositionPatient);
    DcmItem *orientation = holder(where, DCM_PlaneOrientationSequence, DCM_ImageOrientationPatient);
    double directions[6];
    info.has_position = position && get_numbers(*position, DCM_ImagePositionPatient, info.position, 3);
    info.has_directions = orientation && get_numbers(*orientation, DCM_ImageOrientationPatient, directions, 6) &&
                          valid_directions(directions);
    for (int k = 0; k < 3 && info.has_directions; k++) {
        info.row_direction[k] = directions[k];
        info.column_direction[k] = directions[3 + k];
    }
    info.spacing[0] = info.spacing[1] = absent;
    for (const DcmTagKey &tag : {DCM_PixelSpacing, DCM_ImagerPixelSpacing, DCM_NominalScannedPixelSpacing}) {
        DcmItem *item = holder(where, DCM_PixelMeasuresSequence, tag);
        double spacing[2]; // between rows, between columns: PS3.3, 10.7.1.3
        if (!item || !get_numbers(*item, tag, spacing, 2) || !(spacing[0] > 0 && spacing[1] > 0))
            continue;
        info.spacing[0] = spacing[1];
        info.spacing[1] = spacing[0];
        break;
    }
    info.slice_spacing = real(where, DCM_PixelMeasuresSequence, DCM_SpacingBetweenSlices);
    info.slice_thickness = real(where, DCM_PixelMeasuresSequence, DCM_SliceThickness);
}

void get_values(const places &where, dicom_frame_info &info)
{
    const DcmTagKey group = DCM_PixelValueTransformationSequence;
    double slope = real(where, group, DCM_RescaleSlope), intercept = real(where, group, DCM_RescaleIntercept);
    if (std::isnan(slope))
        slope = real(where, group, DCM_DoseGridScaling);
    info.has_rescale = !std::isnan(slope) || !std::isnan(intercept);
    info.slope = first_of(slope, 1);
    info.intercept = first_of(intercept, 0);
    for (const DcmTagKey &tag : {DCM_RescaleType, DCM_Units, DCM_DoseUnits})
        if (!info.units[0])
            if (DcmItem *item = holder(where, group, tag))
                get_text(*item, tag, info.units, sizeof info.units);
}

void get_times(const places &where, dicom_frame_info &info)
{
    const DcmTagKey content = DCM_FrameContentSequence;
    info.acquisition_time = first_of(time_of(where, content, DCM_FrameAcquisitionDateTime, date_length),
                                     first_of(time_of(where, content, DCM_AcquisitionDateTime, date_length),
                                              time_of(where, content, DCM_AcquisitionTime, 0)));
    info.content_time = time_of(where, content, DCM_ContentTime, 0);
    info.trigger_time = first_of(real(where, content, DCM_TriggerTime),
                                 real(where, DCM_CardiacSynchronizationSequence, DCM_NominalCardiacTriggerDelayTime));
    info.frame_duration =
        first_of(real(where, content, DCM_FrameAcquisitionDuration), real(where, content, DCM_ActualFrameDuration));
    info.echo_time =
        first_of(real(where, DCM_MREchoSequence, DCM_EffectiveEchoTime), real(where, DCM_MREchoSequence, DCM_EchoTime));
    const DcmTagKey timing = DCM_MRTimingAndRelatedParametersSequence;
    info.repetition_time = real(where, timing, DCM_RepetitionTime);
    info.flip_angle = real(where, timing, DCM_FlipAngle);
    info.inversion_time = first_of(real(where, DCM_MRModifierSequence, DCM_InversionTimes),
                                   real(where, DCM_MRModifierSequence, DCM_InversionTime));
}

void get_diffusion(const places &where, dicom_frame_info &info)
{
    info.b_value = real(where, DCM_MRDiffusionSequence, DCM_DiffusionBValue);
    info.gradient[0] = info.gradient[1] = info.gradient[2] = absent;
    DcmItem *item = functional_group(where.frame, where.shared, DCM_MRDiffusionSequence), *direction = nullptr;
    if (item)
        item->findAndGetSequenceItem(DCM_DiffusionGradientDirectionSequence, direction, 0);
    if (!direction)
        direction = where.dataset;
    double gradient[3];
    for (int k = 0; k < 3 && get_numbers(*direction, DCM_DiffusionGradientOrientation, gradient, 3); k++)
        info.gradient[k] = gradient[k];
}

void get_numbering(const places &where, dicom_frame_info &info)
{
    const DcmTagKey content = DCM_FrameContentSequence;
    info.temporal_position = integer(where, content, DCM_TemporalPositionIdentifier);
    if (!info.temporal_position)
        info.temporal_position = integer(where, content, DCM_TemporalPositionIndex);
    info.acquisition = integer(where, content, DCM_FrameAcquisitionNumber);
    if (!info.acquisition)
        info.acquisition = integer(where, content, DCM_AcquisitionNumber);
    info.instance = integer(where, content, DCM_InstanceNumber);
    info.echo = integer(where, DCM_MREchoSequence, DCM_EchoNumbers);
    info.segment = integer(where, DCM_SegmentIdentificationSequence, DCM_ReferencedSegmentNumber);
    info.in_stack_position = integer(where, content, DCM_InStackPositionNumber);
    DcmItem *item = holder(where, content, DCM_StackID);
    if (item)
        get_text(*item, DCM_StackID, info.stack, sizeof info.stack);
    item = holder(where, content, DCM_DimensionIndexValues);
    Uint32 index = 0;
    for (uint32_t i = 0; item && i < DICOM_MAX_DIMENSIONS; i++) {
        if (item->findAndGetUint32(DCM_DimensionIndexValues, index, i).bad())
            break;
        info.dimension_index[info.dimensions++] = static_cast<int32_t>(index);
    }
}

void get_info(const places &where, dicom_frame_info &info)
{
    info = dicom_frame_info();
    get_place(where, info);
    get_values(where, info);
    get_times(where, info);
    get_diffusion(where, info);
    get_numbering(where, info);
}

void move_along_normal(dicom_frame_info &info, double distance)
{
    const double *a = info.row_direction, *b = info.column_direction;
    for (int k = 0; k < 3; k++)
        info.position[k] += (a[(k + 1) % 3] * b[(k + 2) % 3] - a[(k + 2) % 3] * b[(k + 1) % 3]) * distance;
}

bool make_room(dicom_frames &result, size_t count)
{
    result.info = static_cast<dicom_frame_info *>(memory_allocate_zeroed(count, sizeof *result.info));
    return result.info != nullptr;
}

} // namespace

enum mist_status dicom::get_frames(DcmDataset &dataset, uint32_t frames, dicom_frames &result, struct mist_error *error)
{
    places where = {nullptr, nullptr, &dataset};
    dataset.findAndGetSequenceItem(DCM_SharedFunctionalGroupsSequence, where.shared, 0);
    DcmSequenceOfItems *groups = nullptr;
    dataset.findAndGetSequence(DCM_PerFrameFunctionalGroupsSequence, groups);
    std::vector<double> offsets = grid_offsets(dataset, frames);
    size_t count = groups ? groups->card() : offsets.size();
    count = count > frames ? frames : count;
    count = count == 0 ? 1 : count;
    if (count > MIST_MAX_FRAMES)
        return error_set(error, MIST_ERROR_LIMIT, "a DICOM image of %zu frames has too many", count);
    if (!make_room(result, count))
        return error_set(error, MIST_ERROR_MEMORY, "out of memory for %zu frames", count);
    DcmObject *at = nullptr;
    for (result.count = 0; result.count < count; result.count++) {
        at = groups ? groups->nextInContainer(at) : nullptr;
        where.frame = static_cast<DcmItem *>(at);
        dicom_frame_info &info = result.info[result.count];
        if (result.count && !groups)
            info = result.info[0];
        else
            get_info(where, info);
    }
    for (size_t i = 1; i < offsets.size() && !groups && result.info[0].has_position; i++)
        if (result.info[0].has_directions)
            move_along_normal(result.info[i], offsets[i] - offsets[0]);
    return MIST_OK;
}

void dicom_frames_free(struct dicom_frames *frames)
{
    memory_free(frames->info);
    *frames = dicom_frames();
}
