/* SPDX-License-Identifier: Apache-2.0
 *
 * No answer is taken: whoever makes these does not know the secret.
 */
#include "dns/tsig.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tsig_key key = {.algorithm = TSIG_HMAC_SHA256, .name = "inkan.example"};
    struct tsig_mac request = {.len = 32};
    struct err err;

    key.secret = BUF_SECRET(0);
    buf_append_str(&key.secret, "known to nobody who fuzzes");
    REQUIRE(tsig_verify(&key, &request, 1790000000, fuzz_span(data, size), &err) == ST_DENIED);
    tsig_clear(&key);
    return 0;
}
