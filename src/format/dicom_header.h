/* SPDX-License-Identifier: BSD-2-Clause */
/* The attributes of a DICOM instance that MIST acts on, and the header of a derived one: the C face of dicom.cc. */
#ifndef FORMAT_DICOM_HEADER_H
#define FORMAT_DICOM_HEADER_H

#include "format/dicom_frame.h"
#include "format/dicom_layout.h"

#include <mist/buffer.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Absent numbers are 0 and absent texts are "" where nothing else is said. Lengths are in millimetres. */
struct dicom_header {
    char sop_class[DICOM_UID_SIZE];
    char sop_instance[DICOM_UID_SIZE];
    char series[DICOM_UID_SIZE];
    char photometric[17]; /* PhotometricInterpretation */
    uint32_t columns;
    uint32_t rows;
    uint32_t frames;  /* NumberOfFrames, 1 where absent */
    uint32_t samples; /* per pixel; 1 where absent */
    uint32_t bits_allocated;
    uint32_t bits_stored; /* where absent, bits_allocated */
    uint32_t high_bit;    /* where absent, bits_stored - 1 */
    bool is_signed;
    bool planar;
    bool localizer;       /* ImageType says LOCALIZER */
    bool label;           /* a segmentation whose values are names */
    double spacing[2];    /* between columns, between rows: of PixelSpacing, else ImagerPixelSpacing, else nominal */
    double slice_spacing; /* SpacingBetweenSlices, else SliceThickness */
    bool has_plane;       /* position and directions below are there (LPS+, of the patient) */
    bool regular;         /* the file's frames are evenly spaced from position to last_position, in one orientation */
    double position[3];   /* centre of the first sample of the first frame */
    double last_position[3];    /* ... of the last frame */
    double row_direction[3];    /* from one column to the next: the first three of ImageOrientationPatient */
    double column_direction[3]; /* from one row to the next */
    bool has_padding;           /* PixelPaddingValue, or that of float pixels */
    double padding[2];          /* it and PixelPaddingRangeLimit (else the same), as declared: see PS3.3, C.7.5.1.1.2 */
    double slope;               /* of the first frame: RescaleSlope and RescaleIntercept, 1 and 0 where absent */
    double intercept;
    double window[2]; /* WindowCenter and WindowWidth, the first of each; width 0: none */
    int window_shape; /* VOILUTFunction: 0 LINEAR, 1 LINEAR_EXACT, 2 SIGMOID */
    bool has_tables;  /* there is a modality LUT, a VOI LUT or a palette: dicom_tables_read() */
    int32_t temporal; /* TemporalPositionIdentifier */
    int32_t acquisition;
    int32_t instance;
};

/*
 * Parses the attributes before the pixel data with DCMTK. `data` is what `layout` was read from.
 * Only what cannot be parsed fails; dicom_pixels_from_header() judges what was found. `frames` (may be NULL) receives
 * what is said of each frame: release with dicom_frames_free(), also after a failure. Thread-safe.
 */
enum mist_status dicom_header_read(const uint8_t *data, const struct dicom_layout *layout, struct dicom_header *header,
                                   struct dicom_frames *frames, struct mist_error *error);

/*
 * Appends the lookup tables of the first frame, each as
 *   u8 kind (1 modality LUT, 2 VOI LUT, 3 palette), u8 bits, u32 entries, s32 first value, the entries;
 * an entry is u16, of a palette three u8 (red, green, blue) for each value from 0 to the largest of BitsStored (16 at
 * most). Little-endian. Of several VOI LUTs the first. Segmented palettes are left out, and so is what is damaged.
 */
enum { DICOM_TABLE_HEADER = 10, DICOM_TABLE_MODALITY = 1, DICOM_TABLE_VOI = 2, DICOM_TABLE_PALETTE = 3 };
enum mist_status dicom_tables_read(const uint8_t *data, const struct dicom_layout *layout, struct mist_buffer *out,
                                   struct mist_error *error);

/* The sampling of a derived image: its sample n sits on sample shift + factor * n of the original. */
struct dicom_derivation {
    double factor[2];    /* of columns, of rows */
    double slice_factor; /* every so many-th slice of the volume is left; 0: as 1 */
    double shift[2];
    double origin[2]; /* where the first sample is in the original, for positions: `shift` but for mosaics */
    uint32_t columns;
    uint32_t rows;
    uint32_t pixel_bytes; /* length of the new PixelData value, even */
    /* How samples are now written, where that is not as in the original; 0 or "" otherwise. */
    unsigned bits_allocated;
    unsigned bits_stored;
    unsigned high_bit;
    /* Explicit VR little endian, whatever the original was. The pixel data element is then written by the caller where
     * it is `encapsulated`, and so is the true transfer syntax. */
    bool explicit_vr;
    bool encapsulated;
    bool words;       /* of pixel data that was in fragments: its VR becomes OW */
    bool interleaved; /* PlanarConfiguration becomes 0 */
    char photometric[17];
    /* Only that: the image is the original, which came compressed. Nothing else of what is said below is changed. */
    bool same_image;
    bool keep_uids; /* SOPInstanceUID and SeriesInstanceUID stay */
    char sop_instance[DICOM_UID_SIZE];
    char series[DICOM_UID_SIZE];
    char description[256];
};

/*
 * Appends to `out` a whole file up to (not including) the value of PixelData: `data`'s attributes before the pixel data
 * made those of the derived image, in the same transfer syntax, or explicit VR little endian where it was compressed,
 * with file meta information where `data` has it.
 *
 * Changed: Rows, Columns; PixelSpacing, ImagerPixelSpacing, NominalScannedPixelSpacing, PixelAspectRatio (where the
 * factors differ) and PixelMeasures of functional groups; ImagePositionPatient by `shift`; edges, centres, radii and
 * vertices of shutters and collimators; ultrasound regions; Rows, Columns, PixelSpacing and ImagePositionPatient as
 * Siemens' CSA header repeats them; SOPInstanceUID, SeriesInstanceUID; ImageType and FrameType
 * value 1 DERIVED; DerivationDescription, DerivationCodeSequence, SourceImageSequence (and the Derivation Image
 * functional group), to which an item is added and the text appended where they are there already.
 * Removed, because they describe the original's samples: Smallest/Largest pixel values, overlays (60xx) and curves
 * (50xx), digital signatures, group lengths, and everything behind the pixel data (padding, signatures).
 * Kept as they are: all others, that is patient, study, equipment, acquisition, frame of reference, rescale and window,
 * padding value, lookup tables, icon, references, private elements. Tiling of whole slides is not adapted.
 */
enum mist_status dicom_header_derive(const uint8_t *data, const struct dicom_layout *layout,
                                     const struct dicom_derivation *derivation, struct mist_buffer *out,
                                     struct mist_error *error);

#ifdef __cplusplus
}
#endif
#endif
