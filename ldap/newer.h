/* SPDX-License-Identifier: Apache-2.0
 *
 * Which entries are newer than those that were seen, for a server that has to be asked. Entries
 * have an entryCSN that grows with each change, so what is past the newest is new. A server that
 * has none, or does not show it to us, is asked by modifyTimestamp (RFC 4512 3.4.4), which most
 * have in whole seconds: an entry that is changed again within the second has no other time than
 * before. So the newest second, and a little before it for writes that are seen late, is asked for
 * again until it is surely over; what was changed in it is given a few times, but not for ever.
 */
#ifndef INKAN_LDAP_NEWER_H
#define INKAN_LDAP_NEWER_H

#include "ldap/directory.h"

enum { NEWER_CSN_SIZE = 64 };

struct newer {
    const char *attribute;    /* entryCSN, modifyTimestamp, or NULL: not known yet */
    char csn[NEWER_CSN_SIZE]; /* the newest entryCSN */
    int64_t second;           /* the newest modifyTimestamp, in seconds since 1970 */
    int64_t seen_ms;          /* monotonic, when that second was first seen */
    bool over;                /* nothing that is not known yet can have been changed in it */
};

/* From a while before now on, for clocks that differ. */
void newer_start(struct newer *newer);
/* Finds out by which attribute the server can be asked; one that shows neither is asked by
 * entryCSN. ST_TEMP: not now. */
enum status newer_choose(struct newer *newer, struct directory *dir, struct err *err) MUST_CHECK;
/* Appends the filter of what is new. */
void newer_filter(const struct newer *newer, struct buf *out);
/* Takes the attribute of an entry that was given; what is no such value says nothing. */
void newer_note(struct newer *newer, struct span value, int64_t now_ms);
/* All that was asked for at `sent_ms` has been given. */
void newer_done(struct newer *newer, int64_t sent_ms);

#endif
