/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/remark.h"

struct remark {
    char *grade, *file;
    int64_t line;
    char *text;
};
static const struct field remark_fields[] = {
    OUTPUT_FIELD(struct remark, grade, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct remark, file, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct remark, line, FIELD_INT, 0),
    OUTPUT_FIELD(struct remark, text, FIELD_TEXT, 0),
};
static const struct kind kind_remark = OUTPUT_KIND("note", struct remark, remark_fields);

void remark_list_tell(struct output *output, const struct notes *notes)
{
    output_list_begin(output, "notes");
    for (size_t i = 0; i < notes_count(notes); i++) {
        const struct note *note = notes_at(notes, i);
        struct remark remark = {.grade = span_dup(span_str(notes_grade_name(note->grade))),
                                .file = span_dup(span_str(note->file)),
                                .line = (int64_t)note->line,
                                .text = span_dup(span_str(note->text))};
        output_record(output, &kind_remark, &remark);
        kind_clear(&kind_remark, &remark);
    }
    output_list_end(output, &kind_remark);
}
