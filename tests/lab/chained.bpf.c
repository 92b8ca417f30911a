// SPDX-License-Identifier: GPL-2.0-or-later
/* Another program on the same interface: counts the DNS queries that reach it, and passes every frame. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} chained_seen SEC(".maps");

static __always_inline int is_query(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *ethernet = data;
	struct ipv6hdr *ip6 = (void *)(ethernet + 1);
	struct iphdr *ip4 = (void *)(ethernet + 1);
	struct udphdr *udp;

	if ((void *)(ip6 + 1) + sizeof(*udp) > end)	/* a query over IPv4 is as long */
		return 0;
	if (ethernet->h_proto == bpf_htons(ETH_P_IPV6) && ip6->nexthdr == IPPROTO_UDP)
		udp = (void *)(ip6 + 1);
	else if (ethernet->h_proto == bpf_htons(ETH_P_IP) && ip4->protocol == IPPROTO_UDP)
		udp = (void *)(ip4 + 1);
	else
		return 0;
	return udp->dest == bpf_htons(53);
}

SEC("xdp")
int chained(struct xdp_md *ctx)
{
	__u32 zero = 0;
	__u64 *seen = bpf_map_lookup_elem(&chained_seen, &zero);

	if (seen && is_query(ctx))
		__sync_fetch_and_add(seen, 1);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
