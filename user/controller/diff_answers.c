// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Answers, for every service, type and region by name: what comes of all the settings, with the members' states as they
 * are now.
 */
#include "user/controller/diff.h"

#include <stdlib.h>
#include <string.h>

#include "user/controller/choose.h"

struct answers_change {
	const struct generation *before, *after;
	json_int_t added, removed, changed;
	struct diff_list list;
};

static const char *const common_names[SERVICE_COMMON] = {
	[SERVICE_NODATA] = "no data", [SERVICE_ANY] = "ANY", [SERVICE_SOA] = "SOA", [SERVICE_NS] = "NS",
};

static const struct answer *answer_at(const struct generation *generation, const struct compiled_service *service,
				      uint32_t index)
{
	uint32_t number = service ? generation->compiled->indices[service->value.index + index] : ANSWER_NONE;

	return number == ANSWER_NONE ? NULL : &generation->compiled->answers[number - 1];
}

static json_t *answer_json(const struct answer *answer)
{
	return answer ? describe_answer(answer) : json_null();
}

static void answer_compare(struct answers_change *change, const char *service, const char *region, const char *type,
			   const struct answer *before, const struct answer *after)
{
	if (!before && !after)
		return;
	if (before && after && !memcmp(before, after, sizeof(*before)))
		return;
	if (!before)
		change->added++;
	else if (!after)
		change->removed++;
	else
		change->changed++;
	if (diff_list_has_room(&change->list))
		diff_list_add(&change->list, json_pack("{s:s, s:s?, s:s, s:o, s:o}", "service", service, "region", region,
						       "type", type, "before", answer_json(before), "after",
						       answer_json(after)));
}

/* -- regions, by name: of one topology or of two -- */

struct region {
	const char *name;
	uint32_t number;
	bool is_after;
};

static int region_order(const void *left, const void *right)
{
	const struct region *a = left, *b = right;
	int order = strcmp(a->name, b->name);

	return order ? order : a->is_after - b->is_after;
}

static const struct config_topology *topology_of(const struct generation *generation, const struct compiled_service *service)
{
	return service ? &generation->config->topologies[service->value.topology - 1] : NULL;
}

/* The regions of both, sorted; the caller frees them. Null without memory. */
static struct region *regions_of(const struct config_topology *before, const struct config_topology *after, size_t *count)
{
	size_t old = before ? before->region_count : 0;
	struct region *regions;

	*count = old + (after ? after->region_count : 0);
	regions = calloc(*count, sizeof(*regions));
	for (size_t i = 0; regions && i < *count; i++)
		regions[i] = i < old ? (struct region){before->regions[i].name, i, false} :
			     (struct region){after->regions[i - old].name, i - old, true};
	if (regions)
		qsort(regions, *count, sizeof(*regions), region_order);
	return regions;
}

static void region_compare(struct answers_change *change, const struct compiled_service *before,
			   const struct compiled_service *after, const struct region *was, const struct region *is)
{
	const char *service = (after ? after : before)->text, *region = (was ? was : is)->name;

	for (uint32_t type = 0; type < SERVICE_TYPES; type++)
		answer_compare(change, service, region, choose_type_names[type],
			       was ? answer_at(change->before, before, SERVICE_COMMON + was->number * SERVICE_TYPES + type) : NULL,
			       is ? answer_at(change->after, after, SERVICE_COMMON + is->number * SERVICE_TYPES + type) : NULL);
}

/* False without memory. */
static bool service_compare(struct answers_change *change, const struct compiled_service *before,
			    const struct compiled_service *after)
{
	size_t count;
	struct region *regions = regions_of(topology_of(change->before, before), topology_of(change->after, after), &count);

	for (size_t i = 0; regions && i < count; i++) {
		const struct region *was = regions[i].is_after ? NULL : &regions[i], *is = NULL;

		if (was && i + 1 < count && !strcmp(was->name, regions[i + 1].name))
			i++;
		if (regions[i].is_after)
			is = &regions[i];
		region_compare(change, before, after, was, is);
	}
	for (uint32_t common = 0; regions && common < SERVICE_COMMON; common++)
		answer_compare(change, (after ? after : before)->text, NULL, common_names[common],
			       answer_at(change->before, before, common), answer_at(change->after, after, common));
	free(regions);
	return regions;
}

/* -- all services; compiled->services are config->services, one by one -- */

json_t *diff_answers(const struct generation *before, const struct generation *after, size_t limit, bool *changed)
{
	const struct config *was = before->config, *is = after->config;
	struct answers_change change = {before, after, 0, 0, 0, diff_list(limit)};
	struct diff_pairs pairs;
	bool is_whole = true;
	json_t *result;

	if (diff_pairs(&pairs, describe_service_name, was->service_count, was, is->service_count, is))
		return NULL;
	for (size_t i = 0; i < pairs.count && is_whole; i++)
		is_whole = service_compare(&change, pairs.list[i].before == CONFIG_NONE ? NULL :
					   &before->compiled->services[pairs.list[i].before],
					   pairs.list[i].after == CONFIG_NONE ? NULL :
					   &after->compiled->services[pairs.list[i].after]);
	free(pairs.list);
	*changed = *changed || change.added || change.removed || change.changed;
	result = json_pack("{s:I, s:I, s:I}", "added", change.added, "removed", change.removed, "changed", change.changed);
	diff_list_end(&change.list, result);
	if (is_whole)
		return result;
	json_decref(result);
	return NULL;
}
