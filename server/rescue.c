/* SPDX-License-Identifier: Apache-2.0 */
#include "server/rescue.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

enum { LOOK_EVERY_MS = 100, CONNECT_MS = 1000, DESCRIPTORS_MAX = 65536, CALLS_MAX = 64 };

/* Octets waiting on a connected socket; 0 for every other descriptor. */
static int octets_waiting(int fd)
{
    int listening = 0, waiting = 0;
    socklen_t len = sizeof listening;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) != 0 || listening != 0)
        return 0;
    return ioctl(fd, FIONREAD, &waiting) == 0 ? waiting : 0;
}

/* Whether exactly as much lies unread as at the last look. A session that is served may look so
 * by chance; the call that follows does no harm. */
static bool is_forgotten(struct rescue *rescue, int fd)
{
    if (fd < 0 || fd >= DESCRIPTORS_MAX)
        return false;
    int waiting = octets_waiting(fd);
    bool same = waiting > 0 && waiting == rescue->unread[fd];
    rescue->unread[fd] = waiting;
    return same;
}

static int count_forgotten(struct rescue *rescue)
{
    int forgotten = 0;
    const struct dirent *entry;
    DIR *directory = opendir("/proc/self/fd");
    if (directory == NULL)
        return 0;
    while ((entry = readdir(directory)) != NULL)
        if (ascii_digit(entry->d_name[0]))
            forgotten += is_forgotten(rescue, (int)strtol(entry->d_name, NULL, 10));
    closedir(directory);
    return forgotten;
}

/* Another worker may take the call; then the next look makes the next one. */
static void call(const struct rescue *rescue)
{
    int fd = -1;
    struct err err = {0};
    if (sockname_connect(rescue->name, clock_monotonic_ms() + CONNECT_MS, &fd, &err) == ST_OK)
        close(fd);
}

static void *rescue_thread(void *arg)
{
    struct rescue *rescue = arg;
    struct pollfd end = {.fd = rescue->end_fd, .events = POLLIN};
    while (poll(&end, 1, LOOK_EVERY_MS) <= 0) {
        int forgotten = count_forgotten(rescue);
        for (int i = 0; i < forgotten && i < CALLS_MAX; i++)
            call(rescue);
    }
    return NULL;
}

enum status rescue_start(struct rescue *rescue, const struct sockname *name, struct err *err)
{
    *rescue = (struct rescue){.name = name};
    rescue->unread = calloc(DESCRIPTORS_MAX, sizeof rescue->unread[0]);
    rescue->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int failed = rescue->unread == NULL || rescue->end_fd < 0
                     ? errno
                     : pthread_create(&rescue->thread, NULL, rescue_thread, rescue);
    if (failed == 0)
        return ST_OK;
    if (rescue->end_fd >= 0)
        close(rescue->end_fd);
    free(rescue->unread);
    *rescue = (struct rescue){0};
    return err_set(err, ST_TEMP, "worker: no thread: %s", strerror(failed));
}

void rescue_stop(struct rescue *rescue)
{
    if (rescue->name == NULL)
        return;
    eventfd_write(rescue->end_fd, 1);
    pthread_join(rescue->thread, NULL);
    close(rescue->end_fd);
    free(rescue->unread);
    *rescue = (struct rescue){0};
}
