/* SPDX-License-Identifier: Apache-2.0
 *
 * What a reading of OpenDKIM's files found: what is taken over, what changes its meaning, what
 * cannot be taken over, what nobody knows, and what is merely good to know, each with its file
 * and line. All are kept, for they are the report of an import; what is said twice of the same
 * line (one file may be two lists) is kept once.
 *
 * Adding cannot fail where it is done: the first failure is remembered and told by notes_check,
 * as a buffer does it (base/bytes.h). Texts are UTF-8 without control characters, whatever stood
 * in the files, and never hold a key or a password. One thread.
 */
#ifndef INKAN_OPENDKIM_NOTES_H
#define INKAN_OPENDKIM_NOTES_H

#include "base/bytes.h"

enum notes_grade {
    NOTES_TAKEN,        /* taken over as it is */
    NOTES_CHANGED,      /* taken over, but something will be different */
    NOTES_REFUSED,      /* cannot be taken over */
    NOTES_UNVERIFIABLE, /* a key that is taken over, whose signatures nobody can verify */
    NOTES_UNKNOWN,      /* not known what it is */
    NOTES_NOTICE,       /* nothing to take over, or how OpenDKIM reads it */
    NOTES_GRADES,
};

enum {
    NOTES_MAX = 2000000,   /* more are counted only */
    NOTES_TEXT_MAX = 1000, /* octets; longer ones are cut */
};

struct notes_place {
    const char *file; /* NULL: none */
    size_t line;      /* 0: none */
};

struct note {
    enum notes_grade grade;
    const char *file; /* "" for none */
    size_t line;
    const char *text;
};

struct notes;

/* NULL when memory is short. Free with notes_free. */
struct notes *notes_new(void) MUST_CHECK;
void notes_free(struct notes *notes); /* NULL is fine */

/* Without `notes` (NULL) nothing is noted. */
void notes_add(struct notes *notes, enum notes_grade grade, struct notes_place place,
               const char *fmt, ...) PRINTF_LIKE(4, 5);
/* ST_OK, or ST_TEMP when memory was too short for a note. */
enum status notes_check(const struct notes *notes, struct err *err) MUST_CHECK;

size_t notes_count(const struct notes *notes);
/* How many of that grade, with those over NOTES_MAX. */
size_t notes_count_of(const struct notes *notes, enum notes_grade grade);
/* In the order they were added; lives as long as `notes`. */
const struct note *notes_at(const struct notes *notes, size_t index);
/* "taken", "changed", "refused", "unverifiable", "unknown", "notice" */
const char *notes_grade_name(enum notes_grade grade);

#endif
