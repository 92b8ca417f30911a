// SPDX-License-Identifier: GPL-3.0-or-later
/* GET stats: the counters of driver and fallback, by name. */
#include "user/controller/api.h"
#include "user/controller/capture.h"

#include <bpf/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "user/controller/counts.h"

static json_t *stats_reasons(const struct tables *tables)
{
	uint64_t driver[REASON_COUNT], fallback[REASON_COUNT];
	json_t *list = json_array();

	if (counts_driver(tables, driver)) {
		json_decref(list);
		return NULL;
	}
	counts_fallback(tables, fallback);
	for (int i = REASON_GO + 1; i < REASON_COUNT; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:I, s:s}", "reason", counts_reasons[i].name,
						      "outcome", counts_reasons[i].outcome, "driver", (json_int_t)driver[i],
						      "fallback", (json_int_t)fallback[i], "help", counts_reasons[i].help));
	return list;
}

/* An object of the list and what it is sorted by, which is looked for once. */
struct stats_row {
	const char *name, *second;
	json_t *object;
};

static int stats_order(const void *one, const void *other)
{
	const struct stats_row *a = one, *b = other;
	int order = strcmp(a->name, b->name);

	return order ? order : strcmp(a->second, b->second);
}

/* By these two fields; hashes are walked in no order. Takes the list, and returns it as it is without memory. */
static json_t *stats_sorted(json_t *list, const char *name, const char *second)
{
	size_t count = json_array_size(list);
	struct stats_row *rows = calloc(count + 1, sizeof(*rows));
	json_t *sorted = list ? json_array() : NULL;

	if (!rows || !sorted) {
		free(rows);
		json_decref(sorted);
		return list;
	}
	for (size_t i = 0; i < count; i++) {
		json_t *object = json_array_get(list, i);

		rows[i] = (struct stats_row){json_string_value(json_object_get(object, name)),
					     json_string_value(json_object_get(object, second)), object};
	}
	qsort(rows, count, sizeof(*rows), stats_order);
	for (size_t i = 0; i < count; i++)
		json_array_append(sorted, rows[i].object);
	free(rows);
	json_decref(list);
	return sorted;
}

static uint64_t *stats_hits(const struct tables *tables, enum table table)
{
	uint64_t *hits = calloc(tables->entries[table] + 1UL, sizeof(*hits));

	if (hits && !counts_hits(tables, table, hits, tables->entries[table]))
		return hits;
	free(hits);
	return NULL;
}

static json_t *stats_services(const struct tables *tables)
{
	uint64_t *hits = stats_hits(tables, TABLE_service_hits);
	json_t *list = hits ? json_array() : NULL;
	struct service_name name;
	uint32_t id, *last = NULL, previous;

	while (list && !bpf_map_get_next_key(tables->fd[TABLE_service_names], last, &id)) {
		previous = id;
		last = &previous;
		if (id >= tables->entries[TABLE_service_hits] ||
		    bpf_map_lookup_elem(tables->fd[TABLE_service_names], &id, &name))
			continue;	/* dropped meanwhile */
		name.name[sizeof(name.name) - 1] = 0;
		json_array_append_new(list, json_pack("{s:I, s:s, s:I}", "id", (json_int_t)id, "service", name.name,
						      "packets", (json_int_t)hits[id]));
	}
	free(hits);
	return stats_sorted(list, "service", "service");
}

static json_t *stats_regions(const struct tables *tables)
{
	uint64_t *hits = stats_hits(tables, TABLE_region_hits);
	json_t *list = hits ? json_array() : NULL;
	struct region_name name;
	uint32_t id, *last = NULL, previous;

	while (list && !bpf_map_get_next_key(tables->fd[TABLE_region_names], last, &id)) {
		previous = id;
		last = &previous;
		if (id >= tables->entries[TABLE_region_hits] ||
		    bpf_map_lookup_elem(tables->fd[TABLE_region_names], &id, &name))
			continue;
		name.topology[sizeof(name.topology) - 1] = 0;
		name.region[sizeof(name.region) - 1] = 0;
		json_array_append_new(list, json_pack("{s:I, s:s, s:s, s:I}", "id", (json_int_t)id,
						      "topology", name.topology, "region", name.region,
						      "packets", (json_int_t)hits[id]));
	}
	free(hits);
	return stats_sorted(list, "topology", "region");
}

static int stats_make(void *context, char **text, size_t *length)
{
	const struct tables *tables = context;
	json_t *json = json_pack("{s:I, s:o, s:o, s:o, s:o}", "nanoseconds", (json_int_t)uv_hrtime(),
				 "reasons", stats_reasons(tables), "services", stats_services(tables),
				 "regions", stats_regions(tables), "capture", capture_counts_json(tables));

	*text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
	json_decref(json);
	if (!*text)
		return -ENOMEM;
	*length = strlen(*text);
	(*text)[(*length)++] = '\n';	/* in place of the terminating zero, which is not sent */
	return 0;
}

const struct page_kind stats_kind = {.type = "application/json", .make = stats_make};
