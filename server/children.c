/* SPDX-License-Identifier: Apache-2.0 */
#include "server/children.h"

#include <stdlib.h>

enum { BACKOFF_FIRST_MS = 100, BACKOFF_LAST_MS = 10000, LONG_LIFE_MS = 60000 };

static struct child *free_place(struct children *children)
{
    for (size_t i = 0; i < children->count; i++)
        if (children->list[i].generation == 0)
            return &children->list[i];
    struct child *list = reallocarray(children->list, children->count + 1, sizeof *list);
    if (list == NULL)
        return NULL;
    children->list = list;
    return &list[children->count++];
}

struct child *children_add(struct children *children, unsigned generation, int64_t now_ms)
{
    struct child *child = free_place(children);
    if (child != NULL)
        *child = (struct child){.generation = generation, .restart_ms = now_ms};
    return child;
}

struct child *children_find(struct children *children, pid_t pid)
{
    for (size_t i = 0; i < children->count; i++)
        if (children->list[i].pid == pid)
            return &children->list[i];
    return NULL;
}

void children_schedule(struct child *child, int64_t now_ms)
{
    bool first = child->backoff_ms == 0 || now_ms - child->started_ms >= LONG_LIFE_MS;
    int64_t longer = child->backoff_ms * 2;
    child->backoff_ms = first ? BACKOFF_FIRST_MS : longer;
    if (child->backoff_ms > BACKOFF_LAST_MS)
        child->backoff_ms = BACKOFF_LAST_MS;
    child->pid = 0;
    child->ready = false;
    child->restart_ms = now_ms + child->backoff_ms;
}

static bool belongs(const struct child *child, unsigned generation)
{
    return child->generation != 0 && (generation == 0 || child->generation == generation);
}

void children_dismiss(struct children *children, unsigned generation, int64_t kill_ms)
{
    for (size_t i = 0; i < children->count; i++) {
        struct child *child = &children->list[i];
        if (!belongs(child, generation))
            continue;
        if (child->pid == 0)
            *child = (struct child){0};
        else if (child->kill_ms == 0 || kill_ms < child->kill_ms)
            child->kill_ms = kill_ms;
    }
}

size_t children_running(const struct children *children, unsigned generation)
{
    size_t running = 0;
    for (size_t i = 0; i < children->count; i++)
        running += belongs(&children->list[i], generation) && children->list[i].pid != 0;
    return running;
}

size_t children_ready(const struct children *children, unsigned generation)
{
    size_t ready = 0;
    for (size_t i = 0; i < children->count; i++)
        ready += belongs(&children->list[i], generation) && children->list[i].ready;
    return ready;
}

int children_wait_ms(const struct children *children, int64_t now_ms)
{
    int64_t next_ms = INT64_MAX;
    for (size_t i = 0; i < children->count; i++) {
        const struct child *child = &children->list[i];
        int64_t due_ms = child->pid == 0 ? child->restart_ms : child->kill_ms;
        if (child->generation != 0 && due_ms != 0 && due_ms < next_ms)
            next_ms = due_ms;
    }
    if (next_ms == INT64_MAX)
        return -1;
    return next_ms <= now_ms ? 0 : (int)(next_ms - now_ms);
}

void children_clear(struct children *children)
{
    free(children->list);
    *children = (struct children){0};
}
