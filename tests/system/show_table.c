/* SPDX-License-Identifier: Apache-2.0
 *
 * Shows what the readers of storage/foreign.h make of a data set of opendkim.conf, for
 * test_foreign.py: a line of JSON for each row, and one for each note. Octets past ASCII are shown
 * as if each were a character.
 *
 *   show_table [--columns N] [--timeout MS] [--directory DIR] [--bind-user DN]
 *              [--bind-password-file FILE] [--mechanism M] [--auth-name NAME] [--use-tls]
 *              [--ca-file FILE] [--stop-after ROWS] URL [KEY...]
 *
 * Without keys it walks. Exit codes are those of inkan; 1 also when some key is not there.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secretfile.h"
#include "storage/foreign.h"

struct show {
    struct foreign_options options;
    struct buf password;
    size_t stop_after;
};

static void print_text(struct span text)
{
    if (text.data == NULL) {
        printf("null");
        return;
    }
    putchar('"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

static enum status print_row(void *arg, const struct foreign_row *row, struct err *err)
{
    const struct show *show = arg;
    printf("{\"number\": %zu, \"key\": ", row->number);
    print_text(row->key);
    printf(", \"values\": [");
    for (size_t i = 0; i < show->options.columns; i++) {
        printf(i > 0 ? ", " : "");
        print_text(row->values[i]);
    }
    printf("], \"more\": %s, \"fault\": ", row->more ? "true" : "false");
    print_text(span_str(row->fault));
    printf("}\n");
    if (row->number == show->stop_after)
        return err_set(err, ST_CONFLICT, "stopped after %zu rows", row->number);
    return ST_OK;
}

static enum status show_all(struct show *show, char **keys, struct err *err)
{
    struct foreign *table = NULL;
    enum status st = foreign_open(&show->options, &table, err), missing = ST_OK;
    if (st == ST_OK && keys[0] == NULL)
        st = foreign_walk(table, print_row, show, err);
    for (size_t i = 0; st == ST_OK && keys[i] != NULL; i++) {
        st = foreign_look(table, span_str(keys[i]), print_row, show, err);
        missing = st == ST_NOT_FOUND || st == ST_INVALID ? st : missing;
        st = st == ST_NOT_FOUND || st == ST_INVALID ? ST_OK : st;
    }
    const char *note;
    for (size_t i = 0; table != NULL && (note = foreign_note(table, i)) != NULL; i++) {
        printf("{\"note\": ");
        print_text(span_str(note));
        printf("}\n");
    }
    foreign_close(table);
    return st == ST_OK ? missing : st;
}

static bool read_option(struct show *show, int option)
{
    struct foreign_options *options = &show->options;
    struct err err = {0};
    switch (option) {
    case 'c':
        options->columns = strtoul(optarg, NULL, 10);
        return true;
    case 't':
        options->timeout_ms = strtoll(optarg, NULL, 10);
        return true;
    case 'd':
        options->directory = optarg;
        return true;
    case 's':
        show->stop_after = strtoul(optarg, NULL, 10);
        return true;
    case 'u':
        options->ldap.bind_user = optarg;
        return true;
    case 'p':
        return secretfile_read(optarg, SECRETFILE_OWNER, &show->password, &err) == ST_OK;
    case 'm':
        options->ldap.mechanism = optarg;
        return true;
    case 'n':
        options->ldap.auth_name = optarg;
        return true;
    case 'l':
        options->ldap.use_tls = true;
        return true;
    case 'a':
        options->ldap.ca_file = optarg;
        return true;
    default:
        return false;
    }
}

int main(int argc, char **argv)
{
    static const struct option known[] = {
        {"columns", required_argument, NULL, 'c'},
        {"timeout", required_argument, NULL, 't'},
        {"directory", required_argument, NULL, 'd'},
        {"stop-after", required_argument, NULL, 's'},
        {"bind-user", required_argument, NULL, 'u'},
        {"bind-password-file", required_argument, NULL, 'p'},
        {"mechanism", required_argument, NULL, 'm'},
        {"auth-name", required_argument, NULL, 'n'},
        {"use-tls", no_argument, NULL, 'l'},
        {"ca-file", required_argument, NULL, 'a'},
        {0},
    };
    struct show show = {.options = {.columns = 3, .timeout_ms = 5000},
                        .password = BUF_SECRET(1024)};
    struct err err = {0};
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (!read_option(&show, option))
            return 2;
    }
    if (optind == argc)
        return 2;
    show.options.url = span_str(argv[optind]);
    show.options.ldap.bind_password = span_trim(buf_span(&show.password));
    enum status st = show_all(&show, argv + optind + 1, &err);
    buf_clear(&show.password);
    if (st != ST_OK)
        fprintf(stderr, "%s: %s\n", status_name(st), err.text);
    return status_exit_code(st);
}
