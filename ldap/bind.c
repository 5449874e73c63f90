/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/bind.h"

#include <sasl/sasl.h>
#include <string.h>
#include <sys/time.h>

#include "base/clock.h"
#include "base/secretfile.h"

enum { PASSWORD_MAX = 1024 };

/* -- answers ------------------------------------------------------------------------------ */

static enum status wait_for(LDAP *ld, int id, int64_t deadline_ms, LDAPMessage **out,
                            struct err *err)
{
    int64_t left_ms = clock_left_ms(deadline_ms);
    struct timeval left = {.tv_sec = left_ms / 1000, .tv_usec = left_ms % 1000 * 1000};
    int type = ldap_result(ld, id, LDAP_MSG_ALL, &left, out);
    if (type == 0)
        return err_set(err, ST_TEMP, "ldap: the server does not answer");
    return type < 0 ? err_set(err, ST_TEMP, "ldap: the server is gone") : ST_OK;
}

/* A server in trouble may know no passwords; one that says no means it. */
static enum status fault(int code, const char *what, const char *text, struct err *err)
{
    bool refused = code == LDAP_INVALID_CREDENTIALS || code == LDAP_INAPPROPRIATE_AUTH ||
                   code == LDAP_STRONG_AUTH_REQUIRED || code == LDAP_CONFIDENTIALITY_REQUIRED ||
                   code == LDAP_AUTH_METHOD_NOT_SUPPORTED || code == LDAP_AUTH_UNKNOWN ||
                   code == LDAP_NO_SUCH_OBJECT || code == LDAP_INSUFFICIENT_ACCESS;
    return err_set(err, refused ? ST_DENIED : ST_TEMP, "ldap: %s: %s%s%s", what,
                   ldap_err2string(code), text != NULL && *text != '\0' ? ": " : "",
                   text != NULL ? text : "");
}

/* Frees the message. */
static enum status result_of(LDAP *ld, LDAPMessage *message, const char *what, struct err *err)
{
    int code = LDAP_OTHER;
    char *text = NULL;
    int parsed = ldap_parse_result(ld, message, &code, NULL, &text, NULL, NULL, 1);
    if (parsed != LDAP_SUCCESS)
        code = parsed;
    enum status st = code == LDAP_SUCCESS ? ST_OK : fault(code, what, text, err);
    ldap_memfree(text);
    return st;
}

enum status bind_ask_for_tls(LDAP *ld, int64_t deadline_ms, struct err *err)
{
    LDAPMessage *message = NULL;
    int id = 0;
    int sent = ldap_start_tls(ld, NULL, NULL, &id);
    if (sent != LDAP_SUCCESS)
        return fault(sent, "StartTLS, which ldap.starttls demands", NULL, err);
    enum status st = wait_for(ld, id, deadline_ms, &message, err);
    return st == ST_OK ? result_of(ld, message, "StartTLS, which ldap.starttls demands", err) : st;
}

/* -- the password ------------------------------------------------------------------------- */

/* The first line of the file. */
static enum status read_password(const char *path, struct buf *out, struct err *err)
{
    struct buf octets = BUF_SECRET(PASSWORD_MAX);
    enum status st = secretfile_read(path, SECRETFILE_GROUP, &octets, err);
    if (st != ST_OK) {
        buf_clear(&octets);
        return err_context(err, "ldap.bind_password_file: %s", path);
    }
    struct span line = buf_span(&octets);
    line = span_head(line, span_find(line, '\n'));
    buf_append_span(out, span_head(line, span_find(line, '\r')));
    buf_clear(&octets);
    if (out->len == 0)
        return err_set(err, ST_BROKEN, "ldap.bind_password_file: %s: no password in it", path);
    return buf_check(out, "password", err);
}

/* -- binds -------------------------------------------------------------------------------- */

struct bind {
    const char *dn, *mechanism;
    struct span secret;
};

static enum status bind_once(LDAP *ld, const struct bind *bind, int64_t deadline_ms,
                             struct err *err)
{
    struct berval secret = {bind->secret.len, (char *)(uintptr_t)bind->secret.data};
    LDAPMessage *message = NULL;
    int id = 0;
    int sent = ldap_sasl_bind(ld, bind->dn, bind->mechanism, &secret, NULL, NULL, &id);
    if (sent != LDAP_SUCCESS)
        return fault(sent, "bind", NULL, err);
    enum status st = wait_for(ld, id, deadline_ms, &message, err);
    return st == ST_OK ? result_of(ld, message, "bind", err) : st;
}

struct account {
    const char *name;
    struct buf password;
};

/* What the mechanism asks for. */
static int answer_sasl(LDAP *ld, unsigned flags, void *arg, void *questions)
{
    struct account *account = arg;
    (void)ld, (void)flags;
    for (sasl_interact_t *each = questions; each->id != SASL_CB_LIST_END; each++) {
        const char *answer = "";
        if (each->id == SASL_CB_AUTHNAME)
            answer = account->name;
        else if (each->id == SASL_CB_PASS)
            answer = buf_cstr(&account->password);
        each->result = answer;
        each->len = (unsigned)strlen(answer);
    }
    return LDAP_SUCCESS;
}

/* As many steps as the mechanism needs. */
static enum status bind_in_steps(LDAP *ld, const char *mechanism, struct account *account,
                                 int64_t deadline_ms, struct err *err)
{
    const char *running = NULL;
    LDAPMessage *message = NULL;
    int id = 0;
    for (;;) {
        int code = ldap_sasl_interactive_bind(ld, NULL, mechanism, NULL, NULL, LDAP_SASL_QUIET,
                                              answer_sasl, account, message, &running, &id);
        ldap_msgfree(message);
        message = NULL;
        if (code == LDAP_SUCCESS)
            return ST_OK;
        if (code != LDAP_SASL_BIND_IN_PROGRESS) {
            char *text = NULL;
            ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &text);
            enum status st = fault(code, mechanism, text, err);
            ldap_memfree(text);
            return st;
        }
        enum status st = wait_for(ld, id, deadline_ms, &message, err);
        if (st != ST_OK)
            return st;
    }
}

enum status bind_account(LDAP *ld, const struct settings_ldap *settings, int64_t deadline_ms,
                         struct err *err)
{
    const char *mechanism = settings->sasl_mechanism;
    struct account account = {settings->bind_dn, BUF_SECRET(PASSWORD_MAX)};
    enum status st = ST_OK;
    if (mechanism[0] == '\0' && settings->bind_dn[0] == '\0')
        return ST_OK;
    if (strcmp(mechanism, "EXTERNAL") == 0)
        return bind_once(ld, &(struct bind){NULL, mechanism, SPAN_LIT("")}, deadline_ms, err);
    if (settings->bind_password.len > 0)
        buf_append_span(&account.password, settings->bind_password);
    else if (settings->bind_password_file[0] != '\0')
        st = read_password(settings->bind_password_file, &account.password, err);
    else if (mechanism[0] == '\0')
        st = err_set(err, ST_BROKEN, "ldap.bind_password_file: needed for a simple bind");
    if (st == ST_OK)
        st = buf_check(&account.password, "password", err);
    if (st == ST_OK && mechanism[0] == '\0')
        st = bind_once(ld,
                       &(struct bind){account.name, LDAP_SASL_SIMPLE, buf_span(&account.password)},
                       deadline_ms, err);
    else if (st == ST_OK)
        st = bind_in_steps(ld, mechanism, &account, deadline_ms, err);
    buf_clear(&account.password);
    return st;
}
