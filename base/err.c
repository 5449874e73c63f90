/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* In the order of enum status. UNSURE exits like TEMP: the next run looks before it writes. */
static const struct {
    const char *name;
    int exit_code;
} status_table[] = {
    [ST_OK] = {"ok", 0},
    [ST_NOT_FOUND] = {"not_found", 1},
    [ST_CONFLICT] = {"conflict", 3},
    [ST_DENIED] = {"denied", 3},
    [ST_INVALID] = {"invalid", 2},
    [ST_TEMP] = {"temp", 75},
    [ST_UNSURE] = {"unsure", 75},
    [ST_BROKEN] = {"broken", 70},
};

enum { STATUS_COUNT = sizeof status_table / sizeof status_table[0] };

enum status err_set(struct err *err, enum status code, const char *fmt, ...)
{
    if (err == NULL)
        return code;
    /* Formatted aside, because callers may hand in err->text itself. */
    char text[ERR_TEXT_SIZE] = "";
    va_list args;
    va_start(args, fmt);
    if (vsnprintf(text, sizeof text, fmt, args) < 0)
        text[0] = '\0';
    va_end(args);
    err->code = code;
    memcpy(err->text, text, sizeof text);
    return code;
}

enum status err_context(struct err *err, const char *fmt, ...)
{
    if (err == NULL)
        return ST_BROKEN;
    char text[2 * ERR_TEXT_SIZE] = "";
    va_list args;
    va_start(args, fmt);
    if (vsnprintf(text, ERR_TEXT_SIZE, fmt, args) < 0)
        text[0] = '\0';
    va_end(args);
    size_t used = strlen(text);
    snprintf(text + used, sizeof text - used, ": %s", err->text);
    memcpy(err->text, text, ERR_TEXT_SIZE - 1);
    err->text[ERR_TEXT_SIZE - 1] = '\0';
    return err->code;
}

void err_clear(struct err *err)
{
    if (err == NULL)
        return;
    err->code = ST_OK;
    err->text[0] = '\0';
}

const char *status_name(enum status code)
{
    return (size_t)code < STATUS_COUNT ? status_table[code].name : "unknown";
}

int status_exit_code(enum status code)
{
    return (size_t)code < STATUS_COUNT ? status_table[code].exit_code : 70;
}
