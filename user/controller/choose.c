// SPDX-License-Identifier: GPL-3.0-or-later
#include "user/controller/choose.h"

#include <stdio.h>

const char *const choose_type_names[SERVICE_TYPES] = {
	[SERVICE_A] = "A", [SERVICE_AAAA] = "AAAA", [SERVICE_CNAME] = "CNAME",
};

/* -- members and pools -- */

bool choose_member_fits(const struct config_pool *pool, const struct config_member *member, enum service_type type)
{
	bool chosen_by_weight = pool->method == CONFIG_METHOD_weighted || pool->method == CONFIG_METHOD_hash;

	return member->address.length == (type == SERVICE_A ? 4 : type == SERVICE_AAAA ? 16 : 0) &&
	       (member->weight || !chosen_by_weight);
}

bool choose_member_up(const struct config_pool *pool, size_t member, const struct health *health)
{
	size_t number = pool->first_member + member;

	return !health || !health->down || number >= health->count || !health->down[number];
}

static bool pool_up(const struct config_pool *pool, enum service_type type, const struct health *health)
{
	uint32_t count = 0;

	if (pool->cname)
		return choose_member_up(pool, 0, health);
	for (size_t i = 0; i < pool->member_count && count < pool->min_up; i++)
		count += choose_member_fits(pool, &pool->members[i], type) && choose_member_up(pool, i, health);
	return count == pool->min_up;
}

bool choose_pool_has(const struct config_pool *pool, enum service_type type)
{
	return pool_up(pool, type, NULL);
}

void choose_pools_up(const struct config *config, const struct health *health, uint8_t *up)
{
	for (size_t i = 0; i < config->pool_count; i++) {
		uint32_t number = config->pool_order[i];
		const struct config_pool *pool = &config->pools[number];

		up[number] = 0;
		for (int type = 0; type < SERVICE_TYPES; type++)
			if (pool_up(pool, type, health))
				up[number] |= 1 << type;
		for (size_t j = 0; j < pool->depends_count; j++)
			if (!up[pool->depends_on[j]])
				up[number] = 0;
	}
}

/* -- what exists -- */

void choose_each_pool(const struct config *config, const struct config_service *service,
		      void (*use)(void *context, uint32_t pool), void *context)
{
	for (size_t i = 0; i < config->topologies[service->topology].region_count; i++)
		for (size_t j = 0; j < service->regions[i].count; j++)
			use(context, service->regions[i].pools[j]);
	if (service->when_all_down == CONFIG_ALL_DOWN_pool)
		use(context, service->all_down_pool);
}

struct pool_kinds {
	const struct config *config;
	size_t cnames, others;
};

static void pool_kinds_count(void *context, uint32_t pool)
{
	struct pool_kinds *kinds = context;

	(*(kinds->config->pools[pool].cname ? &kinds->cnames : &kinds->others))++;
}

bool choose_any_cname(const struct config *config, const struct config_service *service)
{
	struct pool_kinds kinds = {config, 0, 0};

	choose_each_pool(config, service, pool_kinds_count, &kinds);
	return kinds.cnames;
}

bool choose_all_cname(const struct config *config, const struct config_service *service)
{
	struct pool_kinds kinds = {config, 0, 0};

	choose_each_pool(config, service, pool_kinds_count, &kinds);
	return !kinds.others;
}

struct spread {
	const struct config *config;
	uint8_t v4, v6;
};

static void spread_deepen(void *context, uint32_t number)
{
	struct spread *spread = context;
	const struct config_pool *pool = &spread->config->pools[number];

	if (spread->v4 < pool->spread4)
		spread->v4 = pool->spread4;
	if (spread->v6 < pool->spread6)
		spread->v6 = pool->spread6;
}

void choose_spread(const struct config *config, const struct config_service *service, uint8_t *spread4, uint8_t *spread6)
{
	struct spread spread = {config, 0, 0};

	choose_each_pool(config, service, spread_deepen, &spread);
	*spread4 = spread.v4;
	*spread6 = spread.v6;
}

/* The first of the region's pools that has the type; CONFIG_NONE if none. */
static uint32_t region_pool(const struct config *config, const struct config_preference *preference,
			    enum service_type type)
{
	for (size_t i = 0; i < preference->count; i++)
		if (choose_pool_has(&config->pools[preference->pools[i]], type))
			return preference->pools[i];
	return CONFIG_NONE;
}

/* Up to ten of the regions that cannot give the type, for people. */
static void regions_text(const struct config *config, const struct config_service *service, enum service_type type,
			 char *text, size_t room)
{
	const struct config_topology *topology = &config->topologies[service->topology];
	size_t used = 0, named = 0;

	for (size_t i = 0; i < topology->region_count && used < room; i++) {
		if (region_pool(config, &service->regions[i], type) != CONFIG_NONE)
			continue;
		if (named++ == 10) {
			snprintf(text + used, room - used, ", ...");
			break;
		}
		used += snprintf(text + used, room - used, "%s%s", named > 1 ? ", " : "", topology->regions[i].name);
	}
}

static bool type_exists(const struct config *config, const struct config_service *service, enum service_type type,
			struct faults *faults)
{
	const struct config_topology *topology = &config->topologies[service->topology];
	const struct config_pool *all_down = service->when_all_down == CONFIG_ALL_DOWN_pool ?
					     &config->pools[service->all_down_pool] : NULL;
	size_t with = 0, giver = 0;
	char regions[REGION_TEXT_OCTETS * 12];

	for (size_t i = 0; i < topology->region_count; i++) {
		if (region_pool(config, &service->regions[i], type) == CONFIG_NONE)
			continue;
		giver = with++ ? giver : i;
	}
	if (!with)
		return false;
	if (with < topology->region_count) {
		regions_text(config, service, type, regions, sizeof(regions));
		faults_error(faults, &service->place,
			     "service %s: region %s has %s records (pool %s), but no pool of these "
			     "regions has any: %s; a type must exist for every client or for none: give their pools %s "
			     "members, or list a pool that has them",
			     service->name.text, topology->regions[giver].name, choose_type_names[type],
			     config->pools[region_pool(config, &service->regions[giver], type)].name, regions,
			     choose_type_names[type]);
	}
	if (all_down && !choose_pool_has(all_down, type))
		faults_error(faults, &service->all_down_place,
			     "service %s has %s records, but its pool for when all are down, "
			     "%s, has none: a type must not vanish with health",
			     service->name.text, choose_type_names[type], all_down->name);
	return true;
}

uint8_t choose_types(const struct config *config, const struct config_service *service, struct faults *faults)
{
	uint8_t types = 0;

	if (type_exists(config, service, SERVICE_A, faults))
		types |= 1 << SERVICE_A;
	if (type_exists(config, service, SERVICE_AAAA, faults))
		types |= 1 << SERVICE_AAAA;
	if (choose_all_cname(config, service))
		types |= 1 << SERVICE_CNAME;
	return types;
}

/* -- who answers -- */

bool choose_region_down(const struct config_preference *preference, enum service_type type, const uint8_t *up)
{
	for (size_t i = 0; i < preference->count; i++)
		if (up[preference->pools[i]] & 1 << type)
			return false;
	return true;
}

bool choose_all_down(const struct config *config, const struct config_service *service, enum service_type type,
		     const uint8_t *up)
{
	for (size_t i = 0; i < config->topologies[service->topology].region_count; i++)
		if (!choose_region_down(&service->regions[i], type, up))
			return false;
	return true;
}

/*
 * `nodata` while another region is up would make existence depend on the client: until the last region is down, such
 * a region is served as if it were up.
 */
static struct compiled_reason pool_for_down(const struct config *config, const struct config_service *service,
					    uint32_t region, enum service_type type, bool all_down)
{
	if (service->when_all_down == CONFIG_ALL_DOWN_pool)
		return (struct compiled_reason){service->all_down_pool, COMPILED_ALL_DOWN_POOL};
	if (service->when_all_down == CONFIG_ALL_DOWN_nodata && all_down)
		return (struct compiled_reason){CONFIG_NONE, COMPILED_NODATA};
	return (struct compiled_reason){region_pool(config, &service->regions[region], type), COMPILED_SERVE_ALL};
}

struct compiled_reason choose_pool(const struct config *config, const struct config_service *service, uint32_t region,
				   enum service_type type, bool all_down, const uint8_t *up)
{
	const struct config_preference *preference = &service->regions[region];
	enum compiled_note note = COMPILED_PREFERRED;

	for (size_t i = 0; i < preference->count; i++) {
		if (up[preference->pools[i]] & 1 << type)
			return (struct compiled_reason){preference->pools[i], note};
		if (choose_pool_has(&config->pools[preference->pools[i]], type))
			note = COMPILED_FAILED_OVER;
		else if (note == COMPILED_PREFERRED)
			note = COMPILED_LACKS_TYPE;
	}
	return pool_for_down(config, service, region, type, all_down);
}
