/* SPDX-License-Identifier: Apache-2.0
 *
 * A message, as `sign`, `verify` and `probe` take it on standard input: with any line ends, kept
 * as it came and also in the form it has on the wire. One thread.
 */
#ifndef INKAN_ADMIN_MAIL_H
#define INKAN_ADMIN_MAIL_H

#include "admin/admin.h"
#include "dkim/fields.h"

enum { MAIL_MAX = 256 << 20 };

struct mail {
    struct buf raw;            /* as it came */
    struct buf text;           /* with CRLF line ends */
    struct dkim_fields fields; /* of text */
    struct span body;          /* of text */
    bool crlf;                 /* how the first line of raw ended */
};

/* Reads all of a file ("-": standard input) into a zeroed mail, with the settings' limits for the
 * header. ST_INVALID when it is no message. Clear with mail_clear also after a failure. */
enum status mail_read(struct admin *admin, const char *path, struct mail *out,
                      struct err *err) MUST_CHECK;
void mail_clear(struct mail *mail);

/* Appends a header field to the output with the line ends of the message; `value` is all that
 * follows the colon, with CRLF inside. */
void mail_write_field(const struct mail *mail, const char *name, struct span value,
                      struct output *output);
/* Appends a text with CRLF line ends with those of the message. */
void mail_write(const struct mail *mail, struct span text, struct output *output);

#endif
