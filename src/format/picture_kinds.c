/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/picture_kinds.h"

#include "kind/names.h"

#include <string.h>
#include <strings.h>

/* Known by bytes at an offset. */
struct magic {
    const char *kind;
    size_t offset;
    const char *bytes;
    size_t size;
};
#define MAGIC(kind, offset, bytes)            \
    {                                         \
        kind, offset, bytes, sizeof bytes - 1 \
    }
static const struct magic magics[] = {
    MAGIC("gif", 0, "GIF8"),
    MAGIC("webp", 8, "WEBP"),
    MAGIC("avi", 8, "AVI "),
    MAGIC("heic", 4, "ftyphei"),
    MAGIC("heic", 4, "ftypmif1"),
    MAGIC("avif", 4, "ftypavif"),
    MAGIC("mov", 4, "ftypqt"),
    MAGIC("mp4", 4, "ftyp"),
    MAGIC("jp2", 0, "\0\0\0\x0cjP  \r\n\x87\n"),
    MAGIC("j2k", 0, "\xff\x4f\xff\x51"),
    MAGIC("jxl", 0, "\xff\x0a"),
    MAGIC("jxl", 0, "\0\0\0\x0cJXL \r\n\x87\n"),
    MAGIC("jls", 0, "\xff\xd8\xff\xf7"),
    MAGIC("jpeg", 0, "\xff\xd8\xff"),
    MAGIC("png", 0, "\x89PNG\r\n\x1a\n"),
    MAGIC("mkv", 0, "\x1a\x45\xdf\xa3"),
    MAGIC("mpg", 0, "\0\0\x01\xba"),
    MAGIC("wmv", 0, "\x30\x26\xb2\x75\x8e\x66\xcf\x11"),
    MAGIC("psd", 0, "8BPS"),
    MAGIC("exr", 0, "\x76\x2f\x31\x01"),
    MAGIC("hdr", 0, "#?RADIANCE"),
    MAGIC("fits", 0, "SIMPLE  ="),
    MAGIC("ico", 0, "\0\0\x01\0"),
    MAGIC("xcf", 0, "gimp xcf"),
    MAGIC("djvu", 0, "AT&TFORM"),
    MAGIC("mrxs", 0, "MRXS"),
    MAGIC("czi", 0, "ZISRAWFILE"),
    MAGIC("nd2", 0, "\xda\xce\xbe\x0a"),
    MAGIC("minc", 0, "CDF\x01"),
    MAGIC("pgm", 0, "P5"),
    MAGIC("ppm", 0, "P6"),
    MAGIC("pbm", 0, "P4"),
    MAGIC("nrrd", 0, "NRRD000"),
    MAGIC("vtk", 0, "# vtk DataFile"),
    MAGIC("npy", 0, "\x93NUMPY"),
    MAGIC("dicom", 128, "DICM"),
};

/* Known by their names only, or by names where the bytes say just what they are wrapped in (gzip, HDF5, zip, TIFF). */
static const char *const suffixes[] = {
    ".svs",  ".ndpi", ".scn", ".qptiff", ".vms",  ".bif",  ".mrxs", ".mgz",    ".mgh", ".mnc",  ".img",
    ".hdr",  ".mhd",  ".mha", ".nhdr",   ".nrrd", ".npz",  ".mat",  ".lif",    ".lsm", ".oib",  ".czi",
    ".nd2",  ".vsi",  ".par", ".rec",    ".v",    ".ecat", ".spr",  ".bfloat", ".1d",  ".brik", ".head",
    ".tga",  ".pcx",  ".svg", ".mpeg",   ".mpg",  ".mp4",  ".mov",  ".avi",    ".wmv", ".webm", ".heif",
    ".heic", ".emf",  ".xcf", ".dng",    ".zarr", ".h5",   ".hdf5", ".vti",    ".mif", ".raw"};

static bool ends_in(const char *path, const char *suffix)
{
    size_t length = strlen(path), ending = strlen(suffix);
    return length > ending && strcasecmp(path + length - ending, suffix) == 0;
}

/* BMP: its two letters start texts, too, so the size of the header behind them must be one that there is. */
static bool is_bmp(const uint8_t *bytes, size_t size)
{
    return size >= 18 && memcmp(bytes, "BM", 2) == 0 && bytes[15] == 0 && bytes[16] == 0 && bytes[17] == 0 &&
           (bytes[14] == 12 || bytes[14] == 40 || bytes[14] == 52 || bytes[14] == 56 || bytes[14] == 64 ||
            bytes[14] == 108 || bytes[14] == 124);
}

static bool is_tiff(const uint8_t *bytes, size_t size)
{
    return size >= 8 && (memcmp(bytes, "II*\0", 4) == 0 || memcmp(bytes, "MM\0*", 4) == 0 ||
                         memcmp(bytes, "II+\0", 4) == 0 || memcmp(bytes, "MM\0+", 4) == 0);
}

const char *format_picture_kind(const char *path, const uint8_t *bytes, size_t size)
{
    const bool gzip = size >= 3 && bytes[0] == 0x1f && bytes[1] == 0x8b && bytes[2] == 8;
    const bool mgh = size >= 4 && memcmp(bytes, "\0\0\0\x01", 4) == 0 && (ends_in(path, ".mgh"));
    if (mgh || (gzip && (ends_in(path, ".mgz") || ends_in(path, ".mgh.gz"))))
        return gzip ? "mgz" : "mgh";
    /* TIFF by another name is mostly a format of whole slides or of a microscope. */
    const bool named_first = is_tiff(bytes, size) || gzip || (size >= 4 && memcmp(bytes, "\x89HDF", 4) == 0) ||
                             (size >= 4 && memcmp(bytes, "PK\x03\x04", 4) == 0);
    for (size_t i = 0; named_first && i < sizeof suffixes / sizeof *suffixes; i++)
        if (ends_in(path, suffixes[i]))
            return suffixes[i] + 1;
    if (is_tiff(bytes, size))
        return "tiff";
    if (is_bmp(bytes, size))
        return "bmp";
    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++)
        if (size >= magics[i].offset + magics[i].size &&
            memcmp(bytes + magics[i].offset, magics[i].bytes, magics[i].size) == 0)
            return magics[i].kind;
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        if (ends_in(path, suffixes[i]))
            return suffixes[i] + 1;
    const struct format *format = format_of_path(path);
    return format ? format->name : NULL;
}
