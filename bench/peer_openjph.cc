/* SPDX-License-Identifier: BSD-2-Clause */
/* OpenJPH (Debian's libopenjph-dev) in memory, set as ours is: 5/3, 64x64 blocks, RPCL. It has a C++ interface only. */
#include "bench.h"

#include <openjph/ojph_arch.h>
#include <openjph/ojph_base.h>
#include <openjph/ojph_codestream.h>
#include <openjph/ojph_file.h>
#include <openjph/ojph_mem.h>
#include <openjph/ojph_params.h>

#include <cstring>
#include <exception>

namespace
{

template <typename Sample> void widen(const struct mist_view &view, uint32_t row, ojph::si32 *line)
{
    auto source = reinterpret_cast<const Sample *>(static_cast<const char *>(view.data) + row * view.row_stride);
    for (uint32_t x = 0; x < view.width; x++)
        line[x] = source[x];
}

template <typename Sample> void narrow(const ojph::si32 *line, uint32_t row, const struct mist_view &view)
{
    auto target = reinterpret_cast<Sample *>(static_cast<char *>(view.data) + row * view.row_stride);
    for (uint32_t x = 0; x < view.width; x++)
        target[x] = static_cast<Sample>(line[x]);
}

void *create()
{
    return new int; /* its codestream objects serve once only, so there is nothing to keep */
}

void destroy(void *state)
{
    delete static_cast<int *>(state);
}

void encode_lines(ojph::codestream &codestream, const struct mist_view &view)
{
    ojph::ui32 next;
    ojph::line_buf *line = codestream.exchange(nullptr, next);
    for (uint32_t row = 0; row < view.height; row++) {
        if (view.type == MIST_U8)
            widen<uint8_t>(view, row, line->i32);
        else if (view.type == MIST_U16)
            widen<uint16_t>(view, row, line->i32);
        else
            widen<int16_t>(view, row, line->i32);
        line = codestream.exchange(line, next);
    }
}

bool encode(void *, const struct bench_image *image, struct mist_buffer *out)
try {
    const struct mist_view &view = image->view;
    ojph::codestream codestream;
    ojph::param_siz siz = codestream.access_siz();
    siz.set_image_extent(ojph::point(view.width, view.height));
    siz.set_num_components(1);
    siz.set_component(0, ojph::point(1, 1), image->precision, view.type == MIST_S16);
    ojph::param_cod cod = codestream.access_cod();
    cod.set_num_decomposition(mist_level_count(view.width, view.height) - 1);
    cod.set_block_dims(64, 64);
    cod.set_progression_order("RPCL");
    cod.set_color_transform(false);
    cod.set_reversible(true);
    codestream.set_planar(true);
    ojph::mem_outfile file;
    file.open(view.width * view.height);
    codestream.write_headers(&file);
    encode_lines(codestream, view);
    codestream.flush();
    size_t size = static_cast<size_t>(file.tell());
    if (out->capacity < size) {
        mist_buffer_free(out);
        out->data = static_cast<uint8_t *>(malloc(size));
        out->capacity = size;
    }
    memcpy(out->data, file.get_data(), size);
    out->size = size;
    codestream.close();
    return true;
} catch (const std::exception &) {
    return false;
}

bool decode(void *, const struct mist_buffer *stream, unsigned reduce, struct mist_view *out)
try {
    ojph::mem_infile file;
    file.open(stream->data, stream->size);
    ojph::codestream codestream;
    codestream.read_headers(&file);
    codestream.restrict_input_resolution(reduce, reduce);
    codestream.set_planar(true);
    codestream.create();
    for (uint32_t row = 0; row < out->height; row++) {
        ojph::ui32 component;
        ojph::line_buf *line = codestream.pull(component);
        if (out->type == MIST_U8)
            narrow<uint8_t>(line->i32, row, *out);
        else if (out->type == MIST_U16)
            narrow<uint16_t>(line->i32, row, *out);
        else
            narrow<int16_t>(line->i32, row, *out);
    }
    codestream.close();
    return true;
} catch (const std::exception &) {
    return false;
}

} // namespace

const struct bench_peer peer_openjph = {"openjph", true, create, destroy, encode, decode};
