/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/command.h"

#include <string.h>

#include "base/nearest.h"

static const struct noun *const nouns[] = {
    &store_noun,  &vault_noun,  &tenant_noun,  &domain_noun, &key_noun,    &dns_noun,
    &import_noun, &export_noun, &explain_noun, &sign_noun,   &verify_noun, &probe_noun,
    &conf_noun,   &audit_noun,  &rotate_noun,  &rule_noun,   &grant_noun,
};

enum { NOUN_COUNT = sizeof nouns / sizeof nouns[0], ARGV_MAX = 256 };

static const char global_usage[] = "[-c FILE] [--json] [--dry-run] [--yes] [--help] [--version]";

static const char global_help[] =
    "Options of every command:\n"
    "  -c FILE    the settings, instead of $INKAN_CONF or /etc/inkan/inkan.conf\n"
    "  --json     one JSON document instead of text for people\n"
    "  --dry-run  do everything that changes something, then take it back\n"
    "  --yes      agree to what destroys something\n"
    "  --help     what a command takes; --version: which inkan this is\n";

/* The words of the command line that choose a command, and all the rest. */
struct choice {
    const struct noun *noun;
    const struct command *command;
    bool help, version;
    const char *rest[ARGV_MAX];
    size_t rest_count;
};

/* -- help ----------------------------------------------------------------------------------- */

static void print_command(FILE *file, const struct noun *noun, const struct command *command)
{
    const char *gap = command->verb[0] != '\0' ? " " : "";
    fprintf(file, "usage: inkan %s%s%s %s\n", noun->name, gap, command->verb, command->usage);
}

static void print_noun(FILE *file, const struct noun *noun)
{
    for (const struct command *c = noun->commands; c->run != NULL; c++) {
        const char *gap = c->verb[0] != '\0' ? " " : "";
        fprintf(file, "  inkan %s%s%s %s\n        %s\n", noun->name, gap, c->verb, c->usage,
                c->help);
    }
}

static void print_all(FILE *file)
{
    fprintf(file, "usage: inkan NOUN VERB ...\n\n");
    for (size_t i = 0; i < NOUN_COUNT; i++) {
        fprintf(file, "  %-8s %s", nouns[i]->name, nouns[i]->help);
        const char *before = " (";
        for (const struct command *c = nouns[i]->commands; c->run != NULL; c++) {
            if (c->verb[0] == '\0')
                continue;
            fprintf(file, "%s%s", before, c->verb);
            before = ", ";
        }
        fprintf(file, "%s\n", *before == ',' ? ")" : "");
    }
    fprintf(file, "\n`inkan NOUN --help` says more.\n\n%s", global_help);
}

/* Help as far as the choice goes. */
static void print_help(FILE *file, const struct choice *choice)
{
    if (choice->noun == NULL) {
        print_all(file);
    } else if (choice->command == NULL) {
        print_noun(file, choice->noun);
    } else {
        print_command(file, choice->noun, choice->command);
        fprintf(file, "%s\n\n%s", choice->command->help, global_help);
    }
}

/* -- choosing ------------------------------------------------------------------------------- */

static enum status choose_noun(struct choice *choice, const char *word, struct err *err)
{
    struct nearest nearest;
    nearest_init(&nearest, span_str(word));
    for (size_t i = 0; i < NOUN_COUNT; i++) {
        nearest_offer(&nearest, span_str(nouns[i]->name));
        if (strcmp(nouns[i]->name, word) == 0)
            choice->noun = nouns[i];
    }
    if (choice->noun == NULL)
        return err_set(err, ST_INVALID, "%.64s: unknown command (nearest: %.*s)", word,
                       (int)nearest.best.len, nearest.best.data);
    if (choice->noun->commands[0].verb[0] == '\0')
        choice->command = &choice->noun->commands[0];
    return ST_OK;
}

static enum status choose_verb(struct choice *choice, const char *word, struct err *err)
{
    struct nearest nearest;
    nearest_init(&nearest, span_str(word));
    for (const struct command *c = choice->noun->commands; c->run != NULL; c++) {
        nearest_offer(&nearest, span_str(c->verb));
        if (strcmp(c->verb, word) == 0)
            choice->command = c;
    }
    if (choice->command == NULL)
        return err_set(err, ST_INVALID, "%s %.64s: unknown command (nearest: %s %.*s)",
                       choice->noun->name, word, choice->noun->name, (int)nearest.best.len,
                       nearest.best.data);
    return ST_OK;
}

static enum status choose_word(struct choice *choice, const char *word, struct err *err)
{
    return choice->noun == NULL ? choose_noun(choice, word, err) : choose_verb(choice, word, err);
}

static enum status keep(struct choice *choice, const char *word, struct err *err)
{
    if (choice->rest_count + 1 == ARGV_MAX)
        return err_set(err, ST_INVALID, "more than %d arguments", ARGV_MAX - 1);
    choice->rest[choice->rest_count++] = word;
    return ST_OK;
}

/* Keeps an option for the command's own grammar. Before the command is known only the options
 * of every command can be told apart from the values behind them. */
static enum status keep_option(struct choice *choice, const char *const **argv, struct err *err)
{
    struct span name = span_str(**argv);
    bool takes_value = false;
    choice->help |= span_equal(name, SPAN_LIT("--help")) || span_equal(name, SPAN_LIT("-h"));
    choice->version |= span_equal(name, SPAN_LIT("--version"));
    enum status status = keep(choice, **argv, err);
    bool known = args_knows(global_usage, span_head(name, span_find(name, '=')), &takes_value);
    if (!known && choice->command == NULL && !choice->help)
        return err_set(err, ST_INVALID, "%.64s: an option of a command must follow its verb",
                       **argv);
    if (status == ST_OK && takes_value && span_find(name, '=') == name.len && (*argv)[1] != NULL)
        status = keep(choice, *++*argv, err);
    return status;
}

static enum status choose(const char *const *argv, struct choice *out, struct err *err)
{
    enum status status = ST_OK;
    bool options = true;
    *out = (struct choice){.noun = NULL};
    for (; status == ST_OK && *argv != NULL; argv++) {
        if (options && (*argv)[0] == '-' && (*argv)[1] != '\0') {
            options = strcmp(*argv, "--") != 0;
            status = options ? keep_option(out, &argv, err) : keep(out, *argv, err);
        } else if (out->command == NULL) {
            status = choose_word(out, *argv, err);
        } else {
            status = keep(out, *argv, err);
        }
    }
    return status;
}

/* -- running -------------------------------------------------------------------------------- */

static enum status run(const struct choice *choice, struct err *err)
{
    struct args args;
    struct buf usage = BUF_INIT(0);
    buf_printf(&usage, "%s %s", global_usage, choice->command->usage);
    enum status status = args_parse(buf_cstr(&usage), choice->rest, &args, err);
    if (status != ST_OK) {
        print_command(stderr, choice->noun, choice->command);
        buf_clear(&usage);
        return status;
    }
    struct admin admin;
    admin_init(&admin);
    admin.config = args_option(&args, "-c");
    admin.dry_run = args_has(&args, "--dry-run");
    admin.yes = args_has(&args, "--yes");
    admin.output.json = args_has(&args, "--json");
    status = choice->command->run(&admin, &args, err);
    struct err write_err = {.code = ST_OK};
    if (output_finish(&admin.output, &write_err) != ST_OK && status == ST_OK) {
        *err = write_err;
        status = err->code;
    }
    admin_clear(&admin);
    buf_clear(&usage);
    return status;
}

int command_main(const char *const *argv)
{
    struct err err = {.code = ST_OK};
    struct choice choice;
    enum status status = choose(argv, &choice, &err);
    if (choice.help) {
        print_help(stdout, &choice);
        return 0;
    }
    if (choice.version) {
        printf("inkan %s\n", INKAN_VERSION);
        return 0;
    }
    if (status == ST_OK && choice.command == NULL) {
        print_help(stderr, &choice);
        return status_exit_code(ST_INVALID);
    }
    if (status == ST_OK)
        status = run(&choice, &err);
    if (status != ST_OK && err.text[0] != '\0')
        admin_warn("%s", err.text);
    return status_exit_code(status);
}
