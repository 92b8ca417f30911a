// SPDX-License-Identifier: GPL-3.0-or-later
#include "user/controller/checks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>

#include "user/common/log.h"

/* The first round is soon over, but no storm: a member every few milliseconds, all within seconds. */
#define FIRST_STEP 10		/* milliseconds */
#define FIRST_ROUND_MAX 5000
#define JITTER 20		/* an interval varies by a 20th of it, up or down */
#define STARTS_OF_TURN 32	/* of the loop: those that run come before those that begin, when there is much to do */
#define FILES_SPARE 256		/* that others in this process may want open */
#define RUNNING_LEAST 16

/* A member and its check. It runs, or is queued to, or is in the heap until it is due. */
struct entry {
	struct checks *checks;
	uint32_t member;		/* over all pools */
	struct check_target target;
	struct check *running;
	uint64_t due;			/* milliseconds of the loop's clock */
	bool is_first;			/* no check of it has ended */
	enum check_reason last;		/* CHECK_REASON_COUNT: none yet */
	bool is_paused;			/* none is to begin */
	uint64_t grace_ends;		/* like due; failures before do not count, until there is a success */
	struct entry *next;		/* in the queue */
};

struct round {				/* all that belongs to one configuration */
	const struct config *config;
	struct entry *entries;
	size_t entry_count;
	uint32_t *entry_of;		/* by member; CONFIG_NONE: it has no check */
	struct health_member *members;
	uint8_t *down;
	uint8_t *unable;		/* by check in config->checks: said so already */
	struct entry **heap;		/* the next due first */
	size_t heap_count;
	size_t told;			/* of these entries, from the first one on, a check has told */
	struct words names;		/* health_name() of each member */
};

/* Checks that are due wait here for room. Programs wait apart: they cost more than sockets, and fewer of them run. */
enum lane_number { LANE_OTHERS, LANE_PROGRAMS, LANE_COUNT };

struct lane {
	struct entry *queue, **queue_tail;
	uint32_t running, max_running;
};

struct checks {
	uv_loop_t *loop;
	struct checks_owner owner;
	struct check_engine *engine;
	uv_timer_t timer;
	struct round *round;
	struct lane lanes[LANE_COUNT];
	struct health_set set;
	struct checks_figures figures;
	unsigned int seed;
};

static void checks_on_timer(uv_timer_t *timer);
static void checks_on_done(void *context, const struct check_result *result);
static void checks_on_verdict(void *context, size_t member);
static void round_free(struct round *round);
static int round_new(struct checks *checks, const struct config *config, const struct health_saved *saved,
		     struct round **out);
static void round_adopt(struct checks *checks, struct round *round);

struct checks *checks_new(uv_loop_t *loop, const struct checks_owner *owner)
{
	struct checks *checks = calloc(1, sizeof(*checks));

	if (!checks)
		return NULL;
	checks->loop = loop;
	checks->owner = *owner;
	checks->engine = check_engine_new(loop);
	if (!checks->engine) {
		free(checks);
		return NULL;
	}
	if (getrandom(&checks->seed, sizeof(checks->seed), GRND_NONBLOCK) < 0)
		checks->seed = uv_hrtime();
	uv_timer_init(loop, &checks->timer);
	checks->timer.data = checks;
	return checks;
}

static void checks_on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void checks_stop(struct checks *checks)
{
	for (size_t i = 0; checks->round && i < checks->round->entry_count; i++)
		if (checks->round->entries[i].running)
			check_cancel(checks->round->entries[i].running);
	round_free(checks->round);
	check_engine_free(checks->engine);
	uv_close((uv_handle_t *)&checks->timer, checks_on_closed);
}

/* -- when -- */

static uint32_t checks_draw(struct checks *checks, uint32_t below)
{
	return below ? rand_r(&checks->seed) % below : 0;
}

/* The first due at heap[0]; children of i at 2i + 1 and 2i + 2. */
static void heap_add(struct round *round, struct entry *entry)
{
	size_t at = round->heap_count++, parent;

	for (; at; at = parent) {
		parent = (at - 1) / 2;
		if (round->heap[parent]->due <= entry->due)
			break;
		round->heap[at] = round->heap[parent];
	}
	round->heap[at] = entry;
}

static struct entry *heap_take(struct round *round)
{
	struct entry *first = round->heap[0], *last = round->heap[--round->heap_count];
	size_t at = 0, child;

	for (; (child = 2 * at + 1) < round->heap_count; at = child) {
		if (child + 1 < round->heap_count && round->heap[child + 1]->due < round->heap[child]->due)
			child++;
		if (round->heap[child]->due >= last->due)
			break;
		round->heap[at] = round->heap[child];
	}
	round->heap[at] = last;
	return first;
}

static bool queue_may_run(const struct checks *checks)
{
	for (const struct lane *lane = checks->lanes; lane < checks->lanes + LANE_COUNT; lane++)
		if (lane->queue && lane->running < lane->max_running)
			return true;
	return false;
}

static void checks_arm(struct checks *checks)
{
	const struct round *round = checks->round;
	uint64_t now = uv_now(checks->loop);

	if (queue_may_run(checks))
		uv_timer_start(&checks->timer, checks_on_timer, 1, 0);
	else if (!round->heap_count)
		uv_timer_stop(&checks->timer);
	else
		uv_timer_start(&checks->timer, checks_on_timer,
			       round->heap[0]->due > now ? round->heap[0]->due - now : 0, 0);
}

/* An interval after it was due, whenever it ran; but the second time anywhere in the interval, where there is room. */
static void entry_plan(struct entry *entry)
{
	struct checks *checks = entry->checks;
	uint32_t interval = entry->target.check->interval, jitter = interval / JITTER;
	uint64_t now = uv_now(checks->loop);

	if (entry->is_first)
		entry->due += interval / 2 + checks_draw(checks, interval / 2);
	else
		entry->due += interval - jitter + checks_draw(checks, 2 * jitter);
	entry->is_first = false;
	if (entry->due < now)
		entry->due = now;
	heap_add(checks->round, entry);
}

static struct lane *entry_lane(const struct entry *entry)
{
	return &entry->checks->lanes[entry->target.check->type == CONFIG_CHECK_exec ? LANE_PROGRAMS : LANE_OTHERS];
}

/* Its place is free for another: when the check has ended, or is cancelled. */
static void entry_ended(struct entry *entry)
{
	entry->running = NULL;
	entry_lane(entry)->running--;
	entry->checks->figures.running--;
	entry->checks->figures.ended++;
}

static void entry_start(struct entry *entry)
{
	struct checks *checks = entry->checks;
	struct checks_figures *figures = &checks->figures;

	if (entry->is_paused) {
		entry_plan(entry);
		return;
	}
	health_begin(&checks->set, entry->member);
	entry->running = check_start(checks->engine, &entry->target, checks_on_done, entry);
	if (!entry->running) {
		entry_plan(entry);
		return;
	}
	entry_lane(entry)->running++;
	figures->started++;
	figures->running++;
	if (figures->running > figures->running_most)
		figures->running_most = figures->running;
}

static void queue_clear(struct checks *checks)
{
	for (struct lane *lane = checks->lanes; lane < checks->lanes + LANE_COUNT; lane++) {
		lane->queue = NULL;
		lane->queue_tail = &lane->queue;
	}
	checks->figures.queued = 0;
}

static void queue_add(struct checks *checks, struct entry *entry)
{
	struct lane *lane = entry_lane(entry);
	struct checks_figures *figures = &checks->figures;

	entry->next = NULL;
	*lane->queue_tail = entry;
	lane->queue_tail = &entry->next;
	figures->queued++;
	if (figures->queued > figures->queued_most)
		figures->queued_most = figures->queued;
}

static void queue_run(struct checks *checks)
{
	struct entry *entry;
	int starts = 0;

	for (struct lane *lane = checks->lanes; lane < checks->lanes + LANE_COUNT; lane++)
		while (lane->queue && lane->running < lane->max_running && starts++ < STARTS_OF_TURN) {
			entry = lane->queue;
			lane->queue = entry->next;
			if (!lane->queue)
				lane->queue_tail = &lane->queue;
			checks->figures.queued--;
			entry_start(entry);
		}
}

static void checks_on_timer(uv_timer_t *timer)
{
	struct checks *checks = timer->data;
	uint64_t now = uv_now(checks->loop);

	while (checks->round->heap_count && checks->round->heap[0]->due <= now)
		queue_add(checks, heap_take(checks->round));
	queue_run(checks);
	checks_arm(checks);
}

/* -- what -- */

static int64_t wall_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void checks_say_unable(struct checks *checks, const struct entry *entry, const char *text)
{
	struct round *round = checks->round;
	uint8_t *said = &round->unable[entry->target.check - round->config->checks];

	if (!*said)
		log_warning("check %s of member %s in pool %s could not be run, its state stays: %s",
			    entry->target.check->name, entry->target.member, entry->target.pool, text);
	*said = 1;
}

static void checks_say_holding(struct checks *checks, bool was_holding)
{
	if (checks->set.is_holding == was_holding)
		return;
	if (was_holding)
		log_notice("not every check fails any more: verdicts follow the checks");
	else
		log_warning("every check fails, as if this host's own network were gone: verdicts stay as they are");
	if (checks->owner.held)
		checks->owner.held(checks->owner.context, !was_holding);
}

/* A member that is still starting up may fail; one that has been well is no longer. */
static bool entry_in_grace(const struct entry *entry)
{
	return !entry->checks->round->members[entry->member].has_decided && uv_now(entry->checks->loop) < entry->grace_ends;
}

static enum health_outcome entry_outcome(const struct entry *entry, const struct check_result *result)
{
	enum health_outcome outcome = check_outcome(result);

	return outcome == HEALTH_FAILURE && entry_in_grace(entry) ? HEALTH_UNABLE : outcome;
}

static void checks_on_done(void *context, const struct check_result *result)
{
	struct entry *entry = context;
	struct checks *checks = entry->checks;
	bool was_holding = checks->set.is_holding;

	entry_ended(entry);
	entry->last = result->reason;
	checks->figures.results[result->reason]++;
	if (result->reason == CHECK_unable)
		checks_say_unable(checks, entry, result->text);
	if (checks->owner.lock)
		pthread_mutex_lock(checks->owner.lock);
	health_result(&checks->set, entry->member, entry_outcome(entry, result), result->text, wall_clock(), checks_on_verdict,
		      checks);
	if (checks->owner.lock)
		pthread_mutex_unlock(checks->owner.lock);
	checks_say_holding(checks, was_holding);
	entry_plan(entry);
	checks_arm(checks);
	if (checks->owner.settled)
		checks->owner.settled(checks->owner.context);
}

static void checks_on_verdict(void *context, size_t number)
{
	struct checks *checks = context;
	struct round *round = checks->round;
	const struct health_member *member = &round->members[number];
	const struct entry *entry = &round->entries[round->entry_of[number]];

	round->down[number] = !health_is_up(member);
	log_notice("member %s of pool %s is %s: %s", entry->target.member, entry->target.pool,
		   round->down[number] ? "down" : "up", member->reason);
	checks->owner.changed(checks->owner.context, number);
}

/* -- a configuration in place of another -- */

int checks_load(struct checks *checks, const struct config *config, const struct health_saved *saved)
{
	struct round *round;
	int fault = round_new(checks, config, saved, &round);

	if (fault)
		return fault;
	round_adopt(checks, round);
	return 0;
}

static void round_free(struct round *round)
{
	if (!round)
		return;
	words_free(&round->names);
	free(round->entries);
	free(round->entry_of);
	free(round->members);
	free(round->down);
	free(round->unable);
	free(round->heap);
	free(round);
}

static bool round_room(struct round *round, const struct config *config)
{
	size_t members = config->member_count + 1;

	round->entries = calloc(members, sizeof(*round->entries));
	round->entry_of = calloc(members, sizeof(*round->entry_of));
	round->members = calloc(members, sizeof(*round->members));
	round->down = calloc(members, 1);
	round->unable = calloc(config->check_count + 1, 1);
	round->heap = calloc(members, sizeof(*round->heap));
	return round->entries && round->entry_of && round->members && round->down && round->unable && round->heap;
}

/* The check of a member in this round; null: it has none. */
static const struct config_check *round_check(const struct round *round, uint32_t member)
{
	uint32_t entry = round->entry_of[member];

	return entry == CONFIG_NONE ? NULL : round->entries[entry].target.check;
}

/* The member as it was known before, under this name. */
static void member_take_over(const struct checks *checks, const struct config_check *check, const char *name,
			     const struct health_saved *saved, struct health_member *member)
{
	const struct round *before = checks->round;
	uint32_t number = before ? words_find(&before->names, name, strlen(name)) : WORDS_NONE;
	const struct health_record *record;

	if (number == WORDS_NONE) {
		record = health_saved_find(saved, name);
		if (record) {
			health_restore(member, record);
			member->has_decided = true;	/* a restart is no reason to judge it by one result */
		}
	} else if (before->members[number].is_checked && config_check_equal(check, round_check(before, number))) {
		*member = before->members[number];
	} else {
		health_restore(member, &before->members[number].record);
	}
	member->is_checked = true;
	member->is_local = check->type == CONFIG_CHECK_file;
	member->rise = check->rise;
	member->fall = check->fall;
}

static int round_add_member(struct checks *checks, struct round *round, const struct config_pool *pool,
			    const struct config_member *member, const struct health_saved *saved)
{
	uint32_t number = pool->first_member + (member - pool->members);
	const struct config_check *check;
	char name[HEALTH_NAME_OCTETS];
	struct entry *entry;

	health_name(pool, member, name);
	if (words_add(&round->names, name, strlen(name)) != number)
		return -ENOMEM;
	round->entry_of[number] = CONFIG_NONE;
	if (pool->check == CONFIG_NONE)
		return 0;
	check = &round->config->checks[pool->check];
	member_take_over(checks, check, name, saved, &round->members[number]);
	round->down[number] = !health_is_up(&round->members[number]);
	entry = &round->entries[round->entry_count];
	round->entry_of[number] = round->entry_count++;
	entry->checks = checks;
	entry->member = number;
	entry->target = (struct check_target){check, pool->name, member->name, member->address};
	entry->is_first = true;
	entry->last = CHECK_REASON_COUNT;
	return 0;
}

/* A CNAME has a number as a member has, and no check. */
static int round_add_cname(struct round *round, const struct config_pool *pool)
{
	char name[HEALTH_NAME_OCTETS];

	snprintf(name, sizeof(name), "%s//cname", pool->name);	/* no member's */
	round->entry_of[pool->first_member] = CONFIG_NONE;
	return words_add(&round->names, name, strlen(name)) == pool->first_member ? 0 : -ENOMEM;
}

static int round_add_pool(struct checks *checks, struct round *round, const struct config_pool *pool,
			  const struct health_saved *saved)
{
	int fault = pool->cname ? round_add_cname(round, pool) : 0;

	for (size_t i = 0; i < pool->member_count && !fault; i++)
		fault = round_add_member(checks, round, pool, &pool->members[i], saved);
	return fault;
}

static int round_new(struct checks *checks, const struct config *config, const struct health_saved *saved,
		     struct round **out)
{
	struct round *round = calloc(1, sizeof(*round));
	int fault = 0;

	if (!round)
		return -ENOMEM;
	words_init(&round->names);
	round->config = config;
	if (!round_room(round, config))
		fault = -ENOMEM;
	for (size_t i = 0; i < config->pool_count && !fault; i++)
		fault = round_add_pool(checks, round, &config->pools[i], saved);
	if (fault)
		round_free(round);
	else
		*out = round;
	return fault;
}

/* As many as may run at once, each with a file or two open. */
static uint32_t checks_limit(uint32_t wanted)
{
	struct rlimit limit;
	rlim_t files = (rlim_t)wanted * 2 + FILES_SPARE;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return wanted;
	if (limit.rlim_cur < files) {
		limit.rlim_cur = limit.rlim_max < files ? limit.rlim_max : files;
		setrlimit(RLIMIT_NOFILE, &limit);
		getrlimit(RLIMIT_NOFILE, &limit);
	}
	if (limit.rlim_cur >= files)
		return wanted;
	files = limit.rlim_cur > FILES_SPARE + 2 * RUNNING_LEAST ? (limit.rlim_cur - FILES_SPARE) / 2 : RUNNING_LEAST;
	log_warning("only %u checks run at once, not %u: this process may open %llu files (LimitNOFILE=)",
		    (unsigned int)files, wanted, (unsigned long long)limit.rlim_cur);
	return files;
}

/* A check that runs goes on if it is one of the new ones, too. */
static void entry_take_over(struct entry *entry, struct entry *before)
{
	entry->is_first = before->is_first;
	entry->last = before->last;
	entry->due = before->due;
	entry->grace_ends = before->grace_ends;
	if (before->running) {
		entry->running = before->running;
		check_retarget(entry->running, &entry->target, entry);
		before->running = NULL;
	}
}

static struct entry *round_same_entry(const struct round *round, const struct round *before, const struct entry *entry)
{
	const char *name = round->names.list[entry->member];
	uint32_t number = before ? words_find(&before->names, name, strlen(name)) : WORDS_NONE;
	const struct config_check *check = number == WORDS_NONE ? NULL : round_check(before, number);

	return check && config_check_equal(check, entry->target.check) ? &before->entries[before->entry_of[number]] : NULL;
}

static uint64_t first_due(const struct round *round, size_t number, uint32_t interval)
{
	uint64_t spread = round->entry_count * FIRST_STEP;

	spread = spread < FIRST_ROUND_MAX ? spread : FIRST_ROUND_MAX;
	spread = spread < interval ? spread : interval;
	return number * spread / round->entry_count;
}

static void round_schedule(struct checks *checks, struct round *round)
{
	uint64_t now = uv_now(checks->loop);

	for (size_t i = 0; i < round->entry_count; i++) {
		struct entry *entry = &round->entries[i], *before = round_same_entry(round, checks->round, entry);
		uint32_t interval = entry->target.check->interval;

		entry->due = now + first_due(round, i, interval);
		if (!round->members[entry->member].has_decided)
			entry->grace_ends = entry->due + entry->target.check->grace;
		if (before)
			entry_take_over(entry, before);
		if (entry->due > now + interval)
			entry->due = now + interval;
		if (!entry->running)
			heap_add(round, entry);
	}
}

static void round_adopt(struct checks *checks, struct round *round)
{
	struct health_set before = checks->set;
	struct round *old = checks->round;

	uv_update_time(checks->loop);
	round_schedule(checks, round);
	for (size_t i = 0; old && i < old->entry_count; i++)
		if (old->entries[i].running) {
			check_cancel(old->entries[i].running);
			entry_ended(&old->entries[i]);
		}
	checks->round = round;
	queue_clear(checks);
	checks->figures.max_running = checks_limit(round->config->server.max_running);
	checks->lanes[LANE_OTHERS].max_running = checks->figures.max_running;
	checks->lanes[LANE_PROGRAMS].max_running = round->config->server.max_programs;
	health_init(&checks->set, round->members, round->config->member_count, round->config->server.hold_when_all_fail);
	health_continue(&checks->set, &before);
	round_free(old);
	checks_arm(checks);
	checks_say_holding(checks, before.is_holding);
}

/* -- for those who look -- */

const uint8_t *checks_down(const struct checks *checks)
{
	return checks->round ? checks->round->down : NULL;
}

int checks_down_of(const struct checks *checks, const struct config *config, const struct health_saved *saved,
		   uint8_t *down)
{
	struct round *round;
	int fault = round_new((struct checks *)checks, config, saved, &round);

	if (fault)
		return fault;
	memcpy(down, round->down, config->member_count);
	round_free(round);
	return 0;
}

void checks_pause(struct checks *checks, uint32_t member, bool is_paused)
{
	uint32_t entry = checks->round->entry_of[member];

	if (entry != CONFIG_NONE)
		checks->round->entries[entry].is_paused = is_paused;
}

const struct health_member *checks_member(const struct checks *checks, uint32_t number)
{
	return &checks->round->members[number];
}

enum check_reason checks_last(const struct checks *checks, uint32_t number)
{
	uint32_t entry = checks->round->entry_of[number];

	return entry == CONFIG_NONE ? CHECK_REASON_COUNT : checks->round->entries[entry].last;
}

const struct config *checks_config(const struct checks *checks)
{
	return checks->round ? checks->round->config : NULL;
}

static uint64_t checks_late(const struct checks *checks)
{
	const struct round *round = checks->round;
	uint64_t now = uv_now(checks->loop), first = now;

	if (round->heap_count && round->heap[0]->due < first)
		first = round->heap[0]->due;
	for (const struct lane *lane = checks->lanes; lane < checks->lanes + LANE_COUNT; lane++)
		if (lane->queue && lane->queue->due < first)
			first = lane->queue->due;
	return now - first;
}

const struct checks_figures *checks_figures(struct checks *checks)
{
	struct checks_figures *figures = &checks->figures;
	const struct round *round = checks->round;

	figures->is_holding = checks->set.is_holding;
	figures->checked = figures->down = figures->late = 0;
	if (!round)
		return figures;
	figures->checked = round->entry_count;
	for (size_t i = 0; i < round->config->member_count; i++)
		figures->down += round->down[i];
	figures->late = checks_late(checks);
	return figures;
}

static bool entry_has_told(const struct entry *entry)
{
	const struct health_member *member = &entry->checks->round->members[entry->member];

	if (entry->is_paused || entry->is_first)
		return entry->is_paused;
	return member->has_decided || (!member->has_failed && !entry_in_grace(entry));
}

/* Asked after every result, so it goes on where it was. */
bool checks_have_told(struct checks *checks)
{
	struct round *round = checks->round;

	while (round && round->told < round->entry_count && entry_has_told(&round->entries[round->told]))
		round->told++;
	return !round || round->told == round->entry_count;
}
