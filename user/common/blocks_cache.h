/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One reader's memory of blocks of addresses: a look into a trie is a system call, but all addresses of the one-region block
 * around one of them (select_scope()) match the same entry, for as long as the generation lasts. A block is kept under
 * the part of it, of a length that is a multiple of 4 bits, in which the address lies; an address is tried at every such
 * length there has been. Blocks that meet in a pair of places take turns; whoever asks from everywhere makes it slower than
 * it was without by a few comparisons.
 */
#ifndef ECSDNS_BLOCKS_CACHE_H
#define ECSDNS_BLOCKS_CACHE_H

#include <string.h>

#include "maps/select.h"

#define BLOCKS_CACHE_PAIRS 1024	/* 128 KiB */
#define BLOCKS_CACHE_STEP 4		/* bits */

/* What a block is known by. */
struct block_key {
	uint64_t address[2];	/* in the network's order of octets, what is behind the length cleared; IPv4 in the first four */
	uint16_t topology;
	uint8_t family;		/* ECS_FAMILY_* */
	uint8_t length;
	uint32_t generation;	/* 0: nothing here */
};

struct blocks_cache {
	uint32_t generation;	/* of `lengths` */
	uint32_t turn;		/* whose it is in a full pair */
	uint64_t lengths[ECS_FAMILY_IPV6 + 1];	/* by family: bit n is set if there has been one of n steps */
	struct block_place {
		struct block_key key;
		union {
			struct topology4_entry entry4;
			struct topology6_entry entry6;
		};
	} __attribute__((aligned(64))) pairs[BLOCKS_CACHE_PAIRS][2];
};

/* `key` with the first bits of an address that has `octets`. */
static inline void block_key_cut(struct block_key *key, const uint8_t *address, size_t octets, uint8_t length)
{
	uint8_t high = length < 64 ? length : 64, low = length - high;

	memset(key->address, 0, sizeof(key->address));
	memcpy(key->address, address, octets);
	key->address[0] &= wire_swap64(high ? ~0ULL << (64 - high) : 0);
	key->address[1] &= wire_swap64(low ? ~0ULL << (64 - low) : 0);
	key->length = length;
}

static inline struct block_place *blocks_cache_pair(struct blocks_cache *cache, const struct block_key *key)
{
	uint64_t hash = key->address[0] ^ ((uint64_t)key->topology << 8 | key->length) * 0xc2b2ae3d27d4eb4fULL;

	hash = (hash ^ hash >> 32) * 0x9e3779b97f4a7c15ULL;
	hash = (hash ^ hash >> 32 ^ key->address[1]) * 0x9e3779b97f4a7c15ULL;
	return cache->pairs[(hash ^ hash >> 32) % BLOCKS_CACHE_PAIRS];
}

/* The place of the block that this address is in, or null. Leaves in `key` what blocks_cache_keep() needs. */
static inline struct block_place *blocks_cache_find(struct blocks_cache *cache, struct block_key *key, const uint8_t *address,
						    size_t octets)
{
	uint64_t lengths;

	if (cache->generation != key->generation) {
		cache->generation = key->generation;
		memset(cache->lengths, 0, sizeof(cache->lengths));
	}
	for (lengths = cache->lengths[key->family]; lengths; lengths &= lengths - 1) {
		struct block_place *pair;

		block_key_cut(key, address, octets, __builtin_ctzll(lengths) * BLOCKS_CACHE_STEP);
		pair = blocks_cache_pair(cache, key);
		if (!memcmp(&pair[0].key, key, sizeof(*key)))
			return &pair[0];
		if (!memcmp(&pair[1].key, key, sizeof(*key)))
			return &pair[1];
	}
	return NULL;
}

/*
 * Where the entry of the block of length `block` around an address goes. Who reads a slot that is being filled anew may have
 * seen an entry but not the one at its target, and a block of more bits than there are: it is of a generation that is gone.
 */
static inline struct block_place *blocks_cache_keep(struct blocks_cache *cache, struct block_key *key, const uint8_t *address,
						    size_t octets, uint8_t block)
{
	uint8_t steps = (block + BLOCKS_CACHE_STEP - 1) / BLOCKS_CACHE_STEP, steps_max = octets * 8 / BLOCKS_CACHE_STEP;
	struct block_place *place;

	if (steps > steps_max)
		steps = steps_max;
	block_key_cut(key, address, octets, steps * BLOCKS_CACHE_STEP);
	place = blocks_cache_pair(cache, key);
	if (place[0].key.generation == key->generation)
		place += place[1].key.generation != key->generation || cache->turn++ % 2;
	place->key = *key;
	cache->lengths[key->family] |= 1ULL << steps;
	return place;
}

#endif
