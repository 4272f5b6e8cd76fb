/* SPDX-License-Identifier: BSD-2-Clause */
#include "client/pace.h"

#define LOOK_SECONDS 0.09 /* a rate is counted over at least this */
#define HOLD_SECONDS 2.0  /* after a refusal */
#define GAIN 1.05         /* less is no gain */

void pace_start(struct pace *pace, unsigned wanted)
{
    unsigned transfers = wanted < PACE_MOST ? wanted : PACE_MOST;
    *pace = (struct pace){.transfers = transfers ? transfers : PACE_FIRST,
                          .most = transfers ? transfers : PACE_MOST,
                          .fixed = transfers != 0};
}

static int change_to(struct pace *pace, unsigned transfers)
{
    int more = (int)transfers - (int)pace->transfers;
    pace->transfers = transfers;
    return more;
}

int pace_look(struct pace *pace, const struct pace_look *look)
{
    double seconds = look->seconds - pace->since;
    if (pace->fixed || (pace->since > 0 && seconds < LOOK_SECONDS))
        return 0;
    double rate = pace->since > 0 ? (double)(look->received - pace->received) / seconds : 0;
    bool refused = look->refused > pace->refused;
    pace->since = look->seconds;
    pace->received = look->received;
    pace->refused = look->refused;
    if (refused && look->seconds >= pace->hold_until) {
        unsigned half = pace->transfers / 2;
        pace->hold_until = look->seconds + HOLD_SECONDS;
        pace->best = 0;
        return change_to(pace, half < PACE_LEAST ? PACE_LEAST : half);
    }
    if (look->seconds < pace->hold_until || !look->all_taken || rate <= pace->best * GAIN)
        return 0;
    pace->best = rate;
    unsigned more = pace->transfers * 2;
    return change_to(pace, more < pace->most ? more : pace->most);
}
