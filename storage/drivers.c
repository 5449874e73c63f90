/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/drivers.h"

#include <string.h>

#include "ldap/ldap.h"
#include "sql/postgres.h"
#include "sql/sqlite.h"

/* A driver that is not compiled in is a line that is not here. */
static const struct driver *const drivers[] = {
    &sqlite_driver,
    &postgres_driver,
    &ldap_driver,
};

enum { DRIVERS = sizeof drivers / sizeof drivers[0] };

static bool has_scheme(const struct driver *driver, struct span scheme)
{
    for (size_t i = 0; driver->schemes[i] != NULL; i++) {
        if (span_equal(scheme, span_str(driver->schemes[i])))
            return true;
    }
    return false;
}

enum status drivers_find(const char *url, const struct driver **out, struct err *err)
{
    struct span scheme = span_head(span_str(url), strcspn(url, ":"));
    struct buf known = BUF_INIT(128);
    for (size_t i = 0; i < DRIVERS; i++) {
        if (scheme.len < strlen(url) && has_scheme(drivers[i], scheme)) {
            *out = drivers[i];
            buf_clear(&known);
            return drivers[i]->check(url, err);
        }
        for (size_t k = 0; drivers[i]->schemes[k] != NULL; k++)
            buf_printf(&known, "%s%s:", known.len > 0 ? ", " : "", drivers[i]->schemes[k]);
    }
    enum status st = err_set(err, ST_INVALID, "store.url: no driver for \"%.*s:\" (allowed: %s)",
                             (int)scheme.len, scheme.data, buf_cstr(&known));
    buf_clear(&known);
    return st;
}
