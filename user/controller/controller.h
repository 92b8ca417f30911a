/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The controller's parts in one place. Everything here belongs to the loop's thread, except while a job runs: then
 * publisher, state's files and the tables are the job's, and the loop reads only what a job never changes in place. What
 * goes beside a job, health and administration, has locks of its own, and admin.json is the loop's.
 */
#ifndef ECSDNS_CONTROLLER_H
#define ECSDNS_CONTROLLER_H

/* First: <netinet/in.h>, which <uv.h> brings, has a macro of the name of a counter. */
#include "user/controller/generation.h"

#include <stdbool.h>
#include <uv.h>

#include "user/controller/http.h"
#include "user/controller/publish.h"
#include "user/controller/states.h"

#define CONTROL_SOCKET_DEFAULT "/run/ecsdns/control.sock"

struct push;
struct capturing;

struct controller {
	const char *pins;
	const char *state_path;
	const char *socket;
	const char *config;		/* --config, or null */
	int group;			/* of the socket; -1: the process's */
	uv_loop_t loop;
	struct http *http;
	struct tables tables;
	struct state state;
	struct publisher publisher;
	struct states states;		/* of members: publisher.health reads them */
	uint64_t health_version;	/* grows whenever what GET health says may have changed */
	struct ids ids;			/* of the live generation and before */
	struct generation *live;	/* null until a push or an adoption has ended */
	size_t used[TABLE_COUNT];	/* entries in use, as of the last job */
	struct capturing *capturing;	/* GET capture, while it runs */
	struct push *pushes;		/* the first one runs, the others wait */
	time_t started;
	uv_timer_t beating;
	bool resting;			/* a grace period for the reactions to come is waited for */
	bool stopping;
};

#endif
