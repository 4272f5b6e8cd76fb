/* SPDX-License-Identifier: BSD-2-Clause */
/* XXH3-64, the checksum of everything that MIST stores: not cryptographic, against damage, not against forgery. */
#ifndef BASE_CHECKSUM_H
#define BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

uint64_t checksum(const void *data, size_t size);

/* The same over pieces. */
struct checksum_state;
struct checksum_state *checksum_start(void); /* NULL when memory is short */
void checksum_add(struct checksum_state *state, const void *data, size_t size);
uint64_t checksum_value(const struct checksum_state *state); /* of all bytes so far; more may be added */
void checksum_restart(struct checksum_state *state);
void checksum_free(struct checksum_state *state);

#endif
