// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <libknot/descriptor.h>
#include <string.h>

#include "user/fallback/additional.h"
#include "user/fallback/authority.h"

/*
 * Aliases followed in one reply, as many as Unbound and BIND follow for one client. Longer chains, and loops, are left to
 * the resolver: where aliases make names longer, compression pointers chain, and parsers give up on long chains.
 */
#define ALIASES_MAX 11

/* RFC 8482 4.2 */
#define ANY_TTL 3600
static const struct zone_rdata any_rdata = { .octets = (const uint8_t *)"\x07" "RFC8482", .length = 9 };
static const struct zone_rrset any_rrset = { .type = TYPE_HINFO, .count = 1, .ttl = ANY_TTL, .records = &any_rdata };

struct authority {
	struct response *response;
	const struct zone_set *zones;
	uint16_t type;			/* asked for */
	int is_service;
	struct status status;
	int lack;			/* -ENOSPC: something that must be in the reply does not fit */
	unsigned int aliases;
	uint8_t names[ALIASES_MAX + 1][256];	/* the name asked for, then the targets of aliases, lowered */
	const uint8_t *written;		/* the last of them as the question or the alias has it (RFC 4343 4.1) */
	uint8_t made[256];		/* where that is, if a DNAME record made it */
	const struct zone_node *dnames[ALIASES_MAX + 1];	/* whose DNAME records redirected them, null: a CNAME record did */
};

/* What a step leaves to do. */
enum step { STEP_DONE, STEP_ALIAS };

static enum step answer_name(struct authority *authority, const uint8_t *name);
static enum step answer_node(struct authority *authority, const struct zone *zone, const struct zone_node *node);
static enum step answer_dname(struct authority *authority, const struct zone_node *node);
static enum step answer_cname(struct authority *authority, const struct zone_rrset *rrset);
static void add_dname(struct authority *authority, const struct zone_node *node, const struct zone_rrset *dname);
static void answer_negative(struct authority *authority, const struct zone *zone, enum rcode rcode);
static void answer_referral(struct authority *authority, const struct zone *zone, const struct zone_node *cut);

struct status authority_answer(struct response *response, const struct zone_set *zones, const uint8_t *name,
			       int is_service)
{
	struct authority authority;

	/* One by one: most of it, which only aliases need, is not even touched. */
	authority.response = response;
	authority.zones = zones;
	authority.type = response->query->type;
	authority.is_service = is_service;
	authority.status = (struct status){ .rcode = RCODE_NOERROR };
	authority.lack = 0;
	authority.aliases = 0;
	authority.written = response->message->octets + HEADER_OCTETS;
	memcpy(authority.names[0], name, response->query->name_length);
	while (answer_name(&authority, authority.names[authority.aliases]) == STEP_ALIAS)
		authority.aliases++;
	if (authority.lack) {
		response_clear(response);
		authority.status.flags |= HEADER_TC;
	}
	return authority.status;
}

static void add(struct authority *authority, enum section section, const uint8_t *owner, const struct zone_rrset *rrset)
{
	if (response_rrset(authority->response, section, owner, rrset, rrset->ttl))
		authority->lack = -ENOSPC;
}

/* DS records are the parent's, if we serve it (RFC 4035 3.1.4.1). */
static const struct zone *find_zone(const struct authority *authority, const uint8_t *name)
{
	const struct zone *zone = zone_set_find(authority->zones, name), *parent;
	struct zone_found found;

	if (!zone || authority->type != KNOT_RRTYPE_DS || !name[0] ||
	    zone_apex(zone)->name_length != zone_name_length(name))
		return zone;
	parent = zone_set_find(authority->zones, name + name[0] + 1);
	return parent && zone_find(parent, name, &found) == ZONE_CUT ? parent : zone;
}

static enum step answer_name(struct authority *authority, const uint8_t *name)
{
	const struct zone *zone = find_zone(authority, name);
	struct zone_found found;

	if (!zone) {
		if (!authority->aliases)
			authority->status = (struct status){ .rcode = RCODE_REFUSED, .info = INFO_NOT_AUTHORITATIVE };
		return STEP_DONE;
	}
	switch (zone_find(zone, name, &found)) {
	case ZONE_CUT:
		if (authority->type != KNOT_RRTYPE_DS || found.node->name_length != zone_name_length(name)) {
			answer_referral(authority, zone, found.node);
			return STEP_DONE;
		}
		/* fall through */
	case ZONE_FOUND:
	case ZONE_WILDCARD:
		return answer_node(authority, zone, found.node);
	case ZONE_DNAME:
		return answer_dname(authority, found.node);
	default:
		answer_negative(authority, zone, RCODE_NXDOMAIN);
		return STEP_DONE;
	}
}

/* The name exists, or a wildcard stands for it: the records' owner is the name in both cases (RFC 4592 2.1.1). */
static enum step answer_node(struct authority *authority, const struct zone *zone, const struct zone_node *node)
{
	const struct zone_rrset *rrset = zone_node_rrset(node, authority->type);
	const struct zone_rrset *cname = zone_node_rrset(node, KNOT_RRTYPE_CNAME);

	if (!rrset && node->flags & ZONE_NODE_SERVICE && !(authority->is_service && !authority->aliases)) {
		/* The service's own records are not here: behind an alias the resolver asks for them next. */
		if (!authority->aliases)
			authority->status = (struct status){ .rcode = RCODE_SERVFAIL, .info = INFO_NOT_READY };
		return STEP_DONE;
	}
	/* RFC 8482 4.2: nothing is made up where there is a CNAME record. */
	if (authority->type == TYPE_ANY && (node->rrset_count || node->flags & ZONE_NODE_SERVICE))
		rrset = cname ? cname : &any_rrset;
	if (!rrset && cname)
		return answer_cname(authority, cname);
	authority->status.flags |= HEADER_AA;
	if (!rrset)
		answer_negative(authority, zone, RCODE_NOERROR);
	else if (rrset->type == KNOT_RRTYPE_DNAME)
		add_dname(authority, node, rrset);
	else
		add(authority, SECTION_ANSWER, authority->written, rrset);
	if (rrset && !authority->lack)
		additional_answer(authority->response, zone, authority->written, rrset);
	return STEP_DONE;
}

/* RFC 2308 3: the SOA record with the TTL of negative answers. */
static void answer_negative(struct authority *authority, const struct zone *zone, enum rcode rcode)
{
	const struct zone_rrset *soa = zone_node_rrset(zone_apex(zone), KNOT_RRTYPE_SOA);
	const struct zone_rdata *rdata = &soa->records[0];
	const uint8_t *minimum = rdata->octets + rdata->length - 4;
	uint32_t ttl = (uint32_t)minimum[0] << 24 | minimum[1] << 16 | minimum[2] << 8 | minimum[3];

	authority->status.flags |= HEADER_AA;
	authority->status.rcode = rcode;
	if (response_rrset(authority->response, SECTION_AUTHORITY, zone_apex(zone)->name, soa,
			   ttl < soa->ttl ? ttl : soa->ttl))
		authority->lack = -ENOSPC;
}

/* -- aliases -- */

/* Makes `target` the name to answer next, unless the chain is long enough or has been there before. */
static enum step follow(struct authority *authority, const uint8_t *target)
{
	uint8_t *next;
	size_t length;

	if (authority->type == KNOT_RRTYPE_CNAME || authority->aliases == ALIASES_MAX || authority->lack)
		return STEP_DONE;
	next = authority->names[authority->aliases + 1];
	length = zone_name_lower(next, target);
	for (unsigned int i = 0; i <= authority->aliases; i++)
		if (zone_name_length(authority->names[i]) == length && !memcmp(authority->names[i], next, length))
			return STEP_DONE;
	authority->written = target;
	return STEP_ALIAS;
}

static enum step answer_cname(struct authority *authority, const struct zone_rrset *rrset)
{
	authority->status.flags |= HEADER_AA;
	authority->dnames[authority->aliases] = NULL;
	add(authority, SECTION_ANSWER, authority->written, rrset);
	return follow(authority, rrset->records[0].octets);
}

/* Once, however many aliases lead to it or below it: a record set has no record twice (RFC 2181 5). */
static void add_dname(struct authority *authority, const struct zone_node *node, const struct zone_rrset *dname)
{
	authority->dnames[authority->aliases] = node;
	for (unsigned int i = 0; i < authority->aliases; i++)
		if (authority->dnames[i] == node)
			return;
	add(authority, SECTION_ANSWER, node->name, dname);
}

/*
 * RFC 6672 3.2: the DNAME record, then a CNAME record made of it, whose TTL is the same. One that leads below itself
 * redirects what it made again and again until names are too long: one step says so.
 */
static enum step answer_dname(struct authority *authority, const struct zone_node *node)
{
	const struct zone_rrset *dname = zone_node_rrset(node, KNOT_RRTYPE_DNAME);
	const uint8_t *target = dname->records[0].octets;
	size_t prefix = zone_name_length(authority->written) - node->name_length, length = zone_name_length(target);
	struct zone_rdata rdata;
	struct zone_rrset cname = { .type = KNOT_RRTYPE_CNAME, .count = 1, .ttl = dname->ttl, .records = &rdata };
	uint8_t made[NAME_OCTETS_MAX], lowered[256];

	authority->status.flags |= HEADER_AA;
	add_dname(authority, node, dname);
	if (prefix + length > NAME_OCTETS_MAX) {
		authority->status.rcode = RCODE_YXDOMAIN;
		return STEP_DONE;
	}
	memcpy(made, authority->written, prefix);
	memcpy(made + prefix, target, length);
	rdata.octets = made;
	rdata.length = prefix + length;
	add(authority, SECTION_ANSWER, authority->written, &cname);
	zone_name_lower(lowered, target);
	if (zone_name_within(lowered, node->name))
		return STEP_DONE;
	memcpy(authority->made, made, prefix + length);
	return follow(authority, authority->made);
}

/* -- referrals -- */

/* AA stays unset, unless an alias led here: it speaks of the first name (RFC 1034 4.3.1, RFC 6604 2.1). */
static void answer_referral(struct authority *authority, const struct zone *zone, const struct zone_node *cut)
{
	const struct zone_rrset *ns = zone_node_rrset(cut, KNOT_RRTYPE_NS);

	add(authority, SECTION_AUTHORITY, cut->name, ns);
	if (!authority->lack && additional_glue(authority->response, zone, cut, ns))
		authority->lack = -ENOSPC;
}
