// SPDX-License-Identifier: GPL-3.0-or-later
/* Settings and answers as texts, for people to compare. What is not described here, no diff sees: every key has to be. */
#define _GNU_SOURCE	/* vasprintf() */
#include "user/controller/diff.h"

#include <libknot/libknot.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "maps/wire.h"
#include "user/controller/prefixes.h"

/* A text that is put together piece by piece; without memory it stays as it was, and `failed`. */
struct text {
	char *octets;
	size_t length, room;
	bool failed;
};

static void text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void text_add(struct text *text, const char *format, ...)
{
	va_list arguments, again;
	size_t room;
	char *more;
	int length;

	va_start(arguments, format);
	va_copy(again, arguments);
	length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (text->length + length >= text->room) {
		room = (text->length + length + 1) * 2;
		more = realloc(text->octets, room);
		text->failed = text->failed || !more;
		if (more) {
			text->octets = more;
			text->room = room;
		}
	}
	if (!text->failed)
		text->length += vsprintf(text->octets + text->length, format, again);
	va_end(again);
}

/* "" at the first call for a text, then ", ". */
static const char *text_comma(const struct text *text)
{
	return text->length ? ", " : "";
}

/* UTF-8 as it is; else what is not printable as \DDD. */
static json_t *text_json(const char *octets)
{
	struct text text = {0};
	json_t *json = json_string(octets);

	if (json)
		return json;
	for (; *octets; octets++)
		text_add(&text, *octets >= ' ' && *octets < 0x7f ? "%c" : "\\%03u", (unsigned char)*octets);
	json = text.failed ? NULL : json_string(text.octets);
	free(text.octets);
	return json;
}

static void text_end(struct text *text, json_t *into, const char *field)
{
	if (!text->failed)
		json_object_set_new(into, field, text_json(text->length ? text->octets : ""));
	free(text->octets);
}

static void describe(json_t *into, const char *field, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void describe(json_t *into, const char *field, const char *format, ...)
{
	char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) >= 0)
		json_object_set_new(into, field, text_json(text));
	va_end(arguments);
	free(text);
}

static const char *yes_no(bool is)
{
	return is ? "true" : "false";
}

static void describe_address(json_t *into, const char *field, const struct config_address *address)
{
	char text[ADDRESS_TEXT_OCTETS];

	if (address->length)
		describe(into, field, "%s", address_text(address, text));
}

static void describe_if(json_t *into, const char *field, const char *text)
{
	if (text)
		describe(into, field, "%s", text);
}

/* -- names -- */

const char *describe_check_name(const struct config *config, size_t number)
{
	return config->checks[number].name;
}

const char *describe_pool_name(const struct config *config, size_t number)
{
	return config->pools[number].name;
}

const char *describe_topology_name(const struct config *config, size_t number)
{
	return config->topologies[number].name;
}

const char *describe_service_name(const struct config *config, size_t number)
{
	return config->services[number].name.text;
}

const char *describe_zone_name(const struct config *config, size_t number)
{
	return config->zones[number].origin.text;
}

/* -- server -- */

/* Without `trust`, which diff_topologies() compares as the topology that it is. */
void describe_server(json_t *into, const struct config *config)
{
	const struct config_server *server = &config->server;
	struct text addresses = {0}, nameservers = {0};
	char text[ADDRESS_TEXT_OCTETS];

	for (size_t i = 0; i < server->address_count; i++)
		text_add(&addresses, "%s%s", text_comma(&addresses), address_text(&server->addresses[i], text));
	text_end(&addresses, into, "addresses");
	describe(into, "ecs.enabled", "%s", yes_no(server->ecs));
	describe(into, "ecs.resolver_prefixes", "/%u, /%u", server->resolvers.v4, server->resolvers.v6);
	for (size_t i = 0; i < server->nameserver_count; i++)
		text_add(&nameservers, "%s%s", text_comma(&nameservers), server->nameservers[i].text);
	text_end(&nameservers, into, "synthetic.nameservers");
	describe_if(into, "synthetic.hostmaster", server->hostmaster ? server->hostmaster->text : NULL);
	describe(into, "health.hold_when_all_fail", "%s", yes_no(server->hold_when_all_fail));
	describe(into, "health.max_running", "%u", server->max_running);
	describe(into, "health.max_programs", "%u", server->max_programs);
}

/* -- checks -- */

static void describe_statuses(json_t *into, const struct config_check *check)
{
	struct text text = {0};

	for (size_t i = 0; i < check->status_count; i++) {
		text_add(&text, "%s%u", text_comma(&text), check->statuses[i].first);
		if (check->statuses[i].last != check->statuses[i].first)
			text_add(&text, "-%u", check->statuses[i].last);
	}
	text_end(&text, into, "status");
}

static void describe_command(json_t *into, const struct config_check *check)
{
	struct text text = {0};

	for (size_t i = 0; check->command && check->command[i]; i++)
		text_add(&text, "%s%s", i ? " " : "", check->command[i]);
	text_end(&text, into, "command");
}

void describe_check(json_t *into, const struct config *config, size_t number)
{
	const struct config_check *check = &config->checks[number];

	describe(into, "type", "%s", config_check_type_names[check->type]);
	describe(into, "interval", "%ums", check->interval);
	describe(into, "timeout", "%ums", check->timeout);
	describe(into, "rise", "%u", check->rise);
	describe(into, "fall", "%u", check->fall);
	describe_address(into, "source (IPv4)", &check->source4);
	describe_address(into, "source (IPv6)", &check->source6);
	describe(into, "port", "%u", check->port);
	describe_statuses(into, check);
	describe_if(into, "path", check->path);
	describe_if(into, "host", check->host);
	describe_if(into, "body", check->body);
	describe_if(into, "body_regex", check->body_regex);
	describe(into, "verify", "%s", yes_no(check->verify));
	describe_if(into, "ca_file", check->ca_file);
	describe_if(into, "query", check->query ? check->query->text : NULL);
	describe(into, "query_type", "%u", check->query_type);
	describe(into, "rcode", "%u", check->rcode);
	describe_if(into, "answer", check->answer);
	describe_if(into, "send", check->send);
	describe_if(into, "expect", check->expect);
	describe_command(into, check);
}

/* -- pools and services -- */

/* The order of members counts, too. */
static void describe_members(json_t *into, const struct config_pool *pool)
{
	char field[128], address[ADDRESS_TEXT_OCTETS];
	struct text order = {0};

	for (size_t i = 0; i < pool->member_count; i++) {
		text_add(&order, "%s%s", text_comma(&order), pool->members[i].name);
		snprintf(field, sizeof(field), "member %s", pool->members[i].name);
		describe(into, field, "%s weight %u", address_text(&pool->members[i].address, address),
			 pool->members[i].weight);
	}
	text_end(&order, into, "members");
}

static void describe_pools(json_t *into, const char *field, const struct config *config, const uint32_t *pools, size_t count)
{
	struct text text = {0};

	for (size_t i = 0; i < count; i++)
		text_add(&text, "%s%s", text_comma(&text), config->pools[pools[i]].name);
	text_end(&text, into, field);
}

void describe_pool(json_t *into, const struct config *config, size_t number)
{
	const struct config_pool *pool = &config->pools[number];

	describe_if(into, "check", pool->check == CONFIG_NONE ? NULL : config->checks[pool->check].name);
	if (pool->depends_count)
		describe_pools(into, "depends_on", config, pool->depends_on, pool->depends_count);
	if (pool->cname) {
		describe(into, "cname", "%s", pool->cname->text);
		return;
	}
	describe(into, "method", "%s", config_method_names[pool->method]);
	describe(into, "max_answers", "%u", pool->max_answers);
	describe(into, "min_up", "%u", pool->min_up);
	if (pool->spread4 || pool->spread6)
		describe(into, "spread", "/%u, /%u", pool->spread4, pool->spread6);
	describe_members(into, pool);
}

static void describe_all_down(json_t *into, const struct config *config, const struct config_service *service)
{
	static const char *const names[CONFIG_ALL_DOWN_COUNT] = {
		[CONFIG_ALL_DOWN_serve_all] = "serve-all", [CONFIG_ALL_DOWN_nodata] = "nodata",
	};

	describe(into, "when_all_down", "%s", service->when_all_down == CONFIG_ALL_DOWN_pool ?
		 config->pools[service->all_down_pool].name : names[service->when_all_down]);
}

void describe_service(json_t *into, const struct config *config, size_t number)
{
	const struct config_service *service = &config->services[number];
	const struct config_topology *topology = &config->topologies[service->topology];
	char field[128];

	describe(into, "topology", "%s", topology->name);
	describe(into, "ttl", "%u", service->ttl);
	describe(into, "ecs", "%s", yes_no(service->ecs));
	describe_all_down(into, config, service);
	for (size_t i = 0; i < topology->region_count; i++) {
		snprintf(field, sizeof(field), "region %s", topology->regions[i].name);
		describe_pools(into, field, config, service->regions[i].pools, service->regions[i].count);
	}
}

/* -- answers -- */

/* Type, class, TTL and length begin at `at`; the data are added as zone files have them. */
static void record_add(struct text *text, const uint8_t *at)
{
	char data[4096] = "";
	knot_rrset_t record;
	uint16_t type = at[0] << 8 | at[1], length = at[8] << 8 | at[9];

	knot_rrset_init(&record, (knot_dname_t *)"", type, KNOT_CLASS_IN, 0);
	if (!knot_rrset_add_rdata(&record, at + 10, length, NULL) &&
	    knot_rrset_txt_dump_data(&record, 0, data, sizeof(data), &KNOT_DUMP_STYLE_DEFAULT) >= 0)
		text_add(text, "%s", data);
	knot_rdataset_clear(&record.rrs, NULL);
}

/* How often a record is drawn, where that is no matter of course. */
static void share_add(struct text *text, const struct answer *answer, unsigned int record)
{
	uint32_t threshold, before = 0;
	unsigned int slots = 0;

	if (answer->method == ANSWER_WEIGHTED) {
		memcpy(&threshold, answer->octets + record * sizeof(threshold), sizeof(threshold));
		if (record)
			memcpy(&before, answer->octets + (record - 1) * sizeof(before), sizeof(before));
		text_add(text, " (%.4g %%)", (threshold - before) / 4294967296.0 * 100);
	} else if (answer->method == ANSWER_HASH) {
		for (unsigned int slot = 0; slot < ANSWER_HASH_SLOTS; slot++)
			slots += answer->octets[slot] == record;
		text_add(text, " (%u of %u)", slots, ANSWER_HASH_SLOTS);
	}
}

static uint32_t ttl_of(const uint8_t *at)
{
	return (uint32_t)at[4] << 24 | at[5] << 16 | at[6] << 8 | at[7];
}

/* The records behind their owner, a pointer; the tail's first likewise, or of the root. */
json_t *describe_answer(const struct answer *answer)
{
	struct text text = {0};
	const uint8_t *at = answer->octets + answer->records + 2;
	json_t *json;

	if (answer->count) {
		text_add(&text, "ttl %u: ", ttl_of(at));
		if (answer->method == ANSWER_ALL && answer->send < answer->count)
			text_add(&text, "%u of ", answer->send);
		for (unsigned int i = 0; i < answer->count; i++, at += answer->stride) {
			text_add(&text, "%s", i ? ", " : "");
			record_add(&text, at);
			share_add(&text, answer, i);
		}
	} else {
		at = answer->octets + answer->tail;
		at += *at ? 2 : 1;
		text_add(&text, "no data, ttl %u: SOA ", ttl_of(at));
		record_add(&text, at);
	}
	json = text.failed ? NULL : text_json(text.octets);
	free(text.octets);
	return json;
}
