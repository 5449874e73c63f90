/* SPDX-License-Identifier: Apache-2.0
 *
 * A key clause that is read has a name and a secret that a message can be signed with.
 */
#include "dns/tsig.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char header[12];
    struct tsig_key key;
    struct tsig_mac mac;
    struct buf message = BUF_INIT(0);
    struct err err;

    if (tsig_parse(fuzz_span(data, size), &key, &err) == ST_OK) {
        buf_append(&message, header, sizeof header);
        REQUIRE(key.name[0] != '\0' && key.secret.len >= TSIG_SECRET_MIN);
        REQUIRE(tsig_sign(&key, 1790000000, &message, &mac, &err) == ST_OK);
        REQUIRE(message.len > sizeof header + mac.len);
        /* The same record, but an answer's signature is made of more. */
        REQUIRE(tsig_verify(&key, &mac, 1790000000, buf_span(&message), &err) == ST_DENIED);
    } else {
        REQUIRE(err.code == ST_INVALID);
    }
    tsig_clear(&key);
    buf_clear(&message);
    return 0;
}
