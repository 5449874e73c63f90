/* SPDX-License-Identifier: Apache-2.0
 *
 * A message that splits and has a From field can be signed, and then verifies. One that comes
 * with signatures is verified as it is, too.
 */
#include "dkim/sign.h"
#include "dkim/verify.h"

#include "tests/fuzz/fuzz.h"

static struct dkim_key *key;
static struct dkim_names *headers, *oversign;

static void prepare(void)
{
    static const char seed[32] = "not a secret at all, only a seed";

    if (key)
        return;
    REQUIRE(dkim_key_parse(DKIM_ED25519_SHA256, span_of(seed, sizeof seed), &key, NULL) == ST_OK);
    REQUIRE(dkim_names_parse(SPAN_LIT("to,subject,cc,a"), &headers, NULL) == ST_OK);
    REQUIRE(dkim_names_parse(SPAN_LIT("from,to,x"), &oversign, NULL) == ST_OK);
}

static enum status ask(void *arg, const char *name, struct buf *txt_out, struct err *err)
{
    struct buf octets = BUF_INIT(0);

    (void)arg;
    (void)name;
    REQUIRE(dkim_key_public(key, &octets, err) == ST_OK);
    dkim_key_record_write(DKIM_ED25519_SHA256, buf_span(&octets), txt_out);
    buf_clear(&octets);
    return ST_OK;
}

static enum dkim_result last_result(const struct dkim_fields *fields, struct span body)
{
    struct dkim_verify_options options = {.now_s = 0, .source = ask, .max_signatures = 4};
    struct dkim_verify *verify;
    enum dkim_result result = DKIM_NONE;

    REQUIRE(dkim_verify_begin(fields, &options, &verify, NULL) == ST_OK);
    dkim_verify_body(verify, body.data, body.len);
    REQUIRE(dkim_verify_end(verify, NULL) == ST_OK);
    size_t count = dkim_verify_count(verify);
    if (count) {
        result = dkim_verify_verdict(verify, count - 1)->result;
        REQUIRE(result != DKIM_NONE);
    }
    dkim_verify_free(verify);
    return result;
}

static void sign_and_verify(struct dkim_fields *fields, struct span body, int form)
{
    struct dkim_sign_options options = {.domain = "example.com",
                                        .selector = "s",
                                        .algorithm = DKIM_ED25519_SHA256,
                                        .header_canon = form & 1 ? DKIM_RELAXED : DKIM_SIMPLE,
                                        .body_canon = form & 2 ? DKIM_RELAXED : DKIM_SIMPLE,
                                        .headers = headers,
                                        .oversign = oversign,
                                        .time_s = 1,
                                        .expiry_s = 10,
                                        .signer = dkim_sign_with_key,
                                        .signer_arg = key};
    struct dkim_bodies *bodies = dkim_bodies_new();
    struct buf value = BUF_INIT(0);

    REQUIRE(bodies && dkim_sign_want(&options, bodies, NULL) == ST_OK);
    dkim_bodies_add(bodies, body.data, body.len);
    REQUIRE(dkim_bodies_end(bodies, NULL) == ST_OK);
    enum status status = dkim_sign(&options, fields, bodies, &value, NULL);
    bool from = dkim_fields_count(fields, SPAN_LIT("From")) > 0;
    REQUIRE(status == (from ? ST_OK : ST_INVALID));
    if (from && dkim_fields_count(fields, SPAN_LIT("DKIM-Signature")) < 4) {
        REQUIRE(dkim_fields_add(fields, SPAN_LIT("DKIM-Signature"), buf_span(&value), NULL) ==
                ST_OK);
        REQUIRE(last_result(fields, body) == DKIM_PASS);
    }
    buf_clear(&value);
    dkim_bodies_free(bodies);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dkim_fields fields = {.max_count = 100};
    struct span body;

    prepare();
    if (size && dkim_fields_split(fuzz_span(data + 1, size - 1), &fields, &body, NULL) == ST_OK) {
        last_result(&fields, body);
        fields.max_count = 0;
        sign_and_verify(&fields, body, data[0]);
    }
    dkim_fields_clear(&fields);
    return 0;
}
