/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The tables as the stages see them from user space: the lookups that maps/select.h asks for, through system calls for
 * hashes and tries and through mmap for arrays. Include it where the stages run (the fallback, ecsctl explain).
 *
 * Use: lookup_begin(); the stages; lookup_answer(); lookup_is_whole() - and from the start again if it says no.
 */
#ifndef ECSDNS_USER_LOOKUP_H
#define ECSDNS_USER_LOOKUP_H

#include <bpf/bpf.h>
#include <string.h>

#include "maps/answer.h"
#include "user/common/blocks_cache.h"
#include "user/common/names_cache.h"
#include "user/common/tables.h"

/* What one reader remembers of a generation, zeroed at first. */
struct lookup_cache {
	struct names_cache names;
	struct blocks_cache blocks;
};

struct lookup {
	const struct tables *tables;
	struct lookup_cache *cache;	/* may be null */
	uint64_t control;	/* as read at the beginning */
	uint32_t slot;
	struct settings settings;
	struct service service;
	struct topology4_entry entry4;
	struct topology6_entry entry6;
	struct answer answer;
};

/* Reads the generation for this query. Returns REASON_GO, or REASON_NO_GENERATION if nothing has been published. */
static inline int lookup_begin(struct lookup *lookup, const struct tables *tables)
{
	lookup->tables = tables;
	lookup->control = tables_control(tables);
	lookup->slot = tables_generation(lookup->control) % GENERATION_SLOTS;
	lookup->settings = tables->settings[lookup->slot];
	return tables_generation(lookup->control) ? REASON_GO : REASON_NO_GENERATION;
}

/* Did the generation stand still since lookup_begin()? Only then are the copies of one configuration, and whole. */
static inline int lookup_is_whole(const struct lookup *lookup)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return tables_control(lookup->tables) == lookup->control;
}

static inline const struct settings *lookup_settings(struct lookup *lookup)
{
	return &lookup->settings;
}

static inline const struct service *lookup_service_in_table(struct lookup *lookup, const union name_key *key, int is_long)
{
	int fd = lookup->tables->fd[is_long ? TABLE_names_long : TABLE_names_short];
	const void *in = is_long ? (const void *)&key->in_long : (const void *)&key->in_short;

	return bpf_map_lookup_elem(fd, in, &lookup->service) ? NULL : &lookup->service;
}

static inline const struct service *lookup_service(struct lookup *lookup, const union name_key *key, int is_long)
{
	uint32_t generation = tables_generation(lookup->control);
	struct name_place *place;

	if (is_long || !lookup->cache)
		return lookup_service_in_table(lookup, key, is_long);
	place = names_cache_place(&lookup->cache->names, key);
	if (!name_place_holds(place, key, generation))
		name_place_fill(place, key, generation, lookup_service_in_table(lookup, key, 0));
	return place->is_service ? &place->service : NULL;
}

static inline int lookup_in_trie4(struct lookup *lookup, __u16 topology, const __u8 *address)
{
	struct topology4_key key = {
		.prefixlen = TOPOLOGY_KEY_BITS + 32, .slot = lookup->slot, .topology = topology,
	};

	memcpy(key.address, address, sizeof(key.address));
	return bpf_map_lookup_elem(lookup->tables->fd[TABLE_topology4], &key, &lookup->entry4);
}

static inline int lookup_in_trie6(struct lookup *lookup, __u16 topology, const __u8 *address)
{
	struct topology6_key key = {
		.prefixlen = TOPOLOGY_KEY_BITS + 128, .slot = lookup->slot, .topology = topology,
	};

	memcpy(key.address, address, sizeof(key.address));
	return bpf_map_lookup_elem(lookup->tables->fd[TABLE_topology6], &key, &lookup->entry6);
}

static inline struct block_key lookup_block_key(const struct lookup *lookup, __u16 topology, __u8 family)
{
	return (struct block_key){ .topology = topology, .family = family, .generation = tables_generation(lookup->control) };
}

static inline const struct topology4_entry *lookup_topology4(struct lookup *lookup, __u16 topology,
							      const __u8 *address)
{
	struct block_key key = lookup_block_key(lookup, topology, ECS_FAMILY_IPV4);
	struct blocks_cache *blocks = lookup->cache ? &lookup->cache->blocks : NULL;
	struct topology4_entry *entry = &lookup->entry4;
	struct block_place *place = blocks ? blocks_cache_find(blocks, &key, address, 4) : NULL;

	if (place)
		return &place->entry4;
	if (lookup_in_trie4(lookup, topology, address))
		return NULL;
	if (blocks)
		blocks_cache_keep(blocks, &key, address, 4, select_block4(entry, address))->entry4 = *entry;
	return entry;
}

static inline const struct topology6_entry *lookup_topology6(struct lookup *lookup, __u16 topology,
							      const __u8 *address)
{
	struct block_key key = lookup_block_key(lookup, topology, ECS_FAMILY_IPV6);
	struct blocks_cache *blocks = lookup->cache ? &lookup->cache->blocks : NULL;
	struct topology6_entry *entry = &lookup->entry6;
	struct block_place *place = blocks ? blocks_cache_find(blocks, &key, address, 16) : NULL;

	if (place)
		return &place->entry6;
	if (lookup_in_trie6(lookup, topology, address))
		return NULL;
	if (blocks)
		blocks_cache_keep(blocks, &key, address, 16, select_block6(entry, address))->entry6 = *entry;
	return entry;
}

static inline __u32 lookup_index(struct lookup *lookup, __u32 index)
{
	if (index >= lookup->tables->entries[TABLE_indices])
		return ANSWER_NONE;
	return __atomic_load_n(tables_index(lookup->tables, index), __ATOMIC_ACQUIRE);
}

/* A copy of the entry, to be written out only if lookup_is_whole() says that it was not reused meanwhile. */
static inline const struct answer *lookup_answer(struct lookup *lookup, __u32 number)
{
	if (number == ANSWER_NONE || number >= lookup->tables->entries[TABLE_answers])
		return NULL;
	memcpy(&lookup->answer, &lookup->tables->answers[number], sizeof(lookup->answer));
	return &lookup->answer;
}

#endif
