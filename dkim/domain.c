/* SPDX-License-Identifier: Apache-2.0 */
#include "dkim/domain.h"

#include <idn2.h>
#include <string.h>

/* A U-label of 63 ASCII octets as A-label has at most this many in UTF-8, and nobody's whole
 * domain in UTF-8 needs more: input is limited before libidn2 sees it. */
enum { UTF8_DOMAIN_MAX = 1023 };

static bool is_ascii(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.data[i] > 0x7f)
            return false;
    }
    return true;
}

static bool is_label_octet(char c, bool underscore)
{
    return ascii_alpha(c) || ascii_digit(c) || c == '-' || (underscore && c == '_');
}

static enum status check_label(struct span label, bool underscore, struct err *err)
{
    if (!label.len)
        return err_set(err, ST_INVALID, "an empty label");
    if (label.len > DKIM_LABEL_MAX)
        return err_set(err, ST_INVALID, "a label of more than %d octets", DKIM_LABEL_MAX);
    if (label.data[0] == '-' || label.data[label.len - 1] == '-')
        return err_set(err, ST_INVALID, "a label with a hyphen at its edge");
    for (size_t i = 0; i < label.len; i++) {
        if (!is_label_octet(label.data[i], underscore))
            return err_set(err, ST_INVALID, "an octet (0x%02x) that no name may hold",
                           (unsigned char)label.data[i]);
    }
    return ST_OK;
}

/* Checks an ASCII name label by label and writes it in lower case. */
static enum status copy_ascii(struct span in, bool underscore, char out[DKIM_DOMAIN_SIZE],
                              struct err *err)
{
    struct span rest = in, label;

    if (in.len >= DKIM_DOMAIN_SIZE)
        return err_set(err, ST_INVALID, "a name of more than %d octets", DKIM_DOMAIN_SIZE - 1);
    while (span_next(&rest, '.', &label)) {
        enum status status = check_label(label, underscore, err);
        if (status != ST_OK)
            return status;
    }
    for (size_t i = 0; i < in.len; i++)
        out[i] = ascii_lower(in.data[i]);
    out[in.len] = '\0';
    return ST_OK;
}

/* RFC 8616 3: the A-label form. Letters are mapped to lower case and to NFC first, as every
 * program that shows or reads addresses does (RFC 5895, UTS 46 without transitional forms). */
static enum status copy_utf8(struct span in, bool underscore, char out[DKIM_DOMAIN_SIZE],
                             struct err *err)
{
    char utf8[UTF8_DOMAIN_MAX + 1];
    char *ascii = NULL;

    if (in.len > UTF8_DOMAIN_MAX)
        return err_set(err, ST_INVALID, "a name of more than %d octets", UTF8_DOMAIN_MAX);
    if (memchr(in.data, '\0', in.len))
        return err_set(err, ST_INVALID, "an octet (0x00) that no name may hold");
    memcpy(utf8, in.data, in.len);
    utf8[in.len] = '\0';
    int answer = idn2_to_ascii_8z(utf8, &ascii, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
    if (answer == IDN2_MALLOC)
        return err_set(err, ST_TEMP, "no memory for an internationalised name");
    if (answer != IDN2_OK)
        return err_set(err, ST_INVALID, "%s", idn2_strerror(answer));
    enum status status = copy_ascii(span_str(ascii), underscore, out, err);
    idn2_free(ascii);
    return status;
}

static enum status normalize(struct span in, bool underscore, char out[DKIM_DOMAIN_SIZE],
                             struct err *err)
{
    if (in.len == 0)
        return err_set(err, ST_INVALID, "an empty name");
    if (in.data[0] == '[')
        return err_set(err, ST_INVALID, "an address literal, not a domain");
    if (in.data[in.len - 1] == '.')
        return err_set(err, ST_INVALID, "a dot at the end");
    return is_ascii(in) ? copy_ascii(in, underscore, out, err)
                        : copy_utf8(in, underscore, out, err);
}

enum status dkim_domain_normalize(struct span in, char out[DKIM_DOMAIN_SIZE], struct err *err)
{
    return normalize(in, true, out, err);
}

/* RFC 6376 3.1 takes the grammar of sub-domains from RFC 5321, which knows no underscore. */
enum status dkim_selector_normalize(struct span in, char out[DKIM_DOMAIN_SIZE], struct err *err)
{
    return normalize(in, false, out, err);
}

bool dkim_domain_is_within(struct span name, struct span domain)
{
    if (!domain.len || !span_has_suffix_nocase(name, domain))
        return false;
    return name.len == domain.len || name.data[name.len - domain.len - 1] == '.';
}

size_t dkim_domain_candidates(const char *domain, const char *out[DKIM_CANDIDATES_MAX])
{
    size_t labels = 1, count = 0;

    for (const char *at = domain; *at; at++)
        labels += *at == '.';
    out[count++] = domain;
    for (const char *dot = strchr(domain, '.'); dot; dot = strchr(dot + 1, '.')) {
        labels--;
        if (labels >= 2 && labels <= DKIM_CANDIDATES_MAX)
            out[count++] = dot + 1;
    }
    return count;
}
