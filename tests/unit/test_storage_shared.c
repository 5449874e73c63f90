/* SPDX-License-Identifier: Apache-2.0
 *
 * The memcached layer over real servers: what goes in comes out, and nothing else does, whatever
 * is done to the servers and to what they hold.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dkim/crypto.h"
#include "dkim/domain.h"
#include "storage/packed.h"
#include "storage/sealed.h"
#include "storage/shared.h"
#include "tests/unit/test_folder_support.h"
#include "tests/unit/test_memcached_support.h"

enum { TIMEOUT_MS = 200, TTL_MS = 60000, VALUE_MAX = 1 << 19 };

static char folder[TEST_FOLDER_SIZE];
static struct vault *vault;
static struct memcached one;

static struct vault *new_vault(void)
{
    char path[96];
    struct vault *made = NULL;
    struct err err = {0};
    snprintf(path, sizeof path, "%s/keyring", folder);
    if (vault_create(path, &err) != ST_OK || vault_open(path, &made, &err) != ST_OK)
        fail_msg("%s", err.text);
    unlink(path);
    return made;
}

static struct shared *open_with(const char *servers, const struct vault *keys, int64_t ttl_ms)
{
    const struct shared_options options = {
        .servers = servers,
        .vault = keys,
        .connections = 4,
        .timeout_ms = TIMEOUT_MS,
        .ttl_ms = ttl_ms,
        .negative_ttl_ms = ttl_ms,
        .stale_ttl_ms = TTL_MS,
    };
    struct shared *shared = NULL;
    struct err err = {0};
    if (shared_open(&options, &shared, &err) != ST_OK)
        fail_msg("%s", err.text);
    return shared;
}

static int setup(void **state)
{
    if (!test_folder_make(folder, "shared") || chmod(folder, 0777) != 0)
        return -1;
    vault = new_vault();
    memcached_open(&one);
    *state = open_with(one.name, vault, TTL_MS);
    return 0;
}

static int teardown(void **state)
{
    shared_close(*state);
    memcached_kill(&one);
    vault_close(vault);
    return rmdir(folder);
}

/* -- profiles ----------------------------------------------------------------------------- */

/* Fills every field: with its limit, or (small) with as little as it takes. */
static void fill(const struct kind *kind, void *record, bool small)
{
    struct err err = {0};
    for (size_t i = 0; i < kind->field_count; i++) {
        const struct field *field = &kind->fields[i];
        bool octets = field->type == FIELD_TEXT || field->type == FIELD_BYTES;
        size_t len = small || !octets ? 1 : (size_t)field->max;
        char *text = calloc(1, len + 1);
        memset(text, 'x', len);
        if (field->type == FIELD_TEXT)
            assert_int_equal(field_set_text(field, record, span_of(text, len), &err), ST_OK);
        else if (field->type == FIELD_BYTES)
            buf_append(field_bytes(field, record), text, len);
        else if (field->type == FIELD_ENUM)
            *field_int(field, record) = small ? 0 : 1;
        else
            *field_int(field, record) = small ? field->min : field->max;
        free(text);
    }
}

static struct profile profile_of(size_t keys, bool small, int64_t position)
{
    struct profile profile = {.found = true, .position = position};
    fill(&kind_domain, &profile.domain, small);
    fill(&kind_tenant, &profile.tenant, small);
    for (size_t i = 0; i < keys; i++) {
        fill(&kind_key, profile_add(&profile, &kind_key), small);
        fill(&kind_rule, profile_add(&profile, &kind_rule), small);
        fill(&kind_grant, profile_add(&profile, &kind_grant), small);
    }
    return profile;
}

static void put_small(struct shared *shared, const char *name, int64_t position)
{
    struct profile profile = profile_of(2, true, position);
    shared_put(shared, name, &profile);
    profile_clear(&profile);
}

static void put_none(struct shared *shared, const char *name, int64_t position)
{
    const struct profile none = {.position = position};
    shared_put(shared, name, &none);
}

static struct shared_entry get(struct shared *shared, const char *name)
{
    struct shared_entry entry;
    shared_get(shared, &name, 1, &entry);
    return entry;
}

/* The position under a name, -1 for a miss. */
static int64_t position_of(struct shared *shared, const char *name)
{
    struct shared_entry entry = get(shared, name);
    int64_t position = entry.answer == CACHE_MISS ? -1 : entry.profile.position;
    profile_clear(&entry.profile);
    return position;
}

static void expect_kept(struct shared *shared, int64_t position)
{
    put_small(shared, "example.com", position);
    assert_int_equal(position_of(shared, "example.com"), position);
}

static struct shared_stats stats_of(struct shared *shared)
{
    struct shared_stats stats;
    shared_stats(shared, &stats);
    return stats;
}

static void assert_same(const struct kind *kind, const void *a, const void *b)
{
    for (size_t i = 0; i < kind->field_count; i++)
        if (!field_equal(&kind->fields[i], a, b))
            fail_msg("%s %s differs", kind->name, kind->fields[i].name);
}

static void a_profile_comes_back_with_every_field(void **state)
{
    static const struct {
        size_t keys;
        bool small;
    } sizes[] = {{0, true}, {1, true}, {2, false}, {60, false}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct profile profile = profile_of(sizes[i].keys, sizes[i].small, 7 + (int64_t)i);
        shared_put(*state, "example.com", &profile);
        struct shared_entry entry = get(*state, "example.com");
        assert_int_equal(entry.answer, CACHE_HIT);
        assert_true(entry.fresh);
        assert_in_range(entry.age_ms, 0, 2000);
        assert_true(entry.profile.found);
        assert_int_equal(entry.profile.position, profile.position);
        assert_int_equal(entry.profile.key_count, sizes[i].keys);
        assert_same(&kind_domain, &entry.profile.domain, &profile.domain);
        assert_same(&kind_tenant, &entry.profile.tenant, &profile.tenant);
        assert_int_equal(entry.profile.rule_count, sizes[i].keys);
        assert_int_equal(entry.profile.grant_count, sizes[i].keys);
        for (size_t k = 0; k < sizes[i].keys; k++) {
            assert_same(&kind_key, &entry.profile.keys[k], &profile.keys[k]);
            assert_same(&kind_rule, &entry.profile.rules[k], &profile.rules[k]);
            assert_same(&kind_grant, &entry.profile.grants[k], &profile.grants[k]);
        }
        profile_clear(&entry.profile);
        profile_clear(&profile);
    }
}

/* A name that is no domain, but has rules. */
static void rules_alone_are_kept(void **state)
{
    struct profile profile = {.position = 3};
    fill(&kind_rule, profile_add(&profile, &kind_rule), false);
    shared_put(*state, "*", &profile);
    struct shared_entry entry = get(*state, "*");
    assert_int_equal(entry.answer, CACHE_HIT);
    assert_false(entry.profile.found);
    assert_int_equal(entry.profile.rule_count, 1);
    assert_same(&kind_rule, &entry.profile.rules[0], &profile.rules[0]);
    profile_clear(&entry.profile);
    profile_clear(&profile);
}

static void what_is_too_large_is_not_kept(void **state)
{
    struct profile profile = profile_of(120, false, 1);
    shared_put(*state, "example.com", &profile);
    assert_int_equal(position_of(*state, "example.com"), -1);
    profile_clear(&profile);
}

static void names_known_not_to_exist_are_kept_too(void **state)
{
    put_none(*state, "example.com", 12);
    struct shared_entry entry = get(*state, "example.com");
    assert_int_equal(entry.answer, CACHE_NEGATIVE);
    assert_true(entry.fresh);
    assert_false(entry.profile.found);
    assert_int_equal(entry.profile.position, 12);
}

static void many_names_are_asked_at_once(void **state)
{
    const char *names[SHARED_NAMES_MAX];
    char text[SHARED_NAMES_MAX][16];
    for (size_t i = 0; i < SHARED_NAMES_MAX; i++) {
        snprintf(text[i], sizeof text[i], "n%zu.example", i);
        names[i] = text[i];
    }
    struct shared_entry entries[SHARED_NAMES_MAX];
    for (size_t i = 0; i < SHARED_NAMES_MAX; i += 2)
        put_small(*state, names[i], (int64_t)i);
    shared_get(*state, names, SHARED_NAMES_MAX, entries);
    for (size_t i = 0; i < SHARED_NAMES_MAX; i++) {
        assert_int_equal(entries[i].answer, i % 2 == 0 ? CACHE_HIT : CACHE_MISS);
        assert_int_equal(entries[i].profile.position, i % 2 == 0 ? i : 0);
        profile_clear(&entries[i].profile);
    }
    assert_int_equal(stats_of(*state).hits, SHARED_NAMES_MAX / 2);
    assert_int_equal(stats_of(*state).misses, SHARED_NAMES_MAX / 2);
    assert_int_equal(stats_of(*state).errors, 0);
}

static void an_entry_past_its_time_is_stale_and_then_gone(void **state)
{
    struct shared *impatient = open_with(one.name, vault, 0);
    put_small(*state, "example.com", 3);
    struct shared_entry entry = get(impatient, "example.com");
    assert_int_equal(entry.answer, CACHE_HIT);
    assert_false(entry.fresh);
    assert_int_equal(stats_of(impatient).stale, 1);
    profile_clear(&entry.profile);
    shared_close(impatient);
}

/* -- what an intruder may write ----------------------------------------------------------- */

static char stolen[VALUE_MAX];

static void name_in_memcached(const char *domain, char out[SEALED_NAME_SIZE])
{
    struct sealed *sealed = NULL;
    struct err err = {0};
    assert_int_equal(sealed_open(vault, &sealed, &err), ST_OK);
    assert_true(sealed_name(sealed, domain, out));
    sealed_close(sealed);
}

/* Puts an entry and reads what memcached holds of it. */
static size_t steal(struct shared *shared, const char *domain, char name[SEALED_NAME_SIZE])
{
    put_small(shared, domain, 5);
    name_in_memcached(domain, name);
    ssize_t len = memcached_read(&one, name, stolen, sizeof stolen);
    assert_true(len > 0);
    return (size_t)len;
}

/* A server that did not answer in time, on a busy machine, is asked again once it is no longer left
 * alone. */
static void expect_refused(struct shared *shared, const char *domain)
{
    int64_t before = stats_of(shared).refused;
    int64_t deadline_ms = clock_monotonic_ms() + 5000;
    do {
        int64_t faults = stats_of(shared).errors;
        assert_int_equal(position_of(shared, domain), -1);
        if (stats_of(shared).refused == before && stats_of(shared).errors == faults)
            usleep(10000); /* left alone */
    } while (stats_of(shared).refused == before && clock_left_ms(deadline_ms) > 0);
    assert_int_equal(stats_of(shared).refused, before + 1);
}

static void neither_name_nor_content_shows_in_memcached(void **state)
{
    char name[SEALED_NAME_SIZE];
    size_t len = steal(*state, "secret-customer.example", name);
    assert_true(strncmp(name, "inkan1:", 7) == 0);
    assert_int_equal(strlen(name), 7 + 64);
    assert_null(memmem(name, strlen(name), "secret", 6));
    assert_null(memmem(stolen, len, "xx", 2)); /* what all texts are made of, twice in a row */
}

static void any_changed_octet_is_refused(void **state)
{
    char name[SEALED_NAME_SIZE];
    size_t len = steal(*state, "example.com", name);
    for (size_t i = 0; i < len; i++) {
        stolen[i] = (char)(stolen[i] ^ (1 << (i % 8)));
        memcached_write(&one, name, stolen, len);
        expect_refused(*state, "example.com");
        stolen[i] = (char)(stolen[i] ^ (1 << (i % 8)));
    }
    memcached_write(&one, name, stolen, len);
    assert_int_equal(position_of(*state, "example.com"), 5);
}

static void any_cut_is_refused(void **state)
{
    char name[SEALED_NAME_SIZE];
    size_t len = steal(*state, "example.com", name);
    for (size_t i = 0; i < len; i++) {
        memcached_write(&one, name, stolen, i);
        expect_refused(*state, "example.com");
    }
}

static void an_entry_under_another_name_is_refused(void **state)
{
    char from[SEALED_NAME_SIZE], to[SEALED_NAME_SIZE];
    size_t len = steal(*state, "example.com", from);
    name_in_memcached("example.org", to);
    memcached_write(&one, to, stolen, len);
    expect_refused(*state, "example.org");
}

static void an_entry_of_another_format_is_refused(void **state)
{
    char name[SEALED_NAME_SIZE];
    size_t len = steal(*state, "example.com", name);
    for (int format = 0; format < 256; format++) {
        stolen[0] = (char)format;
        memcached_write(&one, name, stolen, len);
        if (format != SEALED_FORMAT)
            expect_refused(*state, "example.com");
    }
}

static void an_entry_of_another_keyring_is_not_even_found(void **state)
{
    struct vault *other = new_vault();
    struct shared *theirs = open_with(one.name, other, TTL_MS);
    char name[SEALED_NAME_SIZE], their_name[SEALED_NAME_SIZE];
    struct vault *mine = vault;
    put_small(theirs, "example.com", 8);
    assert_int_equal(position_of(*state, "example.com"), -1);
    assert_int_equal(stats_of(*state).refused, 0);
    name_in_memcached("example.com", name);
    vault = other;
    name_in_memcached("example.com", their_name);
    vault = mine;
    assert_string_not_equal(name, their_name);
    ssize_t len = memcached_read(&one, their_name, stolen, sizeof stolen);
    assert_true(len > 0);
    memcached_write(&one, name, stolen, (size_t)len);
    expect_refused(*state, "example.com");
    shared_close(theirs);
    vault_close(other);
}

static void garbage_is_refused(void **state)
{
    static const size_t sizes[] = {0, 1, 28, 29, 30, 1000, 300000, VALUE_MAX};
    char name[SEALED_NAME_SIZE];
    name_in_memcached("example.com", name);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        memset(stolen, SEALED_FORMAT, sizes[i]);
        memcached_write(&one, name, stolen, sizes[i]);
        expect_refused(*state, "example.com");
    }
    expect_kept(*state, 9);
    assert_int_equal(stats_of(*state).errors, 0);
}

static void flushing_costs_misses_only(void **state)
{
    put_small(*state, "example.com", 1);
    memcached_flush(&one);
    assert_int_equal(position_of(*state, "example.com"), -1);
    expect_kept(*state, 2);
    assert_int_equal(stats_of(*state).errors, 0);
}

/* -- octets that no program of ours wrote, under the right key ------------------------------ */

static void packed_octets_are_read_strictly(void **state)
{
    struct profile profile = profile_of(2, true, 1);
    struct buf octets = {0};
    (void)state;
    packed_write(&profile, 1000, &octets);
    for (size_t len = 0; len <= octets.len; len++) {
        struct packed packed = {0};
        /* A heap copy of just that length: a sanitizer sees a read beyond it. */
        char *copy = malloc(len + 1);
        memcpy(copy, octets.data, len);
        copy = realloc(copy, len > 0 ? len : 1);
        assert_int_equal(packed_read(span_of(copy, len), &packed), len == octets.len);
        profile_clear(&packed.profile);
        free(copy);
    }
    buf_append_char(&octets, 'x');
    struct packed packed = {0};
    assert_false(packed_read(buf_span(&octets), &packed));
    profile_clear(&profile);
    buf_clear(&octets);
}

static void any_octets_are_read_safely(void **state)
{
    struct profile profile = profile_of(2, true, 1);
    struct buf octets = {0};
    (void)state;
    packed_write(&profile, 1000, &octets);
    for (size_t i = 0; i < octets.len; i++) {
        for (int value = 0; value < 256; value += 17) {
            struct packed packed = {0};
            char was = octets.data[i];
            octets.data[i] = (char)value;
            if (packed_read(buf_span(&octets), &packed)) {
                assert_in_range(packed.profile.domain.status, 0, 1);
                assert_in_range(packed.profile.key_count, 0, octets.len);
            }
            profile_clear(&packed.profile);
            octets.data[i] = was;
        }
    }
    profile_clear(&profile);
    buf_clear(&octets);
}

/* -- servers that fail -------------------------------------------------------------------- */

static int64_t get_time_ms(struct shared *shared, const char *name)
{
    int64_t start_ms = clock_monotonic_ms();
    (void)position_of(shared, name);
    return clock_monotonic_ms() - start_ms;
}

/* Until the layer finds the server again; fails after five seconds. */
static void await_hit(struct shared *shared, const char *name)
{
    int64_t deadline_ms = clock_monotonic_ms() + 5000;
    while (put_small(shared, name, 77), position_of(shared, name) != 77) {
        if (clock_left_ms(deadline_ms) == 0)
            fail_msg("%s: the server was not found again", name);
        usleep(20000);
    }
}

static void a_server_that_was_never_there_is_a_miss(void **state)
{
    char name[32];
    (void)state;
    snprintf(name, sizeof name, "127.0.0.1:%u", (unsigned)memcached_free_port());
    struct shared *shared = open_with(name, vault, TTL_MS);
    put_small(shared, "example.com", 1);
    assert_int_equal(position_of(shared, "example.com"), -1);
    assert_int_equal(stats_of(shared).errors, 1); /* the second found it left alone */
    shared_close(shared);
}

static void a_server_killed_and_restarted_is_found_again(void **state)
{
    expect_kept(*state, 1);
    memcached_kill(&one);
    assert_int_equal(position_of(*state, "example.com"), -1);
    int64_t start_ms = clock_monotonic_ms();
    assert_in_range(get_time_ms(*state, "example.com"), 0, 20);
    memcached_start(&one);
    await_hit(*state, "example.com");
    /* After one rest, not after whole seconds of libmemcached's own on top. */
    assert_in_range(clock_monotonic_ms() - start_ms, SHARED_REST_MS / 2, SHARED_REST_MS + 500);
}

/* Nobody asked while it was away: the old connection fails, a new one works. */
static void a_restart_between_two_questions_is_not_noticed(void **state)
{
    put_small(*state, "example.com", 1);
    memcached_kill(&one);
    memcached_start(&one);
    assert_int_equal(position_of(*state, "example.com"), -1);
    expect_kept(*state, 2);
    memcached_kill(&one);
    memcached_start(&one);
    expect_kept(*state, 3);
    assert_int_equal(stats_of(*state).errors, 0);
}

static void a_server_that_hangs_costs_one_time_out(void **state)
{
    put_small(*state, "example.com", 1);
    memcached_stop(&one);
    int64_t first_ms = get_time_ms(*state, "example.com");
    int64_t start_ms = clock_monotonic_ms();
    for (int i = 0; i < 1000; i++)
        (void)position_of(*state, "example.com");
    int64_t next_ms = clock_monotonic_ms() - start_ms;
    kill(one.pid, SIGCONT);
    assert_in_range(first_ms, TIMEOUT_MS - 5, 5 * TIMEOUT_MS);
    assert_in_range(next_ms, 0, 10 * TIMEOUT_MS); /* a thousand */
    assert_int_equal(stats_of(*state).errors, 1);
    await_hit(*state, "example.com");
}

/* Late answers of a server that hung must not be taken for answers to later questions. */
static void a_late_answer_is_nobodys(void **state)
{
    put_small(*state, "a.example", 1);
    put_small(*state, "b.example", 2);
    memcached_stop(&one);
    assert_int_equal(position_of(*state, "a.example"), -1);
    kill(one.pid, SIGCONT);
    await_hit(*state, "c.example");
    for (int i = 0; i < 20; i++) {
        assert_int_equal(position_of(*state, "b.example"), 2);
        assert_int_equal(position_of(*state, "a.example"), 1);
        assert_int_equal(position_of(*state, "none.example"), -1);
    }
}

static void writing_to_a_server_that_hangs_is_bounded(void **state)
{
    put_small(*state, "example.com", 1);
    memcached_stop(&one);
    int64_t start_ms = clock_monotonic_ms();
    for (int i = 0; i < 100; i++)
        put_small(*state, "example.com", 2);
    int64_t spent_ms = clock_monotonic_ms() - start_ms;
    kill(one.pid, SIGCONT);
    assert_in_range(spent_ms, TIMEOUT_MS - 5, 10 * TIMEOUT_MS); /* a hundred */
}

/* -- several servers ---------------------------------------------------------------------- */

enum { SERVERS = 3, NAMES = 300, LIST_SIZE = 400 };

static void three_open(struct memcached *servers, char *list, size_t size)
{
    list[0] = '\0';
    for (int i = 0; i < SERVERS; i++) {
        memcached_open(&servers[i]);
        size_t len = strlen(list);
        snprintf(list + len, size - len, "%s%s", i > 0 ? "," : "", servers[i].name);
    }
}

static int hits_of(struct shared *shared)
{
    int hits = 0;
    char name[32];
    for (int i = 0; i < NAMES; i++) {
        snprintf(name, sizeof name, "d%d.example", i);
        hits += position_of(shared, name) >= 0;
    }
    return hits;
}

static void put_all(struct shared *shared)
{
    char name[32];
    for (int i = 0; i < NAMES; i++) {
        snprintf(name, sizeof name, "d%d.example", i);
        put_small(shared, name, i);
    }
}

/* Every name is found; on a busy machine a server may have been left alone for a while. */
static void await_all(struct shared *shared)
{
    int64_t end_ms = clock_monotonic_ms() + 20000;
    int found = hits_of(shared);
    while (found < NAMES && clock_monotonic_ms() < end_ms)
        found = hits_of(shared);
    assert_int_equal(found, NAMES);
}

/* Every name is there, at the servers that are there now. */
static void fill_all(struct shared *shared)
{
    int64_t end_ms = clock_monotonic_ms() + 20000;
    do
        put_all(shared);
    while (hits_of(shared) < NAMES && clock_monotonic_ms() < end_ms);
    await_all(shared);
}

static void one_of_three_servers_takes_its_third_along(void **state)
{
    struct memcached servers[SERVERS];
    char list[LIST_SIZE];
    (void)state;
    three_open(servers, list, sizeof list);
    struct shared *shared = open_with(list, vault, TTL_MS);
    fill_all(shared);
    memcached_kill(&servers[1]);
    int left = hits_of(shared);
    assert_in_range(left, NAMES / 3, NAMES - NAMES / 6);
    put_all(shared); /* what the dead one held stays its own */
    assert_in_range(hits_of(shared), 0, left);
    memcached_start(&servers[1]);
    usleep((SHARED_REST_MS + 50) * 1000);
    assert_in_range(hits_of(shared), 0, left); /* it came back empty */
    /* A server that failed last of all is left alone a little longer. */
    int found = 0;
    for (int64_t end_ms = clock_monotonic_ms() + 10000;
         found < NAMES && clock_monotonic_ms() < end_ms; found = hits_of(shared))
        put_all(shared);
    assert_int_equal(found, NAMES);
    shared_close(shared);
    for (int i = 0; i < SERVERS; i++)
        memcached_kill(&servers[i]);
}

static void one_of_three_servers_hangs_without_slowing_the_others(void **state)
{
    struct memcached servers[SERVERS];
    char list[LIST_SIZE];
    (void)state;
    three_open(servers, list, sizeof list);
    struct shared *shared = open_with(list, vault, TTL_MS);
    fill_all(shared);
    memcached_stop(&servers[2]);
    int64_t start_ms = clock_monotonic_ms();
    int left = hits_of(shared);
    int64_t spent_ms = clock_monotonic_ms() - start_ms;
    kill(servers[2].pid, SIGCONT);
    assert_in_range(left, NAMES / 3, NAMES - NAMES / 6);
    assert_in_range(spent_ms, 0, 20 * TIMEOUT_MS); /* a third of the names would take far longer */
    shared_close(shared);
    for (int i = 0; i < SERVERS; i++)
        memcached_kill(&servers[i]);
}

static void weights_and_unix_sockets(void **state)
{
    struct memcached light, heavy;
    char path[2][96], list[250];
    (void)state;
    snprintf(path[0], sizeof path[0], "%s/light", folder);
    snprintf(path[1], sizeof path[1], "%s/heavy", folder);
    memcached_open_local(&light, path[0]);
    memcached_open_local(&heavy, path[1]);
    snprintf(list, sizeof list, "%s, %s:9", path[0], path[1]);
    struct shared *shared = open_with(list, vault, TTL_MS);
    put_all(shared);
    assert_int_equal(hits_of(shared), NAMES);
    memcached_kill(&light);
    assert_in_range(hits_of(shared), NAMES * 8 / 10, NAMES - 1);
    shared_close(shared);
    memcached_kill(&heavy);
}

static void the_order_of_the_servers_does_not_matter_to_most_names(void **state)
{
    struct memcached servers[SERVERS];
    char list[LIST_SIZE], turned[LIST_SIZE];
    (void)state;
    three_open(servers, list, sizeof list);
    snprintf(turned, sizeof turned, "%s,%s,%s", servers[2].name, servers[0].name, servers[1].name);
    struct shared *shared = open_with(list, vault, TTL_MS);
    struct shared *other = open_with(turned, vault, TTL_MS);
    fill_all(shared);
    await_all(other);
    shared_close(other);
    /* Without one of them the others keep what they had: that is consistent hashing. */
    snprintf(turned, sizeof turned, "%s,%s", servers[0].name, servers[2].name);
    other = open_with(turned, vault, TTL_MS);
    assert_in_range(hits_of(other), NAMES / 3, NAMES);
    shared_close(other);
    shared_close(shared);
    for (int i = 0; i < SERVERS; i++)
        memcached_kill(&servers[i]);
}

/* -- threads ------------------------------------------------------------------------------ */

enum { THREADS = 16 };

struct load {
    struct shared *shared;
    int64_t end_ms, slowest_ms;
    int number, wrong;
};

static void *work(void *arg)
{
    struct load *load = arg;
    char name[32];
    for (int i = 0; clock_monotonic_ms() < load->end_ms; i++) {
        int number = (i * 7 + load->number) % NAMES;
        snprintf(name, sizeof name, "d%d.example", number);
        int64_t start_ms = clock_monotonic_ms();
        int64_t position = position_of(load->shared, name);
        int64_t spent_ms = clock_monotonic_ms() - start_ms;
        load->wrong += position != -1 && position != number;
        load->slowest_ms = spent_ms > load->slowest_ms ? spent_ms : load->slowest_ms;
        if (position == -1)
            put_small(load->shared, name, number);
    }
    return NULL;
}

static void threads_share_servers_that_come_and_go(void **state)
{
    struct memcached servers[SERVERS];
    struct load loads[THREADS];
    pthread_t threads[THREADS];
    char list[LIST_SIZE];
    (void)state;
    three_open(servers, list, sizeof list);
    struct shared *shared = open_with(list, vault, TTL_MS);
    for (int i = 0; i < THREADS; i++) {
        loads[i] =
            (struct load){.shared = shared, .end_ms = clock_monotonic_ms() + 4000, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &loads[i]), 0);
    }
    usleep(500000);
    memcached_kill(&servers[0]);
    memcached_stop(&servers[1]);
    usleep(700000);
    kill(servers[1].pid, SIGCONT);
    memcached_start(&servers[0]);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(loads[i].wrong, 0);
        assert_in_range(loads[i].slowest_ms, 0, 20 * TIMEOUT_MS);
    }
    await_hit(shared, "d1.example");
    assert_true(stats_of(shared).hits > 1000);
    assert_true(stats_of(shared).errors > 0);
    put_all(shared);
    assert_int_equal(hits_of(shared), NAMES);
    shared_close(shared);
    for (int i = 0; i < SERVERS; i++)
        memcached_kill(&servers[i]);
}

/* -- figures ------------------------------------------------------------------------------ */

static int64_t cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

/* A figure for people, not a test: sizes are those of a domain with an RSA-2048 key. */
static void what_a_hit_costs(void **state)
{
    enum { ROUNDS = 2000 };
    struct profile profile = profile_of(1, true, 1);
    static const char octets[1300];
    buf_append(&profile.keys[0].sealed, octets, 1220);
    buf_append(&profile.keys[0].public_key, octets, 294);
    shared_put(*state, "example.com", &profile);
    put_none(*state, "mail.example.com", 1);
    const char *const names[] = {"example.com", "mail.example.com"};
    for (size_t count = 1; count <= 2; count++) {
        int64_t start_us = cpu_us(), begin_us = clock_monotonic_us();
        for (int i = 0; i < ROUNDS; i++) {
            struct shared_entry entries[2] = {0};
            shared_get(*state, names, count, entries);
            profile_clear(&entries[0].profile);
        }
        print_message("    %zu name(s): %.1f us CPU, %.1f us in all\n", count,
                      (double)(cpu_us() - start_us) / ROUNDS,
                      (double)(clock_monotonic_us() - begin_us) / ROUNDS);
    }
    profile_clear(&profile);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_profile_comes_back_with_every_field),
        TEST(rules_alone_are_kept),
        TEST(what_is_too_large_is_not_kept),
        TEST(names_known_not_to_exist_are_kept_too),
        TEST(many_names_are_asked_at_once),
        TEST(an_entry_past_its_time_is_stale_and_then_gone),
        TEST(neither_name_nor_content_shows_in_memcached),
        TEST(any_changed_octet_is_refused),
        TEST(any_cut_is_refused),
        TEST(an_entry_under_another_name_is_refused),
        TEST(an_entry_of_another_format_is_refused),
        TEST(an_entry_of_another_keyring_is_not_even_found),
        TEST(garbage_is_refused),
        TEST(flushing_costs_misses_only),
        cmocka_unit_test(packed_octets_are_read_strictly),
        cmocka_unit_test(any_octets_are_read_safely),
        TEST(a_server_that_was_never_there_is_a_miss),
        TEST(a_server_killed_and_restarted_is_found_again),
        TEST(a_restart_between_two_questions_is_not_noticed),
        TEST(a_server_that_hangs_costs_one_time_out),
        TEST(a_late_answer_is_nobodys),
        TEST(writing_to_a_server_that_hangs_is_bounded),
        TEST(one_of_three_servers_takes_its_third_along),
        TEST(one_of_three_servers_hangs_without_slowing_the_others),
        TEST(weights_and_unix_sockets),
        TEST(the_order_of_the_servers_does_not_matter_to_most_names),
        TEST(threads_share_servers_that_come_and_go),
        TEST(what_a_hit_costs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
