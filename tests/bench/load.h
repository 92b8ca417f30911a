/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What tests/bench/load.c tells load.bpf.c, and the other way round. */
#ifndef ECSDNS_BENCH_LOAD_H
#define ECSDNS_BENCH_LOAD_H

#include <linux/types.h>

#define LOAD_FRAME_OCTETS 256

/* Offsets are of eight octets each, of which those in the mask (as they lie in memory) are drawn anew for every frame. */
struct load {
	__u8 frame[LOAD_FRAME_OCTETS];
	__u32 length;
	__u32 client_at;	/* the client subnet's address */
	__u32 id_at;
	__u32 port_at;		/* the source port, so that a server's threads share the load */
	__u64 client_mask;
	__u64 id_mask;
	__u64 port_mask;
};

struct seen {
	__u64 frames;		/* that came back */
	__u64 answers;		/* of these: responses with records */
};

#endif
