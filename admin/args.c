/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/args.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/nearest.h"

/* One piece of a usage line. */
struct piece {
    struct span name;
    bool option, optional, many, takes_value;
};

/* The next token between blanks. */
static bool next_token(struct span *rest, struct span *token)
{
    do {
        if (!span_next(rest, ' ', token))
            return false;
    } while (token->len == 0);
    return true;
}

static bool is_option(struct span s)
{
    return s.len > 1 && s.data[0] == '-';
}

/* An option takes a value when its bracket stays open or a bare word follows it. */
static bool takes_value(struct span token, bool bracketed, struct span rest)
{
    struct span next;
    if (bracketed)
        return token.data[token.len - 1] != ']';
    return next_token(&rest, &next) && !is_option(next) && next.data[0] != '[';
}

static bool cut_suffix(struct span *s, struct span suffix)
{
    bool there = span_has_suffix_nocase(*s, suffix);
    s->len -= there ? suffix.len : 0;
    return there;
}

static bool next_piece(struct span *usage, struct piece *out)
{
    struct span token, value;
    if (!next_token(usage, &token) || token.data[0] == '<')
        return false;
    bool bracketed = token.data[0] == '[';
    struct span name = span_from(token, bracketed ? 1 : 0);
    *out = (struct piece){.optional = bracketed, .option = is_option(name)};
    out->takes_value = out->option && takes_value(token, bracketed, *usage);
    if (out->takes_value)
        next_token(usage, &value);
    cut_suffix(&name, SPAN_LIT("]"));
    out->many = cut_suffix(&name, SPAN_LIT("..."));
    out->name = name;
    return true;
}

static bool find_option(const char *usage, struct span name, struct piece *out)
{
    struct span rest = span_str(usage);
    while (next_piece(&rest, out))
        if (out->option && span_equal(out->name, name))
            return true;
    return false;
}

bool args_knows(const char *usage, struct span name, bool *takes_value_out)
{
    struct piece piece;
    if (!find_option(usage, name, &piece))
        return false;
    *takes_value_out = piece.takes_value;
    return true;
}

static enum status unknown_option(const char *usage, struct span name, struct err *err)
{
    struct nearest nearest;
    struct span rest = span_str(usage);
    struct piece piece;
    nearest_init(&nearest, name);
    while (next_piece(&rest, &piece))
        if (piece.option)
            nearest_offer(&nearest, piece.name);
    return err_set(err, ST_INVALID, "%.*s: unknown option (nearest: %.*s)",
                   (int)span_head(name, 64).len, name.data, (int)nearest.best.len,
                   nearest.best.data);
}

static const struct args_option *given_option(const struct args *args, struct span name)
{
    for (size_t i = 0; i < args->option_count; i++)
        if (span_equal(args->options[i].name, name))
            return &args->options[i];
    return NULL;
}

static enum status bad_option(struct span name, const char *what, struct err *err)
{
    return err_set(err, ST_INVALID, "%.*s: %s", (int)name.len, name.data, what);
}

/* Takes the option at **argv and, if it has its value there, the argument behind it. */
static enum status take_option(const char *usage, const char *const **argv, struct args *out,
                               struct err *err)
{
    struct span name = span_str(**argv);
    size_t equals = span_find(name, '=');
    const char *value = equals < name.len ? **argv + equals + 1 : NULL;
    struct piece piece;
    name = span_head(name, equals);
    if (!find_option(usage, name, &piece))
        return unknown_option(usage, name, err);
    if (given_option(out, piece.name) != NULL || out->option_count == ARGS_OPTIONS_MAX)
        return bad_option(piece.name, "given twice", err);
    if (!piece.takes_value && value != NULL)
        return bad_option(piece.name, "takes no value", err);
    if (piece.takes_value && value == NULL) {
        value = (*argv)[1];
        if (value == NULL || span_has_prefix(span_str(value), SPAN_LIT("--")))
            return bad_option(piece.name, "a value must follow", err);
        ++*argv;
    }
    out->options[out->option_count++] =
        (struct args_option){piece.name, value == NULL ? "" : value};
    return ST_OK;
}

static enum status take_word(const char *word, struct args *out, struct err *err)
{
    if (out->word_count == ARGS_WORDS_MAX)
        return err_set(err, ST_INVALID, "more than %d words", ARGS_WORDS_MAX);
    out->words[out->word_count++] = word;
    return ST_OK;
}

/* Whether what must be there is, and nothing is left over. */
static enum status check_complete(const char *usage, const struct args *args, struct err *err)
{
    struct span rest = span_str(usage);
    struct piece piece;
    size_t words = 0;
    while (next_piece(&rest, &piece)) {
        bool there =
            piece.option ? given_option(args, piece.name) != NULL : words < args->word_count;
        if (!there && !piece.optional)
            return err_set(err, ST_INVALID, "%.*s is missing", (int)piece.name.len,
                           piece.name.data);
        if (!piece.option && there)
            words = piece.many ? args->word_count : words + 1;
    }
    if (words < args->word_count)
        return err_set(err, ST_INVALID, "%.64s: one word too many", args->words[words]);
    return ST_OK;
}

enum status args_parse(const char *usage, const char *const *argv, struct args *out,
                       struct err *err)
{
    enum status status = ST_OK;
    bool options = true;
    *out = (struct args){0};
    for (; status == ST_OK && *argv != NULL; argv++) {
        if (options && span_equal(span_str(*argv), SPAN_LIT("--")))
            options = false;
        else if (options && is_option(span_str(*argv)))
            status = take_option(usage, &argv, out, err);
        else
            status = take_word(*argv, out, err);
    }
    return status == ST_OK ? check_complete(usage, out, err) : status;
}

const char *args_option(const struct args *args, const char *name)
{
    const struct args_option *option = given_option(args, span_str(name));
    return option == NULL ? NULL : option->value;
}

bool args_has(const struct args *args, const char *name)
{
    return given_option(args, span_str(name)) != NULL;
}

enum status args_number(const struct args *args, const char *name, struct args_range range,
                        int64_t *out, struct err *err)
{
    const char *text = args_option(args, name);
    if (text == NULL)
        return ST_OK;
    char *end;
    long long number = strtoll(text, &end, 10);
    if (!ascii_digit(text[0]) || *end != '\0' || number < range.least || number > range.most)
        return err_set(err, ST_INVALID, "%s: \"%.32s\": not a number from %" PRId64 " to %" PRId64,
                       name, text, range.least, range.most);
    *out = number;
    return ST_OK;
}
