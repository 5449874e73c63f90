/* SPDX-License-Identifier: Apache-2.0
 *
 * The `dsn:` URLs of OpenDKIM, read as its version 2.11 reads them. Its manual has punctuation
 * written as =XX. It undoes that in the filter only, newer versions do everywhere; so elsewhere it
 * can mean either. A = that begins no such escape is refused in front of the options. Any thread;
 * only sql/foreign*.c uses it.
 */
#ifndef INKAN_SQL_FOREIGN_DSN_H
#define INKAN_SQL_FOREIGN_DSN_H

#include "base/bytes.h"

struct foreign_dsn {
    /* Terminated texts, "" for what is not there. */
    char *backend, *user, *password, *port, *host, *database;
    char *table, *keycol, *datacol;
    char *filter; /* NULL: none */
    bool escaped; /* a =XX stood in front of the options */
    bool small;   /* a =XX of the filter has letters that 2.11 reads as other digits */
};

/* `text` is what follows `dsn:`. ST_INVALID says what is wrong with it without repeating any of
 * it. foreign_dsn_clear frees, and wipes. */
enum status foreign_dsn_read(struct span text, struct foreign_dsn *out, struct err *err) MUST_CHECK;
void foreign_dsn_clear(struct foreign_dsn *dsn);

/* Put in place of each =XX what it stands for: in front of the options (dsn->escaped: there is
 * one), and in table, key and data columns. ST_INVALID: a NUL; ST_TEMP: no memory. */
enum status foreign_dsn_unescape_place(struct foreign_dsn *dsn, struct err *err) MUST_CHECK;
bool foreign_dsn_names_escaped(const struct foreign_dsn *dsn);
enum status foreign_dsn_unescape_names(struct foreign_dsn *dsn, struct err *err) MUST_CHECK;

#endif
