/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What libmist-core offers: the codec, and reading items and datasets from bytes that the caller brings. It knows no
 * network, no DICOM and no other files than MIST's own; libmist, which <mist/mist.h> is the header of, has all of this
 * and the rest.
 */
#ifndef MIST_CORE_H
#define MIST_CORE_H

#include <mist/buffer.h>
#include <mist/codec.h>
#include <mist/image.h>
#include <mist/item.h>
#include <mist/source.h>
#include <mist/status.h>
#include <mist/structures.h>
#include <mist/version.h>

#endif
