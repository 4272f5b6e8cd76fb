/* SPDX-License-Identifier: BSD-2-Clause */
#include <mist/version.h>

const char *mist_version(void)
{
    return MIST_VERSION;
}

unsigned mist_version_number(void)
{
    return MIST_VERSION_NUMBER;
}
