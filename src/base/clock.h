/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

/* Seconds since some fixed moment, by a clock that no one sets (CLOCK_MONOTONIC): for measuring how long things take.
 */
double clock_seconds(void);

#endif
