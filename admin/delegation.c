/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/delegation.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { RANDOM_OCTETS = 16, RANDOM_CHARS = 26, DIGIT_BITS = 5 };
enum { ZONE_MAX = DKIM_DOMAIN_SIZE - 1 - RANDOM_CHARS - DELEGATION_SELECTOR_SIZE };

/* Base32 (RFC 4648 6) in small letters, which names are kept in; the last digit has 3 bits. */
static void write_random(const unsigned char octets[RANDOM_OCTETS], struct buf *out)
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
    for (int at = 0; at < RANDOM_OCTETS * 8; at += DIGIT_BITS) {
        unsigned next = at / 8 + 1 < RANDOM_OCTETS ? octets[at / 8 + 1] : 0;
        unsigned pair = (unsigned)octets[at / 8] << 8 | next;
        buf_append_char(out, digits[pair >> (16 - DIGIT_BITS - at % 8) & 31]);
    }
}

static enum status read_zone(const struct settings *settings, char out[DKIM_DOMAIN_SIZE],
                             struct err *err)
{
    struct span zone = span_str(settings->dns.delegation_zone);
    if (zone.len == 0)
        return err_set(err, ST_INVALID,
                       "[dns] delegation_zone is not set: there is no zone to delegate to");
    if (dkim_domain_normalize(zone, out, err) != ST_OK)
        return err_context(err, "[dns] delegation_zone");
    if (strlen(out) > ZONE_MAX)
        return err_set(err, ST_INVALID, "[dns] delegation_zone: %zu octets (at most %d)",
                       strlen(out), ZONE_MAX);
    return ST_OK;
}

enum status delegation_make(const struct settings *settings, char **out, struct err *err)
{
    char zone[DKIM_DOMAIN_SIZE];
    unsigned char octets[RANDOM_OCTETS];
    struct buf text = BUF_INIT(0);
    enum status status = read_zone(settings, zone, err);
    if (status != ST_OK)
        return status;
    if (getrandom(octets, sizeof octets, 0) != (ssize_t)sizeof octets)
        return err_set(err, ST_TEMP, "no random numbers");
    write_random(octets, &text);
    buf_printf(&text, ".%s", zone);
    *out = buf_take(&text);
    return *out != NULL ? ST_OK : err_set(err, ST_TEMP, "no memory");
}

void delegation_selector(int64_t algorithm, int slot, char out[DELEGATION_SELECTOR_SIZE])
{
    snprintf(out, DELEGATION_SELECTOR_SIZE, "%c%d", algorithm == DKIM_ED25519_SHA256 ? 'e' : 's',
             slot % 10);
}

void delegation_target(const char *delegation, const char *selector, char out[DKIM_DOMAIN_SIZE])
{
    snprintf(out, DKIM_DOMAIN_SIZE, "%s-%s", selector, delegation);
}

bool delegation_has(const struct key *key)
{
    return key->target != NULL && key->target[0] != '\0';
}

const char *delegation_of(const struct key *key)
{
    const char *hyphen = strchr(key->target, '-');
    return hyphen != NULL ? hyphen + 1 : key->target;
}

enum status delegation_alias(const struct delegation_slot *slot, struct record *out,
                             struct err *err)
{
    char selector[DELEGATION_SELECTOR_SIZE], target[DKIM_DOMAIN_SIZE];
    delegation_selector(slot->algorithm, slot->number, selector);
    delegation_target(slot->delegation, selector, target);
    const struct records_key key = {.domain = slot->domain, .selector = selector, .target = target};
    return records_of_alias(&key, out, err);
}
