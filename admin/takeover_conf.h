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

/* Appends a whole settings file; what of opendkim.conf cannot stand there is noted. ST_TEMP. */
enum status takeover_conf_make(const struct takeover_conf *conf, struct buf *out,
                               struct err *err) MUST_CHECK;

#endif
