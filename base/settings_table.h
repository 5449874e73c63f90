/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of settings, for the files settings*.c only: what a setting is called, where it
 * sits in struct settings, what it may be and how its text becomes a value. Adding a setting
 * is one member of struct settings and one row of the table.
 *
 * Any thread; everything here is constant.
 */
#ifndef INKAN_BASE_SETTINGS_TABLE_H
#define INKAN_BASE_SETTINGS_TABLE_H

#include "base/settings.h"

enum settings_type {
    TYPE_TEXT,         /* char *: whatever `check` takes */
    TYPE_WORD,         /* char *: one of `words`, kept as the table spells it */
    TYPE_ENUM,         /* int64_t: the place of the word in `words` */
    TYPE_BOOL,         /* bool */
    TYPE_NUMBER,       /* int64_t; the word in `words`, if any, stands for 0 */
    TYPE_OCTAL,        /* int64_t, written as 0660 */
    TYPE_SIZE,         /* int64_t, octets */
    TYPE_MILLISECONDS, /* int64_t */
    TYPE_SECONDS,      /* int64_t */
};

struct settings_entry {
    const char *section, *key;
    enum settings_type type;
    bool optional; /* the value may be empty */
    bool dormant;  /* read and checked, but nothing in this version looks at it */
    size_t offset; /* into struct settings */
    const char *fallback;
    const char *least, *most; /* of numbers, in the form the file takes; NULL: no limit */
    const char *words;        /* "one|two" */
    const char *allowed;      /* for people */
    const char *help;
    /* Asked before the type is, with a value that is not empty; may be NULL. The text says what
     * is wrong and does not repeat the value. */
    enum status (*check)(struct span value, struct err *err);
};

extern const struct settings_entry settings_table[];
extern const size_t settings_table_count;

/* Reads `value` into its member of *out, which keeps its old value on a fault. ST_INVALID says
 * what is wrong, without the value and without what is allowed. */
enum status settings_value_read(const struct settings_entry *entry, struct span value,
                                struct settings *out, struct err *err) MUST_CHECK;
/* Appends the member in the form the file takes. */
void settings_value_print(const struct settings_entry *entry, const struct settings *settings,
                          struct buf *out);

/* Where the member of a TYPE_TEXT or TYPE_WORD sits. */
char **settings_text_at(const struct settings_entry *entry, struct settings *settings);

/* The checks of settings_check.c. */
enum status settings_check_file(struct span value, struct err *err);
enum status settings_check_url(struct span value, struct err *err);
enum status settings_check_socket(struct span value, struct err *err);
enum status settings_check_server(struct span value, struct err *err);
enum status settings_check_servers(struct span value, struct err *err);
enum status settings_check_resolvers(struct span value, struct err *err);
enum status settings_check_memcached(struct span value, struct err *err);
enum status settings_check_hosts(struct span value, struct err *err);
enum status settings_check_names(struct span value, struct err *err);
enum status settings_check_word(struct span value, struct err *err);
enum status settings_check_attribute(struct span value, struct err *err);
enum status settings_check_map_filter(struct span value, struct err *err);
enum status settings_check_mode(struct span value, struct err *err);
enum status settings_check_shadow(struct span value, struct err *err); /* settings_shadow.c */
enum status settings_check_selector(struct span value, struct err *err);

#endif
