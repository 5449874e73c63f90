/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/sync.h"

#include <lber.h>

enum status sync_request(struct span cookie, LDAPControl **out, struct err *err)
{
    struct berval state = {.bv_val = (char *)(uintptr_t)cookie.data, .bv_len = cookie.len};
    struct berval value = {0};
    BerElement *ber = ber_alloc_t(LBER_USE_DER);
    *out = NULL;
    bool good = ber != NULL &&
                ber_printf(ber, "{eO}", LDAP_SYNC_REFRESH_AND_PERSIST, &state) >= 0 &&
                ber_flatten2(ber, &value, 0) >= 0 &&
                ldap_control_create(LDAP_CONTROL_SYNC, 1, &value, 1, out) == LDAP_SUCCESS;
    ber_free(ber, 1);
    return good ? ST_OK : err_set(err, ST_TEMP, "ldap: no memory");
}

int sync_state(LDAP *ld, LDAPMessage *entry)
{
    LDAPControl **controls = NULL;
    ber_int_t state = -1;
    if (ldap_get_entry_controls(ld, entry, &controls) != LDAP_SUCCESS)
        return -1;
    LDAPControl *control = ldap_control_find(LDAP_CONTROL_SYNC_STATE, controls, NULL);
    BerElement *ber = control != NULL ? ber_init(&control->ldctl_value) : NULL;
    if (ber != NULL && ber_scanf(ber, "{e", &state) == LBER_ERROR)
        state = -1;
    ber_free(ber, 1);
    ldap_controls_free(controls);
    return state;
}

/* Sync Info Value, a choice: of newcookie, refreshDelete, refreshPresent and syncIdSet. */
static bool hides_removals(BerElement *ber)
{
    ber_len_t len = 0;
    ber_int_t deletes = 0;
    struct berval cookie;
    ber_tag_t choice = ber_peek_tag(ber, &len);
    if (choice == LDAP_TAG_SYNC_REFRESH_PRESENT)
        return true;
    if (choice != LDAP_TAG_SYNC_ID_SET || ber_scanf(ber, "{") == LBER_ERROR)
        return false;
    if (ber_peek_tag(ber, &len) == LDAP_TAG_SYNC_COOKIE &&
        ber_scanf(ber, "m", &cookie) == LBER_ERROR)
        return true;
    if (ber_peek_tag(ber, &len) == LDAP_TAG_REFRESHDELETES &&
        ber_scanf(ber, "b", &deletes) == LBER_ERROR)
        return true;
    return deletes != 0;
}

bool sync_hides_removals(LDAP *ld, LDAPMessage *message)
{
    char *oid = NULL;
    struct berval *data = NULL;
    bool hides = false;
    if (ldap_parse_intermediate(ld, message, &oid, &data, NULL, 0) != LDAP_SUCCESS)
        return false;
    BerElement *ber = data != NULL ? ber_init(data) : NULL;
    if (ber != NULL && oid != NULL && span_equal(span_str(oid), SPAN_LIT(LDAP_SYNC_INFO)))
        hides = hides_removals(ber);
    ber_free(ber, 1);
    ber_bvfree(data);
    ldap_memfree(oid);
    return hides;
}
