/* SPDX-License-Identifier: Apache-2.0 */
#include "dkim/canon.h"
#include "sql/sqlite.h"
#include <sqlite3.h>
