/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How many requests are in flight. Of a thousand small items over a long way most of the time goes by waiting for
 * answers to begin: more requests at a time bring more, until the line is full. So twice as many are tried
 * as long as that brings more, what brought nothing is taken back, and there are half as many where the host says that
 * it has too much to do.
 */
#ifndef CLIENT_PACE_H
#define CLIENT_PACE_H

#include <stdbool.h>
#include <stdint.h>

enum { PACE_LEAST = 4, PACE_FIRST = 32, PACE_MOST = 64 };

struct pace {
    unsigned transfers; /* now */
    unsigned most;
    bool fixed;      /* the user said how many */
    unsigned before; /* so many there were when more began to be tried, and brought `rate` bytes a second; 0: not now */
    double rate;
    double since; /* when these were counted from */
    uint64_t received, refused;
    double hold, hold_until; /* seconds until more are tried again, where they brought nothing or too much */
};

/* What is to be seen at a moment; counters go up only. */
struct pace_look {
    double seconds;
    uint64_t received; /* bytes */
    uint64_t refused;  /* requests that the host had no time for */
    bool all_taken;    /* no transfer more can begin */
};

/* `wanted`: what the user said; 0: found out. More than PACE_MOST are PACE_MOST. */
void pace_start(struct pace *pace, unsigned wanted);
/* Called about ten times a second: how many more (< 0: fewer) there should be. */
int pace_look(struct pace *pace, const struct pace_look *look);

#endif
