/* SPDX-License-Identifier: BSD-2-Clause */
/* WRITING(...): what only encoding needs. Built with MIST_READ_ONLY (mist.wasm, scripts/wasm) it is left out. */
#ifndef BASE_WRITING_H
#define BASE_WRITING_H

#ifdef MIST_READ_ONLY
#define WRITING(...)
#else
#define WRITING(...) __VA_ARGS__
#endif

#endif
