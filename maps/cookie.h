/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DNS cookies (RFC 7873, RFC 9018): what a client that has one cannot have forged is its address. Servers that share
 * their secrets, an anycast site say, take each other's cookies.
 */
#ifndef ECSDNS_COOKIE_H
#define ECSDNS_COOKIE_H

#include "query.h"
#include "siphash.h"

/* RFC 9018 4.3: a cookie of the last hour is believed, and of the next five minutes, for clocks that are off. Seconds. */
#define COOKIE_BELIEVED_BEFORE 3600
#define COOKIE_BELIEVED_AFTER 300
/* Half of that: what is older is believed, and replaced. */
#define COOKIE_FRESH 1800

#define COOKIE_VERSION 1

/* RFC 9018 4, as it lies in memory. */
struct cookie {
	__u64 client;
	__u64 head;		/* version, three reserved octets, time */
	__u64 hash;
};
#define COOKIE_OCTETS 24
_Static_assert(sizeof(struct cookie) == COOKIE_OCTETS, "RFC 9018 4");

enum cookie_verdict {
	COOKIE_NEW,		/* the client's part alone came */
	COOKIE_VALID,
	COOKIE_INVALID,		/* too old, of another address or secret, of another making */
};

/* Seconds since 1970, modulo 2^32, from those of CLOCK_TAI: which steps when the clock is set, with nobody's help. */
PIECE __u32 cookie_now(const struct cookies *cookies, __u64 tai_seconds)
{
	return cookies->stopped ? cookies->stopped : tai_seconds - cookies->tai_offset;
}

/* RFC 9018 4.4: SipHash-2-4 over client's part, version, reserved, time and the client's address. */
STAGE __u64 cookie_hash(const struct cookie_key *key, const struct query *query, __u64 client, __u64 head)
{
	struct siphash state;
	__u64 address;

	STAGE_NEEDS(key && query, 0);
	siphash_begin(&state, key->words);
	siphash_word(&state, client);
	siphash_word(&state, head);
	address = wire_load64(query->source_address);
	if (query->source_family == ECS_FAMILY_IPV4)
		return siphash_end(&state, (address & 0xffffffff) | (__u64)20 << 56);
	siphash_word(&state, address);
	siphash_word(&state, wire_load64(query->source_address + 8));
	return siphash_end(&state, (__u64)32 << 56);
}

PIECE __u32 cookie_swap32(__u32 value)
{
	return wire_swap64(value) >> 32;
}

/* The number of the secret that made it, or -1. Reserved octets count as they came (RFC 9018 4.2). */
PIECE int cookie_secret(const struct cookie_secrets *secrets, const struct query *query, const struct cookie *cookie)
{
	int number = -1, i;

	UNROLLED
	for (i = COOKIE_SECRETS_MAX - 1; i >= 0; i--)
		if ((__u32)i < secrets->count &&
		    cookie_hash(&secrets->keys[i], query, cookie->client, cookie->head) == cookie->hash)
			number = i;
	return number;
}

/*
 * Judges the query's COOKIE option, whose length query_options_judge() has found to be sound, while it stands in the message,
 * and writes what the reply's says: the same again while it is fresh and of the first secret, else one made now.
 * Returns an enum cookie_verdict.
 */
STAGE int cookie_judge(const struct message *message, const struct query *query, const struct cookie_secrets *secrets,
		       __u32 now, struct cookie *reply)
{
	int number = -1;
	__u32 at;
	__s32 age;

	STAGE_NEEDS(message && query && secrets && reply, COOKIE_INVALID);
	at = query->cookie_at;
	reply->client = wire_load64(&message->octets[wire_masked(at, MESSAGE_OCTETS)]);
	reply->head = wire_load64(&message->octets[wire_masked(at + 8, MESSAGE_OCTETS)]);
	reply->hash = wire_load64(&message->octets[wire_masked(at + 16, MESSAGE_OCTETS)]);
	age = now - cookie_swap32(reply->head >> 32);
	if (query->cookie_octets == COOKIE_OCTETS && (reply->head & 0xff) == COOKIE_VERSION &&
	    age <= COOKIE_BELIEVED_BEFORE && age >= -COOKIE_BELIEVED_AFTER)
		number = cookie_secret(secrets, query, reply);
	if (number || age > COOKIE_FRESH) {
		reply->head = COOKIE_VERSION | (__u64)cookie_swap32(now) << 32;
		reply->hash = cookie_hash(&secrets->keys[0], query, reply->client, reply->head);
	}
	if (number >= 0)
		return COOKIE_VALID;
	return query->cookie_octets == COOKIE_CLIENT_OCTETS ? COOKIE_NEW : COOKIE_INVALID;
}

/* Appends the option to a reply of `at` octets, which ends with the OPT record that has room for it. Returns all octets. */
PIECE __u32 cookie_put(struct message *message, __u32 at, const struct cookie *cookie)
{
	message_put_u16(message, at, OPTION_COOKIE);
	message_put_u16(message, at + 2, COOKIE_OCTETS);
	at += OPTION_HEADER_OCTETS;
	wire_store64(&message->octets[wire_masked(at, MESSAGE_OCTETS)], cookie->client);
	wire_store64(&message->octets[wire_masked(at + 8, MESSAGE_OCTETS)], cookie->head);
	wire_store64(&message->octets[wire_masked(at + 16, MESSAGE_OCTETS)], cookie->hash);
	return at + COOKIE_OCTETS;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a cookie's words are little-endian");

#endif
