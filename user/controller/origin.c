// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <libknot/descriptor.h>
#include <string.h>

#include "maps/wire.h"
#include "user/controller/origin.h"

/* RFC 1035 3.3.13, behind the two names. */
static const uint32_t synthetic_numbers[] = {
	1,		/* serial: nobody transfers it */
	3600,		/* refresh */
	600,		/* retry */
	604800,		/* expire */
	60,		/* minimum: how long "no such type" is believed */
};

static void put32(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = value >> (24 - 8 * i);
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
}

/* -- inside a zone -- */

static const char *type_text(uint16_t type, char text[32])
{
	return knot_rrtype_to_string(type, text, 32) > 0 ? text : "?";
}

static void data_refuse(const struct config_service *service, const struct zone_rrset *rrset, const char *why,
			struct faults *faults)
{
	char type[32];

	faults_error(faults, &service->place, "service %s: the zone has %s records at this name (%s:%u): %s",
		     service->name.text, type_text(rrset->type, type), rrset->file, rrset->line, why);
}

/* Records of the zone at the very name. Others than these the fallback answers beside the service. */
static void data_check(const struct zone_node *node, const struct config_service *service, uint8_t types,
		       bool any_cname, struct faults *faults)
{
	const struct zone_rrset *rrset;

	if ((rrset = zone_node_rrset(node, TYPE_CNAME)))
		data_refuse(service, rrset, "a CNAME stands alone; remove it or the service", faults);
	else if (any_cname && node->rrset_count)
		data_refuse(service, node->rrsets,
			    "a pool of the service is a CNAME, which stands alone (RFC 1034 3.6.2); "
			    "remove them, or use pools of addresses",
			    faults);
	if (types & 1 << SERVICE_A && (rrset = zone_node_rrset(node, TYPE_A)))
		data_refuse(service, rrset, "the service answers this type; remove the zone's", faults);
	if (types & 1 << SERVICE_AAAA && (rrset = zone_node_rrset(node, TYPE_AAAA)))
		data_refuse(service, rrset, "the service answers this type; remove the zone's", faults);
}

static void zone_check_name(const struct zone *zone, const struct config_service *service, struct faults *faults)
{
	struct zone_found found = {NULL, NULL};
	const struct zone_rrset *rrset = NULL;
	enum zone_match match = zone_find(zone, service->name.name, &found);

	if (match != ZONE_CUT && match != ZONE_DNAME)
		return;
	rrset = zone_node_rrset(found.node, match == ZONE_CUT ? KNOT_RRTYPE_NS : KNOT_RRTYPE_DNAME);
	if (!rrset)
		return;
	faults_error(faults, &service->place,
		     match == ZONE_CUT ? "service %s is at or below a delegation (NS records at %s:%u): other servers "
					 "answer there; remove the "
					 "delegation or the service"
				       : "service %s is below a DNAME record (%s:%u), which redirects every name "
					 "there; remove it or the service",
		     service->name.text, rrset->file, rrset->line);
}

static uint8_t zone_lacks(const struct zone_node *node)
{
	return (zone_node_rrset(node, TYPE_A) ? 0 : SERVICE_LACKS_A) | (zone_node_rrset(node, TYPE_AAAA) ? 0 : SERVICE_LACKS_AAAA) |
	       (zone_node_rrset(node, TYPE_HTTPS) ? 0 : SERVICE_LACKS_HTTPS);
}

static void zone_origin(struct origin *origin, const struct zone *zone, const struct config_service *service,
			uint8_t types, bool any_cname, struct faults *faults)
{
	const struct zone_node *apex = zone_apex(zone), *node = zone_node(zone, service->name.name);
	const struct zone_rrset *soa = zone_node_rrset(apex, TYPE_SOA);
	uint32_t minimum;

	zone_check_name(zone, service, faults);
	if (any_cname && node == apex)
		faults_error(faults, &service->place,
			     "service %s: a pool of the service is a CNAME, which cannot stand at a "
			     "zone's apex beside SOA and NS (RFC 1034 3.6.2); use pools of addresses",
			     service->name.text);
	else if (node)
		data_check(node, service, types, any_cname, faults);
	origin->zone = zone;
	origin->beside_data = node && node->rrset_count;
	if (origin->beside_data)
		origin->lacks = zone_lacks(node);
	origin->apex_offset = service->name.length - apex->name_length;
	origin->apex_root = apex->name_length == 1;
	origin->soa = (struct answer_rdata){soa->records[0].octets, soa->records[0].length};
	minimum = get32(origin->soa.octets + origin->soa.length - 4);
	origin->negative_ttl = soa->ttl < minimum ? soa->ttl : minimum;
}

/* -- outside every zone -- */

/* `label` before the service's name; the name itself if that would be too long. Returns the length. */
static uint16_t name_below(uint8_t *out, const char *label, const struct config_name *name)
{
	size_t length = strlen(label);

	if (name->length + length + 1 > NAME_OCTETS_MAX)
		length = 0;
	if (length) {
		*out++ = length;
		memcpy(out, label, length);
		out += length++;
	}
	memcpy(out, name->name, name->length);
	return length + name->length;
}

static uint16_t name_copy(uint8_t *out, const struct config_name *name)
{
	memcpy(out, name->name, name->length);
	return name->length;
}

void origin_make(struct origin *origin, const struct config_server *server, const struct config_service *service)
{
	uint8_t *at = origin->soa_octets;

	memset(origin, 0, sizeof(*origin));
	origin->nameserver_count = 1;
	origin->nameservers[0] = (struct answer_rdata){origin->nameserver,
						       name_below(origin->nameserver, "ns", &service->name)};
	for (size_t i = 0; i < server->nameserver_count; i++)
		origin->nameservers[i] =
			(struct answer_rdata){server->nameservers[i].name, server->nameservers[i].length};
	if (server->nameserver_count)
		origin->nameserver_count = server->nameserver_count;
	memcpy(at, origin->nameservers[0].octets, origin->nameservers[0].length);
	at += origin->nameservers[0].length;
	at += server->hostmaster ? name_copy(at, server->hostmaster) : name_below(at, "hostmaster", &service->name);
	for (size_t i = 0; i < sizeof(synthetic_numbers) / sizeof(synthetic_numbers[0]); i++, at += 4)
		put32(at, synthetic_numbers[i]);
	origin->soa = (struct answer_rdata){origin->soa_octets, at - origin->soa_octets};
	origin->apex_root = service->name.length == 1;
	origin->negative_ttl = synthetic_numbers[4];
}

/* -- both -- */

/* Resolvers would follow it to itself until they give up. */
static void cname_check(const struct config *config, const struct config_service *service, struct faults *faults)
{
	const struct config_preference *preference;
	const struct config_pool *pool;

	for (size_t i = 0; i < config->topologies[service->topology].region_count; i++) {
		preference = &service->regions[i];
		for (size_t j = 0; j < preference->count; j++) {
			pool = &config->pools[preference->pools[j]];
			if (!pool->cname || strcmp(pool->cname->text, service->name.text))
				continue;
			faults_error(faults, &pool->place,
				     "pool %s is a CNAME to service %s, which uses it: expected a name "
				     "that leads elsewhere",
				     pool->name, service->name.text);
			return;
		}
	}
}

void origin_find(struct origin *origin, const struct config *config, const struct zone_set *zones,
		 const struct config_service *service, uint8_t types, struct faults *faults)
{
	const struct zone *zone = zones ? zone_set_find(zones, service->name.name) : NULL;
	bool any_cname = choose_any_cname(config, service);

	memset(origin, 0, sizeof(*origin));
	if (any_cname)
		cname_check(config, service, faults);
	if (zone) {
		zone_origin(origin, zone, service, types, any_cname, faults);
		return;
	}
	origin_make(origin, &config->server, service);
	if (any_cname)
		faults_error(
			faults, &service->place,
			"service %s: a pool of the service is a CNAME, but outside every zone of "
			"`zones` the name is a zone's apex, with SOA and NS of its own, where no CNAME can stand (RFC "
			"1034 3.6.2): add the zone that it is part of",
			service->name.text);
}

int origin_answers(const struct origin *origin, uint32_t service_ttl, struct answer answers[SERVICE_COMMON])
{
	/* RFC 8482 4.2 */
	static const uint8_t hinfo[] = "\x07RFC8482";	/* the 0 that ends it is the empty second string */
	const struct answer_rdata rdata = {hinfo, sizeof(hinfo)};
	int fault = answer_records_set(&answers[SERVICE_ANY], TYPE_HINFO, service_ttl, &rdata, 1);

	if (!fault)
		fault = answer_nodata(&answers[SERVICE_NODATA], origin->apex_offset, origin->apex_root,
				      origin->negative_ttl, &origin->soa);
	if (fault)
		return fault;
	if (origin->zone) {
		answers[SERVICE_SOA] = answers[SERVICE_NS] = answers[SERVICE_NODATA];
		return 0;
	}
	fault = answer_records_set(&answers[SERVICE_SOA], TYPE_SOA, ORIGIN_MADE_TTL, &origin->soa, 1);
	return fault ? fault : answer_records_set(&answers[SERVICE_NS], TYPE_NS, ORIGIN_MADE_TTL, origin->nameservers,
						  origin->nameserver_count);
}
