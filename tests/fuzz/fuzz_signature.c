/* SPDX-License-Identifier: Apache-2.0
 *
 * A signature field that parses keeps what the header promises.
 */
#include "dkim/signature.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dkim_signature signature;
    struct dkim_hash *hash = dkim_hash_new();
    struct buf field = BUF_INIT(0);
    char domain[DKIM_DOMAIN_SIZE];
    struct err err;

    if (dkim_signature_parse(fuzz_span(data, size), &signature, &err) == ST_OK) {
        REQUIRE(dkim_domain_normalize(span_str(signature.domain), domain, &err) == ST_OK);
        REQUIRE(strcmp(domain, signature.domain) == 0);
        REQUIRE(signature.body_digest.len == DKIM_DIGEST_SIZE && signature.signature.len);
        REQUIRE(signature.names.len >= 4);
        REQUIRE(signature.expires_s < 0 || signature.expires_s > signature.time_s);
    }
    buf_append_str(&field, "DKIM-Signature:");
    buf_append(&field, data, size);
    for (enum dkim_canon canon = DKIM_SIMPLE; canon <= DKIM_RELAXED; canon++)
        REQUIRE(dkim_signature_hash_self(buf_span(&field), canon, hash, &err) == ST_OK);
    dkim_signature_clear(&signature);
    dkim_hash_free(hash);
    buf_clear(&field);
    return 0;
}
