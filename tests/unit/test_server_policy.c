/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
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

/* -- a world of tenants -------------------------------------------------------------------- */

/* Marks of a domain: s subdomains, T tenant and D domain suspended, b one key is broken, u one is
 * not shown by DNS, 1 one signature, p the provider signs as well; with no key t defer, n unsigned,
 * P the provider; with a key that is not shown U unsigned, Q the provider. Keys: r for RSA or e for
 * Ed25519 and the selector, with ! those that are reserved. */
static const struct {
    const char *name, *tenant, *marks, *keys;
} domains[] = {
    {"acme.example", "acme", "", "ra1"},
    {"two.example", "acme", "", "rt1 et2"},
    {"wide.example", "acme", "s", "rw1"},
    {"deep.wide.example", "globex", "", "rd1"},
    {"globex.example", "globex", "", "rg1 !rg2"},
    {"one.example", "one", "1p", "ro1 eo2"},
    {"both.example", "both", "p", "rb1"},
    {"off.example", "off", "T", ""},
    {"hosting.example", "hosting", "s", "rh9"},
    {"relay.hosting.example", "provider", "", "rr1"},
    {"a1.a2.a3.a4.a5.a6.a7.wide.example", "globex", "s", "rl1"},
    {"closed.example", "acme", "D", ""},
    {"empty.example", "acme", "", ""},
    {"empty-wait.example", "acme", "t", ""},
    {"empty-provider.example", "acme", "P", ""},
    {"broken.example", "acme", "b", ""},
    {"broken-plain.example", "acme", "bn", ""},
    {"broken-provider.example", "acme", "bP", ""},
    {"half.example", "acme", "b", "rh1"},
    {"eonly.example", "acme", "", "ee1"},
    {"zz.example", "acme", "", "rz1"},
    {"unshown.example", "acme", "uU", ""},
    {"unshown-provider.example", "acme", "uQ", ""},
    {"provider.example", "provider", "sp", "rp1"},
    {"xn--gebex-1za.example", "globex", "", "rx1"},
};

static const struct {
    const char *pattern, *domain, *selector, *identity;
} rules[] = {
    {"news@acme.example", "acme.example", "", "@news.acme.example"},
    {"boss@globex.example", "globex.example", "g2", ""},
    {"lost@globex.example", "globex.example", "g9", ""},
    {"lists.example", "globex.example", "", ""},
    {"ann@lists.example", "acme.example", "", ""},
    {".hosted.example", "acme.example", "", ""},
    {"root@.hosted.example", "globex.example", "", ""},
    {".wide.example", "two.example", "t1", ""},
    {"pair.example", "acme.example", "", ""},
    {"pair.example", "globex.example", "", ""},
    {"abuse@*", "provider.example", "", "@mail.provider.example"},
    {"news@off.example", "provider.example", "", ""},
    {"mixed.example", "eonly.example", "", ""},
    {"mixed.example", "zz.example", "", ""},
    {"lists2.example", "hosting.example", "", ""},
    {"double.example", "two.example", "", ""},
    {"y.a1.a2.a3.a4.a5.a6.a7.wide.example", "acme.example", "", ""},
};

static const struct {
    enum grant_type type;
    const char *subject, *tenant;
    bool one_signature;
} grants[] = {
    {GRANT_LOGIN, "web17", "acme", false},
    {GRANT_LOGIN, "cust@provider.example", "globex", false},
    {GRANT_LOGIN, "@staff.example", "globex", false},
    {GRANT_LOGIN, "guest@staff.example", "acme", false},
    {GRANT_LOGIN, "ses", "acme", true},
    {GRANT_LOGIN, "nobody", "ghost", false},
    {GRANT_LOGIN, "unpaid", "off", false},
    {GRANT_LOGIN, "idler", "idle", false},
    {GRANT_LOGIN, "single", "single", false},
    {GRANT_LOGIN, "several", "several", false},
    {GRANT_NETWORK, "198.51.100.0/24", "acme", false},
    {GRANT_NETWORK, "198.51.100.7", "globex", false},
    {GRANT_NETWORK, "2001:db8::/32", "acme", true},
    {GRANT_NETWORK, "192.0.2.50", "acme", false},
    {GRANT_DAEMON, "globex-in", "globex", false},
};

/* Tenants without a domain, with marks as of domains. */
static const struct {
    const char *name, *marks;
} tenants[] = {{"idle", "T"}, {"idle.example", "T"}, {"single", "1"}, {"several", ""}};

struct world {
    struct place *places[64];
    char names[64][DKIM_DOMAIN_SIZE];
    size_t count, asked;
    enum status fault; /* of all look-ups, else ST_OK */
    char steps[4096];
};

static bool marked(const char *marks, char mark)
{
    return strchr(marks, mark) != NULL;
}

static struct signers *signers_of(size_t index)
{
    const char *marks = domains[index].marks;
    struct signers *signers = calloc(1, sizeof *signers + 4 * sizeof signers->list[0]);
    assert_non_null(signers);
    atomic_init(&signers->base.refs, 1000); /* never freed by the code under test */
    signers->domain = (char *)(uintptr_t)domains[index].name;
    signers->tenant = (char *)(uintptr_t)domains[index].tenant;
    signers->tenant_active = !marked(marks, 'T');
    signers->domain_active = !marked(marks, 'D');
    signers->subdomains = marked(marks, 's');
    signers->one_signature = marked(marks, '1');
    signers->also_provider = marked(marks, 'p');
    signers->broken = marked(marks, 'b');
    strcpy(signers->broken_text, "the key does not open");
    signers->unpublished = marked(marks, 'u');
    signers->expiry_s = -1;
    signers->on_no_key = marked(marks, 't')   ? NO_KEY_TEMPFAIL
                         : marked(marks, 'n') ? NO_KEY_UNSIGNED
                         : marked(marks, 'P') ? NO_KEY_PROVIDER
                                              : NO_KEY_AUTO;
    signers->on_unpublished = marked(marks, 'Q') ? UNPUBLISHED_PROVIDER : UNPUBLISHED_UNSIGNED;
    struct span rest = span_str(domains[index].keys), key;
    while (span_next(&rest, ' ', &key)) {
        if (key.len == 0)
            continue;
        struct signer *signer = &signers->list[signers->count++];
        signer->reserved = key.data[0] == '!';
        key = span_from(key, signer->reserved);
        signer->algorithm = key.data[0] == 'e' ? DKIM_ED25519_SHA256 : DKIM_RSA_SHA256;
        signer->selector = span_dup(span_from(key, 1));
    }
    return signers;
}

static void take_rules(const char *name, struct profile *profile)
{
    struct err err = {0};
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        struct rule rule = {.domain = strdup(rules[i].domain)};
        assert_int_equal(rule_set_pattern(&rule, span_str(rules[i].pattern), &err), ST_OK);
        if (rules[i].selector[0] != '\0')
            rule.selector = strdup(rules[i].selector);
        if (rules[i].identity[0] != '\0')
            assert_int_equal(rule_set_identity(&rule, span_str(rules[i].identity), &err), ST_OK);
        if (strcmp(rule.place, name) == 0)
            *(struct rule *)profile_add(profile, &kind_rule) = rule;
        else
            kind_clear(&kind_rule, &rule);
    }
}

static void take_grants(const char *name, struct profile *profile)
{
    struct err err = {0};
    for (size_t i = 0; i < sizeof grants / sizeof grants[0]; i++) {
        struct grant grant = {.tenant = strdup(grants[i].tenant),
                              .one_signature = grants[i].one_signature};
        assert_int_equal(
            grant_set_subject(&grant, grants[i].type, span_str(grants[i].subject), &err), ST_OK);
        if (strcmp(grant.place, name) == 0)
            *(struct grant *)profile_add(profile, &kind_grant) = grant;
        else
            kind_clear(&kind_grant, &grant);
    }
}

/* Of a domain of theirs, or of the list. */
static const char *tenant_marks(const char *name)
{
    for (size_t i = 0; i < sizeof domains / sizeof domains[0]; i++) {
        if (strcmp(domains[i].tenant, name) == 0)
            return domains[i].marks;
    }
    for (size_t i = 0; i < sizeof tenants / sizeof tenants[0]; i++) {
        if (strcmp(tenants[i].name, name) == 0)
            return tenants[i].marks;
    }
    return NULL;
}

static void take_tenant(const char *name, struct profile *profile)
{
    const char *tenant = profile_tenant_of(name);
    const char *marks = tenant != NULL ? tenant_marks(tenant) : NULL;
    if (marks == NULL)
        return;
    profile->tenant.name = strdup(tenant);
    profile->tenant.status = marked(marks, 'T') ? ACCOUNT_SUSPENDED : ACCOUNT_ACTIVE;
    profile->tenant.also_provider = marked(marks, 'p');
    profile->tenant.one_signature = marked(marks, '1');
}

static struct place *place_of(const char *name)
{
    struct profile profile = {.found = false};
    struct place *place = NULL;
    struct err err = {0};
    take_tenant(name, &profile);
    take_rules(name, &profile);
    take_grants(name, &profile);
    assert_int_equal(place_new(&profile, NULL, NULL, &place, &err), ST_OK);
    profile_clear(&profile);
    for (size_t i = 0; i < sizeof domains / sizeof domains[0]; i++) {
        if (strcmp(domains[i].name, name) == 0)
            place->signers = signers_of(i);
    }
    return place;
}

/* The answers of a store that has all of the above. */
static enum status find(void *arg, const struct keyring_question *question, size_t wanted,
                        const struct place **out, struct err *err)
{
    struct world *world = arg;
    const char *name = question->names[wanted];
    size_t i = 0;
    if (world->fault != ST_OK)
        return err_set(err, world->fault, "the store is away");
    while (i < world->count && strcmp(world->names[i], name) != 0)
        i++;
    if (i == world->count) {
        assert_in_range(world->count, 0, 63);
        strcpy(world->names[i], name);
        world->places[world->count++] = place_of(name);
    }
    *out = world->places[i];
    return ST_OK;
}

static void clear_world(struct world *world)
{
    for (size_t i = 0; i < world->count; i++) {
        struct signers *signers = world->places[i]->signers;
        world->places[i]->signers = NULL;
        place_unref(world->places[i]);
        if (signers == NULL)
            continue;
        assert_int_equal(atomic_load(&signers->base.refs), 1000); /* all references came back */
        for (size_t k = 0; k < signers->count; k++)
            free(signers->list[k].selector);
        free(signers);
    }
}

static void take_step(void *arg, const char *step, const char *text)
{
    struct world *world = arg;
    size_t len = strlen(world->steps);
    snprintf(world->steps + len, sizeof world->steps - len, "%s: %s\n", step, text);
}

/* -- the table ------------------------------------------------------------------------------ */

struct origin {
    const char *address, *login, *daemon_name;
};
#define INTERNAL                                                                                   \
    {                                                                                              \
        "192.0.2.1", NULL, NULL                                                                    \
    }
#define STRANGER                                                                                   \
    {                                                                                              \
        "203.0.113.9", NULL, NULL                                                                  \
    }
#define AT(address)                                                                                \
    {                                                                                              \
        address, NULL, NULL                                                                        \
    }
#define LOGIN(name)                                                                                \
    {                                                                                              \
        "203.0.113.9", name, NULL                                                                  \
    }
#define DAEMON(name)                                                                               \
    {                                                                                              \
        "203.0.113.9", NULL, name                                                                  \
    }

struct policy_row {
    const char *name;
    struct origin origin;
    const char *fields; /* as in a message */
    const char *wanted; /* signatures `domain/selector/identity` with blanks, or the reason */
    const char *envelope_from;
};

/* Each line is one case: who sends it, what its header says, and who signs it or why nobody does.
 */
static const struct policy_row rows[] = {
    /* Origins */
    {"internal client", INTERNAL, "From: a@acme.example\r\n", "acme.example/a1/", NULL},
    {"internal client, any tenant", INTERNAL, "From: a@globex.example\r\n", "globex.example/g1/",
     NULL},
    {"internal by name", {NULL, NULL, NULL}, "From: a@acme.example\r\n", "origin", NULL},
    {"excluded from internal", AT("192.0.2.7"), "From: a@acme.example\r\n", "origin", NULL},
    {"stranger", STRANGER, "From: a@acme.example\r\n", "origin", NULL},
    {"stranger, unreadable From", STRANGER, "From: nobody\r\n", "origin", NULL},
    {"exempt", AT("192.0.2.99"), "From: a@acme.example\r\n", "exempt", NULL},
    {"exempt beats login",
     {"192.0.2.99", "a@acme.example", NULL},
     "From: a@acme.example\r\n",
     "exempt",
     NULL},
    {"daemon name", DAEMON("Submission"), "From: a@globex.example\r\n", "globex.example/g1/", NULL},
    {"daemon name is exact", DAEMON("submission"), "From: a@acme.example\r\n", "origin", NULL},
    {"empty daemon name", DAEMON(""), "From: a@acme.example\r\n", "origin", NULL},
    {"empty login is none", LOGIN(""), "From: a@acme.example\r\n", "origin", NULL},

    /* Logins */
    {"login of the domain", LOGIN("ann@acme.example"), "From: a@acme.example\r\n",
     "acme.example/a1/", NULL},
    {"login, other domain of the tenant", LOGIN("ann@acme.example"), "From: a@two.example\r\n",
     "two.example/t1/ two.example/t2/", NULL},
    {"login, domain of another tenant", LOGIN("ann@acme.example"), "From: a@globex.example\r\n",
     "tenant", NULL},
    {"login, the other way round", LOGIN("bob@globex.example"), "From: a@acme.example\r\n",
     "tenant", NULL},
    {"login in capitals", LOGIN("Ann@ACME.Example"), "From: a@acme.example\r\n", "acme.example/a1/",
     NULL},
    {"login on an internal host is bound",
     {"192.0.2.1", "ann@acme.example", NULL},
     "From: a@globex.example\r\n",
     "tenant",
     NULL},
    {"login and daemon name is bound",
     {"203.0.113.9", "ann@acme.example", "Submission"},
     "From: a@globex.example\r\n",
     "tenant",
     NULL},
    {"login beats the grant of its network",
     {"198.51.100.7", "ann@acme.example", NULL},
     "From: a@globex.example\r\n",
     "tenant",
     NULL},
    {"login without domain or grant", LOGIN("web18"), "From: a@acme.example\r\n", "tenant", NULL},
    {"login of a domain that is nobody's", LOGIN("a@example.org"), "From: a@acme.example\r\n",
     "tenant", NULL},
    {"login of a tenant's name", LOGIN("bob@acme"), "From: a@acme.example\r\n", "acme.example/a1/",
     NULL},
    {"but a domain is its owner's", LOGIN("bob@lists.example"), "From: a@acme.example\r\n",
     "tenant", NULL},
    {"login below a domain with subdomains", LOGIN("a@mail.wide.example"),
     "From: a@acme.example\r\n", "acme.example/a1/", NULL},
    {"login below a domain without", LOGIN("a@mail.acme.example"), "From: a@acme.example\r\n",
     "tenant", NULL},
    {"granted login", LOGIN("web17"), "From: a@acme.example\r\n", "acme.example/a1/", NULL},
    {"granted login, other tenant", LOGIN("web17"), "From: a@globex.example\r\n", "tenant", NULL},
    {"granted logins are exact", LOGIN("WEB17"), "From: a@acme.example\r\n", "tenant", NULL},
    {"a grant beats the owner", LOGIN("cust@provider.example"), "From: a@globex.example\r\n",
     "globex.example/g1/", NULL},
    {"a granted login is not the owner's", LOGIN("cust@provider.example"),
     "From: billing@provider.example\r\n", "tenant", NULL},
    {"its neighbour is", LOGIN("staff@provider.example"), "From: billing@provider.example\r\n",
     "provider.example/p1/", NULL},
    {"every login of a domain", LOGIN("x@staff.example"), "From: a@globex.example\r\n",
     "globex.example/g1/", NULL},
    {"but one", LOGIN("guest@staff.example"), "From: a@globex.example\r\n", "tenant", NULL},
    {"that one", LOGIN("guest@staff.example"), "From: a@acme.example\r\n", "acme.example/a1/",
     NULL},
    {"not below that domain", LOGIN("x@sub.staff.example"), "From: a@globex.example\r\n", "tenant",
     NULL},
    {"a tenant without domains", LOGIN("nobody"), "From: a@acme.example\r\n", "tenant", NULL},
    {"a login with two @", LOGIN("a@globex.example@acme.example"), "From: a@globex.example\r\n",
     "tenant", NULL},

    /* Networks and daemon names */
    {"network", AT("198.51.100.9"), "From: a@acme.example\r\n", "acme.example/a1/", NULL},
    {"network, other tenant", AT("198.51.100.9"), "From: a@globex.example\r\n", "tenant", NULL},
    {"the longest network counts", AT("198.51.100.7"), "From: a@globex.example\r\n",
     "globex.example/g1/", NULL},
    {"and only that", AT("198.51.100.7"), "From: a@acme.example\r\n", "tenant", NULL},
    {"IPv6 network, one signature", AT("2001:db8::25"), "From: a@two.example\r\n",
     "two.example/t1/", NULL},
    {"a granted internal host is bound", AT("192.0.2.50"), "From: a@globex.example\r\n", "tenant",
     NULL},
    {"granted daemon name", DAEMON("globex-in"), "From: a@globex.example\r\n", "globex.example/g1/",
     NULL},
    {"granted daemon name, other tenant", DAEMON("globex-in"), "From: a@acme.example\r\n", "tenant",
     NULL},
    {"network before daemon name",
     {"198.51.100.9", NULL, "globex-in"},
     "From: a@globex.example\r\n",
     "tenant",
     NULL},

    /* Authors */
    {"no header", INTERNAL, "", "no_from", NULL},
    {"no From", INTERNAL, "To: a@acme.example\r\n", "no_from", NULL},
    {"two From fields", INTERNAL, "From: a@acme.example\r\nFrom: a@acme.example\r\n", "authors",
     NULL},
    {"two mailboxes", INTERNAL, "From: a@acme.example, b@acme.example\r\n", "authors", NULL},
    {"unreadable From", INTERNAL, "From: nobody\r\n", "bad_from", NULL},
    {"empty From", INTERNAL, "From:\r\n", "bad_from", NULL},
    {"address in the display name", LOGIN("ann@acme.example"),
     "From: \"a@acme.example\" <b@globex.example>\r\n", "tenant", NULL},
    {"address in a comment", LOGIN("ann@acme.example"),
     "From: b@globex.example (a@acme.example)\r\n", "tenant", NULL},
    {"quoted local part with an @", LOGIN("ann@acme.example"),
     "From: \"b@globex.example\"@acme.example\r\n", "acme.example/a1/", NULL},
    {"capitals", INTERNAL, "FROM: A@ACME.EXAMPLE\r\n", "acme.example/a1/", NULL},
    {"a look-alike is another domain", LOGIN("bob@globex.example"),
     "From: a@xn--glbex-9ef.example\r\n", "no_domain", NULL},
    {"nobody's domain", INTERNAL, "From: a@example.org\r\n", "no_domain", NULL},
    {"below a domain with subdomains", LOGIN("ann@acme.example"), "From: a@x.y.wide.example\r\n",
     "two.example/t1/", NULL},
    {"below one without", LOGIN("bob@globex.example"), "From: a@mail.globex.example\r\n",
     "no_domain", NULL},
    {"below another tenant's with subdomains", LOGIN("bob@globex.example"),
     "From: a@x.wide.example\r\n", "tenant", NULL},
    {"one's own below another tenant's", LOGIN("bob@globex.example"),
     "From: a@deep.wide.example\r\n", "deep.wide.example/d1/", NULL},
    {"below one's own, which is below another tenant's", LOGIN("bob@globex.example"),
     "From: a@x.deep.wide.example\r\n", "tenant", NULL},
    {"login below a child without subdomains", LOGIN("a@x.deep.wide.example"),
     "From: a@wide.example\r\n", "tenant", NULL},
    {"above one's own", LOGIN("bob@globex.example"), "From: a@wide.example\r\n", "tenant", NULL},
    {"a top-level domain", INTERNAL, "From: a@example\r\n", "no_domain", NULL},
    {"Sender does not count", LOGIN("ann@acme.example"),
     "From: a@example.org\r\nSender: b@acme.example\r\n", "no_domain", NULL},

    /* Rules */
    {"rule with identity", LOGIN("ann@acme.example"), "From: News@acme.example\r\n",
     "acme.example/a1/@news.acme.example", NULL},
    {"rule with a reserved key", LOGIN("bob@globex.example"), "From: boss@globex.example\r\n",
     "globex.example/g2/", NULL},
    {"reserved keys sign for nobody else", LOGIN("bob@globex.example"),
     "From: clerk@globex.example\r\n", "globex.example/g1/", NULL},
    {"rule with a key that is not there", LOGIN("bob@globex.example"),
     "From: lost@globex.example\r\n", "no_key", NULL},
    {"rules do not open another tenant's domain", LOGIN("ann@acme.example"),
     "From: boss@globex.example\r\n", "tenant", NULL},
    {"rule for a host", LOGIN("bob@globex.example"), "From: x@lists.example\r\n",
     "globex.example/g1/", NULL},
    {"the author before the host", LOGIN("ann@acme.example"), "From: ann@lists.example\r\n",
     "acme.example/a1/", NULL},
    {"the other tenant's rule", LOGIN("ann@acme.example"), "From: x@lists.example\r\n", "tenant",
     NULL},
    {"rule for all below", LOGIN("ann@acme.example"), "From: x@a.b.hosted.example\r\n",
     "acme.example/a1/", NULL},
    {"not for the name itself", INTERNAL, "From: x@hosted.example\r\n", "no_domain", NULL},
    {"the author before all below", LOGIN("bob@globex.example"), "From: root@a.hosted.example\r\n",
     "globex.example/g1/", NULL},
    {"two rules of one pattern", INTERNAL, "From: x@pair.example\r\n",
     "acme.example/a1/ globex.example/g1/", NULL},
    {"of two rules one's own", LOGIN("ann@acme.example"), "From: x@pair.example\r\n",
     "acme.example/a1/", NULL},
    {"rule for everywhere, nobody's author", LOGIN("ann@acme.example"),
     "From: abuse@example.org\r\n", "provider.example/p1/@mail.provider.example", NULL},
    {"but not for another tenant's subdomain", LOGIN("ann@acme.example"),
     "From: abuse@mail.globex.example\r\n", "tenant", NULL},
    {"the domain before a rule for everywhere", LOGIN("ann@acme.example"),
     "From: abuse@acme.example\r\n", "acme.example/a1/", NULL},

    /* What the review of these rules brought up */
    {"a suspended tenant's login and the provider's key", LOGIN("a@off.example"),
     "From: abuse@nowhere.example\r\n", "suspended", NULL},
    {"a suspended tenant's granted login and the provider's key", LOGIN("unpaid"),
     "From: abuse@nowhere.example\r\n", "suspended", NULL},
    {"likewise, of a tenant without a domain", LOGIN("idler"), "From: abuse@nowhere.example\r\n",
     "suspended", NULL},
    {"likewise, of a login that belongs to it by its name", LOGIN("ann@idle.example"),
     "From: abuse@nowhere.example\r\n", "suspended", NULL},
    {"a login whose tenant is not there", LOGIN("nobody"), "From: abuse@nowhere.example\r\n",
     "suspended", NULL},
    {"a login of a name that is nobody's", LOGIN("ann@nobody.example"),
     "From: abuse@nowhere.example\r\n", "provider.example/p1/@mail.provider.example", NULL},
    {"a suspended tenant's author and the provider's key", INTERNAL, "From: news@off.example\r\n",
     "suspended", NULL},
    {"login far below a long name that is somebody's",
     LOGIN("x@z.a1.a2.a3.a4.a5.a6.a7.wide.example"), "From: a@acme.example\r\n", "tenant", NULL},
    {"author far below a long name that is somebody's", LOGIN("ann@acme.example"),
     "From: x@z.a1.a2.a3.a4.a5.a6.a7.wide.example\r\n", "no_domain", NULL},
    {"nor by a rule for everywhere", LOGIN("ann@acme.example"),
     "From: abuse@z.a1.a2.a3.a4.a5.a6.a7.wide.example\r\n", "no_domain", NULL},
    {"nor by a rule for that very name", LOGIN("ann@acme.example"),
     "From: x@y.a1.a2.a3.a4.a5.a6.a7.wide.example\r\n", "tenant", NULL},
    {"nor by a network", AT("198.51.100.1"), "From: abuse@z.a1.a2.a3.a4.a5.a6.a7.wide.example\r\n",
     "no_domain", NULL},
    {"the provider may, for anybody", INTERNAL, "From: x@z.a1.a2.a3.a4.a5.a6.a7.wide.example\r\n",
     "two.example/t1/", NULL},
    {"a granted login in other letters", LOGIN("Cust@Provider.example"),
     "From: billing@provider.example\r\n", "tenant", NULL},
    {"the provider as well, but it signs already", INTERNAL, "From: a@provider.example\r\n",
     "provider.example/p1/", NULL},
    {"of two rules the RSA one, where one is wanted", LOGIN("ses"), "From: a@mixed.example\r\n",
     "zz.example/z1/", NULL},
    {"both where it is not", LOGIN("ann@acme.example"), "From: a@mixed.example\r\n",
     "eonly.example/e1/ zz.example/z1/", NULL},
    {"what the login's tenant wants, when nobody owns the author", LOGIN("a@one.example"),
     "From: abuse@nowhere.example\r\n", "provider.example/p1/@mail.provider.example", NULL},

    /* Keys */
    {"tenant suspended", INTERNAL, "From: a@off.example\r\n", "suspended", NULL},
    {"domain suspended", INTERNAL, "From: a@closed.example\r\n", "suspended", NULL},
    {"no key", INTERNAL, "From: a@empty.example\r\n", "no_key", NULL},
    {"no key, deferred", INTERNAL, "From: a@empty-wait.example\r\n", "defer no_key", NULL},
    {"no key, provider", INTERNAL, "From: a@empty-provider.example\r\n", "provider.example/p1/",
     NULL},
    {"broken key", INTERNAL, "From: a@broken.example\r\n", "defer broken_key", NULL},
    {"broken key, unsigned", INTERNAL, "From: a@broken-plain.example\r\n", "broken_key", NULL},
    {"broken key, provider", INTERNAL, "From: a@broken-provider.example\r\n",
     "provider.example/p1/", NULL},
    {"one of two is broken", INTERNAL, "From: a@half.example\r\n", "half.example/h1/", NULL},
    {"not shown by DNS", INTERNAL, "From: a@unshown.example\r\n", "unpublished", NULL},
    {"not shown by DNS, provider", INTERNAL, "From: a@unshown-provider.example\r\n",
     "provider.example/p1/", NULL},
    {"the provider as well", INTERNAL, "From: a@both.example\r\n",
     "both.example/b1/ provider.example/p1/", NULL},
    {"one signature, RSA, and no provider", INTERNAL, "From: a@one.example\r\n", "one.example/o1/",
     NULL},
    {"one signature by the grant", LOGIN("ses"), "From: a@two.example\r\n", "two.example/t1/",
     NULL},
};

static const struct policy_row sender_rows[] = {
    {"From before Sender", INTERNAL, "Sender: b@globex.example\r\nFrom: a@acme.example\r\n",
     "acme.example/a1/", NULL},
    {"Sender, if From is nobody's", LOGIN("bob@globex.example"),
     "From: a@example.org\r\nSender: b@globex.example\r\n", "globex.example/g1/", NULL},
    {"not if From is another tenant's", LOGIN("bob@globex.example"),
     "From: a@acme.example\r\nSender: b@globex.example\r\n", "tenant", NULL},
    {"Sender of another tenant", LOGIN("bob@globex.example"),
     "From: a@example.org\r\nSender: b@acme.example\r\n", "tenant", NULL},
    {"not if From is below another tenant's", LOGIN("ann@acme.example"),
     "From: a@mail.globex.example\r\nSender: b@acme.example\r\n", "no_domain", NULL},
    {"not if nobody knows whose From is", LOGIN("ann@acme.example"),
     "From: x@z.a1.a2.a3.a4.a5.a6.a7.wide.example\r\nSender: b@acme.example\r\n", "no_domain",
     NULL},
    {"unreadable Sender", INTERNAL, "From: a@example.org\r\nSender: nobody\r\n", "no_domain", NULL},
    {"two Senders", INTERNAL,
     "From: a@example.org\r\nSender: b@acme.example\r\nSender: c@acme.example\r\n", "no_domain",
     NULL},
    {"Sender instead of From", INTERNAL, "Sender: b@acme.example\r\n", "no_from", NULL},
    {"envelope sender does not count", INTERNAL, "From: a@example.org\r\n", "no_domain",
     "<b@acme.example>"},
};

static const struct policy_row envelope_rows[] = {
    {"envelope sender", LOGIN("ann@acme.example"), "From: a@example.org\r\n", "acme.example/a1/",
     "<b@acme.example>"},
    {"envelope sender of another tenant", LOGIN("ann@acme.example"), "From: a@example.org\r\n",
     "tenant", "<b@globex.example>"},
    {"From before the envelope", LOGIN("ann@acme.example"), "From: a@globex.example\r\n", "tenant",
     "<b@acme.example>"},
    {"Sender before the envelope", INTERNAL, "From: a@example.org\r\nSender: a@globex.example\r\n",
     "globex.example/g1/", "<b@acme.example>"},
    {"a bounce", INTERNAL, "From: a@example.org\r\n", "no_domain", "<>"},
    {"nonsense", INTERNAL, "From: a@example.org\r\n", "no_domain", "<@:>"},
};

/* -- running it ----------------------------------------------------------------------------- */

struct policy_variant {
    const char *author;
    enum settings_on_error on_error;
    enum settings_tenant_check tenant_check;
    bool not_provider, not_authenticated;
};

static struct policy *variant_of(const struct policy_variant *variant)
{
    struct settings *settings = settings_of(variant->author, variant->on_error);
    struct policy *policy = NULL;
    struct err err = {0};
    free(settings->sign.provider_domain);
    settings->sign.provider_domain = strdup("Mail.Provider.example");
    settings->trust.tenant_check = variant->tenant_check;
    settings->trust.internal_is_provider = !variant->not_provider;
    settings->trust.authenticated = !variant->not_authenticated;
    assert_int_equal(policy_new(settings, &policy, &err), ST_OK);
    settings_free(settings);
    return policy;
}

static struct policy_origin origin_of(const struct policy *policy, const struct origin *origin)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    const struct sockaddr *address = NULL;
    if (origin->address != NULL && inet_pton(AF_INET, origin->address, &in.sin_addr) == 1)
        address = (const struct sockaddr *)&in;
    else if (origin->address != NULL && inet_pton(AF_INET6, origin->address, &in6.sin6_addr) == 1)
        address = (const struct sockaddr *)&in6;
    return (struct policy_origin){.peer = policy_peer_of(policy, address, SPAN_LIT("")),
                                  .login = origin->login,
                                  .daemon_name = origin->daemon_name};
}

static void decide(const struct policy *policy, const struct policy_row *row, struct world *world,
                   struct policy_decision *out)
{
    struct dkim_fields fields = {0};
    struct span body;
    struct err err = {0};
    struct policy_case c = {.origin = origin_of(policy, &row->origin),
                            .fields = &fields,
                            .envelope_from = row->envelope_from,
                            .find = find,
                            .find_arg = world,
                            .step = take_step,
                            .step_arg = world};
    world->steps[0] = '\0';
    assert_int_equal(dkim_fields_split(span_str(row->fields), &fields, &body, &err), ST_OK);
    policy_decide(policy, &c, out);
    dkim_fields_clear(&fields);
}

static void describe(const struct policy_decision *decision, char out[512])
{
    size_t len = 0;
    out[0] = '\0';
    if (decision->action != POLICY_SIGN)
        snprintf(out, 512, "%s%s", decision->action == POLICY_TEMPFAIL ? "defer " : "",
                 decision->reason);
    for (size_t i = 0; i < decision->count; i++)
        len += (size_t)snprintf(out + len, 512 - len, "%s%s/%s/%s", i > 0 ? " " : "",
                                decision->signatures[i].signers->domain,
                                decision->signatures[i].signer->selector,
                                decision->signatures[i].identity);
}

static void check_row(const struct policy *policy, const struct policy_row *row)
{
    struct world world = {.count = 0};
    struct policy_decision decision = {.count = 0};
    char got[512];
    decide(policy, row, &world, &decision);
    describe(&decision, got);
    if (strcmp(got, row->wanted) != 0)
        fail_msg("%s: %s, not %s\n%s", row->name, got, row->wanted, world.steps);
    assert_string_not_equal(decision.text, "");
    assert_non_null(strstr(world.steps, "decision: "));
    policy_decision_clear(&decision);
    clear_world(&world);
}

static void check_rows(const struct policy_variant *variant, const struct policy_row *list,
                       size_t count)
{
    struct policy *policy = variant_of(variant);
    for (size_t i = 0; i < count; i++)
        check_row(policy, &list[i]);
    policy_free(policy);
}
#define CHECK_ROWS(variant, list) check_rows(variant, list, sizeof(list) / sizeof(list)[0])

static void test_the_table(void **state)
{
    (void)state;
    CHECK_ROWS(&(struct policy_variant){.author = "from"}, rows);
    CHECK_ROWS(&(struct policy_variant){.author = "from,sender"}, sender_rows);
    CHECK_ROWS(&(struct policy_variant){.author = "from,sender,envelope"}, envelope_rows);
}

static void test_internal_hosts_of_customers(void **state)
{
    (void)state;
    static const struct policy_row list[] = {
        {"internal without a grant", INTERNAL, "From: a@acme.example\r\n", "tenant", NULL},
        {"internal with a grant", AT("192.0.2.50"), "From: a@acme.example\r\n", "acme.example/a1/",
         NULL},
        {"listed daemon name", DAEMON("Submission"), "From: a@acme.example\r\n", "tenant", NULL},
        {"login", LOGIN("ann@acme.example"), "From: a@acme.example\r\n", "acme.example/a1/", NULL},
    };
    CHECK_ROWS((&(struct policy_variant){.author = "from", .not_provider = true}), list);
}

static void test_login_counts_only_if_trusted(void **state)
{
    (void)state;
    static const struct policy_row list[] = {
        {"login not trusted", LOGIN("ann@acme.example"), "From: a@acme.example\r\n", "origin",
         NULL},
        {"on an internal host it binds all the same",
         {"192.0.2.1", "bob@globex.example", NULL},
         "From: a@acme.example\r\n",
         "tenant",
         NULL},
        {"and lets sign for its own",
         {"192.0.2.1", "bob@globex.example", NULL},
         "From: a@globex.example\r\n",
         "globex.example/g1/",
         NULL},
    };
    CHECK_ROWS((&(struct policy_variant){.author = "from", .not_authenticated = true}), list);
}

static void test_tenant_check(void **state)
{
    (void)state;
    static const struct policy_row row = {"login of another tenant", LOGIN("bob@acme.example"),
                                          "From: a@globex.example\r\n", "globex.example/g1/", NULL};
    static const char why[] =
        "login bob@acme.example may not sign for globex.example (tenant globex)";
    static const struct {
        enum settings_tenant_check check;
        const char *got, *text, *would;
    } cases[] = {
        {TENANT_CHECK_ENFORCE, "tenant", why, ""},
        {TENANT_CHECK_LOG, "globex.example/g1/", "globex.example signs", why},
        {TENANT_CHECK_OFF, "globex.example/g1/", "globex.example signs", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct policy *policy =
            variant_of(&(struct policy_variant){.author = "from", .tenant_check = cases[i].check});
        struct world world = {.count = 0};
        struct policy_decision decision = {.count = 0};
        char got[512];
        decide(policy, &row, &world, &decision);
        describe(&decision, got);
        assert_string_equal(got, cases[i].got);
        assert_string_equal(decision.text, cases[i].text);
        assert_string_equal(decision.would, cases[i].would);
        assert_string_equal(decision.domain, "globex.example");
        assert_string_equal(decision.tenant, "globex");
        policy_decision_clear(&decision);
        clear_world(&world);
        policy_free(policy);
    }
}

/* Of two that a rule names, enforce would leave one. */
static void test_what_would_be_left_out_is_told(void **state)
{
    (void)state;
    static const struct policy_row row = {"", LOGIN("ann@acme.example"), "From: x@pair.example\r\n",
                                          "", NULL};
    static const char told[] = "login ann@acme.example may not sign for pair.example with a key of "
                               "globex.example (tenant globex)";
    static const char *const would[] = {
        [TENANT_CHECK_ENFORCE] = "", [TENANT_CHECK_LOG] = told, [TENANT_CHECK_OFF] = ""};
    for (size_t check = 0; check < sizeof would / sizeof would[0]; check++) {
        struct policy *policy = variant_of(&(struct policy_variant){
            .author = "from", .tenant_check = (enum settings_tenant_check)check});
        struct world world = {.count = 0};
        struct policy_decision decision = {.count = 0};
        decide(policy, &row, &world, &decision);
        assert_string_equal(decision.would, would[check]);
        assert_int_equal(decision.count, check == TENANT_CHECK_ENFORCE ? 1 : 2);
        assert_non_null(strstr(world.steps, "with a key of globex.example (tenant globex)"));
        policy_decision_clear(&decision);
        clear_world(&world);
        policy_free(policy);
    }
}

static struct policy *policy_with_provider(const char *domain)
{
    struct settings *settings = settings_of("from", ON_ERROR_TEMPFAIL);
    struct policy *policy = NULL;
    struct err err = {0};
    free(settings->sign.provider_domain);
    settings->sign.provider_domain = strdup(domain);
    assert_int_equal(policy_new(settings, &policy, &err), ST_OK);
    settings_free(settings);
    return policy;
}

/* The provider's own name stands below somebody else's, who is not the provider for that. */
static void test_a_parent_of_the_provider_is_not_the_provider(void **state)
{
    (void)state;
    static const struct policy_row row = {"", LOGIN("ann@acme.example"),
                                          "From: a@lists2.example\r\n", "tenant", NULL};
    struct policy *policy = policy_with_provider("relay.hosting.example");
    check_row(policy, &row);
    policy_free(policy);
}

/* Where the provider signs for nobody's author. */
static void test_what_the_tenant_of_a_grant_wants_of_the_provider(void **state)
{
    (void)state;
    static const struct policy_row list[] = {
        {"one signature", LOGIN("single"), "From: x@double.example\r\n", "two.example/t1/", NULL},
        {"any number", LOGIN("several"), "From: x@double.example\r\n",
         "two.example/t1/ two.example/t2/", NULL},
    };
    struct policy *policy = policy_with_provider("two.example");
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
        check_row(policy, &list[i]);
    policy_free(policy);
}

static void test_rules_are_not_sorted_out_where_nothing_is_checked(void **state)
{
    (void)state;
    static const struct policy_row list[] = {
        {"of two rules one's own", LOGIN("ann@acme.example"), "From: x@pair.example\r\n",
         "acme.example/a1/ globex.example/g1/", NULL},
    };
    CHECK_ROWS((&(struct policy_variant){.author = "from", .tenant_check = TENANT_CHECK_OFF}),
               list);
}

static void test_lookups_that_fail(void **state)
{
    (void)state;
    static const struct {
        enum status fault;
        enum settings_on_error on_error;
        struct origin origin;
        const char *got;
    } cases[] = {
        {ST_TEMP, ON_ERROR_TEMPFAIL, INTERNAL, "defer store"},
        {ST_BROKEN, ON_ERROR_TEMPFAIL, INTERNAL, "defer store"},
        {ST_TEMP, ON_ERROR_ACCEPT, INTERNAL, "store"},
        {ST_TEMP, ON_ERROR_TEMPFAIL, LOGIN("ann@acme.example"), "defer store"},
        {ST_TEMP, ON_ERROR_TEMPFAIL, AT("192.0.2.99"), "exempt"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct policy_row row = {"", cases[i].origin, "From: a@acme.example\r\n", "", NULL};
        struct policy *policy =
            variant_of(&(struct policy_variant){.author = "from", .on_error = cases[i].on_error});
        struct world world = {.fault = cases[i].fault};
        struct policy_decision decision = {.count = 0};
        char got[512];
        decide(policy, &row, &world, &decision);
        describe(&decision, got);
        assert_string_equal(got, cases[i].got);
        policy_decision_clear(&decision);
        policy_free(policy);
    }
}

static void test_decisions_that_mean_the_same(void **state)
{
    (void)state;
    static const struct policy_row list[] = {
        {"", INTERNAL, "From: a@acme.example\r\n", "", NULL},
        {"", INTERNAL, "From: b@acme.example\r\n", "", NULL},
        {"", INTERNAL, "From: news@acme.example\r\n", "", NULL},
        {"", INTERNAL, "From: a@two.example\r\n", "", NULL},
        {"", STRANGER, "From: a@acme.example\r\n", "", NULL},
        {"", STRANGER, "From: nobody\r\n", "", NULL},
    };
    enum { COUNT = sizeof list / sizeof list[0] };
    static const int kind_of[COUNT] = {0, 0, 1, 2, 3, 3};
    struct policy *policy = variant_of(&(struct policy_variant){.author = "from"});
    struct policy_decision decisions[COUNT] = {{.count = 0}};
    struct world world = {.count = 0};
    for (size_t i = 0; i < COUNT; i++)
        decide(policy, &list[i], &world, &decisions[i]);
    for (size_t i = 0; i < COUNT; i++)
        for (size_t j = 0; j < COUNT; j++)
            assert_int_equal(policy_decision_equal(&decisions[i], &decisions[j]),
                             kind_of[i] == kind_of[j]);
    for (size_t i = 0; i < COUNT; i++)
        policy_decision_clear(&decisions[i]);
    clear_world(&world);
    policy_free(policy);
}

/* -- options ------------------------------------------------------------------------------ */

static void test_options_of_the_settings_and_of_the_domain(void **state)
{
    (void)state;
    struct policy *policy = policy_of("from", ON_ERROR_TEMPFAIL);
    struct signers *signers = signers_of(0);
    struct policy_decision decision = {
        .signatures = {{.signers = signers, .signer = &signers->list[0]}}, .count = 1};
    struct dkim_sign_options options;
    struct err err = {0};
    policy_sign_options(policy, &decision, 0, 1000, &options);
    assert_string_equal(options.domain, "acme.example");
    assert_string_equal(options.selector, "a1");
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
    assert_int_equal(dkim_names_parse(SPAN_LIT("Subject"), &signers->oversign, &err), ST_OK);
    strcpy(decision.signatures[0].identity, "@news.acme.example");
    policy_sign_options(policy, &decision, 0, 1000, &options);
    assert_int_equal(options.body_canon, DKIM_SIMPLE);
    assert_int_equal(options.expiry_s, 0);
    assert_false(dkim_names_contain(options.oversign, SPAN_LIT("From")));
    assert_true(dkim_names_contain(options.oversign, SPAN_LIT("Subject")));
    assert_string_equal(options.identity, "@news.acme.example");
    dkim_names_free(signers->oversign);
    free(signers->list[0].selector);
    free(signers);
    policy_free(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_peers),
        cmocka_unit_test(test_peer_on_a_unix_socket_is_internal),
        cmocka_unit_test(test_the_table),
        cmocka_unit_test(test_internal_hosts_of_customers),
        cmocka_unit_test(test_login_counts_only_if_trusted),
        cmocka_unit_test(test_tenant_check),
        cmocka_unit_test(test_what_would_be_left_out_is_told),
        cmocka_unit_test(test_what_the_tenant_of_a_grant_wants_of_the_provider),
        cmocka_unit_test(test_a_parent_of_the_provider_is_not_the_provider),
        cmocka_unit_test(test_rules_are_not_sorted_out_where_nothing_is_checked),
        cmocka_unit_test(test_lookups_that_fail),
        cmocka_unit_test(test_decisions_that_mean_the_same),
        cmocka_unit_test(test_options_of_the_settings_and_of_the_domain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
