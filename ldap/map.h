/* SPDX-License-Identifier: Apache-2.0
 *
 * Directories that hold domains and keys under another schema, most often OpenDKIM's (DKIMDomain,
 * DKIMSelector, DKIMKey, DKIMActive), and are only read. The settings map_* of section [ldap] say
 * how: a filter that finds the entries of a domain, and attributes. An entry may be one key of a
 * domain that has several such entries, or the domain's own entry with the key as an attribute,
 * several keys as attribute options (`dkimKey;x-SELECTOR`).
 *
 * A domain is there if it has an entry with a key that is active. It belongs to the tenant that an
 * attribute names, or is one of its own. Of several keys the one whose selector sorts last signs,
 * which for dates is the newest. Of two entries with one domain and selector the one whose DN
 * sorts first counts. Private halves are given as they stand there; whether they may be used is
 * the vault's to say.
 */
#ifndef INKAN_LDAP_MAP_H
#define INKAN_LDAP_MAP_H

#include "ldap/directory.h"
#include "ldap/list.h"

struct settings_ldap;

/* The driver of connections to such a directory: all that writes is refused. */
extern const struct driver map_driver;
/* ST_DENIED with the sentence for that. */
enum status map_refuse(struct err *err);

/* Sets dir->map, if the settings (which outlive the connection) say so. */
enum status map_open(struct directory *dir, const struct settings_ldap *settings,
                     struct err *err) MUST_CHECK;
void map_close(struct directory *dir);

/* `lookup` of the driver interface. */
enum status map_lookup(struct driver_conn *conn, const char *const *names, size_t count,
                       struct profile *profiles, struct err *err);
/* All records of list->kind in their order, each once, keys with the states they have here. */
enum status map_collect(struct directory *dir, struct list *list, struct err *err) MUST_CHECK;
/* Of keys in their order: of those of one domain and algorithm the last stays active, the others
 * are published. */
void map_choose_active(struct list *keys);
/* Appends the filter of all entries with a key. */
void map_any_filter(const struct directory *dir, struct buf *out);
/* The attribute that names the domain of an entry; "": its DN does. */
const char *map_domain_attribute(const struct directory *dir);
/* Calls `domain` with the name of each domain of an entry, in lower case. The entry may have been
 * asked for no more than what names them. */
enum status map_domains(struct directory *dir, LDAPMessage *entry, directory_value *domain,
                        void *arg, struct err *err) MUST_CHECK;

#endif
