/* SPDX-License-Identifier: Apache-2.0
 *
 * A load generator that speaks the milter protocol like an MTA: N connections, each sending one
 * message after the other (11 header fields and a body), until there were K messages in all.
 * Every message must come back accepted with a DKIM-Signature field. Prints one JSON object:
 * messages a second, p50 and p99 of the time a message took, and with --pids the CPU time that
 * these processes used for each message.
 *
 *   bench_load --socket S [--connections N] [--messages K] [--domains D] [--body OCTETS]
 *              [--pids P,P,...]
 */
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/milter.h"
#include "base/clock.h"

enum { CONNECTIONS_MAX = 1024 };

struct load {
    struct sockname socket;
    long connections, messages, domains, body_len;
    const char *pids;
    struct span body;
    int *took_us; /* of each message */
    atomic_long next, failed;
};

static void make_fields(struct dkim_fields *fields, const char *from, long number)
{
    char id[64];
    struct err err;
    snprintf(id, sizeof id, " <%ld.1234567890abcdef@client.example>", number);
    const char *const list[][2] = {
        {"Received", " from client.example (client.example [192.0.2.1])\r\n\tby mx.example with "
                     "ESMTPSA id 4F2B11A0\r\n\tfor <someone@example.net>; Sat, 21 Nov 2026 "
                     "12:00:00 +0000"},
        {"From", from},
        {"To", " Some One <someone@example.net>"},
        {"Subject", " A message like many others, of the usual length"},
        {"Date", " Sat, 21 Nov 2026 12:00:00 +0000"},
        {"Message-ID", id},
        {"MIME-Version", " 1.0"},
        {"Content-Type", " text/plain; charset=utf-8"},
        {"Content-Transfer-Encoding", " 8bit"},
        {"User-Agent", " bench_load"},
        {"X-Mailer", " none"},
    };
    dkim_fields_reset(fields);
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
        if (dkim_fields_add(fields, span_str(list[i][0]), span_str(list[i][1]), &err) != ST_OK)
            abort();
}

static enum status send_one(struct load *load, struct milter_session *session,
                            struct dkim_fields *fields, long number, struct err *err)
{
    char from[64], queue_id[32];
    struct milter_result result = {0};
    snprintf(from, sizeof from, " Sender <sender@d%ld.example>", number % load->domains);
    snprintf(queue_id, sizeof queue_id, "%08lX", number);
    make_fields(fields, from, number);
    struct milter_message message = {
        .queue_id = queue_id, .sender = "sender@example.org", .fields = fields, .body = load->body};
    int64_t start_us = clock_monotonic_us();
    enum status status = milter_send(session, &message, &result, err);
    load->took_us[number] = (int)(clock_monotonic_us() - start_us);
    if (status == ST_OK && (result.verdict != MILTER_ACCEPT ||
                            milter_result_added(&result, SPAN_LIT("DKIM-Signature")) == 0))
        status = err_set(err, ST_BROKEN, "message %ld came back unsigned (%s)", number,
                         milter_verdict_name(result.verdict));
    milter_result_clear(&result);
    return status;
}

static void *connection(void *arg)
{
    struct load *load = arg;
    struct dkim_fields fields = {0};
    struct milter_session *session = NULL;
    struct milter_options options = {.socket = &load->socket};
    struct err err = {0};
    enum status status = milter_open(&options, &session, &err);
    long number = 0;
    while (status == ST_OK && (number = atomic_fetch_add(&load->next, 1)) < load->messages)
        status = send_one(load, session, &fields, number, &err);
    if (status != ST_OK) {
        fprintf(stderr, "bench_load: %s\n", err.text);
        atomic_fetch_add(&load->failed, 1);
    }
    milter_close(session);
    dkim_fields_clear(&fields);
    return NULL;
}

static void run(struct load *load)
{
    pthread_t threads[CONNECTIONS_MAX];
    for (long i = 0; i < load->connections; i++)
        if (pthread_create(&threads[i], NULL, connection, load) != 0)
            abort();
    for (long i = 0; i < load->connections; i++)
        pthread_join(threads[i], NULL);
}

/* User and system time of one process with all its threads, those that ended included. */
static double cpu_seconds(const char *pid)
{
    char path[64];
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL ||
        fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
               &system) != 2)
        fprintf(stderr, "bench_load: no process %s\n", pid);
    if (file != NULL)
        fclose(file);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static double cpu_of_all(const char *pids)
{
    double sum = 0;
    struct span rest = span_str(pids), part;
    while (pids != NULL && span_next(&rest, ',', &part)) {
        char pid[16];
        snprintf(pid, sizeof pid, "%.*s", (int)part.len, part.data);
        sum += cpu_seconds(pid);
    }
    return sum;
}

static int by_size(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

static void report(const struct load *load, double seconds, double cpu)
{
    size_t count = (size_t)load->messages;
    qsort(load->took_us, count, sizeof load->took_us[0], by_size);
    printf("{\"messages\": %zu, \"seconds\": %.3f, \"rate\": %.0f, \"cpu_us\": %.1f, "
           "\"p50_us\": %d, \"p99_us\": %d}\n",
           count, seconds, (double)count / seconds, cpu * 1e6 / (double)count,
           load->took_us[count / 2], load->took_us[count - 1 - count / 100]);
}

static long number_of(const char *text)
{
    return strtol(text, NULL, 10);
}

static bool read_arguments(int argc, char **argv, struct load *load)
{
    static const struct option options[] = {
        {"socket", required_argument, NULL, 's'},
        {"connections", required_argument, NULL, 'c'},
        {"messages", required_argument, NULL, 'm'},
        {"domains", required_argument, NULL, 'd'},
        {"body", required_argument, NULL, 'b'},
        {"pids", required_argument, NULL, 'p'},
        {NULL, 0, NULL, 0},
    };
    const char *socket = "";
    struct err err = {0};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 's':
            socket = optarg;
            break;
        case 'c':
            load->connections = number_of(optarg);
            break;
        case 'm':
            load->messages = number_of(optarg);
            break;
        case 'd':
            load->domains = number_of(optarg);
            break;
        case 'b':
            load->body_len = number_of(optarg);
            break;
        case 'p':
            load->pids = optarg;
            break;
        default:
            return false;
        }
    }
    if (sockname_parse(span_str(socket), &load->socket, &err) == ST_OK)
        return load->connections >= 1 && load->connections <= CONNECTIONS_MAX &&
               load->messages >= 1 && load->domains >= 1 && load->body_len >= 0;
    fprintf(stderr, "bench_load: --socket %s: %s\n", socket, err.text);
    return false;
}

static char *make_body(long len)
{
    static const char line[] = "The quick brown fox jumps over the lazy dog, as it has done for "
                               "years.\r\n";
    char *body = malloc((size_t)len + sizeof line);
    size_t done = 0;
    while (body != NULL && done < (size_t)len) {
        memcpy(body + done, line, sizeof line - 1);
        done += sizeof line - 1;
    }
    return body;
}

int main(int argc, char **argv)
{
    struct load load = {.connections = 8, .messages = 20000, .domains = 1, .body_len = 4096};
    if (!read_arguments(argc, argv, &load))
        return 2;
    char *body = make_body(load.body_len);
    load.body = span_of(body, (size_t)load.body_len);
    load.took_us = calloc((size_t)load.messages, sizeof load.took_us[0]);
    if (body == NULL || load.took_us == NULL)
        return 75;
    double cpu = cpu_of_all(load.pids);
    int64_t start_us = clock_monotonic_us();
    run(&load);
    double seconds = (double)(clock_monotonic_us() - start_us) / 1e6;
    if (load.failed == 0)
        report(&load, seconds, cpu_of_all(load.pids) - cpu);
    free(load.took_us);
    free(body);
    return load.failed == 0 ? 0 : 1;
}
