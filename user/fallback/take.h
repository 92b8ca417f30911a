/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The new process's part of a take-over (handover.h). */
#ifndef ECSDNS_FALLBACK_TAKE_H
#define ECSDNS_FALLBACK_TAKE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct fallback;

struct take {
	int peer;		/* the old process; -1: none, or settled */
	pid_t process;
	int control;		/* the control socket; ours when we have settled */
	int *sockets;		/* offered, and not yet given to workers */
	size_t count;
	int64_t settle_at;	/* until then our workers are on trial */
};

/*
 * Asks the old process, to which `peer` is connected, for its sockets. Takes its time; -EINTR: a signal came. 0 or -errno
 * after a line in the log.
 */
int take_sockets(struct fallback *fallback);

/* Gives them to the workers, who wait. 0 or -errno after a line in the log. */
int take_adopt(struct fallback *fallback);

/* Returns when nobody else reads the sockets any more. 0 or -errno after a line in the log. */
int take_release(struct fallback *fallback);

/*
 * From the moment that our workers read: the old process has something to say, or the trial may be over. If we are told
 * to stop before it is, the old one goes on.
 */
void take_hear(struct fallback *fallback);
void take_look(struct fallback *fallback);

/* Closes what is left of a take-over that failed. */
void take_end(struct take *take);

#endif
