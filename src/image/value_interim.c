/* SPDX-License-Identifier: BSD-2-Clause */
/* Stands in until the value maps are there. */
#include "image/value_map.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"
#include "image/copy.h"
#include <stdlib.h>

const char *value_map_kind_name(enum value_map_kind kind) { return kind == 0 ? "identity" : "ranks"; }
void value_map_free(struct value_map *map) { memory_free(map->rank); *map = (struct value_map){0}; }
enum mist_status value_map_check(const struct value_map *map, struct mist_error *error) { return MIST_OK; }
struct value_map value_map_identity(enum mist_sample_type type, uint32_t components, unsigned precision)
{
    return (struct value_map){.kind = VALUE_MAP_IDENTITY, .source = type, .coded = type, .components = components, .precision = precision};
}
bool value_looks_like_labels(const struct value_statistics *s) { return false; }
enum mist_status value_map_choose(const struct value_map_frames *frames, const struct value_options *options,
                                  unsigned threads, struct value_map *map, struct value_statistics *statistics,
                                  struct mist_error *error)
{
    *map = value_map_identity(frames->type, frames->components, (unsigned)mist_sample_size(frames->type) * 8);
    if (statistics) *statistics = (struct value_statistics){0};
    if (mist_sample_is_float(frames->type)) return error_set(error, MIST_ERROR_UNSUPPORTED, "floats: not yet");
    if (options->wish == VALUE_AS_LABELS && frames->type == MIST_U8 && frames->components == 1) {
        map->kind = VALUE_MAP_RANKS; map->coded = MIST_U16; map->precision = 8; map->rank_count = 256;
    }
    return MIST_OK;
}
uint32_t value_map_coded_components(const struct value_map *map) { return map->kind == VALUE_MAP_RANKS ? 1 : map->components; }
enum mist_sample_type value_map_remainder_type(const struct value_map *map) { return MIST_U32; }
enum mist_status value_map_forward(const struct value_map *map, const struct mist_view *samples, struct mist_view *coded,
                                   struct mist_view *holes, struct mist_view *remainder, struct mist_error *error)
{
    copy_convert(samples, coded); return MIST_OK;
}
enum mist_status value_map_inverse(const struct value_map *map, const struct mist_view *coded, bool reduced,
                                   struct mist_view *samples, struct mist_error *error)
{
    copy_convert(coded, samples); return MIST_OK;
}
enum mist_status value_map_apply_holes(const struct value_map *map, const struct mist_view *holes, struct mist_view *samples, struct mist_error *error) { return MIST_OK; }
enum mist_status value_map_apply_remainder(const struct value_map *map, const struct mist_view *remainder, struct mist_view *samples, struct mist_error *error) { return MIST_OK; }
enum mist_status value_map_write(const struct value_map *map, struct mist_buffer *out, struct mist_error *error)
{
    uint8_t b[3] = {(uint8_t)map->kind, (uint8_t)map->source, (uint8_t)map->precision};
    return buffer_append(out, b, 3) ? MIST_OK : MIST_ERROR_MEMORY;
}
enum mist_status value_map_read(struct byte_reader *reader, uint32_t components, struct value_map *map, struct mist_error *error)
{
    unsigned kind = read_u8(reader), type = read_u8(reader), precision = read_u8(reader);
    *map = value_map_identity((enum mist_sample_type)type, components, precision);
    map->kind = (enum value_map_kind)kind;
    if (kind) { map->coded = MIST_U16; map->rank_count = 256; }
    return MIST_OK;
}
enum mist_status value_map_write_table(const struct value_map *map, struct mist_buffer *out, struct mist_error *error) { return MIST_OK; }
