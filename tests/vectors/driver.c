// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The vectors through the driver: BPF_PROG_RUN on the pinned program, with the interface's number as the one that the
 * frame came in on. Frames are made and judged here with code of our own, or stand whole in the vector.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>

#include "tests/vectors/print.h"
#include "tests/vectors/program.h"
#include "tests/vectors/run.h"

/* In a vector's frames this stands for the interface's own MAC. */
static const uint8_t server_mac[MAC_OCTETS] = { 0x02, 0xec, 0x5d, 0, 0, 1 };
static const uint8_t client_mac[MAC_OCTETS] = { 0x02, 0xec, 0x5d, 0, 0, 2 };

static int run_vector(const struct program *program, const struct vector *vector);

int run_driver(const struct vectors *vectors, const char *pins, unsigned int ifindex, struct tally *tally)
{
	struct program program;
	int code = program_open(&program, pins, ifindex);
	size_t i;

	for (i = 0; !code && i < vectors->count; i++) {
		if (vectors->list[i].verdict == VERDICT_NONE)
			continue;
		tally_count(tally, &vectors->list[i], "driver", run_vector(&program, &vectors->list[i]));
	}
	program_close(&program);
	return code;
}

/* -- frames -- */

/* A vector's whole frame with the interface's MAC in it. */
static void frame_take(struct frame *frame, const struct program *program, const struct octets *octets)
{
	memcpy(frame->octets, octets->data, octets->length);
	frame->length = octets->length;
	if (frame->length >= 2 * MAC_OCTETS && !memcmp(frame->octets, server_mac, MAC_OCTETS))
		memcpy(frame->octets, program->mac, MAC_OCTETS);
	if (frame->length >= 2 * MAC_OCTETS && !memcmp(frame->octets + MAC_OCTETS, server_mac, MAC_OCTETS))
		memcpy(frame->octets + MAC_OCTETS, program->mac, MAC_OCTETS);
}

static struct ends link_ends(const struct vector *vector, const struct program *program)
{
	struct ends ends = vector_ends(vector);

	memcpy(ends.client_mac, client_mac, MAC_OCTETS);
	memcpy(ends.server_mac, program->mac, MAC_OCTETS);
	return ends;
}

/* -- one vector -- */

static int complain(const struct vector *vector, const char *what)
{
	printf("not ok - %s:%u: %s (driver, IPv%u): %s\n", vector->file, vector->line, vector->name, vector->version, what);
	return 1;
}

/* The vector's reason by one, nothing else; but frames of others may be counted as NOT_DNS meanwhile. */
static int counters_check(const struct vector *vector, const uint64_t *before, const uint64_t *after)
{
	unsigned int reason;
	char text[160];

	for (reason = 1; reason < REASON_COUNT; reason++) {
		uint64_t moved = after[reason] - before[reason], want = reason == vector->reason;

		if (moved == want || (reason == REASON_NOT_DNS && moved > want))
			continue;
		snprintf(text, sizeof(text), "counter %s moved by %llu, expected was %s", vector_reasons[reason],
			 (unsigned long long)moved, vector_reasons[vector->reason]);
		return complain(vector, text);
	}
	return 0;
}

static int check_reply(const struct program *program, const struct vector *vector, const struct frame *out)
{
	struct ends ends = link_ends(vector, program);
	struct frame want;
	const char *fault;
	size_t at;

	if (vector->reply_frame.data) {
		frame_take(&want, program, &vector->reply_frame);
		if (want.length == out->length && !memcmp(want.octets, out->octets, want.length))
			return 0;
		complain(vector, "another reply frame");
		print_octets(want.octets, want.length, out->octets, out->length);
		return 1;
	}
	fault = frame_check(out, &ends, &at);
	if (fault) {
		complain(vector, fault);
		print_octets(NULL, 0, out->octets, out->length);
		return 1;
	}
	if (out->length - at == vector->reply.length && !memcmp(out->octets + at, vector->reply.data, vector->reply.length))
		return 0;
	complain(vector, "another reply");
	print_messages(vector->reply.data, vector->reply.length, out->octets + at, out->length - at);
	return 1;
}

static int run_vector(const struct program *program, const struct vector *vector)
{
	uint64_t before[REASON_COUNT], after[REASON_COUNT];
	struct ends ends = link_ends(vector, program);
	static struct frame in, out;
	uint32_t verdict;
	char text[160];

	if (vector->query_frame.data)
		frame_take(&in, program, &vector->query_frame);
	else
		frame_make(&in, &ends, vector->query.data, vector->query.length);
	if (program_counters(program, before) || program_run(program, &in, &out, &verdict) ||
	    program_counters(program, after)) {
		snprintf(text, sizeof(text), "BPF_PROG_RUN: %s", strerror(errno));
		return complain(vector, text);
	}
	if (verdict != (vector->verdict == VERDICT_TX ? XDP_TX : XDP_PASS)) {
		snprintf(text, sizeof(text), "verdict %u", verdict);
		complain(vector, text);
		counters_check(vector, before, after);
		return 1;
	}
	if (counters_check(vector, before, after))
		return 1;
	if (vector->verdict == VERDICT_TX)
		return check_reply(program, vector, &out);
	if (out.length == in.length && !memcmp(in.octets, out.octets, in.length))
		return 0;
	complain(vector, "passed, but changed");
	print_octets(in.octets, in.length, out.octets, out.length);
	return 1;
}
