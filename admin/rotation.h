/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes the lives of keys go on: of every key that is due, what lifecycle_next says, and nothing
 * else. DNS is brought up to date where we may change it, and asked for many keys at once; private
 * keys are made on all cores; then each key has a transaction of its own, so that a run that is
 * killed anywhere is taken up by the next. Only due keys are read. One thread calls.
 */
#ifndef INKAN_ADMIN_ROTATION_H
#define INKAN_ADMIN_ROTATION_H

#include "admin/admin.h"
#include "admin/keys.h"

/* What was done to a key, or is due. */
struct rotation_deed {
    char *domain, *selector;
    char *state;     /* before */
    char *deed;      /* "prove", "make", "ask", "wait" ... */
    char *successor; /* the selector of the key that was made */
    char *reason;
    int64_t at; /* of "wait" */
};
extern const struct kind rotation_deed_kind; /* for output; not of a store */

struct rotation_counts {
    int64_t looked;  /* keys that were due */
    int64_t changed; /* keys whose state changed, or that got a successor */
    int64_t failed;
    int64_t asked,
        silent;   /* records that DNS was asked for, and of these those without an answer */
    bool stopped; /* by max_failures */
};

/* With `arg` of the options. */
typedef void rotation_told(void *arg, const struct rotation_deed *deed);

struct rotation_options {
    const char *tenant; /* only its domains; NULL: all */
    const char *domain; /* only its keys, and those too that are not due; NULL: all */
    int64_t limit;      /* keys whose state changes or that get a successor, at most; 0: no limit */
    int64_t max_failures; /* records that DNS showed before and says now that it does not have, and
                           * changes that could not be made */
    bool plan;            /* says what is due, and does nothing; asks no DNS */
    rotation_told *told;  /* called for each deed; for waiting only when planning */
    void *arg;
};

/* ST_OK also if single keys failed: the counts say so, and each was told. ST_CONFLICT: another run
 * is under way; ST_TEMP, ST_UNSURE: the store does not work, and what was not done is still due. */
enum status rotation_run(struct admin *admin, const struct rotation_options *options,
                         struct rotation_counts *out, struct err *err) MUST_CHECK;

/* What a domain's keys live by. */
struct rotation_policy {
    struct lifecycle_policy life;
    struct keys_plan plan;
    bool suspended; /* the domain or its tenant: nothing signs */
};
/* Its own, else its tenant's, else that of the settings. */
enum status rotation_policy(const struct settings *settings, const struct tenant *tenant,
                            const struct domain *domain, struct rotation_policy *out,
                            struct err *err) MUST_CHECK;

#endif
