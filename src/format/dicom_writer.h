/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FORMAT_DICOM_WRITER_H
#define FORMAT_DICOM_WRITER_H

#include "format/format.h"

/* As format_writer_open(). */
enum mist_status dicom_writer_open(const struct format_target *target, struct format_writer **writer,
                                   struct mist_error *error);

#endif
