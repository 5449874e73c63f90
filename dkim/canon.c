/* SPDX-License-Identifier: Apache-2.0
 *
 * Body canonicalization, or: why this is not a loop over octets
 * -------------------------------------------------------------
 * RFC 6376 3.4 wants four things of a body. Empty lines at its end go away (both forms). It
 * ends with CRLF unless it is empty, and in the simple form even then. In the relaxed form
 * white space at the end of a line goes away, and white space within a line becomes one SP.
 *
 * The body comes in chunks that a network cut wherever it liked, so nothing may be decided
 * that a later octet can overturn. Three things are held back until it is clear what they
 * are, and since each is fully described by a count or a flag, no octet is ever stored:
 *
 *   blank_lines  CRLFs of empty lines. They count if anything follows, else they were the end.
 *   space        white space seen on this line. It is one SP if text follows, else nothing.
 *   cr           a CR seen last. With LF it ends a line; otherwise it is text, for only CRLF
 *                is a line end here and a lone CR or LF is an octet like any other.
 *
 * The CRLF that ends a line with text is never held back: whatever follows, it stays. That is
 * what makes the held state so small. A line of white space alone is empty in the relaxed
 * form, because its space is dropped before the line is judged (3.4.4: first (a), then (b)).
 *
 * An automaton that looks at one octet at a time is easy and takes three times as long as
 * SHA-256 itself. But nearly all of a real body is canonical as it stands. So the loop in
 * dkim_canon_body_add works on runs: at the first octet of text it asks how far the body may
 * be passed on unchanged, and that scan goes across single spaces and whole lines. What ends
 * a run shows in two neighbouring octets:
 *
 *   HTAB, any            is to become SP or to vanish
 *   SP,   SP|HTAB|CR     a longer run of white space, or perhaps the end of a line
 *   CR,   not LF         a lone CR, or a CR at the end of the chunk
 *   LF,   CR             perhaps an empty line; the run goes up to and including this LF
 *
 * (CR, LF) and (LF, text) pass. Since each verdict needs only octets i and i + 1, a block of
 * 64 pairs is judged without a branch, which compilers turn into vector instructions; only a
 * mark in a block is looked at by itself. After the last octet of a chunk a CR is
 * assumed, which turns everything undecided into the end of a run. In the simple form only
 * the last two lines of the table matter, and memchr finds the CRs.
 *
 * After a run the state is told by its last octets: a run that ends in CRLF left the line
 * empty, any other left it started. A run never begins with CR, so a CR before the LF at its
 * end is always inside the run.
 */
#include "dkim/canon.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK = 64 };

static const char *const canon_names[] = {[DKIM_SIMPLE] = "simple", [DKIM_RELAXED] = "relaxed"};

static bool canon_from_name(struct span name, enum dkim_canon *out)
{
    for (enum dkim_canon canon = DKIM_SIMPLE; canon <= DKIM_RELAXED; canon++) {
        if (span_equal(name, span_str(canon_names[canon]))) {
            *out = canon;
            return true;
        }
    }
    return false;
}

enum status dkim_canon_parse(struct span text, enum dkim_canon *header, enum dkim_canon *body,
                             struct err *err)
{
    size_t slash = span_find(text, '/');

    *body = DKIM_SIMPLE;
    if (!canon_from_name(span_head(text, slash), header) ||
        (slash < text.len && !canon_from_name(span_from(text, slash + 1), body)))
        return err_set(err, ST_INVALID, "no canonicalization but simple and relaxed is known");
    return ST_OK;
}

const char *dkim_canon_name(enum dkim_canon canon)
{
    return canon_names[canon];
}

/* -- header fields ------------------------------------------------------------------------ */

static void sink_lower(struct span name, dkim_sink *sink, void *arg)
{
    char lower[64];

    while (name.len) {
        struct span part = span_head(name, sizeof lower);
        for (size_t i = 0; i < part.len; i++)
            lower[i] = ascii_lower(part.data[i]);
        sink(arg, lower, part.len);
        name = span_from(name, part.len);
    }
}

/* White space between words of an unfolded value; a line end leaves nothing (3.4.2). */
static bool is_gap(char c)
{
    return ascii_wsp(c) || c == '\r' || c == '\n';
}

void dkim_canon_field(enum dkim_canon canon, struct span field, dkim_sink *sink, void *arg)
{
    if (canon == DKIM_SIMPLE) {
        sink(arg, field.data, field.len);
        return;
    }
    size_t colon = span_find(field, ':');
    sink_lower(span_trim(span_head(field, colon)), sink, arg);
    sink(arg, ":", 1);

    struct span value = span_trim(span_from(field, colon + 1));
    for (size_t at = 0; at < value.len;) {
        size_t word = at;
        while (at < value.len && !is_gap(value.data[at]))
            at++;
        sink(arg, value.data + word, at - word);
        bool space = false;
        for (; at < value.len && is_gap(value.data[at]); at++)
            space = space || ascii_wsp(value.data[at]);
        if (space)
            sink(arg, " ", 1);
    }
}

/* -- bodies ------------------------------------------------------------------------------- */

void dkim_canon_body_init(struct dkim_canon_body *body, enum dkim_canon canon, dkim_sink *sink,
                          void *arg)
{
    *body = (struct dkim_canon_body){.canon = canon, .sink = sink, .arg = arg};
}

static inline bool is_wsp(unsigned char c)
{
    return c == ' ' || c == '\t';
}

/* The table of the essay. Bitwise operators: a block of these must not branch. */
static inline unsigned char ends_run(unsigned char c, unsigned char next)
{
    return (c == '\t') | ((c == ' ') & ((next == ' ') | (next == '\t') | (next == '\r'))) |
           ((c == '\r') & (next != '\n')) | ((c == '\n') & (next == '\r'));
}

/* How many octets of the block pass; BLOCK: all. The first mark is looked for in words. */
static size_t block_run(const unsigned char *at)
{
    unsigned char marks[BLOCK];
    uint64_t word;

    for (size_t i = 0; i < BLOCK; i++)
        marks[i] = ends_run(at[i], at[i + 1]);
    for (size_t i = 0; i < BLOCK; i += sizeof word) {
        memcpy(&word, marks + i, sizeof word);
        if (word) {
            while (!marks[i])
                i++;
            return i;
        }
    }
    return BLOCK;
}

static size_t relaxed_run(const unsigned char *at, size_t len)
{
    size_t i = 0, passed = BLOCK;

    for (; passed == BLOCK && len - i > BLOCK; i += passed)
        passed = block_run(at + i);
    /* What is left is shorter than a block. */
    while (passed == BLOCK && i < len && !ends_run(at[i], i + 1 < len ? at[i + 1] : '\r'))
        i++;
    return i < len && at[i] == '\n' ? i + 1 : i;
}

static size_t simple_run(const unsigned char *at, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        const unsigned char *cr = memchr(at + i, '\r', len - i);
        if (!cr)
            break;
        i = (size_t)(cr - at);
        if (i + 1 >= len || at[i + 1] != '\n')
            return i;
        i++;
        if (i + 1 < len && at[i + 1] == '\r')
            return i + 1;
    }
    return len;
}

static void write_held(struct dkim_canon_body *body)
{
    static const char crlfs[] = "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n";
    const size_t most = (sizeof crlfs - 1) / 2;

    while (body->blank_lines) {
        size_t lines = body->blank_lines < most ? body->blank_lines : most;
        body->sink(body->arg, crlfs, 2 * lines);
        body->blank_lines -= lines;
    }
    if (body->space)
        body->sink(body->arg, " ", 1);
    body->space = false;
}

static void write_text(struct dkim_canon_body *body, const void *data, size_t len)
{
    write_held(body);
    body->sink(body->arg, data, len);
    body->any = body->line_started = true;
}

static void end_line(struct dkim_canon_body *body)
{
    if (body->line_started)
        body->sink(body->arg, "\r\n", 2);
    else
        body->blank_lines++;
    body->line_started = body->space = false;
}

static size_t write_run(struct dkim_canon_body *body, const unsigned char *at, size_t len)
{
    size_t run = body->canon == DKIM_SIMPLE ? simple_run(at, len) : relaxed_run(at, len);

    write_text(body, at, run);
    body->line_started = !(run >= 2 && at[run - 2] == '\r' && at[run - 1] == '\n');
    return run;
}

void dkim_canon_body_add(struct dkim_canon_body *body, const void *data, size_t len)
{
    const unsigned char *at = data;

    for (size_t i = 0; i < len;) {
        if (body->cr) {
            body->cr = false;
            if (at[i] == '\n') {
                end_line(body);
                i++;
                continue;
            }
            write_text(body, "\r", 1);
        }
        if (at[i] == '\r') {
            body->cr = true;
            i++;
        } else if (body->canon == DKIM_RELAXED && is_wsp(at[i])) {
            body->space = true;
            while (i < len && is_wsp(at[i]))
                i++;
        } else {
            i += write_run(body, at + i, len - i);
        }
    }
}

void dkim_canon_body_end(struct dkim_canon_body *body)
{
    if (body->cr)
        write_text(body, "\r", 1);
    body->cr = false;
    /* 3.4.3 gives a simple body that is empty one CRLF; 3.4.4 leaves a relaxed one empty. */
    if (body->line_started || (body->canon == DKIM_SIMPLE && !body->any))
        body->sink(body->arg, "\r\n", 2);
    body->line_started = body->space = false;
    body->blank_lines = 0;
}
