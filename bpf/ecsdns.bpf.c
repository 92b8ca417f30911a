// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The XDP program: one query from the frame to the frame that answers it. Read downward; each stage says "go on" or
 * gives the reason why the query is not ours to answer, and every reason is counted.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include "bpf/lookup.h"
#include "bpf/frame.h"
#include "bpf/capture.h"

/* What one query needs while it is looked at; too much for the stack of 512 octets. */
struct scratch {
	struct message message;
	struct query query;
	struct selection selection;
	struct cookie cookie;	/* of the reply, if one came */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratch SEC(".maps");

/* The message out of the packet, as much of it as the parser would look at. */
static __always_inline int take_message(struct xdp_md *ctx, const struct frame *frame, struct message *message)
{
	__u32 length = frame->length;

	if (length < HEADER_OCTETS)
		return REASON_SHORT;
	if (length > QUERY_OCTETS_MAX)
		length = QUERY_OCTETS_MAX;
	return bpf_xdp_load_bytes(ctx, frame->payload, message->octets, length) ? REASON_IP_MALFORMED : REASON_GO;
}

static __always_inline void take_source(struct query *query, const struct frame *frame)
{
	if (query->source_family == ECS_FAMILY_IPV4)
		__builtin_memcpy(query->source_address, &frame->source[12], 4);
	else
		__builtin_memcpy(query->source_address, frame->source, 16);
}

/* What the reply's cookie says, while the query's stands in the message (maps/cookie.h). */
static __always_inline int take_cookie(struct scratch *work)
{
	const struct cookies *ours = lookup_cookies();
	__u32 now, changes;

	if (!ours)
		return REASON_COOKIE;
	changes = *(const volatile __u32 *)&ours->changes;
	if (!changes)
		return REASON_COOKIE;
	now = cookie_now(ours, bpf_ktime_get_tai_ns() / 1000000000);
	cookie_judge(&work->message, &work->query, &ours->sets[changes % COOKIE_SETS], now, &work->cookie);
	work->query.more_octets = OPTION_HEADER_OCTETS + COOKIE_OCTETS;
	return REASON_GO;
}

/* The answer in place of the query, in the buffer and then in the frame. */
static __always_inline int give_answer(struct xdp_md *ctx, const struct frame *frame, struct scratch *work,
				       const struct settings *live, const struct lookup *lookup)
{
	const struct answer *answer = lookup_answer(work->selection.answer);
	int is_ipv4 = work->query.source_family == ECS_FAMILY_IPV4;
	int reason, is_copied = 0;
	__u32 length;

	if (!answer)
		return REASON_NO_ANSWER;
	length = answer_write(&work->message, &work->query, &work->selection, answer, live);
	if (length < HEADER_OCTETS || length > REPLY_OCTETS_MAX)
		return REASON_NO_ANSWER;
	if (work->query.more_octets)
		length = cookie_put(&work->message, length, &work->cookie);
	if (UNLIKELY(lookup->capturing))
		is_copied = capture_query(ctx, &work->query, &work->selection);
	reason = frame_reply(ctx, frame, &work->message, length, is_ipv4);
	if (UNLIKELY(is_copied) && reason == REASON_GO)
		capture_reply(ctx);
	return reason;
}

/* The stages, in order. */
static __always_inline int answer_query(struct xdp_md *ctx, struct scratch *work)
{
	const struct settings *live;
	struct frame frame = {};
	struct lookup lookup = {};
	int reason;

	__builtin_memset(&work->query, 0, sizeof(work->query));
	reason = frame_parse(ctx, &frame, &work->query);
	if (reason)
		return reason;
	reason = lookup_begin(&lookup);
	if (reason)
		return reason;
	live = lookup_settings(&lookup);
	if (!live)
		return REASON_NO_GENERATION;
	reason = frame_addresses(&frame, &lookup, live);
	if (reason)
		return reason;
	reason = take_message(ctx, &frame, &work->message);
	if (reason)
		return reason;
	take_source(&work->query, &frame);
	work->query.length = frame.length;
	work->query.ecs_enabled = live->flags & SETTINGS_ECS;
	reason = query_parse(&work->message, &work->query);
	if (reason)
		return reason;
	reason = select_answer(&work->message, &work->query, &work->selection, &lookup, lookup.slot);
	if (reason)
		return reason;
	if (work->query.flags & QUERY_COOKIE) {
		reason = take_cookie(work);
		if (reason)
			return reason;
	}
	return give_answer(ctx, &frame, work, live, &lookup);
}

SEC("xdp")
int ecsdns(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct scratch *work = bpf_map_lookup_elem(&scratch, &zero);
	int reason;

	if (!work)
		return XDP_PASS;
	reason = answer_query(ctx, work);
	if (reason == REASON_GO) {
		count_reason(work->selection.outcome);
		count_answer(&work->selection);
		return XDP_TX;
	}
	count_reason(reason);
	return reason == REASON_WRITE_FAILED ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "GPL";
