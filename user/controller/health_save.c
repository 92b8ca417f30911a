// SPDX-License-Identifier: GPL-3.0-or-later
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

static int member_read(struct health_saved *saved, const json_t *json)
{
	const char *pool, *member, *address, *state;
	struct health_record record = {0};
	const json_t *changes, *change;
	char name[HEALTH_NAME_OCTETS];
	uint32_t number;
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
	number = words_add(&saved->names, name, strlen(name));
	if (number == WORDS_NONE)
		return -ENOMEM;
	saved->records[number] = record;
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
	saved->records = calloc(json_array_size(array) + 1, sizeof(*saved->records));
	if (!saved->records)
		return faults_memory(faults);
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

const struct health_record *health_saved_find(const struct health_saved *saved, const char *name)
{
	uint32_t number = saved ? words_find(&saved->names, name, strlen(name)) : WORDS_NONE;

	return number == WORDS_NONE ? NULL : &saved->records[number];
}
