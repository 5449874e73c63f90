/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "base/hosts.h"
#include "opendkim/peers.h"

enum { ENTRY_SIZE = 512, OCTETS_MAX = 16 };

/* What an entry says, without `!` and brackets. */
struct reading {
    bool except;
    bool regular; /* of a refile: a pattern */
    char text[ENTRY_SIZE];
    const struct table_row *row;
    struct notes *notes;
};

struct excepted {
    UT_hash_handle hh;
    char text[];
};

static void note(const struct reading *reading, enum notes_grade grade, const char *what)
{
    struct span key = span_head(reading->row->key, 200);
    notes_add(reading->notes, grade, reading->row->place, "%.*s: %s", (int)key.len, key.data, what);
}

/* -- networks ----------------------------------------------------------------------------- */

/* Takes the brackets off `[address]` and `[address]/bits`. */
static void unbracket(struct reading *reading)
{
    char *text = reading->text;
    char *end = strchr(text, ']');
    if (text[0] != '[' || end == NULL)
        return;
    if (end[1] == '\0' && strchr(text, ':') == NULL)
        note(reading, NOTES_CHANGED,
             "in OpenDKIM it is up to chance whether an IPv4 address in brackets is found");
    memmove(end, end + 1, strlen(end));
    memmove(text, text + 1, strlen(text));
}

static bool host_bits_set(const uint8_t *octets, int bits, int most)
{
    for (int i = bits; i < most; i++)
        if ((octets[i / 8] & (0x80U >> (i % 8))) != 0)
            return true;
    return false;
}

/* Why no text that OpenDKIM makes of an address can be this one; NULL: one can. */
static const char *network_fault(const char *text)
{
    char address[ENTRY_SIZE];
    char canonical[INET6_ADDRSTRLEN] = "";
    uint8_t octets[OCTETS_MAX];
    char *end = NULL;
    const char *slash = strchr(text, '/');
    int family = strchr(text, ':') == NULL ? AF_INET : AF_INET6;
    int most = family == AF_INET ? 32 : 128;
    long bits = most;
    snprintf(address, sizeof address, "%.*s",
             (int)(slash == NULL ? strlen(text) : (size_t)(slash - text)), text);
    if (slash != NULL)
        bits = strtol(slash + 1, &end, 10);
    if (inet_pton(family, address, octets) != 1)
        return "never matched anybody: not a whole address";
    if (slash != NULL && (!ascii_digit(slash[1]) || *end != '\0' || bits > most ||
                          (slash[1] == '0' && slash[2] != '\0')))
        return "never matched anybody: OpenDKIM knows only lengths of prefixes";
    inet_ntop(family, octets, canonical, sizeof canonical);
    if (!span_equal_nocase(span_str(canonical), span_str(address)))
        return "never matched anybody: OpenDKIM writes the address in another way";
    if (host_bits_set(octets, (int)bits, most))
        return "never matched anybody: there are bits behind the prefix (its network is probably "
               "meant)";
    return NULL;
}

static bool looks_numeric(const char *text)
{
    return text[0] != '\0' && (strchr(text, '/') != NULL || strchr(text, ':') != NULL ||
                               strspn(text, "0123456789.") == strlen(text));
}

/* In a refile: `[address]` and `[address]/bits` are a set of letters, which stands for one. */
static bool is_letter_set(const struct reading *reading)
{
    const char *text = reading->text;
    size_t len = text[0] == '[' ? strspn(text + 1, "0123456789abcdefABCDEF:.") : 0;
    return reading->regular && len > 0 && text[len + 1] == ']' && strpbrk(text, ":.") != NULL &&
           (text[len + 2] == '\0' || text[len + 2] == '/');
}

/* -- patterns ----------------------------------------------------------------------------- */

/* `192.0.2.*` is a network, as far as patterns can tell. */
static bool network_of_pattern(char *text)
{
    unsigned parts[3];
    int used = 0;
    int bits = 0;
    char network[64];
    if (sscanf(text, "%3u.%3u.%3u.*%n", &parts[0], &parts[1], &parts[2], &used) == 3 && used > 0 &&
        text[used] == '\0') {
        snprintf(network, sizeof network, "%u.%u.%u.0/24", parts[0], parts[1], parts[2]);
        bits = 24;
    } else if (sscanf(text, "%3u.%3u.*%n", &parts[0], &parts[1], &used) == 2 && used > 0 &&
               text[used] == '\0') {
        snprintf(network, sizeof network, "%u.%u.0.0/16", parts[0], parts[1]);
        bits = 16;
    } else if (sscanf(text, "%3u.*%n", &parts[0], &used) == 1 && used > 0 && text[used] == '\0') {
        snprintf(network, sizeof network, "%u.0.0.0/8", parts[0]);
        bits = 8;
    }
    if (bits == 0 || network_fault(network) != NULL)
        return false;
    snprintf(text, ENTRY_SIZE, "%s", network);
    return true;
}

/* Makes an entry of a pattern, or says why there is none. False: it is left out. */
static bool translate_pattern(struct reading *reading)
{
    char *text = reading->text;
    bool star = strpbrk(text, reading->regular ? "*^$()[]{}|?\\" : "*") != NULL;
    if (!star)
        return true;
    if (text[0] == '*' && text[1] == '.' && strpbrk(text + 1, "*^$()[]{}|?\\") == NULL) {
        memmove(text, text + 1, strlen(text));
        note(reading, NOTES_CHANGED,
             reading->regular
                 ? "let nobody in, because it matches its own exception first; taken over as "
                   "what is below the domain"
                 : "matched nobody, because there are no patterns here; taken over as what is "
                   "below the domain");
        return true;
    }
    if (!reading->regular || text[0] == '*') {
        note(reading, NOTES_REFUSED, "never let anybody in; left out");
        return false;
    }
    if (network_of_pattern(text)) {
        note(reading, NOTES_CHANGED, "a pattern; taken over as a network");
        return true;
    }
    note(reading, NOTES_REFUSED, "a pattern, which has no equivalent; left out");
    return false;
}

/* -- entries ------------------------------------------------------------------------------ */

static bool is_valid(struct reading *reading)
{
    struct hosts *hosts = NULL;
    struct err err;
    char text[ERR_TEXT_SIZE + 32];
    enum status status = hosts_parse(span_str(reading->text), &hosts, &err);
    hosts_free(hosts);
    if (status == ST_OK)
        return true;
    snprintf(text, sizeof text, "left out: %s", err.text);
    note(reading, NOTES_REFUSED, text);
    return false;
}

/* Why nobody was ever in by this; NULL: somebody may have been. */
static const char *entry_fault(const char *text)
{
    if (strchr(text, ',') != NULL)
        return "never matched anybody: no address and no name has a comma in it";
    if (text[0] == '!')
        return "never matched anybody: ! counts once, before everything else";
    if (looks_numeric(text))
        return network_fault(text);
    if (text[0] != '\0' && text[strlen(text) - 1] == '.')
        return "never matched anybody: names have no dot at their end";
    return NULL;
}

static bool translate(struct reading *reading)
{
    struct span key = reading->row->key;
    reading->except = span_has_prefix(key, SPAN_LIT("!"));
    if (reading->except)
        key = span_from(key, 1);
    if (reading->row->rest || key.len >= ENTRY_SIZE || key.len == 0)
        return false;
    memset(reading->text, 0, sizeof reading->text);
    memcpy(reading->text, key.data, key.len);
    if (is_letter_set(reading)) {
        note(reading, NOTES_CHANGED,
             "never matched anybody: in a refile: what stands in brackets is one letter of these");
        return false;
    }
    if (!reading->regular)
        unbracket(reading);
    if (!translate_pattern(reading))
        return false;
    const char *fault = entry_fault(reading->text);
    if (fault != NULL)
        note(reading, NOTES_CHANGED, fault);
    return fault == NULL && is_valid(reading);
}

static struct excepted *excepted_find(struct excepted *all, const char *text)
{
    struct excepted *found = NULL;
    HASH_FIND(hh, all, text, strlen(text), found);
    return found;
}

static void fold(char *text)
{
    for (; *text != '\0'; text++)
        *text = ascii_lower(*text);
}

static enum status remember(struct excepted **all, const char *text, struct err *err)
{
    if (excepted_find(*all, text) != NULL)
        return ST_OK;
    struct excepted *entry = calloc(1, sizeof *entry + strlen(text) + 1);
    if (entry == NULL)
        return err_set(err, ST_TEMP, "no memory for a list of hosts");
    memcpy(entry->text, text, strlen(text));
    HASH_ADD_KEYPTR(hh, *all, entry->text, strlen(text), entry);
    if (entry->hh.tbl != NULL)
        return ST_OK;
    free(entry);
    return err_set(err, ST_TEMP, "no memory for a list of hosts");
}

static void forget_all(struct excepted *all)
{
    struct excepted *entry;
    struct excepted *next;
    HASH_ITER(hh, all, entry, next)
    {
        HASH_DEL(all, entry);
        free(entry);
    }
}

static void append(struct buf *out, const struct reading *reading, size_t start)
{
    buf_printf(out, "%s%s%s", out->len > start ? ", " : "", reading->except ? "!" : "",
               reading->text);
}

/* One entry, in the turn of the exceptions or in that of the others: base/hosts.h wants no entry
 * both with and without `!`, and of these OpenDKIM hears the exception. */
static enum status take(struct reading *reading, bool exceptions, struct excepted **all,
                        bool *keep_out, struct err *err)
{
    *keep_out =
        span_has_prefix(reading->row->key, SPAN_LIT("!")) == exceptions && translate(reading);
    if (!*keep_out)
        return ST_OK;
    fold(reading->text);
    if (exceptions) {
        note(reading, NOTES_CHANGED,
             "an exception that counts whether the client is in by name or by address; in OpenDKIM "
             "only for the one of the two that it is about");
        return remember(all, reading->text, err);
    }
    if (excepted_find(*all, reading->text) == NULL)
        return ST_OK;
    note(reading, NOTES_NOTICE, "stands there with ! as well, which comes first; left out");
    *keep_out = false;
    return ST_OK;
}

enum status peers_translate(struct table *list, struct buf *out, struct err *err)
{
    struct excepted *all = NULL;
    size_t start = out->len;
    bool keep = false;
    struct reading reading = {.regular = table_type_of(list) == TABLE_REFILE,
                              .notes = table_notes(list)};
    enum status status = table_load(list, err);
    for (int turn = 0; turn < 2; turn++) {
        for (size_t i = 0; status == ST_OK && i < table_count(list); i++) {
            struct table_row row = table_row_at(list, i);
            reading.row = &row;
            status = take(&reading, turn == 0, &all, &keep, err);
            if (status == ST_OK && keep)
                append(out, &reading, start);
        }
    }
    forget_all(all);
    return status == ST_OK ? buf_check(out, "a list of hosts", err) : status;
}
