/* SPDX-License-Identifier: Apache-2.0
 *
 * The values of a KeyTable, `domain:selector:key`, and the keys that they lead to. `%` alone as
 * the domain is the author's. A key that begins with /, ./ or ../ is a file, anything else is the
 * key itself; only in files that begin with / is each `%` replaced, by the row's domain, or by the
 * author's when the domain is `%`. Nothing may be left out, no white space is taken off, and `%`
 * in a selector means itself.
 *
 * Key material is PEM when it begins with `-----`, base64 of DER when it begins with `MII`, else
 * it is tried as DER. Keys stand in memory that is wiped by its owner, and in no error.
 */
#ifndef INKAN_OPENDKIM_KEYTABLE_H
#define INKAN_OPENDKIM_KEYTABLE_H

#include "dkim/crypto.h"
#include "opendkim/safekeys.h"
#include "opendkim/table.h"

struct keytable_entry {
    struct span domain, selector, key; /* into the value */
    bool any_domain;                   /* the domain is % */
    bool is_file;
    bool has_percent; /* the name of the file has % that are replaced */
};

/* ST_INVALID: what OpenDKIM calls corrupt; it answers 451 to mail that needs the key. */
enum status keytable_parse(struct span value, struct keytable_entry *out,
                           struct err *err) MUST_CHECK;
/* Appends the name of the file for an author's domain. */
void keytable_file(const struct keytable_entry *entry, struct span author_domain, struct buf *out);
/* Notes what is surprising in all rows; `table` is a KeyTable. */
void keytable_review(const struct table *table);

struct keytable_key {
    struct span octets;        /* as they stand in the file or the table */
    bool usable;               /* OpenDKIM can sign with it, given the right algorithm */
    bool secure;               /* RequireSafeKeys does not mind it; keys in tables are secure */
    bool found;                /* there is such a file, and the user of OpenDKIM may read it */
    char fault[ERR_TEXT_SIZE]; /* why not, of the first that is false */
    enum dkim_key_kind kind;   /* of what is usable */
    int bits;
};

struct keytable_loader;

struct keytable_options {
    const char *base; /* BaseDirectory, where ./ begins; NULL: / */
    const char *root; /* ChangeRootDirectory; NULL: none */
    const char *user; /* UserID; NULL: whoever runs this */
};

/* ST_INVALID when there is no such user. `options` is copied, what it points to is not. */
enum status keytable_loader_new(const struct keytable_options *options,
                                struct keytable_loader **out, struct err *err) MUST_CHECK;
void keytable_loader_free(struct keytable_loader *loader); /* NULL is fine */

/* The key of an entry; files are kept, so that a hundred thousand rows with one file read it once.
 * What is wrong with it stands in the key, not in the status: ST_TEMP without memory only. The
 * answer lives until the next call. */
enum status keytable_load(struct keytable_loader *loader, const struct keytable_entry *entry,
                          struct span author_domain, const struct keytable_key **out,
                          struct err *err) MUST_CHECK;
/* The same for a file named in the settings (KeyFile), which is opened before OpenDKIM leaves its
 * root directory and user behind. */
enum status keytable_load_file(struct keytable_loader *loader, const char *path,
                               const struct keytable_key **out, struct err *err) MUST_CHECK;
/* Appends where a file is that a row names, or a folder in it. */
void keytable_place(const struct keytable_loader *loader, struct span name, struct buf *out);
/* Appends the key as PEM, as dkim_key_import takes it, to a secret buffer. ST_INVALID: neither PEM
 * nor base64 of RSA. */
enum status keytable_pem(const struct keytable_key *key, struct buf *out,
                         struct err *err) MUST_CHECK;

#endif
