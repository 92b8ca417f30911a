// SPDX-License-Identifier: GPL-3.0-or-later
#include "user/controller/reach.h"

/* A prefix around the address that the sweep is at. */
struct around {
	struct block block;	/* at its first address */
	struct block last;
	uint32_t number;
};

/* Goes through the addresses from the first to the last and says of each whose it is. */
struct sweep {
	const struct topology_prefix *prefixes;
	unsigned int family;
	uint8_t cut;
	struct reach_prefix *verdicts;
	struct reach_region *regions;
	struct around around[129];	/* each inside the one before */
	size_t depth;
	struct block at;	/* all addresses before it have been given */
	bool done;		/* there are none behind it */
	uint32_t decides;	/* whose the first address is of the block, as the cut makes them, before `at` */
};

static void sweep_prefix(struct sweep *sweep, uint32_t number);
static void sweep_leave(struct sweep *sweep);
static void sweep_give(struct sweep *sweep, uint32_t owner, const struct block *last);
static void sweep_miss(struct sweep *sweep, uint32_t owner);
static void sweep_spread(struct sweep *sweep, uint32_t region);

void reach_family(const struct topology_prefix *prefixes, size_t count, unsigned int family, uint8_t cut,
		  struct reach_prefix *verdicts, struct reach_region *regions)
{
	struct sweep sweep = {
		.prefixes = prefixes, .family = family, .cut = cut, .verdicts = verdicts, .regions = regions,
		.decides = REACH_DEFAULT,
	};
	struct block end = {0};

	for (size_t i = 0; i < count; i++)
		sweep_prefix(&sweep, i);
	while (sweep.depth)
		sweep_leave(&sweep);
	block_end(&end);
	sweep_give(&sweep, REACH_DEFAULT, &end);
}

static uint32_t sweep_region(const struct sweep *sweep, uint32_t owner)
{
	return owner == REACH_DEFAULT ? 0 : sweep->prefixes[owner].region;
}

static uint32_t sweep_innermost(const struct sweep *sweep)
{
	return sweep->depth ? sweep->around[sweep->depth - 1].number : REACH_DEFAULT;
}

static void place_set(struct sweep *sweep, struct reach_place *place, uint32_t prefix, const struct block *at,
		      uint32_t gets)
{
	if (!place->found)
		*place = (struct reach_place){true, sweep->family, prefix, *at, gets};
}

static void sweep_prefix(struct sweep *sweep, uint32_t number)
{
	const struct topology_prefix *prefix = &sweep->prefixes[number];
	struct block block = {.region = prefix->region, .length = prefix->length}, before;
	struct around *around;

	block_read(&block, prefix->address, sweep->family ? 128 : 32);
	while (sweep->depth && !block_covers(&sweep->around[sweep->depth - 1].block, &block))
		sweep_leave(sweep);
	sweep->verdicts[number] = (struct reach_prefix){.verdict = REACH_SWALLOWED};
	if (prefix->region == sweep_region(sweep, sweep_innermost(sweep)))
		return;
	sweep->verdicts[number].verdict = REACH_COVERED;
	place_set(sweep, &sweep->regions[prefix->region].first, number, &block, prefix->region);
	if (block_before(&sweep->at, &block)) {
		before = block;
		block_previous(&before);
		sweep_give(sweep, sweep_innermost(sweep), &before);
	}
	around = &sweep->around[sweep->depth++];
	around->number = number;
	around->block = around->last = block;
	block_end(&around->last);
}

/* What no longer prefix took is the innermost one's own. */
static void sweep_leave(struct sweep *sweep)
{
	const struct around *around = &sweep->around[--sweep->depth];

	if (!block_before(&around->last, &sweep->at))
		sweep_give(sweep, around->number, &around->last);
}

/* The addresses from `at` to the last one are the owner's. */
static void sweep_give(struct sweep *sweep, uint32_t owner, const struct block *last)
{
	struct reach_region *region = &sweep->regions[sweep_region(sweep, owner)];
	struct block from = sweep->at, to = *last;

	if (sweep->done)
		return;
	region->owns[sweep->family] = true;
	if (owner != REACH_DEFAULT && sweep->verdicts[owner].verdict == REACH_COVERED)
		sweep->verdicts[owner].verdict = REACH_GOOD;
	block_cut(&from, sweep->cut);
	block_cut(&to, sweep->cut);
	if (block_before(&from, &sweep->at))
		sweep_miss(sweep, owner);
	if (!block_before(&to, &sweep->at)) {
		sweep->decides = owner;
		region->reached = true;
	}
	sweep->at = *last;
	block_next(&sweep->at);
	sweep->done = !sweep->at.high && !sweep->at.low;
}

/* From `at` to the end of its block, the owner's clients are asked for as somebody else's. */
static void sweep_miss(struct sweep *sweep, uint32_t owner)
{
	uint32_t region = sweep_region(sweep, owner), gets = sweep_region(sweep, sweep->decides);

	if (region == gets)
		return;
	place_set(sweep, &sweep->regions[region].missed, owner, &sweep->at, gets);
	if (owner != REACH_DEFAULT && sweep->prefixes[owner].length > sweep->cut) {
		sweep->verdicts[owner].verdict = REACH_MISSED;
		sweep->verdicts[owner].region = gets;
	}
	if (sweep->decides != REACH_DEFAULT && sweep->prefixes[sweep->decides].length > sweep->cut)
		sweep_spread(sweep, region);
}

/*
 * The prefix that decides for the block of `at` decides for clients of this region, too. Where they are inside of it,
 * their own prefix is the longer one, and that is said of it.
 */
static void sweep_spread(struct sweep *sweep, uint32_t region)
{
	const struct topology_prefix *prefix = &sweep->prefixes[sweep->decides];
	struct reach_prefix *verdict = &sweep->verdicts[sweep->decides];
	struct block block = {.length = prefix->length};

	block_read(&block, prefix->address, sweep->family ? 128 : 32);
	if (block_covers(&block, &sweep->at))
		return;
	verdict->more |= verdict->verdict == REACH_SPREAD && verdict->region != region;
	if (verdict->verdict != REACH_SPREAD)
		verdict->region = region;
	verdict->verdict = REACH_SPREAD;
}
