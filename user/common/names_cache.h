/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One reader's memory of which short names are services, and which not: a look into the table of names is a system call.
 * Names of a generation never change, so that what was read while a generation was live holds for that generation.
 * Names that meet in a place take turns; whoever asks for many names makes it as slow as it was without.
 */
#ifndef ECSDNS_NAMES_CACHE_H
#define ECSDNS_NAMES_CACHE_H

#include <string.h>

#include "maps/query.h"

#define NAMES_CACHE_PLACES 1024		/* 96 KiB */

struct names_cache {
	struct name_place {
		uint32_t generation;	/* 0: nothing here */
		uint32_t is_service;
		struct name_short_key key;
		struct service service;
	} places[NAMES_CACHE_PLACES];
};

static inline struct name_place *names_cache_place(struct names_cache *cache, const union name_key *key)
{
	uint64_t hash = 0;

	for (size_t i = 0; i < sizeof(key->in_short) / 8; i++) {
		hash = (hash ^ key->words[i]) * 0x9e3779b97f4a7c15ULL;
		hash ^= hash >> 32;
	}
	return &cache->places[hash % NAMES_CACHE_PLACES];
}

static inline int name_place_holds(const struct name_place *place, const union name_key *key, uint32_t generation)
{
	return place->generation == generation && !memcmp(&place->key, &key->in_short, sizeof(place->key));
}

/* `service` is null: the name is none. */
static inline void name_place_fill(struct name_place *place, const union name_key *key, uint32_t generation,
				   const struct service *service)
{
	place->generation = generation;
	place->is_service = service != NULL;
	place->key = key->in_short;
	if (service)
		place->service = *service;
}

#endif
