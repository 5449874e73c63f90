/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/rotation_internal.h"

enum status rotation_dns_open(struct rotation *rotation, struct err *err)
{
    (void)rotation, (void)err;
    return ST_OK;
}

void rotation_dns_close(struct rotation_dns *dns)
{
    (void)dns;
}

void rotation_ask(struct rotation *rotation, struct rotation_turn *const *turns, size_t count)
{
    (void)rotation, (void)turns, (void)count;
}
