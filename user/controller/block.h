/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Blocks of addresses, and what is asked of them. Addresses are left-aligned, so that IPv4 is the special case of
 * blocks no longer than 32 bits: bit 0 is the top bit of `high`.
 */
#ifndef ECSDNS_CONTROLLER_BLOCK_H
#define ECSDNS_CONTROLLER_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct block {
	uint64_t high, low;
	uint32_t region;
	uint8_t length;
};

static inline void block_cut(struct block *block, uint8_t length)
{
	if (length < 64) {
		block->high &= length ? ~0ULL << (64 - length) : 0;
		block->low = 0;
	} else if (length < 128) {
		block->low &= length > 64 ? ~0ULL << (128 - length) : 0;
	}
	block->length = length;
}

static inline void block_flip(struct block *block, unsigned int bit)
{
	if (bit < 64)
		block->high ^= 1ULL << (63 - bit);
	else
		block->low ^= 1ULL << (127 - bit);
}

static inline bool block_bit(const struct block *block, unsigned int bit)
{
	return (bit < 64 ? block->high >> (63 - bit) : block->low >> (127 - bit)) & 1;
}

/* How many leading bits two addresses share, 128 if they are equal. */
static inline unsigned int block_common(const struct block *a, const struct block *b)
{
	if (a->high != b->high)
		return __builtin_clzll(a->high ^ b->high);
	if (a->low != b->low)
		return 64 + __builtin_clzll(a->low ^ b->low);
	return 128;
}

static inline uint64_t block_octets(const uint8_t *octets, unsigned int n)
{
	uint64_t value = 0;
	unsigned int i;

	for (i = 0; i < n; i++)
		value |= (uint64_t)octets[i] << (56 - 8 * i);
	return value;
}

/* The address, of `bits` 32 or 128; region and length are left alone. */
static inline void block_read(struct block *block, const uint8_t *address, unsigned int bits)
{
	block->high = block_octets(address, bits == 32 ? 4 : 8);
	block->low = bits == 32 ? 0 : block_octets(address + 8, 8);
}

static inline void block_write(const struct block *block, uint8_t address[16])
{
	unsigned int i;

	for (i = 0; i < 8; i++) {
		address[i] = block->high >> (56 - 8 * i);
		address[8 + i] = block->low >> (56 - 8 * i);
	}
}

/* Does the address lie in the block? */
static inline bool block_covers(const struct block *block, const struct block *address)
{
	return block_common(block, address) >= block->length;
}

/* The address moves to the last one of the block, the one after it, the one before it; as numbers of 128 bits. */
static inline void block_end(struct block *block)
{
	if (block->length < 64)
		block->high |= ~0ULL >> block->length;
	if (block->length < 128)
		block->low |= block->length > 64 ? ~0ULL >> (block->length - 64) : ~0ULL;
}

static inline void block_next(struct block *block)
{
	block->high += !++block->low;
}

static inline void block_previous(struct block *block)
{
	block->high -= !block->low--;
}

/* By address alone. */
static inline bool block_before(const struct block *a, const struct block *b)
{
	return a->high != b->high ? a->high < b->high : a->low < b->low;
}

/* By address, a covering block before what it covers. For qsort(). */
static inline int block_compare(const void *left, const void *right)
{
	const struct block *a = left, *b = right;

	if (block_before(a, b))
		return -1;
	return block_before(b, a) ? 1 : (int)a->length - (int)b->length;
}

#endif
