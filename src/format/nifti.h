/* SPDX-License-Identifier: BSD-2-Clause */
/* What the two halves of NIfTI (nifti.c reads, nifti_writer.c writes) and those who open files say to each other. */
#ifndef FORMAT_NIFTI_H
#define FORMAT_NIFTI_H

#include "format/ops.h"

enum mist_status nifti_writer_open(const struct format_target *target, struct format_writer **writer,
                                   struct mist_error *error);

/*
 * Where the samples of a pair's header should be: "x.img" for "x.hdr"; NULL where the name is no header's or memory is
 * short. Freed with memory_free(). A pair is opened as two inputs; its item has two files, the header with no frames.
 */
char *nifti_partner(const char *path);

#endif
