/* SPDX-License-Identifier: Apache-2.0
 *
 * A tag list that parses, parses the same when its tags are written out again.
 */
#include "dkim/taglist.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dkim_taglist list, again;
    struct buf text = BUF_INIT(0);
    struct err err;

    if (dkim_taglist_parse(fuzz_span(data, size), &list, &err) != ST_OK)
        return 0;
    for (size_t i = 0; i < list.count; i++) {
        buf_append_span(&text, list.tags[i].name);
        buf_append_char(&text, '=');
        buf_append_span(&text, list.tags[i].value);
        buf_append_char(&text, ';');
    }
    REQUIRE(dkim_taglist_parse(buf_span(&text), &again, &err) == ST_OK);
    REQUIRE(again.count == list.count);
    for (size_t i = 0; i < list.count; i++) {
        REQUIRE(span_equal(list.tags[i].name, again.tags[i].name));
        REQUIRE(span_equal(list.tags[i].value, again.tags[i].value));
    }
    buf_clear(&text);
    return 0;
}
