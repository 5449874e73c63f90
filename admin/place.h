/* SPDX-License-Identifier: Apache-2.0
 *
 * What the nouns rule and grant share. One thread.
 */
#ifndef INKAN_ADMIN_PLACE_H
#define INKAN_ADMIN_PLACE_H

#include "storage/rule.h"
#include "storage/store.h"

/* ST_DENIED when RULE_PLACE_MAX records of the kind are looked up by that name already: all of a
 * place are read at once. */
enum status place_check_room(struct store *store, const struct kind *kind, const char *place,
                             struct err *err) MUST_CHECK;

#endif
