/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "admin/command.h"

/* Private keys pass through this process: nothing of it may end in a core dump, be read by a
 * debugger of the same user, or be left in a file that others can read. */
static bool harden(void)
{
    struct rlimit none = {0, 0};
    umask(077);
    return prctl(PR_SET_DUMPABLE, 0) == 0 && setrlimit(RLIMIT_CORE, &none) == 0;
}

int main(int argc, char **argv)
{
    (void)argc;
    /* No ldap.conf or ldaprc: who may write the current folder could choose whom root trusts. */
    if (setenv("LDAPNOINIT", "1", 1) != 0 || !harden()) {
        admin_warn("cannot forbid core dumps");
        return status_exit_code(ST_BROKEN);
    }
    return command_main((const char *const *)argv + 1);
}
