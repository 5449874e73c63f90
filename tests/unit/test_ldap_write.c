/* SPDX-License-Identifier: Apache-2.0
 *
 * The octets of a journal: what is written is read back, and what is damaged is refused or is
 * another list, whose octets are these.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "ldap/write.h"

/* -- lists -------------------------------------------------------------------------------- */

static struct write *add(struct writes *writes, enum write_type type, const char *dn,
                         const char *assertion)
{
    struct write *write = write_list_new(writes, type, dn, assertion);
    assert_non_null(write);
    return write;
}

static void give(struct write *write, const char *attribute, struct span value)
{
    assert_int_equal(write_value(write, attribute, value, value.len == 0, NULL), ST_OK);
}

static struct writes every_type(void)
{
    struct writes writes = {0};
    struct write *write = add(&writes, WRITE_ADD, "cn=a,dc=b", "");
    give(write, "objectClass", SPAN_LIT("inkanEntry"));
    give(write, "objectClass", SPAN_LIT("inkanKey"));
    give(write, "inkanKeySealed", SPAN_LIT("\0\x01\xff and \0"));
    write = add(&writes, WRITE_CHANGE, "cn=\xc3\xa4,dc=b", "(inkanKeyVersion=1)");
    give(write, "inkanKeySealed", SPAN_LIT(""));
    assert_int_equal(write_number(write, "inkanKeyVersion", INT64_MIN, NULL), ST_OK);
    add(&writes, WRITE_REMOVE, "cn=c,dc=b", "(inkanKeyVersion=3)");
    write = add(&writes, WRITE_MOVE, "cn=d,dc=b", "");
    give(write, "newrdn", SPAN_LIT("cn=d"));
    give(write, "newSuperior", SPAN_LIT("ou=e,dc=b"));
    return writes;
}

static struct buf encode(const struct writes *writes)
{
    struct buf octets = BUF_INIT(0);
    assert_int_equal(write_list_encode(writes, &octets, NULL), ST_OK);
    return octets;
}

static void expect_equal(const struct writes *got, const struct writes *want)
{
    assert_int_equal(got->count, want->count);
    for (size_t i = 0; i < want->count; i++) {
        const struct write *a = &got->list[i], *b = &want->list[i];
        assert_int_equal(a->type, b->type);
        assert_string_equal(a->dn, b->dn);
        assert_string_equal(a->assertion, b->assertion);
        assert_int_equal(a->count, b->count);
        for (size_t k = 0; k < b->count; k++) {
            assert_string_equal(a->values[k].attribute, b->values[k].attribute);
            assert_true(span_equal(buf_span(&a->values[k].value), buf_span(&b->values[k].value)));
            assert_int_equal(a->values[k].none, b->values[k].none);
        }
    }
}

/* What is read may be written: with lengths and truths in their shortest form it is the same. */
static void expect_valid(const struct writes *writes)
{
    struct writes again = {0};
    struct buf octets = encode(writes);
    assert_int_equal(write_list_decode(buf_span(&octets), &again, NULL), ST_OK);
    expect_equal(&again, writes);
    write_list_clear(&again);
    buf_clear(&octets);
}

static void expect_broken(struct span octets)
{
    struct writes got = {0};
    struct err err = {0};
    assert_int_equal(write_list_decode(octets, &got, &err), ST_BROKEN);
    assert_string_equal(err.text, "the transaction kept in the directory cannot be read");
    assert_null(got.list);
    assert_int_equal(got.count, 0);
}

/* Memory of exactly that size, so that a sanitizer sees who reads past its end. */
static char *exactly(const char *octets, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, octets, len);
    return copy;
}

/* -- tests -------------------------------------------------------------------------------- */

static void what_is_written_is_read_back(void **state)
{
    struct writes writes = every_type(), got = {0};
    struct buf octets = encode(&writes);
    (void)state;
    assert_int_equal(write_list_decode(buf_span(&octets), &got, NULL), ST_OK);
    expect_equal(&got, &writes);
    write_list_clear(&got);
    write_list_clear(&writes);
    assert_null(writes.list);
    buf_clear(&octets);
}

static void a_list_of_nothing_is_no_journal(void **state)
{
    struct writes nothing = {0};
    struct buf octets = encode(&nothing);
    (void)state;
    expect_broken(buf_span(&octets));
    buf_clear(&octets);
    expect_broken(SPAN_LIT(""));
    expect_broken((struct span){0});
}

static void values_of_every_length_are_read_back(void **state)
{
    static const size_t lengths[] = {1, 127, 128, 255, 256, 65535, 65536, 3 << 20};
    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct writes writes = {0};
        char *value = calloc(1, lengths[i]);
        assert_non_null(value);
        struct write *write = add(&writes, WRITE_ADD, "cn=a,dc=b", "");
        give(write, "inkanKeySealed", span_of(value, lengths[i]));
        give(write, "inkanKeyVersion", SPAN_LIT("1"));
        expect_valid(&writes);
        write_list_clear(&writes);
        free(value);
    }
}

static void many_writes_and_values_are_read_back(void **state)
{
    struct writes writes = {0};
    (void)state;
    for (size_t i = 0; i < 3000; i++)
        give(add(&writes, WRITE_CHANGE, "cn=a,dc=b", "(a=b)"), "a", SPAN_LIT("b"));
    for (size_t i = 0; i < 3000; i++)
        give(&writes.list[1500], "c", SPAN_LIT("d"));
    expect_valid(&writes);
    write_list_clear(&writes);
}

static void a_limit_of_the_buffer_holds(void **state)
{
    struct writes writes = every_type();
    struct buf octets = BUF_INIT(100);
    (void)state;
    assert_int_equal(write_list_encode(&writes, &octets, NULL), ST_INVALID);
    write_list_clear(&writes);
    buf_clear(&octets);
}

static void what_is_cut_short_is_broken(void **state)
{
    struct writes writes = every_type();
    struct buf octets = encode(&writes);
    (void)state;
    for (size_t len = 0; len < octets.len; len++) {
        char *part = exactly(octets.data, len);
        expect_broken(span_of(part, len));
        free(part);
    }
    buf_append_char(&octets, '\0');
    expect_broken(buf_span(&octets));
    write_list_clear(&writes);
    buf_clear(&octets);
}

static void what_is_damaged_is_broken_or_another_list(void **state)
{
    struct writes writes = every_type();
    struct buf octets = encode(&writes);
    size_t valid = 0;
    (void)state;
    for (size_t at = 0; at < octets.len; at++) {
        for (unsigned flip = 1; flip < 256; flip++) {
            struct writes got = {0};
            char *damaged = exactly(octets.data, octets.len);
            damaged[at] = (char)(damaged[at] ^ (char)flip);
            enum status st = write_list_decode(span_of(damaged, octets.len), &got, NULL);
            free(damaged);
            assert_true(st == ST_OK || (st == ST_BROKEN && got.list == NULL));
            if (st != ST_OK)
                continue;
            /* Nothing was passed over: a list of ours has one form. */
            assert_int_equal(got.count, writes.count);
            expect_valid(&got);
            write_list_clear(&got);
            valid++;
        }
    }
    assert_true(valid > octets.len); /* the texts may be any */
    write_list_clear(&writes);
    buf_clear(&octets);
}

static void what_is_no_such_list_is_broken(void **state)
{
    static const struct span cases[] = {
        SPAN_LIT("\x30\x00"),
        SPAN_LIT("\x30"),
        SPAN_LIT("\x30\x80\x00\x00"),                 /* of no length (BER) */
        SPAN_LIT("\x30\x84\xff\xff\xff\xff\x30\x00"), /* longer than all there is */
        SPAN_LIT("\x30\x88\xff\xff\xff\xff\xff\xff\xff\xff"),
        SPAN_LIT("\x30\xff\x00"),
        SPAN_LIT("\x31\x0d\x30\x0b\x02\x01\x02\x04\x01x\x04\x01y\x30\x00"), /* a set */
        SPAN_LIT("\x30\x0d\x30\x0b\x02\x01\x04\x04\x01x\x04\x01y\x30\x00"), /* type 4 */
        SPAN_LIT("\x30\x0d\x30\x0b\x02\x01\xff\x04\x01x\x04\x01y\x30\x00"), /* type -1 */
        SPAN_LIT("\x30\x0e\x30\x0c\x02\x02\x00\x02\x04\x01x\x04\x01y\x30\x00"),
        SPAN_LIT("\x30\x0d\x30\x0b\x02\x01\x02\x04\x01\x00\x04\x01y\x30\x00"), /* a NUL in a DN */
        SPAN_LIT("\x30\x0d\x30\x0b\x02\x01\x03\x04\x01x\x04\x01y\x30\x00"), /* a move to nowhere */
        SPAN_LIT("\x30\x0f\x30\x0b\x02\x01\x02\x04\x01x\x04\x01y\x30\x00\x30\x00"),
        SPAN_LIT("\x30\x0f\x30\x0d\x02\x01\x02\x04\x01x\x04\x01y\x30\x00\x30\x00"),
        SPAN_LIT("\x30\x0f\x30\x0d\x02\x01\x02\x04\x01x\x04\x01y\x30\x02\x30\x00"),
    };
    struct writes got = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_broken(cases[i]);
    const struct span good = SPAN_LIT("\x30\x0d\x30\x0b\x02\x01\x02\x04\x01x\x04\x01y\x30\x00");
    assert_int_equal(write_list_decode(good, &got, NULL), ST_OK);
    assert_int_equal(got.list[0].type, WRITE_REMOVE);
    write_list_clear(&got);
}

int main(void)
{
    const struct CMUnitTest writes[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(a_list_of_nothing_is_no_journal),
        cmocka_unit_test(values_of_every_length_are_read_back),
        cmocka_unit_test(many_writes_and_values_are_read_back),
        cmocka_unit_test(a_limit_of_the_buffer_holds),
        cmocka_unit_test(what_is_cut_short_is_broken),
        cmocka_unit_test(what_is_damaged_is_broken_or_another_list),
        cmocka_unit_test(what_is_no_such_list_is_broken),
    };
    return cmocka_run_group_tests(writes, NULL, NULL);
}
