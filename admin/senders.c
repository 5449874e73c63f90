/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/senders.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* The four names stand behind it, each with a NUL, and are the key together. */
struct entry {
    struct sender sender;
    UT_hash_handle hh;
    char names[];
};

struct senders {
    struct entry *all; /* uthash keeps them in the order of their coming */
    size_t max;
    int64_t left_out;
};

struct senders *senders_new(size_t max)
{
    struct senders *senders = calloc(1, sizeof *senders);
    if (senders != NULL)
        senders->max = max;
    return senders;
}

static void free_entry(struct entry *entry)
{
    if (entry != NULL)
        free((char *)entry->sender.said);
    free(entry);
}

void senders_free(struct senders *senders)
{
    struct entry *each, *next;
    if (senders == NULL)
        return;
    HASH_ITER(hh, senders->all, each, next)
    {
        HASH_DEL(senders->all, each);
        free_entry(each);
    }
    free(senders);
}

static void make_key(const struct senders_name *name, struct buf *out)
{
    const struct span parts[] = {name->author, name->client, name->client_name, name->login};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        buf_append_span(out, parts[i]);
        buf_append_char(out, '\0');
    }
}

static struct entry *new_entry(struct senders *senders, struct span key)
{
    struct entry *entry = calloc(1, sizeof *entry + key.len);
    if (entry == NULL)
        return NULL;
    memcpy(entry->names, key.data, key.len);
    struct sender *sender = &entry->sender;
    sender->author = entry->names;
    sender->client = sender->author + strlen(sender->author) + 1;
    sender->client_name = sender->client + strlen(sender->client) + 1;
    sender->login = sender->client_name + strlen(sender->client_name) + 1;
    HASH_ADD_KEYPTR(hh, senders->all, entry->names, key.len, entry);
    if (entry->hh.tbl == NULL) {
        free(entry);
        return NULL;
    }
    return entry;
}

static enum status keep_said(struct sender *sender, const char *said, struct err *err)
{
    if (said == NULL || (sender->said != NULL && strcmp(sender->said, said) == 0))
        return ST_OK;
    char *copy = strdup(said);
    if (copy == NULL)
        return err_set(err, ST_TEMP, "no memory for what the log says");
    free((char *)sender->said);
    sender->said = copy;
    return ST_OK;
}

enum status senders_add(struct senders *senders, const struct senders_name *name, const char *said,
                        struct err *err)
{
    struct buf key = BUF_INIT(0);
    struct entry *entry = NULL;
    make_key(name, &key);
    enum status status = buf_check(&key, "a sender", err);
    if (status == ST_OK)
        HASH_FIND(hh, senders->all, key.data, key.len, entry);
    if (status == ST_OK && entry == NULL && HASH_COUNT(senders->all) >= senders->max) {
        senders->left_out++;
        buf_clear(&key);
        return ST_OK;
    }
    if (status == ST_OK && entry == NULL)
        entry = new_entry(senders, buf_span(&key));
    buf_clear(&key);
    if (entry == NULL)
        return err_set(err, ST_TEMP, "no memory for the senders");
    entry->sender.count++;
    return keep_said(&entry->sender, said, err);
}

size_t senders_count(const struct senders *senders)
{
    return HASH_COUNT(senders->all);
}

const struct sender *senders_next(const struct senders *senders, const struct sender *after)
{
    const struct entry *next = senders->all;
    if (after != NULL)
        next = ((const struct entry *)after)->hh.next;
    return next != NULL ? &next->sender : NULL;
}

int64_t senders_left_out(const struct senders *senders)
{
    return senders->left_out;
}
