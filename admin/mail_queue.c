/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/mail_queue.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { SIGNATURES_MAX = 8 };

struct message {
    char id[MAIL_LOG_ID_MAX + 1];
    bool has_client, has_sender;
    char *client, *client_name, *login, *sender;
    char *signatures[SIGNATURES_MAX]; /* "s1@example.com", in order, none twice */
    size_t count;
    UT_hash_handle hh;
};

struct mail_queue {
    struct senders *senders;
    struct message *all; /* the oldest first */
    size_t max;
    struct mail_queue_counts counts;
};

struct mail_queue *mail_queue_new(struct senders *senders, size_t max)
{
    struct mail_queue *queue = calloc(1, sizeof *queue);
    if (queue != NULL) {
        queue->senders = senders;
        queue->max = max;
    }
    return queue;
}

static void forget(struct mail_queue *queue, struct message *message)
{
    HASH_DEL(queue->all, message);
    free(message->client);
    free(message->client_name);
    free(message->login);
    free(message->sender);
    for (size_t i = 0; i < message->count; i++)
        free(message->signatures[i]);
    free(message);
}

void mail_queue_free(struct mail_queue *queue)
{
    struct message *each, *next;
    if (queue == NULL)
        return;
    HASH_ITER(hh, queue->all, each, next)
    forget(queue, each);
    free(queue);
}

/* -- the end of a message --------------------------------------------------------------------- */

static enum status hand_over(struct mail_queue *queue, const struct message *message,
                             struct err *err)
{
    const struct senders_name name = {span_str(message->sender), span_str(message->client),
                                      span_str(message->client_name), span_str(message->login)};
    struct buf said = BUF_INIT(0);
    for (size_t i = 0; i < message->count; i++)
        buf_printf(&said, "%s%s", i > 0 ? ", " : "", message->signatures[i]);
    enum status status = buf_check(&said, "signatures", err);
    if (status == ST_OK)
        status =
            senders_add(queue->senders, &name, message->count > 0 ? buf_cstr(&said) : NULL, err);
    buf_clear(&said);
    return status;
}

static enum status finish(struct mail_queue *queue, struct message *message, struct err *err)
{
    enum status status = ST_OK;
    bool bounce = message->has_sender && message->sender[0] == '\0';
    bool complete =
        message->has_client && message->has_sender && strchr(message->sender, '@') != NULL;
    queue->counts.messages++;
    queue->counts.bounces += bounce;
    queue->counts.incomplete += !bounce && !complete;
    if (complete)
        status = hand_over(queue, message, err);
    forget(queue, message);
    return status;
}

enum status mail_queue_end(struct mail_queue *queue, struct err *err)
{
    enum status status = ST_OK;
    while (status == ST_OK && queue->all != NULL)
        status = finish(queue, queue->all, err);
    return status;
}

/* -- lines ------------------------------------------------------------------------------------ */

static struct message *find(struct mail_queue *queue, struct span id)
{
    struct message *message = NULL;
    HASH_FIND(hh, queue->all, id.data, id.len, message);
    return message;
}

/* Room is made by taking the oldest. */
static enum status begin(struct mail_queue *queue, struct span id, struct message **out,
                         struct err *err)
{
    enum status status = ST_OK;
    if (HASH_COUNT(queue->all) >= queue->max)
        status = finish(queue, queue->all, err);
    if (status != ST_OK)
        return status;
    struct message *message = calloc(1, sizeof *message);
    if (message != NULL) {
        memcpy(message->id, id.data, id.len);
        HASH_ADD_KEYPTR(hh, queue->all, message->id, id.len, message);
    }
    if (message == NULL || message->hh.tbl == NULL) {
        free(message);
        return err_set(err, ST_TEMP, "no memory for the messages of the log");
    }
    *out = message;
    return ST_OK;
}

static bool keep(char **place, struct span text)
{
    free(*place);
    *place = span_dup(text);
    return *place != NULL;
}

/* In the one form of admin/outcome.h, for they are compared. */
static char *signature_of(const struct mail_log_line *line)
{
    struct buf text = BUF_INIT(0);
    buf_append_span(&text, line->selector);
    buf_append_char(&text, '@');
    buf_append_span(&text, line->domain);
    for (size_t i = 0; i < text.len; i++)
        text.data[i] = ascii_lower(text.data[i]);
    return buf_take(&text);
}

/* By domains, then by selectors, of which s1 comes before s10. */
static int compare(const char *a, const char *b)
{
    const char *at_a = strrchr(a, '@');
    const char *at_b = strrchr(b, '@');
    size_t len_a = (size_t)(at_a - a), len_b = (size_t)(at_b - b);
    int order = strcmp(at_a, at_b);
    if (order == 0)
        order = strncmp(a, b, len_a < len_b ? len_a : len_b);
    return order == 0 ? (len_a > len_b) - (len_a < len_b) : order;
}

static bool keep_signature(struct message *message, const struct mail_log_line *line)
{
    char *signature = signature_of(line);
    char **list = message->signatures;
    size_t place = 0;
    if (signature == NULL)
        return false;
    while (place < message->count && compare(list[place], signature) < 0)
        place++;
    bool there = place < message->count && compare(list[place], signature) == 0;
    if (there || message->count == SIGNATURES_MAX) {
        free(signature);
        return true;
    }
    memmove(&list[place + 1], &list[place], (message->count - place) * sizeof *list);
    list[place] = signature;
    message->count++;
    return true;
}

static bool take_parts(struct message *message, enum mail_log_event event,
                       const struct mail_log_line *line)
{
    bool good = true;
    if (event == MAIL_LOG_CLIENT) {
        message->has_client = true;
        good = keep(&message->client, line->client) &&
               keep(&message->client_name, line->client_name) && keep(&message->login, line->login);
    }
    /* qmgr's line has the whole address, pickup's only what was given. */
    if (good && line->has_sender) {
        message->has_sender = true;
        good = keep(&message->sender, line->sender);
    }
    return good && (event != MAIL_LOG_SIGNED || keep_signature(message, line));
}

enum status mail_queue_take(struct mail_queue *queue, struct span text, struct err *err)
{
    struct mail_log_line line;
    enum status status = ST_OK;
    enum mail_log_event event = mail_log_read(text, &line);
    if (event == MAIL_LOG_NOTHING)
        return ST_OK;
    struct message *message = find(queue, line.queue_id);
    if (message == NULL && event == MAIL_LOG_END)
        return ST_OK; /* it began before this log */
    if (message != NULL && event == MAIL_LOG_CLIENT && message->has_client) {
        status = finish(queue, message, err);
        message = NULL; /* its end is not in the log, and its queue id is used again */
    }
    if (status == ST_OK && message == NULL)
        status = begin(queue, line.queue_id, &message, err);
    if (status == ST_OK && !take_parts(message, event, &line))
        status = err_set(err, ST_TEMP, "no memory for the messages of the log");
    return status == ST_OK && event == MAIL_LOG_END ? finish(queue, message, err) : status;
}

void mail_queue_count(const struct mail_queue *queue, struct mail_queue_counts *out)
{
    *out = queue->counts;
}
