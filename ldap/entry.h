/* SPDX-License-Identifier: Apache-2.0
 *
 * Records as entries of a directory. Attribute and class names are made from the tables of
 * fields: field public_key of kind key is attribute inkanKeyPublicKey of class inkanKey. Texts,
 * enums and octets stand as they are, numbers and times as integers, yes and no as TRUE and FALSE.
 *
 * Entries may have been made by other programs, so what is not there has a meaning: a number is
 * the lowest that is allowed, a text is empty, the version is 1.
 */
#ifndef INKAN_LDAP_ENTRY_H
#define INKAN_LDAP_ENTRY_H

#include "ldap/directory.h"

enum { ENTRY_NAME_SIZE = 48 };

/* The class of a kind's entries, and the attribute of a field. */
void entry_class(const struct kind *kind, char out[ENTRY_NAME_SIZE]);
void entry_attribute(const struct kind *kind, const struct field *field, char out[ENTRY_NAME_SIZE]);
/* All attributes of a kind, NULL-terminated, for a search; freed with entry_attributes_free. With
 * only_key those of the primary key. NULL without memory. */
char **entry_attributes(const struct kind *kind, bool only_key) MUST_CHECK;
void entry_attributes_free(char **attributes);

/* Appends the value of a field. False (and nothing appended): the attribute is left out. */
bool entry_value(const struct field *field, const void *record, struct buf *out);

/* Makes a zeroed record one in which nothing is there yet. */
void entry_begin(const struct kind *kind, void *record);
/* Takes the value of one attribute; those that are not of this kind are passed over. ST_BROKEN
 * names the attribute whose value is not one. */
enum status entry_take(const struct kind *kind, void *record, const char *attribute,
                       struct span value, struct err *err);
/* Both, for a whole entry. ST_BROKEN names the entry, too. */
enum status entry_read(struct directory *dir, LDAPMessage *entry, const struct kind *kind,
                       void *record, struct err *err);

/* Appends `(&(inkanKeyDomain=example.com)(inkanKeySelector=s1))`: the primary key of a record. */
void entry_filter(const struct kind *kind, const void *record, struct buf *out);
/* Appends the filter that only an entry with the record's version matches. */
void entry_version_filter(const struct kind *kind, const void *record, struct buf *out);
/* Appends the first component of the DN of a record: `inkanKeySelector=s1`. */
void entry_rdn(const struct kind *kind, const void *record, struct buf *out);

#endif
