/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MIST_CLIENT_H
#define MIST_CLIENT_H

#include <mist/item.h>

#endif
