/* SPDX-License-Identifier: Apache-2.0
 *
 * opendkim.conf as OpenDKIM 2.11 reads it: a name and a value a line, names in any case, `#` or
 * CR end a line wherever they stand, the last line of a name is what counts, Include as if its
 * lines stood there (six files deep). Booleans are decided by their first letter (t, y, 1 or f,
 * n, 0), integers may be octal or hexadecimal, everything else is text.
 *
 * OpenDKIM does not start with a line it does not understand. Reading goes on here, so that all
 * lines are reported, and the first reason is kept in `stop`. Settings of other versions and of
 * other builds are read like any other; only their note says that Debian's 2.11 would stop.
 *
 * Immutable once read: any thread. No note holds the value of a setting that may be secret.
 */
#ifndef INKAN_OPENDKIM_CONFIGURATION_H
#define INKAN_OPENDKIM_CONFIGURATION_H

#include "opendkim/notes.h"

enum configuration_type {
    CONFIGURATION_TEXT,
    CONFIGURATION_FLAG,
    CONFIGURATION_NUMBER,
    CONFIGURATION_INCLUDE,
};

/* What becomes of a setting. */
enum configuration_fate {
    CONFIGURATION_TAKEN,     /* has a setting of the same meaning, or decides what is taken over */
    CONFIGURATION_ALONE,     /* the same, but OpenDKIM asks for it only without KeyTable */
    CONFIGURATION_CHANGED,   /* something will be different */
    CONFIGURATION_REFUSED,   /* changes what is signed, and cannot be taken over */
    CONFIGURATION_VERIFYING, /* matters only to who verifies */
    CONFIGURATION_SERVICE,   /* of the program, its log or its library; nothing to take over */
    CONFIGURATION_REMOVED,   /* of versions before 2.11, which do not start with it */
};

struct configuration_known {
    const char *name;
    enum configuration_type type;
    enum configuration_fate fate;
    bool foreign;         /* not in Debian's build of 2.11 */
    const char *fallback; /* as it would stand in the file; NULL: not set */
    const char *remark;   /* what becomes of it, for people; NULL: the fate says it all */
};

/* All that 2.11's source knows, and what earlier versions knew. */
extern const struct configuration_known configuration_table[];
extern const size_t configuration_table_count;

struct configuration_value {
    const struct configuration_known *known;
    char *text;       /* as it stands in the file */
    bool flag;        /* CONFIGURATION_FLAG */
    int64_t number;   /* CONFIGURATION_NUMBER */
    const char *file; /* lives as long as the configuration */
    size_t line;
};

struct configuration {
    struct configuration_value *list; /* in the order of reading; the last of a name counts */
    size_t count, cap;
    char **files; /* the names read */
    size_t file_count;
    char stop[ERR_TEXT_SIZE]; /* why OpenDKIM 2.11 does not start with it; "": it may */
};

/* Reads a file into a zeroed configuration, with a note for each line's fate, but for those
 * of CONFIGURATION_ALONE (opendkim/signing.h has them). ST_NOT_FOUND and the like when the first
 * file cannot be read (the text names it), ST_TEMP without memory. An included file that cannot be
 * read is a `stop`. Clear also after a failure. */
enum status configuration_read(const char *path, struct notes *notes, struct configuration *out,
                               struct err *err) MUST_CHECK;
/* As if a last line said so, of no file; for tables that are named on a command line. `name` is as
 * the table spells it. ST_INVALID: not a value for it. */
enum status configuration_set(struct configuration *configuration, const char *name,
                              const char *text, struct err *err) MUST_CHECK;
void configuration_clear(struct configuration *configuration);

/* The line that counts, or NULL. `name` is as the table spells it. */
const struct configuration_value *configuration_find(const struct configuration *configuration,
                                                     const char *name);
/* The value, else the default of 2.11; NULL when it is not set and has none. */
const char *configuration_text(const struct configuration *configuration, const char *name);
bool configuration_flag(const struct configuration *configuration, const char *name);
int64_t configuration_number(const struct configuration *configuration, const char *name);
/* Where the setting stands, for notes; no file and line 0 when it does not. */
struct notes_place configuration_place(const struct configuration *configuration, const char *name);

/* The row of a name in any case, or NULL. */
const struct configuration_known *configuration_knows(struct span name);

#endif
