/* SPDX-License-Identifier: Apache-2.0
 *
 * OpenDKIM's tables in SQL data bases and directories (storage/foreign.h), for the readers of
 * opendkim/table.h. One thread.
 */
#ifndef INKAN_ADMIN_TAKEOVER_SOURCE_H
#define INKAN_ADMIN_TAKEOVER_SOURCE_H

#include "opendkim/signing.h"

enum { TAKEOVER_SOURCES = 4 };
extern const struct table_source takeover_sources[TAKEOVER_SOURCES];

/* The sources' context: what opendkim.conf says of directories, and where remarks go. */
struct takeover_context {
    const struct configuration *configuration;
    struct notes *notes;
    int64_t timeout_ms; /* of one answer */
};

#endif
