// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE /* asprintf() */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/controller/health_save.h"
#include "user/controller/prefixes.h"

#define VERSION 1

static const char *const verdict_names[] = {
	[HEALTH_UNKNOWN] = "unknown", [HEALTH_UP] = "up", [HEALTH_DOWN] = "down",
};

/* No "/" is in names of ours. */
static const char *name_join(const char *pool, const char *member, const char *address, char text[HEALTH_NAME_OCTETS])
{
	snprintf(text, HEALTH_NAME_OCTETS, "%s/%s/%s", pool, member, address);
	return text;
}

const char *health_name(const struct config_pool *pool, const struct config_member *member, char text[HEALTH_NAME_OCTETS])
{
	char address[ADDRESS_TEXT_OCTETS];

	return name_join(pool->name, member->name, address_text(&member->address, address), text);
}

/* -- writing -- */

static json_t *changes_json(const struct health_record *record)
{
	uint32_t kept = record->change_count < HEALTH_CHANGES_KEPT ? record->change_count : HEALTH_CHANGES_KEPT;
	json_t *array = json_array();

	for (uint32_t i = record->change_count - kept; array && i < record->change_count; i++) {
		const struct health_change *change = &record->changes[i % HEALTH_CHANGES_KEPT];

		if (json_array_append_new(array, json_pack("{s:I, s:s, s:s}", "at", (json_int_t)change->at, "state",
							   verdict_names[change->verdict], "reason", change->reason))) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *members_json(const struct config *config, const struct health_member *members)
{
	json_t *array = json_array();
	char address[ADDRESS_TEXT_OCTETS];

	for (size_t i = 0; array && i < config->pool_count; i++) {
		const struct config_pool *pool = &config->pools[i];

		for (size_t j = 0; array && j < pool->member_count; j++) {
			const struct config_member *member = &pool->members[j];
			const struct health_record *record = &members[pool->first_member + j].record;

			if (record->verdict == HEALTH_UNKNOWN)
				continue;
			if (!json_array_append_new(array, json_pack("{s:s, s:s, s:s, s:s, s:o}", "pool", pool->name, "member",
								    member->name, "address",
								    address_text(&member->address, address), "state",
								    verdict_names[record->verdict], "changes",
								    changes_json(record))))
				continue;
			json_decref(array);
			array = NULL;
		}
	}
	return array;
}

char *health_save_text(const struct config *config, const struct health_member *members)
{
	json_t *json = json_pack("{s:i, s:o}", "version", VERSION, "members", members_json(config, members));
	char *text = json ? json_dumps(json, JSON_INDENT(1)) : NULL;

	json_decref(json);
	return text;
}

static json_t *member_change_json(const struct config_pool *pool, uint32_t number, const struct health_change *change)
{
	const struct config_member *member = &pool->members[number];
	char address[ADDRESS_TEXT_OCTETS];

	return json_pack("{s:s, s:s, s:s, s:I, s:s, s:s}", "pool", pool->name, "member", member->name, "address",
			 address_text(&member->address, address), "at", (json_int_t)change->at,
			 "state", verdict_names[change->verdict], "reason", change->reason);
}

/* The pool of this member: by halves, since half of a hundred thousand may fall at once. */
static const struct config_pool *pool_of(const struct config *config, uint32_t member)
{
	size_t first = 0, end = config->pool_count, middle;

	while (end - first > 1) {
		middle = first + (end - first) / 2;
		if (config->pools[middle].first_member <= member)
			first = middle;
		else
			end = middle;
	}
	return &config->pools[first];
}

char *health_save_change(const struct config *config, uint32_t member, const struct health_record *record)
{
	const struct config_pool *pool = pool_of(config, member);
	json_t *json;
	char *text, *line = NULL;

	json = member_change_json(pool, member - pool->first_member, health_last_change(record));
	text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	if (text && asprintf(&line, "%s\n", text) < 0)
		line = NULL;
	free(text);
	json_decref(json);
	return line;
}

/* -- reading -- */

static bool verdict_parse(const char *text, enum health_verdict *verdict)
{
	*verdict = !strcmp(text, "up") ? HEALTH_UP : HEALTH_DOWN;
	return *verdict == HEALTH_UP || !strcmp(text, "down");
}

static bool change_read(struct health_record *record, const json_t *json)
{
	struct health_change *change = &record->changes[record->change_count % HEALTH_CHANGES_KEPT];
	const char *state, *reason;
	json_int_t at;

	if (json_unpack((json_t *)json, "{s:I, s:s, s:s}", "at", &at, "state", &state, "reason", &reason) ||
	    !verdict_parse(state, &change->verdict))
		return false;
	change->at = at;
	snprintf(change->reason, sizeof(change->reason), "%s", reason);
	record->change_count++;
	return true;
}

/* Room for the record of a name that is not there. */
static struct health_record *saved_new(struct health_saved *saved, const char *name)
{
	struct health_record *more;
	uint32_t number;

	if (saved->names.count == saved->room) {
		saved->room = saved->room ? 2 * saved->room : 64;
		more = realloc(saved->records, saved->room * sizeof(*more));
		if (!more)
			return NULL;
		saved->records = more;
	}
	number = words_add(&saved->names, name, strlen(name));
	if (number == WORDS_NONE)
		return NULL;
	memset(&saved->records[number], 0, sizeof(saved->records[number]));
	return &saved->records[number];
}

static int member_read(struct health_saved *saved, const json_t *json)
{
	const char *pool, *member, *address, *state;
	struct health_record record = {0}, *kept;
	const json_t *changes, *change;
	char name[HEALTH_NAME_OCTETS];
	size_t i;

	if (json_unpack((json_t *)json, "{s:s, s:s, s:s, s:s, s:o}", "pool", &pool, "member", &member, "address", &address,
			"state", &state, "changes", &changes) ||
	    !verdict_parse(state, &record.verdict) || !json_is_array(changes))
		return -EINVAL;
	json_array_foreach(changes, i, change)
		if (!change_read(&record, change))
			return -EINVAL;
	name_join(pool, member, address, name);
	if (words_find(&saved->names, name, strlen(name)) != WORDS_NONE)
		return -EINVAL;
	kept = saved_new(saved, name);
	if (!kept)
		return -ENOMEM;
	*kept = record;
	return 0;
}

static int members_read(struct health_saved *saved, const json_t *json, const char *file, struct faults *faults)
{
	const json_t *array, *member;
	struct place place = {.file = file};
	int version, fault = 0;
	size_t i;

	if (json_unpack((json_t *)json, "{s:i, s:o}", "version", &version, "members", &array) || version != VERSION ||
	    !json_is_array(array))
		return faults_error(faults, &place, "expected the health states that version %d of this format has", VERSION);
	json_array_foreach(array, i, member) {
		fault = member_read(saved, member);
		if (fault == -ENOMEM)
			return faults_memory(faults);
		if (fault)
			return faults_error(faults, &place, "member %zu: expected its pool, member, address, state and "
					    "changes, once", i);
	}
	return 0;
}

int health_saved_parse(struct health_saved *saved, const char *file, const void *octets, size_t length,
		       struct faults *faults)
{
	json_error_t error;
	json_t *json = json_loadb(octets, length, JSON_REJECT_DUPLICATES, &error);
	int fault;

	memset(saved, 0, sizeof(*saved));
	words_init(&saved->names);
	if (!json)
		return faults_error(faults, &(struct place){file, error.line > 0 ? error.line : 0, 0}, "not JSON: %s",
				    error.text);
	fault = members_read(saved, json, file, faults);
	json_decref(json);
	if (fault)
		health_saved_free(saved);
	return fault;
}

void health_saved_free(struct health_saved *saved)
{
	words_free(&saved->names);
	free(saved->records);
	memset(saved, 0, sizeof(*saved));
}

/* -- the journal -- */

static struct health_record *saved_find(const struct health_saved *saved, const char *name)
{
	uint32_t number = saved ? words_find(&saved->names, name, strlen(name)) : WORDS_NONE;

	return number == WORDS_NONE ? NULL : &saved->records[number];
}

static bool record_has(const struct health_record *record, const struct health_change *change)
{
	uint32_t kept = record->change_count < HEALTH_CHANGES_KEPT ? record->change_count : HEALTH_CHANGES_KEPT;

	for (uint32_t i = 0; i < kept; i++)
		if (record->changes[i].at == change->at && record->changes[i].verdict == change->verdict)
			return true;
	return false;
}

/* 0, -EINVAL or -ENOMEM. */
static int journal_line(struct health_saved *saved, const json_t *json)
{
	struct health_record one = {0}, *record;
	const char *pool, *member, *address;
	char name[HEALTH_NAME_OCTETS];

	if (json_unpack((json_t *)json, "{s:s, s:s, s:s}", "pool", &pool, "member", &member, "address", &address) ||
	    !change_read(&one, json))
		return -EINVAL;
	name_join(pool, member, address, name);
	record = saved_find(saved, name);
	if (!record)
		record = saved_new(saved, name);
	if (!record)
		return -ENOMEM;
	if (record_has(record, &one.changes[0]))
		return 0;
	record->changes[record->change_count++ % HEALTH_CHANGES_KEPT] = one.changes[0];
	record->verdict = one.changes[0].verdict;
	return 0;
}

int health_saved_add(struct health_saved *saved, const char *journal, size_t length)
{
	const char *end = journal + length, *stop;
	int lines = 0, fault = 0;
	json_t *json;

	for (; fault != -ENOMEM && (stop = memchr(journal, '\n', end - journal)); journal = stop + 1) {
		json = json_loadb(journal, stop - journal, JSON_REJECT_DUPLICATES, NULL);
		fault = json ? journal_line(saved, json) : -EINVAL;
		json_decref(json);
		lines += !fault;
	}
	return fault == -ENOMEM ? fault : lines;
}

const struct health_record *health_saved_find(const struct health_saved *saved, const char *name)
{
	return saved_find(saved, name);
}
