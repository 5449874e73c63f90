/* SPDX-License-Identifier: Apache-2.0
 *
 * The URLs of OpenDKIM's tables: what is read can be used, what is not is the user's fault, and a
 * key stays within its value of a filter and its name of a base.
 */
#include "ldap/foreign_url.h"
#include "sql/foreign_dsn.h"

#include "tests/fuzz/fuzz.h"

static void read_dsn(struct span text)
{
    struct foreign_dsn dsn;
    struct err err = {0};
    if (foreign_dsn_read(text, &dsn, &err) != ST_OK) {
        REQUIRE(err.code == ST_INVALID);
        return;
    }
    REQUIRE(dsn.host[0] != '\0');
    REQUIRE(dsn.table[0] != '\0' && dsn.keycol[0] != '\0' && dsn.datacol[0] != '\0');
    if (foreign_dsn_unescape_place(&dsn, &err) != ST_OK)
        REQUIRE(err.code == ST_INVALID);
    if (foreign_dsn_unescape_names(&dsn, &err) != ST_OK)
        REQUIRE(err.code == ST_INVALID);
    foreign_dsn_clear(&dsn);
}

static size_t count_of(struct span text, char c)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += text.data[i] == c;
    return count;
}

/* What a key may not bring in, however it looks. */
static void use_url(const struct foreign_url *url)
{
    static const char *const marks[] = {",=+\"<>;", "()*"}; /* of a DN, of a filter */
    struct buf plain[2] = {{0}}, hostile[2] = {{0}};
    foreign_url_base(url, SPAN_LIT("xx"), &plain[0]);
    foreign_url_filter(url, SPAN_LIT("xx"), &plain[1]);
    foreign_url_base(url, SPAN_LIT("a,b=c+\"<>;\\"), &hostile[0]);
    foreign_url_filter(url, SPAN_LIT("*)(\\a"), &hostile[1]);
    for (size_t i = 0; i < 2; i++) {
        for (const char *mark = marks[i]; *mark != '\0'; mark++)
            REQUIRE(count_of(buf_span(&plain[i]), *mark) == count_of(buf_span(&hostile[i]), *mark));
        buf_clear(&plain[i]);
        buf_clear(&hostile[i]);
    }
    REQUIRE((url->no_walk != NULL) == (url->walk_filter == NULL));
    REQUIRE((url->walk_filter == NULL) == (url->walk_attribute == NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = fuzz_span(data, size);
    struct foreign_url url;
    struct err err = {0};
    if (span_find(text, '\0') < text.len)
        return 0; /* storage/foreign.c gives none of these to a reader */
    read_dsn(text);
    if (foreign_url_read(text, &url, &err) != ST_OK) {
        REQUIRE(err.code == ST_INVALID);
        return 0;
    }
    use_url(&url);
    foreign_url_clear(&url);
    return 0;
}
