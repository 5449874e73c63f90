/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "admin/keys.h"

static enum status make_record(const struct key *key, const char *target, struct record *out,
                               struct err *err)
{
    struct records_key shown = {.domain = key->domain,
                                .selector = key->selector,
                                .target = target,
                                .algorithm = (enum dkim_algorithm)key->algorithm};
    if (!lifecycle_is_gravestone((enum key_state)key->state))
        shown.public_octets = buf_span(&key->public_key);
    return records_of_key(&shown, out, err);
}

enum status keys_record(const struct key *key, struct record *out, struct err *err)
{
    return make_record(key, NULL, out, err);
}

enum status keys_record_at_target(const struct key *key, struct record *out, struct err *err)
{
    return make_record(key, key->target, out, err);
}

static enum status write_record(const struct key *key, enum records_format format, struct buf *out,
                                struct err *err)
{
    struct record record = {.value = BUF_INIT(0)};
    struct records_writer writer;
    enum status status = keys_record_at_target(key, &record, err);
    if (status == ST_OK) {
        records_begin(&writer, format, out);
        records_add(&writer, &record);
        records_end(&writer);
        status = buf_check(out, "record", err);
    }
    records_clear(&record);
    return status;
}

/* What the owner of a delegated domain publishes for keys of the algorithm. */
static enum status write_aliases(const struct key *key, enum records_format format, struct buf *out,
                                 struct err *err)
{
    struct records_writer writer;
    enum status status = ST_OK;
    records_begin(&writer, format, out);
    for (int number = 1; status == ST_OK && number <= DELEGATION_SLOTS; number++) {
        struct record record = {.value = BUF_INIT(0)};
        const struct delegation_slot slot = {key->domain, delegation_of(key), key->algorithm,
                                             number};
        status = delegation_alias(&slot, &record, err);
        if (status == ST_OK)
            records_add(&writer, &record);
        records_clear(&record);
    }
    records_end(&writer);
    return status == ST_OK ? buf_check(out, "aliases", err) : status;
}

static enum status show_aliases(struct output *output, const struct key *key, struct err *err)
{
    struct buf text = BUF_INIT(0);
    const char *lines[DELEGATION_SLOTS];
    size_t count = 0;
    enum status status = write_aliases(key, RECORDS_ONELINE, &text, err);
    if (status == ST_OK) {
        char *rest = (char *)(uintptr_t)buf_cstr(&text); /* the buffer's own, cut into lines */
        for (char *line; count < DELEGATION_SLOTS && (line = strsep(&rest, "\n")) != NULL;)
            lines[count++] = line;
        output_texts(output, "cnames", lines, count);
    }
    buf_clear(&text);
    return status;
}

enum status keys_show(struct output *output, const struct key *key, struct err *err)
{
    struct buf record = BUF_INIT(0);
    enum status status = ST_OK;
    output_begin(output, &kind_key, key);
    if (lifecycle_has_record((enum key_state)key->state)) {
        status = write_record(key, RECORDS_ONELINE, &record, err);
        output_text(output, "record", span_trim(buf_span(&record)));
    }
    if (status == ST_OK && delegation_has(key))
        status = show_aliases(output, key, err);
    output_end(output);
    buf_clear(&record);
    return status;
}

void keys_tell_active(struct admin *admin, const struct key *key)
{
    admin_did(admin, "activate", "key %s %s; proof skipped: DNS was not asked for its record",
              key->domain, key->selector);
}

enum status keys_tell(struct admin *admin, const struct key *key, struct err *err)
{
    struct buf record = BUF_INIT(0);
    admin_did(admin, "add", "key %s %s (%s, %lld bits)", key->domain, key->selector,
              dkim_algorithm_name((enum dkim_algorithm)key->algorithm), (long long)key->bits);
    if (key->state == KEY_ACTIVE)
        keys_tell_active(admin, key);
    enum status status = delegation_has(key) ? write_aliases(key, RECORDS_ZONE, &record, err)
                                             : write_record(key, RECORDS_ZONE, &record, err);
    if (!admin->dry_run && !admin->output.json)
        output_raw(&admin->output, buf_span(&record));
    buf_clear(&record);
    return status;
}
