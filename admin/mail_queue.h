/* SPDX-License-Identifier: Apache-2.0
 *
 * The messages of a log, put together from their lines (admin/mail_log.h): lines of many messages
 * stand in between each other, and what names them, the queue id, is used again. How many may be
 * under way at once is bounded; the oldest are taken as they are. One thread.
 */
#ifndef INKAN_ADMIN_MAIL_QUEUE_H
#define INKAN_ADMIN_MAIL_QUEUE_H

#include "admin/mail_log.h"
#include "admin/senders.h"

enum { MAIL_QUEUE_MAX = 200000 };

struct mail_queue_counts {
    int64_t messages;
    int64_t bounces;    /* without a sender */
    int64_t incomplete; /* of which the log does not say the client or the sender */
};

struct mail_queue;

/* Complete messages go to `senders`. At most `max` are under way. NULL when memory is short. Free
 * with mail_queue_free. */
struct mail_queue *mail_queue_new(struct senders *senders, size_t max) MUST_CHECK;
void mail_queue_free(struct mail_queue *queue); /* NULL is fine */

/* Takes a line of any kind. ST_TEMP without memory. */
enum status mail_queue_take(struct mail_queue *queue, struct span line, struct err *err) MUST_CHECK;
/* The log is over: those under way are taken as they are. */
enum status mail_queue_end(struct mail_queue *queue, struct err *err) MUST_CHECK;
void mail_queue_count(const struct mail_queue *queue, struct mail_queue_counts *out);

#endif
