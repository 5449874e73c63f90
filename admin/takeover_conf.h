/* SPDX-License-Identifier: Apache-2.0
 *
 * The settings with which inkand listens and signs as an OpenDKIM did: those of the present file,
 * with what opendkim.conf says in the place of what it says itself. One thread.
 */
#ifndef INKAN_ADMIN_TAKEOVER_CONF_H
#define INKAN_ADMIN_TAKEOVER_CONF_H

#include "base/settings.h"
#include "opendkim/signing.h"

struct takeover_conf {
    const struct settings *settings;
    const struct configuration *configuration;
    struct signing *signing;
    struct notes *notes;
};

/* Appends a whole settings file, one that loads; what of opendkim.conf cannot stand there is noted,
 * and so is what the present settings say of signing and OpenDKIM does not. The user and the group
 * stay, for it is they who can open the store.
 * ST_TEMP without memory or when a table's server does not answer. */
enum status takeover_conf_make(const struct takeover_conf *conf, struct buf *out,
                               struct err *err) MUST_CHECK;

/* For those who make its values. */
struct takeover_making {
    const struct takeover_conf *conf;
    const struct settings_row *row; /* whose value is being made */
    const char *name;               /* of opendkim.conf */
    enum status status;             /* the first fault that ends it */
    struct err *err;
};
/* Appends the value that a setting is to have, by that of opendkim.conf; false: it stays as it is.
 */
typedef bool takeover_convert(struct takeover_making *making, const char *value, struct buf *out);
void takeover_conf_note(const struct takeover_conf *conf, const char *name, enum notes_grade grade,
                        const char *text);
/* ST_TEMP ends it; anything else is noted for the setting at hand, which stays as it is. */
void takeover_conf_fail(struct takeover_making *making, const struct err *err);

#endif
