/* SPDX-License-Identifier: Apache-2.0 */
#include "opendkim/peers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_SIZE = 300, BITS_MAX = 128 };

enum verdict { VERDICT_NONE, VERDICT_YES, VERDICT_NO };

struct question {
    const struct table *list;
    struct table_found *why;
};

static bool is_listed(const struct question *question, const char *text, bool *failed)
{
    struct table_found found;
    struct err ignored;
    enum status status = table_find(question->list, span_str(text), &found, &ignored);
    *failed = status != ST_OK && status != ST_NOT_FOUND;
    if (status == ST_OK && question->why != NULL)
        question->why->place = found.place;
    table_found_clear(&found);
    return status == ST_OK;
}

/* A list that does not answer lets nobody in. */
static enum verdict ask(const struct question *question, const char *text)
{
    char except[TEXT_SIZE + 1];
    bool failed = false;
    snprintf(except, sizeof except, "!%s", text);
    if (is_listed(question, except, &failed) || failed)
        return VERDICT_NO;
    if (is_listed(question, text, &failed))
        return VERDICT_YES;
    return failed ? VERDICT_NO : VERDICT_NONE;
}

bool peers_contain_name(const struct table *list, const char *name, struct table_found *why)
{
    struct question question = {list, why};
    char text[TEXT_SIZE];
    enum verdict verdict = VERDICT_NONE;
    snprintf(text, sizeof text, "%s", name);
    for (const char *part = text; part != NULL && part[0] != '\0' && verdict == VERDICT_NONE;
         part = strchr(part + 1, '.'))
        verdict = ask(&question, part);
    return verdict == VERDICT_YES;
}

/* The address alone, then with each length of prefix; each as it is and in brackets. */
static enum verdict ask_address(const struct question *question, const char *address, int bits)
{
    char text[TEXT_SIZE];
    char prefix[16] = "";
    if (bits >= 0)
        snprintf(prefix, sizeof prefix, "/%d", bits);
    snprintf(text, sizeof text, "%s%s", address, prefix);
    enum verdict verdict = ask(question, text);
    if (verdict != VERDICT_NONE)
        return verdict;
    snprintf(text, sizeof text, "[%s]%s", address, prefix);
    return ask(question, text);
}

static void clear_bit(uint8_t *octets, int place)
{
    octets[place / 8] = (uint8_t)(octets[place / 8] & ~(0x80U >> (place % 8)));
}

bool peers_contain_address(const struct table *list, const struct sockaddr *address,
                           struct table_found *why)
{
    struct question question = {list, why};
    uint8_t octets[BITS_MAX / 8] = {0};
    char text[INET6_ADDRSTRLEN];
    int most = address->sa_family == AF_INET ? 32 : BITS_MAX;
    if (address->sa_family == AF_INET)
        memcpy(octets, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    else if (address->sa_family == AF_INET6)
        memcpy(octets, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
    else
        return false;
    inet_ntop(address->sa_family, octets, text, sizeof text);
    enum verdict verdict = ask_address(&question, text, -1);
    for (int bits = most; bits >= 0 && verdict == VERDICT_NONE; bits--) {
        if (bits < most)
            clear_bit(octets, bits);
        inet_ntop(address->sa_family, octets, text, sizeof text);
        verdict = ask_address(&question, text, bits);
    }
    return verdict == VERDICT_YES;
}
