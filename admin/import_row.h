/* SPDX-License-Identifier: Apache-2.0
 *
 * One row of a bulk import: a domain with its keys, or one key of a domain. The fields are
 *
 *     domain, tenant       must be there
 *     algorithm            of the keys to make, as in the settings; "none": no key; else the
 *                          policy of the domain counts, of the tenant, and the settings
 *     bits                 of an RSA key to make
 *     selector             of the one key of the row; without it the template of the settings
 *     private_key          PEM, instead of a key to make
 *     activate             yes or no (true or false): the keys sign at once
 *     delegate             yes or no: the domain's owner publishes CNAMEs to targets of ours
 *     reserved             yes or no: the keys sign only where a rule names their selectors
 *     status               active or suspended
 *
 * and what `inkan domain set` may change. Rows come as texts from JSON or CSV (import_source.h)
 * and are checked here as far as that goes without a store. One thread.
 */
#ifndef INKAN_ADMIN_IMPORT_ROW_H
#define INKAN_ADMIN_IMPORT_ROW_H

#include "admin/keys.h"

enum { IMPORT_FIELDS_MAX = 24 };

/* The text of each field by its number; `data` NULL: not given, as is an empty text. */
struct import_values {
    struct span texts[IMPORT_FIELDS_MAX];
};
/* The number of a field. ST_INVALID names the nearest one there is. */
enum status import_field_find(struct span name, size_t *index_out, struct err *err) MUST_CHECK;

/* Whether a field of the domain's record is also one of a row. */
bool import_row_is_setting(const struct field *field);

enum import_outcome {
    IMPORT_PENDING,
    IMPORT_ADDED,
    IMPORT_SUCCEEDED, /* added, and a key that signed for the domain retires */
    IMPORT_EXISTED,
    IMPORT_FAILED
};

struct import_row {
    int64_t line;
    struct domain domain;  /* as it is to be added */
    bool planned;          /* what the row says of its keys is enough to know which */
    struct keys_plan plan; /* of keys to make; empty with a private key */
    int64_t bits;          /* of an RSA key to make; 0: not given */
    char *selector;        /* NULL: by the template */
    struct buf pem;        /* secret; empty: keys are made */
    int algorithm;         /* the private key's must be; -1: any */
    bool activate;
    const char *seen; /* see struct keys_place; borrowed */
    bool reserved;
    bool signs_now; /* with activate: a key that is there must not have signed only once */
    struct rule *const *rules; /* that go with the key; borrowed, without their versions */
    size_t rule_count;
    struct keys_draft drafts[DKIM_ALGORITHMS];
    size_t draft_count;
    bool signs_below; /* as it stands in the store, its domain or its tenant has subdomains=yes */
    enum import_outcome outcome;
    struct err err; /* of one that failed */
};
void import_row_clear(struct import_row *row); /* wipes; the line, outcome and err stay */

/* Checks the values and makes them a row (cleared or zeroed before). ST_INVALID says what is
 * wrong; clear also then. If it is not `planned` then, import_row_plan has to follow. */
enum status import_row_read(const struct settings *settings, const struct import_values *values,
                            struct import_row *out, struct err *err) MUST_CHECK;
/* Makes the plan from a list of algorithms as in the settings, and of the bits. ST_INVALID: they do
 * not go together, or not with a selector. */
enum status import_row_plan(struct import_row *row, const char *algorithms,
                            struct err *err) MUST_CHECK;

#endif
