/* SPDX-License-Identifier: Apache-2.0
 *
 * CSV by RFC 4180: where records end, what their cells are, and lines of any kind from a file.
 */
#include <unistd.h>

#include "tests/unit/test_dkim_support.h"

#include "admin/csv.h"
#include "admin/lines.h"

/* -- cells ---------------------------------------------------------------------------------- */

static const struct {
    const char *name, *record;
    enum status status;
    const char *cells; /* joined by `|`, or a part of the error text */
} splits[] = {
    {"one cell", "a", ST_OK, "a"},
    {"three cells", "a,b,c", ST_OK, "a|b|c"},
    {"an empty record is one empty cell", "", ST_OK, ""},
    {"empty cells", ",a,,", ST_OK, "|a||"},
    {"blanks belong to the cell", " a , b", ST_OK, " a | b"},
    {"quoted", "\"a\",\"b\"", ST_OK, "a|b"},
    {"quoted and empty", "\"\",\"\"", ST_OK, "|"},
    {"a comma in quotes", "\"a,b\",c", ST_OK, "a,b|c"},
    {"a line end in quotes", "\"a\r\nb\",c", ST_OK, "a\r\nb|c"},
    {"doubled quotes", "\"a\"\"b\",\"\"\"\"", ST_OK, "a\"b|\""},
    {"UTF-8",
     "b\xc3\xbc"
     "cher,x",
     ST_OK,
     "b\xc3\xbc"
     "cher|x"},
    {"a quote not closed", "a,\"b", ST_INVALID, "cell 2: the quote is not closed"},
    {"only an opening quote", "\"", ST_INVALID, "cell 1: the quote is not closed"},
    {"a doubled quote at the end", "\"a\"\"", ST_INVALID, "the quote is not closed"},
    {"a quote in a bare cell", "a\"b", ST_INVALID, "cell 1: a quote inside"},
    {"a blank before a quote", "a, \"b\"", ST_INVALID, "cell 2: a quote inside"},
    {"text behind a quote", "\"a\"b,c", ST_INVALID, "cell 1: text behind"},
};

static void join(const struct csv_cells *cells, struct buf *out)
{
    for (size_t i = 0; i < cells->count; i++) {
        buf_append_str(out, i > 0 ? "|" : "");
        buf_append_span(out, cells->cells[i]);
    }
}

static void records_are_cut_into_cells(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(splits); i++) {
        struct err err = {.code = ST_OK};
        struct csv_cells cells;
        struct buf record = BUF_INIT(0), joined = BUF_INIT(0);
        buf_append_str(&record, splits[i].record);
        CHECK_STATUS(splits[i].name, csv_split(&record, &cells, &err), splits[i].status, err);
        join(&cells, &joined);
        if (splits[i].status == ST_OK)
            CHECK_TEXT(splits[i].name, buf_cstr(&joined), splits[i].cells);
        else if (strstr(err.text, splits[i].cells) == NULL)
            fail_msg("%s: the error is \"%s\"", splits[i].name, err.text);
        buf_clear(&record);
        buf_clear(&joined);
    }
}

static void too_many_cells_are_refused(void **state)
{
    struct err err = {.code = ST_OK};
    struct csv_cells cells;
    struct buf record = BUF_INIT(0);
    (void)state;
    for (int i = 1; i < CSV_CELLS_MAX; i++)
        buf_append_char(&record, ',');
    CHECK_STATUS("as many as may be", csv_split(&record, &cells, &err), ST_OK, err);
    assert_int_equal(cells.count, CSV_CELLS_MAX);
    buf_append_char(&record, ',');
    CHECK_STATUS("one more", csv_split(&record, &cells, &err), ST_INVALID, err);
    buf_clear(&record);
}

/* -- lines ---------------------------------------------------------------------------------- */

static const struct {
    const char *name, *file;
    bool csv;
    const char *lines; /* `number:text|` each */
} files[] = {
    {"an empty file", "", false, ""},
    {"one line", "a\n", false, "1:a|"},
    {"without a line end", "a\nb", false, "1:a|2:b|"},
    {"CRLF", "a\r\nb\r\n", false, "1:a|2:b|"},
    {"blank lines are lines", "a\n\nb\n", false, "1:a|2:|3:b|"},
    {"a byte order mark",
     "\xef\xbb\xbf"
     "a\n",
     false, "1:a|"},
    {"quotes mean nothing outside of CSV", "\"a\nb\"\n", false, "1:\"a|2:b\"|"},
    {"a CSV record of two lines", "\"a\nb\",c\nd\n", true, "1:\"a\nb\",c|3:d|"},
    {"doubled quotes do not end a cell", "\"a\"\"\nb\"\nc\n", true, "1:\"a\"\"\nb\"|3:c|"},
    {"a quote inside a bare cell opens nothing", "a\"\nb\n", true, "1:a\"|2:b|"},
    {"quotes in a second cell", "a,\"b\n\"\nc\n", true, "1:a,\"b\n\"|3:c|"},
    {"an open quote takes the rest", "a\n\"b\nc\n", true, "1:a|2:\"b\nc\n|"},
};

/* A file that holds the text and has no name any more. */
static void open_text(struct lines *lines, const char *text, size_t len)
{
    struct err err = {.code = ST_OK};
    char path[] = "/tmp/test_admin_csv-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), (ssize_t)len);
    CHECK_STATUS(path, lines_open(path, lines, &err), ST_OK, err);
    assert_int_equal(lines->size, (int64_t)len);
    close(fd);
    unlink(path);
}

static void files_are_cut_into_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(files); i++) {
        struct err err = {.code = ST_OK};
        struct lines lines;
        struct buf seen = BUF_INIT(0);
        enum status status;
        open_text(&lines, files[i].file, strlen(files[i].file));
        lines.csv = files[i].csv;
        while ((status = lines_next(&lines, &err)) == ST_OK)
            buf_printf(&seen, "%d:%.*s|", (int)lines.number, (int)lines.text.len,
                       lines.text.len > 0 ? lines.text.data : "");
        CHECK_STATUS(files[i].name, status, ST_NOT_FOUND, err);
        CHECK_TEXT(files[i].name, buf_cstr(&seen), files[i].lines);
        buf_clear(&seen);
        lines_close(&lines);
    }
}

/* "a", a line of `len` octets, "b": the long one is refused, the others are not. */
static void check_long_line(const char *name, size_t len, char first, bool csv, enum status wanted)
{
    struct err err = {.code = ST_OK};
    struct lines lines;
    struct buf text = BUF_INIT(0);
    buf_append_str(&text, "a\n");
    buf_append_char(&text, first);
    for (size_t i = 1; i < len; i++)
        buf_append_char(&text, 'x');
    buf_append_str(&text, "\nb\n");
    open_text(&lines, text.data, text.len);
    lines.csv = csv;
    CHECK_STATUS(name, lines_next(&lines, &err), ST_OK, err);
    CHECK_STATUS(name, lines_next(&lines, &err), wanted, err);
    CHECK_STATUS(name, lines_next(&lines, &err), ST_OK, err);
    assert_int_equal(lines.number, 3);
    CHECK_TEXT(name, buf_cstr(&lines.text), "b");
    buf_clear(&text);
    lines_close(&lines);
}

static void a_line_has_a_limit(void **state)
{
    (void)state;
    check_long_line("as long as may be", LINES_OCTETS_MAX, 'x', false, ST_OK);
    check_long_line("one more", LINES_OCTETS_MAX + 1, 'x', false, ST_INVALID);
    check_long_line("far more", 5 * LINES_OCTETS_MAX, 'x', true, ST_INVALID);
    check_long_line("a quote never closed", 2 * LINES_OCTETS_MAX, '"', true, ST_INVALID);
}

static void the_first_octet_is_seen_behind_blanks(void **state)
{
    struct err err = {.code = ST_OK};
    struct lines lines;
    (void)state;
    open_text(&lines, "\n  \r\n {}\n", 9);
    assert_int_equal(lines_peek(&lines), '{');
    CHECK_STATUS("behind blanks", lines_next(&lines, &err), ST_OK, err);
    assert_int_equal(lines.number, 3);
    CHECK_TEXT("behind blanks", buf_cstr(&lines.text), "{}");
    assert_int_equal(lines_peek(&lines), -1);
    lines_close(&lines);
}

static void what_cannot_be_read_is_refused(void **state)
{
    struct err err = {.code = ST_OK};
    struct lines lines;
    (void)state;
    CHECK_STATUS("a folder", lines_open("/tmp", &lines, &err), ST_INVALID, err);
    lines_close(&lines);
    CHECK_STATUS("nothing", lines_open("/tmp/no/such", &lines, &err), ST_INVALID, err);
    lines_close(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_cut_into_cells),
        cmocka_unit_test(too_many_cells_are_refused),
        cmocka_unit_test(files_are_cut_into_lines),
        cmocka_unit_test(a_line_has_a_limit),
        cmocka_unit_test(the_first_octet_is_seen_behind_blanks),
        cmocka_unit_test(what_cannot_be_read_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
