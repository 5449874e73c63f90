/* SPDX-License-Identifier: Apache-2.0
 *
 * What a command answers on standard output, for people or as one JSON document, made from the
 * kind tables of storage/model.h. The caller says once what there is (an object, a list of
 * objects, lists inside objects) and both forms come out:
 *
 *            people                                  JSON
 *     object `field: value` lines                    {"field": value}
 *     list   a table of the fields not FIELD_WIDE    [{...}, {...}]
 *
 * In JSON numbers are numbers, booleans true or false, dates RFC 3339 texts or null, octets
 * base64. Secret fields are in neither form. A list without rows is "[]" in JSON and nothing
 * for people. The only home of jansson in admin/. One thread.
 */
#ifndef INKAN_ADMIN_OUTPUT_H
#define INKAN_ADMIN_OUTPUT_H

#include <stdio.h>

#include "storage/model.h"

/* For tables of answers that are kept nowhere: `static const struct field fields[] = {...}` of a
 * struct with char * and int64_t members, then OUTPUT_KIND. */
#define OUTPUT_FIELD(s, m, t, f)                                                                   \
    {                                                                                              \
        .name = #m, .type = (t), .flags = (f), .offset = offsetof(s, m)                            \
    }
#define OUTPUT_KIND(n, s, f)                                                                       \
    {                                                                                              \
        .name = (n), .fields = (f), .field_count = sizeof(f) / sizeof(f)[0], .size = sizeof(s)     \
    }

enum { OUTPUT_DEPTH_MAX = 4 };

struct output {
    bool json;
    FILE *file;
    struct buf text; /* not yet written */
    struct buf rows; /* cells of the table that is open, each with a NUL */
    size_t depth;
    struct output_level {
        bool list;
        size_t count; /* of elements or members so far */
    } levels[OUTPUT_DEPTH_MAX];
};

void output_init(struct output *output, FILE *file);
void output_clear(struct output *output);

/* A list; `member` names it inside an object, NULL at the top. Lists are not nested directly. */
void output_list_begin(struct output *output, const char *member);
void output_list_end(struct output *output, const struct kind *kind);
/* One object with all fields of the record, at the top or in a list; stays open for more members
 * until output_end. */
void output_begin(struct output *output, const struct kind *kind, const void *record);
/* The same as a member of an object; for people its fields are lines like the others. */
void output_member_begin(struct output *output, const char *member, const struct kind *kind,
                         const void *record);
void output_text(struct output *output, const char *member, struct span value);
/* A list of texts as one more member; a line each for people. */
void output_texts(struct output *output, const char *member, const char *const *texts,
                  size_t count);
void output_end(struct output *output);
/* An object and nothing more. */
void output_record(struct output *output, const struct kind *kind, const void *record);

/* A line for people; nothing in JSON. */
void output_line(struct output *output, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Octets as they are, in either form. */
void output_raw(struct output *output, struct span octets);

/* Writes what has been collected. ST_TEMP when the file does not take it. A JSON document that
 * was not finished and of which nothing was written yet is dropped instead. */
enum status output_finish(struct output *output, struct err *err) MUST_CHECK;

#endif
