/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/layout.h"

#include <inttypes.h>
#include <string.h>

#include "ldap/entry.h"
#include "ldap/escape.h"

static const char *const places[] = {
    [LAYOUT_STATE] = "state",     [LAYOUT_WRITER] = "writer", [LAYOUT_TENANTS] = "tenants",
    [LAYOUT_RULES] = "rules",     [LAYOUT_GRANTS] = "grants", [LAYOUT_EVENTS] = "events",
    [LAYOUT_CHANGES] = "changes", [LAYOUT_LEASES] = "leases",
};

void layout_dn(const struct directory *dir, enum layout_place place, struct buf *out)
{
    buf_printf(out, "cn=%s,%s", places[place], dir->root);
}

enum status layout_classes(struct write *write, const char *auxiliary, struct err *err)
{
    enum status st = write_value(write, "objectClass", SPAN_LIT("inkanEntry"), false, err);
    if (st == ST_OK && auxiliary != NULL)
        st = write_value(write, "objectClass", span_str(auxiliary), false, err);
    return st;
}

/* -- cn=state and cn=writer --------------------------------------------------------------- */

struct reading {
    struct layout_numbers *numbers;
    struct buf *journal;
};

static enum status take_number(void *arg, const char *attribute, struct span value, struct err *err)
{
    const struct reading *reading = arg;
    const struct {
        const char *attribute;
        int64_t *out;
    } all[] = {
        {"inkanSchemaVersion", &reading->numbers->schema},
        {"inkanPosition", &reading->numbers->position},
        {"inkanRevision", &reading->numbers->revision},
        {"inkanEventLast", &reading->numbers->event},
    };
    uint64_t number = 0;
    if (span_equal_nocase(span_str(attribute), SPAN_LIT("inkanJournal"))) {
        buf_append_span(reading->journal, value);
        return buf_check(reading->journal, "inkanJournal", err);
    }
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (!span_equal_nocase(span_str(attribute), span_str(all[i].attribute)))
            continue;
        if (!span_number(value, INT64_MAX, &number))
            return err_set(err, ST_BROKEN, "ldap: %s is not a number", attribute);
        *all[i].out = (int64_t)number;
    }
    return ST_OK;
}

static enum status take_entry(void *arg, struct directory *dir, LDAPMessage *entry, struct err *err)
{
    return directory_values(dir, entry, take_number, arg, err);
}

static enum status read_place(struct directory *dir, enum layout_place place,
                              struct reading *reading, struct err *err)
{
    static const char *const attributes[] = {"inkanSchemaVersion", "inkanPosition", "inkanRevision",
                                             "inkanEventLast",     "inkanJournal",  NULL};
    struct buf dn = {0};
    layout_dn(dir, place, &dn);
    const struct directory_search search = {.base = buf_cstr(&dn),
                                            .scope = LDAP_SCOPE_BASE,
                                            .filter = "(objectClass=*)",
                                            .attributes = attributes};
    enum status st = directory_search(dir, &search, take_entry, reading, err);
    buf_clear(&dn);
    return st;
}

/* cn=writer first: whoever commits between the two is then found out by its revision. */
enum status layout_read(struct directory *dir, struct layout_numbers *out, struct buf *journal,
                        struct err *err)
{
    struct reading reading = {out, journal};
    enum status writer = ST_OK;
    *out = (struct layout_numbers){0};
    if (journal != NULL) {
        buf_reset(journal);
        writer = read_place(dir, LAYOUT_WRITER, &reading, err);
        if (writer != ST_OK && writer != ST_NOT_FOUND)
            return writer;
    }
    enum status st = read_place(dir, LAYOUT_STATE, &reading, err);
    if (st == ST_NOT_FOUND || (st == ST_OK && out->schema == 0))
        return err_set(err, ST_NOT_FOUND, "ldap: there is no store at %s (inkan store init)",
                       dir->root);
    if (st == ST_OK && writer != ST_OK)
        return err_set(err, ST_DENIED, "ldap: this account may not write");
    return st;
}

/* -- what the server knows ----------------------------------------------------------------- */

/* An entry with every attribute of a kind, below one that does not exist. */
static enum status fill_probe(const struct kind *kind, struct write *write, struct err *err)
{
    char name[ENTRY_NAME_SIZE];
    entry_class(kind, name);
    enum status st = layout_classes(write, name, err);
    if (st == ST_OK)
        st = write_value(write, "cn", SPAN_LIT("probe"), false, err);
    for (size_t i = 0; st == ST_OK && i < kind->field_count; i++) {
        bool boolean = kind->fields[i].type == FIELD_BOOL;
        entry_attribute(kind, &kind->fields[i], name);
        st = write_value(write, name, boolean ? SPAN_LIT("TRUE") : SPAN_LIT("1"), false, err);
    }
    return st;
}

/* Classes and attributes of an entry are looked at before the entry above it is. */
static enum status probe(struct directory *dir, const struct kind *kind, struct err *err)
{
    struct buf dn = {0};
    struct writes writes = {0};
    struct err why = {0};
    buf_printf(&dn, "cn=probe,cn=nowhere,%s", dir->root);
    struct write *write = write_list_new(&writes, WRITE_ADD, buf_cstr(&dn), "");
    enum status st =
        write != NULL ? fill_probe(kind, write, err) : err_set(err, ST_TEMP, "ldap: no memory");
    if (st == ST_OK)
        st = write_once(dir, write, &why);
    if (why.code == ST_NOT_FOUND || why.code == ST_DENIED)
        st = ST_OK;
    else if (why.code != ST_OK)
        *err = why;
    write_list_clear(&writes);
    buf_clear(&dn);
    return st;
}

/* A server whose schema is older than ours would take changes without their audit events, because
 * what it will never do is left out (ldap/journal.h). */
static enum status check_schema(struct directory *dir, struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; st == ST_OK && kinds[i] != NULL; i++)
        if (kinds[i] != &kind_change) /* the feed's entries have a form of their own */
            st = probe(dir, kinds[i], err);
    return st;
}

/* -- making ------------------------------------------------------------------------------- */

static const struct {
    enum layout_place place;
    const char *class;     /* the auxiliary one */
    const char *attribute; /* a number that it must have */
} made[] = {
    {LAYOUT_TENANTS, NULL, NULL},
    {LAYOUT_RULES, "inkanRegister", NULL},
    {LAYOUT_GRANTS, "inkanRegister", NULL},
    {LAYOUT_EVENTS, NULL, NULL},
    {LAYOUT_CHANGES, NULL, NULL},
    {LAYOUT_LEASES, NULL, NULL},
    {LAYOUT_WRITER, "inkanWriter", "inkanRevision"},
    {LAYOUT_STATE, "inkanState", "inkanSchemaVersion"},
};

enum status layout_set_version(struct directory *dir, int version, struct err *err)
{
    struct buf dn = {0}, text = {0};
    struct writes writes = {0};
    layout_dn(dir, LAYOUT_STATE, &dn);
    buf_printf(&text, "%d", version);
    struct write *write = write_list_new(&writes, WRITE_CHANGE, buf_cstr(&dn), "");
    enum status st = write != NULL
                         ? write_value(write, "inkanSchemaVersion", buf_span(&text), false, err)
                         : err_set(err, ST_TEMP, "ldap: no memory");
    if (st == ST_OK)
        st = write_once(dir, write, err);
    write_list_clear(&writes);
    buf_clear(&dn);
    buf_clear(&text);
    return st;
}

/* What an older version made has no class of ours beside the structural one. */
static enum status join_class(struct directory *dir, const char *dn, const char *class,
                              struct err *err)
{
    struct buf without = {0};
    struct writes writes = {0};
    buf_printf(&without, "(!(objectClass=%s))", class);
    struct write *write = write_list_new(&writes, WRITE_CHANGE, dn, buf_cstr(&without));
    enum status st = write != NULL ? layout_classes(write, class, err)
                                   : err_set(err, ST_TEMP, "ldap: no memory");
    if (st == ST_OK)
        st = write_once(dir, write, err);
    write_list_clear(&writes);
    buf_clear(&without);
    return st == ST_CONFLICT ? ST_OK : st; /* it has it */
}

static enum status make_place(struct directory *dir, size_t i, int number, struct err *err)
{
    struct buf dn = {0}, text = {0};
    struct writes writes = {0};
    layout_dn(dir, made[i].place, &dn);
    buf_printf(&text, "%d", number);
    struct write *write = write_list_new(&writes, WRITE_ADD, buf_cstr(&dn), "");
    enum status st = write != NULL ? layout_classes(write, made[i].class, err)
                                   : err_set(err, ST_TEMP, "ldap: no memory");
    if (st == ST_OK)
        st = write_value(write, "cn", span_str(places[made[i].place]), false, err);
    if (st == ST_OK && made[i].attribute != NULL)
        st = write_value(write, made[i].attribute, buf_span(&text), false, err);
    if (st == ST_OK && made[i].place == LAYOUT_STATE)
        st = write_value(write, "inkanPosition", SPAN_LIT("0"), false, err);
    if (st == ST_OK)
        st = write_once(dir, write, err);
    if (st == ST_CONFLICT) /* there already */
        st = made[i].class != NULL ? join_class(dir, buf_cstr(&dn), made[i].class, err) : ST_OK;
    write_list_clear(&writes);
    buf_clear(&dn);
    buf_clear(&text);
    return st;
}

enum status layout_make(struct directory *dir, int version, struct err *err)
{
    enum status st = check_schema(dir, err);
    for (size_t i = 0; i < sizeof made / sizeof made[0] && st == ST_OK; i++)
        st = make_place(dir, i, version, err);
    if (st == ST_NOT_FOUND)
        return err_set(err, ST_INVALID, "ldap: the entry %s does not exist: make it first",
                       dir->root);
    if (st == ST_INVALID) { /* slapd's way to say that it does not know a class */
        struct err why = *err;
        return err_set(err, ST_BROKEN, "ldap: load migrations/ldap/inkan.ldif into the server: %s",
                       why.text);
    }
    return st;
}
