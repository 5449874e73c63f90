/* SPDX-License-Identifier: Apache-2.0 */
#include "canon.h"

int canon_of(int a)
{
    return a;
}

int dkim_canon_of(int a)
{
    return a;
}

int stray(int a)
{
    return a;
}

int dkim_undeclared(int a);
int dkim_undeclared(int a)
{
    return a;
}

static int hidden(void)
{
    return 1;
}

int canon_table[1];
int (*canon_hidden)(void) = hidden;
