/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/kernels.h"

/*
 * MagSgn: a sample of magnitude mu > 0 has exponent E with 2 mu - 1 < 2^E, so E <= planes + 1, and U_q, its bits at
 * most, is the largest E of the quad or kappa, which is below the largest E above. Stuffing: behind a byte 0xFF comes
 * one of 7 bits that cannot be 0xFF, so that two bytes hold at least 15 bits.
 * MEL and VLC: at most 1024 quads, as the block lies in a code-block of at most 4096 samples with sides of at least 4
 * that are powers of two. A quad's codeword has at most 7 bits and its u at most 3 + 5 + 4: 19 bits, in all
 * 4 + 19456 bits, 2597 bytes with stuffing. A quad has at most one MEL event, a pair in the first row (256 of them at
 * most) one more, of at most 6 bits each: 7681 bits, 1026 bytes. Together with the byte that ends Scup that is less
 * than 4079, the largest Scup, and less than what is added here, which includes room for whole-word stores.
 */
size_t block_encode_bound(unsigned width, unsigned height, unsigned planes)
{
    size_t magsgn_bits = (size_t)width * height * (planes + 1);
    return 2 * (magsgn_bits / 15) + 2 + 4079 + 64;
}

unsigned block_decode_max_planes(enum codec_lane lane, bool half)
{
    static const unsigned planes[CODEC_LANES] = {15, 31, 62};
    return planes[lane] - half;
}

void transfer_set_range(struct transfer_job *job, unsigned precision, bool is_signed)
{
    int64_t middle = (int64_t)1 << (precision - 1);
    job->shift = is_signed ? 0 : middle;
    job->low = is_signed ? -middle : 0;
    job->high = is_signed ? middle - 1 : 2 * middle - 1;
}
