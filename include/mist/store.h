/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MIST_STORE_H
#define MIST_STORE_H

#include <mist/item.h>

#endif
