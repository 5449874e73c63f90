/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/takeover_trust.h"

#include "opendkim/peers.h"

/* -- hosts ------------------------------------------------------------------------------------ */

static bool convert_peers(struct takeover_making *making, const char *name, struct buf *out)
{
    struct table *table = signing_table(making->conf->signing, name);
    struct err err = {0};
    if (table == NULL)
        return configuration_text(making->conf->configuration, name) == NULL;
    enum status status = peers_translate(table, out, &err);
    if (status != ST_OK)
        takeover_conf_fail(making, &err);
    return status == ST_OK;
}

bool takeover_trust_internal(struct takeover_making *making, const char *value, struct buf *out)
{
    (void)value;
    return convert_peers(making, "InternalHosts", out);
}

bool takeover_trust_exempt(struct takeover_making *making, const char *value, struct buf *out)
{
    (void)value;
    return convert_peers(making, "PeerList", out);
}

/* -- names of daemons ------------------------------------------------------------------------- */

/* What MacroList says. */
struct macros {
    bool daemons; /* of {daemon_name} */
    bool any;     /* of {daemon_name}, that it may be whatever it is */
    bool others;
};

static struct macros read_macros(const struct table *table)
{
    struct macros macros = {false, false, false};
    for (size_t i = 0; table != NULL && i < table_count(table); i++) {
        struct table_row row = table_row_at(table, i);
        bool daemon = span_equal(row.key, SPAN_LIT("daemon_name"));
        macros.daemons = macros.daemons || daemon;
        macros.any = macros.any || (daemon && !row.has_value);
        macros.others = macros.others || !daemon;
    }
    return macros;
}

static void add_name(struct span name, struct buf *out)
{
    struct span rest = buf_span(out), item;
    while (span_next(&rest, ',', &item))
        if (span_equal(span_trim(item), name))
            return;
    buf_append_str(out, out->len > 0 ? ", " : "");
    buf_append_span(out, name);
}

static bool add_mta(struct takeover_making *making, struct buf *out)
{
    struct table *table = signing_table(making->conf->signing, "MTA");
    struct err err = {0};
    enum status status = table != NULL ? table_load(table, &err) : ST_OK;
    for (size_t i = 0; table != NULL && status == ST_OK && i < table_count(table); i++)
        if (!table_row_at(table, i).rest)
            add_name(table_row_at(table, i).key, out);
    if (status != ST_OK)
        takeover_conf_fail(making, &err);
    return status == ST_OK;
}

static void add_macros(struct takeover_making *making, const struct table *table, struct buf *out)
{
    making->name = "MacroList";
    for (size_t i = 0; i < table_count(table); i++) {
        struct table_row row = table_row_at(table, i);
        if (row.has_value && span_equal(row.key, SPAN_LIT("daemon_name")))
            add_name(row.value, out);
    }
}

bool takeover_trust_daemons(struct takeover_making *making, const char *value, struct buf *out)
{
    const struct table *table = signing_table(making->conf->signing, "MacroList");
    struct macros macros = read_macros(table);
    (void)value;
    if (macros.any)
        takeover_conf_note(making->conf, "MacroList", NOTES_REFUSED,
                           "daemon_name without a value lets every daemon sign; here only those "
                           "that trust.daemon_names lists");
    if (macros.others)
        takeover_conf_note(making->conf, "MacroList", NOTES_CHANGED,
                           "of macros only {daemon_name} and logins can let a client sign");
    /* OpenDKIM asks MacroList after MTA, and the last answer counts. */
    if ((!macros.daemons || macros.any) && !add_mta(making, out))
        return false;
    if (macros.daemons)
        add_macros(making, table, out);
    return true;
}
