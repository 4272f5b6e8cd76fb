/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The core as WebAssembly, for web/mist.js: functions that JavaScript calls. Numbers and addresses in, numbers out;
 * texts are in `wasm_text` after a call that says so, the sentence of a failure in `wasm_error`. One thread.
 *
 * JavaScript fetches; nothing here waits. What an item is asked for is planned first (which bytes), then fetched,
 * given, and then read.
 */
#ifndef WASM_WASM_H
#define WASM_WASM_H

#include <mist/buffer.h>
#include <mist/source.h>

#define WASM_EXPORT(name) __attribute__((export_name(#name), visibility("default")))

extern struct mist_error wasm_error;
extern struct mist_buffer wasm_text;

/* A status of MIST_ERROR_MEMORY, said. */
enum mist_status wasm_no_memory(void);

/*
 * Requests come as numbers: reduce and step (a reduce below 0: not by reduce), width, height, depth, spacing (three),
 * policy, grid, exact.
 */
enum { WASM_REQUEST_NUMBERS = 11 };
struct mist_resolution_request wasm_request(const double *number);

/* Appends {"spacing":..., "window":...} of an item to wasm_text: how its values are meant (wasm/look.c). */
bool wasm_put_look(const mist_item *item);

/*
 * Pictures that JavaScript decodes (wasm/pictures.c): reading one that is not at hand fails with
 * MIST_ERROR_UNSUPPORTED, and wasm_picture_wanted() tells of what bytes it has to be made.
 */
void wasm_pictures_clear(void);
bool wasm_picture_wanted(void);

#endif
