/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/import_opendkim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/lines.h"
#include "admin/takeover_conf.h"
#include "admin/takeover_dns.h"
#include "admin/takeover_owner.h"
#include "admin/takeover_report.h"
#include "admin/takeover_source.h"
#include "admin/takeover_store.h"

enum { TIMEOUT_MS = 30000, DOMAINS_MAX = 5000000 };

/* One import. */
struct migration {
    struct admin *admin;
    const struct args *args;
    struct notes *notes;
    struct configuration configuration;
    struct takeover_context context;
    struct signing *signing;
    struct takeover takeover;
    char **domains; /* of --domains */
    size_t domain_count;
    struct takeover_dns dns;
    struct takeover_store store;
    struct buf conf;
};

/* -- reading -------------------------------------------------------------------------------- */

/* Whose names of files begin in OpenDKIM's folder, but on a command line where one stands. */
static bool names_file(struct span type)
{
    return span_equal_nocase(type, SPAN_LIT("file")) ||
           span_equal_nocase(type, SPAN_LIT("refile")) || span_equal_nocase(type, SPAN_LIT("db"));
}

/* As OpenDKIM tells a data base by its name. */
static const char *type_of(const char *path)
{
    size_t len = strlen(path);
    return len > 3 && strcmp(path + len - 3, ".db") == 0 ? "db" : "file";
}

/* Whether a value without a type can only be the name of a file: a table that stands there itself
 * has values, and of hosts what follows a slash is a number. */
static bool is_path(const char *name, const char *value)
{
    struct span text = span_str(value);
    const char *slash = strrchr(value, '/');
    bool word = span_find(text, ':') == text.len && span_find(text, ',') == text.len;
    bool hosts = strcmp(name, "InternalHosts") == 0;
    if (value[0] == '/' || span_has_prefix(text, SPAN_LIT("./")) ||
        span_has_prefix(text, SPAN_LIT("../")))
        return true;
    return word &&
           (hosts ? slash != NULL && !ascii_digit(slash[1]) : span_find(text, '=') == text.len);
}

static void make_absolute(const char *value, struct buf *out)
{
    size_t colon = span_find(span_str(value), ':');
    struct span type = span_head(span_str(value), colon);
    const char *path = value[colon] == ':' ? value + colon + 1 : value;
    bool typed = value[colon] == ':' && names_file(type);
    char *whole = typed || value[colon] == '\0' ? realpath(path, NULL) : NULL;
    if (whole != NULL && typed)
        buf_printf(out, "%.*s:%s", (int)type.len, type.data, whole);
    else
        buf_printf(out, "%s%s%s", whole != NULL ? type_of(value) : "", whole != NULL ? ":" : "",
                   whole != NULL ? whole : value);
    free(whole);
}

static enum status override(struct migration *m, const char *option, const char *name,
                            struct err *err)
{
    const char *value = args_option(m->args, option);
    struct buf whole = BUF_INIT(0);
    if (value == NULL)
        return ST_OK;
    if (is_path(name, value) && access(value, F_OK) != 0)
        return err_set(err, ST_INVALID, "%s: %s: %s", option, value, strerror(errno));
    make_absolute(value, &whole);
    enum status status = buf_check(&whole, option, err);
    if (status == ST_OK)
        status = configuration_set(&m->configuration, name, buf_cstr(&whole), err);
    buf_clear(&whole);
    return status;
}

/* With tables alone everything else is as OpenDKIM has it by default. Keys that it would not use
 * because others may read their files are taken, and told of. */
static enum status configure(struct migration *m, struct err *err)
{
    const char *path = args_option(m->args, "--config");
    bool tables = args_has(m->args, "--key-table") && args_has(m->args, "--signing-table");
    if (path == NULL && !tables)
        return err_set(err, ST_INVALID,
                       "give --config, or --key-table together with --signing-table");
    enum status status =
        path != NULL ? admin_named(configuration_read(path, m->notes, &m->configuration, err), err)
                     : configuration_set(&m->configuration, "Mode", "s", err);
    if (status == ST_OK)
        status = override(m, "--key-table", "KeyTable", err);
    if (status == ST_OK)
        status = override(m, "--signing-table", "SigningTable", err);
    if (status == ST_OK)
        status = override(m, "--internal-hosts", "InternalHosts", err);
    return status == ST_OK ? configuration_set(&m->configuration, "RequireSafeKeys", "no", err)
                           : status;
}

/* A table that could not be read. */
static bool lacks(const struct migration *m, const char *name)
{
    return configuration_text(&m->configuration, name) != NULL &&
           signing_table(m->signing, name) == NULL;
}

/* One line that OpenDKIM does not start with is no reason not to take over the others. */
static enum status open_signing(struct migration *m, struct err *err)
{
    m->context = (struct takeover_context){&m->configuration, m->notes, TIMEOUT_MS};
    const struct signing_options options = {.configuration = &m->configuration,
                                            .notes = m->notes,
                                            .sources = takeover_sources,
                                            .source_count = TAKEOVER_SOURCES,
                                            .source_context = &m->context,
                                            .uncut = true};
    enum status status = admin_named(signing_open(&options, &m->signing, err), err);
    if (status != ST_OK || signing_stop(m->signing)[0] == '\0')
        return status;
    if (lacks(m, "KeyTable") || lacks(m, "SigningTable") || lacks(m, "Domain"))
        return err_set(err, ST_INVALID, "%s", signing_stop(m->signing));
    notes_add(m->notes, NOTES_REFUSED, (struct notes_place){NULL, 0},
              "OpenDKIM does not start with this: %s", signing_stop(m->signing));
    signing_forgive(m->signing);
    return ST_OK;
}

static enum status add_domain(struct migration *m, struct span line, struct err *err)
{
    char name[DKIM_DOMAIN_SIZE];
    if (line.len == 0 || line.data[0] == '#')
        return ST_OK;
    if (dkim_domain_normalize(line, name, err) != ST_OK)
        return ST_INVALID;
    if ((m->domain_count & (m->domain_count - 1)) == 0) {
        char **grown = realloc(m->domains, 2 * (m->domain_count + 1) * sizeof *grown);
        if (grown == NULL)
            return err_set(err, ST_TEMP, "no memory");
        m->domains = grown;
    }
    m->domains[m->domain_count] = strdup(name);
    return m->domains[m->domain_count++] != NULL ? ST_OK : err_set(err, ST_TEMP, "no memory");
}

static enum status read_domains(struct migration *m, struct err *err)
{
    const char *path = args_option(m->args, "--domains");
    struct lines lines = {.fd = -1};
    if (path == NULL)
        return ST_OK;
    enum status status = lines_open(path, &lines, err);
    while (status == ST_OK && (status = lines_next(&lines, err)) == ST_OK) {
        status = m->domain_count < DOMAINS_MAX
                     ? add_domain(m, span_trim(buf_span(&lines.text)), err)
                     : err_set(err, ST_INVALID, "more than %d domains", DOMAINS_MAX);
        if (status != ST_OK)
            err_context(err, "%s:%lld", path, (long long)lines.number);
    }
    lines_close(&lines);
    return status == ST_NOT_FOUND ? ST_OK : status;
}

static enum status plan(struct migration *m, struct err *err)
{
    const struct takeover_domains domains = {(const char *const *)m->domains, m->domain_count};
    m->takeover.signing = m->signing;
    m->takeover.configuration = &m->configuration;
    m->takeover.notes = m->notes;
    enum status status = takeover_plan(&m->takeover, &domains, err);
    if (status == ST_OK)
        status =
            takeover_owner_review(m->admin, &m->takeover, args_option(m->args, "--tenant"), err);
    return status == ST_OK ? takeover_make_rules(&m->takeover, err) : status;
}

/* -- the settings file ------------------------------------------------------------------------ */

static enum status make_conf(struct migration *m, struct err *err)
{
    struct takeover_conf conf = {
        .configuration = &m->configuration, .signing = m->signing, .notes = m->notes};
    enum status status = admin_settings(m->admin, &conf.settings, err);
    return status == ST_OK ? takeover_conf_make(&conf, &m->conf, err) : status;
}

/* Never over a file that is there. That, and whether there is a place for it, is better known
 * before the store is changed. */
static enum status check_conf(const struct migration *m, struct err *err)
{
    struct stat known;
    const char *path = args_option(m->args, "--write-conf");
    if (path == NULL)
        return ST_OK;
    if (lstat(path, &known) == 0)
        return err_set(err, ST_CONFLICT,
                       "--write-conf: %s: is there already and is not written over", path);
    const char *slash = strrchr(path, '/');
    char *folder =
        slash != NULL ? span_dup(span_of(path, (size_t)(slash + 1 - path))) : strdup(".");
    if (folder == NULL)
        return err_set(err, ST_TEMP, "no memory");
    bool fine = access(folder, W_OK | X_OK) == 0;
    int fault = errno;
    free(folder);
    return fine ? ST_OK : err_set(err, ST_INVALID, "--write-conf: %s: %s", path, strerror(fault));
}

static enum status write_conf(const struct migration *m, struct err *err)
{
    const char *path = args_option(m->args, "--write-conf");
    if (path == NULL || m->admin->dry_run)
        return ST_OK;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_set(err, errno == EEXIST ? ST_CONFLICT : ST_INVALID, "--write-conf: %s: %s",
                       path, strerror(errno));
    bool whole = write(fd, m->conf.data, m->conf.len) == (ssize_t)m->conf.len;
    int fault = errno;
    if (close(fd) == 0 && whole)
        return ST_OK;
    (void)unlink(path);
    return err_set(err, ST_TEMP, "%s: %s", path, strerror(fault));
}

/* -- the whole -------------------------------------------------------------------------------- */

static enum status prepare(struct migration *m, struct err *err)
{
    enum status status = takeover_owner_check(args_option(m->args, "--tenant"), err);
    if (status == ST_OK)
        status = check_conf(m, err);
    if (status == ST_OK)
        status = configure(m, err);
    if (status == ST_OK)
        status = read_domains(m, err);
    if (status == ST_OK)
        status = open_signing(m, err);
    if (status == ST_OK)
        status = plan(m, err);
    return status == ST_OK ? make_conf(m, err) : status;
}

static enum status carry_out(struct migration *m, struct err *err)
{
    m->store = (struct takeover_store){
        .admin = m->admin, .takeover = &m->takeover, .tenant = args_option(m->args, "--tenant")};
    enum status status = ST_OK;
    if (args_has(m->args, "--check-dns"))
        status = takeover_dns_check(m->admin, &m->takeover, &m->dns, err);
    if (status == ST_OK)
        status = takeover_store_run(&m->store, err);
    return status == ST_OK ? notes_check(m->notes, err) : status;
}

/* Keys that nobody can verify are taken over, as OpenDKIM signs with them. */
static enum status verdict(const struct migration *m, struct err *err)
{
    size_t refused = notes_count_of(m->notes, NOTES_REFUSED);
    size_t unproven = m->dns.unverifiable + m->dns.silent;
    if (refused + unproven == 0)
        return ST_OK;
    if (unproven == 0)
        return err_set(err, ST_NOT_FOUND, "%zu %s not taken over", refused,
                       refused == 1 ? "thing is" : "things are");
    return err_set(
        err, ST_NOT_FOUND,
        "%zu not taken over; of the keys, DNS does not show %zu, and says nothing of %zu", refused,
        m->dns.unverifiable, m->dns.silent);
}

/* What was done is told also if the settings cannot be written. */
static enum status conclude(const struct migration *m, struct err *err)
{
    const struct takeover_report report = {&m->store, buf_span(&m->conf)};
    takeover_report_tell(m->admin, &report);
    enum status status = write_conf(m, err);
    return status == ST_OK ? verdict(m, err) : status;
}

static void clear(struct migration *m)
{
    for (size_t i = 0; i < m->domain_count; i++)
        free(m->domains[i]);
    free(m->domains);
    takeover_clear(&m->takeover);
    signing_close(m->signing);
    configuration_clear(&m->configuration);
    notes_free(m->notes);
    buf_clear(&m->conf);
}

enum status import_opendkim(struct admin *admin, const struct args *args, struct err *err)
{
    struct migration m = {.admin = admin, .args = args, .notes = notes_new()};
    admin->dry_run = admin->dry_run || !admin->yes;
    enum status status = m.notes != NULL ? prepare(&m, err) : err_set(err, ST_TEMP, "no memory");
    if (status == ST_OK)
        status = carry_out(&m, err);
    if (status == ST_OK)
        status = conclude(&m, err);
    clear(&m);
    return status;
}
