// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>
#include <string.h>

#include "user/controller/health.h"

#define HOLDERS_LEAST 2

/* What one result is about, for all the functions that it passes through. */
struct result {
	struct health_set *set;
	int64_t now;
	health_changed *changed;
	void *context;
};

static void result_success(struct result *result, struct health_member *member);
static void result_failure(struct result *result, struct health_member *member);
static void hold_count(struct health_set *set, struct health_member *member, bool has_failed);
static void hold_end(struct health_set *set);
static void release_waiting(struct result *result);

static bool is_holder(const struct health_member *member)
{
	return member->is_checked && !member->is_local;
}

static bool is_all_failed(const struct health_set *set)
{
	return set->may_hold && set->holders >= HOLDERS_LEAST && set->failed == set->reported &&
	       set->reported * 2 > set->holders;
}

void health_init(struct health_set *set, struct health_member *members, size_t count, bool may_hold)
{
	memset(set, 0, sizeof(*set));
	set->members = members;
	set->count = count;
	set->may_hold = may_hold;
	for (size_t i = 0; i < count; i++) {
		set->holders += is_holder(&members[i]);
		set->reported += is_holder(&members[i]) && members[i].has_result;
		set->failed += is_holder(&members[i]) && members[i].has_failed;
		members[i].is_waiting &= may_hold;
		set->waiting += members[i].is_waiting;
	}
	set->is_holding = is_all_failed(set);
}

void health_continue(struct health_set *set, const struct health_set *before)
{
	set->results = before->results;
	set->last_success = before->last_success;
	set->hold_ended = before->hold_ended;
}

void health_restore(struct health_member *member, const struct health_record *record)
{
	const struct health_change *last;

	member->record = *record;
	member->has_decided = member->has_result = member->has_failed = member->is_waiting = false;
	member->run = 0;
	last = health_last_change(record);
	if (last)
		snprintf(member->reason, sizeof(member->reason), "%s", last->reason);
}

void health_begin(struct health_set *set, size_t member)
{
	set->members[member].began = set->results;
}

void health_result(struct health_set *set, size_t number, enum health_outcome outcome, const char *reason, int64_t now,
		   health_changed *changed, void *context)
{
	struct health_member *member = &set->members[number];
	struct result result = {set, now, changed, context};

	snprintf(member->reason, sizeof(member->reason), "%s", reason);
	member->checked = now;
	set->results++;
	if (outcome == HEALTH_SUCCESS)
		result_success(&result, member);
	else if (outcome == HEALTH_FAILURE)
		result_failure(&result, member);
}

/* -- verdicts -- */

static void member_decide(struct result *result, struct health_member *member, enum health_verdict verdict)
{
	struct health_record *record = &member->record;
	struct health_change *change = &record->changes[record->change_count % HEALTH_CHANGES_KEPT];
	bool was_up = health_is_up(member), is_new = record->verdict != verdict;

	member->has_decided = true;
	member->run = 0;
	if (member->is_waiting)
		result->set->waiting--;
	member->is_waiting = false;
	if (!is_new)
		return;
	record->verdict = verdict;
	record->change_count++;
	change->at = result->now;
	change->verdict = verdict;
	memcpy(change->reason, member->reason, sizeof(change->reason));
	if (health_is_up(member) != was_up)
		result->changed(result->context, member - result->set->members);
}

static void result_success(struct result *result, struct health_member *member)
{
	struct health_set *set = result->set;
	bool ends_hold = set->is_holding && is_holder(member);

	hold_count(set, member, false);
	member->run = member->record.verdict == HEALTH_DOWN ? member->run + 1 : 0;
	if (!member->has_decided || member->record.verdict != HEALTH_DOWN || member->run >= member->rise)
		member_decide(result, member, HEALTH_UP);
	if (!is_holder(member))
		return;
	set->last_success = set->results;
	if (ends_hold)
		hold_end(set);
	else
		release_waiting(result);
}

/* No success of another is newer than the failures of this one: are they its own, or ours? */
static bool is_doubtful(const struct health_set *set, const struct health_member *member)
{
	return set->may_hold && is_holder(member) && set->holders >= HOLDERS_LEAST &&
	       set->last_success < member->run_began;
}

static void result_failure(struct result *result, struct health_member *member)
{
	struct health_set *set = result->set;
	uint32_t fall = member->has_decided ? member->fall : 1;

	hold_count(set, member, true);
	if (is_holder(member) && (set->is_holding || member->began < set->hold_ended))
		return;
	if (member->record.verdict == HEALTH_DOWN) {
		member->has_decided = true;
		member->run = 0;
		return;
	}
	if (!member->run++)
		member->run_began = set->results;
	if (member->run < fall)
		return;
	if (member->run > fall || !is_doubtful(set, member)) {
		member_decide(result, member, HEALTH_DOWN);
	} else if (!member->is_waiting) {
		member->is_waiting = true;
		set->waiting++;
	}
}

/* -- holding -- */

static void hold_count(struct health_set *set, struct health_member *member, bool has_failed)
{
	if (is_holder(member)) {
		set->reported += !member->has_result;
		set->failed += has_failed - member->has_failed;
	}
	member->has_result = true;
	member->has_failed = has_failed;
	set->is_holding = is_all_failed(set);
}

/* Those who waited are judged by their next result. */
static void hold_end(struct health_set *set)
{
	set->hold_ended = set->results;
	for (size_t i = 0; i < set->count && set->waiting; i++) {
		set->waiting -= set->members[i].is_waiting;
		set->members[i].is_waiting = false;
	}
}

static void release_waiting(struct result *result)
{
	struct health_set *set = result->set;

	for (size_t i = 0; i < set->count && set->waiting; i++)
		if (set->members[i].is_waiting)
			member_decide(result, &set->members[i], HEALTH_DOWN);
}

const struct health_change *health_last_change(const struct health_record *record)
{
	return record->change_count ? &record->changes[(record->change_count - 1) % HEALTH_CHANGES_KEPT] : NULL;
}
