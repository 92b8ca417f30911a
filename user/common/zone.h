/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Zone data: master files (RFC 1035 5) -> names and record sets in memory, and the questions one asks of them.
 *
 * A zone is a tree of names hanging from its apex. Every name between the apex and a record exists, if only as an empty
 * non-terminal (RFC 4592 2.2.2). Names given to the functions are lowered wire names (RFC 4343), uncompressed, with
 * their root label; lengths follow from the label octets. Everything lives in an arena of the zone and is freed with it.
 * A loaded zone is constant: any number of threads may read it. It takes about 2 KB, and 136 octets for every name with one
 * address; while its file is read twice as much, besides the file.
 */
#ifndef ECSDNS_ZONE_H
#define ECSDNS_ZONE_H

#include <stddef.h>
#include <stdint.h>

struct bundle;
struct faults;

struct zone_rdata {
	const uint8_t *octets;	/* wire form, names uncompressed */
	uint16_t length;
};

struct zone_rrset {
	uint16_t type;
	uint16_t count;			/* at least 1; no two alike */
	uint32_t ttl;			/* of all its records (RFC 2181 5.2) */
	const struct zone_rdata *records;	/* in the order of the file */
	const char *file;		/* where its first record stands, for messages */
	uint32_t line;
};

#define ZONE_NODE_SERVICE 0x1	/* a service has this name: it exists, and its records are elsewhere */
#define ZONE_NODE_CUT 0x2	/* NS below the apex: what stands here and below is another's (RFC 1034 4.2.1) */
#define ZONE_NODE_DNAME 0x4	/* everything below is redirected (RFC 6672) */

struct zone_node {
	const uint8_t *name;		/* lowered wire name */
	uint8_t name_length;
	uint8_t flags;			/* ZONE_NODE_* */
	uint16_t rrset_count;		/* 0: empty non-terminal, or only a service */
	/* zone.c's and zone_load.c's own, as are those at the end */
	uint32_t hash;
	union {
		const struct zone_rrset *rrsets;	/* by ascending type */
		struct zone_growing *growing;	/* record sets while the file is read */
	};
	const struct zone_node *parent;	/* NULL at the apex */
	struct zone_node *chain;	/* next in the same slot of the hash */
	struct zone_node *next;		/* in the order of their making */
};

struct zone;

/*
 * Loads the zone with this origin (text, with or without the final dot) from the bundle's member `file`; $INCLUDE takes
 * further members, named relative to the directory of the file that includes them. Never touches the disk by itself.
 * Returns 0, or -errno with the errors, each with file and line, added to `faults`. Warnings may be added in both cases.
 * Errors: syntax, records out of the zone, other classes than IN, not exactly one SOA or none of NS at the apex, CNAME
 * beside other data, several CNAME or DNAME records at a name, anything below a DNAME, NS or DNAME at a wildcard.
 */
int zone_load(const char *origin, const char *file, struct bundle *bundle, struct zone **out, struct faults *faults);
void zone_free(struct zone *zone);

/* A zone of one name and its SOA record, made without a file. Copies both. NULL without memory. */
struct zone *zone_make(const uint8_t *origin, uint32_t ttl, const uint8_t *soa, uint16_t length);

const struct zone_node *zone_apex(const struct zone *zone);

/* Marks a service's name as existing. Before the zone is shared only. 0, -ENOMEM, or -EDOM if it is not in the zone. */
int zone_add_service(struct zone *zone, const uint8_t *name);

/* The node made after this one, as the file has them; from the apex on every node comes once. NULL: none is left. */
const struct zone_node *zone_next(const struct zone_node *node);

/* The node with exactly this name, seen past delegations and DNAMEs (glue), or NULL. */
const struct zone_node *zone_node(const struct zone *zone, const uint8_t *name);

/* The record set of a node, or of a name as zone_node() finds it; NULL if there is none. */
const struct zone_rrset *zone_node_rrset(const struct zone_node *node, uint16_t type);
const struct zone_rrset *zone_rrset(const struct zone *zone, const uint8_t *name, uint16_t type);

/* What a name is to its zone (RFC 1034 4.3.2 step 3, RFC 4592, RFC 6672 3.2). */
enum zone_match {
	ZONE_FOUND,	/* node: the name itself; it may have no records */
	ZONE_WILDCARD,	/* node: the wildcard that stands for it; encloser: its parent */
	ZONE_MISSING,	/* does not exist; encloser: the closest that does */
	ZONE_CUT,	/* at or below the delegation `node` */
	ZONE_DNAME,	/* below (not at) the DNAME owner `node` */
	ZONE_OUTSIDE,	/* not in this zone at all */
};

struct zone_found {
	const struct zone_node *node;
	const struct zone_node *encloser;
};

enum zone_match zone_find(const struct zone *zone, const uint8_t *name, struct zone_found *found);

/* The node of this name, or the wildcard that stands for it, seen past delegations: a name server's, or NULL. */
const struct zone_node *zone_glue(const struct zone *zone, const uint8_t *name);

/* All zones of a configuration. It owns the zones added to it. */
struct zone_set;

struct zone_set *zone_set_new(void);
void zone_set_free(struct zone_set *set);

/* Takes the zone over. 0, -ENOMEM, or -EEXIST if a zone of that origin is there (the zone is then still the caller's). */
int zone_set_add(struct zone_set *set, struct zone *zone);

/* The zone whose apex is the closest one at or above the name, or NULL. */
struct zone *zone_set_find(const struct zone_set *set, const uint8_t *name);

size_t zone_set_count(const struct zone_set *set);

/* -- wire names -- */

/* Octets of a name that is known to be well-formed. */
size_t zone_name_length(const uint8_t *name);

/* Copies a name in lower case (RFC 4343). Returns its octets. */
size_t zone_name_lower(uint8_t lowered[256], const uint8_t *name);

/* Is `name` at or below `ancestor`? */
int zone_name_within(const uint8_t *name, const uint8_t *ancestor);

/* Text (with or without the final dot, escapes as RFC 1035 5.1) -> lowered wire name. 0, or -EINVAL. */
int zone_name_parse(const char *text, uint8_t name[256]);

#endif
