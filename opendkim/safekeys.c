/* SPDX-License-Identifier: Apache-2.0 */
#include "opendkim/safekeys.h"

#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <uthash.h>

enum { NAME_SIZE = 256, GROUPS_MAX = 1024 };

/* Who else is in a group, if anybody is. */
struct members {
    gid_t gid;
    bool known; /* the group has an entry */
    char other[NAME_SIZE];
    UT_hash_handle hh;
};

struct safekeys {
    uid_t uid;
    char name[NAME_SIZE];
    gid_t groups[GROUPS_MAX];
    int group_count;
    struct members *members;
};

/* -- who OpenDKIM is ---------------------------------------------------------------------- */

static const struct passwd *find_user(const char *user)
{
    char name[NAME_SIZE];
    char *end = NULL;
    if (user == NULL || user[0] == '\0')
        return getpwuid(geteuid());
    snprintf(name, sizeof name, "%s", user);
    name[strcspn(name, ":")] = '\0';
    const struct passwd *found = getpwnam(name);
    unsigned long number = strtoul(name, &end, 10);
    if (found == NULL && name[0] != '\0' && *end == '\0')
        found = getpwuid((uid_t)number);
    return found;
}

enum status safekeys_new(const char *user, struct safekeys **out, struct err *err)
{
    struct safekeys *safekeys = calloc(1, sizeof *safekeys);
    *out = NULL;
    if (safekeys == NULL)
        return err_set(err, ST_TEMP, "no memory to look at key files");
    const struct passwd *found = find_user(user);
    if (found == NULL) {
        free(safekeys);
        return err_set(err, ST_INVALID, "%s: no such user", user == NULL ? "this user" : user);
    }
    safekeys->uid = found->pw_uid;
    snprintf(safekeys->name, sizeof safekeys->name, "%s", found->pw_name);
    safekeys->group_count = GROUPS_MAX;
    if (getgrouplist(safekeys->name, found->pw_gid, safekeys->groups, &safekeys->group_count) < 0)
        safekeys->group_count = GROUPS_MAX;
    *out = safekeys;
    return ST_OK;
}

void safekeys_free(struct safekeys *safekeys)
{
    struct members *members;
    struct members *next;
    if (safekeys == NULL)
        return;
    HASH_ITER(hh, safekeys->members, members, next)
    {
        HASH_DEL(safekeys->members, members);
        free(members);
    }
    free(safekeys);
}

/* -- groups ------------------------------------------------------------------------------- */

static void find_others(const struct safekeys *safekeys, struct members *members)
{
    const struct passwd *user;
    setpwent();
    while (members->other[0] == '\0' && (user = getpwent()) != NULL)
        if (user->pw_gid == members->gid && user->pw_uid != 0 && user->pw_uid != safekeys->uid)
            snprintf(members->other, sizeof members->other, "%s", user->pw_name);
    endpwent();
    const struct group *group = getgrgid(members->gid);
    members->known = group != NULL;
    for (size_t i = 0; group != NULL && group->gr_mem[i] != NULL; i++)
        if (members->other[0] == '\0' && strcmp(group->gr_mem[i], safekeys->name) != 0 &&
            strcmp(group->gr_mem[i], "root") != 0)
            snprintf(members->other, sizeof members->other, "%s", group->gr_mem[i]);
}

static enum status check_group(struct safekeys *safekeys, gid_t gid, struct err *err)
{
    struct members *members = NULL;
    HASH_FIND(hh, safekeys->members, &gid, sizeof gid, members);
    if (members == NULL) {
        members = calloc(1, sizeof *members);
        if (members == NULL)
            return err_set(err, ST_TEMP, "no memory to look at a group");
        members->gid = gid;
        find_others(safekeys, members);
        HASH_ADD(hh, safekeys->members, gid, sizeof members->gid, members);
        if (members->hh.tbl == NULL) {
            free(members);
            return err_set(err, ST_TEMP, "no memory to look at a group");
        }
    }
    if (members->other[0] != '\0')
        return err_set(err, ST_DENIED, "is open to group %u, in which %s is, too", (unsigned)gid,
                       members->other);
    if (!members->known)
        return err_set(err, ST_DENIED, "is open to group %u, which is not known", (unsigned)gid);
    return ST_OK;
}

/* -- places ------------------------------------------------------------------------------- */

static enum status check_file(struct safekeys *safekeys, const struct stat *info, struct err *err)
{
    if (info->st_uid != 0 && info->st_uid != safekeys->uid)
        return err_set(err, ST_DENIED, "belongs to uid %u, who is neither root nor uid %u",
                       (unsigned)info->st_uid, (unsigned)safekeys->uid);
    if ((info->st_mode & (S_IROTH | S_IWOTH)) != 0)
        return err_set(err, ST_DENIED, "can be read or written by others");
    if ((info->st_mode & (S_IRGRP | S_IWGRP)) != 0)
        return check_group(safekeys, info->st_gid, err);
    return ST_OK;
}

static enum status check_folder(struct safekeys *safekeys, const struct stat *info, struct err *err)
{
    if ((info->st_mode & S_IWOTH) != 0)
        return err_set(err, ST_DENIED, "can be written by others");
    if ((info->st_mode & S_IWUSR) != 0 && info->st_uid != 0 && info->st_uid != safekeys->uid)
        return err_set(err, ST_DENIED, "can be written by uid %u, who is neither root nor uid %u",
                       (unsigned)info->st_uid, (unsigned)safekeys->uid);
    if ((info->st_mode & S_IWGRP) != 0)
        return check_group(safekeys, info->st_gid, err);
    return ST_OK;
}

/* Whether the user may read the file, or go through the directory. */
static enum status check_access(const struct safekeys *safekeys, const struct stat *info,
                                struct err *err)
{
    mode_t wanted = S_ISDIR(info->st_mode) ? 01 : 04;
    mode_t given = info->st_mode & 07;
    if (safekeys->uid == 0)
        return ST_OK;
    for (int i = 0; i < safekeys->group_count; i++)
        if (safekeys->groups[i] == info->st_gid)
            given = info->st_mode >> 3 & 07;
    if (info->st_uid == safekeys->uid)
        given = info->st_mode >> 6 & 07;
    if ((given & wanted) != 0)
        return ST_OK;
    return err_set(err, ST_DENIED, "cannot be %s by %s",
                   S_ISDIR(info->st_mode) ? "entered" : "read", safekeys->name);
}

typedef enum status look(struct safekeys *safekeys, const struct stat *info, struct err *err);

static enum status look_safe(struct safekeys *safekeys, const struct stat *info, struct err *err)
{
    if (S_ISREG(info->st_mode))
        return check_file(safekeys, info, err);
    return S_ISDIR(info->st_mode) ? check_folder(safekeys, info, err) : ST_OK;
}

static enum status look_readable(struct safekeys *safekeys, const struct stat *info,
                                 struct err *err)
{
    return check_access(safekeys, info, err);
}

/* From the root to the file itself. */
static enum status walk(struct safekeys *safekeys, look *what, const struct files_place *place,
                        struct err *err)
{
    struct stat info;
    for (size_t len = place->root_len;; len++) {
        bool whole = place->path[len] == '\0';
        if (!whole && place->path[len] != '/')
            continue;
        char part[PATH_MAX] = "/";
        if (len > 0)
            snprintf(part, sizeof part, "%.*s", (int)len, place->path);
        if (stat(part, &info) != 0)
            return err_set(err, ST_DENIED, "%s: cannot be looked at", part);
        if (what(safekeys, &info, err) != ST_OK)
            return err_context(err, "%s", part);
        if (whole)
            return ST_OK;
    }
}

/* Without an entry for its user OpenDKIM compares with a number that nobody has set. */
static bool knows_user(const struct safekeys *safekeys, const char *root)
{
    struct files_place list;
    struct err err;
    const struct passwd *entry;
    bool known = false;
    if (files_resolve(root, "/etc/passwd", &list, &err) != ST_OK)
        return false;
    FILE *file = fopen(list.path, "re");
    while (file != NULL && !known && (entry = fgetpwent(file)) != NULL)
        known = entry->pw_uid == safekeys->uid;
    if (file != NULL)
        fclose(file);
    return known;
}

enum status safekeys_check(struct safekeys *safekeys, const struct files_place *place,
                           struct err *err)
{
    char root[PATH_MAX];
    snprintf(root, sizeof root, "%.*s", (int)place->root_len, place->path);
    if (place->root_len > 0 && !knows_user(safekeys, root))
        return err_set(err, ST_DENIED, "%s/etc/passwd does not know OpenDKIM's user", root);
    return walk(safekeys, look_safe, place, err);
}

enum status safekeys_readable(struct safekeys *safekeys, const struct files_place *place,
                              struct err *err)
{
    return walk(safekeys, look_readable, place, err);
}
