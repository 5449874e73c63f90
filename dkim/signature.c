/* SPDX-License-Identifier: Apache-2.0 */
#include "dkim/signature.h"

#include <string.h>

#include "dkim/taglist.h"

/* -- reading ------------------------------------------------------------------------------ */

/* One tag: whether it must be there, and how its value gets into the structure. */
struct rule {
    const char *name;
    bool required;
    enum status (*read)(struct span value, struct dkim_signature *out, struct err *err);
};

static enum status read_version(struct span value, struct dkim_signature *out, struct err *err)
{
    (void)out;
    return span_equal(value, SPAN_LIT("1")) ? ST_OK : err_set(err, ST_INVALID, "not version 1");
}

static enum status read_algorithm(struct span value, struct dkim_signature *out, struct err *err)
{
    enum status status = dkim_algorithm_parse(value, &out->algorithm, err);

    /* RFC 8301 3.1: such a signature has failed for good; it is not merely unreadable. */
    if (status == ST_INVALID && span_equal(value, SPAN_LIT("rsa-sha1")))
        return err_set(err, ST_DENIED, "rsa-sha1 proves nothing any more (RFC 8301)");
    return status;
}

static enum status read_canon(struct span value, struct dkim_signature *out, struct err *err)
{
    return dkim_canon_parse(value, &out->header_canon, &out->body_canon, err);
}

static enum status read_domain(struct span value, struct dkim_signature *out, struct err *err)
{
    return dkim_domain_normalize(value, out->domain, err);
}

static enum status read_selector(struct span value, struct dkim_signature *out, struct err *err)
{
    return dkim_selector_normalize(value, out->selector, err);
}

static enum status read_body_digest(struct span value, struct dkim_signature *out, struct err *err)
{
    enum status status = dkim_base64_decode(value, &out->body_digest, err);

    if (status == ST_OK && out->body_digest.len != DKIM_DIGEST_SIZE)
        return err_set(err, ST_INVALID, "not a SHA-256 digest");
    return status;
}

static enum status read_signature(struct span value, struct dkim_signature *out, struct err *err)
{
    enum status status = dkim_base64_decode(value, &out->signature, err);

    if (status == ST_OK && !out->signature.len)
        return err_set(err, ST_INVALID, "empty");
    return status;
}

static bool is_field_name(struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] < 33 || name.data[i] > 126)
            return false;
    }
    return name.len > 0;
}

static enum status read_names(struct span value, struct dkim_signature *out, struct err *err)
{
    struct span rest = value, name;
    size_t count = 0;
    bool from = false;

    while (span_next(&rest, ':', &name)) {
        name = span_trim(name);
        if (!is_field_name(name))
            return err_set(err, ST_INVALID, "name %zu is no header field name", count + 1);
        if (++count > DKIM_SIGNED_NAMES_MAX)
            return err_set(err, ST_INVALID, "more than %d names", DKIM_SIGNED_NAMES_MAX);
        from = from || span_equal_nocase(name, SPAN_LIT("from"));
    }
    /* RFC 6376 6.1.1 */
    if (!from)
        return err_set(err, ST_INVALID, "From is not signed");
    out->names = value;
    return ST_OK;
}

static enum status read_identity(struct span value, struct dkim_signature *out, struct err *err)
{
    if (span_find(value, '@') == value.len)
        return err_set(err, ST_INVALID, "no @ in it");
    out->identity = value;
    return ST_OK;
}

/* Digits only; what does not fit is refused, for it is neither a length nor a time. */
static enum status read_number(struct span value, uint64_t most, uint64_t *out, struct err *err)
{
    uint64_t number = 0;

    for (size_t i = 0; i < value.len; i++) {
        char c = value.data[i];
        if (!ascii_digit(c))
            return err_set(err, ST_INVALID, "not a number");
        uint64_t digit = (uint64_t)(c - '0');
        if (number > (most - digit) / 10)
            return err_set(err, ST_INVALID, "a number that is too large");
        number = number * 10 + digit;
    }
    *out = number;
    return value.len ? ST_OK : err_set(err, ST_INVALID, "not a number");
}

static enum status read_length(struct span value, struct dkim_signature *out, struct err *err)
{
    return read_number(value, DKIM_BODY_WHOLE - 1, &out->length, err);
}

static enum status read_seconds(struct span value, int64_t *out, struct err *err)
{
    uint64_t seconds = 0;
    enum status status = read_number(value, INT64_MAX, &seconds, err);

    if (status == ST_OK)
        *out = (int64_t)seconds;
    return status;
}

static enum status read_time(struct span value, struct dkim_signature *out, struct err *err)
{
    return read_seconds(value, &out->time_s, err);
}

static enum status read_expiry(struct span value, struct dkim_signature *out, struct err *err)
{
    return read_seconds(value, &out->expires_s, err);
}

/* RFC 6376 3.5 q=: methods that are not known are passed over, but one must be known. */
static enum status read_query(struct span value, struct dkim_signature *out, struct err *err)
{
    struct span rest = value, method;

    (void)out;
    while (span_next(&rest, ':', &method)) {
        if (span_equal(span_trim(method), SPAN_LIT("dns/txt")))
            return ST_OK;
    }
    return err_set(err, ST_INVALID, "no query method but dns/txt is known");
}

static const struct rule rules[] = {
    {"v", true, read_version},      {"a", true, read_algorithm}, {"b", true, read_signature},
    {"bh", true, read_body_digest}, {"c", false, read_canon},    {"d", true, read_domain},
    {"h", true, read_names},        {"i", false, read_identity}, {"l", false, read_length},
    {"q", false, read_query},       {"s", true, read_selector},  {"t", false, read_time},
    {"x", false, read_expiry},
};

/* What holds between two tags (RFC 6376 3.5, 6.1.1). */
static enum status check_together(const struct dkim_signature *signature, struct err *err)
{
    if (signature->expires_s >= 0 && signature->expires_s <= signature->time_s)
        return err_set(err, ST_INVALID, "x= is not after t=");
    if (!signature->identity.len)
        return ST_OK;

    size_t domain_at = signature->identity.len;
    while (signature->identity.data[domain_at - 1] != '@')
        domain_at--;
    char domain[DKIM_DOMAIN_SIZE];
    if (dkim_domain_normalize(span_from(signature->identity, domain_at), domain, err) != ST_OK)
        return err_context(err, "i=");
    if (!dkim_domain_is_within(span_str(domain), span_str(signature->domain)))
        return err_set(err, ST_INVALID, "i= is not within d=");
    return ST_OK;
}

enum status dkim_signature_parse(struct span value, struct dkim_signature *out, struct err *err)
{
    struct dkim_taglist list;

    *out = (struct dkim_signature){.length = DKIM_BODY_WHOLE, .time_s = -1, .expires_s = -1};
    enum status status = dkim_taglist_parse(value, &list, err);
    for (size_t i = 0; status == ST_OK && i < sizeof rules / sizeof rules[0]; i++) {
        const struct span *tag = dkim_taglist_get(&list, rules[i].name);
        if (!tag && rules[i].required)
            return err_set(err, ST_INVALID, "%s= is missing", rules[i].name);
        if (tag && rules[i].read(*tag, out, err) != ST_OK)
            return err_context(err, "%s=", rules[i].name);
    }
    return status == ST_OK ? check_together(out, err) : status;
}

void dkim_signature_clear(struct dkim_signature *signature)
{
    buf_clear(&signature->body_digest);
    buf_clear(&signature->signature);
}

/* -- hashing ------------------------------------------------------------------------------ */

static void hash_sink(void *hash, const void *data, size_t len)
{
    dkim_hash_add(hash, data, len);
}

/* How often the last of the names stands before itself. */
static size_t named_before(const struct span *names, size_t last)
{
    size_t count = 0;

    for (size_t i = 0; i < last; i++)
        count += span_equal_nocase(names[i], names[last]);
    return count;
}

void dkim_signature_hash_fields(const struct dkim_fields *fields, struct span names,
                                enum dkim_canon canon, struct dkim_hash *hash)
{
    struct span rest = names, list[DKIM_SIGNED_NAMES_MAX];

    for (size_t n = 0; n < DKIM_SIGNED_NAMES_MAX && span_next(&rest, ':', &list[n]); n++) {
        list[n] = span_trim(list[n]);
        size_t index = dkim_fields_from_bottom(fields, list[n], named_before(list, n));
        if (index == SIZE_MAX) /* RFC 6376 3.5 h=: a field that is not there is the empty string */
            continue;
        dkim_canon_field(canon, dkim_fields_text(fields, index), hash_sink, hash);
        dkim_hash_add(hash, "\r\n", 2);
    }
}

enum status dkim_signature_hash_self(struct span field, enum dkim_canon canon,
                                     struct dkim_hash *hash, struct err *err)
{
    struct buf without = BUF_INIT(0);
    size_t colon = span_find(field, ':');
    struct span rest = span_from(field, colon + 1), piece;

    buf_append_span(&without, span_head(field, colon + 1));
    for (bool first = true; span_next(&rest, ';', &piece); first = false) {
        size_t equals = span_find(piece, '=');
        bool is_b = span_equal(span_trim(span_head(piece, equals)), SPAN_LIT("b"));
        if (!first)
            buf_append_char(&without, ';');
        /* RFC 6376 3.7: the value goes away with all white space around it. */
        buf_append_span(&without, is_b ? span_head(piece, equals + 1) : piece);
    }
    enum status status = buf_check(&without, "signature field", err);
    if (status == ST_OK)
        dkim_canon_field(canon, buf_span(&without), hash_sink, hash);
    buf_clear(&without);
    return status;
}
