/* SPDX-License-Identifier: Apache-2.0
 *
 * What a filter asks an MTA to do, taken off the wire into struct milter_result. The other half
 * of admin/milter.c, which owns the connection; nobody else includes this. The struct itself and
 * the functions for its readers are in admin/milter.h.
 */
#ifndef INKAN_ADMIN_MILTER_RESULT_H
#define INKAN_ADMIN_MILTER_RESULT_H

#include "admin/milter.h"

enum milter_step {
    MILTER_MORE,     /* an action or a sign of life: the answer is still to come */
    MILTER_CONTINUE, /* go on with the next step */
    MILTER_SKIP,     /* go on, but without the rest of the body */
    MILTER_FINAL,    /* the filter has decided; result->verdict says how */
};

struct milter_response {
    char code;
    struct span data;
    bool leading_space; /* SMFIP_HDR_LEADSPC: values come with the space after the colon */
};

/* Takes one packet of the filter into the result. ST_BROKEN for a code or a form that the
 * protocol does not have, and beyond the limits of a sane filter. */
enum status milter_result_take(struct milter_result *result, const struct milter_response *response,
                               enum milter_step *step_out, struct err *err) MUST_CHECK;

#endif
