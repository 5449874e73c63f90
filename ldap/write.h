/* SPDX-License-Identifier: Apache-2.0
 *
 * What a transaction is going to do to the directory: a list of writes, each to one entry, that
 * can be put into octets and read back. Each may be done twice, or by two programs at once, with
 * the same outcome: an entry is added if it is not there, changed or removed if it still has the
 * version that it had, moved if it is still where it was with the version that it had.
 */
#ifndef INKAN_LDAP_WRITE_H
#define INKAN_LDAP_WRITE_H

#include "ldap/directory.h"

enum write_type { WRITE_ADD, WRITE_CHANGE, WRITE_REMOVE, WRITE_MOVE };

struct write_value {
    char *attribute;
    struct buf value;
    bool none; /* WRITE_CHANGE: the attribute is removed */
};

struct write {
    int type; /* enum write_type */
    char *dn;
    char *assertion;            /* the filter that the entry must match; "" for WRITE_ADD */
    struct write_value *values; /* values of one attribute follow each other; for WRITE_MOVE two,
                                 * the entry's own name (RDN) and the DN of its new parent */
    size_t count;
};

struct writes {
    struct write *list;
    size_t count;
};

/* A new write at the end of the list, with copies of the texts, to be given values. NULL without
 * memory. The pointer is good until the next. */
struct write *write_list_new(struct writes *writes, enum write_type type, const char *dn,
                             const char *assertion) MUST_CHECK;
/* Adds a value, which may be empty only if `none`. */
enum status write_value(struct write *write, const char *attribute, struct span value, bool none,
                        struct err *err) MUST_CHECK;
/* The same for a number; a write that is NULL for want of memory is ST_TEMP. */
enum status write_number(struct write *write, const char *attribute, int64_t value,
                         struct err *err) MUST_CHECK;
/* Frees all and zeroes. */
void write_list_clear(struct writes *writes);

/* Appends the list as octets (BER). */
enum status write_list_encode(const struct writes *writes, struct buf *out,
                              struct err *err) MUST_CHECK;
/* Into a list that is empty. ST_BROKEN: the octets are not such a list, or one of no writes. The
 * memory is in proportion to the octets, whatever they say. */
enum status write_list_decode(struct span octets, struct writes *out, struct err *err) MUST_CHECK;

/* Does one write. ST_CONFLICT: the entry is there already, or no longer matches the assertion. */
enum status write_once(struct directory *dir, struct write *write, struct err *err) MUST_CHECK;

/* What became of a write that may have been done before, by us or by another program. */
enum write_outcome {
    WRITE_DONE,     /* now */
    WRITE_WAS_DONE, /* before */
    WRITE_LOST,     /* the entry is not what it was, or what it stands below is gone */
    WRITE_REFUSED,  /* the server will never do it; the error says why */
};
/* ST_OK with the outcome, or the fault for which it has to be tried again (ST_TEMP). */
enum status write_again(struct directory *dir, struct write *write, enum write_outcome *out,
                        struct err *err) MUST_CHECK;
/* Takes away an entry that this WRITE_ADD has added, if it is still as it was. */
enum status write_undo(struct directory *dir, const struct write *write,
                       struct err *err) MUST_CHECK;

#endif
