/* SPDX-License-Identifier: Apache-2.0 */
#include <malloc.h>
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

/* SQLite takes 64 KiB for each statement that writes and frees them behind it. Where they happen to
 * lie at the end of the heap, the kernel would get them back and be asked for them again each time,
 * which makes an import a tenth slower. */
enum { KEPT_OCTETS = 16 << 20 };

int main(int argc, char **argv)
{
    (void)argc;
    mallopt(M_TRIM_THRESHOLD, KEPT_OCTETS);
    /* No ldap.conf or ldaprc: who may write the current folder could choose whom root trusts. */
    if (setenv("LDAPNOINIT", "1", 1) != 0 || !harden()) {
        admin_warn("cannot forbid core dumps");
        return status_exit_code(ST_BROKEN);
    }
    return command_main((const char *const *)argv + 1);
}
