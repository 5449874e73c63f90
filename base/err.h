/* SPDX-License-Identifier: Apache-2.0
 *
 * Status classes and error text. Every function of this project that can fail returns
 * `enum status` and takes `struct err *err` as its last argument; the class decides what the
 * caller does, the text tells a person why. The place of the fault writes the text with
 * err_set, callers on the way up put context in front with err_context, so that it reads
 * `domain example.com: selector -x: not a DNS label`.
 *
 * Any thread, any process. Nothing here allocates. No text may hold a secret.
 */
#ifndef INKAN_BASE_ERR_H
#define INKAN_BASE_ERR_H

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

enum status {
    ST_OK,        /* go on */
    ST_NOT_FOUND, /* answer no */
    ST_CONFLICT,  /* somebody was faster or it exists: look again */
    ST_DENIED,    /* refuse */
    ST_INVALID,   /* tell the user what to mend */
    ST_TEMP,      /* defer and retry */
    ST_UNSURE,    /* look before retrying: a commit whose answer was lost */
    ST_BROKEN,    /* call somebody: a defect or a broken store */
};

enum { ERR_TEXT_SIZE = 256 };

struct err {
    enum status code;
    char text[ERR_TEXT_SIZE]; /* always terminated; cut, never overflowing */
};

/* Sets code and text and returns `code`, so that a fault is one statement:
 * `return err_set(err, ST_INVALID, "selector %s: not a DNS label", s);`. err may be NULL. */
enum status err_set(struct err *err, enum status code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Puts `context: ` in front of the text that is there and returns the code that is there.
 * What no longer fits is cut at the end. err may be NULL (then ST_BROKEN is returned). */
enum status err_context(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Back to ST_OK with an empty text. */
void err_clear(struct err *err);

/* The class's name for logs and tests: "ok", "not_found", ... */
const char *status_name(enum status code);

/* The exit code the interface promises for a class: 0, 1, 2, 3, 70 or 75. */
int status_exit_code(enum status code);

#endif
