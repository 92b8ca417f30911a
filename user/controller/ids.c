// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "user/controller/ids.h"

static void table_init(struct ids_table *table, size_t limit)
{
	memset(table, 0, sizeof(*table));
	table->limit = limit;
}

static void table_free(struct ids_table *table)
{
	free(table->entries);
	words_free(&table->words);
	table_init(table, table->limit);
}

void ids_init(struct ids *ids, size_t services_limit, size_t regions_limit)
{
	table_init(&ids->services, services_limit);
	table_init(&ids->regions, regions_limit);
}

void ids_free(struct ids *ids)
{
	table_free(&ids->services);
	table_free(&ids->regions);
}

/* Gives a number to a name, in place of the one that had it. */
static int table_set(struct ids_table *table, size_t number, const char *name)
{
	size_t room = table->room ? table->room : 64;
	struct ids_entry *entries;
	int fault;

	while (room <= number)
		room *= 2;
	if (room != table->room) {
		entries = realloc(table->entries, room * sizeof(*entries));
		if (!entries)
			return -ENOMEM;
		memset(entries + table->room, 0, (room - table->room) * sizeof(*entries));
		table->entries = entries;
		table->room = room;
	}
	fault = words_set(&table->words, number, name, strlen(name));
	if (fault)
		return fault;
	if (number >= table->count)
		table->count = number + 1;
	if (!table->entries[number].name)
		table->given++;
	table->entries[number].name = table->words.list[number];
	return 0;
}

static int table_copy(struct ids_table *to, const struct ids_table *from)
{
	int fault = 0;

	table_init(to, from->limit);
	for (size_t i = 0; i < from->count && !fault; i++) {
		if (!from->entries[i].name)
			continue;
		fault = table_set(to, i, from->entries[i].name);
		if (!fault)
			to->entries[i].used = from->entries[i].used;
	}
	return fault;
}

int ids_copy(struct ids *to, const struct ids *from)
{
	int fault;

	ids_init(to, from->services.limit, from->regions.limit);
	fault = table_copy(&to->services, &from->services);
	if (!fault)
		fault = table_copy(&to->regions, &from->regions);
	if (fault)
		ids_free(to);
	return fault;
}

static void table_begin(struct ids_table *table)
{
	for (size_t i = 0; i < table->count; i++)
		table->entries[i].used = false;
}

void ids_begin(struct ids *ids)
{
	table_begin(&ids->services);
	table_begin(&ids->regions);
}

/* The lowest number that was never given; 0 if the reserve for names that come back would be touched. */
static size_t table_fresh(const struct ids_table *table, size_t reserve)
{
	size_t number = 1;

	if (!table->limit || table->given + 1 + reserve >= table->limit)
		return 0;
	if (table->given + 1 >= table->count)	/* no gaps */
		return table->count ? table->count : 1;
	while (table->entries[number].name)
		number++;
	return number;
}

static size_t table_vanished(const struct ids_table *table)
{
	for (size_t number = 1; number < table->count; number++)
		if (table->entries[number].name && !table->entries[number].used)
			return number;
	return 0;
}

int ids_number(struct ids_table *table, const char *name, uint32_t *out)
{
	uint32_t number = words_find(&table->words, name, strlen(name));
	int fault;

	if (number == WORDS_NONE) {
		number = table_fresh(table, table->limit / 16);
		if (!number)
			number = table_vanished(table);
		if (!number)
			number = table_fresh(table, 0);
		if (!number)
			return -ENOSPC;
		fault = table_set(table, number, name);
		if (fault)
			return fault;
	}
	table->entries[number].used = true;
	*out = number;
	return 0;
}

/* -- ids.json: {"services": {"www.example.com": 1}, "regions": {"japan/tokyo": 1}} -- */

static int ids_corrupt(struct faults *faults, const char *file, const char *why)
{
	return faults_error(faults, &(struct place){.file = file},
			    "not the ids that ecsdns saved (%s): restore the file, or "
			    "remove it to number services and regions anew, which begins their counters at 0",
			    why);
}

static int table_parse(struct ids_table *table, const char *file, json_t *object, struct faults *faults)
{
	json_int_t number;
	const char *name;
	json_t *value;
	int fault = 0;

	if (!json_is_object(object))
		return ids_corrupt(faults, file, "expected the maps \"services\" and \"regions\"");
	json_object_foreach(object, name, value) {
		number = json_integer_value(value);
		if (!json_is_integer(value) || number < 1 || number > UINT32_MAX - 1)
			return ids_corrupt(faults, file, "expected numbers from 1");
		if ((size_t)number >= table->limit)
			continue;
		if ((size_t)number < table->count && table->entries[number].name)
			return ids_corrupt(faults, file, "a number is there twice");
		fault = table_set(table, number, name);
		if (fault)
			return faults_memory(faults);
	}
	return 0;
}

int ids_parse(struct ids *ids, const char *file, const void *octets, size_t length, struct faults *faults)
{
	json_error_t error;
	json_t *root = json_loadb(octets, length, JSON_REJECT_DUPLICATES, &error);
	int fault;

	if (!root)
		return ids_corrupt(faults, file, error.text);
	fault = table_parse(&ids->services, file, json_object_get(root, "services"), faults);
	if (!fault)
		fault = table_parse(&ids->regions, file, json_object_get(root, "regions"), faults);
	json_decref(root);
	if (fault)
		ids_free(ids);
	return fault;
}

static json_t *table_json(const struct ids_table *table)
{
	json_t *object = json_object();

	for (size_t i = 1; object && i < table->count; i++) {
		if (!table->entries[i].name)
			continue;
		if (json_object_set_new(object, table->entries[i].name, json_integer(i))) {
			json_decref(object);
			object = NULL;
		}
	}
	return object;
}

char *ids_format(const struct ids *ids)
{
	json_t *root = json_pack("{s:o, s:o}", "services", table_json(&ids->services), "regions",
				 table_json(&ids->regions));
	char *text = root ? json_dumps(root, JSON_INDENT(1)) : NULL;

	json_decref(root);
	return text;
}
