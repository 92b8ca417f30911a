/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The checks of a configuration, run on the loop: of each member that has one, once an interval, with a jitter that
 * keeps them spread; and the verdicts that come of them. Everything here is called in the loop's thread.
 *
 * A controller wires it like this:
 *
 *	at start	checks = checks_new(&loop, &(struct checks_owner){on_changed, on_held, controller});
 *			state_read(&state, "health.json", ...); health_saved_parse(...)		health_save.h
 *	on push		checks_load(checks, generation->config, saved): after which the old configuration may be freed
 *	to compile	struct health health = {checks_down(checks), config->member_count};
 *			for a configuration not loaded yet: checks_down_of(checks, config, saved, down)
 *	on change	on_changed(controller, member): the answers of whoever uses pool `member` is in;
 *			health_save_text(...), state_write(&state, "health.json", ...), not for each of a burst
 *	at the end	checks_stop(checks), and let the loop run until it ends by itself
 */
#ifndef ECSDNS_CONTROLLER_CHECKS_H
#define ECSDNS_CONTROLLER_CHECKS_H

#include <pthread.h>

#include "user/controller/check.h"
#include "user/controller/health_save.h"

struct checks;

struct checks_owner {
	/* checks_down() has changed at this member, a number over all pools. No checks_load() or checks_stop() in it. */
	void (*changed)(void *context, uint32_t member);
	/* A result has been dealt with, and the lock is free again. May be null. */
	void (*settled)(void *context);
	/* Held while what checks_down_of() reads is changed by a result, for whoever calls that in another thread. May be null. */
	pthread_mutex_t *lock;
	/* Every check fails, and verdicts are held; or no longer. May be null: it is logged anyway. */
	void (*held)(void *context, bool is_holding);
	void *context;
};

/* Null without memory. */
struct checks *checks_new(uv_loop_t *loop, const struct checks_owner *owner);

/*
 * Runs these from now on, in place of those before. `config` has to live until the next checks_load() or checks_stop(). A
 * member of the same pool, name and address keeps its verdict and history; if its check asks the same, too, it goes on
 * where it was, else the first result decides. Of others `saved` (may be null) tells, and rise and fall go on from there, or they
 * are unknown, which is up, and the first result decides; but failures within its check's grace do not count before a success.
 * 0, or -ENOMEM: all is as it was.
 */
int checks_load(struct checks *checks, const struct config *config, const struct health_saved *saved);

/* Kills what runs. The loop frees all of it. */
void checks_stop(struct checks *checks);

/* config->member_count of them, for struct health; not 0: down. Valid until the next checks_load(). */
const uint8_t *checks_down(const struct checks *checks);

/* What checks_down() would begin with after a checks_load() of this: down[config->member_count]. 0 or -ENOMEM. */
int checks_down_of(const struct checks *checks, const struct config *config, const struct health_saved *saved,
		   uint8_t *down);

/* A paused member is not checked and keeps its verdict, until it is resumed, or the next checks_load(). */
void checks_pause(struct checks *checks, uint32_t member, bool is_paused);

const struct health_member *checks_member(const struct checks *checks, uint32_t number);
/* Its last result; CHECK_REASON_COUNT: none of this process, or of another check, or it has no check. */
enum check_reason checks_last(const struct checks *checks, uint32_t number);
const struct config *checks_config(const struct checks *checks);	/* null before the first checks_load() */

struct checks_figures {
	uint64_t started, ended;
	uint64_t results[CHECK_REASON_COUNT];
	uint32_t running, running_most;		/* now, and ever */
	uint32_t queued, queued_most;		/* due, while there is no room */
	uint32_t max_running;			/* as far as the limit of open files allows */
	uint32_t checked, down;			/* members with a check, and those of them that are down */
	uint64_t late;				/* milliseconds since the first of those that wait should have begun */
	bool is_holding;
};
const struct checks_figures *checks_figures(struct checks *checks);

/* Has a check told of every member that is not paused? Failures that do not count, in its grace or while verdicts are held, do not. */
bool checks_have_told(struct checks *checks);

#endif
