/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sender_list.h"

#include "admin/mail_log.h"
#include "dkim/domain.h"

enum { WORDS = 3 };

static bool has_controls(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return true;
    }
    return false;
}

static bool is_ascii(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] >= 0x80)
            return false;
    return true;
}

static void pass_blanks(struct span *rest)
{
    while (rest->len > 0 && ascii_wsp(rest->data[0]))
        *rest = span_from(*rest, 1);
}

/* The next word, which may be empty between commas; false at the end and before a comment. */
static bool next_word(struct span *rest, struct span *word)
{
    size_t len = 0;
    pass_blanks(rest);
    if (rest->len == 0 || rest->data[0] == '#')
        return false;
    while (len < rest->len && !ascii_wsp(rest->data[len]) && rest->data[len] != ',')
        len++;
    *word = span_head(*rest, len);
    *rest = span_from(*rest, len);
    pass_blanks(rest);
    if (rest->len > 0 && rest->data[0] == ',')
        *rest = span_from(*rest, 1);
    return true;
}

static enum status read_author(struct span word, struct buf *room, struct span *out,
                               struct err *err)
{
    char domain[DKIM_DOMAIN_SIZE];
    *out = word;
    if (span_find(word, '@') < word.len)
        return ST_OK;
    if (dkim_domain_normalize(word, domain, err) != ST_OK)
        return err_context(err, "author %.*s", (int)span_head(word, 64).len, word.data);
    buf_reset(room);
    buf_append_str(room, SENDER_LIST_SOMEBODY);
    if (is_ascii(word))
        buf_append_str(room, domain);
    else
        buf_append_span(room, word); /* which OpenDKIM does not take for the other form */
    *out = buf_span(room);
    return buf_check(room, "author", err);
}

static enum status read_client(struct span word, struct senders_name *out, struct err *err)
{
    if (word.len == 0 || mail_log_client(word, &out->client_name, &out->client))
        return ST_OK;
    return err_set(err, ST_INVALID, "client %.*s: neither an IP address nor name[address]",
                   (int)span_head(word, 64).len, word.data);
}

enum status sender_list_read(struct span line, struct buf *room, struct senders_name *out,
                             struct err *err)
{
    struct span words[WORDS] = {{.len = 0}}, word;
    size_t count = 0;
    *out = (struct senders_name){.author = {.len = 0}};
    if (line.len > SENDERS_TEXT_MAX || has_controls(line))
        return err_set(err, ST_INVALID, "a control character, or longer than %d octets",
                       SENDERS_TEXT_MAX);
    for (; next_word(&line, &word); count++) {
        if (count == WORDS)
            return err_set(err, ST_INVALID, "more than AUTHOR, CLIENT and LOGIN");
        words[count] = span_equal(word, SPAN_LIT("-")) ? span_head(word, 0) : word;
    }
    if (count == 0)
        return ST_NOT_FOUND;
    enum status status = read_author(words[0], room, &out->author, err);
    if (status == ST_OK)
        status = read_client(words[1], out, err);
    out->login = words[2];
    if (out->client.len == 0 && out->login.len == 0)
        out->client = SPAN_LIT("127.0.0.1");
    return status;
}
