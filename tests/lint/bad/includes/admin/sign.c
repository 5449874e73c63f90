/* SPDX-License-Identifier: Apache-2.0 */
#include "server/policy.h"
#include "server/session.h"
#include "sql/records.h"
#include "sql/sqlite.h"
