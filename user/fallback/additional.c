// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <libknot/descriptor.h>
#include <libknot/dname.h>

#include "user/fallback/additional.h"

/* Hosts of one answer: more than these, with one address each, fill a reply over UDP. */
#define HOSTS_MAX 48
/* SVCB and HTTPS records in AliasMode that are followed one behind the other; clients follow eight (RFC 9460 3). */
#define SVCB_ALIASES_MAX 8

struct host {
	const struct zone_node *node;
	const uint8_t *name;	/* the node's own, or one that the wildcard stands for */
	uint8_t has_addresses;	/* looked for, and there if they fit */
	uint8_t has_records;	/* SVCB or HTTPS, likewise, or in the answer */
};

struct additional {
	struct response *response;
	const struct zone *zone;
	uint16_t type;		/* of the answer */
	unsigned int count;
	struct host hosts[HOSTS_MAX];
};

static void add_hosts(struct additional *additional, const uint8_t *owner, const struct zone_rrset *rrset,
		      unsigned int aliases);
static struct host *find_host(struct additional *additional, const uint8_t *name);
static int add_addresses(struct response *response, const struct zone_node *node, const uint8_t *owner);

static int type_is_svcb(uint16_t type)
{
	return type == KNOT_RRTYPE_SVCB || type == KNOT_RRTYPE_HTTPS;
}

/* Where the data of a type name a host (RFC 1035 3.3.9 and 3.3.11, RFC 2782, RFC 9460 2.2), or -1. */
static int target_offset(uint16_t type)
{
	switch (type) {
	case KNOT_RRTYPE_NS:
		return 0;
	case KNOT_RRTYPE_MX:
	case KNOT_RRTYPE_SVCB:
	case KNOT_RRTYPE_HTTPS:
		return 2;
	case KNOT_RRTYPE_SRV:
		return 6;
	default:
		return -1;
	}
}

static int svcb_is_alias(const struct zone_rdata *rdata)
{
	return !rdata->octets[0] && !rdata->octets[1];
}

void additional_answer(struct response *response, const struct zone *zone, const uint8_t *owner,
		       const struct zone_rrset *rrset)
{
	struct additional additional;
	struct host *host;

	if (target_offset(rrset->type) < 0)
		return;
	additional.response = response;
	additional.zone = zone;
	additional.type = rrset->type;
	additional.count = 0;
	host = type_is_svcb(rrset->type) ? find_host(&additional, owner) : NULL;
	if (host)
		host->has_records = 1;
	add_hosts(&additional, owner, rrset, SVCB_ALIASES_MAX);
}

/* The root is no host: it says that there is none (RFC 2782, RFC 7505, RFC 9460 2.5.1), or, in ServiceMode, the owner. */
static const uint8_t *target(const uint8_t *owner, uint16_t type, const struct zone_rdata *rdata)
{
	const uint8_t *name = rdata->octets + target_offset(type);

	if (*name)
		return name;
	return type_is_svcb(type) && !svcb_is_alias(rdata) ? owner : NULL;
}

static void add_hosts(struct additional *additional, const uint8_t *owner, const struct zone_rrset *rrset,
		      unsigned int aliases)
{
	for (unsigned int i = 0; i < rrset->count; i++) {
		const uint8_t *name = target(owner, rrset->type, &rrset->records[i]);
		struct host *host = name ? find_host(additional, name) : NULL;
		const struct zone_rrset *next;

		if (!host)
			continue;
		if (!host->has_addresses)
			add_addresses(additional->response, host->node, name);
		host->has_addresses = 1;
		if (!type_is_svcb(rrset->type) || host->has_records)
			continue;
		host->has_records = 1;
		next = zone_node_rrset(host->node, rrset->type);
		if (next && !response_rrset(additional->response, SECTION_ADDITIONAL, name, next, next->ttl) &&
		    svcb_is_alias(&rrset->records[i]) && aliases)
			add_hosts(additional, name, next, aliases - 1);
	}
}

/* A zone's own name servers may be where it has no authority, and known all the same, as in a referral. */
static const struct zone_node *host_node(const struct additional *additional, const uint8_t *name)
{
	struct zone_found found;
	uint8_t lowered[256];
	enum zone_match match;

	zone_name_lower(lowered, name);
	if (additional->type == KNOT_RRTYPE_NS)
		return zone_glue(additional->zone, lowered);
	match = zone_find(additional->zone, lowered, &found);
	return match == ZONE_FOUND || match == ZONE_WILDCARD ? found.node : NULL;
}

/* The name's place among the hosts, made if need be. NULL if the zone does not have it, or they are too many. */
static struct host *find_host(struct additional *additional, const uint8_t *name)
{
	const struct zone_node *node = host_node(additional, name);

	if (!node)
		return NULL;
	for (struct host *host = additional->hosts; host < additional->hosts + additional->count; host++)
		if (host->node == node && knot_dname_is_case_equal(host->name, name))
			return host;
	if (additional->count == HOSTS_MAX)
		return NULL;
	additional->hosts[additional->count] = (struct host){ .node = node, .name = name };
	return &additional->hosts[additional->count++];
}

static int add_addresses(struct response *response, const struct zone_node *node, const uint8_t *owner)
{
	static const uint16_t types[] = { TYPE_A, TYPE_AAAA };
	int code = 0;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		const struct zone_rrset *rrset = zone_node_rrset(node, types[i]);

		if (rrset && response_rrset(response, SECTION_ADDITIONAL, owner, rrset, rrset->ttl))
			code = -ENOSPC;
	}
	return code;
}

/* -- referrals -- */

int additional_glue(struct response *response, const struct zone *zone, const struct zone_node *cut,
		    const struct zone_rrset *ns)
{
	uint8_t lowered[256];

	for (int is_inside = 1; is_inside >= 0; is_inside--) {
		for (unsigned int i = 0; i < ns->count; i++) {
			const uint8_t *name = ns->records[i].octets;

			zone_name_lower(lowered, name);
			if (zone_name_within(lowered, cut->name) == is_inside &&
			    add_addresses(response, zone_glue(zone, lowered), name) && is_inside)
				return -ENOSPC;
		}
	}
	return 0;
}
