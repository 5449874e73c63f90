/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/place.h"

#include "admin/rows.h"

enum status place_check_room(struct store *store, const struct kind *kind, const char *place,
                             struct err *err)
{
    struct query query = {.kind = kind};
    int64_t count = 0;
    rows_where_text(&query, "place", place);
    enum status status = rows_count(store, &query, &count, err);
    if (status == ST_OK && count >= RULE_PLACE_MAX)
        status = err_set(err, ST_DENIED, "there are %d %ss for %s already, which is the most",
                         RULE_PLACE_MAX, kind->name, place);
    return status;
}
