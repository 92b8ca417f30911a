// SPDX-License-Identifier: GPL-3.0-or-later
/* Prefixes as they were written, and what part of all addresses they move to another region. */
#include "user/controller/diff.h"

#include <stdlib.h>
#include <string.h>

#include "user/controller/prefixes.h"
#include "user/controller/ranges.h"

#define TRUST "server: ecs: trust"	/* resolvers by prefix, as clients are; no topology can have this name */

/* One of a configuration's topologies, or who is trusted as if it were one. */
struct view {
	const struct config_prefixes *prefixes[2];	/* IPv4, IPv6 */
	const struct compiled_topology *compiled;	/* its regions' numbers are those of the prefixes */
};

static struct view view_of(const struct generation *generation, size_t number)
{
	const struct config_topology *topology;

	if (number >= generation->config->topology_count)
		return (struct view){{&generation->config->server.trust4, &generation->config->server.trust6},
				     &generation->compiled->topologies[0]};
	topology = &generation->config->topologies[number];
	return (struct view){{&topology->v4, &topology->v6}, &generation->compiled->topologies[number + 1]};
}

/* -- prefixes -- */

struct prefixes_change {
	json_int_t added, removed, moved;
	struct diff_list list;
};

static const char *view_region(const struct view *view, uint32_t region)
{
	return view->compiled->regions[region].name;
}

static void prefix_add(struct prefixes_change *change, const struct topology_prefix *prefix, unsigned int bits,
		       const char *before, const char *after)
{
	char text[PREFIX_TEXT_OCTETS];

	if (!before)
		change->added++;
	else if (!after)
		change->removed++;
	else
		change->moved++;
	if (diff_list_has_room(&change->list))
		diff_list_add(&change->list, json_pack("{s:s, s:s, s:s?, s:s?}", "prefix", prefix_text(prefix, bits, text),
						       "change", !before ? "added" : !after ? "removed" : "moved",
						       "before", before, "after", after));
}

static int prefix_order(const struct topology_prefix *a, const struct topology_prefix *b)
{
	int order = memcmp(a->address, b->address, sizeof(a->address));

	return order ? order : (int)a->length - (int)b->length;
}

/* Both are sorted. */
static void prefixes_walk(struct prefixes_change *change, const struct view *before, const struct view *after, int family)
{
	const struct config_prefixes *was = before ? before->prefixes[family] : NULL;
	const struct config_prefixes *is = after ? after->prefixes[family] : NULL;
	size_t old = was ? was->count : 0, new = is ? is->count : 0, i = 0, j = 0;
	unsigned int bits = family ? 128 : 32;
	const char *from, *to;
	int order;

	while (i < old || j < new) {
		order = i == old ? 1 : j == new ? -1 : prefix_order(&was->prefixes[i], &is->prefixes[j]);
		from = order <= 0 ? view_region(before, was->prefixes[i].region) : NULL;
		to = order >= 0 ? view_region(after, is->prefixes[j].region) : NULL;
		if (order || strcmp(from, to))
			prefix_add(change, order <= 0 ? &was->prefixes[i] : &is->prefixes[j], bits, from, to);
		i += order <= 0;
		j += order >= 0;
	}
}

/* -- addresses -- */

/* By number of a region before its number after. The caller frees it; null without memory. */
static uint32_t *regions_same(const struct compiled_topology *before, const struct compiled_topology *after)
{
	uint32_t *same = calloc(before->region_count, sizeof(*same));
	struct words names;

	words_init(&names);
	for (size_t i = 0; same && i < after->region_count; i++)
		words_add(&names, after->regions[i].name, strlen(after->regions[i].name));
	for (size_t i = 0; same && i < before->region_count; i++) {
		same[i] = words_find(&names, before->regions[i].name, strlen(before->regions[i].name));
		if (same[i] == WORDS_NONE)
			same[i] = RANGES_NONE;
	}
	words_free(&names);
	return same;
}

static json_t *family_json(const struct view *before, const struct view *after, const uint32_t *same, int family, size_t limit)
{
	const struct topology_family *was = family ? &before->compiled->v6 : &before->compiled->v4;
	const struct topology_family *is = family ? &after->compiled->v6 : &after->compiled->v4;
	struct diff_list list = diff_list(limit);
	struct ranges_change change;
	char text[PREFIX_TEXT_OCTETS];
	json_t *result;

	if (ranges_compare(was, is, family ? 128 : 32, same, limit, &change))
		return NULL;
	for (size_t i = 0; i < change.listed; i++) {
		struct topology_prefix block = {.length = change.list[i].length};

		memcpy(block.address, change.list[i].address, sizeof(block.address));
		diff_list_add(&list, json_pack("{s:s, s:s, s:s}", "block", prefix_text(&block, family ? 128 : 32, text),
					       "before", view_region(before, change.list[i].before),
					       "after", view_region(after, change.list[i].after)));
	}
	list.left_out = change.blocks - change.listed;
	free(change.list);
	result = json_pack("{s:s, s:f, s:s, s:I}", "family", family ? "IPv6" : "IPv4", "percent", change.percent,
			   "addresses", change.addresses, "blocks", (json_int_t)change.blocks);
	diff_list_end(&list, result);
	return result;
}

static json_t *families_json(const struct view *before, const struct view *after, size_t limit)
{
	uint32_t *same = regions_same(before->compiled, after->compiled);
	json_t *families = json_array();

	for (int family = 0; same && family < 2; family++)
		json_array_append_new(families, family_json(before, after, same, family, limit));
	free(same);
	return families;
}

/* -- one and all -- */

static const char *view_default(const struct view *view)
{
	return view ? view_region(view, 0) : NULL;
}

/* Null: nothing has changed. */
static json_t *topology_json(const char *name, const struct view *before, const struct view *after, size_t limit)
{
	struct prefixes_change change = {.list = diff_list(limit)};
	const char *was = view_default(before), *is = view_default(after);
	json_t *prefixes;

	for (int family = 0; family < 2; family++)
		prefixes_walk(&change, before, after, family);
	if (before && after && !strcmp(was, is) && !change.added && !change.removed && !change.moved) {
		json_decref(change.list.list);
		return NULL;
	}
	prefixes = json_pack("{s:I, s:I, s:I}", "added", change.added, "removed", change.removed, "moved", change.moved);
	diff_list_end(&change.list, prefixes);
	return json_pack("{s:s, s:s, s:s?, s:s?, s:o, s:o}", "topology", name,
			 "change", !before ? "added" : !after ? "removed" : "changed",
			 "default_before", was, "default_after", is, "prefixes", prefixes,
			 "families", before && after ? families_json(before, after, limit) : json_array());
}

static void topology_add(json_t *list, const char *name, const struct generation *before, uint32_t was,
			 const struct generation *after, uint32_t is, size_t limit)
{
	struct view from, to;
	json_t *topology;

	if (was != CONFIG_NONE)
		from = view_of(before, was);
	if (is != CONFIG_NONE)
		to = view_of(after, is);
	topology = topology_json(name, was != CONFIG_NONE ? &from : NULL, is != CONFIG_NONE ? &to : NULL, limit);
	if (topology)
		json_array_append_new(list, topology);
}

json_t *diff_topologies(const struct generation *before, const struct generation *after, size_t limit, bool *changed)
{
	const struct config *was = before->config, *is = after->config;
	json_t *list = json_array();
	struct diff_pairs pairs;

	if (diff_pairs(&pairs, describe_topology_name, was->topology_count, was, is->topology_count, is))
		return NULL;
	for (size_t i = 0; i < pairs.count; i++)
		topology_add(list, pairs.list[i].name, before, pairs.list[i].before, after, pairs.list[i].after, limit);
	free(pairs.list);
	topology_add(list, TRUST, before, before->compiled->topology_count ? CONFIG_NONE - 1 : CONFIG_NONE, after,
		     CONFIG_NONE - 1, limit);
	*changed = *changed || json_array_size(list);
	return list;
}
