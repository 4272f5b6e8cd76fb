/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What was withdrawn from a dataset: STORE/DATASET/withdrawn.txt, the paths of source files one a line, in order. A
 * later `mist encode` does not take them in again.
 */
#ifndef STORE_WITHDRAW_H
#define STORE_WITHDRAW_H

#include "store/maker.h"

/* Puts them into the temporary table `withdrawn`, which is made. Nothing where there is no such file. */
enum mist_status withdrawn_load(struct maker *maker, struct mist_error *error);
/* Writes the table back to the file. */
enum mist_status withdrawn_store(struct maker *maker, struct mist_error *error);

#endif
