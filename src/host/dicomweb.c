/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/dicomweb.h"

#include "host/reply.h"
#include "host/resolution.h"
#include "host/router.h"

/* The parameter `reduce` is the same as the path's. */
static bool take_reduce(struct request *request, struct dicomweb_target *target)
{
    const char *reduce = target_parameter(&request->target, "reduce");
    uint64_t number;
    if (!reduce)
        return true;
    if (!parse_unsigned(reduce, MIST_MAX_LEVELS, &number)) {
        reply_error(request, MHD_HTTP_BAD_REQUEST, "reduce is a whole number, at most %u", MIST_MAX_LEVELS);
        return false;
    }
    target->reduce = (unsigned)number;
    return true;
}

void answer_dicomweb(struct request *request, struct worker *worker)
{
    static dicomweb_answer *const answers[] = {
        [DICOMWEB_SEARCH] = dicomweb_search,      [DICOMWEB_RETRIEVE] = dicomweb_retrieve,
        [DICOMWEB_METADATA] = dicomweb_metadata,  [DICOMWEB_FRAMES] = dicomweb_frames,
        [DICOMWEB_BULKDATA] = dicomweb_bulkdata,  [DICOMWEB_RENDERED] = dicomweb_rendered,
        [DICOMWEB_THUMBNAIL] = dicomweb_rendered,
    };
    struct dicomweb_target target;
    /* The path is a part of target.text, which is the request's own. */
    char *path = request->target.text + (request->path - request->target.text);
    if (!dicomweb_target_parse(path, &target)) {
        reply_error(request, MHD_HTTP_NOT_FOUND,
                    "there is no such DICOMweb resource; docs/dicomweb.md lists what there is");
        return;
    }
    /* Frames may lie there as they are asked for: they see for themselves. */
    const bool looks = target.what == DICOMWEB_SEARCH || target.what == DICOMWEB_FRAMES;
    if (take_reduce(request, &target) && (looks || request_renders(request, worker)))
        answers[target.what](request, worker, &target);
}
