/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/write.h"

#include <lber.h>
#include <stdlib.h>

/* -- writing ------------------------------------------------------------------------------ */

static bool encode_write(BerElement *ber, const struct write *write)
{
    bool good = ber_printf(ber, "{iss{", write->type, write->dn, write->assertion) >= 0;
    for (size_t i = 0; i < write->count && good; i++) {
        const struct write_value *value = &write->values[i];
        struct span octets = buf_span(&value->value);
        good = ber_printf(ber, "{sob}", value->attribute, octets.data != NULL ? octets.data : "",
                          (ber_len_t)octets.len, (int)value->none) >= 0;
    }
    return good && ber_printf(ber, "}}") >= 0;
}

enum status write_list_encode(const struct writes *writes, struct buf *out, struct err *err)
{
    struct berval octets = {0};
    BerElement *ber = ber_alloc_t(LBER_USE_DER);
    bool good = ber != NULL && ber_printf(ber, "{") >= 0;
    for (size_t i = 0; i < writes->count && good; i++)
        good = encode_write(ber, &writes->list[i]);
    good = good && ber_printf(ber, "}") >= 0 && ber_flatten2(ber, &octets, 0) == 0;
    if (good)
        buf_append(out, octets.bv_val, octets.bv_len);
    ber_free(ber, 1);
    return good ? buf_check(out, "transaction", err) : err_set(err, ST_TEMP, "no memory");
}

/* -- reading ------------------------------------------------------------------------------ */

static enum status broken(struct err *err)
{
    return err_set(err, ST_BROKEN, "the transaction kept in the directory cannot be read");
}

/* Cuts the next element off `rest`: false if that is no whole element with this tag. liblber would
 * go on within whatever follows, and cut texts at a NUL. */
static bool take_element(struct span *rest, ber_tag_t tag, struct span *content)
{
    const unsigned char *at = (const unsigned char *)rest->data;
    size_t head = 2, len = rest->len >= 2 ? at[1] : 0;
    if (rest->len < 2 || at[0] != tag)
        return false;
    if (len > 0x7f) {
        head += len & 0x7f;
        if (head == 2 || head > 2 + sizeof(uint32_t) || head > rest->len)
            return false;
        len = 0;
        for (size_t i = 2; i < head; i++)
            len = len << 8 | at[i];
    }
    *content = span_head(span_from(*rest, head), len);
    *rest = span_from(*rest, head + len);
    return content->len == len;
}

/* A number of one octet. */
static bool take_octet(struct span *rest, ber_tag_t tag, int *out)
{
    struct span content;
    bool good = take_element(rest, tag, &content) && content.len == 1;
    *out = good ? (unsigned char)content.data[0] : 0;
    return good;
}

/* A text, for the caller to free: NULL if there is none; without memory it is ST_TEMP. */
static enum status take_text(struct span *rest, char **out, struct err *err)
{
    struct span content;
    if (!take_element(rest, LBER_OCTETSTRING, &content) || span_find(content, '\0') < content.len)
        return broken(err);
    *out = span_dup(content);
    return *out != NULL ? ST_OK : err_set(err, ST_TEMP, "no memory");
}

static enum status decode_value(struct span octets, struct write *write, struct err *err)
{
    char *attribute = NULL;
    struct span value;
    int none = 0;
    enum status st = take_text(&octets, &attribute, err);
    if (st == ST_OK && (!take_element(&octets, LBER_OCTETSTRING, &value) ||
                        !take_octet(&octets, LBER_BOOLEAN, &none) || octets.len > 0))
        st = broken(err);
    if (st == ST_OK)
        st = write_value(write, attribute, value, none != 0, err);
    free(attribute);
    return st;
}

static enum status decode_values(struct span octets, struct write *write, struct err *err)
{
    struct span each;
    enum status st = ST_OK;
    while (st == ST_OK && octets.len > 0) {
        if (!take_element(&octets, LBER_SEQUENCE, &each))
            return broken(err);
        st = decode_value(each, write, err);
    }
    if (st == ST_OK && write->type == WRITE_MOVE && write->count != 2)
        st = broken(err);
    return st;
}

static enum status decode_write(struct span octets, struct writes *out, struct err *err)
{
    char *dn = NULL, *assertion = NULL;
    struct span values;
    struct write *write = NULL;
    int type = 0;
    enum status st =
        take_octet(&octets, LBER_INTEGER, &type) && type <= WRITE_MOVE ? ST_OK : broken(err);
    if (st == ST_OK)
        st = take_text(&octets, &dn, err);
    if (st == ST_OK)
        st = take_text(&octets, &assertion, err);
    if (st == ST_OK && (!take_element(&octets, LBER_SEQUENCE, &values) || octets.len > 0))
        st = broken(err);
    if (st == ST_OK && (write = write_list_new(out, (enum write_type)type, dn, assertion)) == NULL)
        st = err_set(err, ST_TEMP, "no memory");
    if (st == ST_OK)
        st = decode_values(values, write, err);
    free(dn);
    free(assertion);
    return st;
}

enum status write_list_decode(struct span octets, struct writes *out, struct err *err)
{
    struct span list, each;
    bool whole = take_element(&octets, LBER_SEQUENCE, &list) && octets.len == 0 && list.len > 0;
    enum status st = whole ? ST_OK : broken(err);
    while (st == ST_OK && list.len > 0)
        st = take_element(&list, LBER_SEQUENCE, &each) ? decode_write(each, out, err) : broken(err);
    if (st != ST_OK)
        write_list_clear(out);
    return st;
}
