/* SPDX-License-Identifier: BSD-2-Clause */
/* Sample types, views and level counts. */
#include <mist/image.h>

#include <string.h>

static const struct {
    const char *name;
    uint8_t size;
    bool is_signed;
    bool is_float;
} types[MIST_SAMPLE_TYPES] = {
    [MIST_U8] = {"u8", 1, false, false},  [MIST_S8] = {"s8", 1, true, false},    [MIST_U16] = {"u16", 2, false, false},
    [MIST_S16] = {"s16", 2, true, false}, [MIST_U32] = {"u32", 4, false, false}, [MIST_S32] = {"s32", 4, true, false},
    [MIST_F16] = {"f16", 2, true, true},  [MIST_F32] = {"f32", 4, true, true},   [MIST_F64] = {"f64", 8, true, true},
    [MIST_S64] = {"s64", 8, true, false}, [MIST_U64] = {"u64", 8, false, false},
};

static bool is_type(enum mist_sample_type type)
{
    return (unsigned)type < MIST_SAMPLE_TYPES;
}

size_t mist_sample_size(enum mist_sample_type type)
{
    return is_type(type) ? types[type].size : 0;
}

const char *mist_sample_name(enum mist_sample_type type)
{
    return is_type(type) ? types[type].name : NULL;
}

enum mist_sample_type mist_sample_type_from_name(const char *name)
{
    unsigned type = 0;
    while (type < MIST_SAMPLE_TYPES && strcmp(types[type].name, name) != 0)
        type++;
    return (enum mist_sample_type)type;
}

bool mist_sample_is_signed(enum mist_sample_type type)
{
    return is_type(type) && types[type].is_signed;
}

bool mist_sample_is_float(enum mist_sample_type type)
{
    return is_type(type) && types[type].is_float;
}

struct mist_view mist_view_interleaved(void *data, enum mist_sample_type type, uint32_t width, uint32_t height,
                                       uint32_t components)
{
    size_t size = mist_sample_size(type);
    return (struct mist_view){data, type, width, height, components, size * components, size * components * width,
                              size};
}

struct mist_view mist_view_planar(void *data, enum mist_sample_type type, uint32_t width, uint32_t height,
                                  uint32_t components)
{
    size_t size = mist_sample_size(type);
    return (struct mist_view){data, type, width, height, components, size, size * width, size * width * height};
}

size_t mist_frame_bytes(enum mist_sample_type type, uint32_t width, uint32_t height, uint32_t components)
{
    if (!is_type(type) || width == 0 || height == 0 || components == 0 || width > MIST_MAX_SIDE ||
        height > MIST_MAX_SIDE || components > MIST_MAX_COMPONENTS)
        return 0;
    uint64_t bytes = (uint64_t)width * height * components * types[type].size; /* below 2^37 */
    return bytes <= MIST_MAX_FRAME_BYTES ? (size_t)bytes : 0;
}

uint32_t mist_reduced_size(uint32_t size, unsigned reduce)
{
    return reduce > 32 ? size > 0 : (uint32_t)((size + (((uint64_t)1 << reduce) - 1)) >> reduce);
}

unsigned mist_level_count(uint32_t width, uint32_t height)
{
    uint32_t side = width < height ? width : height;
    unsigned levels = 1;
    while (((uint64_t)32 << levels) < side) /* log2(side / 32) > levels */
        levels++;
    return levels;
}
