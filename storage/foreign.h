/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading tables of another program: OpenDKIM's KeyTable and SigningTable where they stand in an
 * SQL data base or in a directory. What is asked for is what OpenDKIM 2.11 would ask for, and a
 * value is what it would be told; what a value means is the caller's to know. Nothing is ever
 * written, and connections are opened so that nothing can be, as far as the server knows such a
 * thing.
 *
 * A table is used by one thread at a time. Every wait for a server has a deadline. No error and no
 * note has a user name or a password of the URL in it. Memory of ours with values is wiped.
 *
 * The first part of this header is for those who read tables, the second for the readers.
 */
#ifndef INKAN_STORAGE_FOREIGN_H
#define INKAN_STORAGE_FOREIGN_H

#include "base/bytes.h"

enum { FOREIGN_VALUES_MAX = 4, FOREIGN_VALUE_MAX = 65536, FOREIGN_URL_MAX = 16384 };

struct foreign;

/* What opendkim.conf says of directories (LDAPBindUser, LDAPBindPassword, LDAPAuthMechanism,
 * LDAPAuthName, LDAPUseTLS). NULL or empty: it says nothing. */
struct foreign_ldap {
    const char *bind_user, *mechanism, *auth_name;
    struct span bind_password; /* at most 1024 octets */
    const char *ca_file;       /* of the authorities that vouch for servers; NULL: the system's */
    bool use_tls;              /* StartTLS on ldap:// */
};

/* All of it is looked at in foreign_open only. */
struct foreign_options {
    struct span url;       /* as in opendkim.conf; of directories several with blanks between */
    size_t columns;        /* how many values OpenDKIM asks this table for, at least 1 */
    int64_t timeout_ms;    /* that one answer may take: to open, of a look-up, up to the next row */
    const char *directory; /* where SQLite files without a path are; NULL: in / */
    struct foreign_ldap ldap;
};

/* The spans are the callee's only until it returns. */
struct foreign_row {
    size_t number; /* of this walk, from 1 */
    struct span key;
    /* In the order of the URL. data is NULL for one that is not there: SQL's NULL, an entry without
     * the attribute, or a URL that names fewer columns. May have any octets; OpenDKIM itself reads
     * up to the first NUL. */
    struct span values[FOREIGN_VALUES_MAX];
    bool more;         /* of a look-up: there are other rows for the key, OpenDKIM takes this one */
    bool inactive;     /* a directory has DKIMActive=FALSE there, which OpenDKIM does not ask for */
    const char *fault; /* what is wrong with this row, in which case no value is there; else NULL */
};

/* Called once a row. Anything but ST_OK ends the walk with that status. It must not use the table.
 */
typedef enum status foreign_row_reader(void *arg, const struct foreign_row *row, struct err *err);

/* Whether a data set of opendkim.conf is for a reader here. Asks nobody. */
bool foreign_knows(struct span url);
/* Connects, and looks whether there is such a table with such columns, as far as that can be known
 * without a key. ST_INVALID: the URL is wrong, or OpenDKIM itself would refuse it; ST_NOT_FOUND: no
 * such data base; ST_DENIED: the server does not let us in; ST_TEMP: it does not answer in time;
 * ST_BROKEN: something that has to be installed is not. foreign_close frees. */
enum status foreign_open(const struct foreign_options *options, struct foreign **out,
                         struct err *err) MUST_CHECK;
/* The row that OpenDKIM would find for a key. ST_NOT_FOUND: none. ST_INVALID: the data base cannot
 * compare the key (a column of numbers and a name), which OpenDKIM has a temporary fault for.
 * ST_TEMP: no answer in time, after which the table can only be closed. */
enum status foreign_look(struct foreign *table, struct span key, foreign_row_reader *read,
                         void *arg, struct err *err) MUST_CHECK;
/* All rows that look-ups can find, in the order of the server. ST_INVALID also: the rows of this
 * table can only be looked up one by one, and why. */
enum status foreign_walk(struct foreign *table, foreign_row_reader *read, void *arg,
                         struct err *err) MUST_CHECK;
/* Sentences about the table that people should know, from 0 on; NULL after the last. More may come
 * up while the table is read. */
const char *foreign_note(const struct foreign *table, size_t index);
/* NULL is fine. */
void foreign_close(struct foreign *table);

/* -- for readers -------------------------------------------------------------------------- */

enum { FOREIGN_NOTES_MAX = 16, FOREIGN_NAME_SIZE = 128 };

/* Knows some kind of table; storage/foreign.c has a list of them. The functions get what the caller
 * gave, already checked. `base` is that of the table and zeroed when `open` makes it. */
struct foreign_reader {
    const char *const *schemes; /* of its URLs, NULL-terminated */
    enum status (*open)(const struct foreign_options *options, struct foreign **out,
                        struct err *err);
    enum status (*look)(struct foreign *base, struct span key, foreign_row_reader *read, void *arg,
                        struct err *err);
    enum status (*walk)(struct foreign *base, foreign_row_reader *read, void *arg, struct err *err);
    void (*close)(struct foreign *base);
};

/* A reader's table starts with this. */
struct foreign {
    const struct foreign_reader *reader;
    char name[FOREIGN_NAME_SIZE]; /* for errors, without secrets; set by the reader */
    char *notes[FOREIGN_NOTES_MAX];
    size_t note_count;
    size_t columns;
    int64_t timeout_ms;
};

/* Adds a note, unless it is there already. */
void foreign_add_note(struct foreign *table, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Makes a row of cells: the key and the values behind it. Cells past those that were asked for are
 * left out; one that is too long makes a faulty row, whose sentence goes into `fault`. */
void foreign_make_row(const struct foreign *table, const struct span *cells, size_t count,
                      char fault[ERR_TEXT_SIZE], struct foreign_row *out);

/* A copy of the first row that a look-up found. Zero it to begin with. */
struct foreign_kept {
    char *octets[1 + FOREIGN_VALUES_MAX];
    struct span cells[1 + FOREIGN_VALUES_MAX]; /* data is NULL where it was */
    size_t count, hits;
    bool inactive; /* as in struct foreign_row */
};
/* Takes the first set of cells, and counts the others. Those too long are shortened to a length
 * that still is. ST_TEMP: no memory. */
enum status foreign_keep(struct foreign_kept *kept, const struct span *cells, size_t count,
                         struct err *err) MUST_CHECK;
/* Takes one cell of it (below `count`, which the caller sets), for those who get them one by one.
 */
enum status foreign_keep_cell(struct foreign_kept *kept, size_t index, struct span cell,
                              struct err *err) MUST_CHECK;
/* Gives the row that was kept, if any (ST_NOT_FOUND), and forgets it. */
enum status foreign_give(const struct foreign *table, struct foreign_kept *kept,
                         foreign_row_reader *read, void *arg, struct err *err) MUST_CHECK;
void foreign_forget(struct foreign_kept *kept);

#endif
