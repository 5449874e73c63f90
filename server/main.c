/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/settings.h"
#include "server/generation.h"
#include "server/supervisor.h"

static const char usage[] = "usage: inkand [-c FILE] [--check]\n"
                            "\n"
                            "Signs mail for an MTA that speaks the milter protocol. Stays in the\n"
                            "foreground; SIGHUP reads the settings again, SIGTERM ends it.\n"
                            "\n"
                            "  -c, --config FILE  the settings ($INKAN_CONF, else\n"
                            "                     /etc/inkan/inkan.conf)\n"
                            "      --check        tell what is wrong with them (exit 0 or 2)\n"
                            "      --version\n"
                            "      --help\n";

struct arguments {
    const char *config;
    bool check;
    bool done; /* nothing is left to do */
};

static enum status read_arguments(int argc, char **argv, struct arguments *out)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"check", no_argument, NULL, 'k'},
        {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        if (option == '?')
            return ST_INVALID;
        if (option == 'c')
            out->config = optarg;
        out->check |= option == 'k';
        out->done |= option == 'v' || option == 'h';
        if (option == 'v')
            puts("inkand " INKAN_VERSION);
        if (option == 'h')
            fputs(usage, stdout);
    }
    if (optind == argc)
        return ST_OK;
    fprintf(stderr, "inkand: %s: takes no argument\n", argv[optind]);
    return ST_INVALID;
}

static int run(const char *path, bool check)
{
    struct buf problems = BUF_INIT(0), warnings = BUF_INIT(0);
    struct settings *settings = NULL;
    enum status status = generation_read(path, &settings, &problems, &warnings);
    int code = status_exit_code(status);
    fputs(buf_cstr(&problems), stderr);
    if (check)
        fputs(buf_cstr(&warnings), stderr);
    if (status != ST_OK || check) {
        settings_free(settings);
    } else {
        log_open("inkand", settings);
        generation_log(LOG_LEVEL_WARNING, &warnings);
        code = supervisor_run(path, settings);
    }
    buf_clear(&problems);
    buf_clear(&warnings);
    return code;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {0};
    /* No ldap.conf or ldaprc: who may write the current folder could choose whom root trusts. */
    if (setenv("LDAPNOINIT", "1", 1) != 0)
        return status_exit_code(ST_TEMP);
    if (read_arguments(argc, argv, &arguments) != ST_OK) {
        fputs(usage, stderr);
        return status_exit_code(ST_INVALID);
    }
    if (arguments.done)
        return 0;
    return run(settings_path(arguments.config), arguments.check);
}
