/* SPDX-License-Identifier: Apache-2.0 */
#include "base/process.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BOOT_SIZE = 40, STAT_SIZE = 1024, STATE_FIELD = 3, START_FIELD = 22 };

/* The first line of a file of /proc, without its end. */
static bool read_line(const char *path, char *out, size_t size)
{
    FILE *file = fopen(path, "re");
    bool read = file != NULL && fgets(out, (int)size, file) != NULL;
    if (file != NULL)
        fclose(file);
    if (read)
        out[strcspn(out, "\n")] = '\0';
    return read;
}

enum presence { PRESENCE_THERE, PRESENCE_GONE, PRESENCE_UNKNOWN };

/* What does not show in /proc may be another user's that /proc hides (hidepid). */
static enum presence ask_kernel(long pid)
{
    bool none = pid <= 0 || pid > INT_MAX || (kill((pid_t)pid, 0) != 0 && errno == ESRCH);
    return none ? PRESENCE_GONE : PRESENCE_UNKNOWN;
}

/* Also when the process was started, in ticks since boot. One of which nothing is left but what its
 * parent has to take notice of is gone. Its name, in parentheses, may hold anything. */
static enum presence look_at(long pid, uint64_t *start_out)
{
    char path[64], text[STAT_SIZE], state = '\0';
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    if (!read_line(path, text, sizeof text))
        return ask_kernel(pid);
    const char *at = strrchr(text, ')');
    for (int field = STATE_FIELD; at != NULL && field <= START_FIELD; field++) {
        at = strchr(at + 1, ' ');
        if (at != NULL && field == STATE_FIELD)
            state = at[1];
    }
    if (at == NULL || sscanf(at, "%" SCNu64, start_out) != 1)
        return PRESENCE_UNKNOWN;
    return state == 'Z' || state == 'X' ? PRESENCE_GONE : PRESENCE_THERE;
}

/* Where numbers of processes count. */
static bool read_place(char out[PROCESS_MARK_SIZE])
{
    char boot[BOOT_SIZE];
    struct stat numbers;
    if (!read_line("/proc/sys/kernel/random/boot_id", boot, sizeof boot) ||
        stat("/proc/self/ns/pid", &numbers) != 0)
        return false;
    snprintf(out, PROCESS_MARK_SIZE, "%s:%ju", boot, (uintmax_t)numbers.st_ino);
    return true;
}

enum status process_mark(char out[PROCESS_MARK_SIZE], struct err *err)
{
    char place[PROCESS_MARK_SIZE];
    uint64_t start;
    long pid = (long)getpid();
    if (!read_place(place) || look_at(pid, &start) != PRESENCE_THERE)
        return err_set(err, ST_TEMP, "/proc does not tell what processes there are");
    snprintf(out, PROCESS_MARK_SIZE, "%ld:%" PRIu64 ":%.80s", pid, start, place);
    return ST_OK;
}

bool process_is_gone(const char *mark)
{
    char place[PROCESS_MARK_SIZE];
    long pid;
    uint64_t start, now;
    int length = 0;
    if (sscanf(mark, "%ld:%" SCNu64 ":%n", &pid, &start, &length) != 2 || length == 0)
        return false;
    if (!read_place(place) || strcmp(mark + length, place) != 0)
        return false;
    enum presence presence = look_at(pid, &now);
    return presence == PRESENCE_GONE || (presence == PRESENCE_THERE && now != start);
}
