/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

enum { WIDTH = 40, PERIOD_MS = 100 };

static void draw(const struct progress *progress)
{
    static const char full[WIDTH + 1] = "########################################";
    int64_t total = progress->total > 0 ? progress->total : 1;
    int64_t done = progress->done < total ? progress->done : total;
    int filled = (int)(done * WIDTH / total);
    if (progress->total == 0) {
        fprintf(stderr, "\r%s %" PRId64, progress->what, progress->done);
        return;
    }
    fprintf(stderr, "\r%s [%.*s%*s] %" PRId64 "/%" PRId64, progress->what, filled, full,
            WIDTH - filled, "", progress->done, progress->total);
}

void progress_begin(struct progress *progress, const char *what, int64_t total)
{
    *progress = (struct progress){.what = what, .total = total, .shown = isatty(STDERR_FILENO)};
    progress_add(progress, 0);
}

void progress_add(struct progress *progress, int64_t steps)
{
    int64_t now_ms = clock_monotonic_ms();
    progress->done += steps;
    if (!progress->shown || now_ms - progress->drawn_ms < PERIOD_MS)
        return;
    progress->drawn_ms = now_ms;
    draw(progress);
}

void progress_end(struct progress *progress)
{
    if (progress->shown)
        fputs("\r\033[K", stderr);
}
