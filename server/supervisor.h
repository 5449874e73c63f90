/* SPDX-License-Identifier: Apache-2.0
 *
 * The process that stays root: opens what needs root, forks the workers, restarts those that
 * crash, replaces all of them when the settings are read again (SIGHUP), and ends the service in
 * order (SIGTERM, SIGINT). It serves no connection, opens no store and has one thread.
 */
#ifndef INKAN_SERVER_SUPERVISOR_H
#define INKAN_SERVER_SUPERVISOR_H

#include "base/settings.h"

/* Runs the service until it is told to end and returns the exit code: 0 after an orderly stop,
 * else that of the class of the error, which has been logged. Takes the settings; `path` is read
 * again at SIGHUP. */
int supervisor_run(const char *path, struct settings *settings);

#endif
