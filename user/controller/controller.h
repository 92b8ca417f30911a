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

#include "user/controller/announce.h"
#include "user/controller/figures.h"
#include "user/controller/http.h"
#include "user/controller/page.h"
#include "user/controller/publish.h"
#include "user/controller/states.h"

#define CONTROL_SOCKET_DEFAULT "/run/ecsdns/control.sock"

struct push;
struct reload;
struct metrics;
struct capturing;

struct controller {
	const char *pins;
	const char *state_path;
	const char *socket;
	const char *config;		/* --config, or null */
	bool watch;			/* it and what it names */
	struct reload *reload;
	const char *metrics_address;	/* --metrics, or null */
	int metrics_services;		/* enum metrics_services */
	const char *cookie_secrets;	/* --cookie-secrets, or null */
	int group;			/* of the socket; -1: the process's */
	bool take_over;			/* --take-over */
	bool fill;			/* --fill: the state directory is another's, and is only read */
	uv_loop_t loop;
	struct http *http;
	struct page stats;
	struct metrics *metrics;
	struct figures figures;
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
	struct announcements announcements;
	time_t started;
	uv_timer_t beating;
	bool resting;			/* a grace period for the reactions to come is waited for */
	bool stopping;
	bool has_begun;			/* the start's job is done, well or not */
	bool is_home;			/* home.json has these tables; the job's */
	pid_t before;			/* the process that we took over from, 0: none; and when it was asked to end */
	uint64_t before_ended;
};

#endif
