/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/nifti_header.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"

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
                          sform_field = FIELD(sform_code), units_field = FIELD(xyzt_units),
                          bitpix_field = FIELD(bitpix), slope_field = FIELD(scl_slope), inter_field = FIELD(scl_inter),
                          dim_info_field = FIELD(dim_info), descrip_field = FIELD(descrip),
                          cal_min_field = FIELD(cal_min), cal_max_field = FIELD(cal_max);
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
void nifti_header_display(const struct nifti_header *header, const uint8_t *data, struct nifti_display *display)
{
    *display = (struct nifti_display){0};
    if (header->analyze)
        return;
    display->slope = real_at(header, data, &slope_field, 0);
    display->intercept = real_at(header, data, &inter_field, 0);
    display->low = real_at(header, data, &cal_min_field, 0);
    display->high = real_at(header, data, &cal_max_field, 0);
    if (!isfinite(display->slope) || !isfinite(display->intercept))
        display->slope = display->intercept = 0;
    if (!isfinite(display->low) || !isfinite(display->high))
        display->low = display->high = 0;
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

/* Whether the magic number of a NIfTI file or pair is there; *pair tells which. */
static bool has_magic(const uint8_t *data, unsigned version, bool *pair)
{
    const uint8_t *magic = magic_of(data, version);
    *pair = magic[1] == 'i';
    return magic[0] == 'n' && (magic[1] == '+' || magic[1] == 'i') && magic[2] == (version == 1 ? '1' : '2') &&
           magic[3] == 0;
}

/* ANALYZE 7.5 (the struct dsr of dbh.h): the header is a file of 348 bytes, or `extents` and `regular` say it is one.
 */
static bool is_analyze(const uint8_t *data, size_t size, bool big)
{
    enum { EXTENTS = 32, REGULAR = 38, DIM = 40, DATATYPE = 70, EXTENTS_VALUE = 16384 };
    int64_t dimensions = get_integer(data + DIM, 2, big), datatype = get_integer(data + DATATYPE, 2, big);
    bool marked = get_integer(data + EXTENTS, 4, big) == EXTENTS_VALUE || data[REGULAR] == 'r';
    if ((size != sizeof(header1) && !marked) || dimensions < 1 || dimensions > 7)
        return false;
    for (int64_t i = 1; i <= dimensions; i++)
        if (get_integer(data + DIM + 2 * i, 2, big) < (i <= 3 ? 1 : 0))
            return false;
    static const int known[] = {1, 2, 4, 8, 16, 32, 64, 128};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (datatype == known[i])
            return true;
    return false;
}

bool nifti_header_detect(const uint8_t *data, size_t size)
{
    unsigned version;
    bool big, pair;
    if (!identify(data, size, &version, &big) || size < nifti_header_size(data, size))
        return false;
    return has_magic(data, version, &pair) || (version == 1 && is_analyze(data, size, big));
}

enum mist_status nifti_header_read(const uint8_t *data, size_t size, struct nifti_header *header,
                                   struct mist_error *error)
{
    memset(header, 0, sizeof *header);
    if (!nifti_header_detect(data, size))
        return error_set(error, MIST_ERROR_CORRUPT, "not a NIfTI header");
    identify(data, size, &header->version, &header->big_endian);
    header->analyze = !has_magic(data, header->version, &header->pair);
    header->pair = header->pair || header->analyze;
    int64_t dimensions = integer_at(header, data, &dim_field, 0);
    if (dimensions < 1 || dimensions > 7)
        return error_set(error, MIST_ERROR_CORRUPT, "a NIfTI header with %lld dimensions", (long long)dimensions);
    header->dimensions = (unsigned)dimensions;
    for (unsigned i = 1; i < 8; i++) {
        header->dim[i] = i <= header->dimensions ? integer_at(header, data, &dim_field, i) : 1;
        if (header->analyze && i > 3 && header->dim[i] == 0)
            header->dim[i] = 1; /* as ANALYZE files have it where they have no time */
        header->pixdim[i] = real_at(header, data, &pixdim_field, i);
        if (header->dim[i] < 1)
            return error_set(error, MIST_ERROR_CORRUPT, "a NIfTI header with a size of %lld in dimension %u",
                             (long long)header->dim[i], i);
    }
    header->pixdim[0] = real_at(header, data, &pixdim_field, 0);
    int64_t unit = integer_at(header, data, &units_field, 0) & 7; /* XYZT_TO_SPACE() */
    header->unit = unit == NIFTI_UNITS_METER ? 1000 : unit == NIFTI_UNITS_MICRON ? 0.001 : 1;
    header->datatype = (int)integer_at(header, data, &datatype_field, 0);
    header->bits = header->datatype == DT_BINARY;
    header->intent = (int)integer_at(header, data, &intent_field, 0);
    double offset = header->version == 1 ? real_at(header, data, &offset_field, 0)
                                         : (double)integer_at(header, data, &offset_field, 0);
    if (header->analyze && !isfinite(offset))
        offset = 0;
    if (header->analyze) /* negative: each volume is at a multiple of it (dbh.h), which is the same for the first */
        offset = fabs(offset);
    /* In a single file the extension flag follows the header. */
    size_t least = header->pair ? 0 : nifti_header_size(data, size) + 4;
    if (!(offset >= (double)least && offset <= 0x1p40 && offset == floor(offset)))
        return error_set(error, MIST_ERROR_CORRUPT, "a NIfTI header whose data would start at byte %g", offset);
    header->data_offset = (uint64_t)offset;
    if (header->analyze) {
        header->intent = 0;
        header->unit = 1;
        return MIST_OK;
    }
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
    {DT_UINT8, MIST_U8, 1, "uint8"},          {DT_INT8, MIST_S8, 1, "int8"},
    {DT_INT16, MIST_S16, 1, "int16"},         {DT_UINT16, MIST_U16, 1, "uint16"},
    {DT_INT32, MIST_S32, 1, "int32"},         {DT_UINT32, MIST_U32, 1, "uint32"},
    {DT_FLOAT32, MIST_F32, 1, "float32"},     {DT_FLOAT64, MIST_F64, 1, "float64"},
    {DT_RGB24, MIST_U8, 3, "RGB24"},          {DT_BINARY, MIST_U8, 1, "1-bit"},
    {DT_INT64, MIST_S64, 1, "int64"},         {DT_UINT64, MIST_U64, 1, "uint64"},
    {DT_COMPLEX64, MIST_F32, 2, "complex64"}, {DT_COMPLEX128, MIST_F64, 2, "complex128"},
    {DT_COMPLEX256, 0, 0, "complex256"},      {DT_FLOAT128, 0, 0, "float128"},
    {DT_RGBA32, MIST_U8, 4, "RGBA32"},
};
enum { DATATYPES = sizeof datatypes / sizeof *datatypes };

/* What a header's intent says the file is, where that is no image; NULL where it may be one. */
static const char *refused_kind(const struct nifti_header *header)
{
    if (header->version == 2 && header->intent >= 3000 && header->intent < 3100)
        return "CIFTI: values on surfaces and in regions, not on a grid";
    if (header->intent == NIFTI_INTENT_POINTSET || header->intent == NIFTI_INTENT_TRIANGLE)
        return "a list of points or triangles";
    return NULL;
}

/*
 * The axes of planes, and in which order: columns and rows along the two longest ones, the first of equals; as the file
 * has them where such planes would be beyond the limits (a long series in the third dimension).
 */
static void choose_axes(struct nifti_header *header, size_t pixel)
{
    const int64_t *dim = header->dim + 1;
    unsigned shortest = 2;
    for (unsigned i = 2; i-- > 0;)
        if (dim[i] < dim[shortest])
            shortest = i;
    const int64_t width = dim[shortest == 0], height = dim[shortest == 2 ? 1 : 2];
    if (width > MIST_MAX_SIDE || height > MIST_MAX_SIDE || (uint64_t)(width * height) * pixel > MIST_MAX_FRAME_BYTES)
        shortest = 2;
    unsigned n = 0;
    for (unsigned i = 0; i < 3; i++)
        if (i != shortest)
            header->axes[n++] = (uint8_t)i;
    header->axes[2] = (uint8_t)shortest;
}

/* The geometry of planes from that of the file's axes. */
static void turn_geometry(const struct nifti_header *header, struct mist_geometry *geometry)
{
    const struct mist_geometry file = *geometry;
    for (unsigned k = 0; k < 3; k++) {
        geometry->spacing[k] = file.spacing[header->axes[k]];
        for (unsigned i = 0; i < 3; i++)
            geometry->affine[i][k] = file.affine[i][header->axes[k]];
    }
}

static enum mist_status set_type(const struct nifti_header *header, struct mist_image_info *info,
                                 struct mist_error *error)
{
    for (unsigned i = 0; i < DATATYPES; i++) {
        if (datatypes[i].code != header->datatype)
            continue;
        info->type = datatypes[i].type;
        info->components = datatypes[i].components;
        if (info->components == 0)
            return error_set(error, MIST_ERROR_UNSUPPORTED, "NIfTI datatype %d, %s, is not encoded", header->datatype,
                             datatypes[i].name);
        return MIST_OK;
    }
    return error_set(error, MIST_ERROR_CORRUPT, "NIfTI datatype %d does not exist", header->datatype);
}

uint64_t nifti_header_bytes(const struct nifti_header *header, const struct mist_image_info *info)
{
    const uint64_t samples = mist_frame_bytes(info->type, info->width, info->height, info->components);
    return header->bits ? (samples * info->frames + 7) / 8 : samples * info->frames;
}

enum mist_status nifti_header_info(struct nifti_header *header, struct mist_image_info *info, struct mist_error *error)
{
    memset(info, 0, sizeof *info);
    const char *kind = refused_kind(header);
    if (kind)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "no image but %s", kind);
    enum mist_status status = set_type(header, info, error);
    if (status)
        return status;
    choose_axes(header, mist_sample_size(info->type) * info->components);
    uint64_t frames = (uint64_t)header->dim[header->axes[2] + 1];
    for (unsigned i = 4; i < 8 && frames <= MIST_MAX_FRAMES; i++)
        frames = (uint64_t)header->dim[i] > MIST_MAX_FRAMES ? UINT64_MAX : frames * (uint64_t)header->dim[i];
    if (frames > MIST_MAX_FRAMES)
        return error_set(error, MIST_ERROR_LIMIT, "more than %u planes", MIST_MAX_FRAMES);
    const int64_t width = header->dim[header->axes[0] + 1], height = header->dim[header->axes[1] + 1];
    if (width > MIST_MAX_SIDE || height > MIST_MAX_SIDE)
        return error_set(error, MIST_ERROR_LIMIT, "planes of %lld x %lld voxels are beyond the limits",
                         (long long)width, (long long)height);
    info->precision = (unsigned)(8 * mist_sample_size(info->type));
    info->width = (uint32_t)width;
    info->height = (uint32_t)height;
    info->frames = (uint32_t)frames;
    info->slices = (uint32_t)header->dim[header->axes[2] + 1];
    memcpy(info->axes, header->axes, sizeof info->axes);
    info->label = header->intent == NIFTI_INTENT_LABEL || header->intent == NIFTI_INTENT_NEURONAME || header->bits;
    set_geometry(header, &info->geometry);
    turn_geometry(header, &info->geometry);
    if (!mist_frame_bytes(info->type, info->width, info->height, info->components))
        return error_set(error, MIST_ERROR_LIMIT, "planes of %u x %u voxels are beyond the limits", info->width,
                         info->height);
    return MIST_OK;
}

void nifti_header_resize(struct nifti_header *header, unsigned axis, uint32_t size, double factor, double shift)
{
    double rotation[3][3];
    rotation_of(header, rotation);
    for (int i = 0; i < 3; i++) {
        header->srow[i][3] += shift * header->srow[i][axis];
        header->qoffset[i] += shift * rotation[i][axis] * fabs(header->pixdim[axis + 1]);
        header->srow[i][axis] *= factor;
    }
    header->pixdim[axis + 1] *= factor;
    header->dim[axis + 1] = size;
}

void nifti_header_store_geometry(const struct nifti_header *header, uint8_t *data)
{
    for (unsigned i = 1; i <= 3; i++) {
        if (i > header->dimensions && header->dim[i] > 1) /* a line has become a plane */
            store_integer(header, data, &dim_field, 0, i);
        if (i <= header->dimensions || header->dim[i] > 1)
            store_integer(header, data, &dim_field, i, header->dim[i]);
        store_real(header, data, &pixdim_field, i, header->pixdim[i]);
    }
    for (unsigned i = 0; i < 3 && !header->analyze; i++) {
        store_real(header, data, &qoffset_fields[i], 0, header->qoffset[i]);
        for (unsigned k = 0; k < 4; k++)
            store_real(header, data, &srow_fields[i], k, header->srow[i][k]);
    }
}

bool nifti_header_join(struct nifti_header *header, struct mist_buffer *buffer)
{
    const bool large = header->version == 2;
    const size_t size = large ? sizeof(header2) : sizeof(header1);
    buffer->size = size;
    if (!buffer_append_zeros(buffer, 4))
        return false;
    uint8_t *data = buffer->data;
    if (header->analyze) { /* names, dates and counts that NIfTI has other fields at the place of */
        memset(data + 4, 0, 36);
        memset(data + 56, 0, 14);
        memset(data + 120, 0, 228);
        store_integer(header, data, &units_field, 0, NIFTI_UNITS_MM);
        if (!isfinite(real_at(header, data, &slope_field, 0)))
            store_real(header, data, &slope_field, 0, 0);
        store_real(header, data, &inter_field, 0, 0);
        store_real(header, data, &pixdim_field, 0, 1);
        for (unsigned i = header->dimensions; i < 7; i++)
            store_integer(header, data, &dim_field, i + 1, 1);
        for (unsigned i = 1; i <= header->dimensions; i++)
            store_integer(header, data, &dim_field, i, header->dim[i]);
    }
    memcpy((uint8_t *)(uintptr_t)magic_of(data, header->version), large ? "n+2\0\r\n\032\n" : "n+1", large ? 8 : 4);
    if (large)
        store_integer(header, data, &offset_field, 0, (int64_t)buffer->size);
    else
        store_real(header, data, &offset_field, 0, (double)buffer->size);
    header->data_offset = buffer->size;
    header->analyze = false;
    return true;
}

/* ---- a header for images that have none ---- */

static int datatype_of(const struct mist_image_info *info)
{
    for (unsigned i = 0; i < DATATYPES; i++)
        if (datatypes[i].components == info->components && datatypes[i].type == info->type)
            return datatypes[i].code;
    return 0;
}

/* The rotation nearest to the affine's directions: columns made orthogonal, the first one kept. */
static void orthogonal(const struct mist_geometry *geometry, double rotation[3][3])
{
    for (unsigned k = 0; k < 3; k++) {
        double column[3] = {geometry->affine[0][k], geometry->affine[1][k], geometry->affine[2][k]};
        for (unsigned before = 0; before < k; before++) {
            double part = 0;
            for (unsigned i = 0; i < 3; i++)
                part += column[i] * rotation[i][before];
            for (unsigned i = 0; i < 3; i++)
                column[i] -= part * rotation[i][before];
        }
        double length = sqrt(column[0] * column[0] + column[1] * column[1] + column[2] * column[2]);
        for (unsigned i = 0; i < 3; i++)
            rotation[i][k] = length > 0 ? column[i] / length : i == k;
    }
}

/* The quaternion of a rotation (nifti1.h, "QUATERNION REPRESENTATION"); returns qfac. */
static double quaternion_of(const struct mist_geometry *geometry, double quatern[3])
{
    double r[3][3];
    orthogonal(geometry, r);
    double determinant = r[0][0] * (r[1][1] * r[2][2] - r[1][2] * r[2][1]) -
                         r[0][1] * (r[1][0] * r[2][2] - r[1][2] * r[2][0]) +
                         r[0][2] * (r[1][0] * r[2][1] - r[1][1] * r[2][0]);
    double qfac = determinant < 0 ? -1 : 1;
    for (int i = 0; i < 3; i++)
        r[i][2] *= qfac;
    /* The squares of a, b, c, d: the largest one is divided by. */
    double square[4] = {1 + r[0][0] + r[1][1] + r[2][2], 1 + r[0][0] - r[1][1] - r[2][2],
                        1 - r[0][0] + r[1][1] - r[2][2], 1 - r[0][0] - r[1][1] + r[2][2]};
    int largest = 0;
    for (int i = 1; i < 4; i++)
        if (square[i] > square[largest] + 1e-9)
            largest = i;
    double four = 2 * sqrt(square[largest]);
    double q[4][4] = {{four / 4, (r[2][1] - r[1][2]) / four, (r[0][2] - r[2][0]) / four, (r[1][0] - r[0][1]) / four},
                      {(r[2][1] - r[1][2]) / four, four / 4, (r[0][1] + r[1][0]) / four, (r[0][2] + r[2][0]) / four},
                      {(r[0][2] - r[2][0]) / four, (r[0][1] + r[1][0]) / four, four / 4, (r[1][2] + r[2][1]) / four},
                      {(r[1][0] - r[0][1]) / four, (r[0][2] + r[2][0]) / four, (r[1][2] + r[2][1]) / four, four / 4}};
    for (int i = 0; i < 3; i++)
        quatern[i] = q[largest][0] < 0 ? -q[largest][i + 1] : q[largest][i + 1];
    return qfac;
}

static void store_affine(const struct nifti_header *fresh, const struct mist_geometry *geometry, uint8_t *data)
{
    double quatern[3];
    store_real(fresh, data, &pixdim_field, 0, 1);
    if (!geometry->has_affine)
        return;
    store_real(fresh, data, &pixdim_field, 0, quaternion_of(geometry, quatern));
    store_integer(fresh, data, &qform_field, 0, NIFTI_XFORM_SCANNER_ANAT);
    store_integer(fresh, data, &sform_field, 0, NIFTI_XFORM_SCANNER_ANAT);
    for (unsigned i = 0; i < 3; i++) {
        store_real(fresh, data, &quatern_fields[i], 0, quatern[i]);
        store_real(fresh, data, &qoffset_fields[i], 0, geometry->affine[i][3]);
        for (unsigned k = 0; k < 4; k++)
            store_real(fresh, data, &srow_fields[i], k, geometry->affine[i][k]);
    }
}

static void store_sizes(const struct nifti_header *fresh, const struct mist_image_info *info,
                        const struct nifti_extra *extra, uint8_t *data)
{
    const uint32_t slices = info->slices && info->frames % info->slices == 0 ? info->slices : info->frames;
    const int64_t dim[8] = {
        info->frames > slices ? 4 : 3, info->width, info->height, slices, info->frames / slices, 1, 1, 1};
    for (unsigned i = 0; i < 8; i++)
        store_integer(fresh, data, &dim_field, i, dim[i]);
    for (unsigned i = 0; i < 3; i++) {
        double spacing = i == 2 && extra->slice_distance > 0 ? extra->slice_distance : info->geometry.spacing[i];
        store_real(fresh, data, &pixdim_field, i + 1, spacing > 0 ? spacing : 1);
    }
    store_real(fresh, data, &pixdim_field, 4, extra->repetition);
}

enum mist_status nifti_header_make(const struct mist_image_info *info, const struct nifti_extra *extra,
                                   struct mist_buffer *out, struct mist_error *error)
{
    int datatype = extra->as_signed && info->type == MIST_U16 && info->components == 1 ? DT_INT16 : datatype_of(info);
    if (datatype == 0)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "NIfTI has no type for %u x %s samples", info->components,
                         mist_sample_name(info->type));
    bool large = info->width > INT16_MAX || info->height > INT16_MAX || info->frames > INT16_MAX;
    const struct nifti_header fresh = {.version = large ? 2 : 1, .big_endian = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__};
    const size_t size = (large ? sizeof(header2) : sizeof(header1)) + 4;
    size_t start = out->size;
    if (!buffer_append_zeros(out, size))
        return error_set(error, MIST_ERROR_MEMORY, "out of memory");
    uint8_t *data = out->data + start;
    put_unsigned(data, 4, fresh.big_endian, size - 4);
    memcpy((uint8_t *)(uintptr_t)magic_of(data, fresh.version), large ? "n+2\0\r\n\032\n" : "n+1", large ? 8 : 4);
    store_integer(&fresh, data, &datatype_field, 0, datatype);
    store_integer(&fresh, data, &bitpix_field, 0, (int64_t)(8 * mist_sample_size(info->type) * info->components));
    store_integer(&fresh, data, &intent_field, 0, info->label ? NIFTI_INTENT_LABEL : 0);
    store_integer(&fresh, data, &units_field, 0, NIFTI_UNITS_MM | (extra->timed ? NIFTI_UNITS_SEC : 0));
    store_integer(&fresh, data, &dim_info_field, 0, extra->dim_info);
    if (large)
        store_integer(&fresh, data, &offset_field, 0, (int64_t)size);
    else
        store_real(&fresh, data, &offset_field, 0, (double)size);
    store_real(&fresh, data, &slope_field, 0, extra->slope != 0 ? extra->slope : 1);
    store_real(&fresh, data, &inter_field, 0, extra->slope != 0 ? extra->intercept : 0);
    if (extra->about)
        memcpy(data + descrip_field.offset[large], extra->about, strnlen(extra->about, 79));
    store_sizes(&fresh, info, extra, data);
    store_affine(&fresh, &info->geometry, data);
    return MIST_OK;
}
