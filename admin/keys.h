/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys of domains: drafts made without a transaction (making one takes long), added, activated
 * and retired within one. What the verbs of `key` and `domain add` share. One thread.
 */
#ifndef INKAN_ADMIN_KEYS_H
#define INKAN_ADMIN_KEYS_H

#include "admin/admin.h"
#include "admin/delegation.h"
#include "admin/lifecycle.h"
#include "admin/rows.h"

/* Which keys a domain is to have: at most one an algorithm. */
struct keys_plan {
    struct keys_spec {
        enum dkim_algorithm algorithm;
        int bits; /* of RSA */
    } specs[DKIM_ALGORITHMS];
    size_t count;
};
/* From a list of algorithms as in the settings; bits, unless 0, for its RSA key. ST_INVALID names
 * what is wrong. */
enum status keys_plan_parse(const char *algorithms, int64_t bits, struct keys_plan *out,
                            struct err *err) MUST_CHECK;
/* From --algorithm, else what `own` says (of the domain or its tenant; NULL or "": nothing), else
 * the settings, with --bits for RSA. ST_INVALID names what is wrong. */
enum status keys_plan_of(struct admin *admin, const struct args *args, const char *own,
                         struct keys_plan *out, struct err *err) MUST_CHECK;

/* A key that is in no store yet: its record without domain and selector, and its private half. */
struct keys_draft {
    struct key key;
    struct buf secret;
};
enum status keys_generate(const struct keys_spec *spec, struct keys_draft *out,
                          struct err *err) MUST_CHECK;
/* From PEM, checked in full. */
enum status keys_import(struct span pem, struct keys_draft *out, struct err *err) MUST_CHECK;
/* Wipes. A zeroed draft is fine. */
void keys_draft_clear(struct keys_draft *draft);

struct keys_place {
    const struct vault *vault;
    const char *domain, *tenant;
    const char *delegation; /* of the domain; NULL or "": it is not delegated */
    const char *selector;   /* NULL: by the template, one that was never used */
    const char *template;
    bool activate;
    const char *seen; /* what DNS was seen to show just now, for the audit event of the activation;
                       * the draft says the same (shown, checked, ttl). NULL: it was not asked */
    bool reserved;    /* signs only where a rule names its selector */
};
/* Puts a draft into its place as a staged key, and activates it if so asked. ST_CONFLICT when the
 * selector was used before for another key (admin/past.h). In a delegated domain the place is the
 * next free slot of the algorithm, where a key may have been before; ST_CONFLICT when none is free,
 * or not the one given. */
enum status keys_add(struct store_tx *tx, const struct keys_place *place, struct keys_draft *draft,
                     struct err *err) MUST_CHECK;
/* A step of a key's life. */
struct keys_move {
    enum lifecycle_step step;
    const char *note;                      /* for its audit event; NULL: none */
    const struct lifecycle_policy *policy; /* says when the key is due next; NULL: at once */
};
/* An operator's, who knows what is in DNS. */
extern const struct keys_move keys_activate_unproven;
/* Makes the step and stores the key; with LIFECYCLE_ACTIVATE the active key of its algorithm, if
 * there is one, retires in the same transaction, and rules that name it name its successor. Keys
 * that are reserved neither succeed nor are succeeded. ST_DENIED as of lifecycle_step. */
enum status keys_step(struct store_tx *tx, const struct keys_move *move, struct key *key,
                      struct err *err) MUST_CHECK;

/* Finds the slot for a new key among the keys that its domain has of the algorithm: one that was
 * never used, else the one whose key has been destroyed and gone for longest. 0: none is free.
 * *old_out is the key that was there, or NULL. */
int keys_free_slot(const struct rows *keys, int64_t algorithm, const struct key **old_out);

/* What DNS is to show for the key; records_clear also after a failure. */
enum status keys_record(const struct key *key, struct record *out, struct err *err) MUST_CHECK;
/* The same where it is to be put: at the key's target if it has one. */
enum status keys_record_at_target(const struct key *key, struct record *out,
                                  struct err *err) MUST_CHECK;
/* The key as an object; in JSON with the record to be put into DNS as member `record`, and for one
 * of a delegated domain the CNAMEs that its owner publishes as `cnames`. */
enum status keys_show(struct output *output, const struct key *key, struct err *err) MUST_CHECK;
/* Tells people that a key was activated; that it was added (and activated), and what the owner of
 * the domain publishes for it. */
void keys_tell_active(struct admin *admin, const struct key *key);
enum status keys_tell(struct admin *admin, const struct key *key, struct err *err) MUST_CHECK;

#endif
