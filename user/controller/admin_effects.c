// SPDX-License-Identifier: GPL-3.0-or-later
#include "user/controller/admin_effects.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/controller/choose.h"

#define NAMED_MAX 5	/* of a kind; how many more there are, is told */

/* -- whose members -- */

int admin_covers(const struct config *config, const char *object, uint8_t *covers)
{
	struct admin_setting setting = {.kind = admin_object_kind(object), .action = ADMIN_down};
	struct admin alone, none = {0};
	int fault;

	strcpy(setting.object, object);
	fault = admin_change(&alone, &none, object, &setting);
	if (fault)
		return fault;
	memset(covers, 0, config->member_count);
	admin_apply(&alone, config, covers, NULL);
	admin_free(&alone);
	return 0;
}

/* -- services -- */

struct effects {
	const struct config *config;
	const struct compiled *compiled;
	uint8_t *up_before, *up_after;	/* by pool: choose_pools_up() */
	struct faults *faults;
	size_t regions;			/* of services, that went down */
};

/* "A, AAAA" of bits. */
static void types_text(uint8_t types, char text[32])
{
	size_t used = 0;

	text[0] = 0;
	for (int type = 0; type < SERVICE_TYPES; type++)
		if (types & 1 << type)
			used += snprintf(text + used, 32 - used, "%s%s", used ? ", " : "", choose_type_names[type]);
}

static void effects_region(struct effects *effects, const struct config_service *service, uint32_t region, uint8_t types,
			   struct compiled_reason reason)
{
	const struct config *config = effects->config;
	const struct config_topology *topology = &config->topologies[service->topology];
	const char *pool = reason.pool == CONFIG_NONE ? "" : config->pools[reason.pool].name;
	char what[160] = "", text[32];

	if (effects->regions++ >= NAMED_MAX)
		return;
	types_text(types, text);
	if (reason.note == COMPILED_NODATA)
		snprintf(what, sizeof(what), "nodata answers that there is no such record, as all other regions are down, too");
	else if (reason.note == COMPILED_ALL_DOWN_POOL)
		snprintf(what, sizeof(what), "pool %s answers, as when_all_down says", pool);
	else if (service->when_all_down == CONFIG_ALL_DOWN_nodata)
		snprintf(what, sizeof(what), "pool %s is served all the same, as long as another region is up", pool);
	else
		snprintf(what, sizeof(what), "serve-all serves pool %s all the same", pool);
	faults_warning(effects->faults, NULL, "this takes the last member of %s in region %s/%s down (%s): %s",
		       service->name.text, topology->name, topology->regions[region].name, text, what);
}

static void effects_service(struct effects *effects, const struct compiled_service *compiled)
{
	const struct config_service *service = &effects->config->services[compiled->config];
	bool all_down;
	uint8_t types;

	for (uint32_t region = 0; region < compiled->value.regions; region++) {
		struct compiled_reason reason = {0};

		types = 0;
		for (int type = 0; type < SERVICE_TYPES; type++) {
			if (!(compiled->value.types & 1 << type) ||
			    !choose_region_down(&service->regions[region], type, effects->up_after) ||
			    choose_region_down(&service->regions[region], type, effects->up_before))
				continue;
			all_down = choose_all_down(effects->config, service, type, effects->up_after);
			reason = choose_pool(effects->config, service, region, type, all_down, effects->up_after);
			types |= 1 << type;
		}
		if (types)
			effects_region(effects, service, region, types, reason);
	}
}

static bool effects_any_down(const struct effects *effects)
{
	for (size_t i = 0; i < effects->config->pool_count; i++)
		if (effects->up_before[i] & ~effects->up_after[i])
			return true;
	return false;
}

static int effects_services(const struct config *config, const struct compiled *compiled, const struct states_view *before,
			    const struct states_view *after, struct faults *faults)
{
	struct effects effects = {config, compiled, calloc(config->pool_count + 1, 1), calloc(config->pool_count + 1, 1),
				  faults, 0};
	int fault = effects.up_before && effects.up_after ? 0 : -ENOMEM;

	if (!fault) {
		choose_pools_up(config, &(struct health){before->down, config->member_count}, effects.up_before);
		choose_pools_up(config, &(struct health){after->down, config->member_count}, effects.up_after);
	}
	for (size_t i = 0; !fault && effects_any_down(&effects) && i < compiled->service_count; i++)
		effects_service(&effects, &compiled->services[i]);
	if (effects.regions > NAMED_MAX)
		faults_warning(faults, NULL, "and so for %zu more regions of services", effects.regions - NAMED_MAX);
	free(effects.up_before);
	free(effects.up_after);
	return fault;
}

/* -- other settings -- */

static const char *number_text(const struct config *config, uint32_t number, char text[ADMIN_OBJECT_OCTETS])
{
	for (size_t i = 0; i < config->pool_count; i++) {
		const struct config_pool *pool = &config->pools[i];

		if (number - pool->first_member >= config_pool_states(pool))
			continue;
		if (pool->cname)
			snprintf(text, ADMIN_OBJECT_OCTETS, "pool %s", pool->name);
		else
			snprintf(text, ADMIN_OBJECT_OCTETS, "member %s/%s", pool->name,
				 pool->members[number - pool->first_member].name);
		return text;
	}
	return "";
}

/* About whom another setting decides, also when the object has none. */
static void effects_others(const struct config *config, const struct admin_setting *setting, const uint8_t *covers,
			   const struct states_view *after, struct faults *faults)
{
	char member[ADMIN_OBJECT_OCTETS], text[ADMIN_TEXT_OCTETS];
	size_t others = 0;

	for (uint32_t i = 0; i < config->member_count; i++) {
		const struct admin_setting *cause = after->causes[i];

		if (!covers[i] || !cause || (setting && !strcmp(cause->object, setting->object)) || others++ >= NAMED_MAX)
			continue;
		number_text(config, i, member);
		admin_text(cause, text);
		if (!strcmp(member, cause->object))
			faults_warning(faults, NULL, "%s has a setting of its own: it %s", member, text + strlen(member) + 1);
		else
			faults_warning(faults, NULL, "of %s another setting decides: %s", member, text);
	}
	if (others > NAMED_MAX)
		faults_warning(faults, NULL, "and so for %zu more members", others - NAMED_MAX);
}

/* -- pools that stay down -- */

/* Is any of the object's members in it up now? */
static bool pool_is_meant(const struct config_pool *pool, const uint8_t *covers, const struct states_view *after)
{
	for (size_t i = 0; i < config_pool_states(pool); i++)
		if (covers[pool->first_member + i] && !after->down[pool->first_member + i])
			return true;
	return false;
}

static void pool_stays_down(const struct config *config, const struct config_pool *pool, const uint8_t *up,
			    struct faults *faults)
{
	for (size_t i = 0; i < pool->depends_count; i++) {
		if (up[pool->depends_on[i]])
			continue;
		faults_warning(faults, NULL, "pool %s stays down: it depends on pool %s, which is down", pool->name,
			       config->pools[pool->depends_on[i]].name);
		return;
	}
	faults_warning(faults, NULL, "pool %s stays down: at least %u of its members have to be up", pool->name, pool->min_up);
}

/* Forced up, but that is not all it takes. */
static int effects_stay_down(const struct config *config, const uint8_t *covers, const struct states_view *after,
			     struct faults *faults)
{
	uint8_t *up = calloc(config->pool_count + 1, 1);
	size_t pools = 0;

	if (!up)
		return -ENOMEM;
	choose_pools_up(config, &(struct health){after->down, config->member_count}, up);
	for (size_t i = 0; i < config->pool_count; i++)
		if (!up[i] && pool_is_meant(&config->pools[i], covers, after) && pools++ < NAMED_MAX)
			pool_stays_down(config, &config->pools[i], up, faults);
	if (pools > NAMED_MAX)
		faults_warning(faults, NULL, "and so for %zu more pools", pools - NAMED_MAX);
	free(up);
	return 0;
}

/* -- regions -- */

struct sharing {
	const struct config *config;
	const uint8_t *covers;
	uint32_t shared;	/* a pool that the region at hand has, too; CONFIG_NONE: none */
};

static void sharing_use(void *context, uint32_t pool)
{
	struct sharing *sharing = context;

	if (sharing->covers[sharing->config->pools[pool].first_member])
		sharing->shared = pool;
}

static void effects_sharing(const struct config *config, const char *object, const uint8_t *covers, struct faults *faults)
{
	struct sharing sharing = {config, covers, CONFIG_NONE};
	char other[ADMIN_OBJECT_OCTETS];
	size_t regions = 0;

	for (uint32_t i = 0; i < config->topology_count; i++) {
		for (uint32_t j = 0; j < config->topologies[i].region_count; j++) {
			snprintf(other, sizeof(other), "region %s/%s", config->topologies[i].name,
				 config->topologies[i].regions[j].name);
			sharing.shared = CONFIG_NONE;
			admin_each_pool(config, i, j, sharing_use, &sharing);
			if (sharing.shared == CONFIG_NONE || !strcmp(other, object) || regions++ >= NAMED_MAX)
				continue;
			faults_warning(faults, NULL, "%s prefers pool %s, too: its clients are concerned as well", other,
				       config->pools[sharing.shared].name);
		}
	}
	if (regions > NAMED_MAX)
		faults_warning(faults, NULL, "and so for %zu more regions", regions - NAMED_MAX);
}

int admin_effects(const struct config *config, const struct compiled *compiled, const char *object,
		  const struct admin_setting *setting, const struct states_view *before, const struct states_view *after,
		  struct faults *faults)
{
	uint8_t *covers = calloc(config->member_count + 1, 1);
	int fault = covers ? admin_covers(config, object, covers) : -ENOMEM;
	bool is_any;

	if (!fault)
		fault = effects_services(config, compiled, before, after, faults);
	if (!fault && setting && setting->action == ADMIN_up)
		fault = effects_stay_down(config, covers, after, faults);
	if (!fault) {
		effects_others(config, setting, covers, after, faults);
		is_any = config->member_count && memchr(covers, 1, config->member_count);
		if (setting && setting->kind == ADMIN_region && is_any)
			effects_sharing(config, object, covers, faults);
		else if (setting && !is_any && admin_knows(config, setting))
			faults_warning(faults, NULL, "no service prefers any pool there: this changes nothing");
	}
	free(covers);
	return fault ? faults_memory(faults) : 0;
}
