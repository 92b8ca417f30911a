/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Jobs that make a generation: a push, a rollback, or what a start finds. They run one after the other in libuv's
 * worker thread, so that the control socket answers meanwhile.
 */
#ifndef ECSDNS_CONTROLLER_PUSH_H
#define ECSDNS_CONTROLLER_PUSH_H

#include "user/controller/controller.h"

#define PUSHES_MAX 4	/* that run or wait */

/*
 * Takes over a bundle's archive; `request`, which may wait, gets the reply. 0 or -errno: -EBUSY beyond PUSHES_MAX, -ESHUTDOWN
 * if the controller is about to end.
 */
int push_bundle(struct controller *controller, struct http_request *request, uint8_t *archive, size_t length,
		bool is_dry);

/* The kept bundle of a generation as a new generation. */
int push_rollback(struct controller *controller, struct http_request *request, uint32_t generation);

/*
 * What a start does: adopts the live generation as it is; or, if the tables are empty or not those of before (home.h),
 * publishes the newest good bundle again; or pushes --config; or nothing.
 */
int push_start(struct controller *controller);

/*
 * --fill, at once: what the state directory says is live, into tables that are nobody's yet. Neither the directory nor the
 * controller that works there is touched. 0 or -errno after messages.
 */
int push_fill(struct controller *controller);

#endif
