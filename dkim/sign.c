/* SPDX-License-Identifier: Apache-2.0 */
#include "dkim/sign.h"

#include <stdio.h>
#include <string.h>

#include "dkim/signature.h"
#include "dkim/taglist.h"

static const char field_name[] = "DKIM-Signature:";

/* One signature on its way. */
struct making {
    const struct dkim_sign_options *options;
    const struct dkim_fields *fields;
    const uint8_t *body_digest;
    struct buf names; /* h= */
    size_t names_count;
    struct buf field;     /* DKIM-Signature: and the value so far */
    struct buf signature; /* as the signer gave it */
};

enum status dkim_sign_with_key(void *key, const uint8_t digest[DKIM_DIGEST_SIZE], struct buf *out,
                               struct err *err)
{
    return dkim_key_sign(key, digest, out, err);
}

enum status dkim_sign_want(const struct dkim_sign_options *options, struct dkim_bodies *bodies,
                           struct err *err)
{
    size_t index;

    return dkim_bodies_want(bodies, options->body_canon, DKIM_BODY_WHOLE, &index, err);
}

static enum status check_identity(const struct dkim_sign_options *options, struct err *err)
{
    const char *at = strrchr(options->identity, '@');
    char domain[DKIM_DOMAIN_SIZE];

    if (!at || dkim_domain_normalize(span_str(at + 1), domain, NULL) != ST_OK)
        return err_set(err, ST_INVALID, "identity %s: not an address", options->identity);
    if (!dkim_domain_is_within(span_str(domain), span_str(options->domain)))
        return err_set(err, ST_INVALID, "identity %s: not within %s", options->identity,
                       options->domain);
    return ST_OK;
}

static enum status check_options(const struct dkim_sign_options *options, struct err *err)
{
    char name[DKIM_DOMAIN_SIZE];

    if (dkim_domain_normalize(span_str(options->domain), name, err) != ST_OK)
        return err_context(err, "domain %s", options->domain);
    if (strcmp(name, options->domain) != 0)
        return err_set(err, ST_INVALID, "domain %s: not in normal form", options->domain);
    if (dkim_selector_normalize(span_str(options->selector), name, err) != ST_OK)
        return err_context(err, "selector %s", options->selector);
    return options->identity ? check_identity(options, err) : ST_OK;
}

/* -- h= ----------------------------------------------------------------------------------- */

static const struct span from_name = {"from", 4};

static void append_times(struct buf *out, struct span name, size_t times)
{
    while (times--) {
        if (out->len)
            buf_append_char(out, ':');
        buf_append_span(out, name);
    }
}

/* Lists a name once for each field there is, and once more if it is oversigned: a field of
 * that name that is added later breaks the signature (RFC 6376 8.15). */
static void choose_name(struct making *making, struct span name)
{
    size_t times = dkim_fields_count(making->fields, name) +
                   dkim_names_contain(making->options->oversign, name);

    append_times(&making->names, name, times);
    making->names_count += times;
}

/* From, then the names of the set in its order, then what is oversigned only. */
static enum status choose_names(struct making *making, struct err *err)
{
    const struct dkim_names *headers = making->options->headers;
    const struct dkim_names *oversign = making->options->oversign;

    if (!dkim_fields_count(making->fields, from_name))
        return err_set(err, ST_INVALID, "the message has no From field");
    choose_name(making, from_name);
    for (size_t i = 0; i < dkim_names_count(headers); i++) {
        struct span name = dkim_names_at(headers, i);
        if (!span_equal(name, from_name))
            choose_name(making, name);
    }
    for (size_t i = 0; i < dkim_names_count(oversign); i++) {
        struct span name = dkim_names_at(oversign, i);
        if (!span_equal(name, from_name) && !dkim_names_contain(headers, name))
            choose_name(making, name);
    }
    if (making->names_count > DKIM_SIGNED_NAMES_MAX)
        return err_set(err, ST_INVALID, "more than %d header fields to sign",
                       DKIM_SIGNED_NAMES_MAX);
    return buf_check(&making->names, "h=", err);
}

bool dkim_sign_fits(const struct dkim_sign_options *options, const struct dkim_fields *fields)
{
    size_t listed = dkim_names_count(options->oversign);

    if (listed + fields->count <= DKIM_SIGNED_NAMES_MAX)
        return true;
    for (size_t i = 0; i < fields->count; i++) {
        struct span name = dkim_fields_name(fields, i);
        listed += dkim_names_contain(options->headers, name) ||
                  dkim_names_contain(options->oversign, name) || span_equal_nocase(name, from_name);
    }
    return listed <= DKIM_SIGNED_NAMES_MAX;
}

/* -- the field ---------------------------------------------------------------------------- */

/* dkim-quoted-printable (RFC 6376 2.11): everything but dkim-safe-char is encoded. */
static void write_identity(struct dkim_folder *folder, const char *identity)
{
    struct buf encoded = BUF_INIT(0);

    for (const char *at = identity; *at; at++) {
        if (*at > 32 && *at < 127 && *at != ';' && *at != '=')
            buf_append_char(&encoded, *at);
        else
            buf_printf(&encoded, "=%02X", (unsigned)(unsigned char)*at);
    }
    dkim_folder_tag(folder, "i", buf_span(&encoded), false);
    if (encoded.failed != ST_OK)
        folder->out->failed = encoded.failed;
    buf_clear(&encoded);
}

static void write_number(struct dkim_folder *folder, const char *name, int64_t number)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%lld", (long long)number);

    dkim_folder_tag(folder, name, span_of(text, (size_t)len), false);
}

static void write_base64(struct dkim_folder *folder, const char *name, struct span octets,
                         bool last)
{
    struct buf text = BUF_INIT(0);

    dkim_base64_encode(octets, &text);
    dkim_folder_long_tag(folder, name, buf_span(&text), 0, last);
    if (text.failed != ST_OK)
        folder->out->failed = text.failed;
    buf_clear(&text);
}

/* All tags but b=, which must come last. */
static void write_tags(const struct making *making, struct dkim_folder *folder)
{
    const struct dkim_sign_options *options = making->options;
    struct span digest = {(const char *)making->body_digest, DKIM_DIGEST_SIZE};
    char canon[32];

    snprintf(canon, sizeof canon, "%s/%s", dkim_canon_name(options->header_canon),
             dkim_canon_name(options->body_canon));
    dkim_folder_tag(folder, "v", SPAN_LIT("1"), false);
    dkim_folder_tag(folder, "a", span_str(dkim_algorithm_name(options->algorithm)), false);
    dkim_folder_tag(folder, "c", span_str(canon), false);
    dkim_folder_tag(folder, "d", span_str(options->domain), false);
    dkim_folder_tag(folder, "s", span_str(options->selector), false);
    if (options->identity)
        write_identity(folder, options->identity);
    if (options->time_s >= 0)
        write_number(folder, "t", options->time_s);
    if (options->time_s >= 0 && options->expiry_s > 0)
        write_number(folder, "x", options->time_s + options->expiry_s);
    dkim_folder_long_tag(folder, "h", buf_span(&making->names), ':', false);
    write_base64(folder, "bh", digest, false);
}

static void hash_sink(void *hash, const void *data, size_t len)
{
    dkim_hash_add(hash, data, len);
}

/* RFC 6376 3.7: the chosen fields, then the signature field itself with an empty b=. */
static enum status hash_header(const struct making *making, uint8_t digest[DKIM_DIGEST_SIZE],
                               struct err *err)
{
    enum dkim_canon canon = making->options->header_canon;
    struct dkim_hash *hash = dkim_hash_new();

    if (!hash)
        return err_set(err, ST_TEMP, "no memory for the header hash");
    dkim_signature_hash_fields(making->fields, buf_span(&making->names), canon, hash);
    dkim_canon_field(canon, buf_span(&making->field), hash_sink, hash);
    enum status status = dkim_hash_end(hash, digest, err);
    dkim_hash_free(hash);
    return status;
}

/* The signature covers the field as it will stand there but for the value of b= itself. So b=
 * is written empty, hashed, and then written again with the signature. */
static enum status make_field(struct making *making, struct err *err)
{
    uint8_t digest[DKIM_DIGEST_SIZE];
    struct dkim_folder folder;

    buf_append_str(&making->field, field_name);
    dkim_folder_init(&folder, &making->field, making->field.len);
    write_tags(making, &folder);
    struct dkim_folder before_b = folder;
    size_t len = making->field.len;
    write_base64(&folder, "b", span_of(NULL, 0), true);
    enum status status = buf_check(&making->field, "signature field", err);
    if (status == ST_OK)
        status = hash_header(making, digest, err);
    if (status == ST_OK)
        status =
            making->options->signer(making->options->signer_arg, digest, &making->signature, err);
    if (status == ST_OK && !making->signature.len)
        status = err_set(err, ST_BROKEN, "the signer gave an empty signature");
    if (status != ST_OK)
        return status;
    buf_truncate(&making->field, len);
    write_base64(&before_b, "b", buf_span(&making->signature), true);
    return buf_check(&making->field, "signature field", err);
}

static enum status body_digest(const struct making *making, const struct dkim_bodies *bodies,
                               const uint8_t **out, struct err *err)
{
    size_t index;

    if (!dkim_bodies_find(bodies, making->options->body_canon, DKIM_BODY_WHOLE, &index))
        return err_set(err, ST_BROKEN, "the body was not hashed for this signature");
    *out = dkim_bodies_digest(bodies, index);
    return ST_OK;
}

enum status dkim_sign(const struct dkim_sign_options *options, const struct dkim_fields *fields,
                      const struct dkim_bodies *bodies, struct buf *value_out, struct err *err)
{
    struct making making = {
        .options = options, .fields = fields, .signature = BUF_INIT(DKIM_SIGNATURE_MAX)};
    size_t before = value_out->len;

    enum status status = check_options(options, err);
    if (status == ST_OK)
        status = body_digest(&making, bodies, &making.body_digest, err);
    if (status == ST_OK)
        status = choose_names(&making, err);
    if (status == ST_OK)
        status = make_field(&making, err);
    if (status == ST_OK) {
        buf_append_span(value_out, span_from(buf_span(&making.field), sizeof field_name - 1));
        status = buf_check(value_out, "signature", err);
    }
    if (status != ST_OK)
        buf_truncate(value_out, before);
    buf_clear(&making.names);
    buf_clear(&making.field);
    buf_clear(&making.signature);
    return status;
}
