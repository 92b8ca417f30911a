// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "maps/wire.h"
#include "user/fallback/census.h"

/* A network and its connections. Found by hashing, with the next places tried in turn. */
struct place {
	uint8_t network[8];	/* the first octet is the family; all zero: free */
	uint32_t count;
};

struct census {
	pthread_mutex_t lock;
	uint32_t in_all, of_network;	/* limits */
	uint32_t count;
	uint32_t mask;			/* places - 1 */
	uint8_t key[crypto_shorthash_KEYBYTES];	/* nobody chooses networks that collide */
	struct place places[];
};

_Static_assert(CENSUS_NETWORK_IPV4 % 8 == 0 && CENSUS_NETWORK_IPV6 % 8 == 0 && CENSUS_NETWORK_IPV6 / 8 < 8, "fits a place");

struct census *census_new(uint32_t in_all, uint32_t of_network)
{
	struct census *census;
	uint32_t places = 64;

	while (places < 2 * in_all)	/* at most half full, so that tries end soon */
		places *= 2;
	census = calloc(1, sizeof(*census) + places * sizeof(census->places[0]));
	if (!census || sodium_init() < 0) {
		free(census);
		return NULL;
	}
	pthread_mutex_init(&census->lock, NULL);
	crypto_shorthash_keygen(census->key);
	census->in_all = in_all;
	census->of_network = of_network;
	census->mask = places - 1;
	return census;
}

void census_free(struct census *census)
{
	if (!census)
		return;
	pthread_mutex_destroy(&census->lock);
	free(census);
}

static void network_of(const struct client *client, uint8_t network[8])
{
	memset(network, 0, 8);
	network[0] = client->family;
	memcpy(network + 1, client->address,
	       (client->family == ECS_FAMILY_IPV4 ? CENSUS_NETWORK_IPV4 : CENSUS_NETWORK_IPV6) / 8);
}

int census_same_network(const struct client *one, const struct client *other)
{
	uint8_t networks[2][8];

	network_of(one, networks[0]);
	network_of(other, networks[1]);
	return !memcmp(networks[0], networks[1], 8);
}

static uint32_t place_first(const struct census *census, const uint8_t network[8])
{
	uint64_t hash;

	crypto_shorthash((uint8_t *)&hash, network, 8, census->key);
	return hash & census->mask;
}

/* The network's place, or the free one where it would be. */
static uint32_t place_find(const struct census *census, const uint8_t network[8])
{
	uint32_t at = place_first(census, network);

	while (census->places[at].count && memcmp(census->places[at].network, network, 8))
		at = (at + 1) & census->mask;
	return at;
}

/* Frees a place, and moves up what was put behind it because it was taken. */
static void place_free(struct census *census, uint32_t hole)
{
	struct place *places = census->places;

	for (uint32_t at = (hole + 1) & census->mask; places[at].count; at = (at + 1) & census->mask) {
		uint32_t first = place_first(census, places[at].network);

		if (((at - first) & census->mask) < ((at - hole) & census->mask))
			continue;
		places[hole] = places[at];
		hole = at;
	}
	memset(&places[hole], 0, sizeof(places[hole]));
}

int census_enter(struct census *census, const struct client *client)
{
	uint8_t network[8];
	struct place *place;
	int code = 0;

	network_of(client, network);
	pthread_mutex_lock(&census->lock);
	place = &census->places[place_find(census, network)];
	if (place->count >= census->of_network) {
		code = -EDQUOT;
	} else if (census->count >= census->in_all) {
		code = -EUSERS;
	} else {
		memcpy(place->network, network, 8);
		place->count++;
		census->count++;
	}
	pthread_mutex_unlock(&census->lock);
	return code;
}

void census_leave(struct census *census, const struct client *client)
{
	uint8_t network[8];
	uint32_t at;

	network_of(client, network);
	pthread_mutex_lock(&census->lock);
	at = place_find(census, network);
	census->count--;
	if (!--census->places[at].count)
		place_free(census, at);
	pthread_mutex_unlock(&census->lock);
}
