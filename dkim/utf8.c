/* SPDX-License-Identifier: Apache-2.0 */
#include "dkim/utf8.h"

/* The lead octets of RFC 3629 4: how many octets follow, and the range of the first of them,
 * which is where overlong forms, surrogates and too large code points are kept out. */
static const struct lead {
    unsigned char from, to, following, second_min, second_max;
} leads[] = {
    {0x00, 0x7f, 0, 0x80, 0xbf}, {0xc2, 0xdf, 1, 0x80, 0xbf}, {0xe0, 0xe0, 2, 0xa0, 0xbf},
    {0xe1, 0xec, 2, 0x80, 0xbf}, {0xed, 0xed, 2, 0x80, 0x9f}, {0xee, 0xef, 2, 0x80, 0xbf},
    {0xf0, 0xf0, 3, 0x90, 0xbf}, {0xf1, 0xf3, 3, 0x80, 0xbf}, {0xf4, 0xf4, 3, 0x80, 0x8f},
};

static const struct lead *find_lead(unsigned char octet)
{
    for (size_t i = 0; i < sizeof leads / sizeof leads[0]; i++) {
        if (octet >= leads[i].from && octet <= leads[i].to)
            return &leads[i];
    }
    return NULL;
}

bool dkim_utf8_is_valid(struct span text)
{
    const unsigned char *at = (const unsigned char *)text.data;

    for (size_t i = 0; i < text.len;) {
        const struct lead *lead = find_lead(at[i]);
        if (!lead || lead->following >= text.len - i)
            return false;
        for (size_t k = 1; k <= lead->following; k++) {
            unsigned char low = k == 1 ? lead->second_min : 0x80;
            unsigned char high = k == 1 ? lead->second_max : 0xbf;
            if (at[i + k] < low || at[i + k] > high)
                return false;
        }
        i += 1u + lead->following;
    }
    return true;
}
