// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Verdicts against a model that keeps every result there ever was and counts anew each time, as health.h words it:
 * random sequences, of few and many members, with and without holding, saved and restored on the way. Beside it the
 * stories that health.h tells, one by one.
 *
 * ECSDNS_PROPERTY=N: how many sequences (10,000); ECSDNS_SEED=N: only this one, with every step.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/controller/health_save.h"

#define MEMBERS_MAX 12
#define STEPS 400
#define EVENTS (STEPS / 2 + 1)		/* a check begins, a check ends */

/* -- the model -- */

struct event {
	size_t member;
	bool ok;
	bool is_void;		/* a failure in a hold, or of a check that began in one */
};

struct model_member {
	bool is_checked, is_local;
	uint32_t rise, fall;
	enum health_verdict verdict;
	bool has_decided;
	bool is_waiting;
	size_t decided_at;	/* events before this one are spent */
	size_t began;		/* events there were when the running check began */
	uint32_t changes;
};

struct model {
	struct model_member members[MEMBERS_MAX];
	size_t count;
	bool may_hold;
	struct event events[EVENTS];
	size_t event_count;
	size_t hold_ended;	/* events there were, with the one that ended it */
};

static bool model_holder(const struct model *model, size_t member)
{
	return model->members[member].is_checked && !model->members[member].is_local;
}

static size_t model_holders(const struct model *model)
{
	size_t holders = 0;

	for (size_t i = 0; i < model->count; i++)
		holders += model_holder(model, i);
	return holders;
}

/* The last result of a member; null: none yet. */
static const struct event *model_last(const struct model *model, size_t member)
{
	for (size_t i = model->event_count; i--;)
		if (model->events[i].member == member)
			return &model->events[i];
	return NULL;
}

static bool model_holding(const struct model *model)
{
	size_t with_result = 0, without = 0;

	for (size_t i = 0; i < model->count; i++) {
		const struct event *last = model_last(model, i);

		if (!model_holder(model, i))
			continue;
		if (last && last->ok)
			return false;
		with_result += !!last;
		without += !last;
	}
	return model->may_hold && model_holders(model) >= 2 && with_result > without;
}

/* Results of a member against its verdict, in a row, counted back from the end; *first is the oldest of them. */
static uint32_t model_run(const struct model *model, size_t member, size_t *first)
{
	const struct model_member *of = &model->members[member];
	uint32_t run = 0;

	for (size_t i = model->event_count; i-- > of->decided_at;) {
		const struct event *event = &model->events[i];

		if (event->member != member || event->is_void)
			continue;
		if (event->ok != (of->verdict == HEALTH_DOWN))
			break;
		run++;
		*first = i;
	}
	return run;
}

static bool model_success_since(const struct model *model, size_t first)
{
	for (size_t i = first; i < model->event_count; i++)
		if (model->events[i].ok && model_holder(model, model->events[i].member))
			return true;
	return false;
}

static void model_decide(struct model *model, size_t member, enum health_verdict verdict)
{
	struct model_member *of = &model->members[member];

	of->changes += of->verdict != verdict;
	of->verdict = verdict;
	of->has_decided = true;
	of->is_waiting = false;
	of->decided_at = model->event_count;
}

static void model_failure(struct model *model, size_t member)
{
	struct model_member *of = &model->members[member];
	uint32_t fall = of->has_decided ? of->fall : 1, run;
	bool asks_others = model->may_hold && model_holder(model, member) && model_holders(model) >= 2;
	size_t first = 0;

	if (of->verdict == HEALTH_DOWN) {
		of->has_decided = true;
		return;
	}
	run = model_run(model, member, &first);
	if (run > fall || (run == fall && (!asks_others || model_success_since(model, first))))
		model_decide(model, member, HEALTH_DOWN);
	else if (run == fall)
		of->is_waiting = true;
}

static void model_success(struct model *model, size_t member, bool ends_hold)
{
	struct model_member *of = &model->members[member];
	size_t first;

	if (!of->has_decided || of->verdict != HEALTH_DOWN || model_run(model, member, &first) >= of->rise)
		model_decide(model, member, HEALTH_UP);
	for (size_t i = 0; i < model->count && model_holder(model, member); i++) {
		if (model->members[i].is_waiting && !ends_hold)
			model_decide(model, i, HEALTH_DOWN);
		model->members[i].is_waiting = false;
	}
}

static void model_result(struct model *model, size_t member, bool ok)
{
	struct event *event = &model->events[model->event_count];
	bool was_holding = model_holding(model), ends_hold;

	*event = (struct event){member, ok, false};
	model->event_count++;
	ends_hold = was_holding && !model_holding(model);
	if (ends_hold)
		model->hold_ended = model->event_count;
	event->is_void = !ok && model_holder(model, member) &&
			 (model_holding(model) || model->members[member].began < model->hold_ended);
	if (ok)
		model_success(model, member, ends_hold);
	else if (!event->is_void)
		model_failure(model, member);
}

/* -- both, side by side -- */

struct pair {
	struct model model;
	struct health_set set;
	struct health_member members[MEMBERS_MAX];
	bool was_up[MEMBERS_MAX];
	unsigned int flips[MEMBERS_MAX];	/* changed() calls of this step */
	unsigned int seed;
	size_t waits, holds, falls, rises;	/* met on the way */
};

static void pair_changed(void *context, size_t member)
{
	struct pair *pair = context;

	pair->flips[member]++;
}

static unsigned int pair_draw(struct pair *pair, unsigned int below)
{
	return rand_r(&pair->seed) % below;
}

static void pair_init(struct pair *pair, unsigned int seed)
{
	memset(pair, 0, sizeof(*pair));
	pair->seed = seed;
	pair->model.count = 1 + pair_draw(pair, pair_draw(pair, 2) ? 3 : MEMBERS_MAX);
	pair->model.may_hold = pair_draw(pair, 4);
	for (size_t i = 0; i < pair->model.count; i++) {
		struct model_member *of = &pair->model.members[i];

		of->is_checked = pair->members[i].is_checked = pair_draw(pair, 10);
		of->is_local = pair->members[i].is_local = !pair_draw(pair, 6);
		of->rise = pair->members[i].rise = 1 + pair_draw(pair, 3);
		of->fall = pair->members[i].fall = 1 + pair_draw(pair, 3);
		if (pair_draw(pair, 3)) {
			struct health_record record = {.verdict = 1 + pair_draw(pair, 2)};

			of->verdict = record.verdict;
			health_restore(&pair->members[i], &record);
		}
	}
	health_init(&pair->set, pair->members, pair->model.count, pair->model.may_hold);
}

#define PAIR_EQUAL(what, model_says, code_says)									\
	do {													\
		if ((model_says) != (code_says))								\
			fail_msg("ECSDNS_SEED=%u: after result %zu, member %zu: %s is %d by the model, %d by "	\
				 "health.c", seed, pair->model.event_count, i, what, (int)(model_says),		\
				 (int)(code_says));								\
	} while (0)

static void pair_compare(struct pair *pair, unsigned int seed)
{
	for (size_t i = 0; i < pair->model.count; i++) {
		const struct model_member *of = &pair->model.members[i];
		const struct health_member *member = &pair->members[i];
		bool is_up = !of->is_checked || of->verdict != HEALTH_DOWN;

		PAIR_EQUAL("the verdict", of->verdict, member->record.verdict);
		PAIR_EQUAL("up", is_up, health_is_up(member));
		PAIR_EQUAL("changed()", is_up != pair->was_up[i], pair->flips[i]);
		PAIR_EQUAL("changes ever", of->changes, member->record.change_count);
		PAIR_EQUAL("holding", model_holding(&pair->model), pair->set.is_holding);
		PAIR_EQUAL("waiting", of->is_waiting, member->is_waiting);
		pair->falls += pair->was_up[i] && !is_up;
		pair->rises += !pair->was_up[i] && is_up;
		pair->waits += of->is_waiting;
		pair->was_up[i] = is_up;
		pair->flips[i] = 0;
	}
	pair->holds += pair->set.is_holding;
}

/* Members' checks overlap: some begin, some end. The network fails now and then, and members of their own. */
static void pair_run(struct pair *pair, unsigned int seed)
{
	bool network = true, dead[MEMBERS_MAX] = {false}, running[MEMBERS_MAX] = {false};
	size_t i;

	for (i = 0; i < pair->model.count; i++)
		pair->was_up[i] = health_is_up(&pair->members[i]);
	for (int step = 0; step < STEPS; step++) {
		network = pair_draw(pair, 40) ? network : !network;
		i = pair_draw(pair, pair->model.count);
		dead[i] = pair_draw(pair, 15) ? dead[i] : !dead[i];
		if (!running[i]) {
			running[i] = true;
			pair->model.members[i].began = pair->model.event_count;
			health_begin(&pair->set, i);
			continue;
		}
		running[i] = false;
		if (!pair_draw(pair, 20)) {
			health_result(&pair->set, i, HEALTH_UNABLE, "no idea", 1, pair_changed, pair);
			pair->set.results--;	/* the model does not count them */
		} else if (pair->members[i].is_checked) {
			bool ok = network && !dead[i] && pair_draw(pair, 12);

			model_result(&pair->model, i, ok);
			health_result(&pair->set, i, ok ? HEALTH_SUCCESS : HEALTH_FAILURE, ok ? "ok" : "refused",
				      pair->model.event_count, pair_changed, pair);
		}
		pair_compare(pair, seed);
		if (!pair_draw(pair, 50)) {	/* a push */
			struct health_set before = pair->set;

			health_init(&pair->set, pair->members, pair->model.count, pair->model.may_hold);
			health_continue(&pair->set, &before);
		}
	}
}

static void test_property(void **state)
{
	const char *text = getenv("ECSDNS_PROPERTY"), *only = getenv("ECSDNS_SEED");
	unsigned int sequences = text ? strtoul(text, NULL, 10) : 10000, first = only ? strtoul(only, NULL, 10) : 1;
	size_t waits = 0, holds = 0, falls = 0, rises = 0;
	struct pair *pair = malloc(sizeof(*pair));

	(void)state;
	for (unsigned int seed = first; seed < first + (only ? 1 : sequences); seed++) {
		pair_init(pair, seed);
		pair_run(pair, seed);
		waits += pair->waits;
		holds += pair->holds;
		falls += pair->falls;
		rises += pair->rises;
	}
	free(pair);
	print_message("# %u sequences: %zu falls, %zu rises, %zu results in a hold, %zu while one waited\n", sequences, falls,
		      rises, holds, waits);
	assert_true(only || (falls > sequences && rises > sequences && holds > sequences && waits > sequences));
}

/* -- stories -- */

struct story {
	struct health_set set;
	struct health_member members[4];
	char log[256];		/* "+0 -1 ": member 0 up, member 1 down */
	int64_t now;
};

static void story_changed(void *context, size_t member)
{
	struct story *story = context;
	size_t used = strlen(story->log);

	snprintf(story->log + used, sizeof(story->log) - used, "%c%zu ", health_is_up(&story->members[member]) ? '+' : '-',
		 member);
}

static void story_begin(struct story *story, size_t count, uint32_t rise, uint32_t fall)
{
	memset(story, 0, sizeof(*story));
	for (size_t i = 0; i < count; i++) {
		story->members[i].is_checked = true;
		story->members[i].rise = rise;
		story->members[i].fall = fall;
	}
	health_init(&story->set, story->members, count, true);
}

/* "0+ 1-": results of members in turn, each of a check that began just before. */
static void story_tell(struct story *story, const char *results)
{
	for (; *results; results++) {
		size_t member = *results - '0';

		if (*results == ' ')
			continue;
		results++;
		story->now += 10;
		health_begin(&story->set, member);
		health_result(&story->set, member,
			      *results == '+' ? HEALTH_SUCCESS : *results == '-' ? HEALTH_FAILURE : HEALTH_UNABLE,
			      *results == '+' ? "ok" : *results == '-' ? "connection refused" : "not permitted", story->now,
			      story_changed, story);
	}
}

static void assert_story(size_t count, uint32_t rise, uint32_t fall, const char *results, const char *log)
{
	struct story story;

	story_begin(&story, count, rise, fall);
	story_tell(&story, results);
	assert_string_equal(story.log, log);
}

static void test_rise_and_fall(void **state)
{
	(void)state;
	assert_story(1, 2, 3, "0+ 0- 0-", "");
	assert_story(1, 2, 3, "0+ 0- 0- 0-", "-0 ");
	assert_story(1, 2, 3, "0+ 0- 0- 0+ 0- 0-", "");
	assert_story(1, 2, 3, "0+ 0- 0- 0- 0+ 0- 0+", "-0 ");
	assert_story(1, 2, 3, "0+ 0- 0- 0- 0+ 0+", "-0 +0 ");
	/* The first decides; whoever is alone is not held up. */
	assert_story(1, 2, 3, "0-", "-0 ");
	assert_story(1, 2, 3, "0- 0+", "-0 ");
	/* What could not be checked says nothing. */
	assert_story(1, 2, 3, "0+ 0- 0? 0- 0? 0-", "-0 ");
	assert_story(1, 2, 1, "0? 0? 0?", "");
}

static void test_holding(void **state)
{
	(void)state;
	/* All at once: nobody falls, and the network's return takes nobody down either. */
	assert_story(3, 2, 2, "0+ 1+ 2+ 0- 1- 2- 0- 1- 2- 0- 1- 2- 0+ 1+ 2+", "");
	assert_story(3, 1, 1, "0+ 1+ 2+ 0- 1- 2- 0- 1- 2- 0+ 1+ 2+", "");
	/* The first results after a start, too. */
	assert_story(2, 1, 1, "0- 1- 0- 1- 0+ 1+", "");
	/* One alone: another's success is proof enough. */
	assert_story(3, 2, 2, "0+ 1+ 2+ 0- 1+ 0-", "-0 ");
	/* No proof yet: it waits for one, or for its own next failure. */
	assert_story(3, 1, 1, "0+ 1+ 2+ 0- 1+", "-0 ");
	assert_story(3, 1, 1, "0+ 1+ 2+ 0- 0-", "-0 ");
	assert_story(3, 1, 1, "0+ 1+ 2+ 0- 0+ 1+", "");
	/* One dead and one flapping: the dead one falls all the same. */
	assert_story(2, 1, 1, "0- 1+ 0- 1- 0- 1+ 0- 1-", "-0 ");
	assert_story(2, 2, 3, "0+ 1+ 0- 1- 0- 1+ 0- 1- 0- 1+ 0-", "-0 ");
}

/* A check that began during the outage fails after its end. */
static void test_late_failure(void **state)
{
	struct story story;

	(void)state;
	story_begin(&story, 3, 1, 1);
	story_tell(&story, "0+ 1+ 2+ 0- 1- 2-");
	assert_true(story.set.is_holding);
	health_begin(&story.set, 1);
	story_tell(&story, "0+");
	assert_false(story.set.is_holding);
	health_result(&story.set, 1, HEALTH_FAILURE, "timed out", 0, story_changed, &story);
	assert_string_equal(story.log, "");
	story_tell(&story, "0+ 1- ");
	assert_string_equal(story.log, "-1 ");
}

static void test_switched_off(void **state)
{
	struct story story;

	(void)state;
	story_begin(&story, 2, 1, 1);
	health_init(&story.set, story.members, 2, false);
	story_tell(&story, "0+ 1+ 0- 1-");
	assert_string_equal(story.log, "-0 -1 ");
}

static void test_history(void **state)
{
	const struct health_change *last;
	struct health_member again;
	struct story story;

	(void)state;
	story_begin(&story, 1, 1, 1);
	assert_null(health_last_change(&story.members[0].record));
	for (int i = 0; i < 50; i++)
		story_tell(&story, "0- 0- 0+ 0+");
	assert_int_equal(story.members[0].record.change_count, 100);
	last = health_last_change(&story.members[0].record);
	assert_int_equal(last->verdict, HEALTH_UP);
	assert_int_equal(last->at, story.now - 10);
	assert_string_equal(last->reason, "ok");
	assert_string_equal(story.members[0].record.changes[98 % HEALTH_CHANGES_KEPT].reason, "connection refused");

	story_tell(&story, "0-");
	memset(&again, 0, sizeof(again));
	again.is_checked = true;
	again.rise = again.fall = 5;
	health_restore(&again, &story.members[0].record);
	assert_false(health_is_up(&again));
	assert_string_equal(again.reason, "connection refused");
	story.members[0] = again;
	story.log[0] = 0;
	health_init(&story.set, story.members, 1, true);
	story_tell(&story, "0+");	/* the first decides, whatever rise is */
	assert_string_equal(story.log, "+0 ");
	story_tell(&story, "0- 0- 0- 0-");
	assert_string_equal(story.log, "+0 ");
	story_tell(&story, "0-");
	assert_string_equal(story.log, "+0 -0 ");
}

/* -- saved and read -- */

static int saved_parse(const char *text, struct health_saved *saved, char *said, size_t room)
{
	struct faults faults;
	int fault;

	faults_init(&faults);
	*said = 0;
	fault = health_saved_parse(saved, "health.json", text, strlen(text), &faults);
	assert_int_equal(!!faults.count, !!fault);
	if (faults.count)
		faults_format(&faults.list[0], said, room);
	faults_free(&faults);
	return fault;
}

static void test_saved(void **state)
{
	struct config_member of[3] = {
		{.name = "a", .address = {{192, 0, 2, 1}, 4}}, {.name = "b", .address = {{0x20, 1, 0xd, 0xb8, [15] = 1}, 16}},
		{.name = "c", .address = {{192, 0, 2, 3}, 4}},
	};
	struct config_pool pool = {.name = "p", .members = of, .member_count = 3};
	struct config config = {.pools = &pool, .pool_count = 1, .member_count = 3};
	const struct health_record *record;
	struct health_saved saved;
	char name[HEALTH_NAME_OCTETS], said[256], *text, *again;
	struct health_member back[3] = {0};
	struct story story;

	(void)state;
	story_begin(&story, 3, 1, 1);
	for (int i = 0; i < 30; i++)
		story_tell(&story, "0- 1+ 0+");	/* longer than what is kept */
	story_tell(&story, "1- 0+");
	snprintf(story.members[1].record.changes[1].reason, 32, "\"quoted\" \\ \x7f");
	text = health_save_text(&config, story.members);
	assert_non_null(text);
	assert_int_equal(saved_parse(text, &saved, said, sizeof(said)), 0);
	for (int i = 0; i < 3; i++) {
		record = health_saved_find(&saved, health_name(&pool, &of[i], name));
		assert_int_equal(!record, i == 2);	/* nothing is known of it */
		if (record)
			health_restore(&back[i], record);
	}
	assert_false(health_is_up(&(struct health_member){.is_checked = true, .record = back[1].record}));
	assert_string_equal(health_last_change(&back[1].record)->reason, "\"quoted\" \\ \x7f");
	assert_int_equal(back[0].record.change_count, HEALTH_CHANGES_KEPT);
	again = health_save_text(&config, back);
	assert_string_equal(text, again);
	assert_null(health_saved_find(&saved, "p/a/192.0.2.2"));
	assert_null(health_saved_find(NULL, "p/a/192.0.2.1"));
	health_saved_free(&saved);
	free(text);
	free(again);
}

/* A journal over what was saved before some of it, and with all that a full disk and a sudden end leave in it. */
static void test_journal(void **state)
{
	struct config_member of[2] = {{.name = "a", .address = {{192, 0, 2, 1}, 4}}, {.name = "b", .address = {{192, 0, 2, 2}, 4}}};
	struct config_pool pools[2] = {
		{.name = "o", .members = &of[1], .member_count = 1}, {.name = "p", .members = of, .member_count = 2, .first_member = 1},
	};
	struct config config = {.pools = pools, .pool_count = 2, .member_count = 3};
	char name[HEALTH_NAME_OCTETS], said[256], *text, *lines[3], journal[4096];
	const struct health_record *record;
	struct health_saved saved;
	struct story story;

	(void)state;
	story_begin(&story, 3, 1, 1);
	story_tell(&story, "0+ 1- 0+ 1-");
	lines[0] = health_save_change(&config, 1, &story.members[1].record);
	text = health_save_text(&config, story.members);	/* has the first line's change, too */
	story_tell(&story, "1+");
	lines[1] = health_save_change(&config, 1, &story.members[1].record);
	story_tell(&story, "0+ 2- 0+ 2-");
	lines[2] = health_save_change(&config, 2, &story.members[2].record);
	assert_int_equal(saved_parse(text, &saved, said, sizeof(said)), 0);
	snprintf(journal, sizeof(journal), "%s{\"pool\": \"p\"}\n%.20s%s\n%s%s%.30s", lines[0], lines[2], "", lines[1], lines[2], lines[0]);
	assert_int_equal(health_saved_add(&saved, journal, strlen(journal)), 3);
	record = health_saved_find(&saved, health_name(&pools[1], &of[0], name));
	assert_int_equal(record->verdict, HEALTH_UP);
	assert_int_equal(record->change_count, story.members[1].record.change_count);
	record = health_saved_find(&saved, health_name(&pools[1], &of[1], name));	/* not known before */
	assert_int_equal(record->verdict, HEALTH_DOWN);
	assert_string_equal(health_last_change(record)->reason, "connection refused");
	health_saved_free(&saved);
	free(text);
	for (int i = 0; i < 3; i++)
		free(lines[i]);
}

#define SAVED_MEMBER(name, address, state, changes) \
	"{\"pool\": \"p\", \"member\": \"" name "\", \"address\": \"" address "\", \"state\": \"" state "\", \"changes\": " changes "}"
#define SAVED(members) "{\"version\": 1, \"members\": [" members "]}"

static void test_saved_spoilt(void **state)
{
	static const struct {
		const char *text, *said;
	} rows[] = {
		{"", "health.json:1: error: not JSON: '[' or '{' expected near end of file"},
		{"{", "health.json:1: error: not JSON: string or '}' expected near end of file"},
		{"[]", "health.json: error: expected the health states that version 1 of this format has"},
		{"{\"version\": 2, \"members\": []}",
		 "health.json: error: expected the health states that version 1 of this format has"},
		{SAVED("1"), "health.json: error: member 0: "},
		{SAVED(SAVED_MEMBER("a", "192.0.2.1", "up", "[]") ", " SAVED_MEMBER("b", "192.0.2.1", "unknown", "[]")),
		 "health.json: error: member 1: "},
		{SAVED(SAVED_MEMBER("a", "192.0.2.1", "up", "[]") ", " SAVED_MEMBER("a", "192.0.2.1", "up", "[]")),
		 "health.json: error: member 1: "},
		{SAVED(SAVED_MEMBER("a", "192.0.2.1", "up", "{}")), "health.json: error: member 0: "},
		{SAVED(SAVED_MEMBER("a", "192.0.2.1", "up", "[{\"at\": \"x\", \"state\": \"up\", \"reason\": \"\"}]")),
		 "health.json: error: member 0: "},
		{SAVED(SAVED_MEMBER("a", "192.0.2.1", "up", "[{\"at\": 1, \"state\": \"new\", \"reason\": \"\"}]")),
		 "health.json: error: member 0: "},
	};
	struct health_saved saved;
	char said[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(saved_parse(rows[i].text, &saved, said, sizeof(said)), -EINVAL);
		said[strlen(rows[i].said) < sizeof(said) ? strlen(rows[i].said) : 0] = 0;
		assert_string_equal(said, rows[i].said);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rise_and_fall), cmocka_unit_test(test_holding), cmocka_unit_test(test_late_failure),
		cmocka_unit_test(test_switched_off), cmocka_unit_test(test_history), cmocka_unit_test(test_saved),
		cmocka_unit_test(test_journal), cmocka_unit_test(test_saved_spoilt), cmocka_unit_test(test_property),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
