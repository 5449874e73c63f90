/* SPDX-License-Identifier: Apache-2.0
 *
 * A journal that is read, is read the same again when it is written; and reading takes no more
 * memory than its octets can account for.
 */
#include "ldap/write.h"

#include "tests/fuzz/fuzz.h"

/* The shortest write and the shortest value that there are, with their heads. */
enum { WRITE_OCTETS = 11, VALUE_OCTETS = 9 };

static size_t octets_of(const struct writes *writes)
{
    size_t octets = 0;
    for (size_t i = 0; i < writes->count; i++) {
        const struct write *write = &writes->list[i];
        REQUIRE(write->type >= WRITE_ADD && write->type <= WRITE_MOVE);
        REQUIRE(write->type != WRITE_MOVE || write->count == 2);
        octets += WRITE_OCTETS + strlen(write->dn) + strlen(write->assertion);
        for (size_t k = 0; k < write->count; k++)
            octets +=
                VALUE_OCTETS + strlen(write->values[k].attribute) + write->values[k].value.len;
    }
    return octets;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct writes writes = {0}, again = {0};
    struct buf first = BUF_INIT(0), second = BUF_INIT(0);
    struct err err = {0};
    enum status st = write_list_decode(fuzz_span(data, size), &writes, &err);
    if (st != ST_OK) {
        REQUIRE(st == ST_BROKEN && writes.list == NULL && writes.count == 0);
        return 0;
    }
    REQUIRE(writes.count > 0 && octets_of(&writes) < size);
    REQUIRE(write_list_encode(&writes, &first, &err) == ST_OK && first.len <= size);
    REQUIRE(write_list_decode(buf_span(&first), &again, &err) == ST_OK);
    REQUIRE(write_list_encode(&again, &second, &err) == ST_OK);
    REQUIRE(span_equal(buf_span(&first), buf_span(&second)));
    write_list_clear(&writes);
    write_list_clear(&again);
    buf_clear(&first);
    buf_clear(&second);
    return 0;
}
