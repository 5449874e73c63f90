/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/hosts.h"
#include "base/servers.h"
#include "base/settings_table.h"
#include "base/sockname.h"

/* Where an item of a list is shown in a fault: enough of it to find it. */
#define SHOWN(item) (int)span_head(item, 80).len, (item).data

typedef enum status item_check(struct span item, struct err *err);

static enum status each_item(struct span list, item_check *check, struct err *err)
{
    struct span item;
    struct span rest = list;
    while (span_next(&rest, ',', &item)) {
        item = span_trim(item);
        if (item.len == 0)
            return err_set(err, ST_INVALID, "an entry is empty");
        if (check(item, err) != ST_OK)
            return ST_INVALID;
    }
    return ST_OK;
}

static enum status visible_ascii(struct span word, struct err *err)
{
    for (size_t i = 0; i < word.len; i++)
        if (word.data[i] <= ' ' || word.data[i] > '~')
            return err_set(err, ST_INVALID, "%.*s holds a blank or is not ASCII", SHOWN(word));
    return ST_OK;
}

enum status settings_check_word(struct span value, struct err *err)
{
    return visible_ascii(value, err);
}

/* RFC 4512 2.5: what an attribute may be called, without options. */
enum status settings_check_attribute(struct span value, struct err *err)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.data[i];
        if (!ascii_alpha(c) && !(i > 0 && (ascii_digit(c) || c == '-')))
            return err_set(err, ST_INVALID, "not the name of an attribute");
    }
    return ST_OK;
}

static bool has_place(struct span value)
{
    for (size_t i = 0; i + 1 < value.len; i++) {
        if (value.data[i] == '%' && (value.data[i + 1] == 'd' || value.data[i + 1] == 'D'))
            return true;
    }
    return false;
}

/* Whether the server takes it only the server knows. */
enum status settings_check_map_filter(struct span value, struct err *err)
{
    int depth = 0;
    for (size_t i = 0; i < value.len && depth >= 0; i++)
        depth += (value.data[i] == '(') - (value.data[i] == ')');
    if (value.data[0] != '(' || depth != 0)
        return err_set(err, ST_INVALID, "its parentheses do not match");
    if (!has_place(value))
        return err_set(err, ST_INVALID, "has neither %%d nor %%D, so it finds all domains at once");
    return ST_OK;
}

enum status settings_check_file(struct span value, struct err *err)
{
    if (value.data[0] != '/')
        return err_set(err, ST_INVALID, "does not start with /");
    return ST_OK;
}

enum status settings_check_url(struct span value, struct err *err)
{
    size_t colon = span_find(value, ':');
    bool good = colon > 0 && colon + 1 < value.len;
    for (size_t i = 0; good && i < colon; i++)
        good = ascii_alpha(value.data[i]);
    if (!good)
        return err_set(err, ST_INVALID, "not a URL");
    return ST_OK;
}

enum status settings_check_socket(struct span value, struct err *err)
{
    struct sockname name;
    return sockname_parse(value, &name, err);
}

/* The port that a server has without one does not matter here. */
static enum status server_check(struct span item, struct err *err)
{
    struct server_name server;
    return servers_parse_host(item, 1, &server, err);
}

enum status settings_check_server(struct span value, struct err *err)
{
    if (span_find(value, ',') < value.len)
        return err_set(err, ST_INVALID, "more than one server");
    return server_check(value, err);
}

enum status settings_check_servers(struct span value, struct err *err)
{
    return each_item(value, server_check, err);
}

/* Resolvers are what names are looked up with, so theirs cannot be. */
static enum status resolver_check(struct span item, struct err *err)
{
    struct server_name server;
    if (servers_parse_host(item, 1, &server, err) != ST_OK)
        return ST_INVALID;
    if (!servers_is_address(&server))
        return err_set(err, ST_INVALID, "%.*s: is not an IP address", SHOWN(item));
    return ST_OK;
}

enum status settings_check_resolvers(struct span value, struct err *err)
{
    return each_item(value, resolver_check, err);
}

enum status settings_check_memcached(struct span value, struct err *err)
{
    struct server_name *servers = NULL;
    size_t count = 0;
    enum status status = servers_parse(value, &servers, &count, err);
    free(servers);
    return status;
}

enum status settings_check_hosts(struct span value, struct err *err)
{
    struct hosts *hosts = NULL;
    enum status status = hosts_parse(value, &hosts, err);
    hosts_free(hosts);
    return status;
}

/* How often an item stands in a list, case aside. */
static size_t count_of(struct span list, struct span wanted)
{
    size_t count = 0;
    struct span item;
    while (span_next(&list, ',', &item))
        if (span_equal_nocase(span_trim(item), wanted))
            count++;
    return count;
}

static enum status unique(struct span list, struct err *err)
{
    struct span item;
    struct span rest = list;
    while (span_next(&rest, ',', &item))
        if (count_of(list, span_trim(item)) > 1)
            return err_set(err, ST_INVALID, "%.*s stands twice", SHOWN(span_trim(item)));
    return ST_OK;
}

/* RFC 5322 2.2: a field name is visible ASCII without the colon. */
static enum status name_check(struct span item, struct err *err)
{
    if (span_find(item, ':') < item.len)
        return err_set(err, ST_INVALID, "%.*s holds a colon", SHOWN(item));
    return visible_ascii(item, err);
}

enum status settings_check_names(struct span value, struct err *err)
{
    enum status status = each_item(value, name_check, err);
    return status == ST_OK ? unique(value, err) : status;
}

enum status settings_check_mode(struct span value, struct err *err)
{
    if (span_equal(value, SPAN_LIT("v")) || span_equal(value, SPAN_LIT("sv")))
        return err_set(err, ST_INVALID, "this version only signs");
    return ST_OK;
}

static enum status algorithm_check(struct span item, struct err *err)
{
    struct span name = span_trim(span_head(item, span_find(item, ':')));
    if (span_equal(item, SPAN_LIT("ed25519-sha256")) || span_equal(item, SPAN_LIT("rsa-sha256")))
        return ST_OK;
    if (!span_equal(name, SPAN_LIT("rsa-sha256")))
        return err_set(err, ST_INVALID, "%.*s is no algorithm", SHOWN(item));
    struct span digits = span_from(item, span_find(item, ':') + 1);
    uint64_t bits;
    /* RFC 8301 3.2: signers use at least 1024 bits; DNS answers limit the other end. */
    if (!span_number(digits, 4096, &bits) || bits < 1024)
        return err_set(err, ST_INVALID, "%.*s bits are not from 1024 to 4096", SHOWN(digits));
    return ST_OK;
}

enum status settings_parse_algorithms(struct span value, struct err *err)
{
    size_t rsa = 0;
    struct span item;
    struct span rest = value;
    if (each_item(value, algorithm_check, err) != ST_OK || unique(value, err) != ST_OK)
        return ST_INVALID;
    while (span_next(&rest, ',', &item))
        rsa += span_has_prefix(span_trim(item), SPAN_LIT("rsa-"));
    return rsa > 1 ? err_set(err, ST_INVALID, "rsa-sha256 stands twice") : ST_OK;
}

/* How much of a selector template the next piece takes. */
static enum status piece(struct span text, size_t *len_out, struct err *err)
{
    static const char *const placeholders[] = {"{date}", "{alg}", "{n}"};
    char c = text.data[0];
    *len_out = 1;
    if (ascii_alpha(c) || ascii_digit(c) || c == '-')
        return ST_OK;
    *len_out = span_find(text, '}') + 1;
    if (c != '{' || *len_out > text.len)
        return err_set(err, ST_INVALID, "holds a character that no selector may have");
    for (size_t i = 0; i < sizeof placeholders / sizeof placeholders[0]; i++)
        if (span_equal(span_head(text, *len_out), span_str(placeholders[i])))
            return ST_OK;
    return err_set(err, ST_INVALID, "%.*s is no placeholder", SHOWN(span_head(text, *len_out)));
}

enum status settings_check_selector(struct span value, struct err *err)
{
    /* RFC 1035 2.3.4: a label has at most 63 octets, of which the placeholders need some. */
    if (value.len > 63)
        return err_set(err, ST_INVALID, "longer than 63 octets");
    if (value.data[0] == '-' || value.data[value.len - 1] == '-')
        return err_set(err, ST_INVALID, "starts or ends with a hyphen");
    for (size_t used; value.len > 0; value = span_from(value, used))
        if (piece(value, &used, err) != ST_OK)
            return ST_INVALID;
    return ST_OK;
}
