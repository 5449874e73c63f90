/* SPDX-License-Identifier: Apache-2.0
 *
 * Byte spans (borrowed, read only) and growing buffers (owned). The only header of base/ that
 * dkim/ includes; it brings the status classes along because growing can fail.
 *
 * A span never owns and need not be terminated; it lives as long as what it points into.
 * A buffer owns its memory. Its append functions return nothing: the first failure (no memory,
 * or more than `limit` octets) is remembered, later appends do nothing, and one buf_check at
 * the end of building tells. A secret buffer is wiped whenever memory leaves it.
 *
 * Any thread; one buffer belongs to one thread at a time.
 */
#ifndef INKAN_BASE_BYTES_H
#define INKAN_BASE_BYTES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct span {
    const char *data; /* may be NULL when len is 0 */
    size_t len;       /* octets */
};

/* A span over a string literal. */
#define SPAN_LIT(s) ((struct span){(s), sizeof(s) - 1})

struct span span_of(const char *data, size_t len);
/* A span over a terminated string, without its NUL; NULL gives an empty span. */
struct span span_str(const char *s);

bool span_equal(struct span a, struct span b);
/* Compares with A-Z folded to a-z and nothing else, whatever the locale says. */
bool span_equal_nocase(struct span a, struct span b);
bool span_has_prefix(struct span s, struct span prefix);
bool span_has_suffix_nocase(struct span s, struct span suffix);
/* Index of the first octet equal to c, or s.len when there is none. */
size_t span_find(struct span s, char c);
/* The part from `from` on, empty when from is past the end. */
struct span span_from(struct span s, size_t from);
/* The first `len` octets, or all when there are fewer. */
struct span span_head(struct span s, size_t len);
/* Without SP, HTAB, CR and LF at both ends. */
struct span span_trim(struct span s);
/* Cuts the next part up to `sep` off *rest into *part; false when *rest was used up (its data
 * is NULL then). "a,,b" gives "a", "", "b"; "" gives one empty part. */
bool span_next(struct span *rest, char sep, struct span *part);
/* Octets of the well-formed UTF-8 character at the start (RFC 3629: 1 to 4, no surrogates, no
 * overlong forms); 0 when there is none or the span is empty. */
size_t span_utf8(struct span s);
/* Whether the whole span is well-formed UTF-8; true for an empty one. */
bool span_is_utf8(struct span s);
/* True when s is decimal digits only and at most `max`, which is then in *out. */
bool span_number(struct span s, uint64_t max, uint64_t *out);
/* A heap copy with a NUL behind it, for the caller to free; NULL when memory is short. */
char *span_dup(struct span s) MUST_CHECK;

/* ASCII only, independent of the locale. */
char ascii_lower(char c);
bool ascii_alpha(char c);
bool ascii_digit(char c);
/* SP and HTAB, and nothing else (RFC 5234 WSP): what isspace says does not matter here. */
bool ascii_wsp(char c);

struct buf {
    char *data; /* not terminated; buf_cstr gives a terminated view */
    size_t len; /* octets */
    size_t cap;
    size_t limit;       /* octets the content may have; 0: no limit */
    bool secret;        /* wipe what is freed, moved or cleared */
    enum status failed; /* ST_OK, ST_TEMP (no memory) or ST_INVALID (over limit) */
};

/* An empty buffer that takes at most `limit` octets (0: no limit). */
#define BUF_INIT(max) ((struct buf){.limit = (max)})
#define BUF_SECRET(max) ((struct buf){.limit = (max), .secret = true})

void buf_append(struct buf *b, const void *data, size_t len);
void buf_append_span(struct buf *b, struct span s);
void buf_append_str(struct buf *b, const char *s);
void buf_append_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list args) PRINTF_LIKE(2, 0);
/* Room for `len` more octets at the returned place, already counted into len; NULL after a
 * failure. For callers that hand memory to a library. */
void *buf_extend(struct buf *b, size_t len);
/* Cuts the content to `len` octets; the memory stays. */
void buf_truncate(struct buf *b, size_t len);
/* ST_OK, or ST_TEMP / ST_INVALID with a text that names `what` and the limit. */
enum status buf_check(const struct buf *b, const char *what, struct err *err) MUST_CHECK;
/* The content with a NUL behind it, owned by the buffer; "" when empty or failed. */
const char *buf_cstr(struct buf *b);
/* The terminated content, now the caller's to free; the buffer is empty afterwards. NULL when
 * it had failed. Not for secret buffers. */
char *buf_take(struct buf *b);
struct span buf_span(const struct buf *b);
/* Empty again with its memory kept for the next use; forgets a failure; wipes if secret. */
void buf_reset(struct buf *b);
/* Frees (and wipes if secret). A zeroed buffer is fine. The buffer may be used again. */
void buf_clear(struct buf *b);

/* Overwrites in a way no compiler removes. */
void bytes_wipe(void *data, size_t len);

#endif
