// SPDX-License-Identifier: BSD-2-Clause
// What the C++ files dicom*.cc share: parsing with DCMTK and reading values. No other file includes this.
#ifndef FORMAT_DICOM_DCMTK_H
#define FORMAT_DICOM_DCMTK_H

#include "format/dicom_header.h"

#include <mist/image.h>

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>

#include <vector>

namespace dicom
{

// While one exists, what DCMTK has to say in this thread is not logged: what is wrong is said by MIST's own errors.
// The log of the program, its levels, its appenders and what other threads write to them stay as they are.
class quiet
{
  public:
    quiet();
    ~quiet();
    quiet(const quiet &) = delete;
    quiet &operator=(const quiet &) = delete;
};

E_TransferSyntax syntax_of(const dicom_layout &layout);

// The attributes before the pixel data. `data` is what `layout` was read from.
enum mist_status parse_dataset(const uint8_t *data, const dicom_layout &layout, DcmDataset &dataset,
                               struct mist_error *error);
enum mist_status parse_failed(const OFCondition &condition, struct mist_error *error);

// A text of at most size - 1 characters, without padding; "" if absent or longer.
void get_text(DcmItem &item, const DcmTagKey &tag, char *text, size_t size);
uint32_t get_u16(DcmItem &item, const DcmTagKey &tag, uint32_t absent);
int32_t get_integer(DcmItem &item, const DcmTagKey &tag, int32_t absent);
// `count` finite numbers within largest_coordinate, or false: `values` may then be half filled.
bool get_numbers(DcmItem &item, const DcmTagKey &tag, double *values, unsigned count);
const double largest_coordinate = 1e7; // beyond this no coordinate, in millimetres, makes sense

// The first item of functional group `tag` of a frame, else of the shared ones; nullptr if there is none.
DcmItem *functional_group(DcmItem *frame, DcmItem *shared, const DcmTagKey &tag);

// Directions that are orthogonal unit vectors, within what rounding to text does to them.
bool valid_directions(const double *directions);

struct plane {
    double position[3];
    double directions[6];
};
// False if position or orientation is nullptr or does not say it.
bool get_plane(DcmItem *position, DcmItem *orientation, plane &where);

// RT Dose (PS3.3, C.8.8.3.2): frames lie at these offsets along the normal, relative to the first one or absolute. Of
// at most `frames` frames, none if there is only one.
std::vector<double> grid_offsets(DcmDataset &dataset, uint32_t frames);

void get_identity(DcmDataset &dataset, dicom_header &header);

// Fills `result` of a dataset with so many frames; allocates with memory_allocate().
enum mist_status get_frames(DcmDataset &dataset, uint32_t frames, dicom_frames &result, struct mist_error *error);

} // namespace dicom
#endif
