/* SPDX-License-Identifier: Apache-2.0
 *
 * A body in any chunking has one canonical form, and that form is its own canonical form. The
 * first octet of the input decides how it is cut.
 */
#include "dkim/canon.h"

#include "tests/fuzz/fuzz.h"

static void append_octets(void *buf, const void *data, size_t len)
{
    buf_append(buf, data, len);
}

static struct buf canonical(enum dkim_canon canon, struct span in, size_t step)
{
    struct buf out = BUF_INIT(0);
    struct dkim_canon_body body;

    dkim_canon_body_init(&body, canon, append_octets, &out);
    while (in.len) {
        struct span piece = span_head(in, step);
        dkim_canon_body_add(&body, piece.data, piece.len);
        in = span_from(in, piece.len);
        step = step % 97 + 1;
    }
    dkim_canon_body_end(&body);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    struct span in = fuzz_span(data + 1, size - 1);
    for (enum dkim_canon canon = DKIM_SIMPLE; canon <= DKIM_RELAXED; canon++) {
        struct buf whole = canonical(canon, in, in.len + 1);
        struct buf pieces = canonical(canon, in, data[0] % 97u + 1);
        struct buf again = canonical(canon, buf_span(&whole), whole.len + 1);
        REQUIRE(span_equal(buf_span(&whole), buf_span(&pieces)));
        REQUIRE(span_equal(buf_span(&whole), buf_span(&again)));
        REQUIRE(!whole.len || span_has_suffix_nocase(buf_span(&whole), SPAN_LIT("\r\n")));
        buf_clear(&whole);
        buf_clear(&pieces);
        buf_clear(&again);

        dkim_canon_field(canon, in, append_octets, &whole);
        dkim_canon_field(canon, buf_span(&whole), append_octets, &again);
        if (span_find(in, ':') < in.len)
            REQUIRE(span_equal(buf_span(&whole), buf_span(&again)));
        buf_clear(&whole);
        buf_clear(&again);
    }
    return 0;
}
