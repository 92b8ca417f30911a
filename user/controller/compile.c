// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "maps/wire.h"
#include "user/controller/answers.h"
#include "user/controller/choose.h"
#include "user/controller/origin.h"

/* More than any table holds, and less than would exhaust the memory of the host. */
#define INDICES_MAX (1UL << 26)

const char *const compiled_note_texts[] = {
#define X(name, text) text,
	COMPILED_NOTES(X)
#undef X
};

struct compiler {
	const struct config *config;
	const struct zone_set *zones;
	const struct health *health;
	struct ids *ids;
	struct faults *faults;
	struct compiled *compiled;
	uint8_t *up;		/* choose_pools_up() */
	struct answers answers;
};

/* Never null for a count of 0. */
static void *array_new(size_t count, size_t size)
{
	return calloc(count ? count : 1, size);
}

static int compile_server(struct compiler *compiler);
static int compile_topologies(struct compiler *compiler);
static int compile_services(struct compiler *compiler);
static int compile_service(struct compiler *compiler, uint32_t number, uint32_t *index);
static int compile_common(struct compiler *compiler, const struct origin *origin, struct compiled_service *service);
static int compile_region(struct compiler *compiler, struct compiled_service *service, uint32_t region,
			  const bool all_down[SERVICE_TYPES]);
static void compile_warnings(struct compiler *compiler);

int compile(const struct config *config, const struct zone_set *zones, const struct health *health, struct ids *ids,
	    struct compiled **out, struct faults *faults)
{
	struct compiler compiler = {config, zones, health, ids, faults, NULL, NULL, {0}};
	size_t errors = faults->errors;
	int fault = -ENOMEM;

	*out = NULL;
	compiler.compiled = calloc(1, sizeof(*compiler.compiled));
	compiler.up = array_new(config->pool_count, sizeof(*compiler.up));
	if (!compiler.compiled || !compiler.up)
		goto out;
	choose_pools_up(config, health, compiler.up);
	ids_begin(ids);
	fault = compile_server(&compiler);
	if (!fault)
		fault = compile_topologies(&compiler);
	if (!fault)
		fault = compile_services(&compiler);
	if (!fault && faults->errors > errors)
		fault = -EINVAL;
	compiler.compiled->answers = compiler.answers.list;
	compiler.compiled->answer_count = compiler.answers.count;
	compiler.answers.list = NULL;
	if (!fault)
		compile_warnings(&compiler);
out:
	answers_free(&compiler.answers);
	free(compiler.up);
	if (fault == -ENOMEM)
		faults_memory(faults);
	if (fault)
		compiled_free(compiler.compiled);
	else
		*out = compiler.compiled;
	return fault;
}

int health_source_read(const struct health_source *source, const struct config *config, uint8_t **down)
{
	*down = array_new(config->member_count, sizeof(**down));
	if (*down && source && source->read)
		source->read(source->context, config, *down);
	return *down ? 0 : -ENOMEM;
}

void compiled_free(struct compiled *compiled)
{
	if (!compiled)
		return;
	for (size_t i = 0; i < compiled->topology_count; i++) {
		topology_free(&compiled->topologies[i].v4);
		topology_free(&compiled->topologies[i].v6);
		free(compiled->topologies[i].regions);
	}
	free(compiled->topologies);
	free(compiled->addresses);
	free(compiled->services);
	free(compiled->indices);
	free(compiled->reasons);
	free(compiled->answers);
	free(compiled);
}

/* -- server -- */

static int compile_server(struct compiler *compiler)
{
	const struct config_server *server = &compiler->config->server;
	struct compiled *compiled = compiler->compiled;
	uint8_t *address;

	compiled->addresses = array_new(server->address_count, sizeof(*compiled->addresses));
	if (!compiled->addresses)
		return -ENOMEM;
	for (size_t i = 0; i < server->address_count; i++) {
		address = compiled->addresses[compiled->address_count++];
		if (server->addresses[i].length == 4) {
			address[10] = address[11] = 0xff;
			memcpy(address + 12, server->addresses[i].octets, 4);
		} else {
			memcpy(address, server->addresses[i].octets, 16);
		}
		compiled->settings.own_addresses |= 1ULL << (address[15] & 63);
	}
	compiled->settings.flags = (server->ecs ? SETTINGS_ECS : 0) | (server->trust_all ? SETTINGS_TRUST_ALL : 0);
	return 0;
}

/* -- topologies -- */

static int topology_regions(struct compiler *compiler, const struct config_topology *from, struct compiled_topology *to)
{
	char name[2 * REGION_TEXT_OCTETS];
	int fault;

	to->regions = array_new(from->region_count, sizeof(*to->regions));
	if (!to->regions)
		return -ENOMEM;
	to->region_count = from->region_count;
	snprintf(to->name, sizeof(to->name), "%s", from->name);
	for (size_t i = 0; i < from->region_count; i++) {
		snprintf(to->regions[i].name, sizeof(to->regions[i].name), "%s", from->regions[i].name);
		snprintf(name, sizeof(name), "%s/%s", from->name, from->regions[i].name);
		fault = ids_number(&compiler->ids->regions, name, &to->regions[i].id);
		if (fault == -ENOSPC)
			faults_error(compiler->faults, &from->regions[i].place,
				     "no number is left for region %s: the table "
				     "region_hits has %zu entries, give the loader more",
				     name, compiler->ids->regions.limit);
		if (fault)
			return fault;
	}
	return 0;
}

static int topology_entries(const struct config_prefixes *v4, const struct config_prefixes *v6,
			    struct compiled_topology *to)
{
	return topology_compile(v4->prefixes, v4->count, v6->prefixes, v6->count, 0, &to->v4, &to->v6);
}

/* Topology 0 says which resolvers are trusted: regions that nobody counts. */
static int compile_trust(struct compiler *compiler, struct compiled_topology *to)
{
	to->regions = array_new(2, sizeof(*to->regions));
	if (!to->regions)
		return -ENOMEM;
	to->region_count = 2;
	strcpy(to->name, "trust");
	strcpy(to->regions[0].name, "untrusted");
	strcpy(to->regions[1].name, "trusted");
	return topology_entries(&compiler->config->server.trust4, &compiler->config->server.trust6, to);
}

static int compile_topologies(struct compiler *compiler)
{
	const struct config *config = compiler->config;
	struct compiled *compiled = compiler->compiled;
	struct compiled_topology *to;
	int fault;

	compiled->topologies = array_new(config->topology_count + 1, sizeof(*compiled->topologies));
	if (!compiled->topologies)
		return -ENOMEM;
	compiled->topology_count = 1;
	fault = compile_trust(compiler, compiled->topologies);
	for (size_t i = 0; i < config->topology_count && !fault; i++) {
		to = &compiled->topologies[compiled->topology_count];
		to->number = compiled->topology_count++;
		fault = topology_regions(compiler, &config->topologies[i], to);
		if (!fault)
			fault = topology_entries(&config->topologies[i].v4, &config->topologies[i].v6, to);
	}
	return fault;
}

/* -- services -- */

/* Numbers of indices: those of each service one after the other. */
static int compile_indices(struct compiler *compiler)
{
	const struct config *config = compiler->config;
	struct compiled *compiled = compiler->compiled;
	size_t regions;

	for (size_t i = 0; i < config->service_count; i++) {
		regions = config->topologies[config->services[i].topology].region_count;
		compiled->index_count += SERVICE_COMMON + regions * SERVICE_TYPES;
		if (compiled->index_count > INDICES_MAX)
			return faults_error(compiler->faults, &config->services[i].place,
					    "more than %lu combinations of "
					    "services and regions",
					    INDICES_MAX / SERVICE_TYPES);
	}
	compiled->indices = array_new(compiled->index_count, sizeof(*compiled->indices));
	compiled->reasons = array_new(compiled->index_count, sizeof(*compiled->reasons));
	compiled->services = array_new(config->service_count, sizeof(*compiled->services));
	return compiled->indices && compiled->reasons && compiled->services ? 0 : -ENOMEM;
}

static void pool_use(void *used, uint32_t pool)
{
	((uint8_t *)used)[pool] = 1;
}

/* Pools that some service may answer from, whatever is up: a member that comes back must not make an answer too long. */
static int compile_pools(struct compiler *compiler)
{
	const struct config *config = compiler->config;
	uint8_t *used = array_new(config->pool_count, 1);
	const struct config_pool *pool;
	struct answer answer;

	if (!used)
		return -ENOMEM;
	for (size_t i = 0; i < config->service_count; i++)
		choose_each_pool(config, &config->services[i], pool_use, used);
	for (size_t i = 0; i < config->pool_count; i++) {
		pool = &config->pools[i];
		for (int type = 0; type < SERVICE_TYPES && used[i]; type++)
			if (choose_pool_has(pool, type) && answer_pool(&answer, pool, type, 0, NULL))
				faults_error(compiler->faults, &pool->place,
					     "pool %s has more %s members than fit an answer (%d records, %d octets)",
					     pool->name, choose_type_names[type], ANSWER_RECORDS_MAX, ANSWER_OCTETS);
	}
	free(used);
	return 0;
}

static int compile_services(struct compiler *compiler)
{
	int fault = compile_indices(compiler);
	uint32_t index = 0;

	if (!fault)
		fault = compile_pools(compiler);
	for (uint32_t i = 0; i < compiler->config->service_count && !fault && !faults_enough(compiler->faults); i++)
		fault = compile_service(compiler, i, &index);
	return fault;
}

static void index_set(struct compiler *compiler, uint32_t index, uint32_t number, uint32_t pool,
		      enum compiled_note note)
{
	compiler->compiled->indices[index] = number;
	compiler->compiled->reasons[index] = (struct compiled_reason){pool, note};
}

/* *index moves behind the service's indices. A service that is refused leaves them empty. */
static int compile_service(struct compiler *compiler, uint32_t number, uint32_t *index)
{
	const struct config_service *from = &compiler->config->services[number];
	const struct config_topology *topology = &compiler->config->topologies[from->topology];
	struct compiled_service *to = &compiler->compiled->services[compiler->compiled->service_count++];
	bool all_down[SERVICE_TYPES] = {false};
	size_t errors = compiler->faults->errors;
	struct origin origin;
	int fault;

	memcpy(to->name, from->name.name, from->name.length);
	to->name_length = from->name.length;
	to->text = from->name.text;
	to->config = number;
	to->value.index = *index;
	to->value.ttl = from->ttl;
	to->value.topology = from->topology + 1;
	to->value.regions = topology->region_count;
	*index += SERVICE_COMMON + topology->region_count * SERVICE_TYPES;
	choose_spread(compiler->config, from, &to->value.spread4, &to->value.spread6);
	to->value.types = choose_types(compiler->config, from, compiler->faults);
	origin_find(&origin, compiler->config, compiler->zones, from, to->value.types, compiler->faults);
	if (compiler->faults->errors > errors)
		return 0;
	to->value.flags = (from->ecs ? SERVICE_ECS : 0) | (origin.beside_data ? SERVICE_STATIC | origin.lacks : 0);
	fault = ids_number(&compiler->ids->services, to->text, &to->value.id);
	if (fault == -ENOSPC)
		faults_error(compiler->faults, &from->place,
			     "no number is left for service %s: the table service_hits has %zu "
			     "entries, give the loader more",
			     to->text, compiler->ids->services.limit);
	if (!fault)
		fault = compile_common(compiler, &origin, to);
	for (int type = 0; type < SERVICE_TYPES && !fault; type++)
		all_down[type] = to->value.types & 1 << type &&
				 choose_all_down(compiler->config, from, type, compiler->up);
	for (uint32_t region = 0; region < topology->region_count && !fault; region++)
		fault = compile_region(compiler, to, region, all_down);
	return fault;
}

/*
 * Answers that are the same for everyone. Beside zone data not SOA and NS, which may be the zone's, and NODATA only for
 * what service.flags say that it lacks. service->nodata is for regions that serve nothing; it exists where that can be.
 */
static int compile_common(struct compiler *compiler, const struct origin *origin, struct compiled_service *service)
{
	const struct config_service *from = &compiler->config->services[service->config];
	struct answer answers[SERVICE_COMMON];
	int fault = origin_answers(origin, service->value.ttl, answers);
	uint32_t number;

	for (int common = 0; common < SERVICE_COMMON && !fault; common++) {
		number = ANSWER_NONE;
		if (common == SERVICE_NODATA || common == SERVICE_ANY || !origin->beside_data)
			fault = answers_number(&compiler->answers, &answers[common], &number);
		index_set(compiler, service->value.index + common, number, CONFIG_NONE, COMPILED_COMMON);
	}
	if (!fault && from->when_all_down == CONFIG_ALL_DOWN_nodata)
		fault = answers_number(&compiler->answers, &answers[SERVICE_NODATA], &service->nodata);
	if (fault == -E2BIG)
		return faults_error(compiler->faults, &from->place,
				    "service %s: its SOA or NS records do not fit an answer of "
				    "%d octets",
				    service->text, ANSWER_OCTETS);
	return fault;
}

/* A pool that answers though it is down, does with all its members. What does not fit, compile_pools() has refused. */
static int compile_pool(struct compiler *compiler, const struct compiled_service *service, enum service_type type,
			struct compiled_reason reason, uint32_t *number)
{
	bool is_up = compiler->up[reason.pool] & 1 << type;
	struct answer answer;
	int fault = answer_pool(&answer, &compiler->config->pools[reason.pool], type, service->value.ttl,
				is_up ? compiler->health : NULL);

	return fault ? 0 : answers_number(&compiler->answers, &answer, number);
}

static int compile_region(struct compiler *compiler, struct compiled_service *service, uint32_t region,
			  const bool all_down[SERVICE_TYPES])
{
	const struct config_service *from = &compiler->config->services[service->config];
	uint32_t index = service->value.index + SERVICE_COMMON + region * SERVICE_TYPES, number;
	struct compiled_reason reason;
	int fault = 0;

	for (int type = 0; type < SERVICE_TYPES && !fault; type++) {
		number = ANSWER_NONE;
		reason = (struct compiled_reason){CONFIG_NONE, COMPILED_ABSENT};
		if (service->value.types & 1 << type)
			reason = choose_pool(compiler->config, from, region, type, all_down[type], compiler->up);
		if (reason.note == COMPILED_NODATA)
			number = service->nodata;
		else if (reason.pool != CONFIG_NONE)
			fault = compile_pool(compiler, service, type, reason, &number);
		index_set(compiler, index + type, number, reason.pool, reason.note);
	}
	return fault;
}

/* -- warnings -- */

/* Octets of a reply besides the answer's records: question, OPT with a whole IPv6 client subnet. */
static size_t reply_rest(const struct compiled_service *service)
{
	return HEADER_OCTETS + service->name_length + 4 + OPT_OCTETS + OPTION_HEADER_OCTETS + ECS_HEADER_OCTETS + 16;
}

/* A reply that fits no UDP packet of ours makes every resolver ask twice. One warning a service. */
static void warn_size(struct compiler *compiler, const struct compiled_service *service)
{
	const struct compiled *compiled = compiler->compiled;
	uint32_t from = service->value.index + SERVICE_COMMON, to = from + service->value.regions * SERVICE_TYPES;
	size_t room = REPLY_OCTETS_MAX - reply_rest(service);
	const struct config_pool *pool;
	const struct answer *answer;

	for (uint32_t index = from; index < to; index++) {
		if (compiled->indices[index] == ANSWER_NONE || compiled->reasons[index].pool == CONFIG_NONE)
			continue;
		answer = &compiled->answers[compiled->indices[index] - 1];
		pool = &compiler->config->pools[compiled->reasons[index].pool];
		if ((size_t)answer->send * answer->stride <= room)
			continue;
		faults_warning(
			compiler->faults, &pool->place,
			"service %s: %u records of pool %s make a reply longer than the "
			"%d octets sent over UDP, so that resolvers ask again over TCP; `max_answers` of %zu fits",
			service->text, answer->send, pool->name, REPLY_OCTETS_MAX, room / answer->stride);
		return;
	}
}

/*
 * Where an address pool that lacks a type stands before a CNAME pool, one client gets addresses of one type and a
 * CNAME for the other; caches take the CNAME for both (RFC 1034 3.6.2).
 */
static void warn_mixed(struct compiler *compiler, const struct compiled_service *service)
{
	const struct config *config = compiler->config;
	const struct config_service *from = &config->services[service->config];
	const struct config_topology *topology = &config->topologies[from->topology];
	const struct compiled_reason *reasons;
	const char *a, *aaaa;

	if (!choose_any_cname(config, from))
		return;
	for (uint32_t region = 0; region < topology->region_count; region++) {
		reasons = &compiler->compiled->reasons[service->value.index + SERVICE_COMMON + region * SERVICE_TYPES];
		if (reasons[SERVICE_A].pool == CONFIG_NONE || reasons[SERVICE_AAAA].pool == CONFIG_NONE ||
		    !config->pools[reasons[SERVICE_A].pool].cname == !config->pools[reasons[SERVICE_AAAA].pool].cname)
			continue;
		a = config->pools[reasons[SERVICE_A].pool].name;
		aaaa = config->pools[reasons[SERVICE_AAAA].pool].name;
		faults_warning(compiler->faults, &from->regions[region].place,
			       "service %s, region %s: A comes from pool %s and "
			       "AAAA from pool %s, one of which is a CNAME; resolvers take a CNAME for all types",
			       from->name.text, topology->regions[region].name, a, aaaa);
	}
}

/* What lies behind the client subnet is zeros: blocks that resolvers do not tell apart get one member, whatever their size. */
static void warn_spread(struct compiler *compiler, const struct config_pool *pool)
{
	const struct config_server *server = &compiler->config->server;

	if (server->ecs && pool->spread4 > server->resolvers.v4)
		faults_warning(compiler->faults, &pool->place,
			       "pool %s spreads blocks of /%u, but resolvers send client subnets of /%u: all clients of one get "
			       "the same member", pool->name, pool->spread4, server->resolvers.v4);
	if (server->ecs && pool->spread6 > server->resolvers.v6)
		faults_warning(compiler->faults, &pool->place,
			       "pool %s spreads blocks of /%u, but resolvers send client subnets of /%u: all clients of one get "
			       "the same member", pool->name, pool->spread6, server->resolvers.v6);
}

static void compile_warnings(struct compiler *compiler)
{
	const struct config *config = compiler->config;

	for (size_t i = 0; i < config->pool_count; i++)
		warn_spread(compiler, &config->pools[i]);
	for (size_t i = 0; i < compiler->compiled->service_count; i++) {
		warn_size(compiler, &compiler->compiled->services[i]);
		warn_mixed(compiler, &compiler->compiled->services[i]);
	}
}
