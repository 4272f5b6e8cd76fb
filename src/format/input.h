/* SPDX-License-Identifier: BSD-2-Clause */
/* What a source reads: a file, or bytes that are in memory already. */
#ifndef FORMAT_INPUT_H
#define FORMAT_INPUT_H

#include "base/file.h"

/* Either `path` or `data` is given; where both are, `data` is read. */
struct format_input {
    const char *name;    /* for messages; NULL: the path */
    const char *path;    /* of a file */
    const uint8_t *data; /* [size]: the caller's, until the source is closed */
    size_t size;
};

struct format_input format_input_path(const char *path);
struct format_input format_input_memory(const char *name, const uint8_t *data, size_t size);

/* What messages call it. */
const char *input_name(const struct format_input *input);
/* All its bytes, mapped where they are in a file; released with input_unmap(). Empty inputs have data != NULL. */
enum mist_status input_map(const struct format_input *input, struct file_map *map, struct mist_error *error);
void input_unmap(const struct format_input *input, struct file_map *map);

/* A copy that owns its texts (not the bytes); false when memory is short. input_free() is safe on a zeroed one. */
bool input_copy(const struct format_input *input, struct format_input *copy);
void input_free(struct format_input *copy);

#endif
