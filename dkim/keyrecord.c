/* SPDX-License-Identifier: Apache-2.0 */
#include "dkim/keyrecord.h"

#include <stdio.h>

#include "dkim/taglist.h"

static const char *const key_types[DKIM_ALGORITHMS] = {
    [DKIM_RSA_SHA256] = "rsa",
    [DKIM_ED25519_SHA256] = "ed25519",
};

/* Whether a colon-separated list holds `wanted`. */
static bool lists(const struct span *tag, struct span wanted, bool if_absent)
{
    struct span rest, item;

    if (!tag)
        return if_absent;
    rest = *tag;
    while (span_next(&rest, ':', &item)) {
        if (span_equal(span_trim(item), wanted))
            return true;
    }
    return false;
}

static enum status read_version(const struct dkim_taglist *list, struct err *err)
{
    const struct span *version = dkim_taglist_get(list, "v");

    /* RFC 6376 3.6.1 v=: if it is there it comes first. */
    if (version && (!span_equal(*version, SPAN_LIT("DKIM1")) ||
                    !span_equal(list->tags[0].name, SPAN_LIT("v"))))
        return err_set(err, ST_INVALID, "not a DKIM key record: v=DKIM1 must come first");
    return ST_OK;
}

static enum status read_key_type(const struct dkim_taglist *list, enum dkim_algorithm *out,
                                 struct err *err)
{
    const struct span *type = dkim_taglist_get(list, "k");

    *out = DKIM_RSA_SHA256;
    for (enum dkim_algorithm i = 0; type && i < DKIM_ALGORITHMS; i++) {
        if (span_equal(*type, span_str(key_types[i]))) {
            *out = i;
            return ST_OK;
        }
    }
    return type ? err_set(err, ST_INVALID, "k=: no key type but rsa and ed25519 is known") : ST_OK;
}

static enum status read_public_octets(const struct dkim_taglist *list, struct buf *out,
                                      struct err *err)
{
    const struct span *text = dkim_taglist_get(list, "p");

    if (!text)
        return err_set(err, ST_INVALID, "p= is missing");
    return dkim_base64_decode(*text, out, err) == ST_OK ? ST_OK : err_context(err, "p=");
}

enum status dkim_key_record_parse(struct span txt, struct dkim_key_record *out, struct err *err)
{
    struct dkim_taglist list;

    *out = (struct dkim_key_record){.public_octets = BUF_INIT(0)};
    enum status status = dkim_taglist_parse(txt, &list, err);
    if (status == ST_OK)
        status = read_version(&list, err);
    if (status == ST_OK)
        status = read_key_type(&list, &out->algorithm, err);
    if (status == ST_OK)
        status = read_public_octets(&list, &out->public_octets, err);
    if (status != ST_OK)
        return status;

    const struct span *services = dkim_taglist_get(&list, "s");
    const struct span *flags = dkim_taglist_get(&list, "t");
    out->revoked = !out->public_octets.len;
    out->sha256 = lists(dkim_taglist_get(&list, "h"), SPAN_LIT("sha256"), true);
    out->email = lists(services, SPAN_LIT("email"), true) || lists(services, SPAN_LIT("*"), true);
    out->testing = lists(flags, SPAN_LIT("y"), false);
    out->strict = lists(flags, SPAN_LIT("s"), false);
    return ST_OK;
}

void dkim_key_record_clear(struct dkim_key_record *record)
{
    buf_clear(&record->public_octets);
}

void dkim_key_record_write(enum dkim_algorithm algorithm, struct span public_octets,
                           struct buf *out)
{
    buf_append_str(out, "v=DKIM1;");
    if (public_octets.len)
        buf_printf(out, " k=%s;", key_types[algorithm]);
    buf_append_str(out, " p=");
    dkim_base64_encode(public_octets, out);
}

enum status dkim_key_record_name(const char *selector, const char *domain,
                                 char out[DKIM_RECORD_NAME_SIZE], struct err *err)
{
    int len = snprintf(out, DKIM_RECORD_NAME_SIZE, "%s._domainkey.%s", selector, domain);

    if (len < 0 || len >= DKIM_DOMAIN_SIZE)
        return err_set(err, ST_INVALID, "the name of the key record is longer than %d octets",
                       DKIM_DOMAIN_SIZE - 1);
    return ST_OK;
}
