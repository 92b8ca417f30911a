/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ethernet, VLAN, IP and UDP around a message: the frame -> where its message is, and the reply's headers. The only
 * code that touches packet pointers, each use behind its own bounds check.
 */
#ifndef ECSDNS_BPF_FRAME_H
#define ECSDNS_BPF_FRAME_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include "bpf/lookup.h"

#define DNS_PORT 53
#define VLAN_TAGS_MAX 2
#define REPLY_HOP_LIMIT 64
#define IP_MORE_FRAGMENTS_OR_OFFSET 0x3fff
#define IP_DONT_FRAGMENT 0x4000
#define HEADERS_MAX (sizeof(struct ethhdr) + VLAN_TAGS_MAX * sizeof(struct vlan_tag) + sizeof(struct ipv6hdr) + \
		     sizeof(struct udphdr))
#define HEAD_ROOM 192	/* of the 256 octets before a frame, after what the kernel keeps there */

struct vlan_tag {
	__be16 tci;
	__be16 next;
};

struct frame {
	__u32 network;		/* offset of the IP header */
	__u32 payload;		/* offset of the DNS message */
	__u32 length;		/* octets of the DNS message */
	__u8 destination[16];	/* IPv4 mapped */
	__u8 source[16];
};

/* Behind 0 to 2 VLAN tags (802.1Q, 802.1ad): the network header's offset and the ethertype. */
PIECE int frame_ethernet(void *data, void *end, struct frame *frame, __u16 *type)
{
	struct ethhdr *ethernet = data;
	__u32 i;

	if ((void *)(ethernet + 1) > end)
		return REASON_NOT_DNS;
	*type = ethernet->h_proto;
	frame->network = sizeof(*ethernet);
	for (i = 0; i < VLAN_TAGS_MAX; i++) {
		struct vlan_tag *tag = data + frame->network;

		if (*type != bpf_htons(ETH_P_8021Q) && *type != bpf_htons(ETH_P_8021AD))
			break;
		if ((void *)(tag + 1) > end)
			return REASON_NOT_DNS;
		*type = tag->next;
		frame->network += sizeof(*tag);
	}
	return REASON_GO;
}

/* One's complement sum of an IPv4 header without options, folded; 0xffff if its checksum is right. */
PIECE __u32 frame_ipv4_sum(const struct iphdr *ip)
{
	const __u16 *half = (const __u16 *)ip;
	__u32 sum = 0, i;

	UNROLLED
	for (i = 0; i < sizeof(*ip) / 2; i++)
		sum += half[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

PIECE int frame_ipv4(void *data, void *end, struct frame *frame, __u32 *udp_length)
{
	struct iphdr *ip = data + frame->network;
	__u32 total;

	if ((void *)(ip + 1) > end || ip->protocol != IPPROTO_UDP || ip->version != 4)
		return REASON_NOT_DNS;
	if (ip->ihl != 5)
		return REASON_IP_EXTENSIONS;
	if (ip->frag_off & bpf_htons(IP_MORE_FRAGMENTS_OR_OFFSET))
		return REASON_FRAGMENT;
	total = bpf_ntohs(ip->tot_len);
	if (total < sizeof(*ip) || frame_ipv4_sum(ip) != 0xffff)
		return REASON_IP_MALFORMED;
	*udp_length = total - sizeof(*ip);
	frame->source[10] = frame->source[11] = 0xff;
	frame->destination[10] = frame->destination[11] = 0xff;
	__builtin_memcpy(&frame->source[12], &ip->saddr, sizeof(ip->saddr));
	__builtin_memcpy(&frame->destination[12], &ip->daddr, sizeof(ip->daddr));
	frame->payload = frame->network + sizeof(*ip);
	return REASON_GO;
}

/* Which extension headers stand between IPv6 and UDP is for the stack to find out. */
PIECE int frame_ipv6_other(__u8 next)
{
	switch (next) {
	case IPPROTO_FRAGMENT:
		return REASON_FRAGMENT;
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
		return REASON_IP_EXTENSIONS;
	default:
		return REASON_NOT_DNS;
	}
}

PIECE int frame_ipv6(void *data, void *end, struct frame *frame, __u32 *udp_length)
{
	struct ipv6hdr *ip = data + frame->network;

	if ((void *)(ip + 1) > end || ip->version != 6)
		return REASON_NOT_DNS;
	if (ip->nexthdr != IPPROTO_UDP)
		return frame_ipv6_other(ip->nexthdr);
	*udp_length = bpf_ntohs(ip->payload_len);
	__builtin_memcpy(frame->source, &ip->saddr, sizeof(frame->source));
	__builtin_memcpy(frame->destination, &ip->daddr, sizeof(frame->destination));
	frame->payload = frame->network + sizeof(*ip);
	return REASON_GO;
}

/* The frame's destination against the MACs that the loader listed for this interface. */
PIECE int frame_is_ours(void *data, void *end, __u32 ifindex)
{
	const struct interface *interface = bpf_map_lookup_elem(&interfaces, &ifindex);
	const __u16 *to = data;
	__u32 i;

	if (!interface || data + ETH_ALEN > end)
		return 0;
	for (i = 0; i < INTERFACE_MACS && i < interface->count; i++) {
		const __u16 *mac = (const __u16 *)interface->macs[i];

		if (!((to[0] ^ mac[0]) | (to[1] ^ mac[1]) | (to[2] ^ mac[2])))
			return 1;
	}
	return 0;
}

/* Sources that no query can honestly come from: an answer would go astray or come back to us. */
PIECE int frame_source_is_bad(const struct frame *frame, int is_ipv4)
{
	const __u8 *ip = frame->source;
	__u64 high = wire_load64(ip), low = wire_load64(ip + 8);

	if (is_ipv4)
		return ip[12] == 127 || (ip[12] & 0xf0) == 224 || (low >> 32) == 0xffffffff || (low >> 32) == 0;
	if (ip[0] == 0xff)
		return 1;
	/* ::, ::1 and IPv4-mapped */
	return !high && ((low & ~(1ULL << 56)) == 0 || (low & 0xffffffff) == 0xffff0000);
}

/* Everything up to the message: is this DNS, in one piece, for this interface? Sets frame and the query's source. */
PIECE int frame_parse(struct xdp_md *ctx, struct frame *frame, struct query *query)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 udp_length = 0;
	struct udphdr *udp;
	__u16 type;
	int reason;

	reason = frame_ethernet(data, end, frame, &type);
	if (reason)
		return reason;
	if (type == bpf_htons(ETH_P_IP))
		reason = frame_ipv4(data, end, frame, &udp_length);
	else if (type == bpf_htons(ETH_P_IPV6))
		reason = frame_ipv6(data, end, frame, &udp_length);
	else
		return REASON_NOT_DNS;
	if (reason)
		return reason;
	udp = data + frame->payload;
	if ((void *)(udp + 1) > end || udp->dest != bpf_htons(DNS_PORT))
		return REASON_NOT_DNS;
	if (!frame_is_ours(data, end, ctx->ingress_ifindex))
		return REASON_OTHER_MAC;
	if (udp_length < sizeof(*udp) || bpf_ntohs(udp->len) != udp_length ||
	    data + frame->payload + wire_masked(udp_length, 65536) > end)
		return REASON_IP_MALFORMED;
	if (type == bpf_htons(ETH_P_IPV6) && !udp->check)
		return REASON_NO_CHECKSUM;
	if (!udp->source || frame_source_is_bad(frame, type == bpf_htons(ETH_P_IP)))
		return REASON_SOURCE;
	query->source_port = bpf_ntohs(udp->source);
	query->source_family = type == bpf_htons(ETH_P_IP) ? ECS_FAMILY_IPV4 : ECS_FAMILY_IPV6;
	frame->payload += sizeof(*udp);
	frame->length = udp_length - sizeof(*udp);
	return REASON_GO;
}

/* Is it asked of one of our addresses, and not by ourselves? The bitmap spares nearly every source its lookup. */
PIECE int frame_addresses(const struct frame *frame, struct lookup *lookup, const struct settings *live)
{
	if (!lookup_is_ours(lookup, frame->destination))
		return REASON_OTHER_ADDRESS;
	if (live->own_addresses >> (frame->source[15] & 63) & 1 && lookup_is_ours(lookup, frame->source))
		return REASON_SOURCE;
	return REASON_GO;
}

/* Octets of the frame. The barrier keeps compilers from moving arithmetic into the subtraction, which verifiers refuse. */
PIECE int frame_octets(struct xdp_md *ctx)
{
	long octets = (long)ctx->data_end - (long)ctx->data;

	asm volatile("" : "+r"(octets));
	return octets;
}

PIECE __u16 frame_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)~sum;
}

/*
 * Sum of the message, added to `sum`. bpf_csum_diff() takes multiples of four octets, at most 512 before 6.13, so the
 * message is padded with zeros and summed in pieces.
 */
#define SUM_PIECE 512
STAGE __u32 frame_sum_message(struct message *message, __u32 length, __u32 sum)
{
	__u32 i, piece;

	STAGE_NEEDS(message, 0);
	for (i = 0; i < 4; i++)
		message_put_u8(message, length + i, 0);
	for (i = 0; i * SUM_PIECE < REPLY_OCTETS_MAX && i * SUM_PIECE < length; i++) {
		piece = length - i * SUM_PIECE;
		piece = piece < SUM_PIECE ? wire_masked(piece + 3, 2 * SUM_PIECE) & ~3u : SUM_PIECE;
		sum = bpf_csum_diff(NULL, 0, (__be32 *)&message->octets[i * SUM_PIECE], piece, sum);
	}
	return sum;
}

/*
 * Checksum of the reply, from nothing of the query's: frames from local sockets carry only the pseudo-header's sum
 * there. Both addresses are summed as one block; swapping them changes nothing.
 */
PIECE __u16 frame_udp_checksum(struct message *message, __u32 length, __u64 both, __be16 from, __be16 to)
{
	__u64 sum = both + bpf_htons(IPPROTO_UDP) + 2 * (__u64)bpf_htons(length + sizeof(struct udphdr)) + from + to;
	__u16 check;

	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	check = frame_fold(frame_sum_message(message, length, sum));
	return check ? check : 0xffff;
}

PIECE void frame_turn_ethernet(struct ethhdr *ethernet)
{
	__u8 from[ETH_ALEN];

	__builtin_memcpy(from, ethernet->h_source, ETH_ALEN);
	__builtin_memcpy(ethernet->h_source, ethernet->h_dest, ETH_ALEN);
	__builtin_memcpy(ethernet->h_dest, from, ETH_ALEN);
}

PIECE __u64 frame_turn_ipv4(struct iphdr *ip, __u32 length)
{
	__be32 from = ip->saddr;

	ip->tos &= 0xfc;	/* DSCP stays, ECN is cleared */
	ip->tot_len = bpf_htons(sizeof(*ip) + sizeof(struct udphdr) + length);
	ip->id = 0;
	ip->frag_off = bpf_htons(IP_DONT_FRAGMENT);
	ip->ttl = REPLY_HOP_LIMIT;
	ip->saddr = ip->daddr;
	ip->daddr = from;
	ip->check = 0;
	ip->check = ~frame_ipv4_sum(ip);
	return (__u64)ip->saddr + ip->daddr;
}

PIECE __u64 frame_turn_ipv6(struct ipv6hdr *ip, __u32 length)
{
	struct in6_addr from = ip->saddr;
	__u8 *first = (__u8 *)ip;
	const __u32 *words = (const __u32 *)&ip->saddr;
	__u64 sum = 0;
	__u32 i;

	first[1] &= 0xc0;	/* DSCP stays, ECN and flow label are cleared */
	first[2] = first[3] = 0;
	ip->payload_len = bpf_htons(sizeof(struct udphdr) + length);
	ip->hop_limit = REPLY_HOP_LIMIT;
	ip->saddr = ip->daddr;
	ip->daddr = from;
	UNROLLED
	for (i = 0; i < 2 * sizeof(struct in6_addr) / 4; i++)
		sum += words[i];
	return sum;
}

/* The headers to the front of a frame that has grown there by `grown` octets. */
PIECE int frame_move_headers(struct xdp_md *ctx, const struct frame *frame, __u32 grown)
{
	__u8 headers[HEADERS_MAX] = {};
	__u32 octets = frame->payload;

	if (octets < 1 || octets > sizeof(headers))
		return -1;
	return bpf_xdp_load_bytes(ctx, grown, headers, octets) ? -1 : bpf_xdp_store_bytes(ctx, 0, headers, octets);
}

/*
 * Makes the frame longer by `more` octets, or shorter. At its end where there is room; veth of later kernels leaves none behind
 * frames that came from a socket, and there it grows at its head. Returns REASON_NO_ROOM with the frame untouched.
 */
PIECE int frame_grow(struct xdp_md *ctx, const struct frame *frame, int more)
{
	int head = more < HEAD_ROOM ? more : HEAD_ROOM;

	if (!bpf_xdp_adjust_tail(ctx, more))
		return REASON_GO;
	if (head <= 0 || bpf_xdp_adjust_head(ctx, -head))
		return REASON_NO_ROOM;
	if (more > head && bpf_xdp_adjust_tail(ctx, more - head))
		return bpf_xdp_adjust_head(ctx, head) ? REASON_WRITE_FAILED : REASON_NO_ROOM;
	return frame_move_headers(ctx, frame, head) ? REASON_WRITE_FAILED : REASON_GO;
}

/*
 * The commit point and all behind it: makes the frame as long as the reply, turns its headers around and writes the
 * message. Returns REASON_NO_ROOM with the frame untouched, REASON_WRITE_FAILED when it is spoilt, or REASON_GO.
 */
PIECE int frame_reply(struct xdp_md *ctx, const struct frame *frame, struct message *message, __u32 length, int is_ipv4)
{
	__u32 network = frame->network, udp_at = frame->payload - sizeof(struct udphdr);
	void *data, *end;
	struct udphdr *udp;
	__be16 port;
	__u64 sum;
	int reason;

	reason = frame_grow(ctx, frame, (int)(frame->payload + length) - frame_octets(ctx));
	if (reason)
		return reason;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (network > sizeof(struct ethhdr) + VLAN_TAGS_MAX * sizeof(struct vlan_tag) || data + sizeof(struct ethhdr) > end)
		return REASON_WRITE_FAILED;
	frame_turn_ethernet(data);
	if (is_ipv4) {
		struct iphdr *ip = data + network;

		if ((void *)(ip + 1) > end)
			return REASON_WRITE_FAILED;
		sum = frame_turn_ipv4(ip, length);
		udp = (void *)(ip + 1);
	} else {
		struct ipv6hdr *ip = data + network;

		if ((void *)(ip + 1) > end)
			return REASON_WRITE_FAILED;
		sum = frame_turn_ipv6(ip, length);
		udp = (void *)(ip + 1);
	}
	if ((void *)(udp + 1) > end)
		return REASON_WRITE_FAILED;
	port = udp->source;
	udp->source = udp->dest;
	udp->dest = port;
	udp->len = bpf_htons(sizeof(*udp) + length);
	udp->check = frame_udp_checksum(message, length, sum, udp->source, udp->dest);
	length = wire_masked(length, 2048);
	if (length < HEADER_OCTETS || bpf_xdp_store_bytes(ctx, udp_at + sizeof(*udp), message->octets, length))
		return REASON_WRITE_FAILED;
	return REASON_GO;
}

#endif
