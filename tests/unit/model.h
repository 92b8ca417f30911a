/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Random topologies, and a naive model of them that knows nothing of tries: it scans the prefixes as they were written,
 * and the points where one begins or ends. Behind cmocka.h.
 */
#ifndef ECSDNS_TESTS_MODEL_H
#define ECSDNS_TESTS_MODEL_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "user/controller/topology.h"

#define MAX_PREFIXES 96

typedef unsigned __int128 u128;

/* ---- Addresses as numbers of `bits` bits ---- */

static inline u128 host_mask(unsigned int bits, unsigned int length)
{
	u128 all = bits == 128 ? ~(u128)0 : ((u128)1 << bits) - 1;

	return length >= 128 ? 0 : all & ~(length ? all << (bits - length) : 0);
}

static inline u128 block_first(u128 address, unsigned int bits, unsigned int length)
{
	return address & ~host_mask(bits, length);
}

static inline u128 block_last(u128 address, unsigned int bits, unsigned int length)
{
	return address | host_mask(bits, length);
}

static inline u128 address_number(const uint8_t *octets, unsigned int bits)
{
	u128 value = 0;
	unsigned int i;

	for (i = 0; i < bits / 8; i++)
		value = value << 8 | octets[i];
	return value;
}

static inline void address_octets(u128 value, unsigned int bits, uint8_t octets[16])
{
	unsigned int i;

	memset(octets, 0, 16);
	for (i = 0; i < bits / 8; i++)
		octets[i] = value >> (bits - 8 - 8 * i);
}

static inline const char *address_text(u128 value, unsigned int bits)
{
	static char text[4][INET6_ADDRSTRLEN];
	static unsigned int turn;
	uint8_t octets[16];
	char *out = text[turn++ % 4];

	address_octets(value, bits, octets);
	inet_ntop(bits == 32 ? AF_INET : AF_INET6, octets, out, INET6_ADDRSTRLEN);
	return out;
}

/* splitmix64: one seed, one topology */
static uint64_t random_state;

static inline uint64_t random_next(void)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static inline unsigned int random_below(unsigned int n)
{
	return random_next() % n;
}

static inline u128 random_address(unsigned int bits)
{
	u128 value = (u128)random_next() << 64 | random_next();

	return bits == 32 ? value & 0xffffffff : value;
}

static inline uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

/* ---- The naive model ---- */

struct model {
	unsigned int bits;
	uint32_t fallback;
	size_t n;
	struct {
		u128 first, last;
		unsigned int length;
		uint32_t region;
	} prefix[MAX_PREFIXES];
	/* Every address from which the region may differ from that of the address before. */
	size_t points;
	struct {
		u128 address;
		uint32_t region;
	} point[2 * MAX_PREFIXES];
};

/* Longest match by looking at every prefix no longer than `limit`. */
static inline uint32_t model_region_to(const struct model *m, u128 address, unsigned int limit)
{
	uint32_t region = m->fallback;
	int best = -1;
	size_t i;

	for (i = 0; i < m->n; i++) {
		if (address < m->prefix[i].first || address > m->prefix[i].last ||
		    m->prefix[i].length > limit || (int)m->prefix[i].length <= best)
			continue;
		best = m->prefix[i].length;
		region = m->prefix[i].region;
	}
	return region;
}

static inline uint32_t model_region(const struct model *m, u128 address)
{
	return model_region_to(m, address, 128);
}

/* False if there is such a prefix already and it says something else. */
static inline bool model_add(struct model *m, u128 address, unsigned int length, uint32_t region)
{
	size_t i;

	if (m->n == MAX_PREFIXES)
		return false;
	address = block_first(address, m->bits, length);
	for (i = 0; i < m->n; i++)
		if (m->prefix[i].first == address && m->prefix[i].length == length)
			if (m->prefix[i].region != region)
				return false;
	m->prefix[m->n].first = address;
	m->prefix[m->n].last = block_last(address, m->bits, length);
	m->prefix[m->n].length = length;
	m->prefix[m->n++].region = region;
	return true;
}

static inline void model_finish(struct model *m)
{
	size_t i;

	m->points = 0;
	for (i = 0; i < m->n; i++) {
		m->point[m->points++].address = m->prefix[i].first;
		if (m->prefix[i].last != host_mask(m->bits, 0))
			m->point[m->points++].address = m->prefix[i].last + 1;
	}
	for (i = 0; i < m->points; i++)
		m->point[i].region = model_region(m, m->point[i].address);
}

/* Is all of this block one region? Regions change only at the points. */
static inline bool model_uniform(const struct model *m, u128 address, unsigned int length)
{
	u128 first = block_first(address, m->bits, length);
	u128 last = block_last(address, m->bits, length);
	uint32_t region = model_region(m, first);
	size_t i;

	for (i = 0; i < m->points; i++)
		if (m->point[i].address > first && m->point[i].address <= last &&
		    m->point[i].region != region)
			return false;
	return true;
}

static inline size_t model_prefixes(const struct model *m, struct topology_prefix *out)
{
	size_t i;

	for (i = 0; i < m->n; i++) {
		address_octets(m->prefix[i].first, m->bits, out[i].address);
		out[i].length = m->prefix[i].length;
		out[i].region = m->prefix[i].region;
	}
	return m->n;
}

/* ---- Random topologies ---- */

static inline void model_random(struct model *m, unsigned int bits)
{
	/* few regions, so that neighbours are often equal; one region now and then */
	unsigned int regions = random_below(8) ? 2 + random_below(3) : 1;
	unsigned int wanted = random_below(4) ? random_below(24) : random_below(64);
	bool alternating = !random_below(4), shallow = !random_below(4);
	unsigned int tries;

	memset(m, 0, sizeof(*m));
	m->bits = bits;
	m->fallback = random_below(regions);
	for (tries = 0; m->n < wanted && tries < 4 * wanted; tries++) {
		uint32_t region = alternating ? m->n % regions : random_below(regions);
		unsigned int length = random_below((shallow ? 7 : bits) + 1);
		u128 address = random_address(bits);

		if (m->n && random_below(4)) {
			/* kin of an earlier one */
			size_t kin = random_below(m->n);
			u128 size = m->prefix[kin].last - m->prefix[kin].first + 1;

			length = m->prefix[kin].length;
			address = m->prefix[kin].first;
			switch (random_below(8)) {
			case 0:	/* the block after it */
				address += size;
				break;
			case 1:	/* the block before it */
				address -= size;
				break;
			case 2:	/* its sibling, equal to it */
				address ^= size;
				region = m->prefix[kin].region;
				break;
			case 3:	/* its sibling */
				address ^= size;
				break;
			case 4:	/* around it */
				length -= random_below(length + 1);
				break;
			case 5:	/* one of its halves, or it again */
				address |= random_below(2) ? size / 2 : 0;
				length += length < bits;
				break;
			case 6:	/* at its very end */
				address = m->prefix[kin].last;
				length += random_below(bits - length + 1);
				break;
			case 7:	/* anywhere in it */
				address |= random_address(bits) & host_mask(bits, length);
				length += random_below(bits - length + 1);
				break;
			}
		} else {
			switch (random_below(12)) {
			case 0:
				length = 0;
				break;
			case 1:
				length = shallow ? length : bits;
				break;
			}
		}
		model_add(m, address & host_mask(bits, 0), length, region);
	}
	model_finish(m);
}

static inline void model_print(const struct model *m)
{
	size_t i;

	print_error("  default %u\n", m->fallback);
	for (i = 0; i < m->n; i++)
		print_error("  %s/%u %u\n", address_text(m->prefix[i].first, m->bits),
			    m->prefix[i].length, m->prefix[i].region);
}

#endif
