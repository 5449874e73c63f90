/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hosts.h"

#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "base/networks.h"

enum { NAME_MAX_OCTETS = 253, LABEL_MAX_OCTETS = 63 };

enum verdict { VERDICT_NONE, VERDICT_MATCH, VERDICT_EXCEPT };

struct name {
    enum verdict verdict;
    UT_hash_handle hh;
    char text[]; /* lower case; ".domain" with its dot */
};

struct hosts {
    struct networks *networks;
    struct name *names;
    size_t count;
};

static bool label_good(struct span label)
{
    for (size_t i = 0; i < label.len; i++) {
        char c = label.data[i];
        if (!ascii_alpha(c) && !ascii_digit(c) && c != '-' && c != '_')
            return false;
    }
    return label.len > 0 && label.len <= LABEL_MAX_OCTETS && label.data[0] != '-' &&
           label.data[label.len - 1] != '-';
}

static bool name_good(struct span name)
{
    struct span label;
    if (name.len == 0 || name.len > NAME_MAX_OCTETS)
        return false;
    while (span_next(&name, '.', &label))
        if (!label_good(label))
            return false;
    return true;
}

static struct span without_final_dot(struct span name)
{
    return span_has_suffix_nocase(name, SPAN_LIT(".")) ? span_head(name, name.len - 1) : name;
}

static struct name *name_find(const struct hosts *hosts, struct span text)
{
    struct name *found = NULL;
    HASH_FIND(hh, hosts->names, text.data, text.len, found);
    return found;
}

/* The entry of a name, made if it is not there; NULL when memory is short. */
static struct name *name_for(struct hosts *hosts, struct span text)
{
    struct name *name = calloc(1, sizeof *name + text.len + 1);
    if (name == NULL)
        return NULL;
    for (size_t i = 0; i < text.len; i++)
        name->text[i] = ascii_lower(text.data[i]);
    struct name *found = name_find(hosts, span_of(name->text, text.len));
    if (found != NULL) {
        free(name);
        return found;
    }
    HASH_ADD_KEYPTR(hh, hosts->names, name->text, text.len, name);
    if (name->hh.tbl == NULL) {
        free(name);
        return NULL;
    }
    return name;
}

static enum status settle(enum verdict *place, enum verdict verdict, struct span entry,
                          struct err *err)
{
    if (place == NULL)
        return err_set(err, ST_TEMP, "no memory for a list of hosts");
    if (*place != VERDICT_NONE && *place != verdict)
        return err_set(err, ST_INVALID, "%.*s: given both with and without !", (int)entry.len,
                       entry.data);
    *place = verdict;
    return ST_OK;
}

/* Whatever looks like an address must be one: no host name ends in a number. */
static bool looks_numeric(struct span entry)
{
    bool digits_only = true;
    for (size_t i = 0; i < entry.len; i++) {
        if (entry.data[i] == '/' || entry.data[i] == ':')
            return true;
        digits_only = digits_only && (ascii_digit(entry.data[i]) || entry.data[i] == '.');
    }
    return digits_only;
}

static enum status add_network(struct hosts *hosts, struct span entry, enum verdict verdict,
                               struct err *err)
{
    struct network network;
    enum status status = networks_parse(entry, &network, err);
    if (status != ST_OK)
        return status;
    uintptr_t *value = networks_at(hosts->networks, &network);
    enum verdict known = value == NULL ? VERDICT_NONE : (enum verdict) * value;
    status = settle(value == NULL ? NULL : &known, verdict, entry, err);
    if (status == ST_OK)
        *value = known;
    return status;
}

static enum status add_name(struct hosts *hosts, struct span entry, enum verdict verdict,
                            struct err *err)
{
    struct span text = without_final_dot(entry);
    if (!name_good(span_from(text, text.len > 0 && text.data[0] == '.')))
        return err_set(err, ST_INVALID, "%.*s: neither a network nor a host name",
                       (int)span_head(entry, 100).len, entry.data);
    struct name *name = name_for(hosts, text);
    return settle(name == NULL ? NULL : &name->verdict, verdict, entry, err);
}

static enum status add(struct hosts *hosts, struct span entry, struct err *err)
{
    enum verdict verdict = VERDICT_MATCH;
    if (++hosts->count > HOSTS_MAX_ENTRIES)
        return err_set(err, ST_INVALID, "more than %d entries", HOSTS_MAX_ENTRIES);
    if (span_has_prefix(entry, SPAN_LIT("!"))) {
        verdict = VERDICT_EXCEPT;
        entry = span_trim(span_from(entry, 1));
    }
    if (entry.len == 0)
        return err_set(err, ST_INVALID, "an entry is empty");
    if (looks_numeric(entry))
        return add_network(hosts, entry, verdict, err);
    return add_name(hosts, entry, verdict, err);
}

enum status hosts_parse(struct span text, struct hosts **out, struct err *err)
{
    enum status status = ST_OK;
    struct span entry;
    struct span rest = span_trim(text);
    struct hosts *hosts = calloc(1, sizeof *hosts);
    *out = NULL;
    if (hosts != NULL)
        hosts->networks = networks_new();
    if (hosts == NULL || hosts->networks == NULL) {
        free(hosts);
        return err_set(err, ST_TEMP, "no memory for a list of hosts");
    }
    if (span_has_suffix_nocase(rest, SPAN_LIT(","))) /* one final comma is a habit, no fault */
        rest.len--;
    if (span_trim(text).len == 0)
        rest = (struct span){NULL, 0};
    while (status == ST_OK && span_next(&rest, ',', &entry))
        status = add(hosts, span_trim(entry), err);
    if (status == ST_OK)
        *out = hosts;
    else
        hosts_free(hosts);
    return status;
}

void hosts_free(struct hosts *hosts)
{
    struct name *name;
    struct name *next;
    if (hosts == NULL)
        return;
    HASH_ITER(hh, hosts->names, name, next)
    {
        HASH_DEL(hosts->names, name);
        free(name);
    }
    networks_free(hosts->networks);
    free(hosts);
}

static enum verdict address_verdict(const struct hosts *hosts, const struct sockaddr *address)
{
    struct network peer;
    return networks_of_address(address, &peer) ? (enum verdict)networks_find(hosts->networks, &peer)
                                               : VERDICT_NONE;
}

static enum verdict name_verdict(const struct hosts *hosts, struct span name)
{
    char lower[NAME_MAX_OCTETS];
    name = without_final_dot(name);
    if (hosts->names == NULL || !name_good(name))
        return VERDICT_NONE;
    for (size_t i = 0; i < name.len; i++)
        lower[i] = ascii_lower(name.data[i]);
    struct span part = span_of(lower, name.len);
    while (part.len > 0) {
        const struct name *found = name_find(hosts, part);
        if (found != NULL)
            return found->verdict;
        struct span below = span_from(part, 1);
        part = span_from(below, span_find(below, '.'));
    }
    return VERDICT_NONE;
}

bool hosts_contain(const struct hosts *hosts, const struct sockaddr *address, struct span name)
{
    enum verdict by_address = address_verdict(hosts, address);
    enum verdict by_name = name_verdict(hosts, name);
    if (by_address == VERDICT_EXCEPT || by_name == VERDICT_EXCEPT)
        return false;
    return by_address == VERDICT_MATCH || by_name == VERDICT_MATCH;
}
