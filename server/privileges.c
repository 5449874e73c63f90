/* SPDX-License-Identifier: Apache-2.0 */
#include "server/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static enum status find_user(const char *name, struct privileges *out, struct err *err)
{
    errno = 0;
    const struct passwd *entry = getpwnam(name);
    if (entry == NULL)
        return err_set(err, ST_INVALID, "[server] user: \"%s\": %s", name,
                       errno == 0 ? "no such user" : strerror(errno));
    out->uid = entry->pw_uid;
    out->gid = entry->pw_gid;
    return ST_OK;
}

static enum status find_group(const char *name, struct privileges *out, struct err *err)
{
    errno = 0;
    const struct group *entry = getgrnam(name);
    if (entry == NULL)
        return err_set(err, ST_INVALID, "[server] group: \"%s\": %s", name,
                       errno == 0 ? "no such group" : strerror(errno));
    out->gid = entry->gr_gid;
    return ST_OK;
}

enum status privileges_find(const struct settings *settings, struct privileges *out,
                            struct err *err)
{
    const char *user = settings->server.user, *group = settings->server.group;
    enum status status = ST_OK;
    *out = (struct privileges){.user = user, .uid = geteuid(), .gid = getegid()};
    if (user[0] != '\0')
        status = find_user(user, out, err);
    if (status == ST_OK && group[0] != '\0')
        status = find_group(group, out, err);
    bool named = user[0] != '\0' || group[0] != '\0';
    out->socket_group = named ? out->gid : (gid_t)-1;
    out->drop = named && geteuid() == 0;
    return status;
}

enum status privileges_hide_memory(struct err *err)
{
    struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return err_set(err, ST_BROKEN, "cannot switch core dumps off: %s", strerror(errno));
    return ST_OK;
}

static enum status change_identity(const struct privileges *p, struct err *err)
{
    int groups = p->user[0] != '\0' ? initgroups(p->user, p->gid) : setgroups(1, &p->gid);
    if (groups != 0)
        return err_set(err, ST_BROKEN, "cannot set the groups: %s", strerror(errno));
    if (setresgid(p->gid, p->gid, p->gid) != 0)
        return err_set(err, ST_BROKEN, "cannot become group %u: %s", p->gid, strerror(errno));
    if (setresuid(p->uid, p->uid, p->uid) != 0)
        return err_set(err, ST_BROKEN, "cannot become user %u: %s", p->uid, strerror(errno));
    return ST_OK;
}

static bool identity_is(const struct privileges *p)
{
    uid_t uid, effective_uid, saved_uid;
    gid_t gid, effective_gid, saved_gid;
    return getresuid(&uid, &effective_uid, &saved_uid) == 0 &&
           getresgid(&gid, &effective_gid, &saved_gid) == 0 && uid == p->uid &&
           effective_uid == p->uid && saved_uid == p->uid && gid == p->gid &&
           effective_gid == p->gid && saved_gid == p->gid;
}

static enum status drop(const struct privileges *p, struct err *err)
{
    enum status status = change_identity(p, err);
    if (status != ST_OK)
        return status;
    if (!identity_is(p) || (p->uid != 0 && (setuid(0) == 0 || seteuid(0) == 0)))
        return err_set(err, ST_BROKEN, "root could not be given up");
    return ST_OK;
}

enum status privileges_drop(const struct privileges *privileges, struct err *err)
{
    enum status status = privileges->drop ? drop(privileges, err) : ST_OK;
    if (status == ST_OK && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        status = err_set(err, ST_BROKEN, "cannot set no_new_privs: %s", strerror(errno));
    return status == ST_OK ? privileges_hide_memory(err) : status;
}
