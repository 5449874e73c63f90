/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hosts.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

enum { ADDRESS_OCTETS = 16, NAME_MAX_OCTETS = 253, LABEL_MAX_OCTETS = 63 };

enum verdict { VERDICT_NONE, VERDICT_MATCH, VERDICT_EXCEPT };

struct network {
    uint8_t address[ADDRESS_OCTETS]; /* IPv4: the first four */
    unsigned bits;
    bool v4;
};

/* A node of a path-compressed binary tree: every address below it starts with its prefix. A
 * node without a verdict is only a fork. */
struct node {
    uint8_t prefix[ADDRESS_OCTETS];
    unsigned bits;
    enum verdict verdict;
    struct node *child[2];
};

struct name {
    enum verdict verdict;
    UT_hash_handle hh;
    char text[]; /* lower case; ".domain" with its dot */
};

struct hosts {
    struct node *v4, *v6;
    struct name *names;
    size_t count;
};

static unsigned bit_at(const uint8_t *octets, unsigned place)
{
    return (unsigned)octets[place / 8] >> (7 - place % 8) & 1U;
}

/* How many of the first `limit` bits are the same. */
static unsigned common_bits(const uint8_t *a, const uint8_t *b, unsigned limit)
{
    unsigned bits = 0;
    while (bits + 8 <= limit && a[bits / 8] == b[bits / 8])
        bits += 8;
    while (bits < limit && bit_at(a, bits) == bit_at(b, bits))
        bits++;
    return bits;
}

static struct node *node_new(const uint8_t *prefix, unsigned bits)
{
    struct node *node = calloc(1, sizeof *node);
    if (node == NULL)
        return NULL;
    memcpy(node->prefix, prefix, ADDRESS_OCTETS);
    node->bits = bits;
    return node;
}

static void node_free(struct node *node)
{
    if (node == NULL)
        return;
    node_free(node->child[0]);
    node_free(node->child[1]);
    free(node);
}

/* The node of a network, made if it is not there; NULL when memory is short. */
static struct node *node_for(struct node **root, const struct network *network)
{
    struct node **at = root;
    while (*at != NULL) {
        struct node *node = *at;
        unsigned limit = node->bits < network->bits ? node->bits : network->bits;
        unsigned common = common_bits(node->prefix, network->address, limit);
        if (common < node->bits) {
            struct node *fork = node_new(network->address, common);
            if (fork == NULL)
                return NULL;
            fork->child[bit_at(node->prefix, common)] = node;
            *at = node = fork;
        }
        if (node->bits == network->bits)
            return node;
        at = &node->child[bit_at(network->address, node->bits)];
    }
    *at = node_new(network->address, network->bits);
    return *at;
}

static enum verdict network_verdict(const struct node *node, const struct network *peer)
{
    enum verdict verdict = VERDICT_NONE;
    while (node != NULL && common_bits(node->prefix, peer->address, node->bits) == node->bits) {
        if (node->verdict != VERDICT_NONE)
            verdict = node->verdict;
        if (node->bits == peer->bits)
            break;
        node = node->child[bit_at(peer->address, node->bits)];
    }
    return verdict;
}

/* An IPv4 network mapped into IPv6 becomes IPv4, as the addresses of peers do. */
static void unmap(struct network *network)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (network->v4 || network->bits < 96 || memcmp(network->address, mapped, sizeof mapped) != 0)
        return;
    memmove(network->address, network->address + sizeof mapped, 4);
    memset(network->address + 4, 0, ADDRESS_OCTETS - 4);
    network->bits -= 96;
    network->v4 = true;
}

static enum status host_bits_set(struct span entry, const struct network *network, struct err *err)
{
    char meant[INET6_ADDRSTRLEN];
    uint8_t masked[ADDRESS_OCTETS] = {0};
    for (unsigned i = 0; i < network->bits; i++)
        masked[i / 8] |= (uint8_t)(bit_at(network->address, i) << (7 - i % 8));
    inet_ntop(network->v4 ? AF_INET : AF_INET6, masked, meant, sizeof meant);
    return err_set(err, ST_INVALID, "%.*s: host bits are set, %s/%u is probably meant",
                   (int)entry.len, entry.data, meant, network->bits);
}

static enum status network_parse(struct span entry, struct network *out, struct err *err)
{
    char text[INET6_ADDRSTRLEN] = "";
    size_t slash = span_find(entry, '/');
    struct span address = span_head(entry, slash);
    struct span prefix = span_from(entry, slash + 1);
    *out = (struct network){.v4 = span_find(address, ':') == address.len};
    uint64_t most = out->v4 ? 32 : 128;
    uint64_t bits = most;
    if (address.len > 0 && address.len < sizeof text)
        memcpy(text, address.data, address.len);
    if (inet_pton(out->v4 ? AF_INET : AF_INET6, text, out->address) != 1)
        return err_set(err, ST_INVALID, "%.*s: not an IP address", (int)entry.len, entry.data);
    if (slash < entry.len &&
        (!span_number(prefix, most, &bits) || (prefix.len > 1 && prefix.data[0] == '0')))
        return err_set(err, ST_INVALID, "%.*s: the prefix is not from 0 to %d", (int)entry.len,
                       entry.data, (int)most);
    out->bits = (unsigned)bits;
    for (unsigned i = out->bits; i < most; i++)
        if (bit_at(out->address, i) != 0)
            return host_bits_set(entry, out, err);
    unmap(out);
    return ST_OK;
}

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
    enum status status = network_parse(entry, &network, err);
    if (status != ST_OK)
        return status;
    struct node *node = node_for(network.v4 ? &hosts->v4 : &hosts->v6, &network);
    return settle(node == NULL ? NULL : &node->verdict, verdict, entry, err);
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
    if (hosts == NULL)
        return err_set(err, ST_TEMP, "no memory for a list of hosts");
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
    node_free(hosts->v4);
    node_free(hosts->v6);
    free(hosts);
}

static enum verdict address_verdict(const struct hosts *hosts, const struct sockaddr *address)
{
    struct network peer = {0};
    if (address == NULL || (address->sa_family != AF_INET && address->sa_family != AF_INET6))
        return VERDICT_NONE;
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        memcpy(peer.address, &in.sin_addr, sizeof in.sin_addr);
        peer.bits = 32;
        peer.v4 = true;
    } else {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof in6);
        memcpy(peer.address, &in6.sin6_addr, sizeof in6.sin6_addr);
        peer.bits = 128;
        unmap(&peer);
    }
    return network_verdict(peer.v4 ? hosts->v4 : hosts->v6, &peer);
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
