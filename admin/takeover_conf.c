/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/takeover_conf.h"

#include <string.h>

#include "admin/takeover_headers.h"
#include "admin/takeover_trust.h"

void takeover_conf_note(const struct takeover_conf *conf, const char *name, enum notes_grade grade,
                        const char *text)
{
    notes_add(conf->notes, grade, configuration_place(conf->configuration, name), "%s: %s", name,
              text);
}

void takeover_conf_fail(struct takeover_making *making, const struct err *err)
{
    if (err->code != ST_TEMP)
        takeover_conf_note(making->conf, making->name, NOTES_REFUSED, err->text);
    else if (making->status == ST_OK)
        making->status = err_set(making->err, ST_TEMP, "%s", err->text);
}

static void append_lower(struct span text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++)
        buf_append_char(out, ascii_lower(text.data[i]));
}

/* -- single values ------------------------------------------------------------------------ */

static bool as_it_is(struct takeover_making *making, const char *value, struct buf *out)
{
    (void)making;
    append_lower(span_str(value), out);
    return true;
}

/* inet:port[@host], inet6:port[@host], local:/path, unix:/path or a path. */
static bool convert_socket(struct takeover_making *making, const char *value, struct buf *out)
{
    struct span text = span_trim(span_str(value));
    size_t colon = span_find(text, ':');
    struct span kind = span_head(text, colon), rest = span_from(text, colon + 1);
    bool inet = span_equal_nocase(kind, SPAN_LIT("inet"));
    (void)making;
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

static bool convert_mode(struct takeover_making *making, const char *value, struct buf *out)
{
    if (strchr(value, 'v') != NULL)
        takeover_conf_note(making->conf, "Mode", NOTES_CHANGED,
                           "this version only signs; keep OpenDKIM for verifying");
    buf_append_str(out, "s");
    return true;
}

static bool convert_user(struct takeover_making *making, const char *value, struct buf *out)
{
    struct span text = span_str(value);
    (void)making;
    buf_append_span(out, span_head(text, span_find(text, ':')));
    return true;
}

static bool convert_group(struct takeover_making *making, const char *value, struct buf *out)
{
    struct span text = span_str(value);
    (void)making;
    buf_append_span(out, span_from(text, span_find(text, ':') + 1));
    return out->len > 0;
}

static bool convert_umask(struct takeover_making *making, const char *value, struct buf *out)
{
    int64_t mask = configuration_number(making->conf->configuration, "UMask");
    (void)value;
    buf_printf(out, "%04o", (unsigned)(0777 & ~mask));
    return mask >= 0 && mask <= 0777;
}

static bool convert_ttl(struct takeover_making *making, const char *value, struct buf *out)
{
    int64_t seconds = configuration_number(making->conf->configuration, "SignatureTTL");
    (void)value;
    buf_printf(out, "%llds", (long long)seconds);
    return seconds >= 0;
}

static bool convert_flag(struct takeover_making *making, const char *value, struct buf *out)
{
    (void)value;
    buf_append_str(out, configuration_flag(making->conf->configuration, "SoftwareHeader") ? "yes"
                                                                                          : "no");
    return true;
}

static bool convert_error(struct takeover_making *making, const char *value, struct buf *out)
{
    (void)making;
    buf_append_str(out, value[0] == 'a' || value[0] == 'A' ? "accept" : "tempfail");
    return true;
}

static bool convert_algorithm(struct takeover_making *making, const char *value, struct buf *out)
{
    if (!span_equal_nocase(span_str(value), SPAN_LIT("rsa-sha1")))
        return as_it_is(making, value, out);
    takeover_conf_note(making->conf, "SignatureAlgorithm", NOTES_CHANGED,
                       "rsa-sha1 is not made here (RFC 8301), but rsa-sha256 with the same keys");
    buf_append_str(out, "rsa-sha256");
    return true;
}

/* -- the table ------------------------------------------------------------------------------ */

static const struct {
    const char *section, *key;
    const char *name; /* in opendkim.conf */
    takeover_convert *make;
    bool always; /* also when opendkim.conf does not say; then with its default or NULL */
} conversions[] = {
    {"server", "listen", "Socket", convert_socket, false},
    {"server", "mode", "Mode", convert_mode, true},
    {"server", "user", "UserID", convert_user, false},
    {"server", "group", "UserID", convert_group, false},
    {"server", "socket_mode", "UMask", convert_umask, false},
    {"sign", "canonicalization", "Canonicalization", as_it_is, true},
    {"sign", "headers", "SignHeaders", takeover_headers_sign, true},
    {"sign", "oversign", "OverSignHeaders", takeover_headers_oversign, true},
    {"sign", "expiry", "SignatureTTL", convert_ttl, true},
    {"sign", "author", "SenderHeaders", takeover_headers_author, false},
    {"sign", "software_header", "SoftwareHeader", convert_flag, true},
    {"sign", "on_store_error", "On-InternalError", convert_error, true},
    {"trust", "internal_hosts", "InternalHosts", takeover_trust_internal, true},
    {"trust", "exempt", "PeerList", takeover_trust_exempt, false},
    {"trust", "daemon_names", "MTA", takeover_trust_daemons, true},
    {"lifecycle", "algorithms", "SignatureAlgorithm", convert_algorithm, false},
    {"log", "facility", "SyslogFacility", as_it_is, false},
};
enum { CONVERSIONS = sizeof conversions / sizeof conversions[0] };

/* OpenDKIM knows no tenants: who logs in may sign for all. `log` does that and tells. */
static bool is_tenant_check(const struct settings_row *row)
{
    return strcmp(row->section, "trust") == 0 && strcmp(row->key, "tenant_check") == 0;
}

/* One that would not load stays as it is. */
static bool is_valid(struct takeover_making *making, const struct settings_row *row,
                     const struct buf *value)
{
    struct buf text = BUF_INIT(0);
    struct err err = {0};
    struct span made = buf_span(value);
    buf_printf(&text, "[%s]\n%s = ", row->section, row->key);
    buf_append_span(&text, made);
    enum status status = buf_check(&text, "settings", &err);
    if (status == ST_OK && span_find(made, '\n') < made.len)
        status = err_set(&err, ST_INVALID, "has a line end in it");
    if (status == ST_OK)
        status = settings_check("the new settings", buf_span(&text), &err);
    buf_clear(&text);
    if (status != ST_OK)
        takeover_conf_fail(making, &err);
    return status == ST_OK;
}

static bool make_value(struct takeover_making *making, const struct settings_row *row,
                       struct buf *out)
{
    const struct configuration *configuration = making->conf->configuration;
    for (size_t i = 0; i < CONVERSIONS; i++) {
        const char *name = conversions[i].name;
        if (strcmp(conversions[i].section, row->section) != 0 ||
            strcmp(conversions[i].key, row->key) != 0)
            continue;
        if (configuration_find(configuration, name) == NULL && !conversions[i].always)
            return false;
        making->name = name;
        return conversions[i].make(making, configuration_text(configuration, name), out) &&
               is_valid(making, row, out);
    }
    return false;
}

static void write_row(struct takeover_making *making, const struct settings_row *row,
                      const char **section_io, struct buf *out)
{
    struct buf value = BUF_INIT(0);
    bool made = make_value(making, row, &value);
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
    struct takeover_making making = {.conf = conf, .err = err};
    struct settings_walk walk = {.settings = conf->settings};
    struct settings_row row;
    const char *section = NULL;
    while (settings_next(&walk, &row))
        write_row(&making, &row, &section, out);
    enum status status = making.status;
    if (status == ST_OK)
        status = buf_check(out, "settings", err);
    return status == ST_OK ? settings_check("the new settings", buf_span(out), err) : status;
}
