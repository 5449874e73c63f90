/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether OpenDKIM calls a key file secure (RequireSafeKeys), and whether it could read it: on
 * the real path of the file, each directory and the file itself are looked at as the user that
 * OpenDKIM runs as would have to trust them. The file belongs to root or that user, others may
 * neither read nor write it, and a group that may has nobody else in it; no directory may be
 * written by others (a sticky bit does not help, so nothing below /tmp is secure), by a group
 * with anybody else in it, or by an owner who is neither root nor that user.
 *
 * Groups are asked for once. One thread: it reads the lists of users and groups.
 */
#ifndef INKAN_OPENDKIM_SAFEKEYS_H
#define INKAN_OPENDKIM_SAFEKEYS_H

#include "opendkim/files.h"

struct safekeys;

/* For the user of UserID ("name", "name:group", a number); NULL or "": whoever runs this.
 * ST_INVALID when there is no such user. Free with safekeys_free. */
enum status safekeys_new(const char *user, struct safekeys **out, struct err *err) MUST_CHECK;
void safekeys_free(struct safekeys *safekeys); /* NULL is fine */

/* ST_OK: secure; ST_DENIED: not, and why. What is above the root directory of the place does not
 * matter; but in one of its own nothing is secure unless its own /etc/passwd knows the user. */
enum status safekeys_check(struct safekeys *safekeys, const struct files_place *place,
                           struct err *err) MUST_CHECK;
/* ST_OK if the mode bits let that user read the file; ST_DENIED names what does not. */
enum status safekeys_readable(struct safekeys *safekeys, const struct files_place *place,
                              struct err *err) MUST_CHECK;

#endif
