/* SPDX-License-Identifier: Apache-2.0 */
#include "base/networks.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every address below a node starts with its prefix. A node without a value is only a fork. */
struct node {
    uint8_t prefix[NETWORK_OCTETS];
    unsigned bits;
    uintptr_t value;
    struct node *child[2];
};

struct networks {
    struct node *v4, *v6;
    size_t nodes;
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

/* -- networks as text --------------------------------------------------------------------- */

static void unmap(struct network *network)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (network->v4 || network->bits < 96 || memcmp(network->address, mapped, sizeof mapped) != 0)
        return;
    memmove(network->address, network->address + sizeof mapped, 4);
    memset(network->address + 4, 0, NETWORK_OCTETS - 4);
    network->bits -= 96;
    network->v4 = true;
}

void networks_text(const struct network *network, char out[NETWORK_TEXT_SIZE])
{
    char address[INET6_ADDRSTRLEN] = "";
    bool single = network->bits == (network->v4 ? 32 : 128);
    inet_ntop(network->v4 ? AF_INET : AF_INET6, network->address, address, sizeof address);
    if (single)
        snprintf(out, NETWORK_TEXT_SIZE, "%s", address);
    else
        snprintf(out, NETWORK_TEXT_SIZE, "%s/%u", address, network->bits);
}

static enum status host_bits_set(struct span text, const struct network *network, struct err *err)
{
    char meant[NETWORK_TEXT_SIZE];
    struct network masked = {.bits = network->bits, .v4 = network->v4};
    for (unsigned i = 0; i < network->bits; i++)
        masked.address[i / 8] |= (uint8_t)(bit_at(network->address, i) << (7 - i % 8));
    networks_text(&masked, meant);
    return err_set(err, ST_INVALID, "%.*s: host bits are set, %s is probably meant", (int)text.len,
                   text.data, meant);
}

enum status networks_parse(struct span text, struct network *out, struct err *err)
{
    char digits[INET6_ADDRSTRLEN] = "";
    size_t slash = span_find(text, '/');
    struct span address = span_head(text, slash);
    struct span prefix = span_from(text, slash + 1);
    *out = (struct network){.v4 = span_find(address, ':') == address.len};
    uint64_t most = out->v4 ? 32 : 128;
    uint64_t bits = most;
    if (address.len > 0 && address.len < sizeof digits)
        memcpy(digits, address.data, address.len);
    if (inet_pton(out->v4 ? AF_INET : AF_INET6, digits, out->address) != 1)
        return err_set(err, ST_INVALID, "%.*s: not an IP address", (int)span_head(text, 100).len,
                       text.data);
    if (slash < text.len &&
        (!span_number(prefix, most, &bits) || (prefix.len > 1 && prefix.data[0] == '0')))
        return err_set(err, ST_INVALID, "%.*s: the prefix is not from 0 to %d", (int)text.len,
                       text.data, (int)most);
    out->bits = (unsigned)bits;
    for (unsigned i = out->bits; i < most; i++)
        if (bit_at(out->address, i) != 0)
            return host_bits_set(text, out, err);
    unmap(out);
    return ST_OK;
}

bool networks_of_address(const struct sockaddr *address, struct network *out)
{
    *out = (struct network){.bits = 0};
    if (address == NULL || (address->sa_family != AF_INET && address->sa_family != AF_INET6))
        return false;
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        memcpy(out->address, &in.sin_addr, sizeof in.sin_addr);
        out->bits = 32;
        out->v4 = true;
    } else {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof in6);
        memcpy(out->address, &in6.sin6_addr, sizeof in6.sin6_addr);
        out->bits = 128;
        unmap(out);
    }
    return true;
}

/* -- the tree ----------------------------------------------------------------------------- */

struct networks *networks_new(void)
{
    return calloc(1, sizeof(struct networks));
}

static void node_free(struct node *node)
{
    if (node == NULL)
        return;
    node_free(node->child[0]);
    node_free(node->child[1]);
    free(node);
}

void networks_free(struct networks *networks)
{
    if (networks == NULL)
        return;
    node_free(networks->v4);
    node_free(networks->v6);
    free(networks);
}

static struct node *node_new(struct networks *networks, const uint8_t *prefix, unsigned bits)
{
    struct node *node = calloc(1, sizeof *node);
    if (node == NULL)
        return NULL;
    memcpy(node->prefix, prefix, NETWORK_OCTETS);
    node->bits = bits;
    networks->nodes++;
    return node;
}

uintptr_t *networks_at(struct networks *networks, const struct network *network)
{
    struct node **at = network->v4 ? &networks->v4 : &networks->v6;
    while (*at != NULL) {
        struct node *node = *at;
        unsigned limit = node->bits < network->bits ? node->bits : network->bits;
        unsigned common = common_bits(node->prefix, network->address, limit);
        if (common < node->bits) {
            struct node *fork = node_new(networks, network->address, common);
            if (fork == NULL)
                return NULL;
            fork->child[bit_at(node->prefix, common)] = node;
            *at = node = fork;
        }
        if (node->bits == network->bits)
            return &node->value;
        at = &node->child[bit_at(network->address, node->bits)];
    }
    *at = node_new(networks, network->address, network->bits);
    return *at == NULL ? NULL : &(*at)->value;
}

uintptr_t networks_find(const struct networks *networks, const struct network *network)
{
    const struct node *node = network->v4 ? networks->v4 : networks->v6;
    uintptr_t value = 0;
    while (node != NULL && node->bits <= network->bits &&
           common_bits(node->prefix, network->address, node->bits) == node->bits) {
        if (node->value != 0)
            value = node->value;
        if (node->bits == network->bits)
            break;
        node = node->child[bit_at(network->address, node->bits)];
    }
    return value;
}

size_t networks_bytes(const struct networks *networks)
{
    return sizeof *networks + networks->nodes * sizeof(struct node);
}
