/* SPDX-License-Identifier: Apache-2.0
 *
 * Types of PostgreSQL's parameters and columns by their numbers in pg_type, which never change.
 */
#ifndef INKAN_SQL_OIDS_H
#define INKAN_SQL_OIDS_H

enum {
    OID_BYTES = 17,
    OID_INT8 = 20,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_BYTES_ARRAY = 1001,
    OID_TEXT_ARRAY = 1009,
    OID_INT8_ARRAY = 1016,
};

#endif
