/* SPDX-License-Identifier: Apache-2.0
 *
 * Arguments of a command, read by its usage line: what `--help` shows is the grammar itself, so
 * the two cannot differ. A usage line is made of
 *
 *     DOMAIN             a word that must be there      [DOMAIN]       one that may
 *     key=value...       one or more words              [key=value...] any number
 *     --tenant T         an option that must be there, with a value
 *     [--bits N]         one that may                   [--yes]        one without a value
 *     < message          what comes on standard input; ends the grammar
 *
 * Options may stand anywhere; `--bits N` and `--bits=N` are the same; `--` ends them; `-` is a
 * word. Pure: points into what it is given, allocates nothing.
 */
#ifndef INKAN_ADMIN_ARGS_H
#define INKAN_ADMIN_ARGS_H

#include "base/bytes.h"

enum { ARGS_WORDS_MAX = 64, ARGS_OPTIONS_MAX = 32 };

struct args {
    const char *words[ARGS_WORDS_MAX];
    size_t word_count;
    struct args_option {
        struct span name;  /* with its dashes; into the usage line */
        const char *value; /* "" for an option without one */
    } options[ARGS_OPTIONS_MAX];
    size_t option_count;
};

/* Reads a NULL-terminated list. ST_INVALID says what is missing, unknown (with the nearest known
 * option), given twice or too much. The answer points into both usage and argv. */
enum status args_parse(const char *usage, const char *const *argv, struct args *out,
                       struct err *err) MUST_CHECK;

/* The value of an option ("--bits"), "" for one without value, NULL when it was not given. */
const char *args_option(const struct args *args, const char *name);
bool args_has(const struct args *args, const char *name);
/* The value of an option as a number. `out` is untouched when it was not given; ST_INVALID when
 * it is no number from `least` to `most`. */
struct args_range {
    int64_t least, most;
};
enum status args_number(const struct args *args, const char *name, struct args_range range,
                        int64_t *out, struct err *err) MUST_CHECK;

/* Whether `usage` has an option of that name, and whether it takes a value. */
bool args_knows(const char *usage, struct span name, bool *takes_value_out);

#endif
