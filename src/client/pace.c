/* SPDX-License-Identifier: BSD-2-Clause */
#include "client/pace.h"

#define LOOK_SECONDS 0.19 /* a rate is counted over at least this: some round trips */
#define HOLD_SECONDS 2.0  /* doubled each time */
#define MOST_HOLD 60.0
#define GAIN 1.05 /* less is no gain */

void pace_start(struct pace *pace, unsigned wanted)
{
    unsigned transfers = wanted < PACE_MOST ? wanted : PACE_MOST;
    *pace = (struct pace){.transfers = transfers ? transfers : PACE_FIRST,
                          .most = transfers ? transfers : PACE_MOST,
                          .fixed = transfers != 0,
                          .hold = HOLD_SECONDS};
}

static int change_to(struct pace *pace, unsigned transfers)
{
    int more = (int)transfers - (int)pace->transfers;
    pace->transfers = transfers;
    return more;
}

/* No more for a while, and for a longer one the next time. */
static int fall_back_to(struct pace *pace, unsigned transfers, double now)
{
    pace->before = 0;
    pace->hold_until = now + pace->hold;
    pace->hold = 2 * pace->hold < MOST_HOLD ? 2 * pace->hold : MOST_HOLD;
    return change_to(pace, transfers);
}

int pace_look(struct pace *pace, const struct pace_look *look)
{
    const double now = look->seconds, seconds = now - pace->since;
    if (pace->fixed || (pace->since > 0 && seconds < LOOK_SECONDS))
        return 0;
    const bool first = pace->since <= 0, refused = look->refused > pace->refused;
    const double rate = first ? 0 : (double)(look->received - pace->received) / seconds;
    pace->since = now;
    pace->received = look->received;
    pace->refused = look->refused;
    if (refused && now >= pace->hold_until)
        return fall_back_to(pace, pace->transfers / 2 < PACE_LEAST ? PACE_LEAST : pace->transfers / 2, now);
    if (pace->before && rate <= pace->rate * GAIN)
        return fall_back_to(pace, pace->before, now);
    pace->before = 0;
    if (first || now < pace->hold_until || !look->all_taken || pace->transfers >= pace->most)
        return 0;
    pace->before = pace->transfers;
    pace->rate = rate;
    return change_to(pace, 2 * pace->transfers < pace->most ? 2 * pace->transfers : pace->most);
}
