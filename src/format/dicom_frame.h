/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a DICOM instance says of each of its frames: where it lies, what its values mean, which one of a series it is.
 * Of an enhanced multi-frame object these come from the frame's functional groups, then from the shared ones, then from
 * the dataset itself (PS3.3, C.7.6.16); of all others from the dataset.
 */
#ifndef FORMAT_DICOM_FRAME_H
#define FORMAT_DICOM_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DICOM_MAX_DIMENSIONS 8u /* of DimensionIndexValues, those that are kept */

/* Absent texts are "", absent integers 0, absent reals NaN, where nothing else is said. Lengths are in millimetres. */
struct dicom_frame_info {
    bool has_position;
    bool has_directions;        /* orthogonal unit vectors, as PS3.3 C.7.6.2.1.1 demands */
    bool has_rescale;           /* slope and intercept were there; 1 and 0 otherwise */
    double position[3];         /* LPS+, centre of the first sample; RT Dose: moved by GridFrameOffsetVector */
    double row_direction[3];    /* from one column to the next */
    double column_direction[3]; /* from one row to the next */
    double spacing[2];          /* between columns, between rows: PixelSpacing, else ImagerPixelSpacing, else nominal */
    double slice_spacing;       /* SpacingBetweenSlices, as it stands */
    double slice_thickness;
    double slope; /* RescaleSlope; RT Dose: DoseGridScaling */
    double intercept;
    char units[17];                                /* RescaleType, Units (PET) or DoseUnits */
    int32_t temporal_position;                     /* TemporalPositionIdentifier, TemporalPositionIndex */
    int32_t acquisition;                           /* AcquisitionNumber */
    int32_t instance;                              /* InstanceNumber */
    int32_t echo;                                  /* EchoNumbers */
    int32_t segment;                               /* ReferencedSegmentNumber */
    int32_t in_stack_position;                     /* InStackPositionNumber */
    char stack[17];                                /* StackID */
    uint32_t dimensions;                           /* of dimension_index that are there */
    int32_t dimension_index[DICOM_MAX_DIMENSIONS]; /* DimensionIndexValues, outermost first */
    double
        acquisition_time;   /* seconds since midnight: FrameAcquisitionDateTime, AcquisitionDateTime, AcquisitionTime */
    double content_time;    /* seconds since midnight: ContentTime */
    double trigger_time;    /* ms: TriggerTime, NominalCardiacTriggerDelayTime */
    double echo_time;       /* ms: EchoTime, EffectiveEchoTime */
    double repetition_time; /* ms */
    double inversion_time;  /* ms */
    double flip_angle;      /* degrees */
    double frame_duration;  /* ms: ActualFrameDuration, FrameAcquisitionDuration */
    double b_value;         /* s/mm2: DiffusionBValue */
    double gradient[3];     /* DiffusionGradientOrientation */
};

/*
 * Of one instance: `count` is 1 where all frames are alike, else at most NumberOfFrames; frames that the file describes
 * too few of are as the last one described.
 */
struct dicom_frames {
    struct dicom_frame_info *info; /* [count] */
    uint32_t count;
};

/* Of what dicom_header_read() (dicom_header.h) gave. Safe on zeroed and freed ones. */
void dicom_frames_free(struct dicom_frames *frames);

/* Of frame n of the instance. */
static inline const struct dicom_frame_info *dicom_frame_at(const struct dicom_frames *frames, uint32_t frame)
{
    return &frames->info[frame < frames->count ? frame : frames->count - 1];
}

#ifdef __cplusplus
}
#endif
#endif
