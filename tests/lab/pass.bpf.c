// SPDX-License-Identifier: GPL-2.0-or-later
/* For the client's end of the lab's veth: the server's end can send frames back (XDP_TX) only to a peer with a program. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int pass(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
