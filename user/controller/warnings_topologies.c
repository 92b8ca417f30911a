// SPDX-License-Identifier: GPL-3.0-or-later
/* What reach.c finds, as warnings: of a region rather than of its prefixes, where one says it all. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/common/lookup.h"
#include "user/controller/prefixes.h"
#include "user/controller/reach.h"
#include "user/controller/warnings.h"

/* How the services use a topology, and what is true of its prefixes. */
struct topology_view {
	const struct config *config;
	const struct config_topology *topology;
	const struct config_prefixes *lists[2];	/* IPv4, IPv6 */
	bool used, ecs;		/* by any service; by client subnets */
	uint8_t cuts[2];	/* lengths that resolvers send; whole addresses where they send none */
	struct reach_prefix *verdicts[2];
	struct reach_region *regions;
	struct faults *faults;
};

static int warn_topology(struct topology_view *view);
static void warn_families(const struct topology_view *view);
static void warn_regions(const struct topology_view *view);
static void warn_prefixes(const struct topology_view *view, unsigned int family);

/* Does any resolver's client subnet count, whatever the service says? */
static bool server_ecs(const struct config_server *server)
{
	return server->ecs && (server->trust_all || server->trust4.count || server->trust6.count);
}

int warnings_topologies(const struct config *config, struct faults *faults)
{
	struct topology_view *views = calloc(config->topology_count + 1, sizeof(*views));
	int fault = views ? 0 : -ENOMEM;

	for (size_t i = 0; i < config->service_count && !fault; i++) {
		views[config->services[i].topology].used = true;
		views[config->services[i].topology].ecs |= config->services[i].ecs && server_ecs(&config->server);
	}
	for (size_t i = 0; i < config->topology_count && !fault; i++) {
		views[i].config = config;
		views[i].topology = &config->topologies[i];
		views[i].faults = faults;
		fault = warn_topology(&views[i]);
	}
	free(views);
	return fault ? faults_memory(faults) : 0;
}

static int warn_topology(struct topology_view *view)
{
	const struct config_topology *topology = view->topology;
	const struct config_resolvers *resolvers = &view->config->server.resolvers;
	int fault = -ENOMEM;

	view->lists[0] = &topology->v4;
	view->lists[1] = &topology->v6;
	view->cuts[0] = view->ecs ? resolvers->v4 : 32;
	view->cuts[1] = view->ecs ? resolvers->v6 : 128;
	view->regions = calloc(topology->region_count, sizeof(*view->regions));
	for (int family = 0; family < 2; family++)
		view->verdicts[family] = calloc(view->lists[family]->count + 1, sizeof(*view->verdicts[family]));
	if (!view->regions || !view->verdicts[0] || !view->verdicts[1])
		goto out;
	for (int family = 0; family < 2; family++)
		reach_family(view->lists[family]->prefixes, view->lists[family]->count, family, view->cuts[family],
			     view->verdicts[family], view->regions);
	warn_families(view);
	warn_regions(view);
	warn_prefixes(view, 0);
	warn_prefixes(view, 1);
	fault = 0;
out:
	free(view->verdicts[0]);
	free(view->verdicts[1]);
	free(view->regions);
	return fault;
}

static const char *region_name(const struct topology_view *view, uint32_t region)
{
	return view->topology->regions[region].name;
}

/* -- families -- */

static bool server_has(const struct config_server *server, unsigned int family)
{
	for (size_t i = 0; i < server->address_count; i++)
		if (server->addresses[i].length == (family ? 16 : 4))
			return true;
	return false;
}

static void warn_family(const struct topology_view *view, unsigned int family)
{
	const struct config_topology *topology = view->topology;
	char own = family ? '6' : '4', other = family ? '4' : '6';

	if (!view->lists[family]->count)
		return;
	/* Without client subnets the address counts that the query came from. */
	if (!view->ecs && !server_has(&view->config->server, family))
		faults_warning(view->faults, &topology->place,
			       "topology %s: its IPv%c prefixes match nobody, since its services use no client subnets "
			       "and the server has no IPv%c address", topology->name, own, own);
	else if (!view->lists[!family]->count && (view->ecs || server_has(&view->config->server, !family)))
		faults_warning(view->faults, &topology->place,
			       "topology %s has prefixes of IPv%c only: every IPv%c client is of its default region %s",
			       topology->name, own, other, region_name(view, 0));
}

static void warn_families(const struct topology_view *view)
{
	if (!view->used) {
		faults_warning(view->faults, &view->topology->place, "no service uses topology %s",
			       view->topology->name);
		return;
	}
	warn_family(view, 0);
	warn_family(view, 1);
}

/* -- texts -- */

static unsigned int family_bits(unsigned int family)
{
	return family ? 128 : 32;
}

static const char *block_text(const struct topology_view *view, unsigned int family, uint32_t prefix,
			      char text[PREFIX_TEXT_OCTETS])
{
	return prefix_text(&view->lists[family]->prefixes[prefix], family_bits(family), text);
}

/* The block of all clients that are asked for as one, around an address. */
static const char *cut_text(const struct topology_view *view, unsigned int family, struct block at,
			    char text[PREFIX_TEXT_OCTETS])
{
	struct topology_prefix prefix = {.length = view->cuts[family]};

	block_cut(&at, prefix.length);
	block_write(&at, prefix.address);
	return prefix_text(&prefix, family_bits(family), text);
}

static const char *prefix_cut_text(const struct topology_view *view, unsigned int family, uint32_t prefix,
				   char text[PREFIX_TEXT_OCTETS])
{
	struct block block = {0};

	block_read(&block, view->lists[family]->prefixes[prefix].address, family_bits(family));
	return cut_text(view, family, block, text);
}

/* Clients whose own region does not get them: those of a prefix, or from an address on. */
static void missed_text(const struct topology_view *view, const struct reach_place *missed,
			char text[PREFIX_TEXT_OCTETS])
{
	struct topology_prefix address = {.length = family_bits(missed->family)};

	if (missed->prefix != REACH_DEFAULT) {
		block_text(view, missed->family, missed->prefix, text);
		return;
	}
	block_write(&missed->at, address.address);
	prefix_text(&address, address.length, text);
}

/* -- regions -- */

/* The first prefix of what covers all of a prefix (REACH_DEFAULT: of the whole family) begins where it begins. */
static uint32_t covering(const struct topology_view *view, unsigned int family, uint32_t prefix)
{
	for (prefix++; view->verdicts[family][prefix].verdict == REACH_SWALLOWED; prefix++)
		;
	return prefix;
}

static void warn_shadowed_default(const struct topology_view *view)
{
	char v4[PREFIX_TEXT_OCTETS], v6[PREFIX_TEXT_OCTETS];

	faults_warning(view->faults, &view->topology->regions[0].place,
		       "no client can reach region %s, the default: prefixes of other regions cover all addresses, "
		       "from %s and %s on", region_name(view, 0),
		       block_text(view, 0, covering(view, 0, REACH_DEFAULT), v4),
		       block_text(view, 1, covering(view, 1, REACH_DEFAULT), v6));
}

static void warn_shadowed(const struct topology_view *view, uint32_t region)
{
	const struct reach_place *first = &view->regions[region].first;
	char text[PREFIX_TEXT_OCTETS], over[PREFIX_TEXT_OCTETS];

	faults_warning(view->faults, &view->topology->regions[region].place,
		       "no client can reach region %s: longer prefixes of other regions cover all of its prefixes, %s "
		       "from %s on", region_name(view, region), block_text(view, first->family, first->prefix, text),
		       block_text(view, first->family, covering(view, first->family, first->prefix), over));
}

static void warn_out_of_reach(const struct topology_view *view, uint32_t region)
{
	const struct reach_region *reach = &view->regions[region];
	const struct reach_place *missed = &reach->missed;
	char clients[PREFIX_TEXT_OCTETS], as[PREFIX_TEXT_OCTETS], lengths[32];

	missed_text(view, missed, clients);
	if (reach->owns[0] && reach->owns[1])
		snprintf(lengths, sizeof(lengths), "/%u or /%u", view->cuts[0], view->cuts[1]);
	else
		snprintf(lengths, sizeof(lengths), "/%u", view->cuts[missed->family]);
	faults_warning(view->faults, &view->topology->regions[region].place,
		       "region %s can be reached only by resolvers that send more than %s, or by their own address: "
		       "clients of %s come as %s and get region %s", region_name(view, region), lengths, clients,
		       cut_text(view, missed->family, missed->at, as), region_name(view, missed->gets));
}

static bool region_shadowed(const struct reach_region *region)
{
	return !region->owns[0] && !region->owns[1];
}

static void warn_regions(const struct topology_view *view)
{
	const struct config_topology *topology = view->topology;
	size_t shadowed = 0, out_of_reach = 0;

	for (uint32_t i = 0; i < topology->region_count; i++) {
		if (view->regions[i].reached)
			continue;
		if (!region_shadowed(&view->regions[i])) {
			if (out_of_reach++ < WARNINGS_SHOWN)
				warn_out_of_reach(view, i);
		} else if (shadowed++ < WARNINGS_SHOWN) {
			if (i)
				warn_shadowed(view, i);
			else
				warn_shadowed_default(view);
		}
	}
	if (shadowed > WARNINGS_SHOWN)
		faults_warning(view->faults, &topology->place, "%zu more regions of topology %s cannot be reached",
			       shadowed - WARNINGS_SHOWN, topology->name);
	if (out_of_reach > WARNINGS_SHOWN)
		faults_warning(view->faults, &topology->place,
			       "%zu more regions of topology %s can be reached only by resolvers that send more, or by "
			       "their own address", out_of_reach - WARNINGS_SHOWN, topology->name);
}

/* -- prefixes -- */

/* One kind of warning about prefixes: which are meant, what to say of one, and of how many more. */
struct prefix_kind {
	bool (*is)(const struct topology_view *view, unsigned int family, uint32_t prefix);
	void (*warn)(const struct topology_view *view, unsigned int family, uint32_t prefix, const struct place *place);
	const char *more;
};

static bool is_swallowed(const struct topology_view *view, unsigned int family, uint32_t prefix)
{
	return view->verdicts[family][prefix].verdict == REACH_SWALLOWED;
}

/* The longest prefix around it that is not swallowed itself has its region. */
static void warn_swallowed(const struct topology_view *view, unsigned int family, uint32_t prefix,
			   const struct place *place)
{
	const struct topology_prefix *prefixes = view->lists[family]->prefixes;
	char text[PREFIX_TEXT_OCTETS], around_text[PREFIX_TEXT_OCTETS] = "the default";
	struct block block = {0}, around;

	block_read(&block, prefixes[prefix].address, family_bits(family));
	for (uint32_t i = prefix; i--;) {
		if (view->verdicts[family][i].verdict == REACH_SWALLOWED)
			continue;
		around.length = prefixes[i].length;
		block_read(&around, prefixes[i].address, family_bits(family));
		if (block_covers(&around, &block)) {
			block_text(view, family, i, around_text);
			break;
		}
	}
	faults_warning(view->faults, place, "prefix %s changes nothing: %s has the same region",
		       block_text(view, family, prefix, text), around_text);
}

/* Where nothing at all is left of the region, that was said of the region. */
static bool is_covered(const struct topology_view *view, unsigned int family, uint32_t prefix)
{
	return view->verdicts[family][prefix].verdict == REACH_COVERED &&
	       !region_shadowed(&view->regions[view->lists[family]->prefixes[prefix].region]);
}

static void warn_covered(const struct topology_view *view, unsigned int family, uint32_t prefix,
			 const struct place *place)
{
	char text[PREFIX_TEXT_OCTETS], over[PREFIX_TEXT_OCTETS];

	faults_warning(view->faults, place, "prefix %s matches nobody: longer prefixes cover all of it, from %s on",
		       block_text(view, family, prefix, text),
		       block_text(view, family, covering(view, family, prefix), over));
}

/* Loopback, link-local and "this network": whatever region they are given, client subnets in them do not choose it. */
static bool is_special(const struct topology_view *view, unsigned int family, uint32_t prefix)
{
	const struct topology_prefix *special = &view->lists[family]->prefixes[prefix];
	struct query query = {
		.ecs_family = family ? ECS_FAMILY_IPV6 : ECS_FAMILY_IPV4, .ecs_source = special->length,
	};

	memcpy(query.ecs_address, special->address, family_bits(family) / 8);
	return view->ecs && !is_swallowed(view, family, prefix) && select_special(&query);
}

static void warn_special(const struct topology_view *view, unsigned int family, uint32_t prefix,
			 const struct place *place)
{
	char text[PREFIX_TEXT_OCTETS];

	faults_warning(view->faults, place, "prefix %s matches no client subnet: for those of special blocks the resolver's "
		       "own address decides", block_text(view, family, prefix, text));
}

/* Where none of the region's clients gets it, that was said of the region. */
static bool is_long(const struct topology_view *view, unsigned int family, uint32_t prefix)
{
	const struct reach_region *region = &view->regions[view->lists[family]->prefixes[prefix].region];
	uint8_t verdict = view->verdicts[family][prefix].verdict;

	return (verdict == REACH_SPREAD || (verdict == REACH_MISSED && region->reached)) &&
	       !is_special(view, family, prefix);
}

static void warn_long(const struct topology_view *view, unsigned int family, uint32_t prefix,
		      const struct place *place)
{
	const struct reach_prefix *verdict = &view->verdicts[family][prefix];
	const char *own = region_name(view, view->lists[family]->prefixes[prefix].region);
	const char *other = region_name(view, verdict->region);
	char text[PREFIX_TEXT_OCTETS], as[PREFIX_TEXT_OCTETS];

	block_text(view, family, prefix, text);
	prefix_cut_text(view, family, prefix, as);
	if (verdict->verdict == REACH_MISSED)
		faults_warning(view->faults, place,
			       "prefix %s is longer than the /%u that resolvers send: its clients come as %s and get "
			       "region %s, not %s", text, view->cuts[family], as, other, own);
	else
		faults_warning(view->faults, place,
			       "prefix %s is longer than the /%u that resolvers send: all clients of %s get its region "
			       "%s, also those of region %s%s", text, view->cuts[family], as, own, other,
			       verdict->more ? " and others" : "");
}

static const struct prefix_kind prefix_kinds[] = {
	{is_swallowed, warn_swallowed, "change nothing"},
	{is_covered, warn_covered, "match nobody: longer prefixes cover all of them"},
	{is_special, warn_special, "match no client subnet: they are of special blocks"},
	{is_long, warn_long, "are longer than resolvers send, and give clients another region than their own"},
};

static void warn_prefixes(const struct topology_view *view, unsigned int family)
{
	const struct config_prefixes *list = view->lists[family];

	for (size_t kind = 0; kind < sizeof(prefix_kinds) / sizeof(prefix_kinds[0]); kind++) {
		size_t found = 0;

		for (size_t i = 0; i < list->count; i++) {
			struct place place;

			if (!prefix_kinds[kind].is(view, family, i) || found++ >= WARNINGS_SHOWN)
				continue;
			place = prefix_place(list, i, view->config->files);
			prefix_kinds[kind].warn(view, family, i, &place);
		}
		if (found > WARNINGS_SHOWN)
			faults_warning(view->faults, &view->topology->place, "%zu more IPv%c prefixes of topology %s %s",
				       found - WARNINGS_SHOWN, family ? '6' : '4', view->topology->name, prefix_kinds[kind].more);
	}
}
