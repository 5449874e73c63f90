/* SPDX-License-Identifier: Apache-2.0
 *
 * How the keys of all domains are: how many there are in which state, and what somebody should
 * look at. Reads every key, a page at a time, and asks no DNS. One thread.
 */
#ifndef INKAN_ADMIN_ROTATION_STATUS_H
#define INKAN_ADMIN_ROTATION_STATUS_H

#include "admin/admin.h"
#include "admin/lifecycle.h"
#include "dkim/crypto.h"

enum { ROTATION_STATES = KEY_DESTROYED + 1 };

struct rotation_status {
    int64_t keys[ROTATION_STATES][DKIM_ALGORITHMS];
    int64_t oldest_active_s; /* age; 0: no key is active */
    int64_t overdue;         /* keys that have been due for more than a day */
    struct {
        char domain[DKIM_DOMAIN_SIZE], selector[DKIM_DOMAIN_SIZE];
        int64_t due_s;
    } longest; /* of these; only if there is one */
    int64_t alarms[LIFECYCLE_ALARMS];
};

/* An alarm about one key, with the sentence that says what to do. */
struct rotation_alarm {
    char *domain, *selector;
    char *alarm; /* "gone", "old", "stuck" */
    char *advice;
};
extern const struct kind rotation_alarm_kind; /* for output; not of a store */

/* Anything but ST_OK ends the look with that status. */
typedef enum status rotation_alarmed(void *arg, const struct rotation_alarm *alarm,
                                     struct err *err);
enum status rotation_look(struct admin *admin, rotation_alarmed *alarmed, void *arg,
                          struct rotation_status *out, struct err *err) MUST_CHECK;

/* "gone", for a metric's label. */
const char *rotation_alarm_name(enum lifecycle_alarm alarm);

#endif
