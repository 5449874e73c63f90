/* SPDX-License-Identifier: Apache-2.0 */
#include "sql/arrays.h"

#include <endian.h>
#include <string.h>

#include "sql/oids.h"

enum { DIMENSIONS = 1, FIRST_INDEX = 1, NUMBER_LEN = 8 };

struct column {
    const struct field *field;
    struct buf array;
};

/* One addition. */
struct addition {
    const struct kind *kind;
    void *const *records;
    size_t count;
    struct column columns[SQL_PARAMS_MAX];
    size_t column_count;
    int64_t last; /* serial that was given */
    size_t given;
};

/* -- arrays as PostgreSQL sends and receives them (its array_recv) -------------------------- */

static void append_int(struct buf *out, size_t number)
{
    uint32_t four = htobe32((uint32_t)number);
    buf_append(out, &four, sizeof four);
}

static void append_value(struct buf *out, const struct sql_value *value)
{
    uint64_t eight = htobe64((uint64_t)value->number);
    if (value->type == SQL_NUMBER) {
        append_int(out, NUMBER_LEN);
        buf_append(out, &eight, sizeof eight);
    } else {
        append_int(out, value->octets.len);
        buf_append_span(out, value->octets);
    }
}

static unsigned element_oid(const struct sql_value *value)
{
    return value->type == SQL_NUMBER ? OID_INT8 : value->type == SQL_BYTES ? OID_BYTES : OID_TEXT;
}

static struct sql_value value_at(const struct addition *addition, const struct field *field,
                                 size_t index)
{
    return sql_value_of(field, addition->records[index]);
}

static enum status make_column(const struct addition *addition, struct column *column,
                               struct err *err)
{
    struct sql_value first = value_at(addition, column->field, 0);
    append_int(&column->array, DIMENSIONS);
    append_int(&column->array, 0); /* no nulls */
    append_int(&column->array, element_oid(&first));
    append_int(&column->array, addition->count);
    append_int(&column->array, FIRST_INDEX);
    for (size_t i = 0; i < addition->count; i++) {
        struct sql_value value = value_at(addition, column->field, i);
        append_value(&column->array, &value);
    }
    return buf_check(&column->array, column->field->name, err);
}

static enum status make_columns(struct addition *addition, struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; st == ST_OK && i < addition->kind->field_count; i++) {
        const struct field *field = &addition->kind->fields[i];
        if (field->flags & FIELD_SERIAL)
            continue;
        if (addition->column_count == SQL_PARAMS_MAX)
            return err_set(err, ST_BROKEN, "%s: too many fields", addition->kind->name);
        struct column *column = &addition->columns[addition->column_count++];
        column->field = field;
        st = make_column(addition, column, err);
    }
    return st;
}

/* -- the statement -------------------------------------------------------------------------- */

static void add_parameter(const struct addition *addition, const struct column *column,
                          struct sql_statement *s)
{
    struct sql_value first = value_at(addition, column->field, 0);
    s->params[s->count++] = (struct sql_value){.type = first.type == SQL_NUMBER  ? SQL_NUMBERS
                                                       : first.type == SQL_BYTES ? SQL_BYTESES
                                                                                 : SQL_TEXTS,
                                               .octets = buf_span(&column->array)};
}

static void write(const struct addition *addition, struct sql_statement *s)
{
    const struct field *serial = kind_flagged(addition->kind, FIELD_SERIAL);
    buf_printf(&s->text, "INSERT INTO \"%s\" (", addition->kind->name);
    for (size_t i = 0; i < addition->column_count; i++)
        buf_printf(&s->text, "%s\"%s\"", i > 0 ? ", " : "", addition->columns[i].field->name);
    buf_append_str(&s->text, ") SELECT * FROM unnest(");
    for (size_t i = 0; i < addition->column_count; i++) {
        buf_printf(&s->text, "%s$%zu", i > 0 ? ", " : "", i + 1);
        add_parameter(addition, &addition->columns[i], s);
    }
    buf_append_str(&s->text, ")");
    if (serial != NULL)
        buf_printf(&s->text, " RETURNING \"%s\"", serial->name);
}

/* The chain of audit events needs them in their order. */
static enum status take_serial(void *arg, const struct sql_row *row, struct err *err)
{
    struct addition *addition = arg;
    const struct field *serial = kind_flagged(addition->kind, FIELD_SERIAL);
    struct sql_value value = {.type = SQL_NULL};
    row->cell(row->arg, 0, &value);
    if (value.type != SQL_NUMBER || value.number <= addition->last ||
        addition->given == addition->count)
        return err_set(err, ST_BROKEN, "the store gave no ascending numbers to new records");
    addition->last = value.number;
    *field_int(serial, addition->records[addition->given++]) = value.number;
    return ST_OK;
}

enum status sql_arrays_add(struct driver_conn *base, const struct kind *kind, void *const *records,
                           size_t count, struct err *err)
{
    struct sql_conn *conn = (struct sql_conn *)base;
    struct addition addition = {.kind = kind, .records = records, .count = count};
    struct sql_statement statement = {0};
    bool serial = kind_flagged(kind, FIELD_SERIAL) != NULL;
    enum status st = make_columns(&addition, err);
    if (st == ST_OK) {
        write(&addition, &statement);
        st = conn->run(conn, &statement, serial ? take_serial : NULL, &addition, err);
    }
    for (size_t i = 0; i < addition.column_count; i++)
        buf_clear(&addition.columns[i].array);
    return st;
}
