// SPDX-License-Identifier: GPL-3.0-or-later
#include "user/controller/ranges.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned __int128 address_t;

/* A family from its first address to its last, as ranges of one region. */
struct walk {
	const struct topology_family *family;
	unsigned int bits;
	size_t next;			/* entry */
	struct walk_open {
		address_t last;
		uint32_t region;
	} open[129];			/* entries around `first`, the innermost last: no two have the same length */
	size_t depth;
	address_t first, last;		/* the range */
	uint32_t region;
};

struct comparison {
	const uint32_t *same;
	unsigned int bits;
	size_t limit, room;
	address_t sum;
	bool whole;			/* the sum is 2^128, which has become 0 */
	bool is_open;			/* a range that may go on: */
	address_t first, last;
	uint32_t before, after;
	struct ranges_change *change;
};

/* -- one family -- */

static address_t address_read(const uint8_t *octets, unsigned int bits)
{
	address_t address = 0;

	for (unsigned int i = 0; i < bits / 8; i++)
		address = address << 8 | octets[i];
	return address;
}

/* All bits of an address that are behind the first `length`. */
static address_t address_mask(unsigned int bits, unsigned int length)
{
	unsigned int free_bits = bits - length;

	return free_bits == 128 ? ~(address_t)0 : ((address_t)1 << free_bits) - 1;
}

static bool walk_begins(const struct walk *walk)
{
	return walk->next < walk->family->count &&
	       address_read(walk->family->entries[walk->next].address, walk->bits) == walk->first;
}

/* The range that begins at walk->first. */
static void walk_range(struct walk *walk)
{
	const struct topology_entry *entry;
	address_t begins;

	while (walk_begins(walk)) {
		entry = &walk->family->entries[walk->next++];
		walk->open[walk->depth].last = walk->first | address_mask(walk->bits, entry->length);
		walk->open[walk->depth++].region = entry->region;
	}
	/* Some entry is around every address (topology.h). */
	walk->last = walk->open[walk->depth - 1].last;
	walk->region = walk->open[walk->depth - 1].region;
	if (walk->next < walk->family->count) {
		begins = address_read(walk->family->entries[walk->next].address, walk->bits);
		if (begins <= walk->last)
			walk->last = begins - 1;
	}
}

/* What begins behind `last`, which is in the range or its end; not behind the last address of all. */
static void walk_go(struct walk *walk, address_t last)
{
	walk->first = last + 1;
	if (last < walk->last)
		return;
	while (walk->depth && walk->open[walk->depth - 1].last == last)
		walk->depth--;
	walk_range(walk);
}

/* -- the difference -- */

static int block_list(struct comparison *comparison, address_t address, uint8_t length)
{
	struct ranges_change *change = comparison->change;
	struct ranges_block *block;

	change->blocks++;
	if (change->listed == comparison->limit)
		return 0;
	if (change->listed == comparison->room) {
		comparison->room = comparison->room ? comparison->room * 2 : 16;
		block = realloc(change->list, comparison->room * sizeof(*block));
		if (!block)
			return -ENOMEM;
		change->list = block;
	}
	block = &change->list[change->listed++];
	memset(block, 0, sizeof(*block));
	for (unsigned int i = 0; i < comparison->bits / 8; i++)
		block->address[i] = (uint8_t)(address >> (comparison->bits - 8 - 8 * i));
	block->length = length;
	block->before = comparison->before;
	block->after = comparison->after;
	return 0;
}

/* The open range is over: cut into the largest blocks. */
static int comparison_close(struct comparison *comparison)
{
	address_t at = comparison->first, size = comparison->last - at + 1, mask;
	uint8_t length;
	int fault;

	if (!comparison->is_open)
		return 0;
	comparison->is_open = false;
	comparison->sum += size;
	comparison->whole = !comparison->sum;
	for (;;) {
		for (length = 0; length < comparison->bits; length++) {
			mask = address_mask(comparison->bits, length);
			if (!(at & mask) && (at | mask) <= comparison->last)
				break;
		}
		mask = address_mask(comparison->bits, length);
		fault = block_list(comparison, at, length);
		if (fault || (at | mask) == comparison->last)
			return fault;
		at = (at | mask) + 1;
	}
}

/* A range of one region before and one after. */
static int comparison_add(struct comparison *comparison, address_t first, address_t last, uint32_t before, uint32_t after)
{
	bool differs = comparison->same[before] != after;
	int fault;

	if (comparison->is_open && differs && comparison->before == before && comparison->after == after) {
		comparison->last = last;
		return 0;
	}
	fault = comparison_close(comparison);
	comparison->is_open = differs;
	comparison->first = first;
	comparison->last = last;
	comparison->before = before;
	comparison->after = after;
	return fault;
}

/* The digits of 2^128 do not fit the type: its number is that of 2^128 - 1, whose last digit is a 5, and one more. */
static void comparison_sum(const struct comparison *comparison)
{
	address_t rest = comparison->whole ? ~(address_t)0 : comparison->sum;
	char digits[RANGES_COUNT_OCTETS], *at = digits + sizeof(digits) - 1;

	*at = 0;
	comparison->change->percent = (double)(ldexpl((long double)rest, -(int)comparison->bits) * 100);
	do {
		*--at = '0' + (int)(rest % 10);
		rest /= 10;
	} while (rest);
	if (comparison->whole)
		digits[sizeof(digits) - 2]++;
	strcpy(comparison->change->addresses, at);
}

int ranges_compare(const struct topology_family *before, const struct topology_family *after, unsigned int bits,
		   const uint32_t *same, size_t limit, struct ranges_change *change)
{
	struct comparison comparison = {.same = same, .bits = bits, .limit = limit, .change = change};
	struct walk one = {.family = before, .bits = bits}, other = {.family = after, .bits = bits};
	address_t first = 0, last;
	int fault;

	memset(change, 0, sizeof(*change));
	walk_range(&one);
	walk_range(&other);
	for (;;) {
		last = one.last < other.last ? one.last : other.last;
		fault = comparison_add(&comparison, first, last, one.region, other.region);
		if (fault || last == address_mask(bits, 0))
			break;
		walk_go(&one, last);
		walk_go(&other, last);
		first = last + 1;
	}
	if (!fault)
		fault = comparison_close(&comparison);
	if (fault) {
		free(change->list);
		memset(change, 0, sizeof(*change));
	}
	comparison_sum(&comparison);
	return fault;
}
