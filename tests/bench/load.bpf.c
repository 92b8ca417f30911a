// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Load without a network card: `generate` makes queries of random clients out of one frame, `sink` counts what comes back,
 * and the two reflectors are what any driver's answer is measured against.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "tests/bench/load.h"

struct load load = {};
struct seen seen = {};

/* bpf_xdp_store_bytes() takes its source from a map or the stack. */
struct frame {
	__u8 octets[LOAD_FRAME_OCTETS + 8];
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct frame);
} frames SEC(".maps");

/* An unaligned word, which BPF on x86-64 and arm64 can store. */
static __always_inline void put64(struct frame *frame, __u32 at, __u64 word)
{
	*(__u64 *)&frame->octets[at & (LOAD_FRAME_OCTETS - 1)] = word;
}

static __always_inline __u64 random64(void)
{
	return (__u64)bpf_get_prandom_u32() << 32 | bpf_get_prandom_u32();
}

/* The frame's octets, for the eight at `at`, those of the mask drawn anew. */
static __always_inline void draw64(struct frame *frame, __u32 at, __u64 mask)
{
	__u64 word = *(__u64 *)&frame->octets[at & (LOAD_FRAME_OCTETS - 1)];

	put64(frame, at, (word & ~mask) | (random64() & mask));
}

/*
 * Pages come back with whatever the server left in them, and are as long as they were only if the program changes the
 * length: it is run with an octet too many, which is cut off here.
 */
SEC("xdp")
int generate(struct xdp_md *ctx)
{
	__u32 zero = 0, length = load.length;
	struct frame *frame = bpf_map_lookup_elem(&frames, &zero);

	if (!frame || length < 60 || length > LOAD_FRAME_OCTETS || bpf_xdp_adjust_tail(ctx, -1))
		return XDP_ABORTED;
	__builtin_memcpy(frame->octets, load.frame, LOAD_FRAME_OCTETS);
	draw64(frame, load.client_at, load.client_mask);
	draw64(frame, load.id_at, load.id_mask);
	draw64(frame, load.port_at, load.port_mask);
	return bpf_xdp_store_bytes(ctx, 0, frame->octets, length) ? XDP_ABORTED : XDP_TX;
}

/* Where the UDP header begins, without VLAN tags, options and extension headers; 0: no UDP of either family. */
static __always_inline __u32 udp_at(void *data, void *end)
{
	struct ethhdr *ethernet = data;

	if (data + sizeof(*ethernet) + sizeof(struct ipv6hdr) > end)
		return 0;
	return ethernet->h_proto == bpf_htons(ETH_P_IPV6) ? sizeof(*ethernet) + sizeof(struct ipv6hdr) :
	       ethernet->h_proto == bpf_htons(ETH_P_IP) ? sizeof(*ethernet) + sizeof(struct iphdr) : 0;
}

SEC("xdp")
int sink(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 at = udp_at(data, end);
	struct udphdr *udp = data + at;
	__u8 *dns = (void *)(udp + 1);

	if (!at || (void *)(dns + 12) > end || udp->source != bpf_htons(53))
		return XDP_PASS;
	__sync_fetch_and_add(&seen.frames, 1);
	if (dns[2] & 0x80 && dns[7])
		__sync_fetch_and_add(&seen.answers, 1);
	return XDP_DROP;
}

static __always_inline void swap(__u8 *one, __u8 *other, __u32 octets)
{
	__u32 i;

	for (i = 0; i < octets; i++) {
		__u8 octet = one[i];

		one[i] = other[i];
		other[i] = octet;
	}
}

static __always_inline int reflect_by(struct xdp_md *ctx, int grow)
{
	void *data, *end;
	struct udphdr *udp;
	__u32 at;

	if (grow && bpf_xdp_adjust_tail(ctx, grow))
		return XDP_PASS;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	at = udp_at(data, end);
	udp = data + at;
	if (!at || (void *)(udp + 1) > end || udp->dest != bpf_htons(53))
		return XDP_PASS;
	swap(data, data + 6, 6);
	if (at > sizeof(struct ethhdr) + sizeof(struct iphdr))
		swap(data + 22, data + 38, 16);
	else
		swap(data + 26, data + 30, 4);
	swap((__u8 *)&udp->source, (__u8 *)&udp->dest, 2);
	return XDP_TX;
}

SEC("xdp")
int reflect(struct xdp_md *ctx)
{
	return reflect_by(ctx, 0);
}

/* As an answer of one AAAA record does. */
SEC("xdp")
int reflect_grow(struct xdp_md *ctx)
{
	return reflect_by(ctx, 28);
}

char _license[] SEC("license") = "GPL";
