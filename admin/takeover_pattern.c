/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "admin/takeover.h"

/* -- adding ------------------------------------------------------------------------------- */

static void format_text(const struct takeover_author *author, const char *host, struct buf *out)
{
    if (author->user.len > 0) {
        for (size_t i = 0; i < author->user.len; i++)
            buf_append_char(out, ascii_lower(author->user.data[i]));
        buf_append_char(out, '@');
    }
    buf_append_str(out, author->level == RULE_ABOVE ? "." : "");
    buf_append_str(out, host);
}

static void free_pattern(struct takeover_pattern *pattern)
{
    for (size_t i = 0; i < pattern->count; i++)
        free(pattern->signers[i].identity);
    free(pattern->wanted);
    free(pattern->user);
    free(pattern->host);
    free(pattern->spelt);
    free(pattern);
}

static bool is_ascii(struct span text)
{
    size_t i = 0;
    while (i < text.len && (unsigned char)text.data[i] < 0x80)
        i++;
    return i == text.len;
}

static struct takeover_pattern *new_pattern(const struct takeover_author *author, const char *host,
                                            struct span text)
{
    struct takeover_pattern *pattern = calloc(1, sizeof *pattern + text.len + 1);
    if (pattern == NULL)
        return NULL;
    memcpy(pattern->text, text.data, text.len);
    pattern->level = author->level;
    pattern->line = author->line;
    pattern->host = strdup(host);
    if (author->line && !is_ascii(author->host))
        pattern->spelt = span_dup(author->host);
    pattern->user = author->user.len > 0 ? span_dup(author->user) : NULL;
    pattern->wanted = author->wanted.len > 0 ? span_dup(author->wanted) : NULL;
    bool spelt = pattern->spelt != NULL || !author->line || is_ascii(author->host);
    if (spelt && pattern->host != NULL && (pattern->user != NULL || author->user.len == 0) &&
        (pattern->wanted != NULL || author->wanted.len == 0))
        return pattern;
    free_pattern(pattern);
    return NULL;
}

/* Of lines in files the table itself has said it. */
static void note_dead(struct takeover *takeover, const struct takeover_pattern *known,
                      const struct takeover_pattern *other)
{
    const struct table *table = signing_table(takeover->signing, "SigningTable");
    bool same = span_equal(span_str(known->wanted), span_str(other->wanted));
    if (table == NULL || table_type_of(table) != TABLE_REFILE || same ||
        configuration_flag(takeover->configuration, "MultipleSignatures"))
        return;
    notes_add(takeover->notes, NOTES_NOTICE, other->place,
              "%s: the line with the key %.200s never counts, because another one comes first",
              other->text, other->wanted != NULL ? other->wanted : "");
}

/* OpenDKIM knows a name in UTF-8 and its form in ASCII for two; here the line with the latter
 * counts. */
static void meet(struct takeover *takeover, struct takeover_pattern *known,
                 struct takeover_pattern *other)
{
    bool ascii = other->spelt == NULL, was_ascii = known->spelt == NULL;
    struct takeover_pattern *loser = ascii ? known : other;
    bool same = span_equal(span_str(known->wanted), span_str(other->wanted));
    if (!known->line || !other->line)
        return;
    if (ascii == was_ascii) {
        note_dead(takeover, known, other);
        return;
    }
    notes_add(takeover->notes, same ? NOTES_NOTICE : NOTES_CHANGED, loser->place,
              "%s: is %s, for which another line says who signs; here that one counts",
              loser->spelt, known->text);
    if (ascii) {
        free(known->spelt);
        free(known->wanted);
        known->spelt = NULL;
        known->wanted = other->wanted;
        known->place = other->place;
        other->wanted = NULL;
    }
}

/* Takes the new one over. */
static enum status keep(struct takeover *takeover, struct takeover_pattern *known,
                        struct takeover_pattern *pattern, struct err *err)
{
    if (pattern == NULL)
        return err_set(err, ST_TEMP, "no memory");
    if (known == NULL)
        HASH_ADD_STR(takeover->patterns, text, pattern);
    else
        meet(takeover, known, pattern);
    bool kept = pattern->hh.tbl != NULL;
    if (!kept)
        free_pattern(pattern);
    return kept || known != NULL ? ST_OK : err_set(err, ST_TEMP, "no memory");
}

static enum status add(struct takeover *takeover, const struct takeover_author *author,
                       const char *host, struct notes_place place, struct err *err)
{
    struct buf text = BUF_INIT(0);
    format_text(author, host, &text);
    enum status status = buf_check(&text, "a pattern", err);
    struct takeover_pattern *known =
        status == ST_OK ? takeover_find_pattern(takeover, buf_cstr(&text)) : NULL;
    if (status == ST_OK && (known == NULL || author->line)) {
        struct takeover_pattern *pattern = new_pattern(author, host, buf_span(&text));
        if (pattern != NULL)
            pattern->place = place;
        status = keep(takeover, known, pattern, err);
    }
    buf_clear(&text);
    return status;
}

void takeover_clear_patterns(struct takeover *takeover)
{
    struct takeover_pattern *pattern = NULL, *next = NULL;
    HASH_ITER(hh, takeover->patterns, pattern, next)
    {
        HASH_DEL(takeover->patterns, pattern);
        free_pattern(pattern);
    }
}

enum status takeover_add_pattern(struct takeover *takeover, const struct takeover_author *author,
                                 struct notes_place place, struct err *err)
{
    char host[DKIM_DOMAIN_SIZE];
    struct err why = {0};
    struct span shown = span_head(author->host, 300);
    if (author->level == RULE_EVERYWHERE)
        return add(takeover, author, RULE_ANYWHERE, place, err);
    if (dkim_domain_normalize(author->host, host, &why) == ST_OK)
        return add(takeover, author, host, place, err);
    notes_add(takeover->notes, NOTES_REFUSED, place, "%.*s: %s", (int)shown.len, shown.data,
              why.text);
    return ST_OK;
}

struct takeover_pattern *takeover_find_pattern(const struct takeover *takeover, const char *text)
{
    struct takeover_pattern *found = NULL;
    HASH_FIND_STR(takeover->patterns, text, found);
    return found;
}

/* -- the next one ------------------------------------------------------------------------- */

static struct takeover_pattern *find_form(const struct takeover *takeover, enum rule_level level,
                                          const char *user, const char *place)
{
    char text[RULE_PATTERN_MAX + 1];
    if (level == RULE_EVERYWHERE && user == NULL)
        return takeover_find_pattern(takeover, RULE_ANYWHERE);
    return rule_form(level, user, place, text) ? takeover_find_pattern(takeover, text) : NULL;
}

/* With the user (if it has one) and without, but not the pattern itself. */
static struct takeover_pattern *find_forms(const struct takeover *takeover, enum rule_level level,
                                           const struct takeover_pattern *of, const char *place)
{
    struct takeover_pattern *found = NULL;
    if (of->user != NULL)
        found = find_form(takeover, level, of->user, place);
    if (found == NULL || found == of)
        found = find_form(takeover, level, NULL, place);
    return found != of ? found : NULL;
}

struct takeover_pattern *takeover_next_pattern(const struct takeover *takeover,
                                               const struct takeover_pattern *pattern)
{
    const char *names[DKIM_CANDIDATES_MAX];
    size_t count = 0;
    struct takeover_pattern *found = NULL;
    if (pattern->level != RULE_EVERYWHERE)
        count = dkim_domain_candidates(pattern->host, names);
    if (pattern->level == RULE_AT)
        found = find_forms(takeover, RULE_AT, pattern, pattern->host);
    for (size_t i = pattern->level == RULE_ABOVE ? 0 : 1; i < count && found == NULL; i++)
        found = find_forms(takeover, RULE_ABOVE, pattern, names[i]);
    return found != NULL ? found : find_forms(takeover, RULE_EVERYWHERE, pattern, RULE_ANYWHERE);
}

/* -- keys of tables ----------------------------------------------------------------------- */

/* One key on its way. */
struct reading {
    struct takeover *takeover;
    struct span key, wanted;
    struct notes_place place;
};

static void note(const struct reading *reading, enum notes_grade grade, const char *what)
{
    struct span shown = span_head(reading->key, 300);
    notes_add(reading->takeover->notes, grade, reading->place, "%.*s: %s", (int)shown.len,
              shown.data, what);
}

/* A local part of RFC 5322 without quotes, or nothing. What else stands before an @ would end the
 * address in a field, or make it another one's. */
static bool is_dot_atom(struct span user)
{
    bool dot = true; /* before this one, or the beginning */
    for (size_t i = 0; i < user.len; i++) {
        char c = user.data[i];
        bool atext = ascii_alpha(c) || ascii_digit(c) || (unsigned char)c >= 0x80 ||
                     (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
        if (!atext && (c != '.' || dot))
            return false;
        dot = c == '.';
    }
    return user.len == 0 || !dot;
}

/* OpenDKIM compares local parts with their quotes, and here they have none. */
static enum status add_author(const struct reading *reading, struct span user, struct span host,
                              enum rule_level level, struct err *err)
{
    const struct takeover_author author = {user, host, level, reading->wanted, true};
    if (span_find(user, '"') < user.len || span_find(user, '\\') < user.len) {
        note(reading, NOTES_REFUSED,
             "has a quoted local part; here the author is meant without the quotes: `inkan rule "
             "add`");
        return ST_OK;
    }
    if (!is_dot_atom(user)) {
        note(reading, NOTES_REFUSED, "has a local part that is none without quotes");
        return ST_OK;
    }
    return takeover_add_pattern(reading->takeover, &author, reading->place, err);
}

static size_t last_at(struct span key)
{
    size_t at = key.len;
    while (at > 0 && key.data[at - 1] != '@')
        at--;
    return at;
}

static bool has_star(struct span text)
{
    return span_find(text, '*') < text.len;
}

/* What stands behind the @, in file: and the like: `host`, `.host` or `*`. */
static enum status read_host(const struct reading *reading, struct span user, struct span host,
                             struct err *err)
{
    struct span none = {NULL, 0};
    if (span_equal(host, SPAN_LIT("*")))
        return add_author(reading, user, none, RULE_EVERYWHERE, err);
    if (host.len > 0 && host.data[0] == '.')
        return add_author(reading, user, span_from(host, 1), RULE_ABOVE, err);
    return add_author(reading, user, host, RULE_AT, err);
}

static void note_star(const struct reading *reading)
{
    struct span shown = span_head(reading->key, 300);
    const struct table *table = signing_table(reading->takeover->signing, "SigningTable");
    const char *path = strchr(table_name(table), ':') + 1;
    if (table_type_of(table) != TABLE_FILE)
        note(reading, NOTES_REFUSED,
             "never matched anybody, because patterns with * want a table of type refile:; if it "
             "is meant so, write the host alone and import again");
    else
        notes_add(reading->takeover->notes, NOTES_REFUSED, reading->place,
                  "%.*s: never matched anybody, because patterns with * want a table of type "
                  "refile:; if it is meant so, import again with --signing-table refile:%s",
                  (int)shown.len, shown.data, path);
}

static enum status read_plain(const struct reading *reading, struct err *err)
{
    size_t at = last_at(reading->key);
    struct span none = {NULL, 0};
    struct span user = span_head(reading->key, at > 0 ? at - 1 : 0);
    struct span host = span_from(reading->key, at);
    if (!is_ascii(reading->key)) {
        note(reading, NOTES_NOTICE,
             "never matched anybody, because OpenDKIM asks tables of this type in ASCII only");
        return ST_OK;
    }
    if (at == 0)
        return read_host(reading, none, host, err);
    if (user.len == 0) {
        note(reading, NOTES_REFUSED,
             "never matched anybody, because OpenDKIM asks for user@host and for host, never for "
             "@host; if it is meant so, write the host without the @ and import again");
        return ST_OK;
    }
    if (!span_equal(user, SPAN_LIT("*")) && !has_star(span_from(host, 1)))
        return read_host(reading, user, host, err);
    note_star(reading);
    return ST_OK;
}

/* Behind a * at the beginning of a host; with a dot there it is exactly those below. */
static enum status read_tail(const struct reading *reading, struct span user, struct span tail,
                             struct err *err)
{
    if (tail.len == 0)
        return add_author(reading, user, tail, RULE_EVERYWHERE, err);
    if (has_star(tail)) {
        note(reading, NOTES_REFUSED, "has a * that no pattern here can have");
        return ST_OK;
    }
    if (tail.data[0] == '.')
        return add_author(reading, user, span_from(tail, 1), RULE_ABOVE, err);
    note(reading, NOTES_CHANGED,
         "matched every host that ends so, others' as well; taken over for this host and all below "
         "it");
    enum status status = add_author(reading, user, tail, RULE_AT, err);
    return status == ST_OK ? add_author(reading, user, tail, RULE_ABOVE, err) : status;
}

static bool is_live(struct span key)
{
    for (size_t i = 0; i < key.len; i++)
        if (key.data[i] != '\0' && strchr("^$()[]{}|?\\", key.data[i]) != NULL)
            return true;
    return false;
}

static enum status read_expression(const struct reading *reading, struct err *err)
{
    struct span key = reading->key, none = {NULL, 0};
    size_t at = last_at(key);
    struct span user = span_head(key, at > 0 ? at - 1 : 0), host = span_from(key, at);
    bool every = span_equal(user, SPAN_LIT("*"));
    if (is_live(key)) {
        note(reading, NOTES_REFUSED, "is a regular expression, which no pattern here can be");
    } else if (at == 0 && !has_star(key)) {
        note(reading, NOTES_NOTICE, "never matched anybody, because an author has an @");
    } else if (at == 0 && key.data[0] == '*') {
        return read_tail(reading, none, span_from(key, 1), err);
    } else if (at > 0 && user.len == 0) {
        note(reading, NOTES_NOTICE,
             "never matched anybody, because an author has something before the @");
    } else if (at == 0 || (has_star(user) && !every)) {
        note(reading, NOTES_REFUSED, "has a * that no pattern here can have");
    } else if (host.len > 0 && host.data[0] == '*') {
        return read_tail(reading, every ? none : user, span_from(host, 1), err);
    } else if (has_star(host)) {
        note(reading, NOTES_REFUSED, "has a * that no pattern here can have");
    } else {
        return add_author(reading, every ? none : user, host, RULE_AT, err);
    }
    return ST_OK;
}

enum status takeover_add_key(struct takeover *takeover, const struct takeover_line *line,
                             struct err *err)
{
    const struct reading reading = {takeover, line->key, line->wanted, line->place};
    if (line->key.len == 0)
        return ST_OK;
    return line->expression ? read_expression(&reading, err) : read_plain(&reading, err);
}
