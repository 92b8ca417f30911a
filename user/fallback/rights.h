/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef ECSDNS_FALLBACK_RIGHTS_H
#define ECSDNS_FALLBACK_RIGHTS_H

#include <sys/types.h>

/* A user's number; -1 for none (null). 0, or -ENOENT after a line in the log. */
int rights_find(const char *user, uid_t *uid);

/* Becomes this user for good, with CAP_NET_BIND_SERVICE and nothing else. 0, or -errno after a line in the log. */
int rights_drop(const char *user);

#endif
