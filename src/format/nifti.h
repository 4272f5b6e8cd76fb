/* SPDX-License-Identifier: BSD-2-Clause */
/* What the two halves of NIfTI (nifti.c reads, nifti_writer.c writes) and those who open files say to each other. */
#ifndef FORMAT_NIFTI_H
#define FORMAT_NIFTI_H

#include "format/ops.h"

enum mist_status nifti_writer_open(const struct format_target *target, struct format_writer **writer,
                                   struct mist_error *error);

#endif
