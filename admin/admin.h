/* SPDX-License-Identifier: Apache-2.0
 *
 * One run of the command `inkan`: what was asked for on the command line, and settings, store
 * and vault, each opened when a command first needs it. Made by main, handed to every command,
 * closed by main. One thread.
 */
#ifndef INKAN_ADMIN_ADMIN_H
#define INKAN_ADMIN_ADMIN_H

#include "admin/args.h"
#include "admin/output.h"
#include "base/settings.h"
#include "dkim/domain.h"
#include "storage/store.h"
#include "storage/vault.h"

struct admin {
    const char *config; /* -c, or NULL */
    bool dry_run;       /* changes are made and taken back */
    bool yes;           /* destroying was agreed to */
    struct output output;
    char actor[128]; /* for audit events: "root (inkan)" */
    struct settings *settings;
    struct store *store;
    struct vault *vault;
};

void admin_init(struct admin *admin);
void admin_clear(struct admin *admin);

/* Each opens at the first call and gives the same again later. Faults are those of
 * settings_load, store_check and vault_open. Without -c, $INKAN_CONF and the default file
 * everything is default. */
enum status admin_settings(struct admin *admin, const struct settings **out,
                           struct err *err) MUST_CHECK;
enum status admin_store(struct admin *admin, struct store **out, struct err *err) MUST_CHECK;
enum status admin_vault(struct admin *admin, const struct vault **out, struct err *err) MUST_CHECK;

/* Does the work in one transaction, which is kept if the work says ST_OK and this is no dry run,
 * and taken back else. Gives what the work said, or what the commit did. */
typedef enum status admin_work(struct store_tx *tx, void *arg, struct err *err);
enum status admin_transaction(struct admin *admin, admin_work *work, void *arg,
                              struct err *err) MUST_CHECK;
/* A transaction of one put. */
enum status admin_put(struct admin *admin, const struct kind *kind, void *record,
                      const char *action, struct err *err) MUST_CHECK;

/* A domain from the command line in the one form; ST_INVALID names it. */
enum status admin_domain_name(const char *word, char out[DKIM_DOMAIN_SIZE],
                              struct err *err) MUST_CHECK;
/* What was named on the command line must exist: ST_NOT_FOUND becomes ST_INVALID. */
enum status admin_named(enum status status, struct err *err) MUST_CHECK;
/* ST_DENIED, with the sentence that --yes is wanted, unless it or --dry-run was given. */
enum status admin_agreed(const struct admin *admin, const char *what, struct err *err) MUST_CHECK;

/* Tells people what was done: admin_did(a, "add", "tenant %s", name) says `added tenant acme`,
 * in a dry run `would add tenant acme`. The verb is a regular one. */
void admin_did(struct admin *admin, const char *verb, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* A sentence on standard error, in either form of output; nothing unprintable gets there. */
void admin_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* Each line as such a sentence. */
void admin_warn_lines(struct span lines);

/* Reads all of standard input, or with a path that is not "-" a file, up to the buffer's limit. */
enum status admin_read(const char *path, struct buf *out, struct err *err) MUST_CHECK;

#endif
