/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/secretfile.h"
#include "dkim/crypto.h"
#include "dkim/domain.h"
#include "dns/tsig.h"

/* -- tokens --------------------------------------------------------------------------------- */

enum token_type { TOKEN_END, TOKEN_WORD, TOKEN_MARK, TOKEN_FAULT };

struct token {
    enum token_type type;
    struct span text;  /* of a word, without its quotes */
    char mark;         /* one of { } ; */
    const char *fault; /* what is wrong */
};

struct scanner {
    struct span rest;
    size_t line;
};

static bool is_blank(char c)
{
    return ascii_wsp(c) || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

static bool is_mark(char c)
{
    return c == '{' || c == '}' || c == ';';
}

/* Takes the first `len` octets away. */
static struct span cut(struct scanner *scanner, size_t len)
{
    struct span head = span_head(scanner->rest, len);
    for (size_t i = 0; i < head.len; i++)
        scanner->line += head.data[i] == '\n';
    scanner->rest = span_from(scanner->rest, len);
    return head;
}

/* Octets up to and with the end of a comment, or 0 when it has none. */
static size_t long_comment(struct span text)
{
    for (size_t i = 2; i + 1 < text.len; i++)
        if (text.data[i] == '*' && text.data[i + 1] == '/')
            return i + 2;
    return 0;
}

/* Passes over white space and comments; false when one has no end. */
static bool skip(struct scanner *scanner)
{
    while (scanner->rest.len > 0) {
        struct span rest = scanner->rest;
        size_t len = 1;
        if (span_has_prefix(rest, SPAN_LIT("/*")))
            len = long_comment(rest);
        else if (rest.data[0] == '#' || span_has_prefix(rest, SPAN_LIT("//")))
            len = span_find(rest, '\n');
        else if (!is_blank(rest.data[0]))
            return true;
        if (len == 0)
            return false;
        (void)cut(scanner, len);
    }
    return true;
}

static struct token quoted(struct scanner *scanner)
{
    struct span text = span_from(scanner->rest, 1);
    size_t len = span_find(text, '"');
    if (len == text.len || span_find(text, '\n') < len)
        return (struct token){.type = TOKEN_FAULT, .fault = "a quoted word without its end"};
    (void)cut(scanner, len + 2);
    return (struct token){.type = TOKEN_WORD, .text = span_head(text, len)};
}

/* Up to white space, a mark, a quote or a comment: a secret may hold single slashes. */
static struct token plain(struct scanner *scanner)
{
    struct span rest = scanner->rest;
    size_t len = 0;
    while (len < rest.len && !is_blank(rest.data[len]) && !is_mark(rest.data[len]) &&
           rest.data[len] != '"' && rest.data[len] != '#' &&
           !span_has_prefix(span_from(rest, len), SPAN_LIT("//")) &&
           !span_has_prefix(span_from(rest, len), SPAN_LIT("/*")))
        len++;
    return (struct token){.type = TOKEN_WORD, .text = cut(scanner, len)};
}

static struct token next(struct scanner *scanner)
{
    if (!skip(scanner))
        return (struct token){.type = TOKEN_FAULT, .fault = "a comment without its end"};
    if (scanner->rest.len == 0)
        return (struct token){.type = TOKEN_END};
    char c = scanner->rest.data[0];
    if (is_mark(c)) {
        (void)cut(scanner, 1);
        return (struct token){.type = TOKEN_MARK, .mark = c};
    }
    return c == '"' ? quoted(scanner) : plain(scanner);
}

/* -- the clause ----------------------------------------------------------------------------- */

static enum status fault(const struct scanner *scanner, const char *what, struct err *err)
{
    return err_set(err, ST_INVALID, "line %zu: %s", scanner->line, what);
}

static enum status want_word(struct scanner *scanner, const char *what, struct span *out,
                             struct err *err)
{
    struct token token = next(scanner);
    if (token.type == TOKEN_FAULT)
        return fault(scanner, token.fault, err);
    if (token.type != TOKEN_WORD)
        return err_set(err, ST_INVALID, "line %zu: %s is missing", scanner->line, what);
    *out = token.text;
    return ST_OK;
}

static enum status want_mark(struct scanner *scanner, char mark, struct err *err)
{
    struct token token = next(scanner);
    if (token.type == TOKEN_FAULT)
        return fault(scanner, token.fault, err);
    if (token.type != TOKEN_MARK || token.mark != mark)
        return err_set(err, ST_INVALID, "line %zu: a %c is missing", scanner->line, mark);
    return ST_OK;
}

/* Names with escapes exist (RFC 1035 5.1), but nobody gives a key one. */
static bool is_name(struct span name)
{
    struct span label;
    bool good = name.len > 0 && name.len < TSIG_NAME_SIZE;
    for (size_t i = 0; good && i < name.len; i++)
        good = name.data[i] > ' ' && name.data[i] <= '~' && name.data[i] != '\\';
    while (good && span_next(&name, '.', &label))
        good = label.len > 0 && label.len <= DKIM_LABEL_MAX;
    return good;
}

static enum status take_name(struct scanner *scanner, struct tsig_key *out, struct err *err)
{
    struct span name = {NULL, 0};
    enum status status = want_word(scanner, "the name of the key", &name, err);
    if (status != ST_OK)
        return status;
    if (name.len > 1 && name.data[name.len - 1] == '.')
        name = span_head(name, name.len - 1);
    if (!is_name(name))
        return fault(scanner, "the name of the key is no domain name", err);
    for (size_t i = 0; i < name.len; i++)
        out->name[i] = ascii_lower(name.data[i]);
    out->name[name.len] = '\0';
    return ST_OK;
}

static enum status take_secret(struct scanner *scanner, struct tsig_key *out, struct err *err)
{
    struct span text = {NULL, 0};
    enum status status = want_word(scanner, "the secret", &text, err);
    if (status != ST_OK)
        return status;
    if (dkim_base64_decode(text, &out->secret, err) != ST_OK)
        return err_context(err, "line %zu: secret", scanner->line);
    if (out->secret.len < TSIG_SECRET_MIN)
        return err_set(err, ST_INVALID, "line %zu: the secret has %zu octets (at least %d)",
                       scanner->line, out->secret.len, TSIG_SECRET_MIN);
    return ST_OK;
}

static enum status take_algorithm(struct scanner *scanner, struct tsig_key *out, struct err *err)
{
    struct span name = {NULL, 0};
    enum status status = want_word(scanner, "the algorithm", &name, err);
    if (status != ST_OK)
        return status;
    status = tsig_algorithm_parse(name, &out->algorithm, err);
    return status == ST_OK ? ST_OK : err_context(err, "line %zu", scanner->line);
}

static const struct statement {
    const char *name;
    enum status (*take)(struct scanner *scanner, struct tsig_key *out, struct err *err);
} statements[] = {{"algorithm", take_algorithm}, {"secret", take_secret}};

enum { STATEMENT_COUNT = sizeof statements / sizeof statements[0] };

/* One statement with its semicolon; `seen` counts each. */
static enum status take_statement(struct scanner *scanner, struct span word,
                                  unsigned seen[STATEMENT_COUNT], struct tsig_key *out,
                                  struct err *err)
{
    for (size_t i = 0; i < STATEMENT_COUNT; i++) {
        if (!span_equal_nocase(word, span_str(statements[i].name)))
            continue;
        if (seen[i]++ > 0)
            return err_set(err, ST_INVALID, "line %zu: %s is given twice", scanner->line,
                           statements[i].name);
        enum status status = statements[i].take(scanner, out, err);
        return status == ST_OK ? want_mark(scanner, ';', err) : status;
    }
    return fault(scanner, "neither algorithm nor secret", err);
}

/* All up to the closing brace. */
static enum status take_statements(struct scanner *scanner, struct tsig_key *out, struct err *err)
{
    unsigned seen[STATEMENT_COUNT] = {0};
    for (;;) {
        struct token token = next(scanner);
        enum status status = ST_OK;
        if (token.type == TOKEN_MARK && token.mark == '}')
            break;
        if (token.type == TOKEN_WORD)
            status = take_statement(scanner, token.text, seen, out, err);
        else
            status =
                fault(scanner, token.type == TOKEN_FAULT ? token.fault : "a } is missing", err);
        if (status != ST_OK)
            return status;
    }
    for (size_t i = 0; i < STATEMENT_COUNT; i++) {
        if (seen[i] == 0)
            return err_set(err, ST_INVALID, "line %zu: the key has no %s", scanner->line,
                           statements[i].name);
    }
    return ST_OK;
}

static enum status take_end(struct scanner *scanner, struct err *err)
{
    struct token token = next(scanner);
    if (token.type == TOKEN_FAULT)
        return fault(scanner, token.fault, err);
    if (token.type != TOKEN_END)
        return fault(scanner, "more than one key clause", err);
    return ST_OK;
}

enum status tsig_parse(struct span text, struct tsig_key *out, struct err *err)
{
    struct scanner scanner = {.rest = text, .line = 1};
    struct span word = {NULL, 0};
    *out = (struct tsig_key){.secret = BUF_SECRET(TSIG_SECRET_MAX)};
    enum status status = want_word(&scanner, "a key clause", &word, err);
    if (status == ST_OK && !span_equal_nocase(word, SPAN_LIT("key")))
        status = fault(&scanner, "no key clause: key NAME { algorithm A; secret S; };", err);
    if (status == ST_OK)
        status = take_name(&scanner, out, err);
    if (status == ST_OK)
        status = want_mark(&scanner, '{', err);
    if (status == ST_OK)
        status = take_statements(&scanner, out, err);
    if (status == ST_OK)
        status = want_mark(&scanner, ';', err);
    return status == ST_OK ? take_end(&scanner, err) : status;
}

void tsig_clear(struct tsig_key *key)
{
    buf_clear(&key->secret);
}

/* -- the file ------------------------------------------------------------------------------- */

enum status tsig_read(const char *path, struct tsig_key *out, struct err *err)
{
    struct buf text = BUF_SECRET(TSIG_FILE_MAX);
    *out = (struct tsig_key){.secret = BUF_SECRET(TSIG_SECRET_MAX)};
    /* Debian's BIND wants its own key files as root:bind 0640, so that is fine for ours. */
    enum status status = secretfile_read(path, SECRETFILE_GROUP, &text, err);
    if (status == ST_OK)
        status = tsig_parse(buf_span(&text), out, err);
    buf_clear(&text);
    return status == ST_OK ? ST_OK : err_context(err, "TSIG key file %s", path);
}
