/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/takeover_conf.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
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
    struct buf text = BUF_INIT(0);
    buf_printf(&text, "%s; [%s] %s stays as it is", err->text, making->row->section,
               making->row->key);
    if (err->code != ST_TEMP)
        takeover_conf_note(making->conf, making->name, NOTES_REFUSED, buf_cstr(&text));
    else if (making->status == ST_OK)
        making->status = err_set(making->err, ST_TEMP, "%s", err->text);
    buf_clear(&text);
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

/* The socket is made by another user than OpenDKIM's, and in another service. */
static void convert_path(struct takeover_making *making, struct span path, struct buf *out)
{
    buf_append_str(out, "unix:");
    buf_append_span(out, path);
    if (span_has_prefix(path, SPAN_LIT("/")))
        takeover_conf_note(making->conf, "Socket", NOTES_CHANGED,
                           "the socket's group is that of server.group, and its folder must be "
                           "there without OpenDKIM and writable to inkand's service");
}

/* A port may be the name of a service; without a host it is open on all addresses. */
static void convert_port(struct span kind, struct span rest, struct buf *out)
{
    struct span port = span_head(rest, span_find(rest, '@'));
    char *name = span_dup(port);
    const struct servent *service = name != NULL ? getservbyname(name, "tcp") : NULL;
    free(name);
    append_lower(kind, out);
    buf_append_char(out, ':');
    if (service != NULL)
        buf_printf(out, "%u", ntohs((uint16_t)service->s_port));
    else
        buf_append_span(out, port);
    if (port.len < rest.len)
        buf_append_span(out, span_from(rest, port.len));
    else
        buf_append_str(out, span_equal_nocase(kind, SPAN_LIT("inet")) ? "@0.0.0.0" : "@::");
}

/* inet:port[@host], inet6:port[@host], local:/path, unix:/path, :/path or a path. */
static bool convert_socket(struct takeover_making *making, const char *value, struct buf *out)
{
    struct span text = span_trim(span_str(value));
    size_t colon = span_find(text, ':');
    struct span kind = span_head(text, colon), rest = span_from(text, colon + 1);
    if (span_equal_nocase(kind, SPAN_LIT("inet")) || span_equal_nocase(kind, SPAN_LIT("inet6")))
        convert_port(kind, rest, out);
    else if (span_has_prefix(text, SPAN_LIT("/")))
        convert_path(making, text, out);
    else if (kind.len == 0 || span_equal_nocase(kind, SPAN_LIT("local")) ||
             span_equal_nocase(kind, SPAN_LIT("unix")))
        convert_path(making, rest, out);
    else
        buf_append_span(out, text); /* which is refused */
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

static bool convert_umask(struct takeover_making *making, const char *value, struct buf *out)
{
    (void)value;
    buf_printf(out, "%04o",
               (unsigned)(0777 & ~configuration_number(making->conf->configuration, "UMask")));
    return true;
}

static bool convert_ttl(struct takeover_making *making, const char *value, struct buf *out)
{
    (void)value;
    buf_printf(out, "%llds",
               (long long)configuration_number(making->conf->configuration, "SignatureTTL"));
    return true;
}

static bool convert_flag(struct takeover_making *making, const char *value, struct buf *out)
{
    (void)value;
    buf_append_str(out, configuration_flag(making->conf->configuration, "SoftwareHeader") ? "yes"
                                                                                          : "no");
    return true;
}

/* On-Default counts where On-InternalError says nothing. */
static bool convert_error(struct takeover_making *making, const char *value, struct buf *out)
{
    const struct configuration *configuration = making->conf->configuration;
    const char *general = configuration_text(configuration, "On-Default");
    if (general != NULL && configuration_find(configuration, "On-InternalError") == NULL)
        value = general;
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

/* OpenDKIM signs for whoever logs in and for internal hosts, without a setting for it. */
static bool convert_yes(struct takeover_making *making, const char *value, struct buf *out)
{
    (void)making;
    (void)value;
    buf_append_str(out, "yes");
    return true;
}

/* It knows no tenants: who logs in may sign for all. `log` does that and tells. */
static bool convert_tenants(struct takeover_making *making, const char *value, struct buf *out)
{
    (void)making;
    (void)value;
    buf_append_str(out, "log");
    return true;
}

/* -- the table ------------------------------------------------------------------------------ */

struct conversion {
    const char *section, *key;
    const char *name; /* in opendkim.conf; NULL: it has no setting for it */
    takeover_convert *make;
    bool always; /* also when opendkim.conf does not say; then with its default or NULL */
};

/* All that decides who gets a signature and what is signed is there `always`. */
static const struct conversion conversions[] = {
    {"server", "listen", "Socket", convert_socket, false},
    {"server", "mode", "Mode", convert_mode, true},
    {"server", "socket_mode", "UMask", convert_umask, false},
    {"sign", "canonicalization", "Canonicalization", as_it_is, true},
    {"sign", "headers", "SignHeaders", takeover_headers_sign, true},
    {"sign", "oversign", "OverSignHeaders", takeover_headers_oversign, true},
    {"sign", "expiry", "SignatureTTL", convert_ttl, true},
    {"sign", "author", "SenderHeaders", takeover_headers_author, true},
    {"sign", "software_header", "SoftwareHeader", convert_flag, true},
    {"sign", "on_store_error", "On-InternalError", convert_error, true},
    {"trust", "internal_hosts", "InternalHosts", takeover_trust_internal, true},
    {"trust", "authenticated", NULL, convert_yes, true},
    {"trust", "daemon_names", "MTA", takeover_trust_daemons, true},
    {"trust", "tenant_check", NULL, convert_tenants, true},
    {"trust", "internal_is_provider", NULL, convert_yes, true},
    {"trust", "exempt", "PeerList", takeover_trust_exempt, true},
    {"lifecycle", "algorithms", "SignatureAlgorithm", convert_algorithm, false},
    {"log", "facility", "SyslogFacility", as_it_is, false},
};

static bool is_of(const struct settings_row *row, const char *section, const char *key)
{
    return strcmp(row->section, section) == 0 && strcmp(row->key, key) == 0;
}

static const struct conversion *find_conversion(const struct settings_row *row)
{
    for (size_t i = 0; i < sizeof conversions / sizeof conversions[0]; i++)
        if (is_of(row, conversions[i].section, conversions[i].key))
            return &conversions[i];
    return NULL;
}

/* -- one setting ---------------------------------------------------------------------------- */

/* Puts the value as `inkan conf show` has it. */
static void show(const struct settings *settings, const struct settings_row *row, struct buf *value)
{
    struct settings_walk walk = {.settings = settings};
    struct settings_row each;
    buf_reset(value);
    while (settings_next(&walk, &each))
        if (is_of(&each, row->section, row->key))
            buf_append_str(value, each.value);
}

/* One that would not load stays as it is. */
static bool is_valid(struct takeover_making *making, struct buf *value)
{
    struct buf text = BUF_INIT(0);
    struct settings *settings = NULL;
    struct err err = {0};
    struct span made = buf_span(value);
    buf_printf(&text, "[%s]\n%s = ", making->row->section, making->row->key);
    buf_append_span(&text, made);
    enum status status = buf_check(&text, "settings", &err);
    if (status == ST_OK && span_find(made, '\n') < made.len)
        status = err_set(&err, ST_INVALID, "has a line end in it");
    if (status == ST_OK)
        status = settings_read("the new settings", buf_span(&text), &settings, &err);
    if (status == ST_OK)
        show(settings, making->row, value);
    else
        takeover_conf_fail(making, &err);
    settings_free(settings);
    buf_clear(&text);
    return status == ST_OK;
}

static bool make_value(struct takeover_making *making, const struct conversion *conversion,
                       struct buf *out)
{
    const struct configuration *configuration = making->conf->configuration;
    const char *name = conversion->name;
    if (!conversion->always && configuration_find(configuration, name) == NULL)
        return false;
    making->name = name;
    return conversion->make(making, name != NULL ? configuration_text(configuration, name) : NULL,
                            out) &&
           is_valid(making, out);
}

/* But for blanks. */
static bool is_same(const char *a, const char *b)
{
    for (;; a++, b++) {
        a += strspn(a, " ");
        b += strspn(b, " ");
        if (*a != *b || *a == '\0')
            return *a == *b;
    }
}

/* What the present settings say of signing, and OpenDKIM does not. */
static void note_present(const struct takeover_making *making, const struct conversion *conversion,
                         const char *value)
{
    const struct settings_row *row = making->row;
    const struct notes_place place = {making->conf->settings->path, (size_t)row->line};
    bool decides = strcmp(row->section, "sign") == 0 || strcmp(row->section, "trust") == 0;
    if (row->line == 0 || !decides)
        return;
    if (conversion == NULL)
        notes_add(making->conf->notes, NOTES_CHANGED, place,
                  "[%s] %s stays as it is; OpenDKIM has nothing like it", row->section, row->key);
    else if (value != NULL && !is_same(row->value, value))
        notes_add(
            making->conf->notes, NOTES_CHANGED, place,
            "[%s] %s: the present value \"%.200s\" is not what OpenDKIM does, and is replaced",
            row->section, row->key, row->value);
}

/* -- the file ------------------------------------------------------------------------------- */

static void write_value(const struct settings_row *row, const char *value, const char **section_io,
                        struct buf *out)
{
    if (*section_io == NULL || strcmp(*section_io, row->section) != 0)
        buf_printf(out, "%s[%s]\n", *section_io != NULL ? "\n" : "", row->section);
    *section_io = row->section;
    if (is_of(row, "trust", "tenant_check"))
        buf_append_str(out,
                       "# As OpenDKIM, which lets any login sign for any domain. When the log "
                       "has no lines\n# \"tenant_check:\" that should not be there: enforce\n");
    buf_printf(out, "%s =%s%s\n", row->key, value[0] != '\0' ? " " : "", value);
}

/* What is empty by default need not be said. */
static void write_row(struct takeover_making *making, const char **section_io, struct buf *out)
{
    const struct settings_row *row = making->row;
    const struct conversion *conversion = find_conversion(row);
    struct buf value = BUF_INIT(0);
    bool made = conversion != NULL && make_value(making, conversion, &value);
    note_present(making, conversion, made ? buf_cstr(&value) : NULL);
    if (row->line != 0 || (made && (value.len > 0 || row->fallback[0] != '\0')))
        write_value(row, made ? buf_cstr(&value) : row->value, section_io, out);
    buf_clear(&value);
}

enum status takeover_conf_make(const struct takeover_conf *conf, struct buf *out, struct err *err)
{
    struct settings_walk walk = {.settings = conf->settings};
    struct settings_row row;
    struct takeover_making making = {.conf = conf, .row = &row, .err = err};
    struct settings *settings = NULL;
    const char *section = NULL;
    while (settings_next(&walk, &row))
        write_row(&making, &section, out);
    enum status status = making.status;
    if (status == ST_OK)
        status = buf_check(out, "settings", err);
    if (status == ST_OK)
        status = settings_read("the new settings", buf_span(out), &settings, err);
    settings_free(settings);
    return status;
}
