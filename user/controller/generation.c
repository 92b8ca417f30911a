// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <stdlib.h>

#include "user/controller/generation.h"
#include "user/controller/warnings.h"

static int generation_make_all(struct bundle *bundle, const struct config_resolvers *resolvers,
			       const struct health_source *health, struct ids *ids, struct generation **out, struct faults *faults);

static int generation_zone(struct bundle *bundle, const struct config_zone *from, struct zone_set *zones,
			   struct faults *faults)
{
	struct zone *zone;
	int fault = zone_load(from->origin.text, from->file, bundle, &zone, faults);

	if (fault)
		return fault;
	fault = zone_set_add(zones, zone);
	if (!fault)
		return 0;
	zone_free(zone);
	if (fault == -EEXIST)
		return faults_error(faults, &from->place, "zone %s is there twice; leave one out", from->origin.text);
	return faults_memory(faults);
}

/* All zones are tried, so that one push shows the faults of them all. */
static int generation_zones(struct bundle *bundle, const struct config *config, struct zone_set *zones,
			    struct faults *faults)
{
	int fault = 0, failed;

	for (size_t i = 0; i < config->zone_count && !faults_enough(faults); i++) {
		failed = generation_zone(bundle, &config->zones[i], zones, faults);
		fault = fault ? fault : failed;
	}
	return fault;
}

static int generation_compile(struct generation *generation, const struct zone_set *zones,
			      const struct health_source *source, struct ids *ids, struct faults *faults)
{
	struct health health;

	if (health_source_read(source, generation->config, &generation->down))
		return faults_memory(faults);
	health = (struct health){generation->down, generation->config->member_count};
	return compile(generation->config, zones, &health, ids, &generation->compiled, faults);
}

int generation_make(struct bundle *bundle, const struct config_resolvers *resolvers, const struct health_source *health,
		    struct ids *ids, struct generation **out, struct faults *faults)
{
	int fault = generation_make_all(bundle, resolvers, health, ids, out, faults);

	if (!fault) {
		zone_set_free((*out)->zones);
		(*out)->zones = NULL;
	}
	return fault;
}

int generation_make_whole(struct bundle *bundle, const struct health_source *health, struct ids *ids, struct generation **out,
			  struct faults *faults)
{
	return generation_make_all(bundle, NULL, health, ids, out, faults);
}

static int generation_make_all(struct bundle *bundle, const struct config_resolvers *resolvers,
			       const struct health_source *health, struct ids *ids, struct generation **out, struct faults *faults)
{
	struct generation *generation = calloc(1, sizeof(*generation));
	struct zone_set *zones = zone_set_new();
	int fault = -ENOMEM;

	*out = NULL;
	if (!generation || !zones) {
		zone_set_free(zones);
		faults_memory(faults);
		goto out;
	}
	generation->zones = zones;
	fault = config_parse(bundle, 0, &generation->config, faults);
	if (!fault && resolvers)
		generation->config->server.resolvers = *resolvers;
	if (!fault)
		fault = generation_zones(bundle, generation->config, zones, faults);
	if (!fault)
		fault = generation_compile(generation, zones, health, ids, faults);
	if (!fault)
		fault = warnings_topologies(generation->config, faults);
	if (!fault)
		fault = warnings_cnames(generation->config, zones, faults);
	generation->files = bundle->count;
	generation->octets = bundle->octets;
out:
	if (fault)
		generation_free(generation);
	else
		*out = generation;
	return fault;
}

void generation_free(struct generation *generation)
{
	if (!generation)
		return;
	if (generation->sharers) {
		generation->sharers--;
		return;
	}
	compiled_free(generation->compiled);
	config_free(generation->config);
	zone_set_free(generation->zones);
	free(generation->down);
	free(generation);
}

void generation_share(struct generation *generation)
{
	generation->sharers++;
}

json_t *generation_summary(const struct generation *generation)
{
	const struct config *config = generation->config;
	json_int_t entries4 = 0, entries6 = 0;

	for (size_t i = 0; i < generation->compiled->topology_count; i++) {
		entries4 += generation->compiled->topologies[i].v4.count;
		entries6 += generation->compiled->topologies[i].v6.count;
	}
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
			 "services", (json_int_t)config->service_count, "zones", (json_int_t)config->zone_count,
			 "pools", (json_int_t)config->pool_count, "topologies", (json_int_t)config->topology_count,
			 "topology4_entries", entries4, "topology6_entries", entries6,
			 "answers", (json_int_t)generation->compiled->answer_count,
			 "files", (json_int_t)generation->files, "octets", (json_int_t)generation->octets);
}
