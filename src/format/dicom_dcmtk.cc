// SPDX-License-Identifier: BSD-2-Clause
#include "format/dicom_dcmtk.h"

#include "base/error.h"

#include <dcmtk/dcmdata/dcistrmb.h>
#include <dcmtk/oflog/appender.h>
#include <dcmtk/oflog/oflog.h>
#include <dcmtk/oflog/spi/filter.h>

#include <cmath>

namespace log4cplus = dcmtk::log4cplus;

namespace dicom
{

// ---- the log ----

namespace
{

thread_local unsigned silent; // how many `quiet` this thread has

// Drops what a thread logs while it is silent.
class thread_filter : public log4cplus::spi::Filter
{
  public:
    log4cplus::spi::FilterResult decide(const log4cplus::spi::InternalLoggingEvent &) const override
    {
        return silent ? log4cplus::spi::DENY : log4cplus::spi::NEUTRAL;
    }
};

// Puts the filter before those of one appender, once.
void filter_appender(log4cplus::Appender &appender)
{
    log4cplus::thread::MutexGuard guard(appender.access_mutex);
    log4cplus::spi::FilterPtr first = appender.getFilter();
    if (dynamic_cast<thread_filter *>(first.get()))
        return;
    log4cplus::spi::FilterPtr ours(new thread_filter);
    ours->next = first;
    appender.setFilter(ours);
}

} // namespace

quiet::quiet()
{
    // The program may have configured its log anew since the last time.
    log4cplus::SharedAppenderPtrList appenders = log4cplus::Logger::getRoot().getAllAppenders();
    for (auto &appender : appenders)
        filter_appender(*appender);
    silent++;
}

quiet::~quiet()
{
    silent--;
}

// ---- parsing and reading ----

E_TransferSyntax syntax_of(const dicom_layout &layout)
{
    if (!layout.explicit_vr)
        return EXS_LittleEndianImplicit;
    return layout.big_endian ? EXS_BigEndianExplicit : EXS_LittleEndianExplicit;
}

enum mist_status parse_failed(const OFCondition &condition, struct mist_error *error)
{
    return error_set(error, MIST_ERROR_CORRUPT, "the DICOM header cannot be read: %s", condition.text());
}

enum mist_status parse_dataset(const uint8_t *data, const dicom_layout &layout, DcmDataset &dataset,
                               struct mist_error *error)
{
    quiet hush;
    if (!layout.explicit_vr && !dcmDataDict.isDictionaryLoaded())
        return error_set(error, MIST_ERROR_IO, "DCMTK's data dictionary is missing (DCMDICTPATH)");
    DcmInputBufferStream stream;
    stream.setBuffer(data + layout.dataset, static_cast<offile_off_t>(layout.dataset_end - layout.dataset));
    stream.setEos();
    dataset.transferInit();
    OFCondition condition = dataset.read(stream, syntax_of(layout), EGL_noChange);
    dataset.transferEnd();
    return condition.good() ? MIST_OK : parse_failed(condition, error);
}

void get_text(DcmItem &item, const DcmTagKey &tag, char *text, size_t size)
{
    OFString value;
    text[0] = '\0';
    if (item.findAndGetOFString(tag, value).bad())
        return;
    size_t length = strnlen(value.c_str(), value.length());
    while (length && value[length - 1] == ' ')
        length--;
    if (length >= size)
        return;
    memcpy(text, value.c_str(), length);
    text[length] = '\0';
}

uint32_t get_u16(DcmItem &item, const DcmTagKey &tag, uint32_t absent)
{
    Uint16 value = 0;
    return item.findAndGetUint16(tag, value).good() ? value : absent;
}

int32_t get_integer(DcmItem &item, const DcmTagKey &tag, int32_t absent)
{
    Sint32 value = absent; // of IS and SL
    Uint32 u32;
    Uint16 u16;
    Sint16 s16;
    if (item.findAndGetSint32(tag, value).good())
        return value;
    if (item.findAndGetUint32(tag, u32).good() && u32 <= INT32_MAX)
        return static_cast<int32_t>(u32);
    if (item.findAndGetUint16(tag, u16).good())
        return u16;
    return item.findAndGetSint16(tag, s16).good() ? s16 : absent;
}

bool get_numbers(DcmItem &item, const DcmTagKey &tag, double *values, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        Float64 value = 0;
        if (item.findAndGetFloat64(tag, value, i).bad() || !std::isfinite(value) ||
            std::fabs(value) > largest_coordinate)
            return false;
        values[i] = value;
    }
    return true;
}

DcmItem *functional_group(DcmItem *frame, DcmItem *shared, const DcmTagKey &tag)
{
    DcmItem *group = nullptr;
    if (frame && frame->findAndGetSequenceItem(tag, group, 0).good() && group)
        return group;
    if (shared && shared->findAndGetSequenceItem(tag, group, 0).good())
        return group;
    return nullptr;
}

bool valid_directions(const double *d)
{
    double row = d[0] * d[0] + d[1] * d[1] + d[2] * d[2], column = d[3] * d[3] + d[4] * d[4] + d[5] * d[5];
    double both = d[0] * d[3] + d[1] * d[4] + d[2] * d[5];
    return std::fabs(row - 1) < 0.02 && std::fabs(column - 1) < 0.02 && std::fabs(both) < 0.02;
}

bool get_plane(DcmItem *position, DcmItem *orientation, plane &where)
{
    return position && orientation && get_numbers(*position, DCM_ImagePositionPatient, where.position, 3) &&
           get_numbers(*orientation, DCM_ImageOrientationPatient, where.directions, 6) &&
           valid_directions(where.directions);
}

std::vector<double> grid_offsets(DcmDataset &dataset, uint32_t frames)
{
    std::vector<double> offsets;
    OFString text; // value by value DCMTK would look for each from the start
    if (frames < 2 || dataset.findAndGetOFStringArray(DCM_GridFrameOffsetVector, text).bad())
        return offsets;
    const char *at = text.c_str();
    while (offsets.size() < frames) {
        char *end;
        double offset = strtod(at, &end);
        if (end == at || !(std::fabs(offset) < largest_coordinate))
            break;
        offsets.push_back(offset);
        at = end + strspn(end, " ");
        if (*at++ != '\\')
            break;
    }
    return offsets;
}

} // namespace dicom
