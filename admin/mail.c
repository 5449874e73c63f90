/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/mail.h"

#include <string.h>

static bool has_crlf(struct span raw)
{
    size_t end = span_find(raw, '\n');
    return end < raw.len && end > 0 && raw.data[end - 1] == '\r';
}

enum status mail_read(struct admin *admin, const char *path, struct mail *out, struct err *err)
{
    const struct settings *settings;
    enum status status = admin_settings(admin, &settings, err);
    if (status != ST_OK)
        return status;
    out->raw.limit = MAIL_MAX;
    out->fields.max_count = (size_t)settings->sign.max_header_count;
    out->fields.max_bytes = (size_t)settings->sign.max_header_bytes;
    status = admin_read(path, &out->raw, err);
    if (status == ST_OK && out->raw.len == 0)
        status = err_set(err, ST_INVALID, "no message %s%s",
                         strcmp(path, "-") == 0 ? "on standard input" : "in ",
                         strcmp(path, "-") == 0 ? "" : path);
    if (status != ST_OK)
        return status;
    out->crlf = has_crlf(buf_span(&out->raw));
    dkim_message_crlf(buf_span(&out->raw), &out->text);
    status = buf_check(&out->text, "message", err);
    if (status == ST_OK)
        status = dkim_fields_split(buf_span(&out->text), &out->fields, &out->body, err);
    return status;
}

void mail_clear(struct mail *mail)
{
    buf_clear(&mail->raw);
    buf_clear(&mail->text);
    dkim_fields_clear(&mail->fields);
}

void mail_write(const struct mail *mail, struct span text, struct output *output)
{
    struct span line;
    if (mail->crlf) {
        output_raw(output, text);
        return;
    }
    while (text.len > 0) {
        size_t end = span_find(text, '\n');
        bool ended = end < text.len;
        line = span_head(text, end);
        if (ended && line.len > 0 && line.data[line.len - 1] == '\r')
            line.len--;
        output_raw(output, line);
        if (ended)
            output_raw(output, SPAN_LIT("\n"));
        text = span_from(text, end + 1);
    }
}

void mail_write_field(const struct mail *mail, const char *name, struct span value,
                      struct output *output)
{
    output_raw(output, span_str(name));
    output_raw(output, SPAN_LIT(":"));
    mail_write(mail, value, output);
    mail_write(mail, SPAN_LIT("\r\n"), output);
}
