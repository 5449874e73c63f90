/* SPDX-License-Identifier: Apache-2.0
 *
 * A mail log and a list of senders: what is told of a line lies in that line and has no control
 * characters, and no log makes more senders than there is room for.
 */
#include "admin/mail_queue.h"
#include "admin/sender_list.h"

#include "tests/fuzz/fuzz.h"

enum { ROOM = 3 };

static void require_clean(struct span text)
{
    REQUIRE(text.len <= SENDERS_TEXT_MAX);
    for (size_t i = 0; i < text.len; i++)
        REQUIRE((unsigned char)text.data[i] >= ' ' && text.data[i] != 0x7f);
}

static void read_line(struct span text)
{
    struct mail_log_line line;
    enum mail_log_event event = mail_log_read(text, &line);
    if (event == MAIL_LOG_NOTHING)
        return;
    REQUIRE(line.queue_id.len > 0 && line.queue_id.len <= MAIL_LOG_ID_MAX);
    const struct span parts[] = {line.queue_id, line.client_name, line.client,
                                 line.login,    line.selector,    line.domain};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        require_clean(parts[i]);
    if (line.has_sender)
        require_clean(line.sender);
    REQUIRE((event == MAIL_LOG_CLIENT) == (line.client.len > 0));
    REQUIRE((event == MAIL_LOG_SIGNED) == (line.domain.len > 0));
}

static void read_entry(struct span text)
{
    struct senders_name name;
    struct buf room = BUF_INIT(0);
    struct err err = {0};
    enum status status = sender_list_read(text, &room, &name, &err);
    REQUIRE(status == ST_OK || status == ST_NOT_FOUND || status == ST_INVALID);
    if (status == ST_OK) {
        require_clean(name.author);
        require_clean(name.login);
        REQUIRE(span_find(name.author, '@') < name.author.len);
        REQUIRE(name.client.len > 0 || name.login.len > 0);
    }
    buf_clear(&room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = fuzz_span(data, size), line;
    struct senders *senders = senders_new(ROOM);
    struct mail_queue *queue = mail_queue_new(senders, ROOM);
    struct err err = {0};
    while (span_next(&rest, '\n', &line)) {
        read_line(line);
        read_entry(line);
        REQUIRE(mail_queue_take(queue, line, &err) == ST_OK);
    }
    REQUIRE(mail_queue_end(queue, &err) == ST_OK);
    REQUIRE(senders_count(senders) <= ROOM);
    mail_queue_free(queue);
    senders_free(senders);
    return 0;
}
