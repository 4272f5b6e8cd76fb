/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/nifti_header.h"

#include "base/bytes.h"
#include "base/error.h"

#include <math.h>
#include <nifti1.h>
#include <nifti2.h>
#include <string.h>

/* The types of the two structures are told apart by name, since both headers' names clash with nothing of ours. */
typedef struct nifti_1_header header1;
typedef nifti_2_header header2;

/* ---- fields in either byte order ---- */

static uint64_t get_unsigned(const uint8_t *p, size_t size, bool big)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)p[i] << 8 * (big ? size - 1 - i : i);
    return value;
}

static void put_unsigned(uint8_t *p, size_t size, bool big, uint64_t value)
{
    for (size_t i = 0; i < size; i++)
        p[i] = (uint8_t)(value >> 8 * (big ? size - 1 - i : i));
}

static int64_t get_integer(const uint8_t *p, size_t size, bool big)
{
    uint64_t value = get_unsigned(p, size, big);
    return size == 2 ? (int16_t)value : size == 4 ? (int32_t)value : (int64_t)value;
}

static double get_real(const uint8_t *p, size_t size, bool big)
{
    uint64_t bits = get_unsigned(p, size, big);
    if (size == 4) {
        uint32_t narrow = (uint32_t)bits;
        float value;
        memcpy(&value, &narrow, sizeof value);
        return (double)value;
    }
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void put_real(uint8_t *p, size_t size, bool big, double value)
{
    uint64_t bits;
    if (size == 4) {
        float narrow = (float)value;
        uint32_t narrow_bits;
        memcpy(&narrow_bits, &narrow, sizeof narrow);
        bits = narrow_bits;
    } else {
        memcpy(&bits, &value, sizeof bits);
    }
    put_unsigned(p, size, big, bits);
}

/* Where a field is, by version: offset and size of its elements. */
struct field {
    size_t offset[2], size[2];
};
#define FIELD(name)                                                    \
    {                                                                  \
        {offsetof(header1, name), offsetof(header2, name)},            \
        {                                                              \
            sizeof(((header1 *)0)->name), sizeof(((header2 *)0)->name) \
        }                                                              \
    }
#define ARRAY_FIELD(name)                                                    \
    {                                                                        \
        {offsetof(header1, name), offsetof(header2, name)},                  \
        {                                                                    \
            sizeof(((header1 *)0)->name[0]), sizeof(((header2 *)0)->name[0]) \
        }                                                                    \
    }
static const struct field dim_field = ARRAY_FIELD(dim), pixdim_field = ARRAY_FIELD(pixdim),
                          datatype_field = FIELD(datatype), intent_field = FIELD(intent_code),
                          offset_field = FIELD(vox_offset), qform_field = FIELD(qform_code),
                          sform_field = FIELD(sform_code), units_field = FIELD(xyzt_units);
static const struct field quatern_fields[3] = {FIELD(quatern_b), FIELD(quatern_c), FIELD(quatern_d)};
static const struct field qoffset_fields[3] = {FIELD(qoffset_x), FIELD(qoffset_y), FIELD(qoffset_z)};
static const struct field srow_fields[3] = {ARRAY_FIELD(srow_x), ARRAY_FIELD(srow_y), ARRAY_FIELD(srow_z)};

static int64_t integer_at(const struct nifti_header *header, const uint8_t *data, const struct field *field, size_t i)
{
    unsigned v = header->version - 1;
    return get_integer(data + field->offset[v] + i * field->size[v], field->size[v], header->big_endian);
}
static double real_at(const struct nifti_header *header, const uint8_t *data, const struct field *field, size_t i)
{
    unsigned v = header->version - 1;
    return get_real(data + field->offset[v] + i * field->size[v], field->size[v], header->big_endian);
}
static void store_integer(const struct nifti_header *header, uint8_t *data, const struct field *field, size_t i,
                          int64_t value)
{
    unsigned v = header->version - 1;
    put_unsigned(data + field->offset[v] + i * field->size[v], field->size[v], header->big_endian, (uint64_t)value);
}
static void store_real(const struct nifti_header *header, uint8_t *data, const struct field *field, size_t i,
                       double value)
{
    unsigned v = header->version - 1;
    put_real(data + field->offset[v] + i * field->size[v], field->size[v], header->big_endian, value);
}

/* ---- reading ---- */

/* The version and byte order that sizeof_hdr tells; false if none. */
static bool identify(const uint8_t *data, size_t size, unsigned *version, bool *big)
{
    if (size < 4)
        return false;
    for (int order = 0; order < 2; order++) {
        uint32_t value = order ? load_be32(data) : load_le32(data);
        *version = value == sizeof(header1) ? 1 : value == sizeof(header2) ? 2 : 0;
        *big = order;
        if (*version)
            return true;
    }
    return false;
}

size_t nifti_header_size(const uint8_t *data, size_t size)
{
    unsigned version;
    bool big;
    if (!identify(data, size, &version, &big))
        return 0;
    return version == 1 ? sizeof(header1) : sizeof(header2);
}

static const uint8_t *magic_of(const uint8_t *data, unsigned version)
{
    return data + (version == 1 ? offsetof(header1, magic) : offsetof(header2, magic));
}

bool nifti_header_detect(const uint8_t *data, size_t size)
{
    unsigned version;
    bool big;
    if (!identify(data, size, &version, &big) || size < nifti_header_size(data, size))
        return false;
    const uint8_t *magic = magic_of(data, version);
    char digit = version == 1 ? '1' : '2';
    return magic[0] == 'n' && (magic[1] == '+' || magic[1] == 'i') && magic[2] == digit && magic[3] == 0;
}

enum mist_status nifti_header_read(const uint8_t *data, size_t size, struct nifti_header *header,
                                   struct mist_error *error)
{
    memset(header, 0, sizeof *header);
    if (!nifti_header_detect(data, size))
        return error_set(error, MIST_ERROR_CORRUPT, "not a NIfTI header");
    identify(data, size, &header->version, &header->big_endian);
    if (magic_of(data, header->version)[1] != '+')
        return error_set(error, MIST_ERROR_UNSUPPORTED, "NIfTI pairs (.hdr and .img) are not read; only single files");
    int64_t dimensions = integer_at(header, data, &dim_field, 0);
    if (dimensions < 1 || dimensions > 7)
        return error_set(error, MIST_ERROR_CORRUPT, "a NIfTI header with %lld dimensions", (long long)dimensions);
    header->dimensions = (unsigned)dimensions;
    for (unsigned i = 1; i < 8; i++) {
        header->dim[i] = i <= header->dimensions ? integer_at(header, data, &dim_field, i) : 1;
        header->pixdim[i] = real_at(header, data, &pixdim_field, i);
        if (header->dim[i] < 1)
            return error_set(error, MIST_ERROR_CORRUPT, "a NIfTI header with a size of %lld in dimension %u",
                             (long long)header->dim[i], i);
    }
    header->pixdim[0] = real_at(header, data, &pixdim_field, 0);
    int64_t unit = integer_at(header, data, &units_field, 0) & 7; /* XYZT_TO_SPACE() */
    header->unit = unit == NIFTI_UNITS_METER ? 1000 : unit == NIFTI_UNITS_MICRON ? 0.001 : 1;
    header->datatype = (int)integer_at(header, data, &datatype_field, 0);
    header->intent = (int)integer_at(header, data, &intent_field, 0);
    double offset = header->version == 1 ? real_at(header, data, &offset_field, 0)
                                         : (double)integer_at(header, data, &offset_field, 0);
    size_t least = nifti_header_size(data, size) + 4; /* the extension flag follows the header */
    if (!(offset >= (double)least && offset <= 0x1p40 && offset == floor(offset)))
        return error_set(error, MIST_ERROR_CORRUPT, "a NIfTI header whose data would start at byte %g", offset);
    header->data_offset = (uint64_t)offset;
    header->qform_code = (int)integer_at(header, data, &qform_field, 0);
    header->sform_code = (int)integer_at(header, data, &sform_field, 0);
    for (unsigned i = 0; i < 3; i++) {
        header->quatern[i] = real_at(header, data, &quatern_fields[i], 0);
        header->qoffset[i] = real_at(header, data, &qoffset_fields[i], 0);
        for (unsigned k = 0; k < 4; k++)
            header->srow[i][k] = real_at(header, data, &srow_fields[i], k);
    }
    return MIST_OK;
}

/* ---- geometry ---- */

/* The rotation that the quaternion stands for (nifti1.h, "QUATERNION REPRESENTATION"), its third column by qfac. */
static void rotation_of(const struct nifti_header *header, double rotation[3][3])
{
    double b = header->quatern[0], c = header->quatern[1], d = header->quatern[2];
    double a2 = 1 - (b * b + c * c + d * d), a = 0;
    if (a2 > 1e-7) {
        a = sqrt(a2);
    } else { /* a rotation by 180 degrees, up to rounding */
        double length = sqrt(b * b + c * c + d * d);
        b /= length;
        c /= length;
        d /= length;
    }
    double qfac = header->pixdim[0] < 0 ? -1 : 1;
    double full[3][3] = {
        {a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)},
        {2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)},
        {2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c},
    };
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++)
            rotation[i][k] = full[i][k] * (k == 2 ? qfac : 1);
}

static double column_length(const struct mist_geometry *geometry, unsigned column)
{
    double x = geometry->affine[0][column], y = geometry->affine[1][column], z = geometry->affine[2][column];
    return sqrt(x * x + y * y + z * z);
}

/* In millimetres. Without sform and qform the header does not tell where in the patient voxels are: no affine then. */
static void set_geometry(const struct nifti_header *header, struct mist_geometry *geometry)
{
    memset(geometry, 0, sizeof *geometry);
    double rotation[3][3];
    rotation_of(header, rotation);
    geometry->has_affine = header->sform_code > 0 || header->qform_code > 0;
    for (unsigned i = 0; geometry->has_affine && i < 3; i++)
        for (unsigned k = 0; k < 4; k++) {
            double qform = k < 3 ? rotation[i][k] * fabs(header->pixdim[k + 1]) : header->qoffset[i];
            geometry->affine[i][k] = (header->sform_code > 0 ? header->srow[i][k] : qform) * header->unit;
            if (!isfinite(geometry->affine[i][k]))
                geometry->has_affine = false;
        }
    geometry->affine[3][3] = geometry->has_affine;
    for (unsigned k = 0; k < 3; k++) {
        double spacing = fabs(header->pixdim[k + 1]) * header->unit;
        if (isfinite(spacing) && spacing > 0)
            geometry->spacing[k] = spacing;
        else if (geometry->has_affine) /* some programs fill the sform only */
            geometry->spacing[k] = column_length(geometry, k);
    }
}

/* Datatypes; those without components are not read. */
static const struct {
    int code;
    enum mist_sample_type type;
    uint32_t components;
    const char *name;
} datatypes[] = {
    {DT_UINT8, MIST_U8, 1, "uint8"},      {DT_INT8, MIST_S8, 1, "int8"},        {DT_INT16, MIST_S16, 1, "int16"},
    {DT_UINT16, MIST_U16, 1, "uint16"},   {DT_INT32, MIST_S32, 1, "int32"},     {DT_UINT32, MIST_U32, 1, "uint32"},
    {DT_FLOAT32, MIST_F32, 1, "float32"}, {DT_FLOAT64, MIST_F64, 1, "float64"}, {DT_RGB24, MIST_U8, 3, "RGB24"},
    {DT_BINARY, 0, 0, "1-bit"},           {DT_INT64, MIST_S64, 1, "int64"},     {DT_UINT64, MIST_U64, 1, "uint64"},
    {DT_COMPLEX64, 0, 0, "complex64"},    {DT_COMPLEX128, 0, 0, "complex128"},  {DT_COMPLEX256, 0, 0, "complex256"},
    {DT_FLOAT128, 0, 0, "float128"},      {DT_RGBA32, 0, 0, "RGBA32"},
};
enum { DATATYPES = sizeof datatypes / sizeof *datatypes };

enum mist_status nifti_header_info(const struct nifti_header *header, struct mist_image_info *info,
                                   struct mist_error *error)
{
    memset(info, 0, sizeof *info);
    const char *name = NULL;
    for (unsigned i = 0; i < DATATYPES; i++)
        if (datatypes[i].code == header->datatype) {
            info->type = datatypes[i].type;
            info->components = datatypes[i].components;
            name = datatypes[i].name;
        }
    if (!name)
        return error_set(error, MIST_ERROR_CORRUPT, "NIfTI datatype %d does not exist", header->datatype);
    if (info->components == 0)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "NIfTI datatype %d, %s, is not encoded", header->datatype,
                         name);
    uint64_t frames = 1;
    for (unsigned i = 3; i < 8; i++) {
        if ((uint64_t)header->dim[i] > MIST_MAX_FRAMES || (frames *= (uint64_t)header->dim[i]) > MIST_MAX_FRAMES)
            return error_set(error, MIST_ERROR_LIMIT, "more than %u planes", MIST_MAX_FRAMES);
    }
    if (header->dim[1] > MIST_MAX_SIDE || header->dim[2] > MIST_MAX_SIDE)
        return error_set(error, MIST_ERROR_LIMIT, "planes of %lld x %lld voxels are beyond the limits",
                         (long long)header->dim[1], (long long)header->dim[2]);
    info->precision = (unsigned)(8 * mist_sample_size(info->type));
    info->width = (uint32_t)header->dim[1];
    info->height = (uint32_t)header->dim[2];
    info->frames = (uint32_t)frames;
    info->slices = (uint32_t)header->dim[3];
    info->label = header->intent == NIFTI_INTENT_LABEL || header->intent == NIFTI_INTENT_NEURONAME;
    set_geometry(header, &info->geometry);
    if (!mist_frame_bytes(info->type, info->width, info->height, info->components))
        return error_set(error, MIST_ERROR_LIMIT, "planes of %u x %u voxels are beyond the limits", info->width,
                         info->height);
    return MIST_OK;
}

void nifti_header_resize(struct nifti_header *header, uint32_t width, uint32_t height, const double factor[2],
                         const double shift[2])
{
    double rotation[3][3];
    rotation_of(header, rotation);
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 2; k++) {
            header->srow[i][3] += shift[k] * header->srow[i][k];
            header->qoffset[i] += shift[k] * rotation[i][k] * fabs(header->pixdim[k + 1]);
        }
        for (int k = 0; k < 2; k++)
            header->srow[i][k] *= factor[k];
    }
    for (int k = 0; k < 2; k++)
        header->pixdim[k + 1] *= factor[k];
    header->dim[1] = width;
    header->dim[2] = height;
}

void nifti_header_store_geometry(const struct nifti_header *header, uint8_t *data)
{
    for (unsigned i = 1; i <= 2; i++) {
        if (i > header->dimensions && header->dim[i] > 1) /* a line has become a plane */
            store_integer(header, data, &dim_field, 0, i);
        if (i <= header->dimensions || header->dim[i] > 1)
            store_integer(header, data, &dim_field, i, header->dim[i]);
        store_real(header, data, &pixdim_field, i, header->pixdim[i]);
    }
    for (unsigned i = 0; i < 3; i++) {
        store_real(header, data, &qoffset_fields[i], 0, header->qoffset[i]);
        for (unsigned k = 0; k < 4; k++)
            store_real(header, data, &srow_fields[i], k, header->srow[i][k]);
    }
}

/* ---- a header for images that have none ---- */

static int datatype_of(const struct mist_image_info *info)
{
    static const int codes[MIST_SAMPLE_TYPES] = {
        [MIST_U8] = DT_UINT8,   [MIST_S8] = DT_INT8,    [MIST_U16] = DT_UINT16,  [MIST_S16] = DT_INT16,
        [MIST_U32] = DT_UINT32, [MIST_S32] = DT_INT32,  [MIST_F32] = DT_FLOAT32, [MIST_F64] = DT_FLOAT64,
        [MIST_S64] = DT_INT64,  [MIST_U64] = DT_UINT64,
    };
    if (info->components == 3)
        return info->type == MIST_U8 ? DT_RGB24 : 0;
    return info->components == 1 ? codes[info->type] : 0;
}

enum mist_status nifti_header_make(const struct mist_image_info *info, uint8_t data[NIFTI_FRESH_SIZE],
                                   struct mist_error *error)
{
    int datatype = datatype_of(info);
    if (datatype == 0 || info->width > INT16_MAX || info->height > INT16_MAX || info->frames > INT16_MAX)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "%u planes of %u x %u x %u %s samples do not fit into NIfTI-1",
                         info->frames, info->width, info->height, info->components, mist_sample_name(info->type));
    header1 header = {.sizeof_hdr = sizeof header,
                      .dim = {3, (short)info->width, (short)info->height, (short)info->frames, 1, 1, 1, 1},
                      .datatype = (short)datatype,
                      .bitpix = (short)(8 * mist_sample_size(info->type) * info->components),
                      .vox_offset = NIFTI_FRESH_SIZE,
                      .xyzt_units = NIFTI_UNITS_MM,
                      .intent_code = info->label ? NIFTI_INTENT_LABEL : 0};
    for (int i = 0; i < 3; i++)
        header.pixdim[i + 1] = info->geometry.spacing[i] > 0 ? (float)info->geometry.spacing[i] : 1;
    header.pixdim[0] = 1;
    memcpy(header.magic, "n+1", 4);
    if (info->geometry.has_affine) {
        header.sform_code = NIFTI_XFORM_SCANNER_ANAT;
        for (int k = 0; k < 4; k++) {
            header.srow_x[k] = (float)info->geometry.affine[0][k];
            header.srow_y[k] = (float)info->geometry.affine[1][k];
            header.srow_z[k] = (float)info->geometry.affine[2][k];
        }
    }
    memset(data, 0, NIFTI_FRESH_SIZE);
    memcpy(data, &header, sizeof header);
    return MIST_OK;
}
