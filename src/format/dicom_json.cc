// SPDX-License-Identifier: BSD-2-Clause
#include "format/dicom_json.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "format/dicom_dcmtk.h"

#include <dcmtk/dcmdata/dcjson.h>

#include <algorithm>
#include <sstream>

using namespace dicom;

namespace
{

bool is_binary(DcmEVR vr)
{
    return vr == EVR_OB || vr == EVR_OW || vr == EVR_OF || vr == EVR_OD || vr == EVR_OL || vr == EVR_OV ||
           vr == EVR_UN || vr == EVR_ox || vr == EVR_px || vr == EVR_lt;
}

std::string digits_of(const DcmTagKey &tag)
{
    char text[9];
    snprintf(text, sizeof text, "%04X%04X", static_cast<unsigned>(tag.getGroup()),
             static_cast<unsigned>(tag.getElement()));
    return text;
}

// "TAG":{"vr":"OW" ... without a value, or with the place where it can be had.
std::string without_value(DcmElement &element, const char *bulk)
{
    DcmVR vr(element.getVR());
    std::string text = "\"" + digits_of(element.getTag()) + "\":{\"vr\":\"" + vr.getValidVRName() + "\"";
    if (bulk)
        text += ",\"BulkDataURI\":\"" + std::string(bulk) + digits_of(element.getTag()) + "\"";
    return text + "}";
}

std::string written(DcmElement &element, const char *bulk)
{
    if (is_binary(element.ident()) && element.getLength() > DICOM_JSON_INLINE)
        return without_value(element, bulk);
    DcmJsonFormatCompact format(OFFalse);
    std::ostringstream stream;
    if (element.writeJson(stream, format).bad())
        return without_value(element, nullptr);
    const std::string text = stream.str();
    const bool number = element.ident() == EVR_IS || element.ident() == EVR_DS;
    if (number && text.find('"', text.find('[') + 1) < text.rfind(']')) // a text that is no number
        return without_value(element, nullptr);
    return text;
}

// What is not UTF-8 in spite of all becomes U+FFFD, and so do control characters that JSON does not have bare.
bool append_clean(struct mist_buffer *out, const std::string &text)
{
    bool good = true;
    for (size_t i = 0; i < text.size() && good;) {
        size_t run = i, length = 0;
        while (run < text.size() && static_cast<unsigned char>(text[run]) >= 0x20 &&
               (length = utf8_length(text.c_str() + run, text.size() - run)) > 0)
            run += length;
        good = buffer_append(out, text.data() + i, run - i);
        if (good && run < text.size()) {
            good = buffer_append(out, "\xef\xbf\xbd", 3);
            run++;
        }
        i = run;
    }
    return good;
}

enum mist_status out_of_memory(struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "out of memory for the attributes of a DICOM file");
}

// Members in ascending order.
class object_writer
{
  public:
    object_writer(const struct dicom_json_options &given, struct mist_buffer *to) : options(given), out(to)
    {
        good = buffer_append(out, "{", 1);
    }

    // The dataset's next element.
    void element(DcmElement &element)
    {
        const uint32_t tag = static_cast<uint32_t>(element.getGTag()) << 16 | element.getETag();
        more_before(tag);
        const bool replaced = next_more < options.more_count && options.more[next_more].tag == tag;
        if (!replaced && is_wanted(tag))
            put(written(element, options.bulk));
    }

    bool finish()
    {
        more_before(UINT32_MAX);
        return good && buffer_append(out, "}", 1);
    }

    bool good;

  private:
    bool is_wanted(uint32_t tag) const
    {
        return !options.only || std::binary_search(options.only, options.only + options.only_count, tag);
    }

    void more_before(uint32_t tag)
    {
        for (; next_more < options.more_count && options.more[next_more].tag < tag; next_more++) {
            const struct dicom_json_member &member = options.more[next_more];
            const DcmTagKey key(static_cast<Uint16>(member.tag >> 16), static_cast<Uint16>(member.tag & 0xffff));
            put("\"" + digits_of(key) + "\":" + member.json);
        }
    }

    void put(const std::string &text)
    {
        good = good && (first || buffer_append(out, ",", 1)) && append_clean(out, text);
        first = false;
    }

    const struct dicom_json_options &options;
    struct mist_buffer *out;
    size_t next_more = 0;
    bool first = true;
};

} // namespace

enum mist_status dicom_json(const uint8_t *data, const struct dicom_layout *layout,
                            const struct dicom_json_options *options, struct mist_buffer *out, struct mist_error *error)
try {
    quiet hush;
    DcmDataset dataset;
    enum mist_status status = parse_dataset(data, *layout, dataset, error);
    if (status)
        return status;
    dataset.convertToUTF8(); // what it cannot convert is cleaned below
    object_writer writer(*options, out);
    DcmObject *at = nullptr;
    while (writer.good && (at = dataset.nextInContainer(at)) != nullptr) {
        DcmElement *element = OFstatic_cast(DcmElement *, at);
        if (element->getETag() != 0 && element->getGTag() > 0x0002 && element->getGTag() != 0x7fe0)
            writer.element(*element);
    }
    return writer.finish() ? MIST_OK : out_of_memory(error);
} catch (...) {
    return out_of_memory(error);
}

enum mist_status dicom_json_value(const uint8_t *data, const struct dicom_layout *layout, uint32_t tag,
                                  struct mist_buffer *out, struct mist_error *error)
try {
    quiet hush;
    DcmDataset dataset;
    enum mist_status status = parse_dataset(data, *layout, dataset, error);
    if (status)
        return status;
    DcmElement *element = nullptr;
    const DcmTagKey key(static_cast<Uint16>(tag >> 16), static_cast<Uint16>(tag & 0xffff));
    if (dataset.findAndGetElement(key, element).bad() || !element || !element->isLeaf())
        return error_set(error, MIST_ERROR_NOT_FOUND, "there is no value of %08X", tag);
    const Uint32 length = element->getLength();
    if (!buffer_reserve(out, out->size + length))
        return out_of_memory(error);
    if (length && element->getPartialValue(out->data + out->size, 0, length, nullptr, EBO_LittleEndian).bad())
        return error_set(error, MIST_ERROR_CORRUPT, "the value of %08X cannot be read", tag);
    out->size += length;
    return MIST_OK;
} catch (...) {
    return out_of_memory(error);
}
