/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/access.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "host/reply.h"
#include "host/resolution.h"
#include "host/router.h"
#include "host/server.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum {
    MAX_FILE = 1 << 20,
    MAX_RULES = 10000,
    MAX_DATASETS = 1000, /* of a line */
    MAX_TOKEN = 4096,
    MIN_KEY = 16,
    DEFAULT_LINK_SECONDS = 3600,
    MAX_LINK_SECONDS = 7 * 86400
};

static bool sha256(const void *bytes, size_t size, uint8_t hash[ACCESS_HASH])
{
    return EVP_Digest(bytes, size, hash, NULL, EVP_sha256(), NULL) == 1;
}

/* ---- the file ---- */

static void free_rules(struct access_rule *rule, unsigned rules)
{
    for (unsigned i = 0; i < rules; i++)
        name_list_free(&rule[i].datasets);
    memory_free(rule);
}

static bool read_hash(const char *text, uint8_t hash[ACCESS_HASH])
{
    if (strlen(text) != 2 * ACCESS_HASH || strspn(text, "0123456789abcdefABCDEF") != 2 * ACCESS_HASH)
        return false;
    for (size_t i = 0; i < ACCESS_HASH; i++) {
        unsigned byte;
        sscanf(text + 2 * i, "%2x", &byte);
        hash[i] = (uint8_t)byte;
    }
    return true;
}

/* "2027-01-31": the second after that day. */
static bool read_date(const char *text, int64_t *end)
{
    struct tm day = {0};
    char *rest = strlen(text) == 10 ? strptime(text, "%Y-%m-%d", &day) : NULL;
    if (!rest || *rest || day.tm_year < 70)
        return false;
    struct tm same = day; /* which becomes another day where the month has no such one */
    *end = (int64_t)timegm(&same) + 86400;
    return same.tm_mday == day.tm_mday;
}

static const char *read_datasets(char *text, struct access_rule *rule)
{
    const char *names[MAX_DATASETS];
    unsigned count = 0;
    for (char *rest = text, *name; (name = strsep(&rest, ","));) {
        if (strcmp(name, "*") != 0 && !mist_dataset_name_is_valid(name))
            return "its first word is names of datasets with commas between, or *";
        if (count == MAX_DATASETS)
            return "it names more than 1000 datasets";
        names[count++] = name;
    }
    return name_list_copy(&rule->datasets, names, count) ? NULL : "out of memory";
}

/* NULL, or what is wrong with the line. */
static const char *read_line(char *line, struct access_rule *rule)
{
    static const char space[] = " \t\r";
    char *save, *datasets = strtok_r(line, space, &save), *hash = strtok_r(NULL, space, &save);
    char *date = strtok_r(NULL, space, &save);
    rule->end = INT64_MAX;
    if (!hash || !read_hash(hash, rule->hash))
        return "its second word is the SHA-256 of a token: 64 hexadecimal digits, as printf %s TOKEN | sha256sum "
               "prints them";
    if (date && (!read_date(date, &rule->end) || strtok_r(NULL, space, &save)))
        return "behind the SHA-256 there is nothing, or the last day as 2027-01-31";
    return read_datasets(datasets, rule);
}

/* For one more; there is room for a power of two of them. */
static bool make_room(struct access_rule **rules, unsigned count)
{
    if ((count & (count - 1)) == 0) {
        struct access_rule *grown = memory_allocate_array(count ? 2 * (size_t)count : 1, sizeof *grown);
        if (!grown)
            return false;
        if (count)
            memcpy(grown, *rules, count * sizeof *grown);
        memory_free(*rules);
        *rules = grown;
    }
    (*rules)[count] = (struct access_rule){.end = 0};
    return true;
}

static enum mist_status read_rules(const char *path, struct access_rule **rules, unsigned *count,
                                   struct mist_error *error)
{
    struct mist_buffer text = {0};
    *count = 0;
    *rules = NULL;
    enum mist_status status = file_read(path, MAX_FILE, &text, error);
    if (!status && memchr(text.data, 0, text.size))
        status = error_set(error, MIST_ERROR_ARGUMENT, "%s: it is no text", path);
    unsigned number = 0;
    for (char *rest = status ? NULL : (char *)text.data, *line; !status && (line = strsep(&rest, "\n"));) {
        number++;
        line += strspn(line, " \t\r");
        if (!*line || *line == '#')
            continue;
        if (*count == MAX_RULES) {
            status = error_set(error, MIST_ERROR_LIMIT, "%s: more than %d lines", path, MAX_RULES);
            break;
        }
        const char *wrong = make_room(rules, *count) ? read_line(line, &(*rules)[(*count)++]) : "out of memory";
        if (wrong)
            status = error_set(error, MIST_ERROR_ARGUMENT, "%s, line %u: %s", path, number, wrong);
    }
    mist_buffer_free(&text);
    if (!status && *count == 0) /* a file that was emptied by mistake would make all public */
        status = error_set(error, MIST_ERROR_ARGUMENT, "%s: no line in it names a dataset and a token", path);
    if (status) {
        free_rules(*rules, *count);
        *rules = NULL;
        *count = 0;
    }
    return status;
}

enum mist_status access_reload(struct access *access, struct mist_error *error)
{
    struct access_rule *rule;
    unsigned rules;
    if (!access->path)
        return MIST_OK;
    enum mist_status status = read_rules(access->path, &rule, &rules, error);
    if (status)
        return status;
    pthread_rwlock_wrlock(&access->lock);
    struct access_rule *old = access->rule;
    const unsigned olds = access->rules;
    access->rule = rule;
    access->rules = rules;
    pthread_rwlock_unlock(&access->lock);
    free_rules(old, olds);
    return MIST_OK;
}

static enum mist_status make_key(struct access *access, const char *path, struct mist_error *error)
{
    struct mist_buffer bytes = {0};
    if (!path)
        return RAND_bytes(access->key, sizeof access->key) == 1
                   ? MIST_OK
                   : error_set(error, MIST_ERROR_IO, "this system has no random numbers for a key");
    enum mist_status status = file_read(path, MAX_FILE, &bytes, error);
    if (!status && bytes.size < MIN_KEY)
        status = error_set(error, MIST_ERROR_ARGUMENT, "%s: a key has %d bytes or more, as head -c 32 /dev/urandom has",
                           path, MIN_KEY);
    if (!status && !sha256(bytes.data, bytes.size, access->key))
        status = error_set(error, MIST_ERROR_MEMORY, "out of memory");
    OPENSSL_cleanse(bytes.data, bytes.size);
    mist_buffer_free(&bytes);
    return status;
}

enum mist_status access_start(struct access *access, const char *path, const char *key, struct mist_error *error)
{
    *access = (struct access){.path = NULL};
    pthread_rwlock_init(&access->lock, NULL);
    if (!path)
        return MIST_OK;
    access->path = memory_copy_text(path);
    enum mist_status status =
        access->path ? make_key(access, key, error) : error_set(error, MIST_ERROR_MEMORY, "out of memory");
    return status ? status : access_reload(access, error);
}

void access_stop(struct access *access)
{
    free_rules(access->rule, access->rules);
    memory_free(access->path);
    pthread_rwlock_destroy(&access->lock);
    *access = (struct access){.path = NULL};
}

/* ---- one request ---- */

/* The hash of its token; false where it has none. */
static bool token_of(const struct request *request, uint8_t hash[ACCESS_HASH])
{
    static const char scheme[] = "Bearer";
    const char *field = request_field(request, "Authorization");
    if (!field || strncasecmp(field, scheme, sizeof scheme - 1) != 0 || field[sizeof scheme - 1] != ' ')
        return false;
    const char *token = field + sizeof scheme;
    token += strspn(token, " ");
    const size_t length = strlen(token);
    return length > 0 && length <= MAX_TOKEN && sha256(token, length, hash);
}

/* The rules that name the dataset: *is_private, whether there are some; returns whether the token is one of theirs. */
static bool token_opens(struct request *request, const char *dataset, bool *is_private)
{
    struct access *access = &request->host->access;
    uint8_t hash[ACCESS_HASH];
    const bool has = token_of(request, hash);
    const int64_t now = (int64_t)time(NULL);
    bool opens = false;
    *is_private = false;
    pthread_rwlock_rdlock(&access->lock);
    for (unsigned i = 0; i < access->rules; i++) {
        const struct access_rule *rule = &access->rule[i];
        if (!name_list_has(&rule->datasets, dataset) && !name_list_has(&rule->datasets, "*"))
            continue;
        *is_private = true;
        opens = opens || (has && now < rule->end && CRYPTO_memcmp(hash, rule->hash, sizeof hash) == 0);
    }
    pthread_rwlock_unlock(&access->lock);
    return opens;
}

/* "END.HEX": until which second since 1970, and the HMAC-SHA256 (RFC 2104) of "DATASET\nEND". */
static bool make_link(const struct access *access, const char *dataset, uint64_t end, char link[ACCESS_LINK_SIZE])
{
    char text[MIST_DATASET_NAME_MAX + 32];
    uint8_t code[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    int length = snprintf(text, sizeof text, "%s\n%" PRIu64, dataset, end);
    if (!HMAC(EVP_sha256(), access->key, sizeof access->key, (const uint8_t *)text, (size_t)length, code, &size))
        return false;
    int at = snprintf(link, ACCESS_LINK_SIZE, "%" PRIu64 ".", end);
    for (unsigned i = 0; i < size && at < ACCESS_LINK_SIZE - 2; i++)
        at += snprintf(link + at, ACCESS_LINK_SIZE - (size_t)at, "%02x", code[i]);
    return true;
}

static bool link_opens(const struct request *request, const char *dataset)
{
    char digits[24], link[ACCESS_LINK_SIZE];
    uint64_t end;
    const size_t length = request->link ? strcspn(request->link, ".") : 0;
    if (length == 0 || length >= sizeof digits)
        return false;
    memcpy(digits, request->link, length);
    digits[length] = '\0';
    return parse_unsigned(digits, INT64_MAX, &end) && (uint64_t)time(NULL) < end &&
           make_link(&request->host->access, dataset, end, link) && strlen(link) == strlen(request->link) &&
           CRYPTO_memcmp(link, request->link, strlen(link)) == 0;
}

void access_take_link(struct request *request)
{
    struct target *target = &request->target;
    for (unsigned i = 0; request->host->access.path && i < target->parameters; i++)
        if (strcmp(target->parameter[i].name, "access") == 0) {
            request->link = target->parameter[i].value;
            target->parameters--;
            memmove(&target->parameter[i], &target->parameter[i + 1],
                    (target->parameters - i) * sizeof *target->parameter);
            return;
        }
}

bool access_allows(struct request *request, const char *dataset)
{
    bool is_private;
    if (!request->host->access.path)
        return true;
    return token_opens(request, dataset, &is_private) || !is_private || link_opens(request, dataset);
}

void access_refuse(struct request *request, struct worker *worker)
{
    const bool tried = request->link || request_field(request, "Authorization");
    (void)worker;
    reply_error(request, MHD_HTTP_UNAUTHORIZED, "the dataset %s is not public: %s", request->dataset,
                request->link ? "this link has ended, or is of another dataset or host"
                : tried       ? "this token does not open it"
                              : "a token is needed (Authorization: Bearer; mist get reads MIST_TOKEN)");
    if (request->response)
        MHD_add_response_header(request->response, "WWW-Authenticate",
                                tried ? "Bearer realm=\"mist\", error=\"invalid_token\"" : "Bearer realm=\"mist\"");
}

/* ---- DICOMweb, whose paths name no dataset ---- */

struct hidden {
    struct request *request;
    const char *names[MAX_DATASETS];
    struct mist_buffer texts;
    size_t offset[MAX_DATASETS];
    unsigned count;
};

static enum mist_status look_at_dataset(void *context, const struct mist_dataset_info *info, struct mist_error *error)
{
    struct hidden *hidden = context;
    if (access_allows(hidden->request, info->name))
        return MIST_OK;
    if (hidden->count == MAX_DATASETS)
        return error_set(error, MIST_ERROR_LIMIT, "more than %d private datasets are in this store", MAX_DATASETS);
    hidden->offset[hidden->count++] = hidden->texts.size;
    return buffer_append(&hidden->texts, info->name, strlen(info->name) + 1)
               ? MIST_OK
               : error_set(error, MIST_ERROR_MEMORY, "a list of datasets: out of memory");
}

bool access_find_hidden(struct request *request)
{
    struct mist_host *host = request->host;
    struct mist_error error = {0};
    name_list_free(&request->hidden);
    if (!host->access.path) {
        if (name_list_copy(&request->hidden, (const char *const *)host->no_dicom_web.name, host->no_dicom_web.count))
            return true;
        reply_failure(request, &(struct mist_error){MIST_ERROR_MEMORY, "out of memory"});
        return false;
    }
    struct hidden *hidden = memory_allocate_zeroed(1, sizeof *hidden);
    enum mist_status status = hidden ? MIST_OK : error_set(&error, MIST_ERROR_MEMORY, "out of memory");
    if (!status) {
        hidden->request = request;
        status = mist_store_datasets(host->store, look_at_dataset, hidden, &error);
    }
    for (unsigned i = 0; !status && i < host->no_dicom_web.count && hidden->count < MAX_DATASETS; i++) {
        const char *name = host->no_dicom_web.name[i];
        hidden->offset[hidden->count++] = hidden->texts.size;
        if (!buffer_append(&hidden->texts, name, strlen(name) + 1))
            status = error_set(&error, MIST_ERROR_MEMORY, "out of memory");
    }
    for (unsigned i = 0; !status && i < hidden->count; i++)
        hidden->names[i] = (const char *)hidden->texts.data + hidden->offset[i];
    if (!status && !name_list_copy(&request->hidden, hidden->names, hidden->count))
        status = error_set(&error, MIST_ERROR_MEMORY, "out of memory");
    if (hidden)
        mist_buffer_free(&hidden->texts);
    memory_free(hidden);
    if (status)
        reply_failure(request, &error);
    return !status;
}

/* ---- links ---- */

void answer_link(struct request *request, struct worker *worker)
{
    const char *wish = target_parameter(&request->target, "seconds");
    uint64_t seconds = DEFAULT_LINK_SECONDS;
    char link[ACCESS_LINK_SIZE], when[32];
    struct mist_buffer text = {0};
    bool is_private;
    (void)worker;
    if (!parameters_known(request))
        return;
    const bool opens = token_opens(request, request->dataset, &is_private);
    if (wish && (!parse_unsigned(wish, MAX_LINK_SECONDS, &seconds) || seconds == 0)) {
        reply_error(request, MHD_HTTP_BAD_REQUEST, "seconds is a whole number from 1 to %d", MAX_LINK_SECONDS);
    } else if (!is_private) {
        reply_error(request, MHD_HTTP_BAD_REQUEST, "the dataset %s is public, or not there: it needs no link",
                    request->dataset);
    } else if (!opens) { /* a link makes no other that lives longer */
        access_refuse(request, worker);
    } else {
        const time_t end = time(NULL) + (time_t)seconds;
        struct tm utc;
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&end, &utc));
        if (make_link(&request->host->access, request->dataset, (uint64_t)end, link) &&
            json_put(&text, "{\"access\": \"%s\", \"until\": \"%s\"}\n", link, when))
            reply_secret(request, "application/json", &text);
        else
            reply_failure(request, &(struct mist_error){MIST_ERROR_MEMORY, "a link: out of memory"});
        mist_buffer_free(&text);
    }
}
