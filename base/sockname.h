/* SPDX-License-Identifier: Apache-2.0
 *
 * The name of a listening or connecting socket as Postfix, Sendmail and libmilter users write
 * it: `inet:8891@127.0.0.1`, `inet6:8891@::1`, `inet:127.0.0.1:8891` (Postfix's order),
 * `unix:/path` or `local:/path`. Pure parsing; any thread.
 */
#ifndef INKAN_BASE_SOCKNAME_H
#define INKAN_BASE_SOCKNAME_H

#include "base/bytes.h"

enum sockname_family { SOCKNAME_INET, SOCKNAME_INET6, SOCKNAME_UNIX };

enum { SOCKNAME_HOST_SIZE = 256, SOCKNAME_PATH_SIZE = 108, SOCKNAME_TEXT_SIZE = 300 };

struct sockname {
    enum sockname_family family;
    char host[SOCKNAME_HOST_SIZE]; /* inet, inet6: "" is every address */
    uint16_t port;                 /* inet, inet6: 1 to 65535 */
    char path[SOCKNAME_PATH_SIZE]; /* unix: absolute */
};

/* ST_OK or ST_INVALID. */
enum status sockname_parse(struct span text, struct sockname *out, struct err *err) MUST_CHECK;
/* The form libmilter's smfi_setconn takes: inet:PORT@HOST, inet6:..., unix:PATH. */
void sockname_format(const struct sockname *name, char out[SOCKNAME_TEXT_SIZE]);
/* A connected stream socket (close-on-exec, TCP_NODELAY on TCP) before the deadline.
 * ST_TEMP with the reason when nobody answers. */
enum status sockname_connect(const struct sockname *name, int64_t deadline_ms, int *fd_out,
                             struct err *err) MUST_CHECK;

#endif
