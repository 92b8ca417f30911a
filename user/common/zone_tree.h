/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The inside of a zone, for zone.c (tree and look-ups), zone_load.c and zone_check.c. Everyone else: zone.h. */
#ifndef ECSDNS_ZONE_TREE_H
#define ECSDNS_ZONE_TREE_H

#include "user/common/arena.h"
#include "user/common/faults.h"
#include "user/common/zone.h"

#define ZONE_RRSET_RECORDS_MAX 65535	/* a section's count has 16 bits */

struct zone {
	struct arena *arena;		/* all that hangs in it */
	struct arena *growing;		/* what is needed until zone_check() alone */
	struct zone_node **slots;	/* hash of (parent, first label) */
	size_t slot_count;		/* a power of two */
	size_t node_count;
	struct zone_node *apex;		/* the first of all nodes */
	struct zone_node **last;	/* where the next one is hung */
	unsigned int labels;		/* of the apex, without the root */
	/* in a zone_set */
	uint32_t hash;			/* of the origin */
	struct zone *chain;		/* next in the same slot */
};

/* A record set while the file is read; they become zone_node.rrsets when it ends. */
struct zone_growing {
	struct zone_rrset set;
	struct zone_growing *next;	/* of a higher type */
	struct zone_growing_record {
		struct zone_rdata rdata;
		struct zone_growing_record *next;
	} *first, **last;
};

struct zone *zone_new(const uint8_t *origin);

/* The node of a name within the zone, made with all between it and the apex if need be; NULL without memory. */
struct zone_node *zone_node_make(struct zone *zone, const uint8_t *name);

/* Text of a wire name for messages, at most 1024 octets with the 0. */
const char *zone_name_text(const uint8_t *name, char text[1024]);

/*
 * Data in the \# form (RFC 3597 5) reach us unchecked, whatever their type: are all items of it there, and nothing more?
 * The other two are for sound data: does the type have names in them, and the same data with these lowered.
 */
int zone_rdata_is_sound(uint16_t type, const uint8_t *octets, uint16_t length);
int zone_rdata_has_names(uint16_t type);
void zone_rdata_lower(uint16_t type, uint8_t *lowered, const uint8_t *octets, uint16_t length);

/* What holds of a zone as a whole: see zone_load(). Sets the nodes' flags. 0, or -EINVAL with errors added. */
int zone_check(struct zone *zone, const char *file, struct faults *faults);

#endif
