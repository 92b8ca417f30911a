// SPDX-License-Identifier: GPL-3.0-or-later
/* What the operator wrote, object by object; the whole of a diff. Prefixes, answers and zones have files of their own. */
#include "user/controller/diff.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* -- objects by name -- */

struct side {
	const char *name;
	uint32_t number;
	bool is_after;
};

static int side_compare(const void *left, const void *right)
{
	const struct side *a = left, *b = right;
	int order = strcmp(a->name, b->name);

	return order ? order : a->is_after - b->is_after;
}

int diff_pairs(struct diff_pairs *pairs, const char *(*name)(const struct config *config, size_t number),
	       size_t before_count, const struct config *before, size_t after_count, const struct config *after)
{
	size_t count = before_count + after_count, i;
	struct side *sides = calloc(count + 1, sizeof(*sides));

	pairs->count = 0;
	pairs->list = calloc(count + 1, sizeof(*pairs->list));
	if (!sides || !pairs->list) {
		free(sides);
		free(pairs->list);
		pairs->list = NULL;
		return -ENOMEM;
	}
	for (i = 0; i < before_count; i++)
		sides[i] = (struct side){name(before, i), i, false};
	for (; i < count; i++)
		sides[i] = (struct side){name(after, i - before_count), i - before_count, true};
	qsort(sides, count, sizeof(*sides), side_compare);
	for (i = 0; i < count; i++) {
		struct diff_pair *pair = &pairs->list[pairs->count++];

		*pair = (struct diff_pair){sides[i].name, CONFIG_NONE, CONFIG_NONE};
		if (!sides[i].is_after)
			pair->before = sides[i].number;
		if (!sides[i].is_after && i + 1 < count && !strcmp(sides[i].name, sides[i + 1].name))
			i++;
		if (sides[i].is_after)
			pair->after = sides[i].number;
	}
	free(sides);
	return 0;
}

/* -- lists -- */

struct diff_list diff_list(size_t limit)
{
	return (struct diff_list){json_array(), limit, 0};
}

bool diff_list_has_room(struct diff_list *list)
{
	if (json_array_size(list->list) < list->limit)
		return true;
	list->left_out++;
	return false;
}

void diff_list_add(struct diff_list *list, json_t *entry)
{
	json_array_append_new(list->list, entry);
}

void diff_list_end(struct diff_list *list, json_t *into)
{
	json_object_set_new(into, "list", list->list);
	json_object_set_new(into, "left_out", json_integer(list->left_out));
}

/* -- settings -- */

static json_t *field_or_null(const json_t *object, const char *field)
{
	json_t *value = json_object_get(object, field);

	return value ? json_incref(value) : json_null();
}

static void fields_add(json_t *fields, const char *name, const json_t *before, const json_t *after)
{
	json_array_append_new(fields, json_pack("{s:s, s:o, s:o}", "field", name, "before", field_or_null(before, name),
						"after", field_or_null(after, name)));
}

/* [{"field", "before", "after"}, ...] for what differs, in the order of the settings; null: is not there. */
static json_t *fields_differing(json_t *before, json_t *after)
{
	json_t *fields = json_array(), *value;
	const char *name;

	json_object_foreach(before, name, value)
		if (!json_equal(value, json_object_get(after, name)))
			fields_add(fields, name, before, after);
	json_object_foreach(after, name, value)
		if (!json_object_get(before, name))
			fields_add(fields, name, before, after);
	return fields;
}

struct kind {
	const char *what;	/* the field that names it */
	const char *(*name)(const struct config *config, size_t number);
	void (*describe)(json_t *into, const struct config *config, size_t number);
};

static const struct kind checks = {"check", describe_check_name, describe_check};
static const struct kind pools = {"pool", describe_pool_name, describe_pool};
static const struct kind services = {"service", describe_service_name, describe_service};

static json_t *object_differing(const struct kind *kind, const struct diff_pair *pair, const struct config *before,
				const struct config *after)
{
	json_t *was = json_object(), *is = json_object(), *fields;

	if (pair->before != CONFIG_NONE)
		kind->describe(was, before, pair->before);
	if (pair->after != CONFIG_NONE)
		kind->describe(is, after, pair->after);
	fields = fields_differing(was, is);
	json_decref(was);
	json_decref(is);
	return fields;
}

static json_t *diff_objects(const struct kind *kind, size_t before_count, const struct config *before, size_t after_count,
			    const struct config *after, size_t limit, bool *changed)
{
	json_int_t counts[3] = {0};
	static const char *const names[] = {"added", "removed", "changed"};
	struct diff_list list = diff_list(limit);
	struct diff_pairs pairs;
	json_t *fields, *result;
	int which;

	if (diff_pairs(&pairs, kind->name, before_count, before, after_count, after))
		return NULL;
	for (size_t i = 0; i < pairs.count; i++) {
		which = pairs.list[i].before == CONFIG_NONE ? 0 : pairs.list[i].after == CONFIG_NONE ? 1 : 2;
		fields = object_differing(kind, &pairs.list[i], before, after);
		counts[which] += which < 2 || json_array_size(fields);
		if ((which < 2 || json_array_size(fields)) && diff_list_has_room(&list))
			diff_list_add(&list, json_pack("{s:s, s:s, s:O}", kind->what, pairs.list[i].name, "change",
						       names[which], "fields", fields));
		json_decref(fields);
	}
	free(pairs.list);
	*changed = *changed || counts[0] || counts[1] || counts[2];
	result = json_pack("{s:I, s:I, s:I}", "added", counts[0], "removed", counts[1], "changed", counts[2]);
	diff_list_end(&list, result);
	return result;
}

static json_t *diff_server(const struct config *before, const struct config *after, bool *changed)
{
	json_t *was = json_object(), *is = json_object(), *fields;

	if (before)
		describe_server(was, before);
	describe_server(is, after);
	fields = fields_differing(was, is);
	*changed = *changed || json_array_size(fields);
	json_decref(was);
	json_decref(is);
	return json_pack("{s:o}", "fields", fields);
}

/* -- all of it -- */

json_t *diff_json(const struct generation *before, const struct generation *after, size_t limit)
{
	static const struct config no_config;
	static const struct compiled no_compiled;
	const struct generation nothing = {.config = (struct config *)&no_config,
					   .compiled = (struct compiled *)&no_compiled};
	const struct generation *from = before ? before : &nothing;
	const struct config *was = from->config, *is = after->config;
	bool changed = false, is_whole = true;
	json_t *diff = json_pack("{s:I}", "generation", (json_int_t)from->number);
	const struct {
		const char *name;
		json_t *json;
	} parts[] = {
		{"server", diff_server(before ? was : NULL, is, &changed)},
		{"checks", diff_objects(&checks, was->check_count, was, is->check_count, is, limit, &changed)},
		{"pools", diff_objects(&pools, was->pool_count, was, is->pool_count, is, limit, &changed)},
		{"topologies", diff_topologies(from, after, limit, &changed)},
		{"services", diff_objects(&services, was->service_count, was, is->service_count, is, limit, &changed)},
		{"answers", diff_answers(from, after, limit, &changed)},
		{"zones", diff_zones(from, after, limit, &changed)},
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		is_whole = !json_object_set_new(diff, parts[i].name, parts[i].json) && is_whole;
	json_object_set_new(diff, "changed", json_boolean(changed));
	if (is_whole)
		return diff;
	json_decref(diff);
	return NULL;
}
