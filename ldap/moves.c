/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/moves.h"

#include <stdlib.h>
#include <string.h>

/* The values of a WRITE_MOVE. */
enum { RDN, PARENT };

static void append_target(const struct write *move, struct buf *out)
{
    buf_append_span(out, buf_span(&move->values[RDN].value));
    buf_append_char(out, ',');
    buf_append_span(out, buf_span(&move->values[PARENT].value));
}

/* -- other DNs ---------------------------------------------------------------------------- */

static bool is_at_or_below(const char *dn, struct span top)
{
    struct span whole = span_str(dn);
    size_t above = whole.len >= top.len ? whole.len - top.len : 0;
    return span_equal(span_from(whole, above), top) && (above == 0 || dn[above - 1] == ',');
}

/* In the place of *dn, which may be NULL, its new one if it stands at or below `from`. */
static enum status rename_one(char **dn, struct span from, struct span to, struct err *err)
{
    struct buf renamed = {0};
    if (*dn == NULL || !is_at_or_below(*dn, from))
        return ST_OK;
    buf_append(&renamed, *dn, strlen(*dn) - from.len);
    buf_append_span(&renamed, to);
    char *copy = span_dup(buf_span(&renamed));
    enum status st = buf_check(&renamed, "DN", err);
    buf_clear(&renamed);
    if (st != ST_OK || copy == NULL) {
        free(copy);
        return err_set(err, ST_TEMP, "ldap: no memory");
    }
    free(*dn);
    *dn = copy;
    return ST_OK;
}

static enum status rename_all(struct transaction *tx, struct span from, struct span to,
                              struct err *err)
{
    struct writes *const lists[] = {&tx->early, &tx->writes};
    enum status st = ST_OK;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        for (size_t k = 0; k < lists[i]->count && st == ST_OK; k++)
            st = rename_one(&lists[i]->list[k].dn, from, to, err);
    }
    for (size_t i = 0; i < tx->pending_count && st == ST_OK; i++)
        st = rename_one(&tx->pending[i].dn, from, to, err);
    return st;
}

/* -- the moves ---------------------------------------------------------------------------- */

/* The one that brings an entry to `dn`. */
static struct write *move_to(const struct transaction *tx, struct span dn)
{
    struct write *found = NULL;
    for (size_t i = 0; i < tx->first.count && found == NULL; i++) {
        struct write *write = &tx->first.list[i];
        struct buf target = {0};
        if (write->type == WRITE_MOVE)
            append_target(write, &target);
        if (target.len > 0 && span_equal(buf_span(&target), dn))
            found = write;
        buf_clear(&target);
    }
    return found;
}

/* The first write to an entry: it adds it, or asserts that it is as it was. */
static const struct write *first_to(const struct transaction *tx, const char *dn)
{
    const struct writes *const lists[] = {&tx->early, &tx->writes};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        for (size_t k = 0; k < lists[i]->count; k++) {
            if (strcmp(lists[i]->list[k].dn, dn) == 0)
                return &lists[i]->list[k];
        }
    }
    return NULL;
}

static enum status new_move(struct transaction *tx, const char *dn, const struct moves_place *place,
                            struct err *err)
{
    const struct write *first = first_to(tx, dn);
    if (first != NULL && first->type == WRITE_ADD)
        return ST_OK; /* it is added at its new place */
    struct write *write =
        write_list_new(&tx->first, WRITE_MOVE, dn, first != NULL ? first->assertion : "");
    if (write == NULL)
        return err_set(err, ST_TEMP, "ldap: no memory");
    enum status st = write_value(write, "rdn", place->rdn, false, err);
    return st == ST_OK ? write_value(write, "parent", place->parent, false, err) : st;
}

/* Moved once more, an entry goes from where it stands to its last place at once; but behind what
 * adds its new parent. */
static enum status move_on(struct transaction *tx, struct write *write,
                           const struct moves_place *place, struct err *err)
{
    size_t at = (size_t)(write - tx->first.list);
    struct write moved = *write;
    memmove(write, write + 1, (tx->first.count - at - 1) * sizeof *write);
    tx->first.list[tx->first.count - 1] = moved;
    struct buf *parent = &tx->first.list[tx->first.count - 1].values[PARENT].value;
    buf_reset(parent);
    buf_append_span(parent, place->parent);
    return buf_check(parent, "DN", err);
}

enum status moves_add(struct transaction *tx, struct buf *dn, const struct moves_place *place,
                      struct err *err)
{
    struct buf to = {0};
    struct write *before = move_to(tx, buf_span(dn));
    enum status st =
        before != NULL ? move_on(tx, before, place, err) : new_move(tx, buf_cstr(dn), place, err);
    buf_append_span(&to, place->rdn);
    buf_append_char(&to, ',');
    buf_append_span(&to, place->parent);
    if (st == ST_OK)
        st = buf_check(&to, "DN", err);
    if (st == ST_OK)
        st = rename_all(tx, buf_span(dn), buf_span(&to), err);
    buf_reset(dn);
    buf_append_span(dn, buf_span(&to));
    buf_clear(&to);
    return st == ST_OK ? buf_check(dn, "DN", err) : st;
}

enum status moves_apply(const struct directory *dir, struct buf *dn, struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; dir->tx != NULL && i < dir->tx->first.count && st == ST_OK; i++) {
        const struct write *write = &dir->tx->first.list[i];
        struct buf to = {0};
        if (write->type != WRITE_MOVE || !is_at_or_below(buf_cstr(dn), span_str(write->dn)))
            continue;
        buf_append(&to, dn->data, dn->len - strlen(write->dn));
        append_target(write, &to);
        buf_reset(dn);
        buf_append_span(dn, buf_span(&to));
        st = buf_check(&to, "DN", err);
        buf_clear(&to);
        if (st == ST_OK)
            st = buf_check(dn, "DN", err);
    }
    return st;
}
