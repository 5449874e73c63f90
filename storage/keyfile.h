/* SPDX-License-Identifier: Apache-2.0
 *
 * The keyring file as text: reading it with its checks of owner and mode, writing a new one
 * so that a crash leaves the old or the new file and never half of one. Only storage/vault.c
 * uses it.
 */
#ifndef INKAN_STORAGE_KEYFILE_H
#define INKAN_STORAGE_KEYFILE_H

#include "base/bytes.h"

enum { KEYFILE_MAX = 65536 };

/* The content into a secret buffer with the limit KEYFILE_MAX, as of secretfile_read for the owner
 * alone. */
enum status keyfile_read(const char *path, struct buf *content, struct err *err) MUST_CHECK;
/* Makes the file with mode 0600. ST_CONFLICT when it is there. */
enum status keyfile_create(const char *path, struct span content, struct err *err) MUST_CHECK;
/* Keeps other callers of keyfile_lock out between reading the file and replacing it, until the
 * descriptor in *fd_out is closed. The lock is on the folder, since the file itself is replaced.
 * ST_CONFLICT at once when somebody else has it. */
enum status keyfile_lock(const char *path, int *fd_out, struct err *err) MUST_CHECK;
/* Puts a new file in the place of the old one, with the old one's owner; a link to it stays one.
 * The caller holds the lock. */
enum status keyfile_replace(const char *path, struct span content, struct err *err) MUST_CHECK;

#endif
