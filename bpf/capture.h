/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Copies of what was asked and answered, for `ecsctl capture`: tcpdump does not see it. Nothing of this runs while
 * control.capture_until is 0. The query is copied while the frame still holds it, the reply when the frame is ready to
 * be sent.
 */
#ifndef ECSDNS_BPF_CAPTURE_H
#define ECSDNS_BPF_CAPTURE_H

#include "bpf/lookup.h"

#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)
#define SECOND 1000000000ULL

struct capture_work {
	__u64 second, in_second;	/* of the clock, and what was copied in it */
	struct captured copy;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct capture_work);
} capture_work SEC(".maps");

/* The controller writes the time anew while it lives; behind a dead one the driver itself ends the capture. */
PIECE int capture_is_on(__u64 time)
{
	__u32 zero = 0;
	volatile struct control *now = bpf_map_lookup_elem(&control, &zero);
	__u64 until = now ? now->capture_until : 0;

	if (time < until)
		return 1;
	if (now && until)
		now->capture_until = 0;
	return 0;
}

/* The client is whom the answer was for: of the client subnet, where one came, else the resolver. */
PIECE int capture_is_wanted(const struct query *query, const struct selection *selection)
{
	__u32 zero = 0;
	const struct capture *wanted = bpf_map_lookup_elem(&capture, &zero);
	int by_subnet = query->flags & QUERY_ECS && query->ecs_source;
	const __u8 *client = by_subnet ? query->ecs_address : query->source_address;

	if (!wanted || bpf_get_prandom_u32() > wanted->draw)
		return 0;
	if (wanted->flags & CAPTURE_SERVICE && selection->service.id != wanted->service)
		return 0;
	if (!(wanted->flags & CAPTURE_CLIENT))
		return 1;
	return wanted->family == (by_subnet ? query->ecs_family : query->source_family) &&
	       (wire_load64(client) & wire_load64(wanted->mask)) == wire_load64(wanted->client) &&
	       (wire_load64(client + 8) & wire_load64(wanted->mask + 8)) == wire_load64(wanted->client + 8);
}

PIECE int capture_is_in_rate(struct capture_work *work, __u64 time, struct capture_counts *counts)
{
	__u64 second = time / SECOND;

	if (work->second != second) {
		work->second = second;
		work->in_second = 0;
	}
	if (work->in_second >= CAPTURE_SECOND_MAX) {
		counts->over++;
		return 0;
	}
	work->in_second++;
	return 1;
}

/* Octets of the frame, `most` at most. The barriers are for verifiers that would not see the bound. */
PIECE __u64 capture_length(struct xdp_md *ctx, __u32 most)
{
	__u64 octets = (long)ctx->data_end - (long)ctx->data;

	asm volatile("" : "+r"(octets));
	if (octets > most)
		octets = most;
	asm volatile("" : "+r"(octets));
	return octets;
}

PIECE int capture_copy_query(struct xdp_md *ctx)
{
	__u64 length = capture_length(ctx, CAPTURE_QUERY_OCTETS), time = bpf_ktime_get_ns();
	__u32 zero = 0;
	struct capture_work *work = bpf_map_lookup_elem(&capture_work, &zero);
	struct capture_counts *counts = bpf_map_lookup_elem(&capture_counts, &zero);

	if (!work || !counts || !capture_is_on(time) || !capture_is_in_rate(work, time, counts))
		return 0;
	if (length < sizeof(struct ethhdr) || bpf_xdp_load_bytes(ctx, 0, work->copy.octets, length))
		return 0;
	work->copy.asked = time;
	work->copy.query_length = ctx->data_end - ctx->data;
	work->copy.query_octets = length;
	return 1;
}

/*
 * Before the frame is written: draws, and copies the query. Returns 1 if its reply is to follow. What is not drawn does not
 * even ask for the time, so a capture whose time is over ends with the next one that is.
 */
STAGE int capture_query(struct xdp_md *ctx, const struct query *query, const struct selection *selection)
{
	STAGE_NEEDS(query && selection, 0);
	return capture_is_wanted(query, selection) && capture_copy_query(ctx);
}

/* When the frame is ready to be sent: copies the reply behind the query, and hands out both. */
STAGE int capture_reply(struct xdp_md *ctx)
{
	__u64 length = capture_length(ctx, CAPTURE_REPLY_OCTETS), at;
	__u32 zero = 0;
	struct capture_work *work = bpf_map_lookup_elem(&capture_work, &zero);
	struct capture_counts *counts = bpf_map_lookup_elem(&capture_counts, &zero);

	if (!work || !counts)
		return 0;
	at = work->copy.query_octets;
	asm volatile("" : "+r"(at));
	if (at > CAPTURE_QUERY_OCTETS || length < sizeof(struct ethhdr) ||
	    bpf_xdp_load_bytes(ctx, 0, &work->copy.octets[at], length))
		return 0;
	work->copy.answered = bpf_ktime_get_ns();
	work->copy.reply_octets = length;
	if (bpf_ringbuf_output(&captured, &work->copy, offsetof(struct captured, octets) + at + length, BPF_RB_NO_WAKEUP))
		counts->full++;
	else
		counts->copied++;
	return 0;
}

#endif
