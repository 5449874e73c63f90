/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/resolver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unbound.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/servers.h"

struct resolver {
    struct ub_ctx *context;
    pthread_t thread;
    bool threaded;
    int stop; /* eventfd */
    pthread_mutex_t lock;
    struct resolver_server servers[RESOLVER_SERVERS_MAX];
    size_t server_count;
};

/* Belongs to who waits for it until it gives up; to the call-back, which is the last to see it, if
 * that was under way by then. */
struct resolver_request {
    struct resolver *resolver;
    char name[NAME_SIZE];
    enum resolver_type type;
    int id;
    pthread_cond_t told;
    bool done, abandoned;
    int fault;
    struct ub_result *result;
};

/* -- the thread ------------------------------------------------------------------------------- */

static void *take_answers(void *arg)
{
    struct resolver *resolver = arg;
    struct pollfd watched[] = {
        {.fd = ub_fd(resolver->context), .events = POLLIN},
        {.fd = resolver->stop, .events = POLLIN},
    };
    for (;;) {
        int ready = poll(watched, 2, -1);
        if (ready < 0 && errno != EINTR)
            return NULL;
        if (ready > 0 && watched[1].revents != 0)
            return NULL;
        /* When libunbound's own thread is gone there is no answer to come; who waits finds out by
         * the time. */
        if (ready > 0 && watched[0].revents != 0 && ub_process(resolver->context) != 0)
            return NULL;
    }
}

static void stop_thread(struct resolver *resolver)
{
    const uint64_t one = 1;
    if (!resolver->threaded)
        return;
    while (write(resolver->stop, &one, sizeof one) < 0 && errno == EINTR)
        continue;
    pthread_join(resolver->thread, NULL);
}

/* -- opening ---------------------------------------------------------------------------------- */

static enum status parse_server(struct span item, struct resolver_server *out, struct err *err)
{
    struct server_name name;
    if (servers_parse_host(item, RESOLVER_PORT, &name, err) != ST_OK)
        return err_context(err, "nameservers");
    if (!servers_is_address(&name) || strlen(name.host) >= sizeof out->address)
        return err_set(err, ST_INVALID, "nameservers: %.80s: is not an IP address", name.host);
    memcpy(out->address, name.host, strlen(name.host) + 1);
    out->port = name.port;
    return ST_OK;
}

static enum status add_server(struct resolver *resolver, struct span item, struct err *err)
{
    char forward[EXCHANGE_ADDRESS_SIZE + 16];
    if (resolver->server_count == RESOLVER_SERVERS_MAX)
        return err_set(err, ST_INVALID, "nameservers: at most %d", RESOLVER_SERVERS_MAX);
    struct resolver_server *server = &resolver->servers[resolver->server_count];
    enum status status = parse_server(item, server, err);
    if (status != ST_OK)
        return status;
    resolver->server_count++;
    snprintf(forward, sizeof forward, "%s@%u", server->address, (unsigned)server->port);
    int fault = ub_ctx_set_fwd(resolver->context, forward);
    return fault == 0
               ? ST_OK
               : err_set(err, ST_INVALID, "nameservers: %s: %s", forward, ub_strerror(fault));
}

static enum status set_servers(struct resolver *resolver, const char *list, struct err *err)
{
    struct span rest = span_str(list), item;
    if (rest.len == 0) {
        int fault = ub_ctx_resolvconf(resolver->context, NULL);
        return fault == 0 ? ST_OK
                          : err_set(err, ST_TEMP, "/etc/resolv.conf: %s", ub_strerror(fault));
    }
    enum status status = ST_OK;
    while (status == ST_OK && span_next(&rest, ',', &item))
        status = add_server(resolver, span_trim(item), err);
    return status;
}

/* libunbound reads the file at the first question, then does not say which it was, and of a folder
 * reads for ever. It reads it at once where what it answers by itself is changed, if only by
 * nothing. */
static enum status set_anchor(struct ub_ctx *context, const char *path, struct err *err)
{
    struct stat info;
    char text[128];
    if (stat(path, &info) != 0 || access(path, R_OK) != 0)
        return err_set(err, ST_INVALID, "[dns] trust_anchor: %.120s: %s", path,
                       strerror_r(errno, text, sizeof text));
    if (S_ISREG(info.st_mode) && info.st_size > 0 && ub_ctx_add_ta_file(context, path) == 0 &&
        ub_ctx_data_remove(context, "anchor.invalid.") == 0)
        return ST_OK;
    return err_set(err, ST_INVALID, "[dns] trust_anchor: %.120s: no file of DS or DNSKEY records",
                   path);
}

static enum status set_up(struct resolver *resolver, const struct resolver_options *options,
                          struct err *err)
{
    /* A resolver on this host is a good one; and a library says nothing by itself. */
    int fault = ub_ctx_debugout(resolver->context, NULL);
    if (fault == 0)
        fault = ub_ctx_set_option(resolver->context, "do-not-query-localhost:", "no");
    if (fault == 0)
        fault = ub_ctx_async(resolver->context, 1);
    if (fault != 0)
        return err_set(err, ST_BROKEN, "libunbound: %s", ub_strerror(fault));
    enum status status = set_servers(resolver, options->nameservers, err);
    if (status == ST_OK && options->trust_anchor[0] != '\0')
        status = set_anchor(resolver->context, options->trust_anchor, err);
    return status;
}

enum status resolver_open(const struct resolver_options *options, struct resolver **out,
                          struct err *err)
{
    struct resolver *resolver = calloc(1, sizeof *resolver);
    *out = NULL;
    if (resolver == NULL)
        return err_set(err, ST_TEMP, "no memory");
    pthread_mutex_init(&resolver->lock, NULL);
    resolver->stop = eventfd(0, EFD_CLOEXEC);
    resolver->context = ub_ctx_create();
    enum status status = ST_OK;
    if (resolver->stop < 0 || resolver->context == NULL)
        status = err_set(err, ST_TEMP, "resolver: %s", strerror(errno));
    if (status == ST_OK)
        status = set_up(resolver, options, err);
    if (status == ST_OK) {
        resolver->threaded = pthread_create(&resolver->thread, NULL, take_answers, resolver) == 0;
        if (!resolver->threaded)
            status = err_set(err, ST_TEMP, "resolver: no thread can be started");
    }
    if (status != ST_OK) {
        resolver_close(resolver);
        return status;
    }
    *out = resolver;
    return ST_OK;
}

void resolver_close(struct resolver *resolver)
{
    if (resolver == NULL)
        return;
    stop_thread(resolver);
    if (resolver->context != NULL)
        ub_ctx_delete(resolver->context);
    if (resolver->stop >= 0)
        close(resolver->stop);
    pthread_mutex_destroy(&resolver->lock);
    free(resolver);
}

const struct resolver_server *resolver_servers(const struct resolver *resolver, size_t *count_out)
{
    *count_out = resolver->server_count;
    return resolver->servers;
}

/* -- requests --------------------------------------------------------------------------------- */

static void free_request(struct resolver_request *request)
{
    ub_resolve_free(request->result);
    pthread_cond_destroy(&request->told);
    free(request);
}

static void on_answer(void *arg, int fault, struct ub_result *result)
{
    struct resolver_request *request = arg;
    pthread_mutex_t *lock = &request->resolver->lock;
    pthread_mutex_lock(lock);
    request->done = true;
    request->fault = fault;
    request->result = result;
    bool abandoned = request->abandoned;
    pthread_cond_signal(&request->told);
    pthread_mutex_unlock(lock);
    if (abandoned)
        free_request(request);
}

static struct resolver_request *new_request(struct resolver *resolver,
                                            const struct resolver_question *question)
{
    struct resolver_request *request = calloc(1, sizeof *request);
    pthread_condattr_t attributes;
    if (request == NULL)
        return NULL;
    request->resolver = resolver;
    request->type = question->type;
    snprintf(request->name, sizeof request->name, "%s", question->name);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&request->told, &attributes);
    pthread_condattr_destroy(&attributes);
    return request;
}

enum status resolver_start(struct resolver *resolver, const struct resolver_question *question,
                           struct resolver_request **out, struct err *err)
{
    enum { CLASS_IN = 1 };
    int id = 0;
    const char *name = question->name[0] != '\0' ? question->name : ".";
    struct resolver_request *request = new_request(resolver, question);
    *out = request;
    if (request == NULL)
        return err_set(err, ST_TEMP, "no memory");
    /* The answer may be there before this returns: the request is not written to meanwhile. */
    int fault = ub_resolve_async(resolver->context, name, (int)question->type, CLASS_IN, request,
                                 on_answer, &id);
    if (fault == 0) {
        request->id = id;
        return ST_OK;
    }
    free_request(request);
    *out = NULL;
    return err_set(err, fault == UB_SYNTAX ? ST_INVALID : ST_TEMP, "%.160s: %s", name,
                   ub_strerror(fault));
}

/* Whether the answer came in time. If not, the request is no longer the caller's. */
static bool await(struct resolver_request *request, int64_t deadline_ms)
{
    struct resolver *resolver = request->resolver;
    struct timespec until = clock_timespec(deadline_ms);
    pthread_mutex_lock(&resolver->lock);
    while (!request->done && clock_left_ms(deadline_ms) > 0)
        pthread_cond_timedwait(&request->told, &resolver->lock, &until);
    bool done = request->done;
    pthread_mutex_unlock(&resolver->lock);
    if (done)
        return true;
    /* Once libunbound has taken this it does not call back. If it has not, it did or is about to:
     * then the second of the two frees. */
    if (ub_cancel(resolver->context, request->id) == 0) {
        free_request(request);
        return false;
    }
    pthread_mutex_lock(&resolver->lock);
    done = request->done;
    request->abandoned = true;
    pthread_mutex_unlock(&resolver->lock);
    return done;
}

/* -- answers ---------------------------------------------------------------------------------- */

static void write_strings(struct span data, struct buf *out)
{
    while (data.len > 0) {
        size_t len = (unsigned char)data.data[0];
        buf_append_span(out, span_head(span_from(data, 1), len));
        data = span_from(data, len + 1);
    }
}

static bool write_record(enum resolver_type type, struct span data, struct buf *out)
{
    char text[NAME_SIZE] = "";
    bool good = true;
    if (type == RESOLVER_TXT)
        write_strings(data, out);
    else if (type == RESOLVER_A)
        good = data.len == sizeof(struct in_addr) &&
               inet_ntop(AF_INET, data.data, text, sizeof text) != NULL;
    else if (type == RESOLVER_AAAA)
        good = data.len == sizeof(struct in6_addr) &&
               inet_ntop(AF_INET6, data.data, text, sizeof text) != NULL;
    else
        good = name_of_wire(data, text);
    buf_append_str(out, text);
    return good;
}

static enum status read_records(const struct ub_result *result, enum resolver_type type,
                                struct resolver_answer *out, struct err *err)
{
    size_t count = 0;
    while (result->havedata && count < RESOLVER_RECORDS_MAX && result->data[count] != NULL)
        count++;
    out->records = count > 0 ? calloc(count, sizeof *out->records) : NULL;
    if (count > 0 && out->records == NULL)
        return err_set(err, ST_TEMP, "no memory");
    for (size_t i = 0; i < count; i++) {
        struct buf *record = &out->records[out->count++];
        struct span data = span_of(result->data[i], (size_t)result->len[i]);
        if (!write_record(type, data, record))
            return err_set(err, ST_TEMP, "a malformed answer");
        enum status status = buf_check(record, "DNS record", err);
        if (status != ST_OK)
            return status;
    }
    return ST_OK;
}

static enum status read_answer(const struct resolver_request *request, struct resolver_answer *out,
                               struct err *err)
{
    enum { NXDOMAIN = 3 };
    const struct ub_result *result = request->result;
    char alias[NAME_SIZE], name[NAME_SIZE];
    if (request->fault != 0 || result == NULL)
        return err_set(err, ST_TEMP, "%s", ub_strerror(request->fault));
    if (result->bogus)
        return err_set(err, ST_BROKEN, "DNSSEC: %.120s",
                       result->why_bogus != NULL ? result->why_bogus : "the answer is forged");
    out->secure = result->secure;
    out->ttl_s = result->ttl;
    if (result->nxdomain || result->rcode == NXDOMAIN)
        return err_set(err, ST_NOT_FOUND, "there is no such name");
    if (result->rcode != 0)
        return err_set(err, ST_TEMP, "the resolvers answer with rcode %d", result->rcode);
    out->aliased = result->canonname != NULL && name_of_text(result->canonname, alias) &&
                   name_of_text(request->name, name) && strcmp(alias, name) != 0;
    return read_records(result, request->type, out, err);
}

enum status resolver_wait(struct resolver_request *request, int64_t deadline_ms,
                          struct resolver_answer *out, struct err *err)
{
    char name[NAME_SIZE];
    memcpy(name, request->name, sizeof name);
    *out = (struct resolver_answer){.records = NULL};
    if (!await(request, deadline_ms))
        return err_set(err, ST_TEMP, "%.160s: no answer of the resolvers in time", name);
    enum status status = read_answer(request, out, err);
    free_request(request);
    return status == ST_OK ? ST_OK : err_context(err, "%.160s", name);
}

enum status resolver_ask(struct resolver *resolver, const struct resolver_question *question,
                         int64_t deadline_ms, struct resolver_answer *out, struct err *err)
{
    struct resolver_request *request;
    *out = (struct resolver_answer){.records = NULL};
    enum status status = resolver_start(resolver, question, &request, err);
    return status == ST_OK ? resolver_wait(request, deadline_ms, out, err) : status;
}

void resolver_answer_clear(struct resolver_answer *answer)
{
    for (size_t i = 0; i < answer->count; i++)
        buf_clear(&answer->records[i]);
    free(answer->records);
    *answer = (struct resolver_answer){.records = NULL};
}
