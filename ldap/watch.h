/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INKAN_LDAP_WATCH_H
#define INKAN_LDAP_WATCH_H

#include "ldap/directory.h"

void watch_end(struct directory *dir);

#endif
