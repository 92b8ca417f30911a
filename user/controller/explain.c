// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * GET explain: what a client gets, and why. A query is made as a resolver would, and goes through the driver's own stages on
 * the live tables; the compiled model of the generation says what the numbers mean.
 */
#include "user/controller/api.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <libknot/libknot.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maps/answer.h"
#include "user/common/lookup.h"
#include "user/controller/explain_pools.h"

#define TRIES 3			/* a push may come between */
#define EXPLAIN_PORT 53000	/* of the resolver, as far as draws go */

struct explain {
	struct controller *controller;
	uint8_t name[256];
	uint16_t type;
	bool has_ecs;
	uint8_t client[16], resolver[16];
	uint8_t client_family, resolver_family;
	uint8_t prefix;
	/* results */
	struct message message;
	struct query query;
	struct selection selection;
	struct lookup lookup;
	int reason;		/* REASON_GO: the driver answers */
	size_t length;		/* of the reply */
};

static const char *const reason_names[REASON_COUNT] = {
#define REASON(name, outcome, help) [REASON_##name] = #name,
#include "maps/counters.def"
#undef REASON
};
static const char *const reason_helps[REASON_COUNT] = {
#define REASON(name, outcome, help) [REASON_##name] = help,
#include "maps/counters.def"
#undef REASON
};

/* -- the question -- */

/* An address with or without "/length". Returns its family, or 0. */
static int explain_address(const char *text, uint8_t address[16], uint8_t *length)
{
	char copy[64], *slash, *end;
	unsigned long bits;
	int family;

	if (strlen(text) >= sizeof(copy))
		return 0;
	strcpy(copy, text);
	slash = strchr(copy, '/');
	if (slash)
		*slash = 0;
	memset(address, 0, 16);
	family = inet_pton(AF_INET, copy, address) == 1 ? ECS_FAMILY_IPV4 :
		 inet_pton(AF_INET6, copy, address) == 1 ? ECS_FAMILY_IPV6 : 0;
	*length = family == ECS_FAMILY_IPV4 ? 32 : 128;
	if (!family || !slash)
		return family;
	bits = strtoul(slash + 1, &end, 10);
	if (!isdigit((unsigned char)slash[1]) || *end || bits > *length)
		return 0;
	*length = bits;
	return family;
}

static void explain_cut(uint8_t address[16], unsigned int length)
{
	for (unsigned int bit = length; bit < 128; bit++)
		address[bit / 8] &= ~(0x80 >> bit % 8);
}

static bool explain_read_client(struct explain *explain, struct http_request *request)
{
	const char *client = http_argument(request, "client"), *resolver = http_argument(request, "resolver");
	const char *prefix = http_argument(request, "prefix");
	uint8_t ignored;

	if (client) {
		explain->client_family = explain_address(client, explain->client, &explain->prefix);
		explain->has_ecs = true;
		if (!explain->client_family) {
			api_refuse(request, 400, "client: an address was expected, maybe with a prefix length: 192.0.2.1 or "
				   "2001:db8::/40");
			return false;
		}
	}
	if (client && prefix) {
		unsigned long most = explain->client_family == ECS_FAMILY_IPV4 ? 32 : 128, value;
		char *end;

		value = strtoul(prefix, &end, 10);
		if (!isdigit((unsigned char)*prefix) || *end || value > most) {
			api_refuse(request, 400, "prefix: a number from 0 to %lu was expected", most);
			return false;
		}
		explain->prefix = value;
	}
	if (!client && !resolver) {
		api_refuse(request, 400, "whose question? give client=ADDRESS, resolver=ADDRESS, or both");
		return false;
	}
	explain->resolver_family = explain_address(resolver ? resolver : client, explain->resolver, &ignored);
	if (!explain->resolver_family) {
		api_refuse(request, 400, "resolver: an address was expected, such as 192.0.2.53");
		return false;
	}
	explain_cut(explain->client, explain->prefix);
	return true;
}

static bool explain_read(struct explain *explain, struct http_request *request)
{
	const char *name = http_argument(request, "name"), *type = http_argument(request, "type");

	if (!name || !*name || zone_name_parse(name, explain->name)) {
		api_refuse(request, 400, "name: a domain name was expected, such as www.example.com");
		return false;
	}
	if (knot_rrtype_from_string(type ? type : "A", &explain->type)) {
		api_refuse(request, 400, "type: a record type was expected, such as AAAA");
		return false;
	}
	return explain_read_client(explain, request);
}

/* Header, question and OPT as a resolver sends them. Returns the octets. */
static size_t explain_write_query(struct explain *explain)
{
	struct message *message = &explain->message;
	size_t at = HEADER_OCTETS, octets = (explain->prefix + 7) / 8;

	memset(message->octets, 0, QUERY_OCTETS_MAX);
	message_put_u16(message, 4, 1);
	message_put_u16(message, 10, 1);
	memcpy(message->octets + at, explain->name, zone_name_length(explain->name));
	at += zone_name_length(explain->name);
	message_put_u16(message, at, explain->type);
	message_put_u16(message, at + 2, CLASS_IN);
	at += 4;
	message_put_u16(message, at + 1, TYPE_OPT);
	message_put_u16(message, at + 3, REPLY_OCTETS_MAX);
	if (!explain->has_ecs)
		return at + OPT_OCTETS;
	message_put_u16(message, at + 9, OPTION_HEADER_OCTETS + ECS_HEADER_OCTETS + octets);
	at += OPT_OCTETS;
	message_put_u16(message, at, OPTION_ECS);
	message_put_u16(message, at + 2, ECS_HEADER_OCTETS + octets);
	message_put_u16(message, at + 4, explain->client_family);
	message_put_u8(message, at + 6, explain->prefix);
	memcpy(message->octets + at + OPTION_HEADER_OCTETS + ECS_HEADER_OCTETS, explain->client, octets);
	return at + OPTION_HEADER_OCTETS + ECS_HEADER_OCTETS + octets;
}

/* -- the stages -- */

static int explain_stages(struct explain *explain)
{
	const struct answer *answer;
	int reason;

	memset(&explain->query, 0, sizeof(explain->query));
	memset(&explain->selection, 0, sizeof(explain->selection));
	explain->query.length = explain_write_query(explain);
	memcpy(explain->query.source_address, explain->resolver, 16);
	explain->query.source_family = explain->resolver_family;
	explain->query.source_port = EXPLAIN_PORT;
	reason = lookup_begin(&explain->lookup, &explain->controller->tables);
	if (reason)
		return reason;
	explain->query.ecs_enabled = explain->lookup.settings.flags & SETTINGS_ECS ? 1 : 0;
	reason = query_parse(&explain->message, &explain->query);
	if (reason)
		return reason;
	reason = select_answer(&explain->message, &explain->query, &explain->selection, &explain->lookup,
			       explain->lookup.slot);
	if (reason)
		return reason;
	answer = lookup_answer(&explain->lookup, explain->selection.answer);
	if (!answer)
		return REASON_NO_ANSWER;
	explain->length = answer_write(&explain->message, &explain->query, &explain->selection, answer,
				       &explain->lookup.settings);
	return explain->length ? REASON_GO : REASON_NO_ANSWER;
}

/* 0, or -EAGAIN if the tables never stood still or the model is of another generation. */
static int explain_run(struct explain *explain)
{
	for (int i = 0; i < TRIES; i++) {
		explain->reason = explain_stages(explain);
		if (lookup_is_whole(&explain->lookup))
			return explain->controller->live && explain->controller->live->number ==
			       tables_generation(explain->lookup.control) ? 0 : -EAGAIN;
	}
	return -EAGAIN;
}

/* -- the reply -- */

static json_t *explain_text(const char *text)
{
	return text ? json_string(text) : json_null();
}

static json_t *explain_block(const uint8_t *address, uint8_t family, unsigned int length)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t cut[16];

	memcpy(cut, address, sizeof(cut));
	explain_cut(cut, length);
	inet_ntop(family == ECS_FAMILY_IPV4 ? AF_INET : AF_INET6, cut, text, sizeof(text));
	return json_sprintf("%s/%u", text, length);
}

static const char *explain_decided(const struct explain *explain)
{
	switch (explain->selection.client) {
	case CLIENT_ECS: return "the client subnet of the query";
	case CLIENT_SERVICE_OFF: return "the resolver's address: this service has ecs: false";
	case CLIENT_UNTRUSTED: return "the resolver's address: its client subnets are not trusted (server.ecs.trust)";
	case CLIENT_SPECIAL: return "the resolver's address: the client subnet is a special block";
	}
	if (explain->query.flags & QUERY_ECS)
		return "the resolver's address: the client subnet has length 0";
	if (explain->has_ecs)
		return "the resolver's address: client subnets are switched off (server.ecs.enabled)";
	return "the resolver's address: no client subnet came";
}

static const struct config_prefixes *explain_prefixes(const struct config_topology *topology, uint8_t family)
{
	return family == ECS_FAMILY_IPV4 ? &topology->v4 : &topology->v6;
}

static int explain_prefix_order(const void *one, const void *other)
{
	const struct topology_prefix *a = one, *b = other;
	int order = memcmp(a->address, b->address, sizeof(a->address));

	return order ? order : (int)a->length - (int)b->length;
}

/* The longest configured prefix around the address: what the operator wrote, while the block is what it comes to. */
static json_t *explain_matched(const struct config *config, const struct config_topology *topology,
			       const struct selection *selection)
{
	const struct config_prefixes *prefixes = explain_prefixes(topology, selection->family);
	const struct config_prefix_place *place;
	const struct topology_prefix *found = NULL;
	struct topology_prefix key = {0};

	for (int length = selection->family == ECS_FAMILY_IPV4 ? 32 : 128; length >= 0 && !found; length--) {
		memcpy(key.address, selection->address, sizeof(key.address));
		explain_cut(key.address, length);
		key.length = length;
		found = prefixes->count ? bsearch(&key, prefixes->prefixes, prefixes->count, sizeof(key),
						  explain_prefix_order) : NULL;
	}
	if (!found)
		return json_pack("{s:s, s:s}", "prefix", "default", "region", topology->regions[0].name);
	place = &prefixes->places[found - prefixes->prefixes];
	return json_pack("{s:o, s:s, s:s, s:I}", "prefix",
			 explain_block(found->address, selection->family, found->length),
			 "region", topology->regions[found->region].name, "file", config->files[place->file],
			 "line", (json_int_t)place->line);
}

/* The index that select_answer() took, as the compiled model counts. */
static uint32_t explain_index(const struct explain *explain)
{
	const struct tables *tables = &explain->controller->tables;
	const struct selection *selection = &explain->selection;
	uint32_t base = tables->entries[TABLE_indices] / GENERATION_SLOTS * explain->lookup.slot, common = 0, index;
	int kind = select_type(&selection->service, explain->type, &common);

	index = selection->service.index - base;
	return index + (kind == SERVICE_TYPES ? common : SERVICE_COMMON + (uint32_t)selection->region * SERVICE_TYPES + kind);
}

/* Which pool stands behind it, and why; which ones do not. */
static json_t *explain_pool(const struct explain *explain)
{
	const struct generation *live = explain->controller->live;
	uint32_t index = explain_index(explain);
	const struct compiled_reason *reason;

	if (index >= live->compiled->index_count)
		return json_null();
	reason = &live->compiled->reasons[index];
	return json_pack("{s:o, s:s, s:o}", "pool", reason->pool < live->config->pool_count ?
			 json_string(live->config->pools[reason->pool].name) : json_null(),
			 "why", compiled_note_texts[reason->note],
			 "passed_over", explain_passed_over(explain->controller, index));
}

static void explain_section(json_t *list, const knot_pktsection_t *section)
{
	size_t room = 4096;
	char *text = malloc(room), *line, *save = NULL;

	for (uint16_t i = 0; text && i < section->count; i++) {
		if (knot_rrset_txt_dump(knot_pkt_rr(section, i), &text, &room, &KNOT_DUMP_STYLE_DEFAULT) < 0)
			continue;
		for (char *at = text; *at; at++)
			*at = *at == '\t' ? ' ' : *at;
		for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
			json_array_append_new(list, json_string(line));
	}
	free(text);
}

static json_t *explain_records(struct explain *explain, knot_section_t section)
{
	json_t *list = json_array();
	knot_pkt_t *packet = knot_pkt_new(explain->message.octets, explain->length, NULL);

	if (packet && !knot_pkt_parse(packet, 0))
		explain_section(list, knot_pkt_section(packet, section));
	knot_pkt_free(packet);
	return list;
}

/* The zone that the fallback answers from: the closest at or above the name. */
static json_t *explain_zone(const struct explain *explain)
{
	const struct config *config = explain->controller->live->config;
	const struct config_zone *closest = NULL;

	for (size_t i = 0; i < config->zone_count; i++)
		if (zone_name_within(explain->name, config->zones[i].origin.name) &&
		    (!closest || config->zones[i].origin.length > closest->origin.length))
			closest = &config->zones[i];
	return explain_text(closest ? closest->origin.text : NULL);
}

static void explain_add_selection(const struct explain *explain, json_t *reply)
{
	const struct generation *live = explain->controller->live;
	const struct selection *selection = &explain->selection;
	const struct config_topology *topology;

	if (!selection->tailored || !selection->service.topology ||
	    selection->service.topology > live->config->topology_count)
		return;
	topology = &live->config->topologies[selection->service.topology - 1];
	json_object_set_new(reply, "decided_by", json_string(explain_decided(explain)));
	json_object_set_new(reply, "address", explain_block(selection->address, selection->family,
							    selection->client == CLIENT_ECS ? explain->prefix :
							    selection->family == ECS_FAMILY_IPV4 ? 32 : 128));
	json_object_set_new(reply, "topology", json_string(topology->name));
	json_object_set_new(reply, "matched", explain_matched(live->config, topology, selection));
	json_object_set_new(reply, "region", explain_text(selection->region < topology->region_count ?
							  topology->regions[selection->region].name : NULL));
	json_object_set_new(reply, "block", explain_block(selection->address, selection->family, selection->block));
}

static json_t *explain_reply(struct explain *explain)
{
	char type[32] = "", *name = knot_dname_to_str_alloc(explain->name);
	bool ours = explain->reason == REASON_GO;
	json_t *reply;

	knot_rrtype_to_string(explain->type, type, sizeof(type));
	reply = json_pack("{s:s, s:s, s:I, s:s, s:s, s:s}", "name", name ? name : "", "type", type,
			  "generation", (json_int_t)tables_generation(explain->lookup.control),
			  "answered_by", ours ? "driver" : "fallback",
			  "reason", reason_names[ours ? explain->selection.outcome : explain->reason],
			  "because", reason_helps[ours ? explain->selection.outcome : explain->reason]);
	free(name);
	if (!reply)
		return NULL;
	if (explain->has_ecs)
		json_object_set_new(reply, "client_subnet",
				    explain_block(explain->client, explain->client_family, explain->prefix));
	json_object_set_new(reply, "zone", explain_zone(explain));
	if (!ours)
		return reply;
	explain_add_selection(explain, reply);
	if (explain->query.flags & QUERY_ECS)
		json_object_set_new(reply, "scope", json_integer(explain->selection.scope));
	json_object_set_new(reply, "choice", explain_pool(explain));
	json_object_set_new(reply, "settings", explain_settings(explain->controller, explain_index(explain)));
	json_object_set_new(reply, "answer", explain_records(explain, KNOT_ANSWER));
	json_object_set_new(reply, "authority", explain_records(explain, KNOT_AUTHORITY));
	return reply;
}

void explain_handle(struct controller *controller, struct http_request *request)
{
	struct explain *explain = calloc(1, sizeof(*explain));

	if (!explain) {
		http_reply(request, 500, NULL);
		return;
	}
	explain->controller = controller;
	if (!explain_read(explain, request))
		goto out;
	if (!publisher_generation(&controller->publisher))
		api_refuse(request, 404, "no configuration has been published; `ecsctl push FILE`");
	else if (explain_run(explain))
		api_refuse(request, 503, "%s", controller->pushes ? "a generation is just becoming live; try again" :
			   "the live generation's bundle is not in the state directory: push it again");
	else
		http_reply(request, 200, explain_reply(explain));
out:
	free(explain);
}
