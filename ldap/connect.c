/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/connect.h"

#include <fcntl.h>
#include <openldap.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "ldap/bind.h"
#include "ldap/socket.h"

/* -- encryption --------------------------------------------------------------------------- */

/* Of a certificate that it refuses libldap says nothing. */
static enum status tls_fault(LDAP *ld, struct err *err)
{
    char *text = NULL;
    ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &text);
    bool known = text != NULL && text[0] != '\0' && strcmp(text, "(unknown error code)") != 0;
    enum status st = err_set(err, ST_TEMP, "ldap: TLS: %s",
                             known ? text
                                   : "the server's certificate is expired, of another host, or not "
                                     "vouched for by ldap.ca_file");
    ldap_memfree(text);
    return st;
}

/* Named here, because no ldap.conf is read: one may lie in the current folder. */
static const char system_ca_file[] = "/etc/ssl/certs/ca-certificates.crt";

static enum status set_up_tls(LDAP *ld, const struct settings_ldap *settings, struct err *err)
{
    int demand = LDAP_OPT_X_TLS_DEMAND, client = 0;
    const char *ca_file = settings->ca_file[0] != '\0' ? settings->ca_file : system_ca_file;
    bool good = ldap_set_option(ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand) == LDAP_OPT_SUCCESS;
    good = good && ldap_set_option(ld, LDAP_OPT_X_TLS_CACERTFILE, ca_file) == LDAP_OPT_SUCCESS;
    good = good && ldap_set_option(ld, LDAP_OPT_X_TLS_NEWCTX, &client) == LDAP_OPT_SUCCESS;
    return good ? ST_OK : err_set(err, ST_BROKEN, "ldap.ca_file: %s cannot be used", ca_file);
}

/* One attempt to connect to one host. */
struct attempt {
    const struct url *url;
    size_t host; /* which of the URL's */
    const struct settings_ldap *settings;
    int64_t deadline_ms;
    LDAP *ld;
    int fd; /* what ld talks over */
    struct socket_patience *patience;
};

/* With GnuTLS below it libldap reads in a circle until the handshake is done, whatever time-out it
 * is given; and it leaves the socket as it likes. */
static enum status start_tls(const struct attempt *attempt, struct err *err)
{
    attempt->patience->deadline_ms = attempt->deadline_ms;
    int done = ldap_install_tls(attempt->ld);
    attempt->patience->deadline_ms = 0;
    if (done != LDAP_SUCCESS)
        return clock_left_ms(attempt->deadline_ms) == 0
                   ? err_set(err, ST_TEMP, "ldap: TLS: the server does not answer")
                   : tls_fault(attempt->ld, err);
    fcntl(attempt->fd, F_SETFL, fcntl(attempt->fd, F_GETFL) | O_NONBLOCK);
    return ST_OK;
}

static enum status encrypt(const struct attempt *attempt, struct err *err)
{
    const struct url *url = attempt->url;
    if (url->local || (!url->tls && !attempt->settings->starttls))
        return ST_OK;
    enum status st = set_up_tls(attempt->ld, attempt->settings, err);
    if (st == ST_OK && !url->tls)
        st = bind_ask_for_tls(attempt->ld, attempt->deadline_ms, err);
    return st == ST_OK ? start_tls(attempt, err) : st;
}

/* -- one host, and the next --------------------------------------------------------------- */

static enum status open_host(struct attempt *attempt, struct err *err)
{
    const struct url *url = attempt->url;
    const char *name = url->hosts[attempt->host];
    LDAPURLDesc *host = NULL;
    int version = LDAP_VERSION3;
    if (ldap_url_parse(name, &host) != LDAP_URL_SUCCESS)
        return err_set(err, ST_INVALID, "store.url: host %zu cannot be read", attempt->host + 1);
    enum status st = socket_open(host, url->local, attempt->deadline_ms, &attempt->fd, err);
    ldap_free_urldesc(host);
    if (st != ST_OK)
        return st;
    if (ldap_init_fd(attempt->fd, LDAP_PROTO_EXT, name, &attempt->ld) != LDAP_SUCCESS) {
        close(attempt->fd);
        return err_set(err, ST_TEMP, "ldap: no memory");
    }
    st = socket_attach(attempt->ld, &attempt->patience, err);
    if (st != ST_OK) {
        ldap_unbind_ext(attempt->ld, NULL, NULL);
        return st;
    }
    ldap_set_option(attempt->ld, LDAP_OPT_PROTOCOL_VERSION, &version);
    ldap_set_option(attempt->ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
    /* Kerberos takes the host's name from the URL, not from whoever answers for its address. */
    ldap_set_option(attempt->ld, LDAP_OPT_X_SASL_NOCANON, LDAP_OPT_ON);
    return ST_OK;
}

static enum status connect_host(struct attempt *attempt, struct err *err)
{
    enum status st = open_host(attempt, err);
    if (st != ST_OK)
        return st;
    st = encrypt(attempt, err);
    if (st == ST_OK)
        st = bind_account(attempt->ld, attempt->settings, attempt->deadline_ms, err);
    if (st != ST_OK)
        ldap_unbind_ext(attempt->ld, NULL, NULL);
    return st;
}

enum status connect_any(const struct url *url, const struct settings_ldap *settings,
                        int64_t deadline_ms, LDAP **out, struct err *err)
{
    enum status st = ST_TEMP;
    for (size_t i = 0; i < url->count && st == ST_TEMP; i++) {
        int64_t share_ms = clock_left_ms(deadline_ms) / (int64_t)(url->count - i);
        struct attempt attempt = {.url = url, .host = i, .settings = settings};
        attempt.deadline_ms = clock_monotonic_ms() + share_ms;
        st = connect_host(&attempt, err);
        if (st == ST_OK)
            *out = attempt.ld;
    }
    return st;
}
