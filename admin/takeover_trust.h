/* SPDX-License-Identifier: Apache-2.0
 *
 * Who may sign, of takeover_conf.h: the lists of hosts, and the names of daemons.
 */
#ifndef INKAN_ADMIN_TAKEOVER_TRUST_H
#define INKAN_ADMIN_TAKEOVER_TRUST_H

#include "admin/takeover_conf.h"

takeover_convert takeover_trust_internal; /* InternalHosts */
takeover_convert takeover_trust_exempt;   /* PeerList */
/* MTA, and what MacroList says of {daemon_name}, which overrules it. Of the other macros of
 * MacroList nothing can be said here. */
takeover_convert takeover_trust_daemons;

#endif
