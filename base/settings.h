/* SPDX-License-Identifier: Apache-2.0
 *
 * The settings file: `key = value` under `[section]`, `#` comments (at the start of a line or
 * after a blank). One table in settings_table.c describes every setting (section, key, type,
 * default, range, what it is for) and feeds the reader, the defaults, `inkan conf show`, the
 * manual page and the example file. Secrets never stand in the file, only names of files.
 *
 * All errors of a file are found in one reading, each as
 * `path:line: [section] key: "value": what is wrong (what is allowed)`.
 *
 * Read once at the start by one thread; the struct is constant afterwards and may be shared.
 */
#ifndef INKAN_BASE_SETTINGS_H
#define INKAN_BASE_SETTINGS_H

#include "base/bytes.h"

enum settings_mode { MODE_SIGN, MODE_VERIFY, MODE_BOTH };
enum settings_on_error { ON_ERROR_TEMPFAIL, ON_ERROR_ACCEPT };
enum settings_log_to { LOG_TO_SYSLOG, LOG_TO_STDERR, LOG_TO_JOURNAL };
enum settings_log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };
enum settings_tenant_check { TENANT_CHECK_ENFORCE, TENANT_CHECK_LOG, TENANT_CHECK_OFF };

/* Section [ldap]. */
struct settings_ldap {
    char *bind_dn, *bind_password_file, *ca_file, *sasl_mechanism;
    struct span bind_password; /* no setting: of those who have it without a file, else empty */
    bool starttls, referrals, allow_unsealed_keys;
    char *map_filter; /* "": the directory has our own schema, and the next are not used */
    char *map_domain, *map_selector, *map_key, *map_active, *map_tenant;
};

/* Text members are never NULL ("" when not set) and are owned by the struct; lists are kept as
 * written, comma separated, and were checked when the file was read. Durations are
 * milliseconds in *_ms and seconds in *_s; sizes are octets. */
struct settings {
    struct {
        char *url;
        int64_t timeout_ms;
        int64_t connections;
    } store;
    struct {
        char *keyring;
    } vault;
    struct {
        int64_t memory;
        int64_t ttl_ms, negative_ttl_ms, stale_ttl_ms;
        char *memcached;
    } cache;
    struct {
        char *listen;
        int64_t workers; /* 0: one a core */
        char *user, *group;
        char *pid_file;
        int64_t socket_mode;
        int64_t mode; /* enum settings_mode */
        int64_t drain_ms;
    } server;
    struct {
        char *canonicalization;
        char *headers, *oversign; /* header field names, comma separated */
        int64_t expiry_s;         /* 0: no x= */
        int64_t on_store_error;   /* enum settings_on_error */
        char *author;
        char *provider_domain;
        bool software_header;
        int64_t max_header_count; /* fields of one message */
        int64_t max_header_bytes; /* octets of all of them */
    } sign;
    struct {
        char *internal_hosts;
        bool authenticated;
        char *daemon_names;
        int64_t tenant_check; /* enum settings_tenant_check */
        bool internal_is_provider;
        char *shadow; /* key=value, semicolons between */
        char *exempt;
    } trust;
    struct {
        char *authserv_id, *nameservers, *trust_anchor, *ignore_hosts;
        int64_t cache, timeout_ms, max_signatures, minimum_bits;
    } verify;
    struct {
        char *algorithms; /* rsa-sha256:2048,ed25519-sha256 */
        char *selector;
        int64_t max_age_s, soak_s, overlap_s, tombstone_s;
        int64_t check_s, retry_s;
        char *freeze; /* DATE/DATE, comma separated */
    } lifecycle;
    struct settings_ldap ldap;
    struct {
        char *nameservers, *trust_anchor, *delegation_zone, *update_server, *tsig_key_file;
        int64_t port;
        int64_t timeout_ms, ttl_s;
    } dns;
    struct {
        char *listen;
    } metrics;
    struct {
        int64_t to, format; /* enum settings_log_to, enum settings_log_format */
        char *facility;
        int64_t level; /* enum log_level */
    } log;
    int lines[96]; /* by index of the table: the line a value came from, 0: default */
    char *path;    /* the file read, NULL when there was none */
};

/* The path in force: `given` if not NULL, else $INKAN_CONF, else /etc/inkan/inkan.conf. */
const char *settings_path(const char *given);

/* Reads a file into *out (settings_free). Any number of faults is ST_INVALID: `problems` then
 * holds one sentence a line, each complete with path and line, and err the first of them.
 * `warnings` gets a sentence a line for settings that were given but have no effect in this
 * build. Both buffers may be NULL. A file that cannot be read is ST_INVALID too. With a path
 * of NULL everything is default. */
enum status settings_load(const char *path, struct buf *problems, struct buf *warnings,
                          struct settings **out, struct err *err) MUST_CHECK;
/* Reads a text as settings_load would a file that holds it: ST_INVALID with its first fault, in
 * which it is called `name`. */
enum status settings_read(const char *name, struct span text, struct settings **out,
                          struct err *err) MUST_CHECK;
void settings_free(struct settings *settings);
/* A copy in which the settings have the values that trust.shadow gives them; NULL when it gives
 * none. Freed with settings_free. */
enum status settings_shadow(const struct settings *settings, struct settings **out,
                            struct err *err) MUST_CHECK;

/* For `conf show`, the manual and the example file: walks the table in order. */
struct settings_row {
    const char *section, *key, *allowed, *fallback, *help;
    const char *value; /* valid until the next call for the same walk */
    int line;          /* 0: default */
};
struct settings_walk {
    const struct settings *settings;
    size_t next;
    struct buf value;
};
/* False after the last row (the walk's memory is freed then; a walk left early frees it with
 * buf_clear(&walk.value)). Values are in the form the file takes: 5m, 256M, yes. */
bool settings_next(struct settings_walk *walk, struct settings_row *out);
/* Appends deploy/inkan.conf.example: every key commented out at its default, with its help. */
void settings_example(struct buf *out);
/* Appends docs/man/inkan.conf.5, made from the same table. */
void settings_manual(struct buf *out);

/* The parsers of single values, for other readers of the same forms (tenant set ...). Their error
 * text says what is wrong without repeating the value. A duration is a number with ms, s, m, h,
 * d or w behind it ("0" needs no unit), of seconds a whole number of them; a size takes K, M, G. */
enum status settings_parse_duration(struct span text, int64_t *ms_out, struct err *err) MUST_CHECK;
enum status settings_parse_seconds(struct span text, int64_t *s_out, struct err *err) MUST_CHECK;
enum status settings_parse_size(struct span text, int64_t *octets_out, struct err *err) MUST_CHECK;
enum status settings_parse_bool(struct span text, bool *out, struct err *err) MUST_CHECK;
/* Only looks: ST_INVALID for what `lifecycle.algorithms` may not be. */
enum status settings_parse_algorithms(struct span text, struct err *err) MUST_CHECK;

#endif
