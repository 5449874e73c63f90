/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/watch.h"

void watch_end(struct directory *dir)
{
    (void)dir;
}
