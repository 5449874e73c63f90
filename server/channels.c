/* SPDX-License-Identifier: Apache-2.0 */
#include "server/channels.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static int open_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0)
        return -1;
    return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

enum status channels_open(struct channels *out, struct err *err)
{
    int ready[2] = {-1, -1}, stop[2] = {-1, -1};
    out->signals = open_signals();
    bool opened = out->signals >= 0 && pipe2(ready, O_CLOEXEC | O_NONBLOCK) == 0 &&
                  pipe2(stop, O_CLOEXEC) == 0;
    out->ready_read = ready[0];
    out->ready_write = ready[1];
    out->stop_read = stop[0];
    out->stop_write = stop[1];
    return opened ? ST_OK : err_set(err, ST_TEMP, "no signals or pipes: %s", strerror(errno));
}

void channels_close_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void channels_leave_to_supervisor(struct channels *channels)
{
    channels_close_end(&channels->signals);
    channels_close_end(&channels->ready_read);
    channels_close_end(&channels->stop_write);
}

void channels_stop(struct channels *channels)
{
    channels_close_end(&channels->stop_write);
}

void channels_close(struct channels *channels)
{
    channels_leave_to_supervisor(channels);
    channels_close_end(&channels->ready_write);
    channels_close_end(&channels->stop_read);
}
