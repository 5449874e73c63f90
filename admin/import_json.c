/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/import_json.h"

#include <inttypes.h>

static enum status text_of(const json_t *value, char number[24], struct span *out, struct err *err)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        *out = span_of(json_string_value(value), json_string_length(value));
        return ST_OK;
    case JSON_INTEGER:
        snprintf(number, 24, "%" PRId64, (int64_t)json_integer_value(value));
        *out = span_str(number);
        return ST_OK;
    case JSON_TRUE:
        *out = SPAN_LIT("true");
        return ST_OK;
    case JSON_FALSE:
        *out = SPAN_LIT("false");
        return ST_OK;
    case JSON_NULL:
        return ST_OK;
    default:
        return err_set(err, ST_INVALID, "neither a text, a whole number, true nor false");
    }
}

static enum status take_members(struct import_json *json, struct import_values *out,
                                struct err *err)
{
    const char *name;
    json_t *value;
    json_object_foreach(json->root, name, value)
    {
        size_t index = 0;
        enum status status = import_field_find(span_str(name), &index, err);
        if (status != ST_OK)
            return status;
        if (text_of(value, json->numbers[index], &out->texts[index], err) != ST_OK)
            return err_context(err, "%s", name);
    }
    return ST_OK;
}

/* The library's own sentences quote the text, in which a private key may stand. */
static enum status not_json(const json_error_t *fault, struct err *err)
{
    if (json_error_code(fault) == json_error_duplicate_key)
        return err_set(err, ST_INVALID, "a field stands there twice");
    return err_set(err, ST_INVALID, "not JSON (column %d)", fault->column);
}

enum status import_json_read(struct span line, struct import_json *json, struct import_values *out,
                             struct err *err)
{
    json_error_t fault;
    json->root = json_loadb(line.data, line.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &fault);
    enum status status = ST_OK;
    if (json->root == NULL)
        status = not_json(&fault, err);
    else if (!json_is_object(json->root))
        status = err_set(err, ST_INVALID, "not a JSON object; each line holds one");
    bytes_wipe(&fault, sizeof fault);
    return status == ST_OK ? take_members(json, out, err) : status;
}

void import_json_clear(struct import_json *json)
{
    json_decref(json->root);
    json->root = NULL;
}
