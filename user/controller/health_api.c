// SPDX-License-Identifier: GPL-3.0-or-later
/* GET health: pools with their members, and regions: in which state, why, and since when. */
#include "user/controller/api.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/controller/admin_effects.h"
#include "user/controller/choose.h"

struct health_reply {
	struct controller *controller;
	const struct config *config;
	const struct admin *admin;
	struct states_view view;
	uint8_t *up;			/* by pool: choose_pools_up() */
	uint8_t *covers;		/* by member: wanted; null: all are */
	uint8_t *listed;		/* by pool */
	uint32_t *seen, seeing;		/* by pool: the region that listed it last */
	char object[ADMIN_OBJECT_OCTETS];	/* that was asked for, or "" */
};

/* -- members and pools -- */

static const char *const verdict_names[] = {[HEALTH_UNKNOWN] = "unknown", [HEALTH_UP] = "up", [HEALTH_DOWN] = "down"};

/* The oldest first, times in milliseconds. */
static json_t *health_history(const struct health_record *record)
{
	uint32_t first = record->change_count > HEALTH_CHANGES_KEPT ? record->change_count - HEALTH_CHANGES_KEPT : 0;
	json_t *list = json_array();

	for (uint32_t i = first; list && i < record->change_count; i++) {
		const struct health_change *change = &record->changes[i % HEALTH_CHANGES_KEPT];

		json_array_append_new(list, json_pack("{s:I, s:s, s:s}", "at", (json_int_t)change->at, "state",
						      verdict_names[change->verdict], "reason", change->reason));
	}
	return list;
}

/* Where no setting decides: what its check has to say. All that it ever said is told of those who are asked for by name. */
static void health_add_verdict(const struct health_reply *reply, const struct config_pool *pool, uint32_t number, json_t *member)
{
	const struct health_member *checked = states_member(&reply->controller->states, reply->config, number);
	const struct health_change *last = checked ? health_last_change(&checked->record) : NULL;

	json_object_set_new(member, "state", json_string(reply->view.verdicts[number] ? "down" : "up"));
	json_object_set_new(member, "why", json_string(pool->check == CONFIG_NONE ? "no check" :
						       !checked || !checked->checked ? "not checked yet" : checked->reason));
	json_object_set_new(member, "since", json_integer(last ? last->at / 1000 : 0));
	if (!checked)
		return;
	json_object_set_new(member, "checked", json_integer(checked->checked / 1000));
	if (*reply->object)
		json_object_set_new(member, "history", health_history(&checked->record));
}

/* The state of one number, which is a member's or a CNAME's. */
static void health_add_state(const struct health_reply *reply, const struct config_pool *pool, uint32_t number,
			     const char *object, json_t *member)
{
	const struct admin_setting *cause = reply->view.causes[number];
	char text[ADMIN_TEXT_OCTETS];

	json_object_set_new(member, "up", json_boolean(!reply->view.down[number]));
	json_object_set_new(member, "verdict", json_string(pool->check == CONFIG_NONE ? "none" :
							   reply->view.verdicts[number] ? "down" : "up"));
	health_add_verdict(reply, pool, number, member);
	if (cause) {
		json_object_set_new(member, "state", json_string(admin_action_states[cause->action]));
		json_object_set_new(member, "why", json_string(strcmp(cause->object, object) ? admin_text(cause, text) :
							       cause->reason));
		json_object_set_new(member, "since", json_integer(cause->since));
	}
	json_object_set_new(member, "decided_by", json_string(cause ? cause->object : "checks"));
	json_object_set_new(member, "setting", admin_setting_json(admin_find(reply->admin, object)));
}

static json_t *health_member(const struct health_reply *reply, const struct config_pool *pool, size_t i)
{
	const struct config_member *from = &pool->members[i];
	char object[ADMIN_OBJECT_OCTETS], address[INET6_ADDRSTRLEN];
	json_t *member;

	snprintf(object, sizeof(object), "member %s/%s", pool->name, from->name);
	inet_ntop(from->address.length == 4 ? AF_INET : AF_INET6, from->address.octets, address, sizeof(address));
	member = json_pack("{s:s, s:s}", "member", from->name, "address", address);
	health_add_state(reply, pool, pool->first_member + i, object, member);
	return member;
}

static bool health_wants(const struct health_reply *reply, uint32_t number)
{
	return !reply->covers || reply->covers[number];
}

static size_t pool_members_up(const struct health_reply *reply, const struct config_pool *pool)
{
	size_t up = 0;

	for (size_t i = 0; i < pool->member_count; i++)
		up += !reply->view.down[pool->first_member + i];
	return up;
}

/* Why a pool with members is down. */
static json_t *pool_why(const struct health_reply *reply, const struct config_pool *pool)
{
	for (size_t i = 0; i < pool->depends_count; i++)
		if (!reply->up[pool->depends_on[i]])
			return json_sprintf("it depends on pool %s, which is down", reply->config->pools[pool->depends_on[i]].name);
	return pool->min_up > 1 ? json_sprintf("%u have to be up", pool->min_up) : json_string("");
}

static json_t *health_pool(const struct health_reply *reply, uint32_t number, json_t *members)
{
	const struct config_pool *pool = &reply->config->pools[number];
	char object[ADMIN_OBJECT_OCTETS];
	json_t *json = json_pack("{s:s}", "pool", pool->name);

	snprintf(object, sizeof(object), "pool %s", pool->name);
	if (pool->cname) {
		json_decref(members);
		json_object_set_new(json, "cname", json_string(pool->cname->text));
		health_add_state(reply, pool, pool->first_member, object, json);
		return json;
	}
	json_object_set_new(json, "up", json_boolean(reply->up[number]));
	json_object_set_new(json, "state", json_string(reply->up[number] ? "up" : "down"));
	json_object_set_new(json, "why", reply->up[number] ? json_string("") : pool_why(reply, pool));
	json_object_set_new(json, "members_up", json_integer(pool_members_up(reply, pool)));
	json_object_set_new(json, "members_all", json_integer(pool->member_count));
	json_object_set_new(json, "setting", admin_setting_json(admin_find(reply->admin, object)));
	json_object_set_new(json, "members", members);
	return json;
}

static json_t *health_pools(struct health_reply *reply)
{
	json_t *list = json_array(), *members;
	bool is_wanted;

	for (uint32_t i = 0; list && i < reply->config->pool_count; i++) {
		const struct config_pool *pool = &reply->config->pools[i];

		is_wanted = false;
		members = json_array();
		for (size_t j = 0; j < config_pool_states(pool); j++) {
			if (!health_wants(reply, pool->first_member + j))
				continue;
			is_wanted = true;
			if (!pool->cname)
				json_array_append_new(members, health_member(reply, pool, j));
		}
		reply->listed[i] = is_wanted;
		if (is_wanted)
			json_array_append_new(list, health_pool(reply, i, members));
		else
			json_decref(members);
	}
	return list;
}

/* -- regions -- */

/* Pools of the region, each once; is any up, and is any listed? */
struct region_pools {
	struct health_reply *reply;
	json_t *list;
	bool is_up, is_listed;
};

static void region_use(void *context, uint32_t pool)
{
	struct region_pools *region = context;
	struct health_reply *reply = region->reply;

	if (reply->seen[pool] == reply->seeing)
		return;
	reply->seen[pool] = reply->seeing;
	region->is_up |= reply->up[pool] != 0;
	region->is_listed |= reply->listed[pool];
	json_array_append_new(region->list, json_string(reply->config->pools[pool].name));
}

/* The one that was asked for; or those that prefer what was asked for. */
static bool region_is_wanted(const struct health_reply *reply, const char *object, bool is_listed)
{
	if (!*reply->object)
		return true;
	return admin_object_kind(reply->object) == ADMIN_region ? !strcmp(reply->object, object) : is_listed;
}

static json_t *health_region(struct health_reply *reply, uint32_t topology, uint32_t number)
{
	const struct config_topology *of = &reply->config->topologies[topology];
	struct region_pools region = {reply, json_array(), false, false};
	const struct admin_setting *setting;
	char object[ADMIN_OBJECT_OCTETS];

	snprintf(object, sizeof(object), "region %s/%s", of->name, of->regions[number].name);
	setting = admin_find(reply->admin, object);
	reply->seeing++;
	admin_each_pool(reply->config, topology, number, region_use, &region);
	if (!region_is_wanted(reply, object, region.is_listed)) {
		json_decref(region.list);
		return NULL;
	}
	return json_pack("{s:s, s:b, s:s, s:o, s:o}", "region", object + strlen("region "), "up", region.is_up,
			 "state", region.is_up ? "up" : json_array_size(region.list) ? "down" : "unused",
			 "pools", region.list, "setting", admin_setting_json(setting));
}

static json_t *health_regions(struct health_reply *reply)
{
	json_t *list = json_array(), *region;

	for (uint32_t i = 0; i < reply->config->topology_count; i++) {
		for (uint32_t j = 0; j < reply->config->topologies[i].region_count; j++) {
			region = health_region(reply, i, j);
			if (region)
				json_array_append_new(list, region);
		}
	}
	return list;
}

/* -- the whole -- */

json_t *health_settings(const struct controller *controller)
{
	const struct admin *admin = &controller->states.admin;
	const struct generation *live = controller->live;
	json_t *list = json_array(), *setting;

	for (size_t i = 0; list && i < admin->count; i++) {
		setting = admin_setting_json(&admin->list[i]);
		json_object_set_new(setting, "known", json_boolean(live && admin_knows(live->config, &admin->list[i])));
		json_array_append_new(list, setting);
	}
	return list;
}

static int health_prepare(struct health_reply *reply)
{
	const struct config *config = reply->config;
	int fault = states_view(&reply->controller->states, config, &reply->view);

	reply->up = calloc(config->pool_count + 1, 1);
	reply->listed = calloc(config->pool_count + 1, 1);
	reply->seen = calloc(config->pool_count + 1, sizeof(*reply->seen));
	if (fault || !reply->up || !reply->listed || !reply->seen)
		return -ENOMEM;
	choose_pools_up(config, &(struct health){reply->view.down, config->member_count}, reply->up);
	if (!*reply->object)
		return 0;
	reply->covers = calloc(config->member_count + 1, 1);
	return reply->covers ? admin_covers(config, reply->object, reply->covers) : -ENOMEM;
}

static void health_free(struct health_reply *reply)
{
	states_view_free(&reply->view);
	free(reply->up);
	free(reply->listed);
	free(reply->seen);
	free(reply->covers);
	free(reply);
}

/* Of this process: another one begins to count anew. */
static void health_version(const struct controller *controller, char text[64])
{
	snprintf(text, 64, "%" PRIx64 "-%" PRIu64, (uint64_t)controller->started, controller->health_version);
}

static json_t *health_json(struct health_reply *reply)
{
	struct controller *controller = reply->controller;
	json_t *pools = health_pools(reply);
	size_t up = 0;
	char version[64];

	for (uint32_t i = 0; i < reply->config->member_count; i++)
		up += !reply->view.down[i];
	health_version(controller, version);
	return json_pack("{s:s, s:I, s:b, s:I, s:I, s:o, s:o, s:o}", "version", version,
			 "generation", (json_int_t)controller->live->number,
			 "answers_follow", publisher_follows(&controller->publisher),
			 "members_up", (json_int_t)up, "members_all", (json_int_t)reply->config->member_count,
			 "pools", pools, "regions", health_regions(reply), "settings", health_settings(controller));
}

static bool health_is_unchanged(const struct controller *controller, struct http_request *request)
{
	const char *unless = http_argument(request, "unless");
	char version[64];

	health_version(controller, version);
	if (!unless || strcmp(unless, version))
		return false;
	http_reply(request, 200, json_pack("{s:s, s:b}", "version", version, "unchanged", 1));
	return true;
}

void health_handle(struct controller *controller, struct http_request *request)
{
	struct health_reply *reply;

	if (health_is_unchanged(controller, request))
		return;
	reply = calloc(1, sizeof(*reply));
	if (!reply) {
		http_reply(request, 500, NULL);
		return;
	}
	reply->controller = controller;
	reply->admin = &controller->states.admin;
	if (!admin_is_live(controller, request) ||
	    (http_argument(request, "object") && !admin_argument(controller, request, reply->object)))
		goto out;
	reply->config = controller->live->config;
	if (health_prepare(reply))
		http_reply(request, 500, NULL);
	else
		http_reply(request, 200, health_json(reply));
out:
	health_free(reply);
}
