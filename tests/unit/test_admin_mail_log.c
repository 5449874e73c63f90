/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines of Postfix's and OpenDKIM's logs, the messages that are put together from them, and the
 * lists of senders that people write.
 */
#include "tests/unit/test_dkim_support.h"

#include "admin/mail_queue.h"
#include "admin/sender_list.h"

#define AT "Nov 22 10:00:00 mx "
#define SMTPD AT "postfix/smtpd[12]: "
#define QMGR AT "postfix/qmgr[12]: "
#define CLEANUP AT "postfix/cleanup[12]: "
#define OPENDKIM AT "opendkim[12]: "

/* -- lines ---------------------------------------------------------------------------------- */

/* What a line is said to be: event, queue id and what it tells, or nothing. */
static void describe(enum mail_log_event event, const struct mail_log_line *line, struct buf *out)
{
    static const char *const names[] = {"nothing", "client", "sender", "signed", "end"};
    const struct span parts[] = {line->client_name, line->client, line->login, line->selector,
                                 line->domain};
    buf_append_str(out, names[event]);
    if (event == MAIL_LOG_NOTHING)
        return;
    buf_append_char(out, ' ');
    buf_append_span(out, line->queue_id);
    for (size_t i = 0; i < COUNT(parts); i++) {
        if (parts[i].len > 0)
            buf_append_char(out, ' ');
        buf_append_span(out, parts[i]);
    }
    if (line->has_sender) {
        buf_append_str(out, " <");
        buf_append_span(out, line->sender);
        buf_append_str(out, ">");
    }
}

static const struct {
    const char *name, *line, *wanted;
} lines[] = {
    {"a client", SMTPD "4F2B11A0: client=mail.example.com[192.0.2.1]",
     "client 4F2B11A0 mail.example.com 192.0.2.1"},
    {"a client without a name", SMTPD "4F2B11A0: client=unknown[192.0.2.1]",
     "client 4F2B11A0 192.0.2.1"},
    {"IPv6", SMTPD "4F2B11A0: client=mail.example.com[2001:db8::1]",
     "client 4F2B11A0 mail.example.com 2001:db8::1"},
    {"IPv6 as in SMTP", SMTPD "4F2B11A0: client=unknown[IPv6:2001:db8::1]",
     "client 4F2B11A0 2001:db8::1"},
    {"a logged port", SMTPD "4F2B11A0: client=a.test[192.0.2.1]:40000",
     "client 4F2B11A0 a.test 192.0.2.1"},
    {"a long queue id", SMTPD "4bXxyz0000z1h: client=a.test[192.0.2.1]",
     "client 4bXxyz0000z1h a.test 192.0.2.1"},
    {"a login",
     SMTPD "4F2B11A0: client=unknown[192.0.2.1], sasl_method=PLAIN, sasl_username=ann@example.com",
     "client 4F2B11A0 192.0.2.1 ann@example.com"},
    {"a login and its sender",
     SMTPD "4F2B11A0: client=a.test[192.0.2.1], sasl_method=LOGIN, sasl_username=ann, "
           "sasl_sender=bob@example.com",
     "client 4F2B11A0 a.test 192.0.2.1 ann"},
    {"XFORWARD is not what a filter sees",
     SMTPD "4F2B11A0: client=localhost[127.0.0.1], orig_queue_id=5A2B11A0, "
           "orig_client=a.test[192.0.2.1]",
     "client 4F2B11A0 localhost 127.0.0.1"},
    {"a service with a name", AT "postfix/submission/smtpd[1]: 4F2B11A0: client=a.test[192.0.2.1]",
     "client 4F2B11A0 a.test 192.0.2.1"},
    {"an instance with a name", AT "postfix-out/smtpd[1]: 4F2B11A0: client=a.test[192.0.2.1]",
     "client 4F2B11A0 a.test 192.0.2.1"},
    {"a day of one figure", "Nov  2 10:00:00 mx postfix/smtpd[1]: 4F2B11A0: client=a[192.0.2.1]",
     "client 4F2B11A0 a 192.0.2.1"},
    {"ISO 8601",
     "2026-11-22T10:00:00.123456+01:00 mx postfix/smtpd[1]: 4F2B11A0: client=a[192.0.2.1]",
     "client 4F2B11A0 a 192.0.2.1"},
    {"ISO 8601 with a blank",
     "2026-11-22 10:00:00.123 mx postfix/smtpd[1]: 4F2B11A0: client=a[192.0.2.1]",
     "client 4F2B11A0 a 192.0.2.1"},
    {"local mail", AT "postfix/pickup[1]: 4F2B11A0: uid=0 from=<root>",
     "client 4F2B11A0 localhost 127.0.0.1 <root>"},
    {"a sender", QMGR "4F2B11A0: from=<ann@example.com>, size=1234, nrcpt=1 (queue active)",
     "sender 4F2B11A0 <ann@example.com>"},
    {"a bounce", QMGR "4F2B11A0: from=<>, size=1234, nrcpt=1 (queue active)", "sender 4F2B11A0 <>"},
    {"a quoted sender",
     QMGR "4F2B11A0: from=<\"a>, size=1, b\"@example.com>, size=12, nrcpt=1 (queue active)",
     "sender 4F2B11A0 <\"a>, size=1, b\"@example.com>"},
    {"a sender that expired",
     QMGR "4F2B11A0: from=<a@example.com>, status=expired, returned to sender",
     "sender 4F2B11A0 <a@example.com>"},
    {"a sender in UTF-8", QMGR "4F2B11A0: from=<j\xc3\xb6rg@example.com>, size=1, nrcpt=1",
     "sender 4F2B11A0 <j\xc3\xb6rg@example.com>"},
    {"the end", QMGR "4F2B11A0: removed", "end 4F2B11A0"},
    {"refused by a filter",
     CLEANUP "4F2B11A0: milter-reject: END-OF-MESSAGE from a.test[192.0.2.1]: 4.7.1 Service "
             "unavailable - try again later; from=<ann@example.com> to=<bob@example.org> "
             "proto=ESMTP helo=<a.test>",
     "end 4F2B11A0 <ann@example.com>"},
    {"refused in the words of a sender",
     CLEANUP "4F2B11A0: milter-reject: END-OF-MESSAGE from a.test[192.0.2.1]: 5.7.1 x; from=<y@z> "
             "to=<b>; from=<ann@example.com> to=<bob@example.org> proto=ESMTP helo=<a.test>",
     "end 4F2B11A0 <ann@example.com>"},
    {"signed", OPENDKIM "4F2B11A0: DKIM-Signature field added (s=s1, d=example.com)",
     "signed 4F2B11A0 s1 example.com"},

    {"nothing at all", "", "nothing"},
    {"only a time", "Nov 22 10:00:00", "nothing"},
    {"only a host", "Nov 22 10:00:00 mx", "nothing"},
    {"no time", "postfix/smtpd[1]: 4F2B11A0: client=a[192.0.2.1]", "nothing"},
    {"inkan's own line", AT "inkand[1]: 4F2B11A0: DKIM-Signature field added (s=s1, d=example.com)",
     "nothing"},
    {"not Postfix's smtpd", AT "smtpd[1]: 4F2B11A0: client=a[192.0.2.1]", "nothing"},
    {"not OpenDKIM's name",
     AT "postfix/opendkim[1]: 4F2B11A0: DKIM-Signature field added (s=s, d=d)", "nothing"},
    {"a warning", AT "postfix/qmgr[1]: warning: from=<a@example.com>, size=1", "nothing"},
    {"no queue id", SMTPD "NOQUEUE: client=a[192.0.2.1]", "nothing"},
    {"a short queue id", SMTPD "4F2B: client=a[192.0.2.1]", "nothing"},
    {"a queue id with a path", SMTPD "../../etc: client=a[192.0.2.1]", "nothing"},
    {"a client without an address", SMTPD "4F2B11A0: client=localhost[unknown]", "nothing"},
    {"a bracket that stays open", SMTPD "4F2B11A0: client=a[192.0.2.1", "nothing"},
    {"text behind the bracket", SMTPD "4F2B11A0: client=a[192.0.2.1]x", "nothing"},
    {"a port that is none", SMTPD "4F2B11A0: client=a[192.0.2.1]:", "nothing"},
    {"an address that is none", SMTPD "4F2B11A0: client=a[192.0.2.256]", "nothing"},
    {"a login with an escape", SMTPD "4F2B11A0: client=a[192.0.2.1], sasl_username=\x1b[2J",
     "nothing"},
    {"a sender that stays open", QMGR "4F2B11A0: from=<ann@example.com", "nothing"},
    {"a sender with a control", QMGR "4F2B11A0: from=<a\r@example.com>, size=1", "nothing"},
    {"a HELO that says so",
     SMTPD "connect from a[192.0.2.1] " SMTPD "4F2B11A0: client=b[192.0.2.2]", "nothing"},
    {"a subject that says so",
     CLEANUP "4F2B11A0: warning: header Subject: x opendkim[1]: 4F2B11A0: DKIM-Signature field "
             "added (s=s1, d=example.com) from a[192.0.2.1]; from=<a@b> to=<c@d> proto=SMTP",
     "nothing"},
    {"a message id", CLEANUP "4F2B11A0: message-id=<from=<a@example.com>, size=1>", "nothing"},
    {"a signature cut short", OPENDKIM "4F2B11A0: DKIM-Signature field added (s=s1, d=", "nothing"},
    {"a signature without a domain", OPENDKIM "4F2B11A0: DKIM-Signature field added (s=s1, d=)",
     "nothing"},
    {"a signature without a selector", OPENDKIM "4F2B11A0: DKIM-Signature field added (s=, d=a.b)",
     "nothing"},
    {"a verification", OPENDKIM "4F2B11A0: DKIM verification successful", "nothing"},
};

static void check_line(const char *name, struct span text, const char *wanted)
{
    struct mail_log_line line;
    struct buf said = BUF_INIT(0);
    enum mail_log_event event = mail_log_read(text, &line);
    describe(event, &line, &said);
    CHECK_TEXT(name, buf_cstr(&said), wanted);
    buf_clear(&said);
}

static void lines_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(lines); i++)
        check_line(lines[i].name, span_str(lines[i].line), lines[i].wanted);
}

/* Of every line also each of its beginnings, in memory of just that size. */
static void lines_may_be_cut_anywhere(void **state)
{
    struct mail_log_line line;
    (void)state;
    for (size_t i = 0; i < COUNT(lines); i++) {
        for (size_t len = 0; len <= strlen(lines[i].line); len++) {
            char *copy = malloc(len + 1);
            assert_non_null(copy);
            char *end = copy + 1;
            memcpy(end, lines[i].line, len);
            (void)mail_log_read(span_of(end, len), &line);
            free(copy);
        }
    }
}

static void nul_and_length_do_no_harm(void **state)
{
    static const char with_nul[] = QMGR "4F2B11A0: from=<a\0b@example.com>, size=1";
    static const char before[] = QMGR "4F2B11A0: from=<";
    struct buf text = BUF_INIT(0);
    (void)state;
    check_line("a NUL", span_of(with_nul, sizeof with_nul - 1), "nothing");
    buf_append_str(&text, before);
    for (size_t i = 0; i < 1 << 20; i++)
        buf_append_char(&text, '>');
    buf_append_str(&text, ", size=1");
    check_line("a megabyte", buf_span(&text), "nothing");
    buf_reset(&text);
    for (size_t i = 0; i < 1 << 20; i++)
        buf_append_char(&text, ' ');
    check_line("a megabyte of blanks", buf_span(&text), "nothing");
    buf_clear(&text);
}

/* -- messages ------------------------------------------------------------------------------- */

static const struct {
    const char *name, *log;
    const char *senders; /* `author client name login count said|` each */
    const char *counts;  /* messages, bounces, incomplete */
} logs[] = {
    {"one message",
     SMTPD "4F2B11A0: client=a.test[192.0.2.1]\n" CLEANUP "4F2B11A0: message-id=<x@y>\n" QMGR
           "4F2B11A0: from=<ann@example.com>, size=1, nrcpt=1 (queue active)\n" QMGR
           "4F2B11A0: removed\n",
     "ann@example.com 192.0.2.1 a.test - 1 -|", "1 0 0"},
    {"what OpenDKIM signed, in one order and once",
     SMTPD "4F2B11A0: client=unknown[192.0.2.1], sasl_method=PLAIN, sasl_username=ann\n" OPENDKIM
           "4F2B11A0: DKIM-Signature field added (s=s2, d=example.com)\n" OPENDKIM
           "4F2B11A0: DKIM-Signature field added (s=S1, d=Example.com)\n" OPENDKIM
           "4F2B11A0: DKIM-Signature field added (s=s9, d=a.example)\n" OPENDKIM
           "4F2B11A0: DKIM-Signature field added (s=s2, d=example.com)\n" QMGR
           "4F2B11A0: from=<ann@example.com>, size=1, nrcpt=1 (queue active)\n",
     "ann@example.com 192.0.2.1 - ann 1 s9@a.example, s1@example.com, s2@example.com|", "1 0 0"},
    {"selectors one of which begins as the other, in the order of admin/outcome.h",
     SMTPD "4F2B11A0: client=unknown[192.0.2.1], sasl_method=PLAIN, sasl_username=ann\n" OPENDKIM
           "4F2B11A0: DKIM-Signature field added (s=s10, d=example.com)\n" OPENDKIM
           "4F2B11A0: DKIM-Signature field added (s=s1-a, d=example.com)\n" OPENDKIM
           "4F2B11A0: DKIM-Signature field added (s=s1, d=example.com)\n" OPENDKIM
           "4F2B11A0: DKIM-Signature field added (s=s10, d=example.com)\n" QMGR
           "4F2B11A0: from=<ann@example.com>, size=1, nrcpt=1 (queue active)\n",
     "ann@example.com 192.0.2.1 - ann 1 s1@example.com, s1-a@example.com, s10@example.com|",
     "1 0 0"},
    {"two at once",
     SMTPD "AAAAA1: client=a.test[192.0.2.1]\n" SMTPD "BBBBB1: client=b.test[192.0.2.2]\n" QMGR
           "BBBBB1: from=<b@example.com>, size=1, nrcpt=1\n" QMGR
           "AAAAA1: from=<a@example.com>, size=1, nrcpt=1\n" QMGR "AAAAA1: removed\n",
     "a@example.com 192.0.2.1 a.test - 1 -|b@example.com 192.0.2.2 b.test - 1 -|", "2 0 0"},
    {"the same sender twice, and what was signed last",
     SMTPD "AAAAA1: client=a.test[192.0.2.1]\n" OPENDKIM
           "AAAAA1: DKIM-Signature field added (s=s1, d=example.com)\n" QMGR
           "AAAAA1: from=<a@example.com>, size=1, nrcpt=1\n" QMGR "AAAAA1: removed\n" SMTPD
           "BBBBB1: client=a.test[192.0.2.1]\n" OPENDKIM
           "BBBBB1: DKIM-Signature field added (s=s2, d=example.com)\n" QMGR
           "BBBBB1: from=<a@example.com>, size=1, nrcpt=1\n",
     "a@example.com 192.0.2.1 a.test - 2 s2@example.com|", "2 0 0"},
    {"a queue id that is used again",
     SMTPD "AAAAA1: client=a.test[192.0.2.1]\n" QMGR
           "AAAAA1: from=<a@example.com>, size=1, nrcpt=1\n" SMTPD
           "AAAAA1: client=b.test[192.0.2.2]\n" QMGR
           "AAAAA1: from=<b@example.com>, size=1, nrcpt=1\n",
     "a@example.com 192.0.2.1 a.test - 1 -|b@example.com 192.0.2.2 b.test - 1 -|", "2 0 0"},
    {"tried again later",
     SMTPD "AAAAA1: client=a.test[192.0.2.1]\n" QMGR
           "AAAAA1: from=<a@example.com>, size=1, nrcpt=1\n" QMGR
           "AAAAA1: from=<a@example.com>, size=1, nrcpt=1\n" QMGR "AAAAA1: removed\n",
     "a@example.com 192.0.2.1 a.test - 1 -|", "1 0 0"},
    {"local mail gets its domain later",
     AT "postfix/pickup[1]: AAAAA1: uid=0 from=<root>\n" QMGR
        "AAAAA1: from=<root@mx.test>, size=1, nrcpt=1\n",
     "root@mx.test 127.0.0.1 localhost - 1 -|", "1 0 0"},
    {"refused by a filter",
     SMTPD "AAAAA1: client=a.test[192.0.2.1]\n" CLEANUP
           "AAAAA1: milter-reject: END-OF-MESSAGE from a.test[192.0.2.1]: 4.7.1 x; "
           "from=<a@example.com> to=<b@c.test> proto=ESMTP helo=<x>\n",
     "a@example.com 192.0.2.1 a.test - 1 -|", "1 0 0"},
    {"bounces and halves are passed over",
     QMGR "AAAAA1: from=<>, size=1, nrcpt=1\n" QMGR "AAAAA1: removed\n" QMGR
          "BBBBB1: from=<a@example.com>, size=1, nrcpt=1\n" SMTPD
          "CCCCC1: client=a.test[192.0.2.1]\n" QMGR "DDDDD1: removed\n",
     "", "3 1 2"},
};

static void take_log(struct mail_queue *queue, const char *text)
{
    struct err err = {.code = ST_OK};
    struct span rest = span_str(text), line;
    while (span_next(&rest, '\n', &line))
        CHECK_STATUS("a line", mail_queue_take(queue, line, &err), ST_OK, err);
    CHECK_STATUS("the end", mail_queue_end(queue, &err), ST_OK, err);
}

static const char *or_dash(const char *text)
{
    return text == NULL || text[0] == '\0' ? "-" : text;
}

static void describe_senders(const struct senders *senders, struct buf *out)
{
    const struct sender *sender = NULL;
    while ((sender = senders_next(senders, sender)) != NULL)
        buf_printf(out, "%s %s %s %s %d %s|", sender->author, or_dash(sender->client),
                   or_dash(sender->client_name), or_dash(sender->login), (int)sender->count,
                   or_dash(sender->said));
}

static void messages_are_put_together(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(logs); i++) {
        struct senders *senders = senders_new(10);
        struct mail_queue *queue = mail_queue_new(senders, 10);
        struct mail_queue_counts counts;
        struct buf said = BUF_INIT(0);
        take_log(queue, logs[i].log);
        describe_senders(senders, &said);
        CHECK_TEXT(logs[i].name, buf_cstr(&said), logs[i].senders);
        mail_queue_count(queue, &counts);
        buf_reset(&said);
        buf_printf(&said, "%d %d %d", (int)counts.messages, (int)counts.bounces,
                   (int)counts.incomplete);
        CHECK_TEXT(logs[i].name, buf_cstr(&said), logs[i].counts);
        buf_clear(&said);
        mail_queue_free(queue);
        senders_free(senders);
    }
}

/* With room for two messages the oldest of three is taken when the third comes, as it is then. */
static void messages_under_way_are_bounded(void **state)
{
    struct senders *senders = senders_new(10);
    struct mail_queue *queue = mail_queue_new(senders, 2);
    struct buf said = BUF_INIT(0);
    (void)state;
    take_log(queue, SMTPD "AAAAA1: client=a.test[192.0.2.1]\n" QMGR
                          "AAAAA1: from=<a@example.com>, size=1, nrcpt=1\n" SMTPD
                          "BBBBB1: client=b.test[192.0.2.2]\n" SMTPD
                          "CCCCC1: client=c.test[192.0.2.3]\n" OPENDKIM
                          "AAAAA1: DKIM-Signature field added (s=late, d=example.com)\n");
    describe_senders(senders, &said);
    CHECK_TEXT("the oldest", buf_cstr(&said), "a@example.com 192.0.2.1 a.test - 1 -|");
    buf_clear(&said);
    mail_queue_free(queue);
    senders_free(senders);
}

static void senders_are_bounded(void **state)
{
    static const char *const authors[] = {"a@b.test", "c@d.test", "a@b.test", "e@f.test",
                                          "c@d.test"};
    struct senders *senders = senders_new(2);
    struct err err = {.code = ST_OK};
    struct buf said = BUF_INIT(0);
    (void)state;
    for (size_t i = 0; i < COUNT(authors); i++) {
        const struct senders_name name = {.author = span_str(authors[i])};
        CHECK_STATUS(authors[i], senders_add(senders, &name, NULL, &err), ST_OK, err);
    }
    describe_senders(senders, &said);
    CHECK_TEXT("two of three", buf_cstr(&said), "a@b.test - - - 2 -|c@d.test - - - 2 -|");
    assert_int_equal(senders_count(senders), 2);
    assert_int_equal(senders_left_out(senders), 1);
    buf_clear(&said);
    senders_free(senders);
}

/* -- lists ---------------------------------------------------------------------------------- */

static const struct {
    const char *name, *line;
    enum status status;
    const char *wanted; /* `author client name login`, or a part of the error text */
} entries[] = {
    {"an author", "ann@example.com", ST_OK, "ann@example.com 127.0.0.1 - -"},
    {"a domain", "Example.COM", ST_OK, "somebody@example.com 127.0.0.1 - -"},
    {"a domain in letters of its own", "m\xc3\xbcller.example", ST_OK,
     "somebody@m\xc3\xbcller.example 127.0.0.1 - -"},
    {"a client", "ann@example.com 192.0.2.1", ST_OK, "ann@example.com 192.0.2.1 - -"},
    {"IPv6", "ann@example.com 2001:db8::1", ST_OK, "ann@example.com 2001:db8::1 - -"},
    {"a client with a name", "ann@example.com a.test[192.0.2.1]", ST_OK,
     "ann@example.com 192.0.2.1 a.test -"},
    {"a login", "ann@example.com 192.0.2.1 ann", ST_OK, "ann@example.com 192.0.2.1 - ann"},
    {"a login alone", "ann@example.com - ann", ST_OK, "ann@example.com - - ann"},
    {"dashes", "ann@example.com - -", ST_OK, "ann@example.com 127.0.0.1 - -"},
    {"commas", "ann@example.com,192.0.2.1,ann", ST_OK, "ann@example.com 192.0.2.1 - ann"},
    {"commas and blanks", " ann@example.com ,\t192.0.2.1 , ann ", ST_OK,
     "ann@example.com 192.0.2.1 - ann"},
    {"nothing between commas", "ann@example.com,,ann", ST_OK, "ann@example.com - - ann"},
    {"a comment behind it", "ann@example.com 192.0.2.1 # x y z", ST_OK,
     "ann@example.com 192.0.2.1 - -"},
    {"# inside a login", "ann@example.com - a#b", ST_OK, "ann@example.com - - a#b"},
    {"an empty line", "", ST_NOT_FOUND, ""},
    {"blanks", " \t ", ST_NOT_FOUND, ""},
    {"a comment", "# ann@example.com", ST_NOT_FOUND, ""},
    {"no domain", "-", ST_INVALID, "author"},
    {"a domain that is none", "exa mple..com", ST_INVALID, "client"},
    {"two dots", "example..com", ST_INVALID, "author example..com"},
    {"a client that is none", "ann@example.com 192.0.2", ST_INVALID, "client 192.0.2: neither"},
    {"a word too many", "ann@example.com 192.0.2.1 ann bob", ST_INVALID, "more than AUTHOR"},
    {"a control character", "ann@example.com\x1b[2J", ST_INVALID, "control character"},
};

static void entries_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(entries); i++) {
        struct err err = {.code = ST_OK};
        struct senders_name name;
        struct senders *senders = senders_new(1);
        struct buf room = BUF_INIT(0), said = BUF_INIT(0);
        enum status status = sender_list_read(span_str(entries[i].line), &room, &name, &err);
        CHECK_STATUS(entries[i].name, status, entries[i].status, err);
        if (status == ST_OK) {
            CHECK_STATUS(entries[i].name, senders_add(senders, &name, NULL, &err), ST_OK, err);
            const struct sender *sender = senders_next(senders, NULL);
            buf_printf(&said, "%s %s %s %s", sender->author, or_dash(sender->client),
                       or_dash(sender->client_name), or_dash(sender->login));
            CHECK_TEXT(entries[i].name, buf_cstr(&said), entries[i].wanted);
        } else if (strstr(err.text, entries[i].wanted) == NULL) {
            fail_msg("%s: the error is \"%s\"", entries[i].name, err.text);
        }
        buf_clear(&room);
        buf_clear(&said);
        senders_free(senders);
    }
}

static void entries_have_a_limit(void **state)
{
    struct err err = {.code = ST_OK};
    struct senders_name name;
    struct buf room = BUF_INIT(0), line = BUF_INIT(0);
    (void)state;
    for (size_t i = 0; i < 1 << 20; i++)
        buf_append_char(&line, 'a');
    buf_append_str(&line, "@example.com");
    CHECK_STATUS("a megabyte", sender_list_read(buf_span(&line), &room, &name, &err), ST_INVALID,
                 err);
    CHECK_STATUS("a NUL", sender_list_read(span_of("a\0b@c.d", 7), &room, &name, &err), ST_INVALID,
                 err);
    buf_clear(&room);
    buf_clear(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read),
        cmocka_unit_test(lines_may_be_cut_anywhere),
        cmocka_unit_test(nul_and_length_do_no_harm),
        cmocka_unit_test(messages_are_put_together),
        cmocka_unit_test(messages_under_way_are_bounded),
        cmocka_unit_test(senders_are_bounded),
        cmocka_unit_test(entries_are_read),
        cmocka_unit_test(entries_have_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
