/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What part of a family's addresses is of another region in one compiled topology than in another. Exact: the sizes are
 * counted in whole addresses, over the entries that readers look up, whatever prefixes they were made of.
 */
#ifndef ECSDNS_CONTROLLER_RANGES_H
#define ECSDNS_CONTROLLER_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/controller/topology.h"

#define RANGES_NONE UINT32_MAX		/* a region that the other topology does not have */
#define RANGES_COUNT_OCTETS 40		/* 2^128 in decimal digits, and a 0 */

/* One of the largest blocks that lie in one region before and in one other after. */
struct ranges_block {
	uint8_t address[16];
	uint8_t length;
	uint32_t before, after;		/* regions, each by its own topology's numbers */
};

struct ranges_change {
	char addresses[RANGES_COUNT_OCTETS];	/* decimal */
	double percent;			/* of the family */
	size_t blocks;
	struct ranges_block *list;	/* the first `listed` of them, by address; the caller frees it */
	size_t listed;
};

/*
 * Compares two families of `bits` 32 or 128. `same` says by number of a region before what number it has after, or
 * RANGES_NONE. At most `limit` blocks are listed. 0 or -ENOMEM.
 */
int ranges_compare(const struct topology_family *before, const struct topology_family *after, unsigned int bits,
		   const uint32_t *same, size_t limit, struct ranges_change *change);

#endif
