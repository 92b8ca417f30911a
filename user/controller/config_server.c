// SPDX-License-Identifier: GPL-3.0-or-later
/* The sections `server` and `zones`. */
#include <errno.h>
#include <string.h>

#include "maps/limits.h"
#include "user/controller/parser.h"
#include "user/controller/prefixes.h"

/* Both generations' addresses stand in one table. */
#define SERVER_ADDRESSES_MAX (ADDRESSES_ENTRIES / GENERATION_SLOTS)

static int server_read(struct parser *parser, const struct node *node);
static int server_addresses(struct parser *parser, const struct node *node);
static int server_ecs(struct parser *parser, const struct node *node);
static int server_trust(struct parser *parser, const struct node *node);
static int server_synthetic(struct parser *parser, const struct node *node);
static void server_health(struct parser *parser, const struct node *node);

/* -- server -- */

int config_server(struct parser *parser)
{
	const struct node *server = NULL, *node;
	struct place place = {.file = parser->bundle->files[0]->name};

	for (size_t i = 0; i < parser->source_count; i++) {
		node = parser->sources[i].sections[SECTION_server];
		if (node && server)
			faults_error(parser->faults, &node->place, "a second `server`: there is one at %s:%u already",
				     server->place.file, server->place.line);
		else if (node)
			server = node;
	}
	if (!server) {
		faults_error(parser->faults, &place,
			     "there is no `server`: expected at least `server: {addresses: [...]}` "
			     "with the addresses whose queries are ours");
		return 0;
	}
	return server_read(parser, server);
}

static int server_read(struct parser *parser, const struct node *node)
{
	static const char *const keys[] = {"addresses", "ecs", "synthetic", "health"};
	const struct node *values[4] = {0};
	int fault = 0;

	parser->config->server.place = parser_place(parser, node);
	if (!tree_fields(node, "`server`", keys, 4, values, parser->faults))
		return 0;
	server_health(parser, values[3]);
	if (values[0])
		fault = server_addresses(parser, values[0]);
	else
		faults_error(parser->faults, &node->place, "`server` has no `addresses`: expected the addresses whose "
			     "queries are ours");
	if (!fault)
		fault = server_ecs(parser, values[1]);
	if (!fault && values[2])
		fault = server_synthetic(parser, values[2]);
	return fault;
}

/* How checks are run, and what to make of all of them failing. */
static void server_health(struct parser *parser, const struct node *node)
{
	static const char *const keys[] = {"hold_when_all_fail", "max_running", "max_programs"};
	struct config_server *server = &parser->config->server;
	const struct node *values[3];

	server->hold_when_all_fail = true;
	server->max_running = CONFIG_RUNNING_DEFAULT;
	server->max_programs = CONFIG_PROGRAMS_DEFAULT;
	if (!node || !tree_fields(node, "`health`", keys, 3, values, parser->faults))
		return;
	if (values[0])
		tree_bool(values[0], "`hold_when_all_fail`", &server->hold_when_all_fail, parser->faults);
	if (values[1])
		tree_number(values[1], "`max_running`", 1, CONFIG_RUNNING_MAX, &server->max_running, parser->faults);
	if (values[2])
		tree_number(values[2], "`max_programs`", 1, CONFIG_PROGRAMS_MAX, &server->max_programs, parser->faults);
}

/* Why an address cannot be a server's; null if it can. */
static const char *address_refused(const struct config_address *address)
{
	static const uint8_t zeros[16], mapped[12] = {[10] = 0xff, [11] = 0xff};
	const uint8_t *octets = address->octets;

	if (!memcmp(octets, zeros, address->length))
		return "the driver must know each address: write them out";
	if (address->length == 4)
		return octets[0] >= 224 ? "expected a unicast address" : NULL;
	if (!memcmp(octets, mapped, sizeof(mapped)))
		return "write an IPv4 address as such";
	return octets[0] == 0xff ? "expected a unicast address" : NULL;
}

static int server_addresses(struct parser *parser, const struct node *node)
{
	struct config_server *server = &parser->config->server;
	const struct node_item *item;
	struct config_address *address;
	const char *refused;

	if (!tree_expect(node, NODE_LIST, "a list of addresses", parser->faults))
		return 0;
	if (!node->count || node->count > SERVER_ADDRESSES_MAX) {
		faults_error(parser->faults, &node->place, "expected 1 to %d addresses, not %zu", SERVER_ADDRESSES_MAX,
			     node->count);
		return 0;
	}
	server->addresses = arena_alloc(parser->config->arena, node->count, sizeof(*server->addresses));
	if (!server->addresses)
		return -ENOMEM;
	for (item = node->items; item; item = item->next) {
		address = &server->addresses[server->address_count];
		if (!parser_address(parser, item->value, "an address", address))
			continue;
		refused = address_refused(address);
		for (size_t i = 0; i < server->address_count && !refused; i++)
			if (!memcmp(&server->addresses[i], address, sizeof(*address)))
				refused = "it is there twice";
		if (refused)
			faults_error(parser->faults, &item->value->place, "address %.64s: %s", item->value->text,
				     refused);
		server->address_count++;
	}
	return 0;
}

/* Without `ecs` client subnets are used, and without `trust` every resolver is believed. */
static int server_ecs(struct parser *parser, const struct node *node)
{
	static const char *const keys[] = {"enabled", "trust", "resolver_prefixes"};
	struct config_server *server = &parser->config->server;
	const struct node *values[3];

	server->ecs = true;
	server->trust_all = true;
	server->resolvers = CONFIG_RESOLVERS_DEFAULT;
	if (!node || !tree_fields(node, "`ecs`", keys, 3, values, parser->faults))
		return 0;
	if (values[0])
		tree_bool(values[0], "`enabled`", &server->ecs, parser->faults);
	if (values[2])
		parser_lengths(parser, values[2], "the lengths of client subnets that resolvers send", "client subnets",
			       &server->resolvers.v4, &server->resolvers.v6);
	return values[1] ? server_trust(parser, values[1]) : 0;
}

static int server_trust(struct parser *parser, const struct node *node)
{
	struct config_server *server = &parser->config->server;
	struct topology_prefix prefix = {.region = 1};
	bool whole4 = false, whole6 = false;
	const struct node_item *item;
	uint32_t file = parser_file(parser, node->place.file);
	unsigned int bits;
	const char *text;
	int fault = 0;

	if (!tree_expect(node, NODE_LIST, "a list of prefixes", parser->faults))
		return 0;
	for (item = node->items; item && !fault; item = item->next) {
		if (!tree_text(item->value, "a prefix such as 192.0.2.0/24", &text, parser->faults) ||
		    !prefix_parse(text, item->value->length, &item->value->place, &prefix, &bits, parser->faults))
			continue;
		whole4 |= bits == 32 && !prefix.length;
		whole6 |= bits == 128 && !prefix.length;
		fault = prefixes_add(bits == 32 ? &server->trust4 : &server->trust6, &prefix, file,
				     item->value->place.line, item->value->place.column);
	}
	server->trust_all = whole4 && whole6;
	if (!fault)
		fault = prefixes_sort(&server->trust4, 32, parser->config->files, parser->faults);
	return fault ? fault : prefixes_sort(&server->trust6, 128, parser->config->files, parser->faults);
}

/* What services outside every zone say of themselves: their NS, and the SOA's first two names. */
static int server_synthetic(struct parser *parser, const struct node *node)
{
	static const char *const keys[] = {"nameservers", "hostmaster"};
	struct config_server *server = &parser->config->server;
	const struct node *values[2];
	const struct node_item *item;
	struct config_name *name;
	int fault = 0;

	if (!tree_fields(node, "`synthetic`", keys, 2, values, parser->faults))
		return 0;
	if (values[1]) {
		server->hostmaster = arena_alloc(parser->config->arena, 1, sizeof(*server->hostmaster));
		if (!server->hostmaster)
			return -ENOMEM;
		parser_name(parser, values[1], "`hostmaster`", server->hostmaster, &fault);
	}
	if (!values[0] || fault || !tree_expect(values[0], NODE_LIST, "a list of name servers", parser->faults))
		return fault;
	if (!values[0]->count || values[0]->count > CONFIG_NAMESERVERS_MAX) {
		faults_error(parser->faults, &values[0]->place, "expected 1 to %d name servers",
			     CONFIG_NAMESERVERS_MAX);
		return 0;
	}
	server->nameservers = arena_alloc(parser->config->arena, values[0]->count, sizeof(*server->nameservers));
	if (!server->nameservers)
		return -ENOMEM;
	for (item = values[0]->items; item && !fault; item = item->next) {
		name = &server->nameservers[server->nameserver_count];
		if (!parser_name(parser, item->value, "a name server", name, &fault))
			continue;
		server->nameserver_count++;
		for (const struct config_name *other = server->nameservers; other < name; other++)
			if (other->length == name->length && !memcmp(other->name, name->name, name->length))
				faults_error(parser->faults, &item->value->place, "name server %s is there twice",
					     name->text);
		if (name->length != server->nameservers->length)
			faults_error(parser->faults, &item->value->place,
				     "name server %s: their names must be of one length "
				     "(ns1 and ns2, say), since records of one answer are",
				     name->text);
	}
	return fault;
}

/* -- zones -- */

static int zone_read(struct parser *parser, const struct node *node, struct config_zone *zone, struct words *origins)
{
	static const char *const keys[] = {"name", "file"};
	const struct node *values[2];
	const char *file = NULL;
	int fault = 0;

	zone->place = parser_place(parser, node);
	if (!tree_fields(node, "a zone", keys, 2, values, parser->faults))
		return 0;
	if (!values[0] || !values[1]) {
		faults_error(parser->faults, &node->place, "expected a zone's `name` and `file`");
		return 0;
	}
	if (parser_name(parser, values[0], "a zone's name", &zone->origin, &fault)) {
		if (words_find(origins, zone->origin.text, strlen(zone->origin.text)) != WORDS_NONE)
			faults_error(parser->faults, &values[0]->place, "zone %s is there twice", zone->origin.text);
		else if (words_add(origins, zone->origin.text, strlen(zone->origin.text)) == WORDS_NONE)
			return -ENOMEM;
	}
	if (fault || !tree_text(values[1], "the name of a zone file", &file, parser->faults))
		return fault;
	zone->file = arena_text(parser->config->arena, file, strlen(file));
	if (!zone->file)
		return -ENOMEM;
	bundle_file(parser->bundle, file, 0, &values[1]->place, parser->faults);
	return 0;
}

int config_zones(struct parser *parser)
{
	size_t count = section_count(parser, SECTION_zones, NODE_LIST, "a list of zones");
	struct config *config = parser->config;
	struct section_walk walk = {0};
	struct words origins = {0};
	int fault = 0;

	config->zones = arena_alloc(config->arena, count, sizeof(*config->zones));
	if (!config->zones)
		return -ENOMEM;
	while (!fault && section_next(parser, SECTION_zones, &walk))
		fault = zone_read(parser, walk.item->value, &config->zones[config->zone_count++], &origins);
	words_free(&origins);
	return fault;
}
