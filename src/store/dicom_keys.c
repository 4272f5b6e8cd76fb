/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/dicom_keys.h"

#include "base/text.h"

#include <string.h>

/* Ascending by tag. */
static const struct dicom_key keys[] = {
    {0x00080005, "SpecificCharacterSet", DICOM_STUDY, MATCH_TEXT, false},
    {0x00080008, "ImageType", DICOM_INSTANCE, MATCH_TEXT, false},
    {TAG_SOP_CLASS, "SOPClassUID", DICOM_INSTANCE, MATCH_UIDS, false},
    {TAG_SOP_INSTANCE, "SOPInstanceUID", DICOM_INSTANCE, MATCH_UIDS, false},
    {0x00080020, "StudyDate", DICOM_STUDY, MATCH_DATE, false},
    {0x00080021, "SeriesDate", DICOM_SERIES, MATCH_DATE, false},
    {0x00080022, "AcquisitionDate", DICOM_INSTANCE, MATCH_DATE, false},
    {0x00080023, "ContentDate", DICOM_INSTANCE, MATCH_DATE, false},
    {0x00080030, "StudyTime", DICOM_STUDY, MATCH_DATE, false},
    {0x00080031, "SeriesTime", DICOM_SERIES, MATCH_DATE, false},
    {0x00080033, "ContentTime", DICOM_INSTANCE, MATCH_DATE, false},
    {0x00080050, "AccessionNumber", DICOM_STUDY, MATCH_TEXT, false},
    {TAG_INSTANCE_AVAILABILITY, "InstanceAvailability", DICOM_STUDY, MATCH_TEXT, true},
    {TAG_MODALITY, "Modality", DICOM_SERIES, MATCH_TEXT, false},
    {TAG_MODALITIES_IN_STUDY, "ModalitiesInStudy", DICOM_STUDY, MATCH_TEXT, true},
    {0x00080070, "Manufacturer", DICOM_SERIES, MATCH_TEXT, false},
    {0x00080080, "InstitutionName", DICOM_SERIES, MATCH_TEXT, false},
    {0x00080090, "ReferringPhysicianName", DICOM_STUDY, MATCH_PERSON, false},
    {0x00080201, "TimezoneOffsetFromUTC", DICOM_STUDY, MATCH_TEXT, false},
    {0x00081010, "StationName", DICOM_SERIES, MATCH_TEXT, false},
    {0x00081030, "StudyDescription", DICOM_STUDY, MATCH_TEXT, false},
    {0x0008103e, "SeriesDescription", DICOM_SERIES, MATCH_TEXT, false},
    {0x00081090, "ManufacturerModelName", DICOM_SERIES, MATCH_TEXT, false},
    {TAG_RETRIEVE_URL, "RetrieveURL", DICOM_STUDY, MATCH_TEXT, true},
    {0x00100010, "PatientName", DICOM_STUDY, MATCH_PERSON, false},
    {TAG_PATIENT_ID, "PatientID", DICOM_STUDY, MATCH_TEXT, false},
    {0x00100030, "PatientBirthDate", DICOM_STUDY, MATCH_DATE, false},
    {0x00100040, "PatientSex", DICOM_STUDY, MATCH_TEXT, false},
    {0x00101010, "PatientAge", DICOM_STUDY, MATCH_TEXT, false},
    {0x00180015, "BodyPartExamined", DICOM_SERIES, MATCH_TEXT, false},
    {0x00181030, "ProtocolName", DICOM_SERIES, MATCH_TEXT, false},
    {0x00185100, "PatientPosition", DICOM_SERIES, MATCH_TEXT, false},
    {TAG_STUDY, "StudyInstanceUID", DICOM_STUDY, MATCH_UIDS, false},
    {TAG_SERIES, "SeriesInstanceUID", DICOM_SERIES, MATCH_UIDS, false},
    {0x00200010, "StudyID", DICOM_STUDY, MATCH_TEXT, false},
    {0x00200011, "SeriesNumber", DICOM_SERIES, MATCH_NUMBER, false},
    {0x00200012, "AcquisitionNumber", DICOM_INSTANCE, MATCH_NUMBER, false},
    {0x00200013, "InstanceNumber", DICOM_INSTANCE, MATCH_NUMBER, false},
    {0x00200052, "FrameOfReferenceUID", DICOM_SERIES, MATCH_UIDS, false},
    {0x00200060, "Laterality", DICOM_SERIES, MATCH_TEXT, false},
    {TAG_SERIES_IN_STUDY, "NumberOfStudyRelatedSeries", DICOM_STUDY, MATCH_NUMBER, true},
    {TAG_INSTANCES_IN_STUDY, "NumberOfStudyRelatedInstances", DICOM_STUDY, MATCH_NUMBER, true},
    {TAG_INSTANCES_IN_SERIES, "NumberOfSeriesRelatedInstances", DICOM_SERIES, MATCH_NUMBER, true},
    {0x00280008, "NumberOfFrames", DICOM_INSTANCE, MATCH_NUMBER, false},
    {0x00280010, "Rows", DICOM_INSTANCE, MATCH_NUMBER, false},
    {0x00280011, "Columns", DICOM_INSTANCE, MATCH_NUMBER, false},
    {0x00280100, "BitsAllocated", DICOM_INSTANCE, MATCH_NUMBER, false},
    {0x00400244, "PerformedProcedureStepStartDate", DICOM_SERIES, MATCH_DATE, false},
    {0x00400245, "PerformedProcedureStepStartTime", DICOM_SERIES, MATCH_DATE, false},
};
enum { KEYS = sizeof keys / sizeof *keys };
_Static_assert(KEYS <= DICOM_KEYS_MAX, "callers have room for all");

const struct dicom_key *dicom_key_of_tag(uint32_t tag)
{
    for (size_t i = 0; i < KEYS; i++)
        if (keys[i].tag == tag)
            return &keys[i];
    return NULL;
}

const struct dicom_key *dicom_key_find(const char *name)
{
    uint32_t tag = 0;
    size_t digits = 0;
    for (; digits < 8 && hex_value(name[digits]) >= 0; digits++)
        tag = tag << 4 | (uint32_t)hex_value(name[digits]);
    if (digits == 8 && name[8] == '\0')
        return dicom_key_of_tag(tag);
    for (size_t i = 0; i < KEYS; i++)
        if (strcmp(keys[i].keyword, name) == 0)
            return &keys[i];
    return NULL;
}

size_t dicom_keys_of_level(enum dicom_level level, uint32_t tags[DICOM_KEYS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < KEYS; i++)
        if (keys[i].level == level && !keys[i].computed)
            tags[count++] = keys[i].tag;
    return count;
}
