/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SipHash-2-4 (Aumasson and Bernstein) over 64-bit words: the draw of selection, and DNS cookies (cookie.h).
 */
#ifndef ECSDNS_SIPHASH_H
#define ECSDNS_SIPHASH_H

#include "wire.h"

struct siphash {
	__u64 v0, v1, v2, v3;
};

PIECE __u64 siphash_rotate(__u64 word, unsigned int by)
{
	return word << by | word >> (64 - by);
}

PIECE void siphash_round(struct siphash *state)
{
	state->v0 += state->v1;
	state->v1 = siphash_rotate(state->v1, 13) ^ state->v0;
	state->v0 = siphash_rotate(state->v0, 32);
	state->v2 += state->v3;
	state->v3 = siphash_rotate(state->v3, 16) ^ state->v2;
	state->v0 += state->v3;
	state->v3 = siphash_rotate(state->v3, 21) ^ state->v0;
	state->v2 += state->v1;
	state->v1 = siphash_rotate(state->v1, 17) ^ state->v2;
	state->v2 = siphash_rotate(state->v2, 32);
}

PIECE void siphash_word(struct siphash *state, __u64 word)
{
	state->v3 ^= word;
	siphash_round(state);
	siphash_round(state);
	state->v0 ^= word;
}

PIECE void siphash_begin(struct siphash *state, const __u64 key[2])
{
	state->v0 = key[0] ^ 0x736f6d6570736575ULL;
	state->v1 = key[1] ^ 0x646f72616e646f6dULL;
	state->v2 = key[0] ^ 0x6c7967656e657261ULL;
	state->v3 = key[1] ^ 0x7465646279746573ULL;
}

/* The last word holds what is left of the octets, fewer than eight, and their whole number in its upper octet. */
PIECE __u64 siphash_end(struct siphash *state, __u64 last)
{
	siphash_word(state, last);
	state->v2 ^= 0xff;
	siphash_round(state);
	siphash_round(state);
	siphash_round(state);
	siphash_round(state);
	return state->v0 ^ state->v1 ^ state->v2 ^ state->v3;
}

/* The hash of three words (24 octets in memory on a little-endian host) under a key of two. */
PIECE __u64 siphash_three(const __u64 key[2], __u64 first, __u64 second, __u64 third)
{
	struct siphash state;

	siphash_begin(&state, key);
	siphash_word(&state, first);
	siphash_word(&state, second);
	siphash_word(&state, third);
	return siphash_end(&state, (__u64)24 << 56);
}

#endif
