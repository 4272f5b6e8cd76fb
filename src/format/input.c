/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/input.h"

#include "base/memory.h"

struct format_input format_input_path(const char *path)
{
    return (struct format_input){.path = path};
}

struct format_input format_input_memory(const char *name, const uint8_t *data, size_t size)
{
    static const uint8_t nothing[1];
    return (struct format_input){.name = name, .data = size ? data : nothing, .size = size};
}

const char *input_name(const struct format_input *input)
{
    return input->name ? input->name : input->path ? input->path : "bytes in memory";
}

enum mist_status input_map(const struct format_input *input, struct file_map *map, struct mist_error *error)
{
    if (!input->data)
        return file_map_open(input->path, map, error);
    *map = (struct file_map){input->data, input->size};
    return MIST_OK;
}

void input_unmap(const struct format_input *input, struct file_map *map)
{
    if (input->data)
        *map = (struct file_map){0};
    else
        file_map_close(map);
}

bool input_copy(const struct format_input *input, struct format_input *copy)
{
    *copy = (struct format_input){.data = input->data, .size = input->size};
    copy->name = memory_copy_text(input_name(input));
    copy->path = input->path ? memory_copy_text(input->path) : NULL;
    if (copy->name && (copy->path || !input->path))
        return true;
    input_free(copy);
    return false;
}

void input_free(struct format_input *copy)
{
    memory_free((char *)(uintptr_t)copy->name);
    memory_free((char *)(uintptr_t)copy->path);
    *copy = (struct format_input){0};
}
