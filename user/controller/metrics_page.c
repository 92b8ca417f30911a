// SPDX-License-Identifier: GPL-3.0-or-later
#include "user/controller/metrics_page.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/common/readiness.h"
#include "user/common/version.h"
#include "user/controller/choose.h"
#include "user/controller/counts.h"
#include "user/controller/metrics_text.h"

#define TEXT(number) TEXT_OF(number)
#define TEXT_OF(number) #number

/* -- in the loop -- */

int metrics_snapshot(struct metrics_snapshot *snapshot, struct controller *controller, enum metrics_services services)
{
	*snapshot = (struct metrics_snapshot){
		.tables = &controller->tables, .pins = controller->pins, .publisher = &controller->publisher, .live = controller->live,
		.figures = controller->figures, .started = controller->started, .services = services,
	};
	memcpy(snapshot->used, controller->used, sizeof(snapshot->used));
	snapshot->used[TABLE_service_names] = controller->ids.services.given;
	snapshot->used[TABLE_region_names] = controller->ids.regions.given;
	snapshot->checks = *checks_figures(controller->states.checks);
	if (!controller->live)
		return 0;
	generation_share(controller->live);
	return states_glance(&controller->states, controller->live->config, &snapshot->glance);
}

void metrics_snapshot_free(struct metrics_snapshot *snapshot)
{
	states_glance_free(&snapshot->glance);
	generation_free(snapshot->live);
	snapshot->live = NULL;
}

/* -- queries -- */

static int page_queries(FILE *out, const struct metrics_snapshot *snapshot)
{
	uint64_t driver[REASON_COUNT], fallback[REASON_COUNT];
	int fault = counts_driver(snapshot->tables, driver);

	if (fault)
		return fault;
	counts_fallback(snapshot->tables, fallback);
	metric_begin(out, METRIC_queries_total);
	for (int i = REASON_GO + 1; i < REASON_COUNT; i++)
		metric_count(out, METRIC_queries_total, driver[i], "path", "driver", "reason", counts_reasons[i].name, NULL);
	for (int i = REASON_GO + 1; i < REASON_COUNT; i++)
		metric_count(out, METRIC_queries_total, fallback[i], "path", "fallback", "reason", counts_reasons[i].name, NULL);
	return 0;
}

static void page_service_hits(FILE *out, const struct metrics_snapshot *snapshot, const uint64_t *hits, uint32_t count)
{
	const struct compiled *compiled = snapshot->live->compiled;

	for (size_t i = 0; i < compiled->service_count; i++) {
		const struct compiled_service *service = &compiled->services[i];
		uint64_t answers = service->value.id < count ? hits[service->value.id] : 0;

		if (answers || snapshot->services == METRICS_SERVICES_all)
			metric_count(out, METRIC_service_answers_total, answers, "service", service->text, NULL);
	}
}

static void page_region_hits(FILE *out, const struct metrics_snapshot *snapshot, const uint64_t *hits, uint32_t count)
{
	const struct compiled *compiled = snapshot->live->compiled;

	for (size_t i = 0; i < compiled->topology_count; i++) {
		const struct compiled_topology *topology = &compiled->topologies[i];

		if (topology->number == TOPOLOGY_TRUST)
			continue;
		for (size_t j = 0; j < topology->region_count; j++)
			metric_count(out, METRIC_region_answers_total,
				     topology->regions[j].id < count ? hits[topology->regions[j].id] : 0,
				     "topology", topology->name, "region", topology->regions[j].name, NULL);
	}
}

typedef void page_hits(FILE *out, const struct metrics_snapshot *snapshot, const uint64_t *hits, uint32_t count);

/* Of numbers that were given up to now, which is few beside what the table has room for. */
static int page_table(FILE *out, const struct metrics_snapshot *snapshot, enum table table, uint32_t count, page_hits *print)
{
	uint64_t *hits = calloc(count + 1UL, sizeof(*hits));
	int fault = hits ? counts_hits(snapshot->tables, table, hits, count) : -ENOMEM;

	if (!fault)
		print(out, snapshot, hits, count);
	free(hits);
	return fault;
}

static uint32_t page_services_end(const struct compiled *compiled)
{
	uint32_t end = 0;

	for (size_t i = 0; i < compiled->service_count; i++)
		if (compiled->services[i].value.id >= end)
			end = compiled->services[i].value.id + 1;
	return end;
}

static uint32_t page_regions_end(const struct compiled *compiled)
{
	uint32_t end = 0;

	for (size_t i = 0; i < compiled->topology_count; i++)
		for (size_t j = 0; j < compiled->topologies[i].region_count; j++)
			if (compiled->topologies[i].regions[j].id >= end)
				end = compiled->topologies[i].regions[j].id + 1;
	return end;
}

static int page_answers(FILE *out, const struct metrics_snapshot *snapshot)
{
	const struct compiled *compiled = snapshot->live ? snapshot->live->compiled : NULL;
	int fault = 0;

	metric_begin(out, METRIC_service_answers_total);
	if (compiled && snapshot->services != METRICS_SERVICES_none)
		fault = page_table(out, snapshot, TABLE_service_hits, page_services_end(compiled), page_service_hits);
	metric_begin(out, METRIC_region_answers_total);
	if (compiled && !fault)
		fault = page_table(out, snapshot, TABLE_region_hits, page_regions_end(compiled), page_region_hits);
	return fault;
}

/* -- one number each -- */

static void page_count(FILE *out, enum metric metric, uint64_t value)
{
	metric_begin(out, metric);
	metric_count(out, metric, value, NULL);
}

static void page_build(FILE *out, const struct metrics_snapshot *snapshot)
{
	metric_begin(out, METRIC_build_info);
	metric_count(out, METRIC_build_info, 1, "version", ECSDNS_VERSION, "abi", TEXT(ECSDNS_ABI_VERSION), NULL);
	page_count(out, METRIC_controller_start_time_seconds, snapshot->started);
}

static void page_pushes(FILE *out, const struct metrics_snapshot *snapshot)
{
	const struct figures *figures = &snapshot->figures;
	uint32_t generation = publisher_generation(snapshot->publisher);

	page_count(out, METRIC_generation, generation);
	metric_begin(out, METRIC_generation_published_timestamp_seconds);
	if (snapshot->live && snapshot->live->number == generation)
		metric_count(out, METRIC_generation_published_timestamp_seconds, snapshot->live->published, NULL);
	metric_begin(out, METRIC_pushes_total);
	for (int i = 0; i < FIGURES_RESULT_COUNT; i++)
		metric_count(out, METRIC_pushes_total, figures->pushes[i], "result", figures_result_names[i], NULL);
	metric_begin(out, METRIC_last_push_timestamp_seconds);
	if (figures->last_push)
		metric_count(out, METRIC_last_push_timestamp_seconds, figures->last_push, NULL);
	metric_begin(out, METRIC_last_push_success);
	if (figures->last_push)
		metric_count(out, METRIC_last_push_success, figures->last_result == FIGURES_done, NULL);
	metric_histogram(out, METRIC_push_duration_seconds, &figures->push, figures_push_bounds);
}

/* -- health -- */

static int page_pools(FILE *out, const struct metrics_snapshot *snapshot)
{
	const struct config *config = snapshot->live->config;
	uint8_t *up = calloc(config->pool_count + 1, 1);

	if (!up)
		return -ENOMEM;
	choose_pools_up(config, &(struct health){snapshot->glance.down, config->member_count}, up);
	for (size_t i = 0; i < config->pool_count; i++)
		metric_count(out, METRIC_pool_up, up[i] != 0, "pool", config->pools[i].name, NULL);
	free(up);
	return 0;
}

static void page_pool_members(FILE *out, const struct metrics_snapshot *snapshot)
{
	const struct config *config = snapshot->live->config;

	for (size_t i = 0; i < config->pool_count; i++)
		if (!config->pools[i].cname)
			metric_count(out, METRIC_pool_members, config->pools[i].member_count, "pool", config->pools[i].name, NULL);
}

static void page_pool_members_up(FILE *out, const struct metrics_snapshot *snapshot)
{
	const struct config *config = snapshot->live->config;

	for (size_t i = 0; i < config->pool_count; i++) {
		const struct config_pool *pool = &config->pools[i];
		size_t up = 0;

		for (size_t j = 0; j < pool->member_count; j++)
			up += !snapshot->glance.down[pool->first_member + j];
		if (!pool->cname)
			metric_count(out, METRIC_pool_members_up, up, "pool", pool->name, NULL);
	}
}

static void page_member(FILE *out, enum metric metric, const struct states_glance *glance, const struct config_pool *pool,
			size_t i)
{
	const char *member = pool->members[i].name;
	uint32_t number = pool->first_member + i;

	if (metric == METRIC_member_up)
		metric_count(out, metric, !glance->down[number], "pool", pool->name, "member", member, NULL);
	else if (metric == METRIC_member_setting && glance->actions[number] < ADMIN_ACTION_COUNT)
		metric_count(out, metric, 1, "pool", pool->name, "member", member,
			     "action", admin_action_names[glance->actions[number]], NULL);
	else if (metric == METRIC_member_last_result && glance->results[number] < CHECK_REASON_COUNT)
		metric_count(out, metric, 1, "pool", pool->name, "member", member,
			     "reason", check_reason_names[glance->results[number]], NULL);
}

static void page_members(FILE *out, const struct metrics_snapshot *snapshot, enum metric metric)
{
	const struct config *config = snapshot->live ? snapshot->live->config : NULL;

	metric_begin(out, metric);
	for (size_t i = 0; config && i < config->pool_count; i++)
		for (size_t j = 0; j < config->pools[i].member_count; j++)
			page_member(out, metric, &snapshot->glance, &config->pools[i], j);
}

static void page_reactions(FILE *out, const struct metrics_snapshot *snapshot)
{
	const struct publisher_reactions reactions = publisher_reactions(snapshot->publisher);

	metric_histogram(out, METRIC_reaction_duration_seconds, &snapshot->figures.reaction, figures_reaction_bounds);
	page_count(out, METRIC_reaction_answers_total, reactions.indices);
	page_count(out, METRIC_reaction_entries_total, reactions.entries);
	page_count(out, METRIC_reaction_grace_periods_total, reactions.graces);
	page_count(out, METRIC_answers_behind, reactions.missing);
}

static int page_health(FILE *out, const struct metrics_snapshot *snapshot)
{
	uint64_t current = __atomic_load_n(&snapshot->tables->health->current, __ATOMIC_RELAXED);
	int fault = 0;

	page_count(out, METRIC_health_followed, publisher_follows(snapshot->publisher));
	metric_begin(out, METRIC_health_age_seconds);
	if (current)
		metric_seconds(out, METRIC_health_age_seconds, (readiness_now() - current) / 1e9, NULL);
	metric_begin(out, METRIC_pool_up);
	if (snapshot->live)
		fault = page_pools(out, snapshot);
	metric_begin(out, METRIC_pool_members);
	if (snapshot->live)
		page_pool_members(out, snapshot);
	metric_begin(out, METRIC_pool_members_up);
	if (snapshot->live)
		page_pool_members_up(out, snapshot);
	page_members(out, snapshot, METRIC_member_up);
	page_members(out, snapshot, METRIC_member_setting);
	page_members(out, snapshot, METRIC_member_last_result);
	page_reactions(out, snapshot);
	return fault;
}

static void page_checks(FILE *out, const struct metrics_snapshot *snapshot)
{
	const struct checks_figures *checks = &snapshot->checks;

	metric_begin(out, METRIC_checks_total);
	for (int i = 0; i < CHECK_REASON_COUNT; i++)
		metric_count(out, METRIC_checks_total, checks->results[i], "result", check_reason_names[i], NULL);
	page_count(out, METRIC_checks_running, checks->running);
	page_count(out, METRIC_checks_running_limit, checks->max_running);
	page_count(out, METRIC_checks_late, checks->queued);
	page_count(out, METRIC_checks_held, checks->is_holding);
}

/* -- tables -- */

static void page_tables(FILE *out, const struct metrics_snapshot *snapshot)
{
	static const enum table shown[] = {
		TABLE_addresses, TABLE_names_short, TABLE_names_long, TABLE_topology4, TABLE_topology6, TABLE_indices,
		TABLE_answers, TABLE_service_names, TABLE_region_names,
	};

	metric_begin(out, METRIC_table_entries);
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
		metric_count(out, METRIC_table_entries, snapshot->used[shown[i]], "table", table_name(shown[i]), NULL);
	metric_begin(out, METRIC_table_capacity);
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
		metric_count(out, METRIC_table_capacity, snapshot->tables->entries[shown[i]], "table", table_name(shown[i]), NULL);
}

/* -- whom this host answers -- */

static int page_interfaces(FILE *out, const struct metrics_snapshot *snapshot)
{
	json_t *interfaces, *missing, *each;
	size_t attached, i;

	interfaces = readiness_interfaces(snapshot->tables, &attached);
	missing = readiness_missing(snapshot->tables, snapshot->pins, attached, READINESS_AGE_MAX);
	metric_begin(out, METRIC_ready);
	metric_count(out, METRIC_ready, missing && !json_array_size(missing), NULL);
	metric_begin(out, METRIC_interface_info);
	json_array_foreach(interfaces, i, each)
		metric_count(out, METRIC_interface_info, 1, "interface", json_string_value(json_object_get(each, "interface")),
			     "mode", json_string_value(json_object_get(each, "mode")), NULL);
	json_decref(interfaces);
	json_decref(missing);
	return interfaces && missing ? 0 : -ENOMEM;
}

/* -- the whole -- */

static int page_write(FILE *out, const struct metrics_snapshot *snapshot)
{
	uint64_t began = uv_hrtime();
	int fault;

	page_build(out, snapshot);
	fault = page_interfaces(out, snapshot);
	if (!fault)
		fault = page_queries(out, snapshot);
	if (!fault)
		fault = page_answers(out, snapshot);
	page_pushes(out, snapshot);
	if (!fault)
		fault = page_health(out, snapshot);
	page_checks(out, snapshot);
	page_tables(out, snapshot);
	metric_begin(out, METRIC_page_duration_seconds);
	metric_seconds(out, METRIC_page_duration_seconds, (uv_hrtime() - began) / 1e9, NULL);
	return fault;
}

int metrics_page(const struct metrics_snapshot *snapshot, char **text, size_t *length)
{
	FILE *out = open_memstream(text, length);
	int fault;

	*text = NULL;
	if (!out)
		return -ENOMEM;
	fault = page_write(out, snapshot);
	if (fclose(out) && !fault)
		fault = -ENOMEM;
	if (fault) {
		free(*text);
		*text = NULL;
	}
	return fault;
}
