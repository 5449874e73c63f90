/* SPDX-License-Identifier: Apache-2.0
 *
 * The verbs that are the same for tenants and domains: show, set, suspend, resume, all by the
 * kind's table. `name` is the record's key in the form the store keeps. One thread.
 */
#ifndef INKAN_ADMIN_RECORD_H
#define INKAN_ADMIN_RECORD_H

#include "admin/admin.h"

/* A question: ST_NOT_FOUND when there is none. */
enum status record_show(struct admin *admin, const struct kind *kind, const char *name,
                        struct err *err) MUST_CHECK;
/* Takes the words `key=value` of args from number `first` on into the record. ST_INVALID names
 * what is no settable field, with the nearest one. */
enum status record_fill(const struct kind *kind, void *record, const struct args *args,
                        size_t first, struct err *err) MUST_CHECK;
/* set NAME key=value...: the words from the second on. */
enum status record_set(struct admin *admin, const struct kind *kind, const char *name,
                       const struct args *args, struct err *err) MUST_CHECK;
/* suspend and resume; what is so already is ST_OK and says so. */
enum status record_status(struct admin *admin, const struct kind *kind, const char *name,
                          enum account_status wanted, struct err *err) MUST_CHECK;
/* Answers with a list of all that the query finds. */
enum status record_list(struct admin *admin, const struct query *query, struct err *err) MUST_CHECK;

/* The answer after a change: the record in JSON, a line by admin_did for people. */
void record_changed(struct admin *admin, const struct kind *kind, const void *record,
                    const char *verb);

#endif
