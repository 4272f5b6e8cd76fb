/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MIST_HOST_H
#define MIST_HOST_H

#include <mist/item.h>

#endif
