/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The topology compiler: an operator's prefixes -> the entries of the LPM tries.
 *
 * Prefixes are first folded: equal siblings merge, and a prefix that says what its surroundings
 * say anyway vanishes. What is left is one binary trie per family whose leaves are the largest
 * blocks of one region. The scope of an answer (RFC 7871, 7.2.1) is the length of the leaf around
 * the client, so that no two answers' blocks overlap.
 *
 * Leaves are not stored one by one (a million random /48 have 25 million of them) but one entry
 * per edge of the path-compressed trie: an entry covers its block except for `target`, the next
 * node below, and every leaf that hangs off the path between the two is of the entry's region.
 *
 *	240b:10:200::/41 = osaka1, all else tokyo:
 *	  ::/0              tokyo, target 240b:10:200::/41 (scope: where a client parts from it)
 *	  240b:10:200::/41  osaka1, scope 41, nothing below
 *
 * A random prefix makes 2.25 entries: its leaf, the edge down to it, and the edge to every fourth
 * fork. Equal topologies compile to equal entries, however they were written down.
 */
#ifndef ECSDNS_CONTROLLER_TOPOLOGY_H
#define ECSDNS_CONTROLLER_TOPOLOGY_H

#include <stddef.h>
#include <stdint.h>

struct topology_prefix {	/* one line of the operator's table */
	uint8_t address[16];	/* network order; IPv4 in the first 4 octets; no host bits */
	uint8_t length;		/* 0 to 32 or 128 */
	uint32_t region;	/* caller's region number */
};

/*
 * One entry. The reader takes the longest match of an address; the region is the entry's, and
 *	target_length == 0:  scope of the answer = scope
 *	else:                scope of the answer = max(scope, bits address and target share + 1)
 * In the second case the address is never inside the target: deeper entries cover all of that.
 */
struct topology_entry {
	uint8_t address[16];	/* with `length`, the LPM key and the block this entry covers */
	uint8_t target[16];	/* the next node below; zero if there is none */
	uint8_t length;		/* of the key */
	uint8_t scope;		/* `length`, but see topology_compile(): 0 may be 1 */
	uint8_t target_length;	/* 0: nothing below */
	uint32_t region;
};

struct topology_family {
	struct topology_entry *entries;	/* sorted by address, then length; none is there twice */
	size_t count;			/* at least 1 after a compilation */
};

/*
 * Compiles both families; addresses that no prefix covers are of default_region. The families are
 * compiled together because scope 0 is cached for both of them by some resolvers: it is given only
 * when both together are one region. A family of one region beside any other gives scope 1.
 *
 * The prefixes may come in any order, and twice if they agree. Takes time n log n; recursion is no
 * deeper than the address has bits. The caller frees both results with topology_free().
 *
 * 0, or with both results empty:
 *	-EINVAL  a length out of range, or host bits set
 *	-EEXIST  a prefix with two regions
 *	-ENOMEM
 */
int topology_compile(const struct topology_prefix *v4, size_t n4,
		     const struct topology_prefix *v6, size_t n6, uint32_t default_region,
		     struct topology_family *out4, struct topology_family *out6);

/* Frees the entries and empties the family; an empty family is fine. */
void topology_free(struct topology_family *family);

/*
 * What the driver does, for host tools and tests: longest match of `address` (network order, of
 * `bits` 32 or 128), then region and scope. 0, or -ENOENT if no entry covers the address, which
 * cannot be in a compiled family.
 */
int topology_lookup(const struct topology_family *family, unsigned int bits,
		    const uint8_t *address, uint32_t *region, uint8_t *scope);

#endif
