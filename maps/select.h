/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Second stage: struct query and the tables -> the answer's number and the scope, or the reason why not.
 *
 * Whoever includes this gives the tables, through five functions on a `struct lookup` of its own; the driver looks
 * straight into its maps (bpf/lookup.h), the host goes through system calls and mmap (user/common/lookup.h).
 * A pointer they return is valid until the next call of the same function.
 */
#ifndef ECSDNS_SELECT_H
#define ECSDNS_SELECT_H

#include "query.h"

struct lookup;
static inline const struct service *lookup_service(struct lookup *lookup, const union name_key *key, int is_long);
static inline const struct topology4_entry *lookup_topology4(struct lookup *lookup, __u16 topology,
							      const __u8 *address);
static inline const struct topology6_entry *lookup_topology6(struct lookup *lookup, __u16 topology,
							      const __u8 *address);
static inline __u32 lookup_index(struct lookup *lookup, __u32 index);	/* ANSWER_NONE if there is none */
static inline const struct settings *lookup_settings(struct lookup *lookup);

/* Whose address decided, and why. */
enum select_client {
	CLIENT_RESOLVER,	/* no client subnet came, or its source length was 0 */
	CLIENT_ECS,
	CLIENT_SERVICE_OFF,	/* the service has ecs: false */
	CLIENT_UNTRUSTED,	/* the resolver is not in server.ecs.trust */
	CLIENT_SPECIAL,		/* a prefix inside loopback, link-local or "this network" */
};

struct selection {
	union name_key key;
	struct service service;
	__u8 address[16];	/* the client's, as it decided */
	__u8 family;		/* ECS_FAMILY_* of that address */
	__u8 client;		/* enum select_client */
	__u8 scope;		/* for the echo */
	__u8 block;		/* length of the one-region block around the address (ECS.md section 2), or of its spread */
	__u8 tailored;		/* the answer depends on the region */
	__u8 outcome;		/* enum reason the reply is counted under; set by answer_write() */
	__u16 region;
	__u32 region_id;
	__u32 answer;		/* number */
};

/* Length of the special block that wholly contains the option's prefix (ECS.md requirement 8), else 0. */
PIECE __u8 select_special(const struct query *query)
{
	const __u8 *address = query->ecs_address;
	__u8 source = query->ecs_source;

	if (query->ecs_family == ECS_FAMILY_IPV4) {
		if (source >= 8 && (address[0] == 127 || address[0] == 0))
			return 8;
		if (source >= 16 && address[0] == 169 && address[1] == 254)
			return 16;
		return 0;
	}
	if (source >= 10 && address[0] == 0xfe && (address[1] & 0xc0) == 0x80)
		return 10;
	if (source == 128 && !wire_load64(address) && (wire_load64(address + 8) & ~(1ULL << 56)) == 0)
		return 128;	/* :: and ::1 */
	return 0;
}

/* Leading bits that two addresses share. */
PIECE __u32 select_common4(const __u8 *one, const __u8 *other)
{
	__u64 differ = 0;
	__u32 i;

	for (i = 0; i < 4; i++)
		differ = differ << 8 | (one[i] ^ other[i]);
	return wire_leading_zeros(differ << 32 | 0x80000000);
}

PIECE __u32 select_common6(const __u8 *one, const __u8 *other)
{
	__u64 high = wire_swap64(wire_load64(one) ^ wire_load64(other));
	__u64 low = wire_swap64(wire_load64(one + 8) ^ wire_load64(other + 8));

	return high ? wire_leading_zeros(high) : 64 + wire_leading_zeros(low);
}

/*
 * Length of the one-region block around an address that matched an entry: below the entry everything outside the
 * target's block is of its region, so the block ends one bit after the address and the target part.
 */
PIECE __u8 select_scope(__u8 length, __u8 target_length, __u32 common)
{
	return target_length && common + 1 > length ? common + 1 : length;
}

PIECE __u8 select_block4(const struct topology4_entry *entry, const __u8 *address)
{
	return select_scope(entry->length, entry->target_length, select_common4(address, entry->target));
}

PIECE __u8 select_block6(const struct topology6_entry *entry, const __u8 *address)
{
	return select_scope(entry->length, entry->target_length, select_common6(address, entry->target));
}

/* Region and block of selection->address in a topology. */
STAGE int select_region(struct selection *selection, struct lookup *lookup, __u16 topology)
{
	STAGE_NEEDS(selection && lookup, REASON_NO_REGION);
	if (selection->family == ECS_FAMILY_IPV4) {
		const struct topology4_entry *entry = lookup_topology4(lookup, topology, selection->address);

		if (!entry)
			return REASON_NO_REGION;
		selection->region = entry->region;
		selection->region_id = entry->region_id;
		selection->block = select_block4(entry, selection->address);
	} else {
		const struct topology6_entry *entry = lookup_topology6(lookup, topology, selection->address);

		if (!entry)
			return REASON_NO_REGION;
		selection->region = entry->region;
		selection->region_id = entry->region_id;
		selection->block = select_block6(entry, selection->address);
	}
	return REASON_GO;
}

PIECE void select_address(struct selection *selection, const __u8 *address, __u8 family)
{
	wire_store64(selection->address, wire_load64(address));
	wire_store64(selection->address + 8, wire_load64(address + 8));
	selection->family = family;
}

/* Is the resolver one whose client subnet we believe? selection->address is the resolver's here. */
PIECE int select_trusted(struct selection *selection, struct lookup *lookup)
{
	const struct settings *settings = lookup_settings(lookup);

	if (!settings)
		return 0;
	if (settings->flags & SETTINGS_TRUST_ALL)
		return 1;
	return select_region(selection, lookup, TOPOLOGY_TRUST) == REASON_GO && selection->region == 1;
}

/*
 * Whose address decides (ECS.md requirements 5 to 8), and the scope as far as that alone settles it. Special prefixes
 * name their own block as scope; all others answered by the resolver's address are echo/0.
 */
STAGE int select_client(const struct query *query, struct selection *selection, struct lookup *lookup)
{
	STAGE_NEEDS(query && selection && lookup, CLIENT_RESOLVER);
	select_address(selection, query->source_address, query->source_family);
	if (!(query->flags & QUERY_ECS) || !query->ecs_source)
		return CLIENT_RESOLVER;
	if (!(selection->service.flags & SERVICE_ECS))
		return CLIENT_SERVICE_OFF;
	if (!select_trusted(selection, lookup))
		return CLIENT_UNTRUSTED;
	selection->scope = select_special(query);
	if (selection->scope)
		return CLIENT_SPECIAL;
	select_address(selection, query->ecs_address, query->ecs_family);
	return CLIENT_ECS;
}

/* Where the answer's number stands for a type that depends on the client, or which common answer it is. */
PIECE int select_type(const struct service *service, __u16 type, __u32 *common)
{
	int kind = type == TYPE_A ? SERVICE_A : type == TYPE_AAAA ? SERVICE_AAAA : type == TYPE_CNAME ? SERVICE_CNAME :
		   SERVICE_TYPES;

	if (kind != SERVICE_TYPES && service->types & 1 << kind)
		return kind;
	*common = type == TYPE_ANY ? SERVICE_ANY : type == TYPE_SOA ? SERVICE_SOA : type == TYPE_NS ? SERVICE_NS :
		  SERVICE_NODATA;
	return SERVICE_TYPES;
}

/* Beside zone data: is a type that the service has not, none of the zone's either? Otherwise only the zone knows. */
PIECE int select_lacks(const struct service *service, __u16 type)
{
	__u8 flag = type == TYPE_A ? SERVICE_LACKS_A : type == TYPE_AAAA ? SERVICE_LACKS_AAAA :
		    type == TYPE_HTTPS ? SERVICE_LACKS_HTTPS : 0;

	return service->flags & flag;
}

/*
 * A region's block may hold half of the clients there are. Where a service has pools that hash, its blocks are cut down to
 * the size that shall be spread: answers then differ within the region, and the scope has to say so.
 */
PIECE void select_spread(struct selection *selection)
{
	__u8 spread = selection->family == ECS_FAMILY_IPV4 ? selection->service.spread4 : selection->service.spread6;

	if (selection->block < spread)
		selection->block = spread;
}

/*
 * The whole stage: name -> service, client -> region and scope, (service, region, type) -> answer number. Inline even
 * in the driver: kernels before 6.8 take a lookup's key from a map's value, but not through a stage's argument.
 */
PIECE int select_answer(const struct message *message, const struct query *query, struct selection *selection,
			struct lookup *lookup, __u32 slot)
{
	const struct service *service;
	__u32 common = 0, index;
	int kind, is_long, fault;

	is_long = query_name_key(message, query, &selection->key, slot);
	service = lookup_service(lookup, &selection->key, is_long);
	if (!service)
		return REASON_NAME;
	selection->service = *service;
	selection->scope = 0;
	kind = select_type(&selection->service, query->type, &common);
	index = selection->service.index + common;
	selection->tailored = kind != SERVICE_TYPES;
	if (selection->tailored) {
		selection->client = select_client(query, selection, lookup);
		fault = select_region(selection, lookup, selection->service.topology);
		if (fault)
			return fault;
		select_spread(selection);
		if (selection->client == CLIENT_ECS)
			selection->scope = selection->block;
		index = selection->service.index + SERVICE_COMMON + selection->region * SERVICE_TYPES + kind;
	} else if (selection->service.flags & SERVICE_STATIC && common == SERVICE_NODATA &&
		   !select_lacks(&selection->service, query->type)) {
		return REASON_STATIC;
	}
	selection->answer = lookup_index(lookup, index);
	if (selection->answer == ANSWER_NONE)
		return selection->tailored ? REASON_NO_ANSWER : REASON_STATIC;
	return REASON_GO;
}

#endif
