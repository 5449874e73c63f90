/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/takeover_source.h"

#include <stdlib.h>

#include "storage/foreign.h"

/* OpenDKIM asks for as many as the longest value of any table has parts. */
enum { COLUMNS = 3 };

struct handle {
    struct foreign *table;
    const struct takeover_context *context;
    size_t told; /* notes */
};

static enum status open_table(const char *spec, void *arg, void **handle_out, struct err *err)
{
    const struct takeover_context *context = arg;
    const struct configuration *configuration = context->configuration;
    const char *password = configuration_text(configuration, "LDAPBindPassword");
    struct handle *handle = calloc(1, sizeof *handle);
    if (handle == NULL)
        return err_set(err, ST_TEMP, "no memory");
    handle->context = context;
    const struct foreign_options options = {
        .url = span_str(spec),
        .columns = COLUMNS,
        .timeout_ms = context->timeout_ms,
        .directory = configuration_text(configuration, "BaseDirectory"),
        .ldap = {.bind_user = configuration_text(configuration, "LDAPBindUser"),
                 .mechanism = configuration_text(configuration, "LDAPAuthMechanism"),
                 .auth_name = configuration_text(configuration, "LDAPAuthName"),
                 .bind_password = span_str(password),
                 .use_tls = configuration_flag(configuration, "LDAPUseTLS")},
    };
    enum status status = foreign_open(&options, &handle->table, err);
    if (status != ST_OK) {
        free(handle);
        return status;
    }
    *handle_out = handle;
    return ST_OK;
}

static void tell(struct handle *handle)
{
    const char *text = NULL;
    while ((text = foreign_note(handle->table, handle->told)) != NULL) {
        handle->told++;
        notes_add(handle->context->notes, NOTES_NOTICE, (struct notes_place){NULL, 0}, "%s", text);
    }
}

/* As it would stand in a file; what is missing at the end is left out. */
static void join(const struct foreign_row *row, struct buf *out)
{
    size_t count = FOREIGN_VALUES_MAX;
    while (count > 0 && row->values[count - 1].data == NULL)
        count--;
    for (size_t i = 0; i < count; i++) {
        buf_append_str(out, i > 0 ? ":" : "");
        buf_append_span(out, row->values[i]);
    }
}

struct walk {
    struct handle *handle;
    table_take *take;
    void *arg;
};

static enum status take_row(void *arg, const struct foreign_row *row, struct err *err)
{
    const struct walk *walk = arg;
    struct buf value = BUF_SECRET(0);
    if (row->fault != NULL) {
        notes_add(walk->handle->context->notes, NOTES_REFUSED, (struct notes_place){NULL, 0},
                  "row %zu: %s", row->number, row->fault);
        return ST_OK;
    }
    join(row, &value);
    enum status status = buf_check(&value, "a row", err);
    if (status == ST_OK)
        status = walk->take(walk->arg, row->key, buf_span(&value), err);
    buf_clear(&value);
    return status;
}

static enum status each_row(void *arg, table_take *take, void *take_arg, struct err *err)
{
    struct walk walk = {arg, take, take_arg};
    enum status status = foreign_walk(walk.handle->table, take_row, &walk, err);
    tell(walk.handle);
    return status;
}

struct look {
    const struct handle *handle;
    struct buf *value_out;
};

static enum status take_value(void *arg, const struct foreign_row *row, struct err *err)
{
    const struct look *look = arg;
    if (row->fault != NULL)
        return err_set(err, ST_INVALID, "%s", row->fault);
    if (row->inactive)
        notes_add(look->handle->context->notes, NOTES_CHANGED, (struct notes_place){NULL, 0},
                  "%.*s: its entry has DKIMActive=FALSE, which OpenDKIM does not ask about: it "
                  "signs all the same, and so does this",
                  (int)span_head(row->key, 300).len, row->key.data);
    join(row, look->value_out);
    return ST_OK;
}

static enum status find_row(void *arg, struct span key, struct buf *value_out, struct err *err)
{
    struct handle *handle = arg;
    struct look look = {handle, value_out};
    enum status status = foreign_look(handle->table, key, take_value, &look, err);
    tell(handle);
    return status;
}

static void close_table(void *arg)
{
    struct handle *handle = arg;
    foreign_close(handle->table);
    free(handle);
}

#define SOURCE(name)                                                                               \
    {                                                                                              \
        name, open_table, each_row, find_row, close_table                                          \
    }
const struct table_source takeover_sources[TAKEOVER_SOURCES] = {SOURCE("dsn"), SOURCE("ldap"),
                                                                SOURCE("ldaps"), SOURCE("ldapi")};
