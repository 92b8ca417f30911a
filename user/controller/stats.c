// SPDX-License-Identifier: GPL-3.0-or-later
/* GET stats: the counters of driver and fallback, by name. */
#include "user/controller/api.h"
#include "user/controller/capture.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name, *outcome, *help;
} reasons[REASON_COUNT] = {
#define REASON(name, outcome, help) [REASON_##name] = { #name, #outcome, help },
#include "maps/counters.def"
#undef REASON
};

int stats_sum(int map, uint32_t key, size_t words, uint64_t *sums)
{
	int cpus = libbpf_num_possible_cpus(), fault;
	uint64_t *values = cpus > 0 ? calloc(words * cpus, sizeof(*values)) : NULL;

	if (!values)
		return -ENOMEM;
	fault = bpf_map_lookup_elem(map, &key, values);
	for (size_t i = 0; i < words; i++) {
		sums[i] = 0;
		for (int cpu = 0; cpu < cpus && !fault; cpu++)
			sums[i] += values[cpu * words + i];
	}
	free(values);
	return fault;
}

static uint64_t stats_fallback(const struct tables *tables, int reason)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < tables->entries[TABLE_fallback_counters]; i++)
		sum += __atomic_load_n(reasons_at(&tables->fallback_counters[i], reason), __ATOMIC_RELAXED);
	return sum;
}

static json_t *stats_reasons(const struct tables *tables)
{
	uint64_t driver[REASON_COUNT - 1];
	json_t *list = json_array();

	if (stats_sum(tables->fd[TABLE_counters], 0, REASON_COUNT - 1, driver)) {
		json_decref(list);
		return NULL;
	}
	for (int i = 1; i < REASON_COUNT; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:I, s:s}", "reason", reasons[i].name,
						      "outcome", reasons[i].outcome, "driver", (json_int_t)driver[i - 1],
						      "fallback", (json_int_t)stats_fallback(tables, i),
						      "help", reasons[i].help));
	return list;
}

static int stats_order(const void *one, const void *other)
{
	static const char *const fields[] = {"service", "topology", "region"};
	const json_t *a = *(json_t *const *)one, *b = *(json_t *const *)other;
	const char *text;
	int order = 0;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]) && !order; i++) {
		text = json_string_value(json_object_get(a, fields[i]));
		order = text ? strcmp(text, json_string_value(json_object_get(b, fields[i]))) : 0;
	}
	return order;
}

/* By name; hashes are walked in no order. Takes the list, and returns it as it is without memory. */
static json_t *stats_sorted(json_t *list)
{
	size_t count = json_array_size(list);
	json_t **each = calloc(count + 1, sizeof(*each)), *sorted = json_array();

	if (!each || !sorted) {
		free(each);
		json_decref(sorted);
		return list;
	}
	for (size_t i = 0; i < count; i++)
		each[i] = json_array_get(list, i);
	qsort(each, count, sizeof(*each), stats_order);
	for (size_t i = 0; i < count; i++)
		json_array_append(sorted, each[i]);
	free(each);
	json_decref(list);
	return sorted;
}

static json_t *stats_services(const struct tables *tables)
{
	json_t *list = json_array();
	struct service_name name;
	uint32_t id, *last = NULL, previous;
	uint64_t packets;

	while (!bpf_map_get_next_key(tables->fd[TABLE_service_names], last, &id)) {
		previous = id;
		last = &previous;
		if (bpf_map_lookup_elem(tables->fd[TABLE_service_names], &id, &name) ||
		    stats_sum(tables->fd[TABLE_service_hits], id, 1, &packets))
			continue;	/* dropped meanwhile */
		name.name[sizeof(name.name) - 1] = 0;
		json_array_append_new(list, json_pack("{s:I, s:s, s:I}", "id", (json_int_t)id, "service", name.name,
						      "packets", (json_int_t)packets));
	}
	return stats_sorted(list);
}

static json_t *stats_regions(const struct tables *tables)
{
	json_t *list = json_array();
	struct region_name name;
	uint32_t id, *last = NULL, previous;
	uint64_t packets;

	while (!bpf_map_get_next_key(tables->fd[TABLE_region_names], last, &id)) {
		previous = id;
		last = &previous;
		if (bpf_map_lookup_elem(tables->fd[TABLE_region_names], &id, &name) ||
		    stats_sum(tables->fd[TABLE_region_hits], id, 1, &packets))
			continue;
		name.topology[sizeof(name.topology) - 1] = 0;
		name.region[sizeof(name.region) - 1] = 0;
		json_array_append_new(list, json_pack("{s:I, s:s, s:s, s:I}", "id", (json_int_t)id,
						      "topology", name.topology, "region", name.region,
						      "packets", (json_int_t)packets));
	}
	return stats_sorted(list);
}

json_t *stats_json(const struct controller *controller)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "reasons", stats_reasons(&controller->tables),
			 "services", stats_services(&controller->tables), "regions", stats_regions(&controller->tables),
			 "capture", capture_counts_json(controller));
}
