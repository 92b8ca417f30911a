/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the pinned maps hold: keys and values, nothing else. The driver, the fallback, the controller and the tools
 * meet here. All integers are in host order, all addresses and names in network order.
 *
 * Generations. The controller fills the slot (generation & 1) that nobody reads, then writes control.generation.
 * A reader reads control once and uses its slot for every lookup; a reader in user space reads it again after
 * copying its answer, and starts over if it moved. The writer waits a grace period before it fills the other slot.
 */
#ifndef ECSDNS_ABI_H
#define ECSDNS_ABI_H

#include <linux/types.h>
#include "limits.h"

enum reason {
	REASON_GO = 0,		/* not a reason: the next stage decides */
#define REASON(name, outcome, help) REASON_##name,
#include "counters.def"
#undef REASON
	REASON_COUNT
};

/* -- control: array of one, mmap-able -- */
struct control {
	__u32 generation;	/* 0: nothing published yet */
	__u32 recycled;		/* grows whenever an answer entry of the live generation is about to be reused */
	__u64 capture_until;	/* nanoseconds of CLOCK_MONOTONIC: till then exchanges are copied; 0, nearly always: none are */
};

/* -- settings: array of GENERATION_SLOTS, mmap-able -- */
#define SETTINGS_ECS 0x1		/* server.ecs.enabled */
#define SETTINGS_TRUST_ALL 0x2		/* every resolver is trusted: no lookup */
struct settings {
	__u32 flags;
	__u32 reserved;
	__u64 own_addresses;	/* bit (last octet & 63) of every server address: a cheap "surely not ours" for sources */
	__u64 draw_key[2];	/* SipHash key of selection; the same on every server that shall agree */
};

/* -- addresses: hash, the server's own -- */
struct address_key {
	__u8 address[16];	/* IPv4 as ::ffff:a.b.c.d */
	__u32 slot;
};

/* -- interfaces: hash by ifindex, written by the loader -- */
struct interface {
	__u8 macs[INTERFACE_MACS][6];
	__u32 count;
};

/* -- names_short, names_long: hash, lowered wire name padded with zeros -> service -- */
struct name_short_key {
	__u8 name[NAME_SHORT_OCTETS];
	__u32 slot;
};
struct name_long_key {
	__u8 name[NAME_OCTETS_MAX + 1];
	__u32 slot;
};

/* Types a service can have, in the order of its indices within a region. */
enum service_type { SERVICE_A, SERVICE_AAAA, SERVICE_CNAME, SERVICE_TYPES };
/* Answers of a service that are the same for every client; its first indices. */
enum service_common { SERVICE_NODATA, SERVICE_ANY, SERVICE_SOA, SERVICE_NS, SERVICE_COMMON };

#define SERVICE_ECS 0x1		/* client subnet is used for this name; otherwise echo/0 */
#define SERVICE_STATIC 0x2	/* zone data stands beside it: types it lacks are the fallback's, but for these, which the zone lacks, too */
#define SERVICE_LACKS_A 0x4
#define SERVICE_LACKS_AAAA 0x8
#define SERVICE_LACKS_HTTPS 0x10	/* browsers ask for it beside A and AAAA */
struct service {
	__u32 id;		/* stable over pushes: key of service_hits and service_names */
	__u32 index;		/* indices[index + service_common], [index + SERVICE_COMMON + region * SERVICE_TYPES + type] */
	__u32 ttl;		/* seconds; for readers, the answers carry their own */
	__u16 topology;
	__u16 regions;		/* of that topology */
	__u8 types;		/* bit (1 << service_type): has it, for every client */
	__u8 flags;
	__u8 spread4, spread6;	/* blocks are no larger than of these lengths, so that hash pools spread them; 0: as they are */
};

/* -- topology4, topology6: LPM tries, one entry per edge (see select.h for how they are read) -- */
#define TOPOLOGY_TRUST 0	/* reserved topology: region 1 where resolvers are trusted, 0 elsewhere */
#define TOPOLOGY_KEY_BITS 32	/* slot and topology stand before the address in a key's prefix length */
struct topology4_key {
	__u32 prefixlen;	/* TOPOLOGY_KEY_BITS + length */
	__u16 slot;
	__u16 topology;
	__u8 address[4];
};
struct topology6_key {
	__u32 prefixlen;
	__u16 slot;
	__u16 topology;
	__u8 address[16];
};
struct topology4_entry {
	__u8 target[4];		/* the next node below, if target_length is not 0 */
	__u32 region_id;	/* stable over pushes: key of region_hits and region_names */
	__u16 region;		/* number within the topology, for indices */
	__u8 length;		/* the entry's own length, which is the scope where nothing is below */
	__u8 target_length;
};
struct topology6_entry {
	__u8 target[16];
	__u32 region_id;
	__u16 region;
	__u8 length;
	__u8 target_length;
};

/* -- indices: mmap-able array of __u32, answer numbers; slot s owns [s * entries / 2, (s + 1) * entries / 2) -- */
#define ANSWER_NONE 0		/* no entry: the query is the fallback's */

/* -- answers: mmap-able array of immutable entries, halved like indices -- */
enum answer_method {
	ANSWER_ALL,		/* `send` of `count` records in order, from a drawn start if send < count */
	ANSWER_WEIGHTED,	/* one record: the first whose __u32 threshold in octets[0..] is above the draw */
	ANSWER_HASH,		/* one record: octets[draw & 255], the draw made of the client's block */
};
struct answer {
	__u16 count;		/* records in the entry; 0: a negative answer, whose scope is always 0 */
	__u16 send;		/* records in one reply */
	__u16 stride;		/* octets of one record, all alike */
	__u16 records;		/* where in octets[] they begin */
	__u16 tail;		/* where the authority and additional records begin */
	__u16 tail_length;
	__u16 authority;	/* records in the tail, by section */
	__u16 additional;
	__u8 method;
	__u8 reserved[7];
	__u8 octets[ANSWER_OCTETS];	/* choice table, records with owner 0xc00c (the question), tail */
	__u8 slack[8];		/* copying goes eight octets at a time */
};

/*
 * -- counters: per-CPU array of one; fallback_counters: mmap-able array, an entry a worker, so that they do not contend.
 * One named field a reason: array keys cannot be enums to BTF, and this way bpftool prints the names.
 */
struct reasons {
#define REASON(name, outcome, help) __u64 name;
#include "counters.def"
#undef REASON
};
/* Where a reason is counted. */
static inline __u64 *reasons_at(struct reasons *reasons, __u64 reason)
{
	return (__u64 *)reasons + reason - 1;
}

/* -- service_hits, region_hits: per-CPU arrays by id -- */
struct counter {
	__u64 packets;
};

/* -- service_names, region_names: hash by id -- */
struct service_name {
	char name[NAME_TEXT_OCTETS];
};
struct region_name {
	char topology[REGION_TEXT_OCTETS];
	char region[REGION_TEXT_OCTETS];
};

/*
 * -- health: array of one, mmap-able; written by the controller every second. Times are CLOCK_BOOTTIME in nanoseconds,
 * which no change of the date moves; 0: not since the tables were made. --
 */
struct health_state {
	__u64 current;		/* every check that was due by then had begun: now - current is the age of the health data */
	__u64 written;		/* when the controller last wrote this */
	__u64 written_date;	/* the same, seconds since 1970, for people */
	__u32 generation;	/* whose members these are: */
	__u32 checked;		/* members with a check */
	__u32 down;		/* those of them that checks say are down */
	__u32 holding;		/* 1: every check fails, and the states before are held */
};

/* -- capture: array of one, which exchanges are copied while control.capture_until says so -- */
#define CAPTURE_SERVICE 0x1	/* those of `service` alone */
#define CAPTURE_CLIENT 0x2	/* those whose client is of `family` and in the block */
struct capture {
	__u32 draw;		/* of all that fit, those whose random word is at most this */
	__u32 flags;
	__u32 service;		/* id */
	__u32 family;		/* ECS_FAMILY_* */
	__u8 client[16];	/* IPv4 in the first four octets, like struct query's */
	__u8 mask[16];
};

/* -- capture_counts: per-CPU array of one -- */
struct capture_counts {
	__u64 copied;
	__u64 over;		/* drawn, but this CPU had copied CAPTURE_SECOND_MAX in this second already */
	__u64 full;		/* drawn, but whoever reads `captured` was behind */
};

/* -- captured: ring buffer -- */
struct captured {
	__u64 asked, answered;	/* nanoseconds of CLOCK_MONOTONIC */
	__u32 query_length;	/* octets of the query's frame; of what lies behind the message, not all may be copied */
	__u16 query_octets;	/* of it, in octets[] */
	__u16 reply_octets;	/* of the reply's frame, behind it */
	__u8 octets[CAPTURE_QUERY_OCTETS + CAPTURE_REPLY_OCTETS];
};

/*
 * -- cookies: array of one, mmap-able; for the driver, the fallback and its owner alone: the secrets of DNS cookies
 * (RFC 9018). The controller fills the set (changes + 1) % COOKIE_SETS, which nobody reads, and then counts `changes` up. A
 * reader in user space reads `changes` again behind its judgement, and starts over if it moved. The offset is looked after
 * every second; where nobody does, and the kernel learns of leap seconds, the cookies of both paths are that much off: other
 * servers believe five minutes. --
 */
#define COOKIE_SETS 2
struct cookie_key {
	__u64 words[2];		/* the secret's 16 octets, as they lie in memory */
};
struct cookie_secrets {
	__u32 count;
	__u32 reserved;
	struct cookie_key keys[COOKIE_SECRETS_MAX];	/* the first signs, all are believed */
};
struct cookies {
	__u32 changes;		/* 0: there are no secrets yet */
	__s32 tai_offset;	/* seconds that CLOCK_TAI, the driver's clock, is ahead of UTC */
	__u32 stopped;		/* for tests: not 0: the clock stands still at so many seconds since 1970 */
	__u32 reserved;
	struct cookie_secrets sets[COOKIE_SETS];
};

/* The layouts are an ABI: a change of any is a new ECSDNS_ABI_VERSION. */
_Static_assert(sizeof(struct control) == 16, "ABI");
_Static_assert(sizeof(struct settings) == 32, "ABI");
_Static_assert(sizeof(struct address_key) == 20, "ABI");
_Static_assert(sizeof(struct interface) == 52, "ABI");
_Static_assert(sizeof(struct name_short_key) == 64, "ABI");
_Static_assert(sizeof(struct name_long_key) == 260, "ABI");
_Static_assert(sizeof(struct service) == 20, "ABI");
_Static_assert(sizeof(struct topology4_key) == 12, "ABI");
_Static_assert(sizeof(struct topology6_key) == 24, "ABI");
_Static_assert(sizeof(struct topology4_entry) == 12, "ABI");
_Static_assert(sizeof(struct topology6_entry) == 24, "ABI");
_Static_assert(sizeof(struct answer) == 2080, "ABI");
_Static_assert(sizeof(struct reasons) == (REASON_COUNT - 1) * sizeof(__u64), "ABI");
_Static_assert(sizeof(struct health_state) == 40, "ABI");
_Static_assert(sizeof(struct cookies) == 128, "ABI");
_Static_assert(sizeof(struct service_name) == 256, "ABI");
_Static_assert(sizeof(struct region_name) == 128, "ABI");
_Static_assert(sizeof(struct capture) == 48, "ABI");
_Static_assert(sizeof(struct capture_counts) == 24, "ABI");
_Static_assert(sizeof(struct captured) == 2072, "ABI");

#endif
