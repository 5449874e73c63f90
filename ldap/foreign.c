/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/foreign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/settings.h"
#include "ldap/connect.h"
#include "ldap/directory.h"
#include "ldap/foreign_url.h"

enum { TEXT_MAX = 256 * 1024, ATTRIBUTES_MAX = FOREIGN_VALUES_MAX + 2, PASSWORD_MAX = 1024 };

struct ldap_table {
    struct foreign base;
    struct foreign_url url;
    struct settings_ldap settings;
    char *texts[4]; /* of the settings, which own none */
    char *password;
    size_t password_len;
    struct directory dir;
};

static struct ldap_table *table_of(struct foreign *base)
{
    return (struct ldap_table *)base;
}

/* -- who asks ----------------------------------------------------------------------------- */

static char *empty_if_null(const char *text)
{
    return strdup(text != NULL ? text : "");
}

/* OpenDKIM means a simple bind by "none" as well. */
static bool is_simple(const char *mechanism)
{
    struct span name = span_str(mechanism);
    return name.len == 0 || span_equal_nocase(name, SPAN_LIT("none")) ||
           span_equal_nocase(name, SPAN_LIT("simple"));
}

static enum status set_account(struct ldap_table *table, const struct foreign_ldap *options,
                               struct err *err)
{
    bool simple = is_simple(options->mechanism);
    table->texts[0] = empty_if_null(simple ? options->bind_user : options->auth_name);
    table->texts[1] = empty_if_null(simple ? NULL : options->mechanism);
    table->texts[2] = empty_if_null(options->ca_file);
    table->texts[3] = empty_if_null(NULL);
    table->password = span_dup(options->bind_password);
    table->password_len = options->bind_password.len;
    for (size_t i = 0; i < 4; i++) {
        if (table->texts[i] == NULL || table->password == NULL)
            return err_set(err, ST_TEMP, "no memory");
    }
    table->settings = (struct settings_ldap){
        .bind_dn = table->texts[0],
        .sasl_mechanism = table->texts[1],
        .ca_file = table->texts[2],
        .bind_password_file = table->texts[3],
        .bind_password = span_of(table->password, table->password_len),
        .starttls = options->use_tls,
    };
    if (table->password_len > PASSWORD_MAX)
        return err_set(err, ST_INVALID, "LDAPBindPassword: more than %d octets", PASSWORD_MAX);
    if (simple && table->texts[0][0] != '\0' && table->password_len == 0)
        return err_set(err, ST_INVALID,
                       "LDAPBindUser without LDAPBindPassword, which servers do not take");
    return ST_OK;
}

/* -- open and close ----------------------------------------------------------------------- */

static void close_table(struct foreign *base)
{
    struct ldap_table *table = table_of(base);
    if (table->dir.ld != NULL)
        ldap_unbind_ext(table->dir.ld, NULL, NULL);
    foreign_url_clear(&table->url);
    for (size_t i = 0; i < sizeof table->texts / sizeof table->texts[0]; i++)
        free(table->texts[i]);
    if (table->password != NULL)
        bytes_wipe(table->password, table->password_len);
    free(table->password);
    free(table);
}

static void add_notes(struct ldap_table *table, const struct foreign_ldap *options)
{
    const char *name = table->base.name;
    if (is_simple(options->mechanism) && options->mechanism != NULL &&
        options->mechanism[0] != '\0')
        foreign_add_note(
            &table->base,
            "%s: LDAPAuthMechanism %s is taken for a simple bind; OpenDKIM 2.11 does not "
            "start with it",
            name, options->mechanism);
    if (table->url.servers.local)
        foreign_add_note(
            &table->base,
            "%s: OpenDKIM 2.11 loses the socket of an ldapi URL, and asks the one that "
            "libldap was built with",
            name);
    if (table->url.base_has_key)
        foreign_add_note(
            &table->base,
            "%s: a key in the base is escaped here, while OpenDKIM takes it as it stands", name);
}

static enum status connect_table(struct ldap_table *table, const struct foreign_options *options,
                                 struct err *err)
{
    int64_t deadline_ms = clock_monotonic_ms() + options->timeout_ms;
    const LDAPURLDesc *search = table->url.search;
    snprintf(table->base.name, sizeof table->base.name, "%s/%s", table->url.servers.hosts[0],
             search->lud_dn != NULL ? search->lud_dn : "");
    enum status st = set_account(table, &options->ldap, err);
    if (st == ST_OK)
        st = connect_any(&table->url.servers, &table->settings, deadline_ms, &table->dir.ld, err);
    table->dir.settings = &table->settings;
    return st == ST_OK ? ST_OK : err_context(err, "%s", table->base.name);
}

static enum status open_table(const struct foreign_options *options, struct foreign **out,
                              struct err *err)
{
    struct ldap_table *table = calloc(1, sizeof *table);
    if (table == NULL)
        return err_set(err, ST_TEMP, "no memory");
    table->base = (struct foreign){.reader = &foreign_ldap_reader,
                                   .columns = options->columns,
                                   .timeout_ms = options->timeout_ms};
    enum status st = foreign_url_read(options->url, &table->url, err);
    if (st != ST_OK)
        st = err_context(err, "LDAP URL");
    else
        st = connect_table(table, options, err);
    if (st == ST_OK) {
        add_notes(table, &options->ldap);
        *out = &table->base;
        return ST_OK;
    }
    foreign_close(&table->base);
    return st;
}

/* -- entries ------------------------------------------------------------------------------ */

/* A search, and the entry that it is at. */
struct entry {
    struct ldap_table *table;
    const char *key_attribute; /* whose values are the keys; NULL: the key is known */
    struct span key;
    size_t count;             /* of cells: the key, and an attribute for each value */
    struct foreign_kept kept; /* of each attribute of the URL the first value */
    foreign_row_reader *read; /* of a walk */
    void *arg;
    size_t number;
    bool refused;
};

/* OpenDKIM's schema has it, and its look-ups never see it. */
#define ACTIVE "DKIMActive"

static enum status take_value(void *arg, const char *attribute, struct span value, struct err *err)
{
    struct entry *entry = arg;
    char *const *names = entry->table->url.search->lud_attrs;
    enum status st = ST_OK;
    if (span_equal_nocase(span_str(attribute), SPAN_LIT(ACTIVE)))
        entry->kept.inactive = span_equal(value, SPAN_LIT("FALSE"));
    for (size_t i = 1; i < entry->count && st == ST_OK; i++) {
        if (entry->kept.octets[i] == NULL &&
            span_equal_nocase(span_str(attribute), span_str(names[i - 1])))
            st = foreign_keep_cell(&entry->kept, i,
                                   span_of(value.data != NULL ? value.data : "", value.len), err);
    }
    return st;
}

/* As many attributes as were asked for and there are. */
static size_t cells_of(const struct ldap_table *table)
{
    size_t count = 0;
    while (count < table->base.columns && table->url.search->lud_attrs[count] != NULL)
        count++;
    return 1 + count;
}

static enum status take_found(void *arg, struct directory *dir, LDAPMessage *message,
                              struct err *err)
{
    struct entry *entry = arg;
    if (entry->kept.hits++ > 0)
        return ST_OK;
    entry->kept.count = entry->count;
    enum status st = foreign_keep_cell(&entry->kept, 0, entry->key, err);
    return st == ST_OK ? directory_values(dir, message, take_value, entry, err) : st;
}

static enum status give(void *arg, const char *attribute, struct span value, struct err *err)
{
    struct entry *entry = arg;
    char fault[ERR_TEXT_SIZE];
    struct span cells[1 + FOREIGN_VALUES_MAX];
    struct foreign_row row;
    if (!span_equal_nocase(span_str(attribute), span_str(entry->key_attribute)))
        return ST_OK;
    memcpy(cells, entry->kept.cells, sizeof cells);
    cells[0] = value;
    foreign_make_row(&entry->table->base, cells, entry->count, fault, &row);
    row.number = ++entry->number;
    row.inactive = entry->kept.inactive;
    enum status st = entry->read(entry->arg, &row, err);
    entry->refused = st != ST_OK;
    return st;
}

/* Each entry has the whole time again. */
static enum status take_walked(void *arg, struct directory *dir, LDAPMessage *message,
                               struct err *err)
{
    struct entry *entry = arg;
    foreign_forget(&entry->kept);
    entry->kept.count = entry->count;
    enum status st = directory_values(dir, message, take_value, entry, err);
    if (st == ST_OK)
        st = directory_values(dir, message, give, entry, err);
    dir->base.deadline_ms = clock_monotonic_ms() + entry->table->base.timeout_ms;
    return st;
}

/* -- look and walk ------------------------------------------------------------------------ */

struct question {
    struct buf base, filter;
};

static void question_clear(struct question *question)
{
    buf_clear(&question->base);
    buf_clear(&question->filter);
}

static enum status search(struct ldap_table *table, struct question *question,
                          directory_entry *take, struct entry *entry, struct err *err)
{
    const char *attributes[ATTRIBUTES_MAX + 1] = {NULL};
    char *const *names = table->url.search->lud_attrs;
    size_t count = 0;
    enum status st = buf_check(&question->base, "base", err);
    if (st == ST_OK)
        st = buf_check(&question->filter, "filter", err);
    if (st != ST_OK)
        return st;
    entry->count = cells_of(table);
    for (; count + 1 < entry->count; count++)
        attributes[count] = names[count];
    if (entry->key_attribute != NULL)
        attributes[count++] = entry->key_attribute;
    attributes[count] = ACTIVE;
    const struct directory_search asked = {
        .base = buf_cstr(&question->base),
        .scope = table->url.search->lud_scope,
        .filter = buf_cstr(&question->filter),
        .attributes = attributes,
    };
    table->dir.base.deadline_ms = clock_monotonic_ms() + table->base.timeout_ms;
    return directory_search(&table->dir, &asked, take, entry, err);
}

static enum status look(struct foreign *base, struct span key, foreign_row_reader *read, void *arg,
                        struct err *err)
{
    struct ldap_table *table = table_of(base);
    struct question question = {BUF_INIT(TEXT_MAX), BUF_INIT(TEXT_MAX)};
    struct entry entry = {.table = table, .key = key};
    foreign_url_base(&table->url, key, &question.base);
    foreign_url_filter(&table->url, key, &question.filter);
    enum status st = search(table, &question, take_found, &entry, err);
    question_clear(&question);
    if (st == ST_INVALID && table->url.base_has_key)
        st = ST_NOT_FOUND; /* such as dc=,dc=com: OpenDKIM minds that no more than one not there */
    if (st == ST_OK || st == ST_NOT_FOUND)
        return foreign_give(base, &entry.kept, read, arg, err);
    foreign_forget(&entry.kept);
    return err_context(err, "%s", base->name);
}

static enum status walk(struct foreign *base, foreign_row_reader *read, void *arg, struct err *err)
{
    struct ldap_table *table = table_of(base);
    struct question question = {BUF_INIT(TEXT_MAX), BUF_INIT(TEXT_MAX)};
    struct entry entry = {
        .table = table, .key_attribute = table->url.walk_attribute, .read = read, .arg = arg};
    if (table->url.no_walk != NULL)
        return err_set(err, ST_INVALID,
                       "%s: entries cannot be listed, because %s: give the list of keys",
                       base->name, table->url.no_walk);
    foreign_url_base(&table->url, span_of(NULL, 0), &question.base);
    buf_append_str(&question.filter, table->url.walk_filter);
    enum status st = search(table, &question, take_walked, &entry, err);
    question_clear(&question);
    foreign_forget(&entry.kept);
    return st == ST_OK || entry.refused ? st : err_context(err, "%s", base->name);
}

static const char *const schemes[] = {"ldap", "ldaps", "ldapi", NULL};

const struct foreign_reader foreign_ldap_reader = {
    .schemes = schemes,
    .open = open_table,
    .look = look,
    .walk = walk,
    .close = close_table,
};
