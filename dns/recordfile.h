/* SPDX-License-Identifier: Apache-2.0
 *
 * TXT records from a file, for checking signatures without DNS. Two forms of a record may stand
 * side by side: `NAME VALUE` on one line (VALUE as it is, or as quoted strings that are joined),
 * and the master-file form that dns/records.h writes, `NAME [TTL] [IN] TXT STRINGS` with
 * parentheses over several lines, escapes and `;` comments (RFC 1035 5.1). Instead of TXT either
 * may have CNAME and a name, which is followed. Lines that begin with
 * `;`, `#` or `$TTL` are passed over, and so are SOA and NS records; other directives are refused.
 * Every record states its full name; this is not a reader of zones. Commands for nsupdate are read
 * as well: `update add` stands before a record, all others are passed over. So is read whatever
 * opendkim-genkey and opendkim-genzone write, as long as they are told to write full names.
 *
 * Immutable once read: any thread.
 */
#ifndef INKAN_DNS_RECORDFILE_H
#define INKAN_DNS_RECORDFILE_H

#include "base/bytes.h"

struct recordfile;

/* Reads the content of a file. ST_INVALID names the line. Free with recordfile_free. */
enum status recordfile_parse(struct span text, struct recordfile **out, struct err *err) MUST_CHECK;
void recordfile_free(struct recordfile *file); /* NULL is fine */

/* A dkim_record_source: `file` is the struct recordfile. The case of a name and its final dot do
 * not matter. ST_NOT_FOUND: no such record; ST_INVALID: several, or too many aliases one after the
 * other. */
enum status recordfile_source(void *file, const char *name, struct buf *txt_out,
                              struct err *err) MUST_CHECK;

#endif
