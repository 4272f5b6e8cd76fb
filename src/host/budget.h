/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that all pictures together may take, while they are made and until they are sent. */
#ifndef HOST_BUDGET_H
#define HOST_BUDGET_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct budget {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t limit, used;
    bool ended;
};

void budget_start(struct budget *budget, uint64_t limit);
void budget_stop(struct budget *budget);
/* From now on nobody waits. */
void budget_end(struct budget *budget);

/* Waits until there is room, for some seconds at most: then false. What is larger than all of it gets it alone. */
bool budget_take(struct budget *budget, uint64_t bytes);
/* What was taken is less from now on. */
void budget_give(struct budget *budget, uint64_t bytes);

#endif
