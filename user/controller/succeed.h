/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * --take-over: the controller that runs is asked to end, as SIGTERM asks it: it finishes its pushes, saves the states of
 * members, and lets go of its locks. Any version of it understands that.
 */
#ifndef ECSDNS_CONTROLLER_SUCCEED_H
#define ECSDNS_CONTROLLER_SUCCEED_H

#include <sys/types.h>

/*
 * Returns when the process that listens on this control socket has ended: 0, with its number in *process, or with 0 there
 * if nobody listens; or -errno after a message, and it goes on.
 */
int succeed(const char *path, pid_t *process);

#endif
