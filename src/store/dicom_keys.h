/* SPDX-License-Identifier: BSD-2-Clause */
/* The attributes by which studies, series and instances can be found, and which are told of them (PS3.18, 10.6). */
#ifndef STORE_DICOM_KEYS_H
#define STORE_DICOM_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dicom_level { DICOM_STUDY, DICOM_SERIES, DICOM_INSTANCE };

#define DICOM_KEYS_MAX 64u /* more than there are */

/* Tags that code outside of the table speaks of. */
enum {
    TAG_INSTANCE_AVAILABILITY = 0x00080056,
    TAG_SOP_CLASS = 0x00080016,
    TAG_SOP_INSTANCE = 0x00080018,
    TAG_MODALITY = 0x00080060,
    TAG_MODALITIES_IN_STUDY = 0x00080061,
    TAG_RETRIEVE_URL = 0x00081190,
    TAG_AVAILABLE_TRANSFER_SYNTAX = 0x00083002,
    TAG_PATIENT_ID = 0x00100020,
    TAG_STUDY = 0x0020000d,
    TAG_SERIES = 0x0020000e,
    TAG_SERIES_IN_STUDY = 0x00201206,
    TAG_INSTANCES_IN_STUDY = 0x00201208,
    TAG_INSTANCES_IN_SERIES = 0x00201209
};

/* How values of an attribute are compared (PS3.4, C.2.2.2). */
enum dicom_matching {
    MATCH_TEXT,   /* with '*' and '?' */
    MATCH_PERSON, /* the same, of the alphabetic form */
    MATCH_DATE,   /* ranges "A-B", "A-", "-B"; also times */
    MATCH_NUMBER,
    MATCH_UIDS /* a list, by ',' or '\' */
};

struct dicom_key {
    uint32_t tag; /* group << 16 | element */
    const char *keyword;
    enum dicom_level level; /* whose attribute it is */
    enum dicom_matching matching;
    bool computed; /* of the index; no instance has it */
};

/* By eight hexadecimal digits or by keyword; NULL: none of these. */
const struct dicom_key *dicom_key_find(const char *name);
const struct dicom_key *dicom_key_of_tag(uint32_t tag);

/* The tags of a level that instances have, ascending; their number. */
size_t dicom_keys_of_level(enum dicom_level level, uint32_t tags[DICOM_KEYS_MAX]);

#endif
