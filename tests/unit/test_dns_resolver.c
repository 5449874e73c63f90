/* SPDX-License-Identifier: Apache-2.0
 *
 * The resolver's threads: many callers, of whom some give up at the very moment the answer comes.
 * A socket of the test is the name server; what real ones answer is for the system tests.
 */
#include "tests/unit/test_dkim_support.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "dns/resolver.h"
#include "tests/unit/test_folder_support.h"

enum { CALLERS = 8, QUESTIONS = 150 };

struct server {
    int fd;
    pthread_t thread;
    uint16_t port;
};

/* Says of every name that there is none (QR, AA, RA, NXDOMAIN), until an empty datagram comes. */
static void *serve(void *arg)
{
    const struct server *server = arg;
    unsigned char message[4096];
    struct sockaddr_in peer;
    for (;;) {
        socklen_t len = sizeof peer;
        ssize_t got =
            recvfrom(server->fd, message, sizeof message, 0, (struct sockaddr *)&peer, &len);
        if (got < 12)
            return NULL;
        message[2] |= 0x84;
        message[3] = 0x83;
        sendto(server->fd, message, (size_t)got, 0, (struct sockaddr *)&peer, len);
    }
}

static void start(struct server *server, bool silent)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof address;
    server->fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &len), 0);
    server->port = ntohs(address.sin_port);
    if (!silent)
        assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void stop(struct server *server, bool silent)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {htonl(INADDR_LOOPBACK)},
                                  .sin_port = htons(server->port)};
    if (!silent) {
        int fd = socket(AF_INET, SOCK_DGRAM, 0);
        sendto(fd, "", 0, 0, (struct sockaddr *)&address, sizeof address);
        close(fd);
        pthread_join(server->thread, NULL);
    }
    close(server->fd);
}

static struct resolver *open_at(const struct server *server)
{
    char nameservers[32];
    struct resolver_options options = {nameservers, ""};
    struct resolver *resolver;
    struct err err;
    snprintf(nameservers, sizeof nameservers, "127.0.0.1:%u", (unsigned)server->port);
    CHECK_STATUS("open", resolver_open(&options, &resolver, &err), ST_OK, err);
    return resolver;
}

struct callers {
    struct resolver *resolver;
    atomic_int number, answered, late;
};

static void *call(void *arg)
{
    struct callers *callers = arg;
    int mine = atomic_fetch_add(&callers->number, 1);
    for (int i = 0; i < QUESTIONS; i++) {
        struct resolver_answer answer;
        struct err err = {.code = ST_OK};
        char name[64];
        snprintf(name, sizeof name, "n%d.c%d.example", i, mine);
        enum status status =
            resolver_ask(callers->resolver, &(struct resolver_question){name, RESOLVER_TXT},
                         clock_monotonic_ms() + i % 4, &answer, &err);
        atomic_fetch_add(status == ST_NOT_FOUND ? &callers->answered : &callers->late, 1);
        resolver_answer_clear(&answer);
    }
    return NULL;
}

/* Nothing is freed twice or not at all, which is for the sanitizers to say, and nobody waits for
 * ever. */
static void callers_that_give_up(void **state)
{
    struct server server;
    struct callers callers = {.number = 0};
    pthread_t threads[CALLERS];
    (void)state;
    start(&server, false);
    callers.resolver = open_at(&server);
    for (int i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call, &callers), 0);
    for (int i = 0; i < CALLERS; i++)
        pthread_join(threads[i], NULL);
    resolver_close(callers.resolver);
    stop(&server, false);
    print_message("    %d answered, %d late\n", callers.answered, callers.late);
    assert_int_equal(callers.answered + callers.late, CALLERS * QUESTIONS);
}

static void an_answer_is_waited_for(void **state)
{
    struct server server;
    struct resolver_answer answer;
    struct err err;
    (void)state;
    start(&server, false);
    struct resolver *resolver = open_at(&server);
    enum status status =
        resolver_ask(resolver, &(struct resolver_question){"a.example", RESOLVER_A},
                     clock_monotonic_ms() + 10000, &answer, &err);
    CHECK_STATUS("ask", status, ST_NOT_FOUND, err);
    assert_string_equal(err.text, "a.example: there is no such name");
    resolver_answer_clear(&answer);
    resolver_close(resolver);
    stop(&server, false);
}

static void a_server_that_is_silent(void **state)
{
    struct server server;
    struct resolver_answer answer;
    struct err err;
    (void)state;
    start(&server, true);
    struct resolver *resolver = open_at(&server);
    int64_t before_ms = clock_monotonic_ms();
    enum status status =
        resolver_ask(resolver, &(struct resolver_question){"a.example", RESOLVER_NS},
                     before_ms + 100, &answer, &err);
    CHECK_STATUS("ask", status, ST_TEMP, err);
    assert_string_equal(err.text, "a.example: no answer of the resolvers in time");
    assert_in_range(clock_monotonic_ms() - before_ms, 100, 2000);
    resolver_close(resolver);
    stop(&server, true);
}

static void lists_of_servers(void **state)
{
    static const struct {
        const char *list, *fault;
        size_t count;
        const char *address; /* the last */
        uint16_t port;
    } cases[] = {
        {"192.0.2.1", NULL, 1, "192.0.2.1", 53},
        {" 192.0.2.1:5353 , [2001:db8::1]:54", NULL, 2, "2001:db8::1", 54},
        {"[::1]", NULL, 1, "::1", 53},
        {"ns.example", "nameservers: ns.example: is not an IP address", 0, NULL, 0},
        {"::1", "nameservers: ::1: is not a host and its port", 0, NULL, 0},
        {"[192.0.2.1]", "nameservers: [192.0.2.1]: is not a host", 0, NULL, 0},
        {"192.0.2.1:0", "nameservers: 192.0.2.1:0: has no port", 0, NULL, 0},
        {"[::1", "nameservers: [::1: is not a host", 0, NULL, 0},
        {"192.0.2.1,", "nameservers: : names no host", 0, NULL, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct resolver_options options = {cases[i].list, ""};
        struct resolver *resolver;
        struct err err;
        size_t count;
        print_message("    %s\n", cases[i].list);
        enum status status = resolver_open(&options, &resolver, &err);
        CHECK_STATUS(cases[i].list, status, cases[i].fault == NULL ? ST_OK : ST_INVALID, err);
        if (status != ST_OK) {
            assert_memory_equal(err.text, cases[i].fault, strlen(cases[i].fault));
            continue;
        }
        const struct resolver_server *servers = resolver_servers(resolver, &count);
        assert_int_equal(count, cases[i].count);
        assert_string_equal(servers[count - 1].address, cases[i].address);
        assert_int_equal(servers[count - 1].port, cases[i].port);
        resolver_close(resolver);
    }
}

/* All are told when the resolver is opened, and not when it is asked. */
static void files_of_anchors(void **state)
{
    static const struct {
        const char *name, *content, *fault;
    } cases[] = {
        {"missing", NULL, "No such file or directory"},
        {"empty", "", "no file of DS or DNSKEY records"},
        {"nothing", "; a comment\n", NULL},
        {"words", "these are no records\n", "no file of DS or DNSKEY records"},
        {"root",
         ". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n",
         NULL},
    };
    char folder[TEST_FOLDER_SIZE], path[96], want[256];
    struct resolver_options options = {"192.0.2.1", path};
    struct resolver *resolver;
    struct err err;
    (void)state;
    assert_true(test_folder_make(folder, "anchors"));
    for (size_t i = 0; i < COUNT(cases); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, cases[i].name);
        snprintf(want, sizeof want, "[dns] trust_anchor: %s: %s", path,
                 cases[i].fault != NULL ? cases[i].fault : "");
        FILE *file = cases[i].content != NULL ? fopen(path, "w") : NULL;
        if (file != NULL) {
            fputs(cases[i].content, file);
            fclose(file);
        }
        print_message("    %s\n", cases[i].name);
        enum status status = resolver_open(&options, &resolver, &err);
        unlink(path);
        CHECK_STATUS(cases[i].name, status, cases[i].fault == NULL ? ST_OK : ST_INVALID, err);
        if (cases[i].fault != NULL)
            assert_memory_equal(err.text, want, strlen(want));
        resolver_close(resolver);
    }
    options.trust_anchor = folder;
    CHECK_STATUS("a folder", resolver_open(&options, &resolver, &err), ST_INVALID, err);
    assert_non_null(strstr(err.text, "no file of DS"));
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_of_servers),        cmocka_unit_test(files_of_anchors),
        cmocka_unit_test(an_answer_is_waited_for), cmocka_unit_test(a_server_that_is_silent),
        cmocka_unit_test(callers_that_give_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
