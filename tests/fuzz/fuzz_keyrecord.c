/* SPDX-License-Identifier: Apache-2.0
 *
 * A key record that parses is written and read again with the same key; the key itself is
 * parsed if it is one.
 */
#include "dkim/keyrecord.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dkim_key_record record, again;
    struct dkim_public_key *key = NULL;
    struct buf text = BUF_INIT(0);
    struct err err;

    if (dkim_key_record_parse(fuzz_span(data, size), &record, &err) == ST_OK) {
        dkim_key_record_write(record.algorithm, buf_span(&record.public_octets), &text);
        REQUIRE(dkim_key_record_parse(buf_span(&text), &again, &err) == ST_OK);
        REQUIRE(again.revoked == record.revoked);
        REQUIRE(record.revoked || again.algorithm == record.algorithm);
        REQUIRE(span_equal(buf_span(&record.public_octets), buf_span(&again.public_octets)));
        if (dkim_public_key_parse(record.algorithm, buf_span(&record.public_octets),
                                  DKIM_RSA_BITS_MIN, &key, &err) == ST_OK)
            REQUIRE(dkim_public_key_bits(key) >= 256);
        dkim_public_key_free(key);
        dkim_key_record_clear(&again);
    }
    dkim_key_record_clear(&record);
    buf_clear(&text);
    return 0;
}
