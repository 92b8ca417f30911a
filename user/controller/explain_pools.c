// SPDX-License-Identifier: GPL-3.0-or-later
#include "user/controller/explain_pools.h"

#include <stdlib.h>
#include <string.h>

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
	if (pool->cname)
		return json_string("down: by a setting");
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

/* -- settings -- */

/* The region's pools, that of when_all_down, and those that they depend on. */
static void settings_want(const struct config *config, const struct config_service *service, uint32_t region, uint8_t *wanted)
{
	for (size_t i = 0; i < service->regions[region].count; i++)
		wanted[service->regions[region].pools[i]] = 1;
	if (service->when_all_down == CONFIG_ALL_DOWN_pool)
		wanted[service->all_down_pool] = 1;
	for (size_t i = config->pool_count; i--; ) {
		const struct config_pool *pool = &config->pools[config->pool_order[i]];

		for (size_t j = 0; j < pool->depends_count && wanted[config->pool_order[i]]; j++)
			wanted[pool->depends_on[j]] = 1;
	}
}

/* Each once over all pools. */
static void settings_add(const struct config_pool *pool, const struct states_view *view, json_t *list)
{
	char text[ADMIN_TEXT_OCTETS];
	const json_t *each;
	size_t i;

	for (size_t member = 0; member < config_pool_states(pool); member++) {
		const struct admin_setting *cause = view->causes[pool->first_member + member];

		if (!cause)
			continue;
		admin_text(cause, text);
		json_array_foreach(list, i, each)
			if (!strcmp(json_string_value(each), text))
				break;
		if (i == json_array_size(list))
			json_array_append_new(list, json_string(text));
	}
}

json_t *explain_settings(struct controller *controller, uint32_t index)
{
	const struct config *config = controller->live->config;
	const struct compiled_service *service = service_at(controller->live->compiled, index);
	uint8_t *wanted = calloc(config->pool_count + 1, 1);
	json_t *list = json_array();
	struct states_view view;

	if (service && wanted && !states_view(&controller->states, config, &view)) {
		settings_want(config, &config->services[service->config],
			      (index - service->value.index - SERVICE_COMMON) / SERVICE_TYPES, wanted);
		for (size_t i = 0; i < config->pool_count; i++)
			if (wanted[i])
				settings_add(&config->pools[i], &view, list);
	}
	if (service && wanted)
		states_view_free(&view);
	free(wanted);
	return list;
}
