/* SPDX-License-Identifier: Apache-2.0
 *
 * What OpenDKIM would do, where tests/system/test_opendkim_model.py cannot ask the real one: other
 * versions, clients that are not on IP, recipients, several fields, and what is noted. What it can
 * ask is there; here is one case of each kind.
 */
#include "tests/unit/test_opendkim_support.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "opendkim/files.h"
#include "opendkim/signing.h"

#define KEY "KeyFile @/key\nSelector s1\nRequireSafeKeys no\nMode s\n"
#define TABLES                                                                                     \
    "KeyTable @/keys\nSigningTable refile:@/rules\nRequireSafeKeys no\nMode s\n"                   \
    "MultipleSignatures yes\n"

static const struct ask_case {
    const char *name, *conf, *keys, *rules;
    const char *author, *login, *recipient;
    enum signing_action action;
    const char *signatures; /* "d s i;" each */
    const char *text;       /* in the reason or a step */
} ask_cases[] = {
    {"one domain", KEY "Domain example.com\n", "", "", "a@example.com", NULL, NULL, SIGNING_SIGN,
     "example.com s1 -;", "Domain: example.com is in csl:"},
    {"SubDomains", KEY "Domain example.com\nSubDomains y\n", "", "", "a@x.example.com", NULL, NULL,
     SIGNING_SIGN, "example.com s1 @example.com;", NULL},
    {"an author who cannot be read", KEY "Domain *\n", "", "", "\"x", NULL, NULL, SIGNING_UNSIGNED,
     "", "cannot be read"},
    {"not a client that may", KEY "Domain *\nInternalHosts 10.0.0.1\n", "", "", "a@x.test", NULL,
     NULL, SIGNING_UNSIGNED, "", "the client may not sign"},
    {"a login", KEY "Domain *\nInternalHosts 10.0.0.1\n", "", "", "a@x.test", "bob", NULL,
     SIGNING_SIGN, "x.test s1 -;", "has logged in"},
    {"a recipient", KEY "Domain *\nDontSignMailTo r@y.test\n", "", "", "a@x.test", NULL, "R@y.test",
     SIGNING_UNSIGNED, "", "DontSignMailTo"},
    {"another recipient", KEY "Domain *\nDontSignMailTo r@y.test\n", "", "", "a@x.test", NULL,
     "q@y.test", SIGNING_SIGN, "x.test s1 -;", NULL},
    {"Sender before From", KEY "Domain *\nSenderHeaders Sender,From\n", "", "", "a@x.test", NULL,
     NULL, SIGNING_SIGN, "sender.test s1 -;", NULL},
    {"an unknown setting", KEY "Domain *\nNonsense 1\n", "", "", "a@x.test", NULL, NULL,
     SIGNING_STOPPED, "", "Nonsense"},
    {"a removed setting", KEY "Domain *\nLocalADSP x\n", "", "", "a@x.test", NULL, NULL,
     SIGNING_SIGN, "x.test s1 -;", NULL},
    {"a pattern without a value", TABLES, "k d.test:s:@/key\n", "*\n", "a@x.test", NULL, NULL,
     SIGNING_STOPPED, "", "crashes"},
    {"a rule without a key", TABLES, "k d.test:s:@/key\n", "* none\n", "a@x.test", NULL, NULL,
     SIGNING_TEMPFAIL, "", "names the key none"},
    {"of three only the first and the last are kept", TABLES,
     "k1 d1.test:s1:@/key\nk2 d2.test:s2:@/key\nk3 d3.test:s3:@/key\n", "* k1\na* k2\n*t k3\n",
     "a@x.test", NULL, NULL, SIGNING_SIGN, "d1.test s1 -;d3.test s3 -;",
     "loses the signature with the key k2"},
    {"a signer outside", TABLES, "k d.test:s:@/key\n", "* k:x@e.test\n", "a@x.test", NULL, NULL,
     SIGNING_SIGN, "d.test s -;", "left out"},
    {"KeyList", "KeyList @/keys\nRequireSafeKeys no\nMode s\n",
     "*@no.test:no.test:@/key\n*@x.test:d.test:@/key\n", "", "a@x.test", NULL, NULL, SIGNING_SIGN,
     "d.test key -;", "KeyList: line 2"},
    {"KeyList without a match", "KeyList @/keys\nMode sv\n", "*@no.test:no.test:@/key\n", "",
     "a@x.test", NULL, NULL, SIGNING_VERIFY, "", "KeyList: nothing"},
};

/* The question of a case, from a client that is not on IP unless it has logged in. */
static enum status ask(const struct ask_case *one, struct signing *signing,
                       struct signing_answer *answer)
{
    struct dkim_fields fields = {.count = 0};
    struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    struct signing_macro macros[] = {{"{auth_type}", "PLAIN"}};
    struct signing_question question = {.fields = &fields,
                                        .address =
                                            strstr(one->conf, "10.0.0.1") != NULL ? &nowhere : NULL,
                                        .macros = macros,
                                        .macro_count = one->login == NULL ? 0 : 1,
                                        .recipients = &one->recipient,
                                        .recipient_count = one->recipient == NULL ? 0 : 1};
    assert_int_equal(dkim_fields_add(&fields, SPAN_LIT("From"), span_str(one->author), NULL),
                     ST_OK);
    assert_int_equal(dkim_fields_add(&fields, SPAN_LIT("Sender"), SPAN_LIT(" s@sender.test"), NULL),
                     ST_OK);
    assert_int_equal(
        dkim_fields_add(&fields, SPAN_LIT("From"), SPAN_LIT(" second@second.test"), NULL), ST_OK);
    enum status status = signing_ask(signing, &question, answer, NULL);
    dkim_fields_clear(&fields);
    return status;
}

static bool says(const struct signing_answer *answer, const char *text)
{
    if (text == NULL || strstr(answer->reason, text) != NULL)
        return true;
    for (size_t i = 0; i < answer->step_count; i++)
        if (strstr(answer->steps[i], text) != NULL)
            return true;
    return false;
}

static void check(const struct ask_case *one, const struct signing_answer *answer)
{
    struct buf signatures = BUF_INIT(0);
    for (size_t i = 0; i < answer->count; i++)
        buf_printf(&signatures, "%s %s %s;", answer->list[i].domain, answer->list[i].selector,
                   answer->list[i].identity == NULL ? "-" : answer->list[i].identity);
    if (answer->action != one->action || strcmp(buf_cstr(&signatures), one->signatures) != 0 ||
        !says(answer, one->text)) {
        for (size_t i = 0; i < answer->step_count; i++)
            print_message("%s\n", answer->steps[i]);
        fail_msg("%s: %s %s %s", one->name, signing_action_name(answer->action),
                 buf_cstr(&signatures), answer->reason);
    }
    buf_clear(&signatures);
}

static void write_key(void)
{
    struct buf pem = BUF_SECRET(0);
    assert_int_equal(files_read(VECTORS "/pem/rsa1024_pkcs1.pem", &pem, NULL), ST_OK);
    test_write("key", buf_span(&pem));
    buf_clear(&pem);
}

static void messages_are_decided(void **state)
{
    (void)state;
    write_key();
    for (size_t i = 0; i < sizeof ask_cases / sizeof ask_cases[0]; i++) {
        const struct ask_case *one = &ask_cases[i];
        struct configuration configuration = {.list = NULL};
        struct notes *notes = notes_new();
        struct signing *signing = NULL;
        struct signing_answer answer;
        struct err err = {0};
        struct signing_options options = {.configuration = &configuration, .notes = notes};
        test_write_text("conf", one->conf);
        test_write_text("keys", one->keys);
        test_write_text("rules", one->rules);
        assert_int_equal(configuration_read(test_path("conf"), notes, &configuration, &err), ST_OK);
        if (signing_open(&options, &signing, &err) != ST_OK)
            fail_msg("%s: %s", one->name, err.text);
        assert_int_equal(ask(one, signing, &answer), ST_OK);
        check(one, &answer);
        signing_answer_clear(&answer);
        signing_close(signing);
        configuration_clear(&configuration);
        notes_free(notes);
    }
}

static const struct note_case {
    const char *conf, *rules;
    size_t line;
    const char *text;
} note_cases[] = {
    {"SigningTable @/rules\nKeyTable @/rules\n", "*@example.com k\n", 1, "matches nobody"},
    {"SigningTable @/rules\nKeyTable @/rules\n", "k example.com\n", 1, "no selector"},
    {"Mode x\n", "", 0, "does not start: Mode"},
    {"InternalHosts mysql:x\n", "", 0, "does not start: InternalHosts"},
    {"SetupPolicyScript /x\n", "", 1, "what the script decides"},
    {"MultipleSignatures yes\n", "", 1, "the first and the last"},
    {"Mode v\n", "", 1, "does not verify mail either"},
    {"SigningTable @/rules\nKeyTable k=x\n", "a.test none\n", 1, "is not in KeyTable"},
    {"SigningTable @/rules\nKeyTable k=x\n", "@a.test k\n", 1, "never for @host"},
    {"SigningTable @/rules\nKeyTable csl:k=d.test:s:/k\n", "a.test k:x\n", 1, "has no @"},
    {"SigningTable @/rules\nKeyTable csl:k=d.test:s:/k\n", "a.test k:x@notd.test\n", 1,
     "not within the domain"},
};

static void surprises_are_noted(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof note_cases / sizeof note_cases[0]; i++) {
        struct configuration configuration = {.list = NULL};
        struct notes *notes = notes_new();
        struct signing *signing = NULL;
        struct err err = {0};
        struct signing_options options = {.configuration = &configuration, .notes = notes};
        test_write_text("conf", note_cases[i].conf);
        test_write_text("rules", note_cases[i].rules);
        assert_int_equal(configuration_read(test_path("conf"), notes, &configuration, &err), ST_OK);
        if (signing_open(&options, &signing, &err) != ST_OK)
            fail_msg("%s: %s", note_cases[i].conf, err.text);
        if (!test_noted(notes, note_cases[i].line, note_cases[i].text)) {
            test_print_notes(notes);
            fail_msg("%s", note_cases[i].text);
        }
        signing_close(signing);
        configuration_clear(&configuration);
        notes_free(notes);
    }
}

static void what_cannot_be_read_here_is_refused(void **state)
{
    (void)state;
    struct configuration configuration = {.list = NULL};
    struct signing *signing = NULL;
    struct err err = {0};
    struct signing_options options = {.configuration = &configuration};
    test_write_text("conf", "KeyTable dsn:mysql://u:hush@h/d\nSigningTable *=k\n");
    assert_int_equal(configuration_read(test_path("conf"), NULL, &configuration, &err), ST_OK);
    assert_int_equal(signing_open(&options, &signing, &err), ST_DENIED);
    assert_non_null(strstr(err.text, "KeyTable: data sets of the type dsn"));
    assert_null(strstr(err.text, "hush"));
    assert_null(signing);
    configuration_clear(&configuration);
}

static void an_import_finds_its_tables(void **state)
{
    (void)state;
    struct configuration configuration = {.list = NULL};
    struct signing *signing = NULL;
    struct err err = {0};
    struct signing_options options = {.configuration = &configuration};
    test_write_text("conf", "KeyTable csl:k=d:s:./key\nSigningTable *=k\nMTA ORIG\nMode v\n");
    assert_int_equal(configuration_read(test_path("conf"), NULL, &configuration, &err), ST_OK);
    assert_int_equal(signing_open(&options, &signing, &err), ST_OK);
    assert_string_equal(signing_stop(signing), "");
    assert_int_equal(table_count(signing_table(signing, "KeyTable")), 1);
    assert_int_equal(table_count(signing_table(signing, "InternalHosts")), 2);
    assert_null(signing_table(signing, "PeerList"));
    assert_null(signing_table(signing, "Nonsense"));
    assert_int_equal(signing_mode(signing), SIGNING_MODE_VERIFY);
    assert_string_equal(signing_algorithm(signing), "rsa-sha256");
    assert_int_equal(signing_keylist(signing)->count, 0);
    assert_non_null(signing_keys(signing));
    signing_close(signing);
    signing_close(NULL);
    configuration_clear(&configuration);
}

/* -- servers that do not answer ------------------------------------------------------------- */

static enum status lost_open(const char *spec, void *context, void **handle_out, struct err *err)
{
    (void)spec;
    (void)err;
    *handle_out = context;
    return ST_OK;
}

static enum status lost_each(void *handle, table_take *take, void *arg, struct err *err)
{
    (void)handle;
    (void)take;
    (void)arg;
    return err_set(err, ST_TEMP, "dsn: gone");
}

/* Knows k and good.test; of lost.test it does not say, and odd.test it cannot compare. */
static enum status lost_find(void *handle, struct span key, struct buf *value_out, struct err *err)
{
    (void)handle;
    if (span_has_suffix_nocase(key, SPAN_LIT("lost.test")) || span_equal(key, SPAN_LIT("klost")))
        return err_set(err, ST_TEMP, "dsn: gone");
    if (span_has_suffix_nocase(key, SPAN_LIT("odd.test")))
        return err_set(err, ST_INVALID, "dsn: no such number");
    if (span_equal(key, SPAN_LIT("good.test")))
        buf_append_str(value_out, "k");
    else if (span_equal(key, SPAN_LIT("k")))
        buf_printf(value_out, "d.test:s:%s", test_path("key"));
    else
        return err_set(err, ST_NOT_FOUND, "dsn: none");
    return ST_OK;
}

static void lost_close(void *handle)
{
    (void)handle;
}

#define SAFE "RequireSafeKeys no\nMode s\n"
#define FOREIGN_KEYS "KeyTable dsn:x\nSigningTable refile:@/rules\n" SAFE
#define FOREIGN_RULES "KeyTable dsn:x\nSigningTable dsn:x\n" SAFE

static const struct trouble_case {
    const char *conf, *author;
    enum signing_action action;
    bool trouble, any_key;
    const char *reason;
} trouble_cases[] = {
    {FOREIGN_RULES, "a@good.test", SIGNING_SIGN, false, false, "d.test"},
    {FOREIGN_RULES, "a@none.test", SIGNING_UNSIGNED, false, false, "no domain"},
    {FOREIGN_RULES, "a@lost.test", SIGNING_TEMPFAIL, true, false,
     "SigningTable: a@lost.test: dsn: gone"},
    {FOREIGN_RULES, "a@odd.test", SIGNING_TEMPFAIL, false, false,
     "SigningTable: a@odd.test: dsn: no such number"},
    {FOREIGN_KEYS, "lost@x.test", SIGNING_TEMPFAIL, true, false, "KeyTable: klost: dsn: gone"},
    {FOREIGN_KEYS, "any@lost.test", SIGNING_TEMPFAIL, true, true, "KeyTable: lost.test: dsn: gone"},
    {FOREIGN_KEYS, "any@none.test", SIGNING_TEMPFAIL, false, true, "names the key none.test"},
    {FOREIGN_KEYS, "none@x.test", SIGNING_TEMPFAIL, false, false, "names the key none"},
    {KEY "Domain dsn:x\n", "a@good.test", SIGNING_SIGN, false, false, "good.test"},
    {KEY "Domain dsn:x\n", "a@lost.test", SIGNING_TEMPFAIL, true, false,
     "Domain: lost.test: dsn: gone"},
    {KEY "Domain dsn:x\nSubDomains yes\n", "a@below.lost.test", SIGNING_TEMPFAIL, true, false,
     "Domain: below.lost.test: dsn: gone"},
    {KEY "Domain *\nExemptDomains dsn:x\n", "a@lost.test", SIGNING_TEMPFAIL, true, false,
     "ExemptDomains: lost.test: dsn: gone"},
};

static enum status open_with_lost(const char *conf, struct configuration *configuration,
                                  struct signing **out, struct err *err)
{
    static const struct table_source source = {"dsn", lost_open, lost_each, lost_find, lost_close};
    const struct signing_options options = {
        .configuration = configuration, .sources = &source, .source_count = 1};
    test_write_text("conf", conf);
    test_write_text("rules", "lost@x.test klost\nany@* %\nnone@* none\n");
    assert_int_equal(configuration_read(test_path("conf"), NULL, configuration, err), ST_OK);
    return signing_open(&options, out, err);
}

static void a_look_up_that_fails_is_no_answer(void **state)
{
    (void)state;
    write_key();
    for (size_t i = 0; i < sizeof trouble_cases / sizeof trouble_cases[0]; i++) {
        const struct trouble_case *one = &trouble_cases[i];
        const struct ask_case question = {.conf = one->conf, .author = one->author};
        struct configuration configuration = {.list = NULL};
        struct signing *signing = NULL;
        struct signing_answer answer;
        struct err err = {0};
        if (open_with_lost(one->conf, &configuration, &signing, &err) != ST_OK)
            fail_msg("%s: %s", one->author, err.text);
        assert_int_equal(ask(&question, signing, &answer), ST_OK);
        if (answer.action != one->action || answer.trouble != one->trouble ||
            answer.any_key != one->any_key || strstr(answer.reason, one->reason) == NULL)
            fail_msg("%s: %s %d %d %s", one->author, signing_action_name(answer.action),
                     answer.trouble, answer.any_key, answer.reason);
        signing_answer_clear(&answer);
        signing_close(signing);
        configuration_clear(&configuration);
    }
}

static void a_key_that_is_not_told_of_is_not_absent(void **state)
{
    (void)state;
    struct configuration configuration = {.list = NULL};
    struct signing *signing = NULL;
    struct err err = {0};
    assert_int_equal(open_with_lost("KeyTable dsn:x\nSigningTable csl:a.test=klost:@d.test\n" SAFE,
                                    &configuration, &signing, &err),
                     ST_TEMP);
    assert_string_equal(err.text, "KeyTable: dsn: gone");
    configuration_clear(&configuration);
    assert_int_equal(open_with_lost("KeyTable dsn:x\nSigningTable csl:a.test=none:@d.test\n" SAFE,
                                    &configuration, &signing, &err),
                     ST_OK);
    assert_non_null(strstr(signing_stop(signing), "no such key in KeyTable: \"none\""));
    signing_close(signing);
    configuration_clear(&configuration);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_decided),
        cmocka_unit_test(surprises_are_noted),
        cmocka_unit_test(what_cannot_be_read_here_is_refused),
        cmocka_unit_test(an_import_finds_its_tables),
        cmocka_unit_test(a_look_up_that_fails_is_no_answer),
        cmocka_unit_test(a_key_that_is_not_told_of_is_not_absent),
    };
    return cmocka_run_group_tests_name("opendkim_signing", tests, test_opendkim_setup,
                                       test_opendkim_teardown);
}
