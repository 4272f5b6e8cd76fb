/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Siemens' CSA header ("SV10", little endian; private element (0029,xx10) of "SIEMENS CSA HEADER"): named elements,
 * each a list of texts. It repeats some of the dataset's attributes. Takes any bytes. Thread-safe.
 */
#ifndef FORMAT_DICOM_CSA_H
#define FORMAT_DICOM_CSA_H

#include <mist/buffer.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DICOM_CSA_CREATOR "SIEMENS CSA HEADER"

/* The first `wanted` texts of the element `name` that are finite numbers, into `numbers`: how many there are. */
unsigned dicom_csa_numbers(const uint8_t *data, size_t size, const char *name, double *numbers, unsigned wanted);

/* New texts of the element `name`: of its first `count` texts, those that are not empty. */
struct dicom_csa_change {
    const char *name;
    unsigned count;
    char text[3][32];
};
/*
 * Appends the header with the changes made, an even number of bytes. False where it is none, is damaged, or memory is
 * short: `out` is as it was.
 */
bool dicom_csa_rewrite(const uint8_t *data, size_t size, const struct dicom_csa_change *changes, unsigned count,
                       struct mist_buffer *out);

#ifdef __cplusplus
}
#endif
#endif
