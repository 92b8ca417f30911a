// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Generated queries through the driver, by BPF_PROG_RUN: what it answers goes into a file, for the fallback's replies to be
 * held against.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/replay/answers.h"
#include "tests/replay/coverage.h"
#include "tests/replay/replay.h"
#include "tests/replay/show.h"
#include "tests/vectors/print.h"
#include "tests/vectors/program.h"
#include "tests/vectors/vector.h"

enum outcome { TX, PASS, DROP };

static const enum outcome outcomes[REASON_COUNT] = {
	PASS,
#define REASON(name, outcome, help) outcome,
#include "maps/counters.def"
#undef REASON
};

static const uint8_t client_mac[MAC_OCTETS] = { 0x02, 0xec, 0x5d, 0, 0, 2 };

struct run {
	const struct options *options;
	struct program program;
	struct coverage *coverage;
	FILE *answers;
	uint64_t begun[REASON_COUNT], counts[REASON_COUNT];	/* before the first, and as last read */
	uint64_t forms[3], answered[3];			/* by enum form */
	uint64_t passed[3][REASON_COUNT];		/* left to the fallback, by enum form */
	uint64_t with_cookie;				/* of the service queries that were answered */
	uint64_t wrong;
};

static int run_begin(struct run *run, const struct options *options, const struct targets *targets);
static int run_one(struct run *run, uint64_t number, struct asked *asked);
static void run_report(struct run *run);
static void run_end(struct run *run);

int replay_driver(const struct options *options, const struct targets *targets)
{
	struct run run = { 0 };
	struct asked asked;
	uint64_t i;
	int code;

	code = run_begin(&run, options, targets);
	for (i = 0; !code && i < options->count; i++) {
		replay_query(options, &asked, targets, options->first + i);
		code = run_one(&run, options->first + i, &asked);
	}
	if (code)
		fprintf(stderr, "replay: %s\n", strerror(-code));
	else
		run_report(&run);
	run_end(&run);
	return code ? 2 : run.wrong ? 1 : 0;
}

static int run_begin(struct run *run, const struct options *options, const struct targets *targets)
{
	int code = program_open(&run->program, options->pins, options->ifindex);

	run->options = options;
	run->coverage = coverage_new(targets);
	run->answers = fopen(options->answers, "w");
	if (!run->answers)
		return -errno;
	if (!run->coverage)
		return -ENOMEM;
	if (!code)
		code = program_counters(&run->program, run->counts);
	memcpy(run->begun, run->counts, sizeof(run->begun));
	return code;
}

static void run_end(struct run *run)
{
	program_close(&run->program);
	coverage_free(run->coverage);
	if (run->answers)
		fclose(run->answers);
}

/* Under which reason a query was passed, by what moved since the one before. Frames of others are NOT_DNS. */
static unsigned int find_reason(struct run *run)
{
	uint64_t counts[REASON_COUNT];
	unsigned int reason, found = REASON_NOT_DNS;

	if (program_counters(&run->program, counts))
		return 0;
	for (reason = 1; reason < REASON_COUNT; reason++)
		if (outcomes[reason] != TX && reason != REASON_NOT_DNS && counts[reason] != run->counts[reason])
			found = reason;
	memcpy(run->counts, counts, sizeof(counts));
	return found;
}

static int passed(struct run *run, uint64_t number, const struct asked *asked, const struct frame *in, const struct frame *out)
{
	unsigned int reason = find_reason(run);

	run->passed[asked->form][reason]++;
	if (in->length != out->length || memcmp(in->octets, out->octets, in->length)) {
		run->wrong++;
		if (show_wrong_number(run->options->seed, number, asked, "passed up, but changed"))
			print_octets(in->octets, in->length, out->octets, out->length);
	}
	return answer_store(run->answers, in->octets, 0) ? -EIO : 0;
}

static int answered(struct run *run, uint64_t number, const struct asked *asked, const struct ends *ends,
		    const struct frame *out)
{
	const char *fault;
	size_t at;

	run->answered[asked->form]++;
	run->with_cookie += asked->form == FORM_SERVICE && asked->cookie_at;
	fault = frame_check(out, ends, &at);
	if (!fault)
		return answer_store(run->answers, out->octets + at, out->length - at) ? -EIO : 0;
	run->wrong++;
	if (show_wrong_number(run->options->seed, number, asked, fault))
		print_octets(NULL, 0, out->octets, out->length);
	return answer_store(run->answers, out->octets, 0) ? -EIO : 0;
}

static int run_one(struct run *run, uint64_t number, struct asked *asked)
{
	static struct frame in, out;
	struct ends *ends = &asked->ends;
	uint32_t verdict;
	char text[64];

	memcpy(ends->client_mac, client_mac, MAC_OCTETS);
	memcpy(ends->server_mac, run->program.mac, MAC_OCTETS);
	frame_make(&in, ends, asked->octets, asked->length);
	if (program_run(&run->program, &in, &out, &verdict))
		return -errno;
	run->forms[asked->form]++;
	coverage_count(run->coverage, asked, verdict == XDP_TX);
	if (verdict == XDP_TX)
		return answered(run, number, asked, ends, &out);
	if (verdict == XDP_PASS)
		return passed(run, number, asked, &in, &out);
	run->wrong++;
	snprintf(text, sizeof(text), "verdict %u", verdict);
	show_wrong_number(run->options->seed, number, asked, text);
	return answer_store(run->answers, in.octets, 0) ? -EIO : 0;
}

static void run_report(struct run *run)
{
	unsigned int reason;

	find_reason(run);
	for (reason = 1; reason < REASON_COUNT; reason++) {
		if (outcomes[reason] == TX)
			printf("answered as %s: %lu\n", vector_reasons[reason], run->counts[reason] - run->begun[reason]);
		if (run->passed[FORM_SERVICE][reason])
			printf("left to the fallback as %s: %lu well-formed service queries\n", vector_reasons[reason],
			       run->passed[FORM_SERVICE][reason]);
		if (run->options->mix && outcomes[reason] == PASS)
			printf("passed as %s: %lu %lu %lu\n", vector_reasons[reason], run->passed[FORM_SERVICE][reason],
			       run->passed[FORM_OTHER][reason], run->passed[FORM_DAMAGED][reason]);
	}
	coverage_print(run->coverage);
	printf("asked %lu service %lu answered %lu with_cookie %lu other %lu damaged %lu damaged_answered %lu wrong %lu\n",
	       run->options->count, run->forms[FORM_SERVICE], run->answered[FORM_SERVICE], run->with_cookie, run->forms[FORM_OTHER],
	       run->forms[FORM_DAMAGED], run->answered[FORM_DAMAGED], run->wrong);
}
