/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/takeover_conf.h"

#include <stdlib.h>
#include <string.h>

#include "opendkim/peers.h"

/* Appends the value that a setting is to have; false: it stays as it is. */
typedef bool convert(const struct takeover_conf *conf, const char *value, struct buf *out);

static void note(const struct takeover_conf *conf, const char *name, enum notes_grade grade,
                 const char *text)
{
    notes_add(conf->notes, grade, configuration_place(conf->configuration, name), "%s: %s", name,
              text);
}

static void append_lower(struct span text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++)
        buf_append_char(out, ascii_lower(text.data[i]));
}

/* -- single values ------------------------------------------------------------------------ */

static bool as_it_is(const struct takeover_conf *conf, const char *value, struct buf *out)
{
    (void)conf;
    append_lower(span_str(value), out);
    return true;
}

/* inet:port[@host], inet6:port[@host], local:/path, unix:/path or a path. */
static bool convert_socket(const struct takeover_conf *conf, const char *value, struct buf *out)
{
    struct span text = span_trim(span_str(value));
    size_t colon = span_find(text, ':');
    struct span kind = span_head(text, colon), rest = span_from(text, colon + 1);
    bool inet = span_equal_nocase(kind, SPAN_LIT("inet"));
    (void)conf;
    if (text.len > 0 && text.data[0] == '/') {
        buf_append_str(out, "unix:");
        buf_append_span(out, text);
    } else if (span_equal_nocase(kind, SPAN_LIT("local")) ||
               span_equal_nocase(kind, SPAN_LIT("unix"))) {
        buf_append_str(out, "unix:");
        buf_append_span(out, rest);
    } else if (inet || span_equal_nocase(kind, SPAN_LIT("inet6"))) {
        append_lower(kind, out);
        buf_append_char(out, ':');
        buf_append_span(out, rest);
        if (span_find(rest, '@') == rest.len)
            buf_append_str(out, inet ? "@0.0.0.0" : "@::");
    } else {
        return false;
    }
    return true;
}

static bool convert_mode(const struct takeover_conf *conf, const char *value, struct buf *out)
{
    if (strchr(value, 'v') != NULL)
        note(conf, "Mode", NOTES_CHANGED, "this version only signs; keep OpenDKIM for verifying");
    buf_append_str(out, "s");
    return true;
}

static bool convert_user(const struct takeover_conf *conf, const char *value, struct buf *out)
{
    struct span text = span_str(value);
    (void)conf;
    buf_append_span(out, span_head(text, span_find(text, ':')));
    return true;
}

static bool convert_group(const struct takeover_conf *conf, const char *value, struct buf *out)
{
    struct span text = span_str(value);
    (void)conf;
    buf_append_span(out, span_from(text, span_find(text, ':') + 1));
    return out->len > 0;
}

static bool convert_umask(const struct takeover_conf *conf, const char *value, struct buf *out)
{
    int64_t mask = configuration_number(conf->configuration, "UMask");
    (void)value;
    buf_printf(out, "%04o", (unsigned)(0777 & ~mask));
    return mask >= 0 && mask <= 0777;
}

static bool convert_ttl(const struct takeover_conf *conf, const char *value, struct buf *out)
{
    int64_t seconds = configuration_number(conf->configuration, "SignatureTTL");
    (void)value;
    buf_printf(out, "%llds", (long long)seconds);
    return seconds >= 0;
}

static bool convert_flag(const struct takeover_conf *conf, const char *value, struct buf *out)
{
    (void)value;
    buf_append_str(out, configuration_flag(conf->configuration, "SoftwareHeader") ? "yes" : "no");
    return true;
}

static bool convert_error(const struct takeover_conf *conf, const char *value, struct buf *out)
{
    (void)conf;
    buf_append_str(out, value[0] == 'a' || value[0] == 'A' ? "accept" : "tempfail");
    return true;
}

static bool convert_algorithm(const struct takeover_conf *conf, const char *value, struct buf *out)
{
    if (!span_equal_nocase(span_str(value), SPAN_LIT("rsa-sha1")))
        return as_it_is(conf, value, out);
    note(conf, "SignatureAlgorithm", NOTES_CHANGED,
         "rsa-sha1 is not made here (RFC 8301), but rsa-sha256 with the same keys");
    buf_append_str(out, "rsa-sha256");
    return true;
}

/* -- lists ---------------------------------------------------------------------------------- */

static bool convert_peers(const struct takeover_conf *conf, const char *name, struct buf *out)
{
    struct table *table = signing_table(conf->signing, name);
    struct err err = {0};
    if (table == NULL)
        return false;
    if (peers_translate(table, out, &err) == ST_OK)
        return true;
    note(conf, name, NOTES_REFUSED, err.text);
    return false;
}

static bool convert_internal(const struct takeover_conf *conf, const char *value, struct buf *out)
{
    (void)value;
    return convert_peers(conf, "InternalHosts", out);
}

static bool convert_exempt(const struct takeover_conf *conf, const char *value, struct buf *out)
{
    (void)value;
    return convert_peers(conf, "PeerList", out);
}

static bool convert_mta(const struct takeover_conf *conf, const char *value, struct buf *out)
{
    struct table *table = signing_table(conf->signing, "MTA");
    (void)value;
    for (size_t i = 0; table != NULL && i < table_count(table); i++)
        buf_printf(out, "%s%.*s", i > 0 ? ", " : "", (int)table_row_at(table, i).key.len,
                   table_row_at(table, i).key.data);
    return true;
}

static void append_item(struct span item, struct buf *out)
{
    buf_append_str(out, out->len > 0 ? ", " : "");
    buf_append_span(out, item);
}

/* Whether a list has `word`, and not with a minus before it. */
static bool has_item(struct span list, struct span word)
{
    struct span item;
    while (span_next(&list, ',', &item)) {
        item = span_trim(item);
        if (item.len > 0 && item.data[0] == '+')
            item = span_from(item, 1);
        if (span_equal_nocase(item, word))
            return true;
    }
    return false;
}

static bool is_removed(struct span list, struct span word)
{
    struct span item;
    while (span_next(&list, ',', &item)) {
        item = span_trim(item);
        if (item.len > 0 && item.data[0] == '-' && span_equal_nocase(span_from(item, 1), word))
            return true;
    }
    return false;
}

/* Adds the items of a list that neither another list removes nor are there already. */
static void add_items(struct span list, struct span removed, struct span omitted, struct buf *out)
{
    struct span item;
    while (span_next(&list, ',', &item)) {
        item = span_trim(item);
        if (item.len > 0 && item.data[0] == '+')
            item = span_from(item, 1);
        bool wanted = item.len > 0 && item.data[0] != '-' && item.data[0] != '*' &&
                      !is_removed(removed, item) && !has_item(omitted, item) &&
                      !has_item(buf_span(out), item);
        if (wanted)
            append_item(item, out);
    }
}

static struct span without_type(const char *value)
{
    struct span text = span_str(value);
    return span_has_prefix(text, SPAN_LIT("csl:")) ? span_from(text, 4) : text;
}

/* `*` is what is signed anyway, `+name` more, `-name` less; a plain list is that list. */
static bool convert_headers(const struct takeover_conf *conf, const char *value, struct buf *out)
{
    const char *omitted = configuration_text(conf->configuration, "OmitHeaders");
    struct span list = without_type(value != NULL ? value : "*");
    struct span omit = without_type(omitted != NULL ? omitted : "");
    struct buf own = BUF_INIT(0);
    if (value == NULL && omitted == NULL)
        return false;
    if (has_item(list, SPAN_LIT("*")) || span_find(list, '+') < list.len ||
        span_find(list, '-') == 0)
        add_items(span_str(conf->settings->sign.headers), list, omit, out);
    add_items(list, list, omit, out);
    buf_clear(&own);
    return out->len > 0;
}

static bool convert_oversign(const struct takeover_conf *conf, const char *value, struct buf *out)
{
    (void)conf;
    if (value != NULL)
        add_items(without_type(value), SPAN_LIT(""), SPAN_LIT(""), out);
    return true; /* without it nothing was */
}

static bool convert_author(const struct takeover_conf *conf, const char *value, struct buf *out)
{
    struct span list = without_type(value), first;
    struct span rest = list;
    if (!span_next(&rest, ',', &first))
        return false;
    bool both = has_item(list, SPAN_LIT("Sender"));
    if (!span_equal_nocase(span_trim(first), SPAN_LIT("From")))
        note(conf, "SenderHeaders", NOTES_CHANGED, "From is always asked first here");
    buf_append_str(out, both ? "from,sender" : "from");
    return true;
}

/* -- the table ------------------------------------------------------------------------------ */

static const struct {
    const char *section, *key;
    const char *name; /* in opendkim.conf */
    convert *make;
    bool always; /* also when opendkim.conf does not say; then with its default or NULL */
} conversions[] = {
    {"server", "listen", "Socket", convert_socket, false},
    {"server", "mode", "Mode", convert_mode, true},
    {"server", "user", "UserID", convert_user, false},
    {"server", "group", "UserID", convert_group, false},
    {"server", "socket_mode", "UMask", convert_umask, false},
    {"sign", "canonicalization", "Canonicalization", as_it_is, true},
    {"sign", "headers", "SignHeaders", convert_headers, true},
    {"sign", "oversign", "OverSignHeaders", convert_oversign, true},
    {"sign", "expiry", "SignatureTTL", convert_ttl, true},
    {"sign", "author", "SenderHeaders", convert_author, false},
    {"sign", "software_header", "SoftwareHeader", convert_flag, true},
    {"sign", "on_store_error", "On-InternalError", convert_error, true},
    {"trust", "internal_hosts", "InternalHosts", convert_internal, true},
    {"trust", "exempt", "PeerList", convert_exempt, false},
    {"trust", "daemon_names", "MTA", convert_mta, true},
    {"lifecycle", "algorithms", "SignatureAlgorithm", convert_algorithm, false},
    {"log", "facility", "SyslogFacility", as_it_is, false},
};
enum { CONVERSIONS = sizeof conversions / sizeof conversions[0] };

/* OpenDKIM knows no tenants: who logs in may sign for all. `log` does that and tells. */
static bool is_tenant_check(const struct settings_row *row)
{
    return strcmp(row->section, "trust") == 0 && strcmp(row->key, "tenant_check") == 0;
}

static bool make_value(const struct takeover_conf *conf, const struct settings_row *row,
                       struct buf *out)
{
    for (size_t i = 0; i < CONVERSIONS; i++) {
        const char *name = conversions[i].name;
        if (strcmp(conversions[i].section, row->section) != 0 ||
            strcmp(conversions[i].key, row->key) != 0)
            continue;
        const struct configuration_value *set = configuration_find(conf->configuration, name);
        if (set == NULL && !conversions[i].always)
            return false;
        return conversions[i].make(conf, configuration_text(conf->configuration, name), out);
    }
    return false;
}

static void write_row(const struct takeover_conf *conf, const struct settings_row *row,
                      const char **section_io, struct buf *out)
{
    struct buf value = BUF_INIT(0);
    bool made = make_value(conf, row, &value);
    if (is_tenant_check(row)) {
        buf_append_str(&value, "log");
        made = true;
    }
    if (made || row->line != 0) {
        if (*section_io == NULL || strcmp(*section_io, row->section) != 0)
            buf_printf(out, "%s[%s]\n", *section_io != NULL ? "\n" : "", row->section);
        *section_io = row->section;
        if (is_tenant_check(row))
            buf_append_str(out,
                           "# As OpenDKIM, which lets any login sign for any domain. When the log "
                           "has no lines\n# \"tenant_check:\" that should not be there: enforce\n");
        const char *text = made ? buf_cstr(&value) : row->value;
        buf_printf(out, "%s =%s%s\n", row->key, text[0] != '\0' ? " " : "", text);
    }
    buf_clear(&value);
}

enum status takeover_conf_make(const struct takeover_conf *conf, struct buf *out, struct err *err)
{
    struct settings_walk walk = {.settings = conf->settings};
    struct settings_row row;
    const char *section = NULL;
    while (settings_next(&walk, &row))
        write_row(conf, &row, &section, out);
    return buf_check(out, "settings", err);
}
