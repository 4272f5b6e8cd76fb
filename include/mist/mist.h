/* SPDX-License-Identifier: BSD-2-Clause */
/* The whole public API of MIST, the Medical Image Streaming Toolkit. */
#ifndef MIST_MIST_H
#define MIST_MIST_H

#define MIST_VERSION "0.1.0"

#include <mist/buffer.h>
#include <mist/client.h>
#include <mist/codec.h>
#include <mist/host.h>
#include <mist/image.h>
#include <mist/item.h>
#include <mist/status.h>
#include <mist/store.h>

#endif
