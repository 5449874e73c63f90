/* SPDX-License-Identifier: Apache-2.0
 *
 * The milter client against a filter that answers by a script.
 */
#include "tests/unit/test_dkim_support.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "admin/milter.h"

enum { LEADING_SPACE = 0x100000, NO_HELO = 0x2, SILENT_HEADERS = 0x80 };

struct answer {
    char command; /* of the packet answered */
    struct span octets;
};

/* A packet of a code and up to 255 octets, as it stands on the wire. */
#define PACKET(len, text) SPAN_LIT("\0\0\0" len text)

struct filter {
    uint32_t protocol;
    const struct answer *answers; /* other packets that want one are answered with continue */
    int listener;
    char seen[4096]; /* the codes of the packets that came, without macros */
    char headers[4096];
};

static bool read_all(int fd, void *data, size_t len)
{
    return recv(fd, data, len, MSG_WAITALL) == (ssize_t)len;
}

static void send_all(int fd, struct span octets)
{
    assert_int_equal(send(fd, octets.data, octets.len, MSG_NOSIGNAL), octets.len);
}

static void negotiate(const struct filter *filter, int fd)
{
    uint32_t packet[4] = {0, htonl(6), htonl(0x1ff), htonl(filter->protocol)};
    char head[5] = {0, 0, 0, 13, 'O'};
    send_all(fd, span_of(head, sizeof head));
    send_all(fd, span_of((const char *)&packet[1], 12));
}

static void reply(const struct filter *filter, int fd, char code)
{
    const struct answer *answer = filter->answers;
    bool silent =
        strchr("DAQ", code) != NULL || (code == 'L' && (filter->protocol & SILENT_HEADERS) != 0);
    if (code == 'O') {
        negotiate(filter, fd);
        return;
    }
    while (answer->command != '\0' && answer->command != code)
        answer++;
    if (answer->command != '\0')
        send_all(fd, answer->octets);
    else if (!silent)
        send_all(fd, PACKET("\x01", "c"));
}

static void *run_filter(void *arg)
{
    static char data[1 << 17];
    struct filter *filter = arg;
    int fd = accept(filter->listener, NULL, NULL);
    uint32_t len;
    while (fd >= 0 && read_all(fd, &len, sizeof len)) {
        len = ntohl(len);
        if (len == 0 || len > sizeof data || !read_all(fd, data, len) || data[0] == 'Q')
            break;
        if (data[0] != 'D')
            filter->seen[strlen(filter->seen)] = data[0];
        if (data[0] == 'L')
            strncat(filter->headers, data + 1 + strlen(data + 1) + 1, 100);
        reply(filter, fd, data[0]);
    }
    close(fd);
    return NULL;
}

static void listen_on(struct filter *filter, struct sockname *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    *name = (struct sockname){.family = SOCKNAME_UNIX};
    snprintf(name->path, sizeof name->path, "/tmp/inkan-milter-%d", (int)getpid());
    unlink(name->path);
    memcpy(address.sun_path, name->path, sizeof name->path);
    filter->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(filter->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(filter->listener, 1), 0);
}

static const char message_text[] = "A: 1\r\nB: 2\r\n\t3\r\n\r\nbody\r\n";

/* Sends the message `times` over one connection; *result is the last one's. */
static enum status converse(struct filter *filter, int times, struct milter_result *result,
                            struct buf *text, struct err *err)
{
    struct sockname name;
    struct milter_session *session = NULL;
    struct dkim_fields fields = {.max_count = 0};
    struct milter_message message = {.fields = &fields};
    pthread_t thread;
    listen_on(filter, &name);
    assert_int_equal(pthread_create(&thread, NULL, run_filter, filter), 0);
    assert_int_equal(dkim_fields_split(span_str(message_text), &fields, &message.body, err), ST_OK);
    struct milter_options options = {.socket = &name, .timeout_ms = 300};
    enum status status = milter_open(&options, &session, err);
    for (int i = 0; status == ST_OK && i < times; i++) {
        milter_result_clear(result);
        status = milter_send(session, &message, result, err);
    }
    if (status == ST_OK)
        status = milter_result_write(result, &message, text, err);
    milter_close(session);
    shutdown(filter->listener, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(filter->listener);
    unlink(name.path);
    dkim_fields_clear(&fields);
    return status;
}

static const struct {
    const char *name;
    uint32_t protocol;
    struct answer answers[3];
    enum status want;
    enum milter_verdict verdict;
    const char *seen, *text; /* NULL: not looked at */
} scripts[] = {
    {"nothing to do", 0, {{0}}, ST_OK, MILTER_ACCEPT, "OCHMRTLLNBE", message_text},
    {"steps left out", NO_HELO, {{0}}, ST_OK, MILTER_ACCEPT, "OCMRTLLNBE", message_text},
    {"silent steps", SILENT_HEADERS, {{0}}, ST_OK, MILTER_ACCEPT, "OCHMRTLLNBE", message_text},
    {"insert",
     0,
     {{'E', PACKET("\x09", "i\0\0\0\0X\0y\0\0\0\0\x01"
                           "c")}},
     ST_OK,
     MILTER_ACCEPT,
     NULL,
     "X: y\r\nA: 1\r\nB: 2\r\n\t3\r\n\r\nbody\r\n"},
    {"insert below the first",
     0,
     {{'E', PACKET("\x09", "i\0\0\0\x02X\0y\0\0\0\0\x01"
                           "c")}},
     ST_OK,
     MILTER_ACCEPT,
     NULL,
     "A: 1\r\nX: y\r\nB: 2\r\n\t3\r\n\r\nbody\r\n"},
    {"insert with its own space",
     LEADING_SPACE,
     {{'E', PACKET("\x0a", "i\0\0\0\0X\0\ty\0\0\0\0\x01"
                           "c")}},
     ST_OK,
     MILTER_ACCEPT,
     NULL,
     "X:\ty\r\nA: 1\r\nB: 2\r\n\t3\r\n\r\nbody\r\n"},
    {"add",
     0,
     {{'E', PACKET("\x05", "hX\0y\0\0\0\0\x01"
                           "a")}},
     ST_OK,
     MILTER_ACCEPT,
     NULL,
     "A: 1\r\nB: 2\r\n\t3\r\nX: y\r\n\r\nbody\r\n"},
    {"change",
     0,
     {{'E', PACKET("\x09", "m\0\0\0\x01"
                           "b\0y\0\0\0\0\x01"
                           "c")}},
     ST_OK,
     MILTER_ACCEPT,
     NULL,
     "A: 1\r\nb: y\r\n\r\nbody\r\n"},
    {"remove",
     0,
     {{'E', PACKET("\x08", "m\0\0\0\x01"
                           "A\0\0\0\0\0\x01"
                           "c")}},
     ST_OK,
     MILTER_ACCEPT,
     NULL,
     "B: 2\r\n\t3\r\n\r\nbody\r\n"},
    {"new body after progress",
     0,
     {{'E', PACKET("\x01", "p\0\0\0\x04"
                           "bnew\0\0\0\x01"
                           "c")}},
     ST_OK,
     MILTER_ACCEPT,
     NULL,
     "A: 1\r\nB: 2\r\n\t3\r\n\r\nnew"},
    {"accepted at the start",
     0,
     {{'C', PACKET("\x01", "a")}},
     ST_OK,
     MILTER_ACCEPT,
     "OC",
     message_text},
    {"accepted at the sender",
     0,
     {{'M', PACKET("\x01", "a")}},
     ST_OK,
     MILTER_ACCEPT,
     NULL,
     message_text},
    {"rejected at the recipient",
     0,
     {{'R', PACKET("\x01", "r")}},
     ST_OK,
     MILTER_REJECT,
     NULL,
     NULL},
    {"temporary at the end", 0, {{'E', PACKET("\x01", "t")}}, ST_OK, MILTER_TEMPFAIL, NULL, NULL},
    {"discarded", 0, {{'N', PACKET("\x01", "d")}}, ST_OK, MILTER_DISCARD, NULL, NULL},
    {"reply 451", 0, {{'E', PACKET("\x0b", "y451 later\0")}}, ST_OK, MILTER_TEMPFAIL, NULL, NULL},
    {"reply 550", 0, {{'E', PACKET("\x08", "y550 no\0")}}, ST_OK, MILTER_REJECT, NULL, NULL},
    {"unknown answer", 0, {{'E', PACKET("\x01", "?")}}, ST_BROKEN, MILTER_ACCEPT, NULL, NULL},
    {"malformed insert",
     0,
     {{'E', PACKET("\x04", "i\0\0X")}},
     ST_BROKEN,
     MILTER_ACCEPT,
     NULL,
     NULL},
    {"empty packet", 0, {{'E', SPAN_LIT("\0\0\0\0")}}, ST_BROKEN, MILTER_ACCEPT, NULL, NULL},
    {"huge packet", 0, {{'E', SPAN_LIT("\x7f\0\0\0c")}}, ST_BROKEN, MILTER_ACCEPT, NULL, NULL},
    {"no answer", 0, {{'E', SPAN_LIT("")}}, ST_TEMP, MILTER_ACCEPT, NULL, NULL},
    {"half an answer", 0, {{'E', SPAN_LIT("\0\0\0\x02c")}}, ST_TEMP, MILTER_ACCEPT, NULL, NULL},
    {"flags that were not offered", 0x80000000, {{0}}, ST_BROKEN, MILTER_ACCEPT, NULL, NULL},
};

static void answers_are_obeyed(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(scripts); i++) {
        struct filter filter = {.protocol = scripts[i].protocol, .answers = scripts[i].answers};
        struct milter_result result = {.verdict = MILTER_ACCEPT};
        struct buf text = BUF_INIT(0);
        struct err err = {0};
        CHECK_STATUS(scripts[i].name, converse(&filter, 1, &result, &text, &err), scripts[i].want,
                     err);
        if (scripts[i].want == ST_OK)
            CHECK_TEXT(scripts[i].name, milter_verdict_name(result.verdict),
                       milter_verdict_name(scripts[i].verdict));
        if (scripts[i].seen != NULL)
            CHECK_TEXT(scripts[i].name, filter.seen, scripts[i].seen);
        if (scripts[i].text != NULL)
            CHECK_TEXT(scripts[i].name, buf_cstr(&text), scripts[i].text);
        milter_result_clear(&result);
        buf_clear(&text);
    }
}

static void a_connection_carries_many_messages(void **state)
{
    static const struct answer answers[] = {{'E', PACKET("\x09", "i\0\0\0\0X\0y\0\0\0\0\x01"
                                                                 "c")},
                                            {0}};
    struct filter filter = {.answers = answers};
    struct milter_result result = {.verdict = MILTER_ACCEPT};
    struct buf text = BUF_INIT(0);
    struct err err = {0};
    (void)state;
    CHECK_STATUS("three", converse(&filter, 3, &result, &text, &err), ST_OK, err);
    CHECK_TEXT("three", filter.seen, "OCHMRTLLNBEMRTLLNBEMRTLLNBE");
    assert_int_equal(milter_result_added(&result, SPAN_LIT("x")), 1);
    assert_int_equal(milter_result_added(&result, SPAN_LIT("y")), 0);
    milter_result_clear(&result);
    buf_clear(&text);
}

static void values_go_out_as_the_filter_wants_them(void **state)
{
    static const struct answer none[] = {{0}};
    static const struct {
        uint32_t protocol;
        const char *want;
    } cases[] = {{0, "12\n\t3"}, {LEADING_SPACE, " 1 2\n\t3"}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct filter filter = {.protocol = cases[i].protocol, .answers = none};
        struct milter_result result = {.verdict = MILTER_ACCEPT};
        struct buf text = BUF_INIT(0);
        struct err err = {0};
        CHECK_STATUS("values", converse(&filter, 1, &result, &text, &err), ST_OK, err);
        CHECK_TEXT("values", filter.headers, cases[i].want);
        milter_result_clear(&result);
        buf_clear(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_obeyed),
        cmocka_unit_test(a_connection_carries_many_messages),
        cmocka_unit_test(values_go_out_as_the_filter_wants_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
