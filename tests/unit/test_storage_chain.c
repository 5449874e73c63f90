/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "storage/chain.h"

/* Never freed by kind_clear: what it points to are literals. */
static struct event sample(void)
{
    return (struct event){.id = 7,
                          .time = 1795262400,
                          .actor = "anna (inkan)",
                          .action = "domain.add",
                          .kind = "domain",
                          .name = "b\xc3\xbc"
                                  "cher.example",
                          .tenant = "acme",
                          .detail = "tenant=acme; status=active",
                          .version = 1};
}

static void hash(const char *previous, const struct event *event, char out[CHAIN_HASH_SIZE])
{
    struct err err = {0};
    assert_int_equal(chain_hash(previous, event, out, &err), ST_OK);
}

/* -- hashes -------------------------------------------------------------------------------- */

/* By hand: printf '\ntime 10 1795262400\nactor 12 anna (inkan)\naction 10 domain.add\nkind 6
 * domain\nname 15 bücher.example\n...' | sha256sum. What was written once must be read for ever. */
static void the_form_is_the_one_that_is_described(void **state)
{
    struct event event = sample();
    char first[CHAIN_HASH_SIZE], second[CHAIN_HASH_SIZE];
    (void)state;
    hash("", &event, first);
    assert_string_equal(first, "f0999e87d446b31685384b8467711bfd2dc9661667bae7d1a1c1a2c99408d9ac");
    hash(first, &event, second);
    assert_string_equal(second, "ec7770b648e0c18e9c2bb9c9ca62767738dfa2f27598903a38e1307c888663f3");
}

static void number_version_and_hash_do_not_count(void **state)
{
    struct event event = sample(), other = sample();
    char a[CHAIN_HASH_SIZE], b[CHAIN_HASH_SIZE];
    (void)state;
    other.id = 8;
    other.version = 2;
    other.hash = "x";
    other.tenant = event.tenant = "";
    hash("", &event, a);
    other.tenant = NULL; /* the same as empty */
    hash(NULL, &other, b);
    assert_string_equal(a, b);
}

static void every_other_field_counts(void **state)
{
    char before[CHAIN_HASH_SIZE], after[CHAIN_HASH_SIZE];
    struct event event = sample();
    (void)state;
    hash("", &event, before);
    for (size_t i = 0; i < kind_event.field_count; i++) {
        const struct field *field = &kind_event.fields[i];
        struct event changed = sample();
        if (strcmp(field->name, "id") == 0 || strcmp(field->name, "version") == 0 ||
            strcmp(field->name, "hash") == 0)
            continue;
        print_message("    %s\n", field->name);
        if (field->type == FIELD_TEXT)
            *field_text(field, &changed) = "another";
        else
            *field_int(field, &changed) += 1;
        hash("", &changed, after);
        assert_string_not_equal(before, after);
    }
}

/* Pairs that would be one text if the fields were only put one behind the other. */
static const struct {
    const char *name;
    struct event a, b;
} confusable[] = {
    {"a letter moves to the next field",
     {.actor = "ab", .action = "c", .kind = "k", .name = "n"},
     {.actor = "a", .action = "bc", .kind = "k", .name = "n"}},
    {"a value moves to another field",
     {.actor = "a", .action = "x", .tenant = "t"},
     {.actor = "a", .action = "x", .detail = "t"}},
    {"a field within the value of another",
     {.actor = "a\naction 1 b", .kind = "k"},
     {.actor = "a", .action = "b", .kind = "k"}},
    {"the same in a form without lengths",
     {.actor = "a\naction b", .kind = "k"},
     {.actor = "a", .action = "b", .kind = "k"}},
    {"a length that goes on in the value",
     {.actor = "1 a", .action = "b"},
     {.actor = "a", .action = "b"}},
    {"a number that goes on in the text behind it",
     {.time = 12, .actor = "3 a"},
     {.time = 123, .actor = "a"}},
    {"blanks at an end", {.actor = "a ", .action = "b"}, {.actor = "a", .action = " b"}},
};

static void what_could_be_confused_is_not(void **state)
{
    char a[CHAIN_HASH_SIZE], b[CHAIN_HASH_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof confusable / sizeof confusable[0]; i++) {
        print_message("    %s\n", confusable[i].name);
        hash("", &confusable[i].a, a);
        hash("", &confusable[i].b, b);
        assert_string_not_equal(a, b);
    }
}

/* -- walks --------------------------------------------------------------------------------- */

enum { LENGTH = 6 };

struct log {
    struct event events[LENGTH + 1];
    char details[LENGTH + 1][24], hashes[LENGTH + 1][CHAIN_HASH_SIZE];
    size_t count;
};

static void append(struct log *log, const char *action, const char *previous)
{
    size_t i = log->count++;
    snprintf(log->details[i], sizeof log->details[i], "event %zu", i);
    log->events[i] = sample();
    log->events[i].id = (int64_t)i + 1;
    log->events[i].action = (char *)(uintptr_t)action;
    log->events[i].detail = log->details[i];
    log->events[i].hash = log->hashes[i];
    hash(previous, &log->events[i], log->hashes[i]);
}

static void make(struct log *log)
{
    *log = (struct log){.count = 0};
    for (size_t i = 0; i < LENGTH; i++)
        append(log, "tenant.set", i > 0 ? log->hashes[i - 1] : "");
}

/* The place of the first that does not fit, or `count`. */
static size_t walk(const struct log *log, struct chain *chain, enum chain_link *link)
{
    struct err err = {0};
    *chain = (struct chain){0};
    for (size_t i = 0; i < log->count; i++) {
        assert_int_equal(chain_add(chain, &log->events[i], link, &err), ST_OK);
        if (*link != CHAIN_FITS)
            return i;
    }
    return log->count;
}

static void take_out(struct log *log, size_t index)
{
    log->count--;
    memmove(&log->events[index], &log->events[index + 1],
            (log->count - index) * sizeof log->events[0]);
}

static void put_in(struct log *log, size_t index, struct event event)
{
    memmove(&log->events[index + 1], &log->events[index],
            (log->count - index) * sizeof log->events[0]);
    log->events[index] = event;
    log->count++;
}

static void a_chain_that_nobody_touched_is_whole(void **state)
{
    struct log log;
    struct chain chain;
    enum chain_link link;
    (void)state;
    make(&log);
    assert_int_equal(walk(&log, &chain, &link), LENGTH);
    assert_int_equal(chain.events, LENGTH);
    assert_int_equal(chain.last_id, LENGTH);
    assert_string_equal(chain.last, log.hashes[LENGTH - 1]);
    assert_int_equal(chain.unchained + chain.beside, 0);
}

static void expect_break(const struct log *log, size_t at, enum chain_link want)
{
    struct chain chain;
    enum chain_link link = CHAIN_FITS;
    assert_int_equal(walk(log, &chain, &link), at);
    assert_int_equal(link, want);
}

static void a_change_is_found_where_it_was_made(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH; i++) {
        struct log log;
        make(&log);
        log.events[i].actor = "nobody";
        expect_break(&log, i, CHAIN_CHANGED);
        make(&log);
        log.hashes[i][3] = log.hashes[i][3] == '0' ? '1' : '0';
        expect_break(&log, i, CHAIN_CHANGED);
    }
}

static void a_missing_one_is_found_by_the_next(void **state)
{
    (void)state;
    for (size_t i = 0; i + 1 < LENGTH; i++) {
        struct log log;
        make(&log);
        take_out(&log, i);
        expect_break(&log, i, CHAIN_GAP);
    }
}

static void one_that_was_put_in_is_found(void **state)
{
    for (size_t i = 1; i < LENGTH; i++) {
        struct log log;
        char forged[CHAIN_HASH_SIZE];
        struct event event = sample();
        make(&log);
        event.hash = "";
        put_in(&log, i, event);
        expect_break(&log, i, CHAIN_BARE);
        make(&log);
        event.hash = forged;
        event.id = (int64_t)i + 1;
        hash(log.hashes[i - 1], &event, forged); /* only what follows tells */
        put_in(&log, i, event);
        expect_break(&log, i + 1, CHAIN_FOREIGN);
    }
    (void)state;
}

static void two_that_changed_places_are_found(void **state)
{
    struct log log;
    (void)state;
    make(&log);
    struct event second = log.events[2];
    log.events[2] = log.events[3];
    log.events[3] = second;
    expect_break(&log, 2, CHAIN_GAP);
}

static void events_without_a_hash_come_before_the_chain(void **state)
{
    struct log log = {.count = 0};
    struct chain chain;
    enum chain_link link;
    (void)state;
    append(&log, "tenant.set", "");
    append(&log, "tenant.set", "");
    log.hashes[0][0] = log.hashes[1][0] = '\0';
    append(&log, "tenant.set", "");
    append(&log, "tenant.set", log.hashes[2]);
    assert_int_equal(walk(&log, &chain, &link), 4);
    assert_int_equal(chain.events, 4);
    assert_int_equal(chain.unchained, 2);
    log.hashes[3][0] = '\0';
    expect_break(&log, 3, CHAIN_BARE);
}

/* What a later copy brings follows what the first one brought. */
static void the_chain_passes_by_what_tells_of_copies(void **state)
{
    struct log log = {.count = 0};
    struct chain chain;
    enum chain_link link;
    (void)state;
    append(&log, "tenant.set", "");
    append(&log, CHAIN_COPY_ACTION, log.hashes[0]);
    append(&log, CHAIN_COPY_ACTION, log.hashes[0]);
    append(&log, "tenant.set", log.hashes[0]);
    append(&log, CHAIN_COPY_ACTION, log.hashes[3]);
    append(&log, "tenant.set", log.hashes[4]);
    assert_int_equal(walk(&log, &chain, &link), 6);
    assert_int_equal(chain.beside, 2);
    log.events[1].actor = "nobody";
    expect_break(&log, 1, CHAIN_CHANGED);
}

static void the_chain_passes_by_nothing_else(void **state)
{
    struct log log = {.count = 0};
    (void)state;
    append(&log, "tenant.set", "");
    append(&log, "tenant.set", log.hashes[0]);
    append(&log, "tenant.set", log.hashes[0]);
    expect_break(&log, 2, CHAIN_FOREIGN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_form_is_the_one_that_is_described),
        cmocka_unit_test(number_version_and_hash_do_not_count),
        cmocka_unit_test(every_other_field_counts),
        cmocka_unit_test(what_could_be_confused_is_not),
        cmocka_unit_test(a_chain_that_nobody_touched_is_whole),
        cmocka_unit_test(a_change_is_found_where_it_was_made),
        cmocka_unit_test(a_missing_one_is_found_by_the_next),
        cmocka_unit_test(one_that_was_put_in_is_found),
        cmocka_unit_test(two_that_changed_places_are_found),
        cmocka_unit_test(events_without_a_hash_come_before_the_chain),
        cmocka_unit_test(the_chain_passes_by_what_tells_of_copies),
        cmocka_unit_test(the_chain_passes_by_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
