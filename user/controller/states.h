/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The states of members: what checks say (states_verdicts(), in states.c) and, laid over it, what the operator says
 * (admin.h). This is the one place that knows both; compile, react, explain and the control API take it from here.
 *
 * The settings are in admin.json in the state directory, read before the first answers are published or taken over, and
 * saved before a change is acknowledged. A file that cannot be read keeps the controller from starting. The verdicts of checks
 * are in health.json and health.journal, before answers follow them; if health.json cannot be read, they are found anew, and answers
 * stay until every check has told.
 *
 * The loop's thread changes them, and may read them without the lock; other threads call what says so. Whoever holds the
 * publisher's lock may take this one, not the other way round.
 */
#ifndef ECSDNS_CONTROLLER_STATES_H
#define ECSDNS_CONTROLLER_STATES_H

#include <pthread.h>

#include "user/controller/admin.h"
#include "user/controller/checks.h"
#include "user/controller/compile.h"
#include "user/controller/state.h"

/*
 * What the settings come to in one configuration, so that a verdict need not look for names: with 100,000 members that
 * takes longer than the whole reaction.
 */
struct states_overlay {
	uint64_t config;	/* its serial; 0: none */
	struct states_decided {
		uint32_t member;
		bool is_down;
		enum admin_action action;
	} *list;
	size_t count;
};

struct states {
	const struct state *state;
	pthread_mutex_t lock;	/* of the settings and what they come to, for other threads */
	struct admin admin;
	struct states_overlay overlays[2];	/* of the live configuration and one to come, as they are asked for */
	unsigned int oldest;			/* of these */
	bool is_saved;		/* settings were, maybe none; at the start, or since the first change */
	bool are_verdicts_saved;	/* likewise */
	bool is_behind;		/* answers are of states that nobody knows, and stay until every check has told */
	/* verdicts; null before states_watch() */
	struct checks *checks;
	struct health_saved saved;		/* of the process before, until they are loaded */
	uv_timer_t saving;
	uint64_t save_milliseconds;		/* that the last time took */
	int journal;				/* verdicts since health.json was written; -1: there is none */
	bool journal_fails, save_fails;		/* and that was said */
	bool has_round;				/* every check has told, since the configuration was loaded */
	bool has_changed;			/* verdicts have, and answers have not followed */
	void (*changed)(void *context);
	void *context;
};

/* `state` must live as long. 0; or -errno with an error in `faults` that says what to do. */
int states_init(struct states *states, const struct state *state, struct faults *faults);
void states_free(struct states *states);

/*
 * Makes ready to check on this loop, with the verdicts of health.json. `changed` is called in its thread, without a lock held, when
 * answers have to follow. 0 or -errno with errors in `faults`; warnings are for the log.
 */
int states_watch(struct states *states, uv_loop_t *loop, void (*changed)(void *context), void *context,
		 struct faults *faults);

/*
 * These members are checked from now on. The configuration must live until the next call, or states_stop(). 0; or -ENOMEM, told in
 * the log: those before go on, and theirs has to live on.
 */
int states_load(struct states *states, const struct config *config);

/* Whether what was saved tells the states of these members. */
bool states_are_known(const struct states *states, const struct config *config);

/* Saves the verdicts and ends all checks; the loop has to run until it ends by itself. */
void states_stop(struct states *states);

/* What its checks have come to; null: it has none, or another configuration is checked. */
const struct health_member *states_member(const struct states *states, const struct config *config, uint32_t number);

/* A health_source's read(), with the states as its context. Any thread. */
void states_down(void *context, const struct config *config, uint8_t *down);

/* Warns of settings that mean nothing in this configuration. Any thread. */
void states_warn(struct states *states, const struct config *config, struct faults *faults);

/*
 * The setting of an object, or for null none any more: on the disk, and then in force for whoever reads the states. 0; or
 * -errno, and nothing has changed: -ENOSPC also for too many settings, when admin.count is ADMIN_SETTINGS_MAX.
 */
int states_administer(struct states *states, const char *object, const struct admin_setting *setting);

/* What can be said of each member in a moment, however many there are. The loop's thread. */
struct states_glance {
	uint8_t *down;		/* not 0: it is down for answers */
	uint8_t *actions;	/* enum admin_action that decides; ADMIN_ACTION_COUNT: checks do */
	uint8_t *results;	/* enum check_reason of its last check; CHECK_REASON_COUNT: none */
};

/* The caller frees it, also after -ENOMEM. */
int states_glance(struct states *states, const struct config *config, struct states_glance *glance);
void states_glance_free(struct states_glance *glance);

/* All there is to say of each member, by number, for people. */
struct states_view {
	uint8_t *verdicts;	/* not 0: checks say that it is down */
	uint8_t *down;		/* not 0: it is down for answers */
	const struct admin_setting **causes;	/* that decide; null: checks do. Valid until the next change. */
};

/* The caller frees it, also after -ENOMEM. */
int states_view(const struct states *states, const struct config *config, struct states_view *view);
void states_view_free(struct states_view *view);

#endif
