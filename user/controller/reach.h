/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Whom prefixes and regions reach, when resolvers cut the addresses of their clients at a length. Pure; for warnings.
 *
 * An address is of the longest prefix around it, or of the default. A resolver that cuts at /40 asks for the first
 * address of the /40 around a client (RFC 7871 7.1.1), and so for all clients of a /40 at once: whose that first address
 * is, decides for them all.
 *
 *	240b:10:200::/41 = osaka1, 240b:10:280::/41 = osaka2; cut at /40, clients of both are asked for as 240b:10:200::/40:
 *	  240b:10:200::/41  REACH_SPREAD  all of 240b:10:200::/40 gets osaka1
 *	  240b:10:280::/41  REACH_MISSED  its clients get osaka1
 *
 * Swallowed prefixes are left out from the start, as if they had been removed: what is said of the others is still true
 * when they are.
 */
#ifndef ECSDNS_CONTROLLER_REACH_H
#define ECSDNS_CONTROLLER_REACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/controller/block.h"
#include "user/controller/topology.h"

#define REACH_DEFAULT UINT32_MAX	/* no prefix: addresses that none covers */

enum reach_verdict {
	REACH_GOOD,
	REACH_SWALLOWED,	/* changes nothing: the next wider prefix has its region, or the default if there is none */
	REACH_COVERED,		/* matches nobody: longer prefixes cover all of it */
	REACH_MISSED,		/* longer than the cut: its clients are asked for as others and get `region` */
	REACH_SPREAD,		/* longer than the cut: clients outside of it, some of `region`, get its region */
};

struct reach_prefix {
	uint16_t region;	/* see above; regions of a topology have 16 bits in the tables */
	uint8_t verdict;	/* enum reach_verdict */
	bool more;		/* REACH_SPREAD: not only of that region */
};

struct reach_region {
	bool owns[2];		/* any address of IPv4, of IPv6 */
	bool reached;		/* by any resolver that cuts its clients' addresses */
	/* Its first prefix, and the first of its addresses that are asked for as others; in the family `family`. */
	struct reach_place {
		bool found;
		uint8_t family;		/* 0: IPv4, 1: IPv6 */
		uint32_t prefix;	/* number; REACH_DEFAULT: the address is of none */
		struct block at;
		uint32_t gets;		/* the region that clients there get */
	} first, missed;
};

/*
 * Judges the prefixes of one family, sorted by address and length, none there twice; the default's region is 0.
 * `verdicts` are as many and become what is true of each; `regions` are zeroed before the first family and gather what
 * both say. A cut of 32 or 128 is none. One pass, without memory of its own.
 */
void reach_family(const struct topology_prefix *prefixes, size_t count, unsigned int family, uint8_t cut,
		  struct reach_prefix *verdicts, struct reach_region *regions);

#endif
