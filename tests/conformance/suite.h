/* SPDX-License-Identifier: Apache-2.0
 *
 * What every driver must do, as tests that only know a URL: `conformance URL [--newer COMMAND]
 * [--stop COMMAND --start COMMAND] [--hang COMMAND --resume COMMAND]
 * [--slow COMMAND --fast COMMAND] [--deaf yes] [--settings FILE]`. The store at
 * URL is there and empty (schema applied).
 */
#ifndef INKAN_TESTS_CONFORMANCE_SUITE_H
#define INKAN_TESTS_CONFORMANCE_SUITE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* wants the four before it */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "storage/keyring.h"

enum { SUITE_TIMEOUT_MS = 4000 };

extern const char *suite_url;

/* Shell commands that do to the server what happens to servers; NULL: cannot be done to this
 * kind of store. */
struct suite_commands {
    const char *newer;         /* raises the schema version by one; used last */
    const char *stop, *start;  /* at once, as a crash; and up again */
    const char *hang, *resume; /* SIGSTOP, SIGCONT */
    const char *slow, *fast;   /* commits take 900 ms whatever the time limit; no longer */
    const char *settings;      /* not a command: a settings file, for section [ldap] */
    const char *deaf;          /* not a command: the way there lets no notifications through */
};
extern struct suite_commands suite_commands;
/* At the start of a test: skips it, saying so, if there is no such command. */
void suite_need(const char *command, const char *what);
/* Runs one and fails the test if it fails. */
void suite_do(const char *command);

/* Fails the test with the error's text if `st` is not `want`. */
void suite_expect(enum status st, enum status want, const struct err *err, const char *what);
#define EXPECT(want, call)                                                                         \
    do {                                                                                           \
        struct err err = {0};                                                                      \
        suite_expect((call), (want), &err, #call);                                                 \
    } while (0)

struct store *suite_open(size_t connections, int64_t timeout_ms);
/* A name nobody used before in this run, from a counter: "t17", "d18.example". */
const char *suite_name(const char *format);
void suite_set(const struct kind *kind, void *record, const char *field, const char *value);

/* One record in a transaction of its own. */
enum status suite_put(struct store *store, const struct kind *kind, void *record,
                      const char *action, struct err *err);
/* A tenant and a domain of it with `keys` active keys, the first RSA, the second Ed25519. */
struct suite_domain {
    char tenant[64], domain[128];
};
struct suite_domain suite_add_domain(struct store *store, const struct vault *vault, int keys);
/* One more active key of the domain. */
void suite_add_key(struct store *store, const struct vault *vault, const struct suite_domain *names,
                   enum dkim_algorithm algorithm);
/* The signers for an author: of that domain, else of the nearest parent that allows subdomains.
 * ST_NOT_FOUND when there are none. */
enum status suite_signers(struct keyring *keyring, const char *domain, struct signers **out,
                          struct err *err) MUST_CHECK;
struct vault *suite_vault(void);

/* The groups. */
int suite_records(void);
int suite_transactions(void);
int suite_ahead(void);
int suite_chain(void);
int suite_moves(void);
int suite_life(void);
int suite_hot_path(void);
int suite_places(void);
int suite_keyring(void);
int suite_refreshed(void);
int suite_tiers(void);
int suite_outage(void);
int suite_schema(void);

#endif
