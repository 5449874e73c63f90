/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "server/policy.h"

/* Settings with the lists of the tests in place of the defaults. */
static struct settings *settings_of(const char *author, enum settings_on_error on_error)
{
    struct settings *settings = NULL;
    struct err err = {0};
    assert_int_equal(settings_load(NULL, NULL, NULL, &settings, &err), ST_OK);
    free(settings->trust.internal_hosts);
    free(settings->trust.exempt);
    free(settings->trust.daemon_names);
    free(settings->sign.author);
    settings->trust.internal_hosts = strdup("192.0.2.0/24, .mx.example.net, !192.0.2.7");
    settings->trust.exempt = strdup("192.0.2.99");
    settings->trust.daemon_names = strdup("ORIGINATING, Submission");
    settings->sign.author = strdup(author);
    settings->sign.on_store_error = on_error;
    settings->sign.expiry_s = 86400;
    return settings;
}

static struct policy *policy_of(const char *author, enum settings_on_error on_error)
{
    struct settings *settings = settings_of(author, on_error);
    struct policy *policy = NULL;
    struct err err = {0};
    assert_int_equal(policy_new(settings, &policy, &err), ST_OK);
    settings_free(settings);
    return policy;
}

/* -- peers -------------------------------------------------------------------------------- */

static void test_peers(void **state)
{
    (void)state;
    static const struct {
        const char *address; /* NULL: none */
        const char *name;
        bool internal, exempt;
    } cases[] = {
        {"192.0.2.1", "", true, false},
        {"192.0.2.7", "", false, false},
        {"192.0.2.99", "", true, true},
        {"198.51.100.1", "client.example", false, false},
        {"198.51.100.1", "a.mx.example.net", true, false},
        {NULL, "", false, false},
        {NULL, "a.mx.example.net", true, false},
    };
    struct policy *policy = policy_of("from", ON_ERROR_TEMPFAIL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sockaddr_in in = {.sin_family = AF_INET};
        const struct sockaddr *address = NULL;
        if (cases[i].address != NULL) {
            assert_int_equal(inet_pton(AF_INET, cases[i].address, &in.sin_addr), 1);
            address = (const struct sockaddr *)&in;
        }
        struct policy_peer peer = policy_peer_of(policy, address, span_str(cases[i].name));
        assert_int_equal(peer.internal, cases[i].internal);
        assert_int_equal(peer.exempt, cases[i].exempt);
    }
    policy_free(policy);
}

static void test_peer_on_a_unix_socket_is_internal(void **state)
{
    (void)state;
    struct policy *policy = policy_of("from", ON_ERROR_TEMPFAIL);
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct policy_peer peer =
        policy_peer_of(policy, (const struct sockaddr *)&local, SPAN_LIT("localhost"));
    assert_true(peer.internal);
    assert_false(peer.exempt);
    policy_free(policy);
}

/* -- the first half: origin and authors --------------------------------------------------- */

#define INTERNAL                                                                                   \
    {                                                                                              \
        .internal = true                                                                           \
    }
#define STRANGER                                                                                   \
    {                                                                                              \
        .internal = false                                                                          \
    }

struct author_case {
    const char *name;
    struct policy_origin origin;
    const char *fields; /* as in a message */
    enum policy_action action;
    const char *reason;
    const char *domains; /* with a blank between; NULL: none */
};

static const struct author_case author_cases[] = {
    {"internal client",
     {.peer = INTERNAL},
     "From: a@example.org\r\n",
     POLICY_SIGN,
     "sign",
     "example.org"},
    {"login",
     {.peer = STRANGER, .login = "bob"},
     "From: a@example.org\r\n",
     POLICY_SIGN,
     "sign",
     "example.org"},
    {"empty login counts as none",
     {.peer = STRANGER, .login = ""},
     "From: a@example.org\r\n",
     POLICY_PASS_UNSIGNED,
     "origin",
     NULL},
    {"daemon name",
     {.peer = STRANGER, .daemon_name = "Submission"},
     "From: a@example.org\r\n",
     POLICY_SIGN,
     "sign",
     "example.org"},
    {"daemon name is exact",
     {.peer = STRANGER, .daemon_name = "submission"},
     "From: a@example.org\r\n",
     POLICY_PASS_UNSIGNED,
     "origin",
     NULL},
    {"empty daemon name",
     {.peer = STRANGER, .daemon_name = ""},
     "From: a@example.org\r\n",
     POLICY_PASS_UNSIGNED,
     "origin",
     NULL},
    {"stranger",
     {.peer = STRANGER},
     "From: a@example.org\r\n",
     POLICY_PASS_UNSIGNED,
     "origin",
     NULL},
    {"exempt beats login",
     {.peer = {true, true}, .login = "bob"},
     "From: a@example.org\r\n",
     POLICY_PASS_UNSIGNED,
     "exempt",
     NULL},
    {"no header", {.peer = INTERNAL}, "", POLICY_PASS_UNSIGNED, "no_from", NULL},
    {"no From", {.peer = INTERNAL}, "To: a@example.org\r\n", POLICY_PASS_UNSIGNED, "no_from", NULL},
    {"two From",
     {.peer = INTERNAL},
     "From: a@example.org\r\nFrom: a@example.org\r\n",
     POLICY_PASS_UNSIGNED,
     "authors",
     NULL},
    {"two mailboxes",
     {.peer = INTERNAL},
     "From: a@example.org, b@example.org\r\n",
     POLICY_PASS_UNSIGNED,
     "authors",
     NULL},
    {"unreadable From",
     {.peer = INTERNAL},
     "From: nobody\r\n",
     POLICY_PASS_UNSIGNED,
     "bad_from",
     NULL},
    {"empty From", {.peer = INTERNAL}, "From:\r\n", POLICY_PASS_UNSIGNED, "bad_from", NULL},
    {"address only in the display name",
     {.peer = INTERNAL},
     "From: \"a@example.org\" <b@example.com>\r\n",
     POLICY_SIGN,
     "sign",
     "example.com"},
    {"upper case",
     {.peer = INTERNAL},
     "FROM: A@EXAMPLE.ORG\r\n",
     POLICY_SIGN,
     "sign",
     "example.org"},
    {"Sender does not count",
     {.peer = INTERNAL},
     "From: a@example.org\r\nSender: b@example.com\r\n",
     POLICY_SIGN,
     "sign",
     "example.org"},
};

static const struct author_case sender_cases[] = {
    {"From, then Sender",
     {.peer = INTERNAL},
     "Sender: b@example.com\r\nFrom: a@example.org\r\n",
     POLICY_SIGN,
     "sign",
     "example.org example.com"},
    {"the same domain once",
     {.peer = INTERNAL},
     "From: a@example.org\r\nSender: b@example.org\r\n",
     POLICY_SIGN,
     "sign",
     "example.org"},
    {"unreadable Sender",
     {.peer = INTERNAL},
     "From: a@example.org\r\nSender: nobody\r\n",
     POLICY_SIGN,
     "sign",
     "example.org"},
    {"two Senders",
     {.peer = INTERNAL},
     "From: a@example.org\r\nSender: b@example.com\r\nSender: c@example.net\r\n",
     POLICY_SIGN,
     "sign",
     "example.org"},
    {"Sender instead of From",
     {.peer = INTERNAL},
     "Sender: b@example.com\r\n",
     POLICY_PASS_UNSIGNED,
     "no_from",
     NULL},
};

static void check_author(const struct policy *policy, const struct author_case *c)
{
    struct dkim_fields fields = {0};
    struct span body;
    struct err err = {0};
    struct policy_decision decision;
    char domains[2 * DKIM_DOMAIN_SIZE] = "";
    assert_int_equal(dkim_fields_split(span_str(c->fields), &fields, &body, &err), ST_OK);
    policy_decide_author(policy, &c->origin, &fields, &decision);
    dkim_fields_clear(&fields);
    for (size_t i = 0; i < decision.domain_count; i++) {
        if (i > 0)
            strcat(domains, " ");
        strcat(domains, decision.domains[i]);
    }
    if (decision.action != c->action || strcmp(decision.reason, c->reason) != 0)
        fail_msg("%s: %d %s (%s)", c->name, decision.action, decision.reason, decision.text);
    if (c->domains != NULL && strcmp(domains, c->domains) != 0)
        fail_msg("%s: domains \"%s\"", c->name, domains);
    assert_string_not_equal(decision.text, "");
}

static void test_authors(void **state)
{
    (void)state;
    struct policy *policy = policy_of("from", ON_ERROR_TEMPFAIL);
    for (size_t i = 0; i < sizeof author_cases / sizeof author_cases[0]; i++)
        check_author(policy, &author_cases[i]);
    policy_free(policy);
    policy = policy_of("from,sender", ON_ERROR_TEMPFAIL);
    for (size_t i = 0; i < sizeof sender_cases / sizeof sender_cases[0]; i++)
        check_author(policy, &sender_cases[i]);
    policy_free(policy);
}

static void test_login_counts_only_if_trusted(void **state)
{
    (void)state;
    static const struct author_case c = {"login not trusted",
                                         {.peer = STRANGER, .login = "bob"},
                                         "From: a@example.org\r\n",
                                         POLICY_PASS_UNSIGNED,
                                         "origin",
                                         NULL};
    struct settings *settings = settings_of("from", ON_ERROR_TEMPFAIL);
    struct policy *policy = NULL;
    struct err err = {0};
    settings->trust.authenticated = false;
    assert_int_equal(policy_new(settings, &policy, &err), ST_OK);
    settings_free(settings);
    check_author(policy, &c);
    policy_free(policy);
}

/* -- the second half: what the look-up gave ------------------------------------------------ */

static struct signers *signers_of(bool tenant_active, bool domain_active, size_t count,
                                  size_t broken)
{
    struct signers *signers = calloc(1, sizeof *signers + sizeof signers->list[0]);
    assert_non_null(signers);
    signers->domain = (char *)"example.org";
    signers->tenant = (char *)"acme";
    signers->tenant_active = tenant_active;
    signers->domain_active = domain_active;
    signers->expiry_s = -1;
    signers->broken = broken;
    strcpy(signers->broken_text, "selector s1: the key does not open");
    signers->count = count;
    signers->list[0].selector = (char *)"s1";
    return signers;
}

static void test_signers(void **state)
{
    (void)state;
    static const struct {
        bool tenant_active, domain_active;
        size_t count, broken;
        enum policy_action action;
        const char *reason, *text;
    } cases[] = {
        {true, true, 1, 0, POLICY_SIGN, "sign", "example.org signs"},
        {true, true, 1, 1, POLICY_SIGN, "sign", "example.org signs"},
        {false, true, 1, 0, POLICY_PASS_UNSIGNED, "suspended", "tenant acme is suspended"},
        {true, false, 1, 0, POLICY_PASS_UNSIGNED, "suspended", "example.org is suspended"},
        {true, true, 0, 0, POLICY_PASS_UNSIGNED, "no_key", "example.org has no active key"},
        {true, true, 0, 1, POLICY_TEMPFAIL, "broken_key", "selector s1: the key does not open"},
        {false, true, 0, 1, POLICY_PASS_UNSIGNED, "suspended", "tenant acme is suspended"},
    };
    struct policy *policy = policy_of("from", ON_ERROR_TEMPFAIL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct signers *signers = signers_of(cases[i].tenant_active, cases[i].domain_active,
                                             cases[i].count, cases[i].broken);
        struct policy_lookup lookup = {.found = ST_OK, .signers = signers};
        struct policy_decision decision = {0};
        policy_decide_signers(policy, &lookup, &decision);
        assert_int_equal(decision.action, cases[i].action);
        assert_string_equal(decision.reason, cases[i].reason);
        assert_string_equal(decision.text, cases[i].text);
        free(signers);
    }
    policy_free(policy);
}

/* All active keys were left out, because DNS does not show them. */
static void test_keys_that_dns_does_not_show(void **state)
{
    (void)state;
    static const struct {
        enum on_unpublished wanted;
        const char *provider, *domain;
        enum policy_action action;
    } cases[] = {
        {UNPUBLISHED_UNSIGNED, "Provider.example", "example.org", POLICY_PASS_UNSIGNED},
        {UNPUBLISHED_PROVIDER, "Provider.example", "example.org", POLICY_ASK_PROVIDER},
        {UNPUBLISHED_PROVIDER, "", "example.org", POLICY_PASS_UNSIGNED},
        {UNPUBLISHED_PROVIDER, "Provider.example", "provider.example", POLICY_PASS_UNSIGNED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct settings *settings = settings_of("from", ON_ERROR_TEMPFAIL);
        struct policy *policy = NULL;
        struct err err = {0};
        free(settings->sign.provider_domain);
        settings->sign.provider_domain = strdup(cases[i].provider);
        assert_int_equal(policy_new(settings, &policy, &err), ST_OK);
        settings_free(settings);
        struct signers *signers = signers_of(true, true, 0, 0);
        signers->domain = (char *)(uintptr_t)cases[i].domain;
        signers->unpublished = 1;
        signers->on_unpublished = cases[i].wanted;
        struct policy_lookup lookup = {.found = ST_OK, .signers = signers};
        struct policy_decision decision = {.domains = {"example.org", "b.example"},
                                           .domain_count = 2};
        policy_decide_signers(policy, &lookup, &decision);
        assert_int_equal(decision.action, cases[i].action);
        assert_string_equal(decision.reason, "unpublished");
        assert_int_equal(decision.domain_count, cases[i].action == POLICY_ASK_PROVIDER ? 1 : 2);
        if (cases[i].action == POLICY_ASK_PROVIDER)
            assert_string_equal(decision.domains[0], "provider.example");
        free(signers);
        policy_free(policy);
    }
}

/* The provider's name has no domain of its own; its parent signs for it, or would, if DNS showed
 * its record. */
static void test_the_provider_is_asked_once(void **state)
{
    static const struct dkim_fields no_fields = {0};
    struct settings *settings = settings_of("from", ON_ERROR_TEMPFAIL);
    struct policy *policy = NULL;
    struct policy_decision decision = {.domains = {"example.org"}, .domain_count = 1};
    struct err err = {0};
    (void)state;
    free(settings->sign.provider_domain);
    settings->sign.provider_domain = strdup("mail.provider.example");
    assert_int_equal(policy_new(settings, &policy, &err), ST_OK);
    settings_free(settings);
    struct signers *signers = signers_of(true, true, 0, 0);
    struct policy_lookup lookup = {.found = ST_OK, .signers = signers};
    signers->unpublished = 1;
    signers->on_unpublished = UNPUBLISHED_PROVIDER;
    policy_decide_signers(policy, &lookup, &decision);
    assert_int_equal(decision.action, POLICY_ASK_PROVIDER);
    signers->domain = (char *)(uintptr_t) "provider.example";
    policy_decide_signers(policy, &lookup, &decision);
    assert_int_equal(decision.action, POLICY_PASS_UNSIGNED);
    assert_string_equal(decision.reason, "unpublished");
    assert_string_equal(decision.text, "DNS does not show the record of a key of provider.example");
    policy_decide_author(policy, &(struct policy_origin){.login = NULL}, &no_fields, &decision);
    assert_false(decision.provider_asked);
    free(signers);
    policy_free(policy);
}

static void test_lookups_that_fail(void **state)
{
    (void)state;
    static const struct {
        enum status found;
        enum settings_on_error on_error;
        enum policy_action action;
        const char *reason, *text;
    } cases[] = {
        {ST_NOT_FOUND, ON_ERROR_TEMPFAIL, POLICY_PASS_UNSIGNED, "no_domain",
         "example.org is not a domain of this service"},
        {ST_TEMP, ON_ERROR_TEMPFAIL, POLICY_TEMPFAIL, "store", "it is away"},
        {ST_BROKEN, ON_ERROR_TEMPFAIL, POLICY_TEMPFAIL, "store", "it is away"},
        {ST_TEMP, ON_ERROR_ACCEPT, POLICY_PASS_UNSIGNED, "store", "it is away"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct policy *policy = policy_of("from", cases[i].on_error);
        struct err err = {.code = cases[i].found, .text = "it is away"};
        struct policy_lookup lookup = {.found = cases[i].found, .err = &err};
        struct policy_decision decision = {.domains = {"example.org"}, .domain_count = 1};
        policy_decide_signers(policy, &lookup, &decision);
        assert_int_equal(decision.action, cases[i].action);
        assert_string_equal(decision.reason, cases[i].reason);
        assert_string_equal(decision.text, cases[i].text);
        policy_free(policy);
    }
}

/* -- options ------------------------------------------------------------------------------ */

static void test_options_of_the_settings_and_of_the_domain(void **state)
{
    (void)state;
    struct policy *policy = policy_of("from", ON_ERROR_TEMPFAIL);
    struct signers *signers = signers_of(true, true, 1, 0);
    struct dkim_sign_options options;
    policy_sign_options(policy, signers, 0, 1000, &options);
    assert_string_equal(options.domain, "example.org");
    assert_string_equal(options.selector, "s1");
    assert_null(options.identity);
    assert_int_equal(options.header_canon, DKIM_RELAXED);
    assert_int_equal(options.body_canon, DKIM_RELAXED);
    assert_int_equal(options.time_s, 1000);
    assert_int_equal(options.expiry_s, 86400);
    assert_true(dkim_names_contain(options.oversign, SPAN_LIT("From")));
    signers->has_canonicalization = true;
    signers->header_canon = DKIM_RELAXED;
    signers->body_canon = DKIM_SIMPLE;
    signers->expiry_s = 0;
    policy_sign_options(policy, signers, 0, 1000, &options);
    assert_int_equal(options.body_canon, DKIM_SIMPLE);
    assert_int_equal(options.expiry_s, 0);
    free(signers);
    policy_free(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_peers),
        cmocka_unit_test(test_peer_on_a_unix_socket_is_internal),
        cmocka_unit_test(test_authors),
        cmocka_unit_test(test_login_counts_only_if_trusted),
        cmocka_unit_test(test_signers),
        cmocka_unit_test(test_keys_that_dns_does_not_show),
        cmocka_unit_test(test_the_provider_is_asked_once),
        cmocka_unit_test(test_lookups_that_fail),
        cmocka_unit_test(test_options_of_the_settings_and_of_the_domain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
