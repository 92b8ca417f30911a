// SPDX-License-Identifier: GPL-3.0-or-later
/* The sections `topologies` and `services`. */
#include <errno.h>
#include <libknot/dname.h>
#include <stdlib.h>
#include <string.h>

#include "user/controller/parser.h"
#include "user/controller/prefixes.h"

#define TTL_MAX 2147483647	/* RFC 2181 8 */
#define TTL_DEFAULT 30
#define NUMBERS_MAX 65534	/* topologies, and regions of one: 16 bits in the tables */

/* -- topologies -- */

/* The region of a node, known from now on. WORDS_NONE with an error or with *fault. */
static uint32_t region_define(struct parser *parser, const struct node *node, struct words *regions, int *fault)
{
	const char *name;
	uint32_t region;

	if (!tree_label(node, "a region's name", &name, parser->faults))
		return WORDS_NONE;
	region = words_find(regions, name, node->length);
	if (region == WORDS_NONE) {
		region = words_add(regions, name, node->length);
		*fault = region == WORDS_NONE ? -ENOMEM : 0;
	}
	return region;
}

static int topology_prefixes(struct parser *parser, const struct node *node, struct config_topology *topology,
			     struct words *regions)
{
	struct topology_prefix prefix = {0};
	uint32_t file = parser_file(parser, node->place.file);
	const struct node_item *item;
	unsigned int bits;
	int fault = 0;

	if (!tree_expect(node, NODE_MAP, "a map of prefixes to regions", parser->faults))
		return 0;
	for (item = node->items; item && !fault && !faults_enough(parser->faults); item = item->next) {
		if (!prefix_parse(item->key->text, item->key->length, &item->key->place, &prefix, &bits,
				  parser->faults))
			continue;
		prefix.region = region_define(parser, item->value, regions, &fault);
		if (prefix.region != WORDS_NONE)
			fault = prefixes_add(bits == 32 ? &topology->v4 : &topology->v6, &prefix, file,
					     item->key->place.line, item->key->place.column);
	}
	return fault;
}

static int topology_file(struct parser *parser, const struct node *node, struct config_topology *topology,
			 struct words *regions)
{
	const struct bundle_file *table;
	const char *name;
	uint32_t file;

	if (!tree_text(node, "the name of a file of \"prefix,region\" lines", &name, parser->faults))
		return 0;
	table = bundle_file(parser->bundle, name, 0, &node->place, parser->faults);
	if (!table)
		return 0;
	file = parser_file(parser, table->name);
	if (file == CONFIG_NONE)
		return -ENOMEM;
	return prefixes_read(table, file, regions, &topology->v4, &topology->v6, parser->faults);
}

/* Regions are first named where their first prefix stands. Those that only stand in lists not read have no place. */
static int topology_regions(struct parser *parser, struct config_topology *topology, const struct words *regions,
			    const struct node *node)
{
	const struct config_prefixes *lists[] = {&topology->v4, &topology->v6};
	struct config_region *region;

	if (regions->count > NUMBERS_MAX) {
		faults_error(parser->faults, &node->place, "a topology of %zu regions: at most %d", regions->count,
			     NUMBERS_MAX);
		return 0;
	}
	topology->regions = arena_alloc(parser->config->arena, regions->count, sizeof(*topology->regions));
	if (!topology->regions)
		return -ENOMEM;
	topology->region_count = regions->count;
	for (size_t i = 0; i < regions->count; i++) {
		region = &topology->regions[i];
		region->name = arena_text(parser->config->arena, regions->list[i], strlen(regions->list[i]));
		if (!region->name)
			return -ENOMEM;
	}
	topology->regions[0].place = topology->place;
	for (int family = 0; family < 2; family++) {
		for (size_t i = 0; i < lists[family]->count; i++) {
			const struct config_prefix_place *place = &lists[family]->places[i];

			region = &topology->regions[lists[family]->prefixes[i].region];
			if (!region->place.file)
				region->place = (struct place){parser->config->files[place->file], place->line,
							       place->column};
		}
	}
	return 0;
}

static int topology_order(struct parser *parser, struct config_topology *topology)
{
	const char *const *files = parser->config->files;
	int fault = prefixes_sort(&topology->v4, 32, files, parser->faults);

	return fault ? fault : prefixes_sort(&topology->v6, 128, files, parser->faults);
}

static int topology_read(struct parser *parser, const struct node *node, struct config_topology *topology,
			 struct words *regions)
{
	static const char *const keys[] = {"default", "prefixes", "file"};
	const struct node *values[3];
	int fault = 0;

	topology->place = parser_place(parser, node);
	if (!tree_fields(node, "a topology", keys, 3, values, parser->faults))
		return 0;
	if (!values[0])
		faults_error(parser->faults, &node->place,
			     "expected the topology's `default`, the region of every address "
			     "that no prefix covers");
	else
		region_define(parser, values[0], regions, &fault);
	if (fault || !regions->count)
		return fault;
	if (values[1] && !tree_is_null(values[1]))
		fault = topology_prefixes(parser, values[1], topology, regions);
	if (!fault && values[2])
		fault = topology_file(parser, values[2], topology, regions);
	if (!fault)
		fault = topology_regions(parser, topology, regions, node);
	if (!fault)
		fault = topology_order(parser, topology);
	return fault;
}

int config_topologies(struct parser *parser)
{
	size_t count = section_count(parser, SECTION_topologies, NODE_MAP, "a map of topologies by name");
	struct config *config = parser->config;
	struct section_walk walk = {0};
	struct config_topology *topology;
	int fault = 0;

	if (parser->flags & CONFIG_WITHOUT_PREFIXES)
		return 0;
	config->topologies = arena_alloc(config->arena, count, sizeof(*config->topologies));
	parser->regions = arena_alloc(parser->trees, count, sizeof(*parser->regions));
	if (!config->topologies || !parser->regions)
		return -ENOMEM;
	while (!fault && section_next(parser, SECTION_topologies, &walk)) {
		topology = &config->topologies[config->topology_count];
		if (!parser_define(parser, walk.item->key, "topology", &parser->topologies, &topology->name, &fault))
			continue;
		if (config->topology_count == NUMBERS_MAX)
			return faults_error(parser->faults, &walk.item->key->place, "more than %d topologies",
					    NUMBERS_MAX);
		fault = topology_read(parser, walk.item->value, topology, &parser->regions[config->topology_count++]);
	}
	return fault;
}

/* -- services -- */

#define SERVICE_KEYS(X) X(name) X(topology) X(ttl) X(ecs) X(regions) X(when_all_down)
enum service_key {
#define X(name) SERVICE_KEY_##name,
	SERVICE_KEYS(X)
#undef X
	SERVICE_KEY_COUNT
};
static const char *const service_keys[] = {
#define X(name) #name,
	SERVICE_KEYS(X)
#undef X
};

static int service_name(struct parser *parser, const struct node *node, struct config_service *service,
			struct words *names)
{
	const struct config_service *other;
	uint32_t number;
	int fault = 0;

	if (!parser_name(parser, node, "a service's name", &service->name, &fault)) {
		/* Numbers stay those of the services. */
		return fault ? fault : words_set(names, names->count, "", 0);
	}
	if (knot_dname_is_wildcard(service->name.name))
		faults_error(parser->faults, &node->place,
			     "%s: a service has one name; wildcards can be zone data only", service->name.text);
	number = words_find(names, service->name.text, strlen(service->name.text));
	if (number == WORDS_NONE)
		return words_add(names, service->name.text, strlen(service->name.text)) == WORDS_NONE ? -ENOMEM : 0;
	other = &parser->config->services[number];
	faults_error(parser->faults, &node->place, "service %s is there twice, it is at %s:%u:%u already",
		     service->name.text, other->place.file, other->place.line, other->place.column);
	return words_set(names, names->count, "", 0);
}

static int preference_read(struct parser *parser, const struct node *node, struct config_preference *preference)
{
	preference->place = parser_place(parser, node);
	return parser_pools(parser, node, "a list of pools in order of preference", &preference->pools, &preference->count);
}

static void region_unknown(struct parser *parser, const struct node *key, const struct config_topology *topology)
{
	char known[256] = "";
	size_t used = 0, i;

	for (i = 0; i < topology->region_count && i < 10 && used < sizeof(known); i++)
		used += snprintf(known + used, sizeof(known) - used, "%s%s", i ? ", " : "", topology->regions[i].name);
	faults_error(parser->faults, &key->place, "topology %s has no region \"%.64s\"; it has %s%s", topology->name,
		     key->text, known, i < topology->region_count ? ", ..." : "");
}

static int service_regions(struct parser *parser, const struct node *node, struct config_service *service)
{
	const struct config_topology *topology = &parser->config->topologies[service->topology];
	const struct node_item *item;
	uint32_t region;
	int fault = 0;

	if (!tree_expect(node, NODE_MAP, "a map of regions to lists of pools", parser->faults))
		return 0;
	for (item = node->items; item && !fault && !faults_enough(parser->faults); item = item->next) {
		region = words_find(&parser->regions[service->topology], item->key->text, item->key->length);
		if (region == WORDS_NONE || region >= topology->region_count)
			region_unknown(parser, item->key, topology);
		else
			fault = preference_read(parser, item->value, &service->regions[region]);
	}
	return fault;
}

/* A region that was left out uses the pool of its own name. */
static int service_own_pools(struct parser *parser, struct config_service *service)
{
	const struct config_topology *topology = &parser->config->topologies[service->topology];
	struct config_preference *preference;
	const struct config_region *region;
	uint32_t pool;

	for (size_t i = 0; i < topology->region_count && !faults_enough(parser->faults); i++) {
		preference = &service->regions[i];
		region = &topology->regions[i];
		if (preference->place.file)
			continue;
		preference->place = service->place;
		pool = words_find(&parser->pools, region->name, strlen(region->name));
		if (pool == WORDS_NONE) {
			faults_error(parser->faults, &service->place,
				     "service %s: region %s of topology %s (%s:%u) is not in "
				     "`regions`, and there is no pool of its name",
				     service->name.text, region->name, topology->name, region->place.file,
				     region->place.line);
			continue;
		}
		preference->pools = arena_alloc(parser->config->arena, 1, sizeof(*preference->pools));
		if (!preference->pools)
			return -ENOMEM;
		preference->pools[preference->count++] = pool;
	}
	return 0;
}

static void service_all_down(struct parser *parser, const struct node *node, struct config_service *service)
{
	const char *text;

	service->all_down_place = parser_place(parser, node);
	if (!tree_text(node, "serve-all, nodata or a pool's name", &text, parser->faults))
		return;
	if (!strcmp(text, "serve-all"))
		return;
	service->when_all_down = !strcmp(text, "nodata") ? CONFIG_ALL_DOWN_nodata : CONFIG_ALL_DOWN_pool;
	if (service->when_all_down == CONFIG_ALL_DOWN_pool)
		service->all_down_pool = parser_refer(parser, node, "pool", &parser->pools);
}

static int service_choices(struct parser *parser, const struct node *topology, const struct node *regions,
			   struct config_service *service)
{
	size_t region_count;
	int fault = 0;

	service->topology = parser_refer(parser, topology, "topology", &parser->topologies);
	if (service->topology == CONFIG_NONE)
		return 0;
	region_count = parser->config->topologies[service->topology].region_count;
	service->regions = arena_alloc(parser->config->arena, region_count, sizeof(*service->regions));
	if (!service->regions)
		return -ENOMEM;
	if (regions && !tree_is_null(regions))
		fault = service_regions(parser, regions, service);
	return fault ? fault : service_own_pools(parser, service);
}

static int service_read(struct parser *parser, const struct node *node, struct config_service *service,
			struct words *names)
{
	const struct node *values[SERVICE_KEY_COUNT];
	int fault;

	service->place = parser_place(parser, node);
	service->ttl = TTL_DEFAULT;
	service->ecs = true;
	service->all_down_pool = CONFIG_NONE;
	service->name.text = "";
	if (!tree_fields(node, "a service", service_keys, SERVICE_KEY_COUNT, values, parser->faults) ||
	    !values[SERVICE_KEY_name] || !values[SERVICE_KEY_topology]) {
		if (node->kind == NODE_MAP)
			faults_error(parser->faults, &node->place, "expected a service's `name` and `topology`");
		return words_set(names, names->count, "", 0);
	}
	fault = service_name(parser, values[SERVICE_KEY_name], service, names);
	if (fault)
		return fault;
	if (values[SERVICE_KEY_ttl])
		tree_number(values[SERVICE_KEY_ttl], "`ttl` in seconds", 0, TTL_MAX, &service->ttl, parser->faults);
	if (values[SERVICE_KEY_ecs])
		tree_bool(values[SERVICE_KEY_ecs], "`ecs`", &service->ecs, parser->faults);
	if (values[SERVICE_KEY_when_all_down])
		service_all_down(parser, values[SERVICE_KEY_when_all_down], service);
	service->topology = CONFIG_NONE;
	if (parser->flags & CONFIG_WITHOUT_PREFIXES)
		return 0;
	return service_choices(parser, values[SERVICE_KEY_topology], values[SERVICE_KEY_regions], service);
}

int config_services(struct parser *parser)
{
	size_t count = section_count(parser, SECTION_services, NODE_LIST, "a list of services");
	struct config *config = parser->config;
	struct section_walk walk = {0};
	struct words names = {0};
	int fault = 0;

	config->services = arena_alloc(config->arena, count, sizeof(*config->services));
	if (!config->services)
		return -ENOMEM;
	while (!fault && section_next(parser, SECTION_services, &walk))
		fault = service_read(parser, walk.item->value, &config->services[config->service_count++], &names);
	words_free(&names);
	return fault;
}
