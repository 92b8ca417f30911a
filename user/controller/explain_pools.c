// SPDX-License-Identifier: GPL-3.0-or-later
#include "user/controller/explain_pools.h"

#include "user/controller/choose.h"

/* Null: it could answer. */
static json_t *pool_why(struct controller *controller, uint32_t number, enum service_type type)
{
	const struct config *config = controller->live->config;
	const struct config_pool *pool = &config->pools[number];
	struct reaction_pool state;

	if (!choose_pool_has(pool, type))
		return json_sprintf("it has no %s records", choose_type_names[type]);
	if (!publisher_pool(&controller->publisher, number, type, &state) || state.is_up)
		return NULL;
	if (state.depends_on != CONFIG_NONE)
		return json_sprintf("down: it depends on pool %s, which is down", config->pools[state.depends_on].name);
	return json_sprintf("down: %u of %u members are up, %u %s needed", state.up, state.members, pool->min_up,
			    pool->min_up > 1 ? "are" : "is");
}

static const struct compiled_service *service_at(const struct compiled *compiled, uint32_t index)
{
	const struct service *value;

	for (size_t i = 0; i < compiled->service_count; i++) {
		value = &compiled->services[i].value;
		if (index >= value->index + SERVICE_COMMON &&
		    index < value->index + SERVICE_COMMON + value->regions * SERVICE_TYPES)
			return &compiled->services[i];
	}
	return NULL;
}

json_t *explain_passed_over(struct controller *controller, uint32_t index)
{
	const struct config *config = controller->live->config;
	const struct compiled_service *service = service_at(controller->live->compiled, index);
	const struct config_preference *preference;
	json_t *list = json_array(), *why;
	uint32_t at, number;

	if (!service)
		return list;
	at = index - service->value.index - SERVICE_COMMON;
	preference = &config->services[service->config].regions[at / SERVICE_TYPES];
	for (size_t i = 0; i < preference->count; i++) {
		number = preference->pools[i];
		why = pool_why(controller, number, at % SERVICE_TYPES);
		if (!why)
			break;
		json_array_append_new(list, json_pack("{s:s, s:o}", "pool", config->pools[number].name, "why", why));
	}
	return list;
}
