/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Jobs that make a generation: a push, a rollback, or what a start finds. They run one after the other in libuv's
 * worker thread, so that the control socket answers meanwhile.
 */
#ifndef ECSDNS_CONTROLLER_PUSH_H
#define ECSDNS_CONTROLLER_PUSH_H

#include "user/controller/controller.h"
#include "user/controller/note.h"

#define PUSHES_MAX 4	/* that run or wait */

/* How it is wanted. */
struct push_options {
	bool is_dry;			/* nothing is published */
	size_t list;			/* of what changes, told one by one: diff_json() */
	struct note note;		/* kept with the generation */
};

/*
 * Takes over a bundle's archive; `request`, which may wait, gets the reply. 0 or -errno: -EBUSY beyond PUSHES_MAX, -ESHUTDOWN
 * if the controller is about to end. A dry one says what would change.
 */
int push_bundle(struct controller *controller, struct http_request *request, uint8_t *archive, size_t length,
		const struct push_options *options);

/* The kept bundle of generation options->note.of as a new generation. Says what it changes. */
int push_rollback(struct controller *controller, struct http_request *request, const struct push_options *options);

/*
 * What a start does: adopts the live generation as it is; or, if the tables are empty or not those of before (home.h),
 * publishes the newest good bundle again. Then pushes --config, unless a kept generation was made of just this file: what was pushed or rolled back to after
 * that stays live, since no answer changes because of a start.
 */
int push_start(struct controller *controller);

/*
 * --fill, at once: what the state directory says is live, into tables that are nobody's yet. Neither the directory nor the
 * controller that works there is touched. 0 or -errno after messages.
 */
int push_fill(struct controller *controller);

/* Reads --config again and pushes it, unless it is the live one. reload_done() is called at the end. */
int push_config(struct controller *controller);

#endif
