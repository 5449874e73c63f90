/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/secret_json.h"

#include <stdlib.h>

/* Before each block stands how long it is; the union keeps what follows aligned. */
union head {
    size_t size;
    max_align_t align;
};

static void *secret_alloc(size_t size)
{
    union head *head = malloc(sizeof *head + size);
    if (head == NULL)
        return NULL;
    head->size = size;
    return head + 1;
}

static void secret_free(void *memory)
{
    union head *head = memory;
    if (memory == NULL)
        return;
    bytes_wipe(memory, head[-1].size);
    free(head - 1);
}

void secret_json_begin(void)
{
    json_set_alloc_funcs(secret_alloc, secret_free);
}

void secret_json_end(void)
{
    json_set_alloc_funcs(malloc, free);
}

void secret_json_append(json_t *json, struct buf *out)
{
    char *text = json_dumps(json, JSON_COMPACT);
    if (text == NULL)
        out->failed = ST_TEMP;
    else
        buf_append_str(out, text);
    buf_append_char(out, '\n');
    secret_free(text);
    json_decref(json);
}
