/* SPDX-License-Identifier: BSD-2-Clause */
/* The whole public API of MIST, the Medical Image Streaming Toolkit: libmist. */
#ifndef MIST_MIST_H
#define MIST_MIST_H

#include <mist/client.h>
#include <mist/convert.h>
#include <mist/core.h>
#include <mist/host.h>
#include <mist/picture.h>
#include <mist/remote.h>
#include <mist/store.h>

#endif
