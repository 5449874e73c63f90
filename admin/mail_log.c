/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/mail_log.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "admin/senders.h"

enum { ID_MIN = 5, ISO_DATE_SIZE = 10 };

/* -- pieces ----------------------------------------------------------------------------------- */

static bool is_clean(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f)
            return false;
    return text.len <= SENDERS_TEXT_MAX;
}

static bool is_number(struct span text)
{
    uint64_t ignored;
    return span_number(text, UINT32_MAX, &ignored);
}

static bool cut_prefix(struct span *text, struct span prefix)
{
    bool there = span_has_prefix(*text, prefix);
    *text = there ? span_from(*text, prefix.len) : *text;
    return there;
}

/* Where the text stands for the last time; text.len: nowhere. */
static size_t find_last(struct span text, struct span needle)
{
    for (size_t i = text.len; needle.len <= text.len && i-- > 0;)
        if (span_has_prefix(span_from(text, i), needle))
            return i;
    return text.len;
}

/* The next word and the blanks behind it. */
static struct span cut_word(struct span *rest)
{
    struct span word = span_head(*rest, span_find(*rest, ' '));
    *rest = span_from(*rest, word.len);
    while (rest->len > 0 && rest->data[0] == ' ')
        *rest = span_from(*rest, 1);
    return word;
}

/* -- what stands before the message ----------------------------------------------------------- */

static bool is_month(struct span word)
{
    return word.len == 3 && ascii_alpha(word.data[0]) && ascii_alpha(word.data[1]) &&
           ascii_alpha(word.data[2]);
}

static bool is_clock(struct span word)
{
    return word.len >= 8 && ascii_digit(word.data[0]) && word.data[2] == ':' && word.data[5] == ':';
}

static bool is_date(struct span word)
{
    return word.len >= ISO_DATE_SIZE && is_number(span_head(word, 4)) && word.data[4] == '-' &&
           word.data[7] == '-';
}

/* "Nov 22 10:00:00", "2026-11-22T10:00:00.123456+01:00" or "2026-11-22 10:00:00". */
static bool pass_time(struct span *rest)
{
    struct span word = cut_word(rest);
    if (is_month(word))
        return is_number(cut_word(rest)) && is_clock(cut_word(rest));
    if (!is_date(word))
        return false;
    if (word.len == ISO_DATE_SIZE)
        return is_clock(cut_word(rest));
    return word.data[ISO_DATE_SIZE] == 'T' && is_clock(span_from(word, ISO_DATE_SIZE + 1));
}

/* The program of `postfix/submission/smtpd[123]:`, and whether something was before it. */
static bool read_tag(struct span word, struct span *program_out, bool *postfix_out)
{
    if (word.len == 0 || word.data[word.len - 1] != ':')
        return false;
    word.len--;
    word = span_head(word, span_find(word, '['));
    size_t slash = find_last(word, SPAN_LIT("/"));
    *postfix_out = slash < word.len;
    *program_out = *postfix_out ? span_from(word, slash + 1) : word;
    return program_out->len > 0;
}

/* Postfix says a severity where else a queue id is. */
static bool is_severity(struct span word)
{
    static const char *const severities[] = {"warning", "error", "fatal", "panic", "NOQUEUE"};
    for (size_t i = 0; i < sizeof severities / sizeof severities[0]; i++)
        if (span_equal(word, span_str(severities[i])))
            return true;
    return false;
}

/* Short queue ids are hexadecimal, long ones digits and letters. */
static bool cut_id(struct span *rest, struct span *id_out)
{
    *id_out = span_head(*rest, span_find(*rest, ':'));
    if (id_out->len < ID_MIN || id_out->len > MAIL_LOG_ID_MAX || is_severity(*id_out))
        return false;
    for (size_t i = 0; i < id_out->len; i++)
        if (!ascii_alpha(id_out->data[i]) && !ascii_digit(id_out->data[i]))
            return false;
    *rest = span_from(*rest, id_out->len);
    return cut_prefix(rest, SPAN_LIT(": "));
}

/* -- clients ---------------------------------------------------------------------------------- */

static bool is_address(struct span text)
{
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr ignored;
    if (text.len == 0 || text.len >= sizeof copy || !is_clean(text))
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    return inet_pton(AF_INET, copy, &ignored) == 1 || inet_pton(AF_INET6, copy, &ignored) == 1;
}

bool mail_log_client(struct span text, struct span *name_out, struct span *address_out)
{
    struct span name = span_head(text, 0), address = text;
    size_t open = find_last(text, SPAN_LIT("["));
    if (open < text.len) {
        name = span_head(text, open);
        address = span_from(text, open + 1);
        struct span port = span_from(address, span_find(address, ']'));
        address = span_head(address, address.len - port.len);
        if (!cut_prefix(&port, SPAN_LIT("]")) ||
            (cut_prefix(&port, SPAN_LIT(":")) && port.len == 0))
            return false;
        if (port.len > 0 && !is_number(port))
            return false;
    }
    cut_prefix(&address, SPAN_LIT("IPv6:"));
    if (span_equal(name, SPAN_LIT("unknown")))
        name.len = 0;
    *name_out = name;
    *address_out = address;
    return is_clean(name) && is_address(address);
}

/* The next of `a=1, b=2`. */
static bool next_part(struct span *rest, struct span *part)
{
    size_t len = 0;
    if (rest->len == 0)
        return false;
    while (len < rest->len && !span_has_prefix(span_from(*rest, len), SPAN_LIT(", ")))
        len++;
    *part = span_head(*rest, len);
    *rest = span_from(*rest, len + 2);
    return true;
}

static enum mail_log_event read_smtpd(struct span text, struct mail_log_line *out)
{
    struct span part;
    if (!cut_prefix(&text, SPAN_LIT("client=")) || !next_part(&text, &part) ||
        !mail_log_client(part, &out->client_name, &out->client))
        return MAIL_LOG_NOTHING;
    while (next_part(&text, &part))
        if (cut_prefix(&part, SPAN_LIT("sasl_username=")) && out->login.len == 0)
            out->login = part;
    return is_clean(out->login) ? MAIL_LOG_CLIENT : MAIL_LOG_NOTHING;
}

/* -- senders ---------------------------------------------------------------------------------- */

/* `from=<SENDER` up to the last place where `end` stands, for it may stand in the sender too. */
static bool read_sender(struct span text, struct span end, struct mail_log_line *out)
{
    if (!cut_prefix(&text, SPAN_LIT("from=<")))
        return false;
    size_t len = find_last(text, end);
    out->sender = span_head(text, len);
    out->has_sender = len < text.len && is_clean(out->sender);
    return out->has_sender;
}

/* Filters see such mail come from 127.0.0.1. */
static enum mail_log_event read_pickup(struct span text, struct mail_log_line *out)
{
    if (!cut_prefix(&text, SPAN_LIT("uid=")) || !is_number(cut_word(&text)))
        return MAIL_LOG_NOTHING;
    out->client_name = SPAN_LIT("localhost");
    out->client = SPAN_LIT("127.0.0.1");
    read_sender(text, SPAN_LIT(">"), out);
    return MAIL_LOG_CLIENT;
}

static enum mail_log_event read_qmgr(struct span text, struct mail_log_line *out)
{
    if (span_equal(text, SPAN_LIT("removed")))
        return MAIL_LOG_END;
    return read_sender(text, SPAN_LIT(">, "), out) ? MAIL_LOG_SENDER : MAIL_LOG_NOTHING;
}

/* What a filter refused never gets to qmgr. */
static enum mail_log_event read_cleanup(struct span text, struct mail_log_line *out)
{
    if (!cut_prefix(&text, SPAN_LIT("milter-reject: ")) &&
        !cut_prefix(&text, SPAN_LIT("milter-discard: ")))
        return MAIL_LOG_NOTHING;
    size_t from = find_last(text, SPAN_LIT("; from=<"));
    read_sender(span_from(text, from + 2), SPAN_LIT("> to=<"), out);
    return MAIL_LOG_END;
}

/* -- signatures ------------------------------------------------------------------------------- */

static enum mail_log_event read_opendkim(struct span text, struct mail_log_line *out)
{
    if (!cut_prefix(&text, SPAN_LIT("DKIM-Signature field added (s=")))
        return MAIL_LOG_NOTHING;
    size_t comma = find_last(text, SPAN_LIT(", d="));
    size_t end = find_last(text, SPAN_LIT(")"));
    if (comma == text.len || end == text.len || end < comma + 4)
        return MAIL_LOG_NOTHING;
    out->selector = span_trim(span_head(text, comma));
    out->domain = span_trim(span_of(text.data + comma + 4, end - comma - 4));
    bool good = out->selector.len > 0 && out->domain.len > 0 && is_clean(text);
    return good ? MAIL_LOG_SIGNED : MAIL_LOG_NOTHING;
}

/* -- the whole -------------------------------------------------------------------------------- */

typedef enum mail_log_event reader(struct span text, struct mail_log_line *out);

static reader *reader_of(struct span program, bool postfix)
{
    static const struct {
        const char *program;
        bool postfix;
        reader *read;
    } programs[] = {
        {"smtpd", true, read_smtpd},        {"pickup", true, read_pickup},
        {"qmgr", true, read_qmgr},          {"oqmgr", true, read_qmgr},
        {"nqmgr", true, read_qmgr},         {"cleanup", true, read_cleanup},
        {"opendkim", false, read_opendkim},
    };
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++)
        if (programs[i].postfix == postfix && span_equal(program, span_str(programs[i].program)))
            return programs[i].read;
    return NULL;
}

enum mail_log_event mail_log_read(struct span line, struct mail_log_line *out)
{
    struct span program;
    bool postfix;
    *out = (struct mail_log_line){.has_sender = false};
    if (!pass_time(&line))
        return MAIL_LOG_NOTHING;
    cut_word(&line); /* the host */
    if (!read_tag(cut_word(&line), &program, &postfix))
        return MAIL_LOG_NOTHING;
    reader *read = reader_of(program, postfix);
    if (read == NULL || !cut_id(&line, &out->queue_id))
        return MAIL_LOG_NOTHING;
    return read(line, out);
}
