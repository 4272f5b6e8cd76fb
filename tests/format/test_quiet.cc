// SPDX-License-Identifier: BSD-2-Clause
// MIST uses DCMTK, and so may the program that MIST is part of: its log goes on as it was, and MIST adds nothing to it.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/oflog/appender.h>
#include <dcmtk/oflog/oflog.h>
#include <dcmtk/oflog/spi/logevent.h>

#include <mist/picture.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

namespace log4cplus = dcmtk::log4cplus;

namespace
{

std::atomic<unsigned> ours, others;

class counter : public log4cplus::Appender
{
  public:
    ~counter() override
    {
        destructorImpl();
    }
    void close() override
    {
    }

  protected:
    void append(const log4cplus::spi::InternalLoggingEvent &event) override
    {
        (event.getLoggerName() == "program" ? ours : others)++;
    }
};

// A dataset that DCMTK has something to say about when it reads it: PixelSpacing and NumberOfFrames are no numbers.
std::string odd_file()
{
    DcmFileFormat file;
    DcmDataset &dataset = *file.getDataset();
    dataset.putAndInsertString(DCM_SOPClassUID, UID_SecondaryCaptureImageStorage);
    dataset.putAndInsertString(DCM_SOPInstanceUID, "1.2.3");
    dataset.putAndInsertString(DCM_PixelSpacing, "wide\\narrow");
    dataset.putAndInsertString(DCM_PhotometricInterpretation, "MONOCHROME2");
    dataset.putAndInsertUint16(DCM_SamplesPerPixel, 1);
    dataset.putAndInsertUint16(DCM_Rows, 8);
    dataset.putAndInsertUint16(DCM_Columns, 8);
    dataset.putAndInsertUint16(DCM_BitsAllocated, 8);
    dataset.putAndInsertString(DCM_NumberOfFrames, "1A");
    std::vector<Uint8> pixels(64);
    dataset.putAndInsertUint8Array(DCM_PixelData, pixels.data(), 64);
    std::string path = std::string(getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp") + "/mist-quiet-" +
                       std::to_string(OFStandard::getProcessID()) + ".dcm";
    if (file.saveFile(path.c_str(), EXS_LittleEndianExplicit).bad())
        exit(2);
    return path;
}

void read_often(const char *path, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        struct mist_buffer samples = {};
        struct mist_view picture;
        unsigned precision;
        if (mist_picture_read(path, 0, &samples, &picture, &precision, nullptr))
            exit(3);
        mist_buffer_free(&samples);
    }
}

} // namespace

int main()
{
    std::string path = odd_file();
    log4cplus::SharedAppenderPtr appender(new counter);
    log4cplus::Logger root = log4cplus::Logger::getRoot();
    root.removeAllAppenders();
    root.addAppender(appender);
    root.setLogLevel(OFLogger::DEBUG_LOG_LEVEL);
    OFLogger program = OFLog::getLogger("program");
    DcmFileFormat again;
    again.loadFile(path.c_str());
    unsigned loud = others; // what DCMTK says of this file while nobody keeps it quiet
    OFLOG_WARN(program, "before");
    std::thread reader(read_often, path.c_str(), 50);
    for (unsigned i = 0; i < 50; i++)
        OFLOG_WARN(program, "while MIST reads");
    reader.join();
    OFLOG_WARN(program, "after");
    bool level = root.getLogLevel() == OFLogger::DEBUG_LOG_LEVEL, quiet = others == loud;
    again.loadFile(path.c_str());
    unsigned louder = others;
    remove(path.c_str());
    printf("%u own lines of 52, %u of DCMTK before, %u after; level %s\n", ours.load(), loud, louder,
           level ? "kept" : "changed");
    return ours == 52 && loud > 0 && quiet && louder > loud && level ? 0 : 1;
}
