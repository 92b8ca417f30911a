/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The old process's part of a take-over (handover.h). One new process at a time; others wait in the socket's queue, but not
 * for one that says nothing.
 */
#ifndef ECSDNS_FALLBACK_GIVE_H
#define ECSDNS_FALLBACK_GIVE_H

#include <stdint.h>
#include <sys/types.h>

struct fallback;

struct give {
	int listener;		/* the control socket; -1: none, or given away */
	int peer;		/* the new process; -1: none */
	enum give_stage {
		GIVE_GREETING,	/* until HELLO */
		GIVE_HOLDING,	/* until all workers hold */
		GIVE_OFFERED,	/* until READY */
		GIVE_RELEASED,	/* until SETTLED */
	} stage;
	int64_t until;		/* then the stage has to be over */
	pid_t process;
};

/* Is it a time to take a new process? */
int give_is_free(const struct give *give);

/* Takes a new process from the control socket, which is readable. */
void give_accept(struct fallback *fallback);

/* What the new process says. */
void give_hear(struct fallback *fallback);

/* Goes on if workers have done what it waits for, and back if it has waited for too long. */
void give_look(struct fallback *fallback);

/* We are to stop: what has been released stays the new one's. */
void give_stop(struct fallback *fallback);

#endif
