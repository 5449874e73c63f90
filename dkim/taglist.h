/* SPDX-License-Identifier: Apache-2.0
 *
 * Tag lists (RFC 6376 3.2), read strictly: no tag twice, names of letters, digits and
 * underscores starting with a letter, values without stray octets, folding white space only
 * where the grammar has it. Written folded. Spans point into the text that was parsed.
 */
#ifndef INKAN_DKIM_TAGLIST_H
#define INKAN_DKIM_TAGLIST_H

#include "base/bytes.h"

enum { DKIM_TAGS_MAX = 64 };

struct dkim_tag {
    struct span name, value; /* value: trimmed of folding white space, inner kept */
};

struct dkim_taglist {
    struct dkim_tag tags[DKIM_TAGS_MAX];
    size_t count;
};

/* ST_INVALID with what is wrong and where. */
enum status dkim_taglist_parse(struct span text, struct dkim_taglist *out,
                               struct err *err) MUST_CHECK;
/* The value of a tag (names are case-sensitive), or NULL. */
const struct span *dkim_taglist_get(const struct dkim_taglist *list, const char *name);

/* Writes `name=value;` pieces into a header field value, folding with CRLF HTAB before a line
 * passes 76 columns. `column` is where the line stands. */
struct dkim_folder {
    struct buf *out;
    size_t column;
};
void dkim_folder_init(struct dkim_folder *folder, struct buf *out, size_t column);
/* A tag whose value is not broken. */
void dkim_folder_tag(struct dkim_folder *folder, const char *name, struct span value, bool last);
/* A tag whose value may be broken anywhere (base64), or after each `separator` (h=). */
void dkim_folder_long_tag(struct dkim_folder *folder, const char *name, struct span value,
                          char separator, bool last);

#endif
