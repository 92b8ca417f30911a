// SPDX-License-Identifier: GPL-3.0-or-later
#include "user/controller/topology.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "user/controller/block.h"

/* How the folded trie below some block looks from above. */
enum shape {
	LEAF,	/* all of block.region */
	PAIR,	/* two leaves: `target` of target.region and its sibling of block.region */
	CHAIN,	/* block.region everywhere outside `target`, whose entries have been made */
	FORK,	/* neither half is a leaf; the entries of both have been made */
};

/*
 * A part of the trie that has been compiled but for its topmost entry, since that entry's key may
 * still move upwards. A pair is a chain that can be read in two ways; what comes above decides.
 */
struct subtree {
	enum shape shape;
	struct block block;
	struct block target;
};

struct compiler {
	struct topology_entry *entries;
	size_t count, room;
	unsigned int bits;
};

static int family_compile(const struct topology_prefix *prefixes, size_t n, unsigned int bits,
			  uint32_t default_region, struct topology_family *out);
static int blocks_read(const struct topology_prefix *prefixes, size_t n, unsigned int bits,
		       struct block **out, size_t *count);
static int block_compile(struct compiler *c, struct block block, const struct block *prefix,
			 size_t n, struct subtree *out);
static int subtree_join(struct compiler *c, struct subtree *lower, struct subtree *upper);
static int subtree_widen(struct compiler *c, struct subtree *s, uint8_t length, uint32_t region);
static int subtree_close(struct compiler *c, struct subtree *s);
static int compiler_emit(struct compiler *c, const struct block *block,
			 const struct block *target);
static int entry_compare(const void *left, const void *right);

int topology_compile(const struct topology_prefix *v4, size_t n4,
		     const struct topology_prefix *v6, size_t n6, uint32_t default_region,
		     struct topology_family *out4, struct topology_family *out6)
{
	int err;

	memset(out4, 0, sizeof(*out4));
	memset(out6, 0, sizeof(*out6));
	err = family_compile(v4, n4, 32, default_region, out4);
	if (err)
		goto fail;
	err = family_compile(v6, n6, 128, default_region, out6);
	if (err)
		goto fail;

	/* Scope 0 would be cached for the other family too: only when that is as right. */
	if (out4->count > 1 || out6->count > 1 ||
	    out4->entries->region != out6->entries->region) {
		if (out4->count == 1)
			out4->entries->scope = 1;
		if (out6->count == 1)
			out6->entries->scope = 1;
	}
	return 0;

fail:
	topology_free(out4);
	topology_free(out6);
	return err;
}

void topology_free(struct topology_family *family)
{
	free(family->entries);
	family->entries = NULL;
	family->count = 0;
}

static int family_compile(const struct topology_prefix *prefixes, size_t n, unsigned int bits,
			  uint32_t default_region, struct topology_family *out)
{
	struct block everything = { .region = default_region };
	struct compiler c = { .bits = bits };
	struct topology_entry *fitted;
	struct block *blocks = NULL;
	struct subtree root;
	size_t count;
	int err;

	err = blocks_read(prefixes, n, bits, &blocks, &count);
	if (err)
		goto out;
	err = block_compile(&c, everything, blocks, count, &root);
	if (err)
		goto out;
	err = subtree_close(&c, &root);
	if (err)
		goto out;

	fitted = realloc(c.entries, c.count * sizeof(*c.entries));
	if (fitted)
		c.entries = fitted;
	/* An entry is made after those below it: bottom up is almost, but not quite, in order. */
	qsort(c.entries, c.count, sizeof(*c.entries), entry_compare);
	out->entries = c.entries;
	out->count = c.count;
	c.entries = NULL;
out:
	free(blocks);
	free(c.entries);
	return err;
}

/* Checks the prefixes and gives them sorted, each once; the caller frees *out. */
static int blocks_read(const struct topology_prefix *prefixes, size_t n, unsigned int bits,
		       struct block **out, size_t *count)
{
	struct block *blocks, cut;
	size_t i, kept = 0;

	*count = 0;
	if (!n)
		return 0;
	blocks = calloc(n, sizeof(*blocks));
	if (!blocks)
		return -ENOMEM;
	*out = blocks;

	for (i = 0; i < n; i++) {
		if (prefixes[i].length > bits)
			return -EINVAL;
		block_read(&blocks[i], prefixes[i].address, bits);
		blocks[i].length = prefixes[i].length;
		blocks[i].region = prefixes[i].region;
		cut = blocks[i];
		block_cut(&cut, cut.length);
		if (block_compare(&cut, &blocks[i]))
			return -EINVAL;
	}

	qsort(blocks, n, sizeof(*blocks), block_compare);
	for (i = 0; i < n; i++) {
		if (kept && !block_compare(&blocks[kept - 1], &blocks[i])) {
			if (blocks[kept - 1].region != blocks[i].region)
				return -EEXIST;
			continue;
		}
		blocks[kept++] = blocks[i];
	}
	*count = kept;
	return 0;
}

/* How many of the sorted prefixes, which share their first `bit` bits, have this bit clear. */
static size_t blocks_split(const struct block *prefix, size_t n, unsigned int bit)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (block_bit(&prefix[middle], bit))
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/*
 * Compiles one block, given the n sorted prefixes in it; block.region is that of all addresses
 * that none of them covers. Goes straight to the smallest block that holds all prefixes, so the
 * work does not depend on how sparse they are.
 */
static int block_compile(struct compiler *c, struct block block, const struct block *prefix,
			 size_t n, struct subtree *out)
{
	struct block inner = block, half;
	struct subtree upper;
	unsigned int common;
	size_t split;
	int err;

	if (n) {
		/* No prefix is shorter than the first unless it begins elsewhere. */
		common = block_common(&prefix[0], &prefix[n - 1]);
		inner = prefix[0];
		inner.region = block.region;
		block_cut(&inner, common < prefix->length ? common : prefix->length);
		if (inner.length == prefix->length) {
			inner.region = prefix->region;
			prefix++;
			n--;
		}
	}
	if (n) {
		split = blocks_split(prefix, n, inner.length);
		half = inner;
		half.length++;
		err = block_compile(c, half, prefix, split, out);
		if (err)
			return err;
		block_flip(&half, inner.length);
		err = block_compile(c, half, prefix + split, n - split, &upper);
		if (err)
			return err;
		err = subtree_join(c, out, &upper);
		if (err)
			return err;
	} else {
		out->shape = LEAF;
		out->block = inner;
	}
	return subtree_widen(c, out, block.length, block.region);
}

/* The two halves of a block become that block, in *lower. */
static int subtree_join(struct compiler *c, struct subtree *lower, struct subtree *upper)
{
	uint8_t length = lower->block.length - 1;
	int err;

	if (upper->shape == LEAF)
		return subtree_widen(c, lower, length, upper->block.region);
	if (lower->shape == LEAF) {
		uint32_t region = lower->block.region;

		*lower = *upper;
		return subtree_widen(c, lower, length, region);
	}
	err = subtree_close(c, lower);
	if (err)
		return err;
	err = subtree_close(c, upper);
	if (err)
		return err;
	lower->shape = FORK;
	block_cut(&lower->block, length);
	return 0;
}

static void pair_turn(struct subtree *s)
{
	uint32_t region = s->block.region;

	s->block.region = s->target.region;
	s->target.region = region;
	block_flip(&s->target, s->block.length);
}

/*
 * The subtree becomes that of the block of `length` bits around it, of which everything that was
 * outside is of `region`. This is where blocks merge and where chains grow or end.
 */
static int subtree_widen(struct compiler *c, struct subtree *s, uint8_t length, uint32_t region)
{
	int err;

	if (s->block.length == length)
		return 0;

	if (s->shape == PAIR) {
		if (s->target.region == region)
			pair_turn(s);
		if (s->block.region == region) {
			err = compiler_emit(c, &s->target, NULL);
			if (err)
				return err;
			s->shape = CHAIN;
		}
	}
	if ((s->shape == LEAF || s->shape == CHAIN) && s->block.region == region) {
		block_cut(&s->block, length);
		return 0;
	}

	/* Something else than what is around it: a target. */
	if (s->shape == LEAF && s->block.length == length + 1) {
		s->shape = PAIR;
	} else {
		err = subtree_close(c, s);
		if (err)
			return err;
		s->shape = CHAIN;
	}
	s->target = s->block;
	block_cut(&s->block, length);
	s->block.region = region;
	return 0;
}

/* Nothing above joins this subtree: makes its topmost entry. */
static int subtree_close(struct compiler *c, struct subtree *s)
{
	int err;

	switch (s->shape) {
	case LEAF:
		return compiler_emit(c, &s->block, NULL);
	case PAIR:
		/* Both ways are right; always the same one, for equal topologies to be equal. */
		if (!block_bit(&s->target, s->block.length))
			pair_turn(s);
		err = compiler_emit(c, &s->target, NULL);
		if (err)
			return err;
		return compiler_emit(c, &s->block, &s->target);
	case CHAIN:
		return compiler_emit(c, &s->block, &s->target);
	case FORK:
		break;
	}
	return 0;
}

static int compiler_emit(struct compiler *c, const struct block *block,
			 const struct block *target)
{
	struct topology_entry *entry;

	if (c->count == c->room) {
		size_t room = c->room ? c->room + c->room / 2 : 16;

		entry = realloc(c->entries, room * sizeof(*entry));
		if (!entry)
			return -ENOMEM;
		c->entries = entry;
		c->room = room;
	}
	entry = &c->entries[c->count++];
	memset(entry, 0, sizeof(*entry));
	block_write(block, entry->address);
	entry->length = block->length;
	entry->scope = block->length;
	entry->region = block->region;
	if (target) {
		block_write(target, entry->target);
		entry->target_length = target->length;
	}
	return 0;
}

static int entry_compare(const void *left, const void *right)
{
	const struct topology_entry *a = left, *b = right;
	int order = memcmp(a->address, b->address, sizeof(a->address));

	return order ? order : (int)a->length - (int)b->length;
}

/* The last entry that sorts no later than this block, or NULL. */
static const struct topology_entry *family_floor(const struct topology_family *family,
						 const struct block *block)
{
	struct topology_entry key = { .length = block->length };
	size_t low = 0, high = family->count;

	block_write(block, key.address);
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (entry_compare(&family->entries[middle], &key) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &family->entries[low - 1] : NULL;
}

int topology_lookup(const struct topology_family *family, unsigned int bits,
		    const uint8_t *address, uint32_t *region, uint8_t *scope)
{
	struct block client = { .length = bits }, around, other;
	const struct topology_entry *entry;
	unsigned int common;

	block_read(&client, address, bits);
	around = client;
	for (;;) {
		entry = family_floor(family, &around);
		if (!entry)
			return -ENOENT;
		block_read(&other, entry->address, bits);
		common = block_common(&client, &other);
		if (common >= entry->length)
			break;
		/* It lies beside the client: what covers the client covers it too. */
		block_cut(&around, common);
	}

	*region = entry->region;
	*scope = entry->scope;
	if (entry->target_length) {
		block_read(&other, entry->target, bits);
		common = block_common(&client, &other);
		if (common + 1 > *scope)
			*scope = common + 1;
	}
	return 0;
}
