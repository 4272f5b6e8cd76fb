// SPDX-License-Identifier: BSD-2-Clause
// JPEG and JPEG-LS frames by the decoders of DCMTK, which are used without registering them: the program that MIST is
// part of may have its own registered.
#include "format/dicom_decode.h"

#include "base/error.h"
#include "format/dicom_dcmtk.h"

#include <dcmtk/dcmdata/dcpixseq.h>
#include <dcmtk/dcmdata/dcpxitem.h>
#include <dcmtk/dcmjpeg/djcparam.h>
#include <dcmtk/dcmjpeg/djdecext.h>
#include <dcmtk/dcmjpeg/djdeclol.h>
#include <dcmtk/dcmjpeg/djdecpro.h>
#include <dcmtk/dcmjpls/djcodecd.h>
#include <dcmtk/dcmjpls/djcparam.h>

using namespace dicom;

namespace
{

// What the decoders ask a dataset for: a frame of these samples.
void describe(DcmDataset &dataset, const dicom_pixels &pixels, const dicom_stream &stream, bool convert)
{
    const char *photometric = pixels.components == 1 ? "MONOCHROME2" : convert ? "YBR_FULL" : "RGB";
    const Uint16 stored = static_cast<Uint16>(stream.precision);
    dataset.putAndInsertUint16(DCM_SamplesPerPixel, static_cast<Uint16>(pixels.components));
    dataset.putAndInsertString(DCM_PhotometricInterpretation, photometric);
    dataset.putAndInsertUint16(DCM_PlanarConfiguration, 0);
    dataset.putAndInsertString(DCM_NumberOfFrames, "1");
    dataset.putAndInsertUint16(DCM_Rows, static_cast<Uint16>(pixels.rows));
    dataset.putAndInsertUint16(DCM_Columns, static_cast<Uint16>(pixels.columns));
    dataset.putAndInsertUint16(DCM_BitsAllocated, stored <= 8 ? 8 : 16);
    dataset.putAndInsertUint16(DCM_BitsStored, stored);
    dataset.putAndInsertUint16(DCM_HighBit, static_cast<Uint16>(stored - 1));
    dataset.putAndInsertUint16(DCM_PixelRepresentation, 0);
}

// An empty offset table and the codestream as the only fragment.
void fill(DcmPixelSequence &sequence, const uint8_t *data, size_t size)
{
    DcmPixelItem *table = new DcmPixelItem(DCM_PixelItemTag), *item = new DcmPixelItem(DCM_PixelItemTag);
    sequence.insert(table);
    sequence.insert(item);
    // PS3.5, A.4: fragments have an even length; the decoders stop at the end of the image.
    Uint8 *bytes = nullptr;
    Uint32 even = static_cast<Uint32>(size + (size & 1));
    if (item->createUint8Array(even, bytes).bad() || !bytes)
        throw std::bad_alloc();
    bytes[even - 1] = 0;
    memcpy(bytes, data, size);
}

OFCondition run(const dicom_stream &stream, DcmPixelSequence &sequence, DcmDataset &dataset, void *samples, Uint32 size)
{
    const Uint32 frame = 0;
    Uint32 fragment = 1; // the one behind the table
    OFString model;
    if (stream.kind == FORMAT_STREAM_JPEG_LS) {
        DJLSNearLosslessDecoder decoder;
        DJLSCodecParameter parameters(EJLSUC_never, EJLSPC_colorByPixel, OFTrue);
        return decoder.decodeFrame(nullptr, &sequence, &parameters, &dataset, frame, fragment, samples, size, model);
    }
    bool lossless = stream.kind == FORMAT_STREAM_JPEG_LOSSLESS;
    DJCodecParameter parameters(ECC_lossyYCbCr, lossless ? EDC_never : EDC_photometricInterpretation, EUC_never,
                                EPC_colorByPixel);
    if (lossless) {
        DJDecoderLossless decoder;
        return decoder.decodeFrame(nullptr, &sequence, &parameters, &dataset, frame, fragment, samples, size, model);
    }
    DJDecoderProgressive decoder; // of all processes with DCT: the codestream says which one it is
    return decoder.decodeFrame(nullptr, &sequence, &parameters, &dataset, frame, fragment, samples, size, model);
}

} // namespace

enum mist_status dicom_jpeg_decode(const struct dicom_pixels *pixels, const struct dicom_stream *stream, bool convert,
                                   const uint8_t *data, size_t size, uint8_t *samples, struct mist_error *error)
try {
    quiet hush;
    size_t bytes = static_cast<size_t>(pixels->columns) * pixels->rows * pixels->components;
    bytes *= stream->precision <= 8 ? 1 : 2;
    if (size >= UINT32_MAX - 1 || bytes > UINT32_MAX)
        return error_set(error, MIST_ERROR_LIMIT, "a JPEG frame of %zu bytes is too large", size);
    DcmDataset dataset;
    describe(dataset, *pixels, *stream, convert);
    DcmPixelSequence sequence(DCM_PixelSequenceTag);
    fill(sequence, data, size);
    OFCondition condition = run(*stream, sequence, dataset, samples, static_cast<Uint32>(bytes));
    if (condition.bad())
        return error_set(error, MIST_ERROR_CORRUPT, "a JPEG frame cannot be decoded: %s", condition.text());
    return MIST_OK;
} catch (...) {
    return error_set(error, MIST_ERROR_MEMORY, "out of memory decoding a JPEG frame");
}
