/* SPDX-License-Identifier: Apache-2.0
 *
 * The data bases that sql/foreign.c can read from. A back end connects and runs a statement; what
 * the statement is, and what its rows mean, is not its business.
 */
#ifndef INKAN_SQL_FOREIGN_BACKEND_H
#define INKAN_SQL_FOREIGN_BACKEND_H

#include "sql/foreign_dsn.h"

enum { FOREIGN_CELLS_MAX = 5 };

struct foreign_link; /* a connection; each back end has its own */

struct foreign_place {
    const struct foreign_dsn *dsn; /* outlives the connection */
    const char *directory;         /* see struct foreign_options */
    int64_t timeout_ms;            /* of one answer */
};

/* Called once a row with its first columns; data is NULL for SQL's NULL. The spans are the callee's
 * until it returns. Anything but ST_OK ends the statement with that status. */
typedef enum status foreign_cells_reader(void *arg, const struct span *cells, size_t count,
                                         struct err *err);

struct foreign_statement {
    const char *text;
    const struct span *key; /* its parameter; NULL: none */
    foreign_cells_reader *read;
    void *arg;
};

struct foreign_backend {
    const char *name; /* in the URL */
    /* Appends what stands for the key in a statement. ST_INVALID: it cannot be said. */
    enum status (*append_key)(struct span key, struct buf *out, struct err *err);
    enum status (*open)(const struct foreign_place *place, struct foreign_link **out,
                        struct err *err);
    /* ST_INVALID: the data base does not take the statement; after ST_TEMP the connection is not
     * used again. */
    enum status (*run)(struct foreign_link *link, const struct foreign_statement *statement,
                       struct err *err);
    void (*close)(struct foreign_link *link);
};

extern const struct foreign_backend foreign_postgres, foreign_sqlite, foreign_mysql;

#endif
