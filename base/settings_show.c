/* SPDX-License-Identifier: Apache-2.0 */
#include "base/settings_table.h"

#include <string.h>

enum { HELP_WIDTH = 78 };

bool settings_next(struct settings_walk *walk, struct settings_row *out)
{
    if (walk->next == settings_table_count) {
        buf_clear(&walk->value);
        return false;
    }
    size_t index = walk->next++;
    const struct settings_entry *entry = &settings_table[index];
    buf_reset(&walk->value);
    settings_value_print(entry, walk->settings, &walk->value);
    *out = (struct settings_row){
        .section = entry->section,
        .key = entry->key,
        .allowed = entry->allowed,
        .fallback = entry->fallback,
        .help = entry->help,
        .value = buf_cstr(&walk->value),
        .line = walk->settings->lines[index],
    };
    return true;
}

/* Comment lines of at most HELP_WIDTH octets. */
static void wrap(const char *text, struct buf *out)
{
    size_t column = 0;
    struct span word;
    struct span rest = span_str(text);
    while (span_next(&rest, ' ', &word)) {
        if (column > 0 && column + 1 + word.len > HELP_WIDTH) {
            buf_append_char(out, '\n');
            column = 0;
        }
        buf_append_str(out, column == 0 ? "# " : " ");
        buf_append_span(out, word);
        column += word.len + (column == 0 ? 2 : 1);
    }
    buf_append_char(out, '\n');
}

static void example_of(const struct settings_entry *entry, struct buf *out)
{
    struct buf allowed = BUF_INIT(0);
    buf_printf(&allowed, "Allowed: %s.", entry->allowed);
    buf_append_char(out, '\n');
    wrap(entry->help, out);
    wrap(buf_cstr(&allowed), out);
    if (entry->dormant)
        wrap("Has no effect in this version.", out);
    buf_printf(out, "#%s =%s%s\n", entry->key, entry->fallback[0] == '\0' ? "" : " ",
               entry->fallback);
    buf_clear(&allowed);
}

void settings_example(struct buf *out)
{
    const char *section = "";
    wrap("Settings of inkan and inkand. Every key is shown at its default: take the # away and "
         "change the value. Text after a blank and a # is a comment. `inkand --check` reports "
         "all faults at once, `inkan conf show` what is in force. Secrets never stand here, only "
         "the names of files that hold them.",
         out);
    for (size_t i = 0; i < settings_table_count; i++) {
        const struct settings_entry *entry = &settings_table[i];
        if (strcmp(section, entry->section) != 0)
            buf_printf(out, "\n[%s]\n", entry->section);
        section = entry->section;
        example_of(entry, out);
    }
}

/* -- the manual page ---------------------------------------------------------------------- */

static void manual_of(const struct settings_entry *entry, struct buf *out)
{
    buf_printf(out, ".It Cm %s\n%s\n", entry->key, entry->help);
    buf_printf(out, "Allowed: %s.\n", entry->allowed);
    if (entry->fallback[0] == '\0')
        buf_append_str(out, "Default: empty.\n");
    else
        buf_printf(out, "Default:\n.Ql %s\n", entry->fallback);
    if (entry->dormant)
        buf_append_str(out, "Has no effect in this version.\n");
}

void settings_manual(struct buf *out)
{
    const char *section = "";
    buf_append_str(out, ".\\\" SPDX-License-Identifier: Apache-2.0\n"
                        ".Dd November 21, 2026\n"
                        ".Dt INKAN.CONF 5\n"
                        ".Os\n"
                        ".Sh NAME\n"
                        ".Nm inkan.conf\n"
                        ".Nd settings of inkan and inkand\n"
                        ".Sh DESCRIPTION\n"
                        "One\n"
                        ".Ql key = value\n"
                        "a line, under its\n"
                        ".Ql [section] .\n"
                        "Text after a blank and a # is a comment.\n"
                        "All faults of the file are told at once by\n"
                        ".Ql inkan conf check ;\n"
                        ".Ql inkan conf show\n"
                        "prints what is in force.\n"
                        "Secrets never stand here, only the names of files that hold them.\n");
    for (size_t i = 0; i < settings_table_count; i++) {
        const struct settings_entry *entry = &settings_table[i];
        if (strcmp(section, entry->section) != 0)
            buf_printf(out, "%s.Ss [%s]\n.Bl -tag -width Ds\n", i > 0 ? ".El\n" : "",
                       entry->section);
        section = entry->section;
        manual_of(entry, out);
    }
    buf_append_str(out, ".El\n"
                        ".Sh SEE ALSO\n"
                        ".Xr inkan 1 ,\n"
                        ".Xr inkand 8\n");
}
