/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every limit of the contract, and why it is what it is. Both sides of the maps compile from these.
 */
#ifndef ECSDNS_LIMITS_H
#define ECSDNS_LIMITS_H

/* The ABI of the pinned maps; part of the pin path, so that two layouts can stand side by side. */
#define ECSDNS_ABI_VERSION 1
#define ECSDNS_PINS_DEFAULT "/sys/fs/bpf/ecsdns/v1"

/* RFC 1035 2.3.4: a name is at most 255 octets on the wire, a label at most 63; so at most 128 labels with the root. */
#define NAME_OCTETS_MAX 255
#define NAME_LABELS_MAX 128
#define LABEL_OCTETS_MAX 63

/*
 * Names of up to 60 octets live in a hash with a 64-octet key: hashing cost grows with the key, and nearly every
 * hot name fits. Longer ones have a table of their own.
 */
#define NAME_SHORT_OCTETS 60

/* Queries above this are not what the driver is for (a query with name, ECS, cookie and padding stays below). */
#define QUERY_OCTETS_MAX 512

/* Options of one OPT record the driver walks; resolvers send at most four. More go up to the fallback. */
#define QUERY_OPTIONS_MAX 16

/* Our own reply limit over UDP, and the size we advertise: no fragments on any path (DNS flag day 2020). */
#define REPLY_OCTETS_MAX 1232
/* RFC 1035 4.2.1: without EDNS; also the least that an advertised size may mean (RFC 6891 6.2.3). */
#define REPLY_OCTETS_MIN 512

/* Records of one answer entry: a pool of 64 IPv6 members, 28 octets each, with its weights, is 2,048 octets. */
#define ANSWER_RECORDS_MAX 64
#define ANSWER_OCTETS 2048
/* Slots of the sticky-hash table in an entry: one octet each, so a member's share is exact to 1/256. */
#define ANSWER_HASH_SLOTS 256

/* One that signs, one that signed until now, and one to come (RFC 9018 5). */
#define COOKIE_SECRETS_MAX 3

/* Generations are published alternately into two slots. */
#define GENERATION_SLOTS 2

/* Addresses one interface answers for: its own and those of VRRP instances given with --mac. */
#define INTERFACE_MACS 8

/* Worker threads of the fallback, each with its own entry of the statistics map. */
#define FALLBACK_WORKERS_MAX 16

/*
 * What `ecsctl capture` copies of an exchange: frames with two VLAN tags around the longest message that the driver takes, and
 * the longest that it sends; only what lies behind a message is cut. The rate keeps a capture of everything from slowing down a
 * flood, and is more than anybody reads.
 */
#define CAPTURE_QUERY_OCTETS 640
#define CAPTURE_REPLY_OCTETS 1408
#define CAPTURE_SECOND_MAX 1000		/* exchanges a second and CPU */
#define CAPTURED_OCTETS 1048576		/* the ring: some 500 of the longest exchanges, a few thousand usual ones */

/* Default table sizes; the loader's flags change them. All but the arrays cost memory only for what is in them. */
#define NAMES_SHORT_ENTRIES 131072	/* both generations together */
#define NAMES_LONG_ENTRIES 8192
#define TOPOLOGY4_ENTRIES 8388608	/* a million random prefixes are about two million entries a generation */
#define TOPOLOGY6_ENTRIES 8388608
#define ADDRESSES_ENTRIES 256
#define INDICES_ENTRIES 1048576		/* 8 MiB: the kernel keeps eight octets an element */
#define ANSWERS_ENTRIES 16384		/* 34 MB */
#define SERVICES_ENTRIES 65536		/* 8 octets a CPU each */
#define REGIONS_ENTRIES 16384
#define INTERFACES_ENTRIES 256

/* Presentation names as the id -> name maps keep them; longer ones are cut for display only. */
#define NAME_TEXT_OCTETS 256
#define REGION_TEXT_OCTETS 64

#endif
