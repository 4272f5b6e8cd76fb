/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DICOMweb (PS3.18): /dicom-web/... for the whole store, /dicom-web/DATASET/... for one dataset. docs/dicomweb.md says
 * what there is. Reading a path, finding the instances that it names, opening them; each kind of answer has its file.
 */
#ifndef HOST_DICOMWEB_H
#define HOST_DICOMWEB_H

#include "convert/instance.h"
#include "host/server.h"
#include "store/dicom_search.h"

enum dicomweb_what {
    DICOMWEB_SEARCH,   /* studies, series or instances: `level` */
    DICOMWEB_RETRIEVE, /* whole files */
    DICOMWEB_METADATA,
    DICOMWEB_FRAMES,   /* `rest`: "1,2,3" */
    DICOMWEB_BULKDATA, /* `rest`: eight hexadecimal digits */
    DICOMWEB_RENDERED, /* of frame `rest`, or NULL: of one that stands for what the path names */
    DICOMWEB_THUMBNAIL
};

/* What a path names. Texts are parts of the request's target, which is cut up. */
struct dicomweb_target {
    enum dicomweb_what what;
    enum dicom_level level;                /* of what is searched for */
    const char *dataset;                   /* NULL: the whole store */
    const char *study, *series, *instance; /* UIDs; NULL where the path has none */
    const char *rest;
    unsigned reduce;   /* /reduced/R/ of the path, or the parameter */
    bool reduced_path; /* the path says so */
};
/* `path` is what stands behind "/dicom-web/"; it is cut up. False: there is no such resource. */
bool dicomweb_target_parse(char *path, struct dicomweb_target *target);

/* One instance in the store: texts are offsets in the list's. */
struct dicomweb_place {
    size_t dataset, item, study, series, sop;
    uint32_t file;
};
struct dicomweb_places {
    struct dicomweb_place *place;
    size_t count, capacity;
    struct mist_buffer texts;
};
#define DICOMWEB_MAX_INSTANCES 100000u /* of one answer */

static inline const char *dicomweb_text(const struct dicomweb_places *places, size_t offset)
{
    return (const char *)places->texts.data + offset;
}
/* The instances that the path names. Answers (404 where there is none) and returns false if that fails. */
bool dicomweb_find(struct request *request, const struct dicomweb_target *target, struct dicomweb_places *places);
void dicomweb_places_free(struct dicomweb_places *places);

/* An instance that is open at the target's reduce, or, where its item has fewer levels, its smallest. */
struct dicomweb_opened {
    struct item_cache *cache;
    struct cached_item *item;
    struct instance instance;
    size_t place; /* of the item: another instance of it is selected without opening it again */
};
/* Zeroed at first; dicomweb_close() at the end, whatever is returned. */
enum mist_status dicomweb_open(struct request *request, const struct dicomweb_target *target,
                               const struct dicomweb_places *places, size_t index, struct dicomweb_opened *opened,
                               struct mist_error *error);
void dicomweb_close(struct dicomweb_opened *opened);

/* Appends "/dicom-web/DATASET/reduced/R/studies/S/series/E/instances/I", percent-encoded; what is NULL is left out. */
bool dicomweb_put_url(const struct dicomweb_target *target, const char *study, const char *series, const char *instance,
                      struct mist_buffer *out);

typedef void dicomweb_answer(struct request *request, struct worker *worker, const struct dicomweb_target *target);
dicomweb_answer dicomweb_search, dicomweb_metadata, dicomweb_bulkdata, dicomweb_frames, dicomweb_rendered,
    dicomweb_retrieve;

/* ---- media types (PS3.18, 8.7) ---- */

/* One acceptable media range. */
struct dicomweb_media {
    bool multipart;
    char type[64];   /* of a part, in lower case; any where none is said */
    char syntax[72]; /* transfer-syntax: a UID, "*", or "" */
    unsigned weight; /* 0 .. 1000 */
};
#define DICOMWEB_MAX_MEDIA 16u
/* The ranges of an Accept field or parameter, best first, equals in their order; what is malformed is passed over. */
unsigned dicomweb_media_parse(const char *accept, struct dicomweb_media media[DICOMWEB_MAX_MEDIA]);
/* What the request accepts: the parameter `accept` wins over the header field. */
unsigned dicomweb_media_of(const struct request *request, struct dicomweb_media media[DICOMWEB_MAX_MEDIA]);
/* Whether a type ("image/jpeg") is within a range. */
bool dicomweb_media_has(const struct dicomweb_media *media, const char *type);

#define DICOMWEB_EXPLICIT "1.2.840.10008.1.2.1"
#define DICOMWEB_HTJ2K "1.2.840.10008.1.2.4.201"
#define DICOMWEB_HTJ2K_RPCL "1.2.840.10008.1.2.4.202"
/* The media type of a frame in a transfer syntax (PS3.18, table 8.7.3-5). */
const char *dicomweb_media_of_syntax(const char *syntax);

/* Fixed, so that bodies are the same each time; no codestream can be told to avoid it, but 144 bits are not met by
 * chance. */
#define DICOMWEB_BOUNDARY "mist-part-7f3a9c15d2e84b60a1c7"

#endif
