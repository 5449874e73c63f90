/* SPDX-License-Identifier: Apache-2.0
 *
 * Whatever is read as a mailbox reads the same again when it is written quoted.
 */
#include "dkim/address.h"

#include "tests/fuzz/fuzz.h"

static void write_quoted(const struct dkim_mailbox *mailbox, struct buf *out)
{
    buf_append_char(out, '"');
    for (const char *at = mailbox->local; *at; at++) {
        if (*at == '"' || *at == '\\')
            buf_append_char(out, '\\');
        buf_append_char(out, *at);
    }
    buf_printf(out, "\"@%s", mailbox->domain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dkim_mailboxes mailboxes = {0}, again = {0};
    struct buf text = BUF_INIT(0);
    struct err err;

    if (dkim_mailboxes_parse(fuzz_span(data, size), &mailboxes, &err) != ST_OK)
        REQUIRE(mailboxes.count == 0);
    for (size_t i = 0; i < mailboxes.count; i++) {
        const struct dkim_mailbox *mailbox = &mailboxes.list[i];
        REQUIRE(mailbox->local[0] && mailbox->domain[0]);
        buf_reset(&text);
        write_quoted(mailbox, &text);
        REQUIRE(dkim_mailboxes_parse(buf_span(&text), &again, &err) == ST_OK);
        REQUIRE(again.count == 1);
        REQUIRE(strcmp(again.list[0].local, mailbox->local) == 0);
        REQUIRE(strcmp(again.list[0].domain, mailbox->domain) == 0);
        dkim_mailboxes_clear(&again);
    }
    buf_clear(&text);
    dkim_mailboxes_clear(&mailboxes);
    return 0;
}
