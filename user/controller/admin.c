// SPDX-License-Identifier: GPL-3.0-or-later
#include "user/controller/admin.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const admin_kind_names[ADMIN_KIND_COUNT] = {
#define X(name) #name,
	ADMIN_KINDS(X)
#undef X
};
const char *const admin_action_names[ADMIN_ACTION_COUNT] = {
#define X(name, state) #name,
	ADMIN_ACTIONS(X)
#undef X
};
const char *const admin_action_states[ADMIN_ACTION_COUNT] = {
#define X(name, state) state,
	ADMIN_ACTIONS(X)
#undef X
};

enum admin_kind admin_object_kind(const char *object)
{
	unsigned int kind = 0;
	size_t length;

	for (; kind < ADMIN_KIND_COUNT; kind++) {
		length = strlen(admin_kind_names[kind]);
		if (!strncmp(object, admin_kind_names[kind], length) && object[length] == ' ')
			break;
	}
	return kind;
}

/* What follows the kind: "osaka1" of "pool osaka1". */
static const char *setting_name(const struct admin_setting *setting)
{
	return setting->object + strlen(admin_kind_names[setting->kind]) + 1;
}

/* -- the list -- */

void admin_free(struct admin *admin)
{
	free(admin->list);
	words_free(&admin->objects);
	words_free(&admin->pools);
	memset(admin, 0, sizeof(*admin));
}

static int setting_order(const void *one, const void *other)
{
	return strcmp(((const struct admin_setting *)one)->object, ((const struct admin_setting *)other)->object);
}

static int words_keep(struct words *words, const char *text, size_t length)
{
	if (words_find(words, text, length) == WORDS_NONE && words_add(words, text, length) == WORDS_NONE)
		return -ENOMEM;
	return 0;
}

static int admin_index(struct admin *admin)
{
	const struct admin_setting *setting;
	int fault = admin->count > ADMIN_SETTINGS_MAX ? -ENOSPC : 0;

	for (size_t i = 0; i < admin->count && !fault; i++) {
		setting = &admin->list[i];
		if (i && !setting_order(setting - 1, setting))
			return -EEXIST;
		fault = words_keep(&admin->objects, setting->object, strlen(setting->object));
		if (!fault && setting->kind == ADMIN_member)
			fault = words_keep(&admin->pools, setting_name(setting), strcspn(setting_name(setting), "/"));
	}
	return fault;
}

int admin_build(struct admin *admin, struct admin_setting *list, size_t count)
{
	int fault;

	*admin = (struct admin){.list = list, .count = count};
	if (count)
		qsort(list, count, sizeof(*list), setting_order);
	fault = admin_index(admin);
	if (fault)
		admin_free(admin);
	return fault;
}

int admin_change(struct admin *to, const struct admin *from, const char *object, const struct admin_setting *setting)
{
	struct admin_setting *list = calloc(from->count + 1, sizeof(*list));
	size_t count = 0;

	memset(to, 0, sizeof(*to));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < from->count; i++)
		if (strcmp(from->list[i].object, object))
			list[count++] = from->list[i];
	if (setting)
		list[count++] = *setting;
	return admin_build(to, list, count);
}

const struct admin_setting *admin_find(const struct admin *admin, const char *object)
{
	uint32_t number = admin->count ? words_find(&admin->objects, object, strlen(object)) : WORDS_NONE;

	return number == WORDS_NONE ? NULL : &admin->list[number];
}

/* -- the overlay -- */

struct overlay {
	const struct config *config;
	uint8_t *down;
	const struct admin_setting **causes;
	const struct admin_setting *setting;	/* being laid */
};

static void overlay_put(const struct overlay *overlay, uint32_t number)
{
	overlay->down[number] = overlay->setting->action != ADMIN_up;
	if (overlay->causes)
		overlay->causes[number] = overlay->setting;
}

static void overlay_pool(void *context, uint32_t pool)
{
	const struct overlay *overlay = context;
	const struct config_pool *of = &overlay->config->pools[pool];

	for (size_t i = 0; i < config_pool_states(of); i++)
		overlay_put(overlay, of->first_member + i);
}

static bool region_find(const struct config *config, const char *name, uint32_t *topology, uint32_t *region)
{
	size_t length = strcspn(name, "/");

	for (uint32_t i = 0; i < config->topology_count; i++) {
		const struct config_topology *each = &config->topologies[i];

		if (strlen(each->name) != length || memcmp(each->name, name, length) || name[length] != '/')
			continue;
		for (uint32_t j = 0; j < each->region_count; j++) {
			if (strcmp(each->regions[j].name, name + length + 1))
				continue;
			*topology = i;
			*region = j;
			return true;
		}
	}
	return false;
}

void admin_each_pool(const struct config *config, uint32_t topology, uint32_t region,
		     void (*use)(void *context, uint32_t pool), void *context)
{
	for (size_t i = 0; i < config->service_count; i++)
		if (config->services[i].topology == topology)
			use(context, config->services[i].regions[region].pools[0]);
}

/* The stricter ones last, so that they hold. */
static void overlay_regions(struct overlay *overlay, const struct admin *admin)
{
	uint32_t topology, region;

	for (unsigned int action = 0; action < ADMIN_ACTION_COUNT; action++) {
		for (size_t i = 0; i < admin->count; i++) {
			overlay->setting = &admin->list[i];
			if (overlay->setting->kind == ADMIN_region && overlay->setting->action == action &&
			    region_find(overlay->config, setting_name(overlay->setting), &topology, &region))
				admin_each_pool(overlay->config, topology, region, overlay_pool, overlay);
		}
	}
}

static void overlay_members(struct overlay *overlay, const struct admin *admin, const struct config_pool *pool)
{
	char object[ADMIN_OBJECT_OCTETS];

	if (words_find(&admin->pools, pool->name, strlen(pool->name)) == WORDS_NONE)
		return;
	for (size_t i = 0; i < pool->member_count; i++) {
		snprintf(object, sizeof(object), "member %s/%s", pool->name, pool->members[i].name);
		overlay->setting = admin_find(admin, object);
		if (overlay->setting)
			overlay_put(overlay, pool->first_member + i);
	}
}

void admin_apply(const struct admin *admin, const struct config *config, uint8_t *down,
		 const struct admin_setting **causes)
{
	struct overlay overlay = {.config = config, .down = down, .causes = causes};
	char object[ADMIN_OBJECT_OCTETS];

	if (causes && config->member_count)
		memset(causes, 0, config->member_count * sizeof(*causes));
	if (!admin->count)
		return;
	overlay_regions(&overlay, admin);
	for (uint32_t i = 0; i < config->pool_count; i++) {
		snprintf(object, sizeof(object), "pool %s", config->pools[i].name);
		overlay.setting = admin_find(admin, object);
		if (overlay.setting)
			overlay_pool(&overlay, i);
		if (admin->pools.count)
			overlay_members(&overlay, admin, &config->pools[i]);
	}
}

/* -- what a configuration has -- */

static const struct config_pool *pool_find(const struct config *config, const char *name, size_t length)
{
	for (size_t i = 0; i < config->pool_count; i++)
		if (strlen(config->pools[i].name) == length && !memcmp(config->pools[i].name, name, length))
			return &config->pools[i];
	return NULL;
}

static bool member_find(const struct config *config, const char *name)
{
	size_t length = strcspn(name, "/");
	const struct config_pool *pool = name[length] ? pool_find(config, name, length) : NULL;

	for (size_t i = 0; pool && i < pool->member_count; i++)
		if (!strcmp(pool->members[i].name, name + length + 1))
			return true;
	return false;
}

bool admin_knows(const struct config *config, const struct admin_setting *setting)
{
	const char *name = setting_name(setting);
	uint32_t topology, region;

	switch (setting->kind) {
	case ADMIN_pool: return pool_find(config, name, strlen(name));
	case ADMIN_member: return member_find(config, name);
	default: return region_find(config, name, &topology, &region);
	}
}

void admin_warn(const struct admin *admin, const struct config *config, struct faults *faults)
{
	char text[ADMIN_TEXT_OCTETS];

	for (size_t i = 0; i < admin->count; i++)
		if (!admin_knows(config, &admin->list[i]))
			faults_warning(faults, NULL, "%s, but this configuration does not have it; the setting is kept for one "
				       "that does, `ecsctl enable %s:%s` removes it", admin_text(&admin->list[i], text),
				       admin_kind_names[admin->list[i].kind], setting_name(&admin->list[i]));
}

/* -- for people and programs -- */

const char *admin_text(const struct admin_setting *setting, char text[ADMIN_TEXT_OCTETS])
{
	snprintf(text, ADMIN_TEXT_OCTETS, "%s is %s%s%s", setting->object, admin_action_states[setting->action],
		 *setting->reason ? ": " : "", setting->reason);
	return text;
}

json_t *admin_setting_json(const struct admin_setting *setting)
{
	char text[ADMIN_TEXT_OCTETS];

	if (!setting)
		return json_null();
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "object", setting->object,
			 "kind", admin_kind_names[setting->kind], "name", setting_name(setting),
			 "action", admin_action_names[setting->action], "state", admin_action_states[setting->action],
			 "reason", setting->reason, "text", admin_text(setting, text),
			 "uid", (json_int_t)setting->uid, "since", (json_int_t)setting->since);
}
