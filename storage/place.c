/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/place.h"

#include <stdlib.h>
#include <string.h>

static void free_place(struct cache_value *value)
{
    struct place *place = (struct place *)value;
    signers_unref(place->signers);
    for (size_t i = 0; i < place->rule_count; i++)
        kind_clear(&kind_rule, &place->rules[i]);
    for (size_t i = 0; i < place->grant_count; i++)
        kind_clear(&kind_grant, &place->grants[i]);
    free(place->rules);
    free(place->grants);
    networks_free(place->networks);
    free(place->tenant);
    free(place);
}

void place_unref(struct place *place)
{
    cache_value_unref(place != NULL ? &place->base : NULL);
}

/* -- building ----------------------------------------------------------------------------- */

static int by_rule_key(const void *a, const void *b)
{
    return kind_compare(&kind_rule, a, b);
}

static int by_grant_key(const void *a, const void *b)
{
    return kind_compare(&kind_grant, a, b);
}

static void take_lists(struct place *place, struct profile *profile)
{
    place->rules = profile->rules;
    place->rule_count = profile->rule_count;
    place->grants = profile->grants;
    place->grant_count = profile->grant_count;
    profile->rules = NULL;
    profile->grants = NULL;
    profile->rule_count = profile->grant_count = 0;
    if (place->rule_count > 1)
        qsort(place->rules, place->rule_count, sizeof *place->rules, by_rule_key);
    if (place->grant_count > 1)
        qsort(place->grants, place->grant_count, sizeof *place->grants, by_grant_key);
}

static enum status take_tenant(struct place *place, const struct tenant *tenant, struct err *err)
{
    if (tenant->name == NULL)
        return ST_OK;
    place->tenant = span_dup(span_str(tenant->name));
    place->tenant_active = tenant->status == ACCOUNT_ACTIVE;
    place->also_provider = tenant->also_provider != 0;
    place->one_signature = tenant->one_signature != 0;
    place->base.group = place->tenant;
    return place->tenant != NULL ? ST_OK : err_set(err, ST_TEMP, "no memory");
}

/* Without one that does not parse its clients would be somebody else's, or the provider's own. */
static enum status read_networks(struct place *place, struct err *err)
{
    for (size_t i = 0; i < place->grant_count; i++) {
        const struct grant *grant = &place->grants[i];
        struct network network;
        if (grant->type != GRANT_NETWORK)
            continue;
        if (networks_parse(span_str(grant->subject), &network, err) != ST_OK)
            return err_set(err, ST_BROKEN, "grant to network %s: not one", grant->subject);
        if (place->networks == NULL)
            place->networks = networks_new();
        uintptr_t *value = place->networks != NULL ? networks_at(place->networks, &network) : NULL;
        if (value == NULL)
            return err_set(err, ST_TEMP, "no memory");
        *value = (uintptr_t)grant;
    }
    return ST_OK;
}

static size_t record_bytes(const struct kind *kind, const void *record)
{
    size_t bytes = kind->size;
    for (size_t i = 0; i < kind->field_count; i++) {
        if (kind->fields[i].type == FIELD_TEXT)
            bytes += span_str(*field_text(&kind->fields[i], record)).len + 1;
    }
    return bytes;
}

static void count_bytes(struct place *place)
{
    size_t bytes = sizeof *place;
    for (size_t i = 0; i < place->rule_count; i++)
        bytes += record_bytes(&kind_rule, &place->rules[i]);
    for (size_t i = 0; i < place->grant_count; i++)
        bytes += record_bytes(&kind_grant, &place->grants[i]);
    if (place->signers != NULL)
        bytes += place->signers->base.bytes;
    if (place->tenant != NULL)
        bytes += strlen(place->tenant) + 1;
    if (place->networks != NULL)
        bytes += networks_bytes(place->networks);
    place->base.bytes = bytes;
}

enum status place_new(struct profile *profile, const struct vault *vault,
                      const struct place *before, struct place **out, struct err *err)
{
    struct place *place = calloc(1, sizeof *place);
    enum status st = ST_OK;
    if (place == NULL)
        return err_set(err, ST_TEMP, "no memory");
    atomic_init(&place->base.refs, 1);
    place->base.free = free_place;
    take_lists(place, profile);
    st = read_networks(place, err);
    if (st == ST_OK && !profile->found)
        st = take_tenant(place, &profile->tenant, err);
    else if (st == ST_OK)
        st = signers_new(profile, vault, before != NULL ? before->signers : NULL, &place->signers,
                         err);
    if (st != ST_OK) {
        place_unref(place);
        return st;
    }
    if (place->signers != NULL)
        place->base.group = place->signers->tenant;
    count_bytes(place);
    *out = place;
    return ST_OK;
}

/* -- asking ------------------------------------------------------------------------------- */

const struct rule *place_rules(const struct place *place, const char *pattern, size_t *count_out)
{
    size_t low = 0, high = place != NULL ? place->rule_count : 0;
    const size_t end = high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(place->rules[middle].pattern, pattern) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *count_out = 0;
    while (low + *count_out < end && strcmp(place->rules[low + *count_out].pattern, pattern) == 0)
        (*count_out)++;
    return *count_out > 0 ? &place->rules[low] : NULL;
}

const struct grant *place_grant(const struct place *place, enum grant_type type,
                                const char *subject)
{
    const struct grant wanted = {.type = type, .subject = (char *)subject};
    if (place == NULL || place->grant_count == 0)
        return NULL;
    return bsearch(&wanted, place->grants, place->grant_count, sizeof wanted, by_grant_key);
}

const struct grant *place_network(const struct place *place, const struct network *address)
{
    if (place == NULL || place->networks == NULL)
        return NULL;
    return (const struct grant *)networks_find(place->networks, address);
}
