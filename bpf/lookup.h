/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables as the stages see them from inside the driver: maps/select.h's lookups, and the counters. */
#ifndef ECSDNS_BPF_LOOKUP_H
#define ECSDNS_BPF_LOOKUP_H

#include "maps/answer.h"
#include "maps/cookie.h"
#include "maps/tables.h"	/* after the stages: its variables have the names of their parameters */

/* One query's view: a generation read once. */
struct lookup {
	__u32 generation;
	__u32 slot;
	__u32 capturing;
};

PIECE int lookup_begin(struct lookup *lookup)
{
	__u32 zero = 0;
	const volatile struct control *now = bpf_map_lookup_elem(&control, &zero);

	if (!now)
		return REASON_NO_GENERATION;
	lookup->generation = now->generation;
	lookup->slot = lookup->generation % GENERATION_SLOTS;
	lookup->capturing = now->capture_until != 0;
	return lookup->generation ? REASON_GO : REASON_NO_GENERATION;
}

static inline const struct settings *lookup_settings(struct lookup *lookup)
{
	__u32 slot = lookup->slot;	/* a key must lie on this function's own stack before 6.8 */

	return bpf_map_lookup_elem(&settings, &slot);
}

static inline const struct service *lookup_service(struct lookup *lookup, const union name_key *key, int is_long)
{
	(void)lookup;	/* the key holds the slot */
	if (is_long)
		return bpf_map_lookup_elem(&names_long, &key->in_long);
	return bpf_map_lookup_elem(&names_short, &key->in_short);
}

static inline const struct topology4_entry *lookup_topology4(struct lookup *lookup, __u16 topology,
							      const __u8 *address)
{
	struct topology4_key key = {
		.prefixlen = TOPOLOGY_KEY_BITS + 32, .slot = lookup->slot, .topology = topology,
	};

	__builtin_memcpy(key.address, address, sizeof(key.address));
	return bpf_map_lookup_elem(&topology4, &key);
}

static inline const struct topology6_entry *lookup_topology6(struct lookup *lookup, __u16 topology,
							      const __u8 *address)
{
	struct topology6_key key = {
		.prefixlen = TOPOLOGY_KEY_BITS + 128, .slot = lookup->slot, .topology = topology,
	};

	__builtin_memcpy(key.address, address, sizeof(key.address));
	return bpf_map_lookup_elem(&topology6, &key);
}

static inline __u32 lookup_index(struct lookup *lookup, __u32 index)
{
	const volatile __u32 *number = bpf_map_lookup_elem(&indices, &index);

	(void)lookup;	/* the service holds the slot's base */
	return number ? *number : ANSWER_NONE;
}

PIECE const struct answer *lookup_answer(__u32 number)
{
	return bpf_map_lookup_elem(&answers, &number);
}

PIECE const struct cookies *lookup_cookies(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&cookies, &zero);
}

/* Is this one of the server's addresses? IPv4 comes mapped. */
PIECE int lookup_is_ours(struct lookup *lookup, const __u8 *address)
{
	struct address_key key = { .slot = lookup->slot };

	__builtin_memcpy(key.address, address, sizeof(key.address));
	return bpf_map_lookup_elem(&addresses, &key) != NULL;
}

PIECE void count_reason(__u64 reason)
{
	__u32 zero = 0;
	struct reasons *counted = bpf_map_lookup_elem(&counters, &zero);

	/*
	 * Counted from 0 and checked by one comparison: "not 0" tells verifiers before 6.5 nothing. Without the barrier
	 * the compiler drops the check, knowing what stages return.
	 */
	reason -= REASON_GO + 1;
	asm volatile("" : "+r"(reason));
	if (counted && reason < REASON_COUNT - 1)
		(*reasons_at(counted, reason + 1))++;
}

/* Per-CPU: no other CPU writes here, so no atomics. */
PIECE void count_answer(const struct selection *selection)
{
	struct counter *hits = bpf_map_lookup_elem(&service_hits, &selection->service.id);

	if (hits)
		hits->packets++;
	if (!selection->tailored)
		return;
	hits = bpf_map_lookup_elem(&region_hits, &selection->region_id);
	if (hits)
		hits->packets++;
}

#endif
