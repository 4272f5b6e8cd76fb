/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of datasets. */
#include <mist/source.h>
#include <string.h>

bool mist_dataset_name_is_valid(const char *name)
{
    /* What the host's URLs and the store itself use. */
    static const char *const taken[] = {"v1", "dicom-web", "healthz", "metrics", "mist.sqlite"};
    size_t length = strlen(name);
    if (length == 0 || length > MIST_DATASET_NAME_MAX || name[0] == '.' ||
        strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") != length)
        return false;
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (strcmp(name, taken[i]) == 0)
            return false;
    /* The files that SQLite keeps beside its own. */
    return strncmp(name, "mist.sqlite-", 12) != 0;
}
