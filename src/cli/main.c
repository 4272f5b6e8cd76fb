/* SPDX-License-Identifier: BSD-2-Clause */
#include <mist/mist.h>
#include <stdio.h>

int main(void)
{
    puts("mist " MIST_VERSION);
    return 0;
}
