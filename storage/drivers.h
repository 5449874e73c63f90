/* SPDX-License-Identifier: Apache-2.0
 *
 * The drivers compiled in. One that is not is a missing line in the array of drivers.c.
 */
#ifndef INKAN_STORAGE_DRIVERS_H
#define INKAN_STORAGE_DRIVERS_H

#include "storage/driver.h"

/* The driver for a URL, which it has found good. ST_INVALID says what is wrong with it, or names
 * the schemes that this build knows; never does it repeat the URL. */
enum status drivers_find(const char *url, const struct driver **out, struct err *err) MUST_CHECK;

#endif
