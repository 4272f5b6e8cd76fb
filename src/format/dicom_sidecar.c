/* SPDX-License-Identifier: BSD-2-Clause */
/* The JSON file beside a NIfTI file made of DICOM: BIDS' names and units, as dcm2niix writes it. */
#include "format/dicom_attributes.h"

#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "format/dicom_volume.h"
#include "format/dicom_walk.h"

#include <mist/mist.h>

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum kind {
    TEXT,
    TEXTS, /* a list */
    NUMBER,
    NUMBERS,
    SECONDS, /* from milliseconds */
    TIME,    /* hh:mm:ss.ffffff of hhmmss.ffffff */
    TESLA,   /* from gauss where beyond a thousand */
    MAKER,   /* as BIDS has it: "GE", "Siemens" ... */
    AXIS     /* "i" where phases are encoded along rows, "j" */
};

/*
 * What is written, in this order. Names, birth dates, identifiers, comments, accession numbers and dates of people's
 * visits are not among them.
 */
static const struct field {
    uint32_t tag;
    const char *vr;
    enum kind kind;
    const char *name;
} fields[] = {
    {0x00080060, "CS", TEXT, "Modality"},
    {0x00180087, "DS", TESLA, "MagneticFieldStrength"},
    {0x00180084, "DS", NUMBER, "ImagingFrequency"},
    {0x00080070, "LO", MAKER, "Manufacturer"},
    {0x00081090, "LO", TEXT, "ManufacturersModelName"},
    {0x00080080, "LO", TEXT, "InstitutionName"},
    {0x00081040, "LO", TEXT, "InstitutionalDepartmentName"},
    {0x00181000, "LO", TEXT, "DeviceSerialNumber"},
    {0x00081010, "SH", TEXT, "StationName"},
    {0x00180015, "CS", TEXT, "BodyPartExamined"},
    {0x00185100, "CS", TEXT, "PatientPosition"},
    {0x00400254, "LO", TEXT, "ProcedureStepDescription"},
    {0x00181020, "LO", TEXT, "SoftwareVersions"},
    {0x00180023, "CS", TEXT, "MRAcquisitionType"},
    {0x0008103e, "LO", TEXT, "SeriesDescription"},
    {0x00181030, "LO", TEXT, "ProtocolName"},
    {0x00180020, "CS", TEXT, "ScanningSequence"},
    {0x00180021, "CS", TEXT, "SequenceVariant"},
    {0x00180022, "CS", TEXT, "ScanOptions"},
    {0x00180024, "SH", TEXT, "SequenceName"},
    {0x00189005, "SH", TEXT, "PulseSequenceName"},
    {0x00080008, "CS", TEXTS, "ImageType"},
    {0x00200011, "IS", NUMBER, "SeriesNumber"},
    {0x00080032, "TM", TIME, "AcquisitionTime"},
    {0x00200012, "IS", NUMBER, "AcquisitionNumber"},
    {0x00181210, "SH", TEXT, "ConvolutionKernel"},
    {0x00180060, "DS", NUMBER, "KVP"},
    {0x00181150, "IS", SECONDS, "ExposureTime"},
    {0x00181151, "IS", NUMBER, "XRayTubeCurrent"},
    {0x00181152, "IS", NUMBER, "XRayExposure"},
    {0x00180031, "LO", TEXT, "Radiopharmaceutical"},
    {0x00541102, "CS", TEXT, "DecayCorrection"},
    {0x00541103, "LO", TEXT, "ReconstructionMethod"},
    {0x00541321, "DS", NUMBER, "DecayFactor"},
    {0x00541322, "DS", NUMBER, "DoseCalibrationFactor"},
    {0x00181242, "IS", SECONDS, "FrameDuration"},
    {0x00180050, "DS", NUMBER, "SliceThickness"},
    {0x00180088, "DS", NUMBER, "SpacingBetweenSlices"},
    {0x00181316, "DS", NUMBER, "SAR"},
    {0x00180083, "DS", NUMBER, "NumberOfAverages"},
    {0x00180086, "IS", NUMBER, "EchoNumber"},
    {0x00180081, "DS", SECONDS, "EchoTime"},
    {0x00180082, "DS", SECONDS, "InversionTime"},
    {0x00181314, "DS", NUMBER, "FlipAngle"},
    {0x00181250, "SH", TEXT, "ReceiveCoilName"},
    {0x00180091, "IS", NUMBER, "EchoTrainLength"},
    {0x00180093, "DS", NUMBER, "PercentSampling"},
    {0x00180094, "DS", NUMBER, "PercentPhaseFOV"},
    {0x00180095, "DS", NUMBER, "PixelBandwidth"},
    {0x00181120, "DS", NUMBER, "GantryDetectorTilt"},
    {0x00181312, "CS", AXIS, "PhaseEncodingAxis"},
    {0x00200037, "DS", NUMBERS, "ImageOrientationPatientDICOM"},
    {0x00181312, "CS", TEXT, "InPlanePhaseEncodingDirectionDICOM"},
};
enum { FIELDS = sizeof fields / sizeof *fields };

/* Enhanced objects have some of these under other tags. */
static const struct {
    uint32_t tag, same;
    const char *vr;
} aliases[] = {{0x00189082, 0x00180081, "FD"}, {0x00189079, 0x00180082, "FD"}, {0x00189073, 0x00181242, "FD"},
               {0x00189098, 0x00180084, "FD"}, {0x00189328, 0x00181150, "FD"}, {0x00189330, 0x00181151, "FD"},
               {0x00189332, 0x00181152, "FD"}};

struct sidecar {
    struct dicom_value found[FIELDS];
    const char *vr[FIELDS];
};

static void take(void *context, const struct dicom_value *value)
{
    struct sidecar *sidecar = context;
    uint32_t tag = value->tag;
    const char *vr = NULL;
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (aliases[i].tag == tag) {
            tag = aliases[i].same;
            vr = aliases[i].vr;
        }
    for (size_t i = 0; i < FIELDS; i++)
        if (fields[i].tag == tag && !sidecar->found[i].data && value->length) {
            sidecar->found[i] = *value;
            sidecar->vr[i] = vr ? vr : fields[i].vr;
        }
}

static bool put_texts(struct mist_buffer *out, char *text)
{
    bool good = json_put(out, "[");
    for (char *at = text, *next = text; good && next; at = next) {
        next = strchr(at, '\\');
        if (next)
            *next++ = '\0';
        good = json_put(out, "%s", at == text ? "" : ", ") && json_put_string(out, at);
    }
    return good && json_put(out, "]");
}

/* "101112.5" -> "10:11:12.500000"; false if it is no time. */
static bool put_time(struct mist_buffer *out, const char *text)
{
    unsigned digits = 0;
    while (digits < 6 && isdigit((unsigned char)text[digits]))
        digits++;
    if (digits != 6)
        return json_put_string(out, text);
    char fraction[7] = "000000";
    for (unsigned i = 0; text[6] == '.' && i < 6 && isdigit((unsigned char)text[7 + i]); i++)
        fraction[i] = text[7 + i];
    return json_put(out, "\"%.2s:%.2s:%.2s.%s\"", text, text + 2, text + 4, fraction);
}

/* Makers go by several names; these are how dcm2niix writes them. */
static bool put_maker(struct mist_buffer *out, const char *text)
{
    static const char *const makers[] = {"GE", "Siemens", "Philips", "Toshiba", "Canon", "Hitachi", "UIH", "Bruker"};
    for (size_t i = 0; i < sizeof makers / sizeof *makers; i++) {
        size_t length = strlen(makers[i]);
        if (strncasecmp(text, makers[i], length) == 0 && !isalnum((unsigned char)text[length]))
            return json_put_string(out, makers[i]);
    }
    return json_put_string(out, text);
}

static bool put_numbers(struct mist_buffer *out, const struct dicom_value *value, const char *vr)
{
    bool good = json_put(out, "[");
    double number;
    for (unsigned i = 0; good && i < 16 && dicom_value_number(value, vr, i, &number); i++)
        good = json_put(out, "%s", i ? ", " : "") && json_put_number(out, number);
    return good && json_put(out, "]");
}

static bool put_key(struct mist_buffer *out, const char *name)
{
    return json_put(out, "%s\t\"%s\": ", out->size > 2 ? ",\n" : "", name);
}

static bool put_field(struct mist_buffer *out, const struct field *field, const struct dicom_value *value,
                      const char *vr)
{
    char text[1024];
    double number = 0;
    if (field->kind == NUMBERS)
        return put_key(out, field->name) && put_numbers(out, value, vr);
    if (field->kind == TEXT || field->kind == TEXTS || field->kind == TIME || field->kind >= MAKER) {
        if (dicom_value_text(value, text, sizeof text) == 0)
            return true;
        return put_key(out, field->name) && (field->kind == TEXTS   ? put_texts(out, text)
                                             : field->kind == TIME  ? put_time(out, text)
                                             : field->kind == MAKER ? put_maker(out, text)
                                             : field->kind == AXIS  ? json_put_string(out, text[0] == 'R' ? "i" : "j")
                                                                    : json_put_string(out, text));
    }
    if (!dicom_value_number(value, vr, 0, &number))
        return true;
    if (field->kind == SECONDS || (field->kind == TESLA && number > 1000))
        number /= field->kind == SECONDS ? 1000 : 10000;
    return put_key(out, field->name) && json_put_number(out, number);
}

enum mist_status dicom_sidecar(const uint8_t *data, const struct dicom_layout *layout, double repetition,
                               const char *units, struct mist_buffer *out, struct mist_error *error)
{
    struct sidecar sidecar = {0};
    struct mist_buffer text = {0};
    dicom_walk(data, layout, take, &sidecar);
    bool good = json_put(&text, "{\n");
    for (size_t i = 0; i < FIELDS && good; i++)
        if (sidecar.found[i].data)
            good = put_field(&text, &fields[i], &sidecar.found[i], sidecar.vr[i]);
    if (good && isfinite(repetition) && repetition > 0)
        good = put_key(&text, "RepetitionTime") && json_put_number(&text, repetition);
    if (good && units && *units)
        good = put_key(&text, "Units") && json_put_string(&text, units);
    good = good && put_key(&text, "ConversionSoftware") && json_put_string(&text, "mist") &&
           put_key(&text, "ConversionSoftwareVersion") && json_put_string(&text, MIST_VERSION) &&
           json_put(&text, "\n}\n") && buffer_append(out, text.data, text.size);
    mist_buffer_free(&text);
    return good ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "out of memory");
}

/* ---- from what an item keeps ---- */

/* What is written anew from the plan. */
static const char *const anew[] = {"RepetitionTime", "EchoTime", "EchoNumber", "InversionTime", "FlipAngle", "Units"};

/* Whether a line of the kept text is a member that stays. */
static bool stays(const char *line, size_t length)
{
    if (length < 5 || memcmp(line, "\t\"", 2) != 0)
        return false;
    for (size_t i = 0; i < sizeof anew / sizeof *anew; i++) {
        size_t name = strlen(anew[i]);
        if (length > name + 3 && memcmp(line + 2, anew[i], name) == 0 && line[2 + name] == '"')
            return false;
    }
    return true;
}

static bool put_kept(struct mist_buffer *out, const char *kept, size_t size)
{
    struct json_reader reader = json_start(kept, size);
    json_skip(&reader);
    bool good = true;
    if (reader.failed || !json_finished(&reader) || size < 2 || memcmp(kept, "{\n", 2) != 0)
        return true;
    for (const char *at = kept, *end = kept + size, *next; at < end && good; at = next) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        next = line_end ? line_end + 1 : end;
        size_t length = (size_t)((line_end ? line_end : end) - at);
        if (!stays(at, length))
            continue;
        if (at[length - 1] == ',')
            length--;
        good = json_put(out, "%s", out->size > 2 ? ",\n" : "") && buffer_append(out, at, length);
    }
    return good;
}

static bool put_known(struct mist_buffer *out, const char *name, double value)
{
    if (!isfinite(value) || value <= 0)
        return true;
    return put_key(out, name) && json_put_number(out, value);
}

enum mist_status dicom_sidecar_finish(const uint8_t *kept, size_t size, const struct dicom_volume_plan *plan,
                                      const struct dicom_frame_info *first, struct mist_buffer *out,
                                      struct mist_error *error)
{
    struct mist_buffer text = {0};
    bool good = json_put(&text, "{\n") && put_kept(&text, (const char *)kept, size) &&
                put_known(&text, "EchoNumber", first->echo) && put_known(&text, "EchoTime", first->echo_time / 1000) &&
                put_known(&text, "InversionTime", first->inversion_time / 1000) &&
                put_known(&text, "FlipAngle", first->flip_angle) &&
                put_known(&text, "RepetitionTime", plan->repetition);
    if (good && plan->units[0])
        good = put_key(&text, "Units") && json_put_string(&text, plan->units);
    good = good && json_put(&text, "\n}\n") && buffer_append(out, text.data, text.size);
    mist_buffer_free(&text);
    return good ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "out of memory");
}
