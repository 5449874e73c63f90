/* SPDX-License-Identifier: Apache-2.0
 *
 * The commands of `inkan`: a noun and a verb, and one table row for each. A noun's file exports
 * its struct noun and nothing else; the usage line of a row is the grammar its arguments are
 * read by (admin/args.h), is shown by --help, and is printed when it was not kept to.
 */
#ifndef INKAN_ADMIN_COMMAND_H
#define INKAN_ADMIN_COMMAND_H

#include "admin/admin.h"

struct command {
    const char *verb;  /* "" for a noun that is a verb itself: `inkan explain` */
    const char *usage; /* what follows the verb */
    const char *help;  /* one line */
    /* Anything but ST_OK becomes the exit code by status_exit_code. With an empty text in err
     * the output has already said it (an answer that is no). */
    enum status (*run)(struct admin *admin, const struct args *args, struct err *err);
};

struct noun {
    const char *name;
    const char *help;               /* one line */
    const struct command *commands; /* ends with a row without `run` */
};

extern const struct noun store_noun, vault_noun, tenant_noun, domain_noun, key_noun, dns_noun,
    explain_noun, import_noun, export_noun, sign_noun, verify_noun, probe_noun, conf_noun,
    audit_noun, rotate_noun, rule_noun, grant_noun;

/* Runs what the NULL-terminated arguments (without the program's name) ask for and returns the
 * exit code. */
int command_main(const char *const *argv);

#endif
