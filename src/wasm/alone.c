/* SPDX-License-Identifier: BSD-2-Clause */
/* What the core has of a system, in a place that has none: one thread, no files. */
#include "base/cpu.h"
#include "base/error.h"
#include "base/file.h"
#include "base/pool.h"
#include "codec/packets.h"

#include <fnmatch.h>
#include <zstd.h>

/* ---- base/cpu.h ---- */

enum cpu_level cpu_level(void)
{
    return CPU_BASELINE; /* with the vectors of WebAssembly */
}

/* ---- base/pool.h ---- */

unsigned pool_default_threads(void)
{
    return 1;
}

enum mist_status pool_start(unsigned threads, struct pool **pool, struct mist_error *error)
{
    (void)threads, (void)error;
    *pool = NULL;
    return MIST_OK;
}

unsigned pool_threads(const struct pool *pool)
{
    (void)pool;
    return 1;
}

enum mist_status pool_share(struct pool *pool, uint64_t count, pool_task *task, void *context, struct mist_error *error)
{
    (void)pool;
    enum mist_status status = MIST_OK;
    for (uint64_t index = 0; index < count && !status; index++)
        status = task(context, index, 0, error);
    return status;
}

enum mist_status pool_run(unsigned threads, uint64_t count, pool_task *task, void *context, struct mist_error *error)
{
    (void)threads;
    return pool_share(NULL, count, task, context, error);
}

void pool_stop(struct pool **pool)
{
    *pool = NULL;
}

/* ---- base/file.h ---- */

void file_map_close(struct file_map *map)
{
    (void)map;
}

/* ---- fnmatch.h: that of wasi-libc brings all of Unicode's classes along ---- */

/* Whether one character fits the bracket expression behind '['; *end is what follows it, NULL where it has no end. */
static bool in_bracket(const char *pattern, unsigned char c, const char **end)
{
    const bool no = *pattern == '!' || *pattern == '^';
    bool found = false;
    pattern += no;
    *end = NULL;
    for (const char *at = pattern; *at && (*at != ']' || at == pattern); at++) {
        unsigned char first = (unsigned char)*at, last = first;
        if (at[1] == '-' && at[2] && at[2] != ']') {
            last = (unsigned char)at[2];
            at += 2;
        }
        found = found || (c >= first && c <= last);
        *end = at + 1;
    }
    *end = *end && **end == ']' ? *end + 1 : NULL;
    return found != no;
}

/* Whether the pattern's character at `at` is `c`; *next is the one behind it. */
static bool is_one(const char *at, char c, const char **next)
{
    const char *end;
    *next = at + 1;
    if (*at == '?')
        return true;
    if (*at == '[') {
        bool in = in_bracket(at + 1, (unsigned char)c, &end);
        if (end) {
            *next = end;
            return in;
        }
    }
    if (*at == '\\' && at[1])
        *next = ++at + 1;
    return *at == c;
}

/* Bytes, not characters; of the flags FNM_LEADING_DIR alone. In the time of both lengths' product, at most. */
int fnmatch(const char *pattern, const char *text, int flags)
{
    const char *star = NULL, *from = NULL;
    for (;;) {
        const char *next;
        if (*pattern == '*') {
            star = ++pattern;
            from = text;
        } else if (!*pattern && (!*text || (*text == '/' && (flags & FNM_LEADING_DIR)))) {
            return 0;
        } else if (*text && *pattern && is_one(pattern, *text, &next)) {
            pattern = next;
            text++;
        } else if (star && *from) {
            pattern = star;
            text = ++from;
        } else {
            return FNM_NOMATCH;
        }
    }
}

/* ---- coding: a page reads ---- */

static enum mist_status reads_only(struct mist_error *error)
{
    return error_set(error, MIST_ERROR_UNSUPPORTED, "mist.wasm reads items and makes none");
}

struct mist_encode_options mist_encode_options_default(void)
{
    return (struct mist_encode_options){0};
}

enum mist_status codec_encode_packets(mist_codec *codec, const struct mist_view *frame,
                                      const struct mist_encode_options *options, struct mist_buffer *header,
                                      struct mist_buffer *packets, uint64_t level_size[MIST_MAX_LEVELS],
                                      unsigned *levels, struct mist_error *error)
{
    (void)codec, (void)frame, (void)options, (void)header, (void)packets, (void)level_size, (void)levels;
    return reads_only(error);
}

/* zstd is here without its compressor: what asks for one finds no memory for it. */
ZSTD_CCtx *ZSTD_createCCtx(void)
{
    return NULL;
}
size_t ZSTD_freeCCtx(ZSTD_CCtx *context)
{
    (void)context;
    return 0;
}
size_t ZSTD_compressBound(size_t size)
{
    return size;
}
size_t ZSTD_CCtx_setParameter(ZSTD_CCtx *context, ZSTD_cParameter parameter, int value)
{
    (void)context, (void)parameter, (void)value;
    return 0;
}
size_t ZSTD_CCtx_setPledgedSrcSize(ZSTD_CCtx *context, unsigned long long size)
{
    (void)context, (void)size;
    return 0;
}
size_t ZSTD_compressStream2(ZSTD_CCtx *context, ZSTD_outBuffer *out, ZSTD_inBuffer *in, ZSTD_EndDirective end)
{
    (void)context, (void)out, (void)in, (void)end;
    return 0;
}
size_t ZSTD_compress2(ZSTD_CCtx *context, void *out, size_t capacity, const void *in, size_t size)
{
    (void)context, (void)out, (void)capacity, (void)in, (void)size;
    return 0;
}
size_t ZSTD_CCtx_refPrefix(ZSTD_CCtx *context, const void *prefix, size_t size)
{
    (void)context, (void)prefix, (void)size;
    return 0;
}
