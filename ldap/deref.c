/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/deref.h"

#include "ldap/entry.h"

enum status deref_control(struct directory *dir, LDAPControl **out, struct err *err)
{
    static char attribute[] = "inkanTenantEntry";
    char **attributes = entry_attributes(&kind_tenant, false);
    LDAPDerefSpec specs[2] = {{attribute, attributes}, {NULL, NULL}};
    struct berval value = {0};
    int made = attributes != NULL ? ldap_create_deref_control_value(dir->ld, specs, &value)
                                  : LDAP_NO_MEMORY;
    if (made == LDAP_SUCCESS)
        made = ldap_control_create(LDAP_CONTROL_X_DEREF, 0, &value, 0, out);
    if (made != LDAP_SUCCESS)
        ber_memfree(value.bv_val);
    entry_attributes_free(attributes);
    return made == LDAP_SUCCESS ? ST_OK : err_set(err, ST_TEMP, "ldap: no memory");
}

static enum status take_attribute(struct tenant *tenant, const LDAPDerefVal *attribute,
                                  struct err *err)
{
    enum status st = ST_OK;
    for (const struct berval *value = attribute->vals;
         value != NULL && value->bv_val != NULL && st == ST_OK; value++)
        st = entry_take(&kind_tenant, tenant, attribute->type,
                        span_of(value->bv_val, value->bv_len), err);
    return st;
}

enum status deref_take_tenant(struct directory *dir, LDAPMessage *entry, struct tenant *tenant,
                              struct err *err)
{
    LDAPControl **controls = NULL;
    LDAPDerefRes *answer = NULL;
    enum status st = ST_OK;
    if (ldap_get_entry_controls(dir->ld, entry, &controls) != LDAP_SUCCESS || controls == NULL)
        return ST_OK;
    LDAPControl *deref = ldap_control_find(LDAP_CONTROL_X_DEREF, controls, NULL);
    if (deref != NULL &&
        ldap_parse_derefresponse_control(dir->ld, deref, &answer) == LDAP_SUCCESS &&
        answer != NULL) {
        entry_begin(&kind_tenant, tenant);
        for (const LDAPDerefVal *each = answer->attrVals; each != NULL && st == ST_OK;
             each = each->next)
            st = take_attribute(tenant, each, err);
    }
    ldap_derefresponse_free(answer);
    ldap_controls_free(controls);
    return st;
}
