// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * load send INTERFACE SECONDS FRAME CLIENT-AT CLIENT-MASK: sends queries from within the kernel, counts what comes back.
 * load reflect|reflect-grow INTERFACE: puts a reflector there, which stays.
 *
 * `sink` of load.bpf.c is attached to the interface for the time. FRAME and CLIENT-MASK are hexadecimal, the mask eight
 * octets, of which bits that are set are drawn anew in every frame; tests/bench/frame.py writes these three. One line
 * of JSON: frames sent, frames back, answers among them, seconds, seconds of processor time of the whole machine.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/load.h"

#include "load.skel.h"

#define REPEAT 65536		/* frames of one system call */
#define BATCH 64		/* frames the kernel keeps in flight at once */
#define SETTLE_MS 20		/* for what is still under way */

struct run {
	struct load_bpf *bpf;
	int ifindex;
	double seconds;
};

static void __attribute__((noreturn)) fail(const char *what, int code)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(code < 0 ? -code : errno));
	exit(1);
}

static double now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return at.tv_sec + at.tv_nsec / 1e9;
}

/* Seconds that all processors were busy since the machine started. */
static double busy(void)
{
	unsigned long long user, nice, system, idle, wait, irq, softirq;
	FILE *file = fopen("/proc/stat", "r");

	if (!file || fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system, &idle, &wait, &irq,
			    &softirq) != 7)
		fail("/proc/stat", -EIO);
	fclose(file);
	return (double)(user + nice + system + irq + softirq) / sysconf(_SC_CLK_TCK);
}

static void hex_read(const char *text, void *octets, size_t room, size_t *length)
{
	if (sodium_hex2bin(octets, room, text, strlen(text), NULL, length, NULL))
		fail(text, -EINVAL);
}

/* Returns the frames sent. */
static uint64_t generate(const struct run *run)
{
	uint8_t frame[LOAD_FRAME_OCTETS + 1] = {0};
	uint32_t length = run->bpf->bss->load.length;
	struct xdp_md context = {.data_end = length + 1, .ingress_ifindex = run->ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = length + 1,
		    .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = REPEAT, .batch_size = BATCH,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES);
	double end = now() + run->seconds;
	uint64_t sent = 0;

	while (now() < end) {
		int code = bpf_prog_test_run_opts(bpf_program__fd(run->bpf->progs.generate), &options);

		if (code)
			fail("running the generator", code);
		sent += REPEAT;
	}
	return sent;
}

static void attach(const struct run *run, const struct bpf_program *program)
{
	if (bpf_xdp_attach(run->ifindex, bpf_program__fd(program), XDP_FLAGS_DRV_MODE, NULL))
		fail("attaching", 0);
}

static void measure(struct run *run)
{
	double began, took, busy_before;
	struct seen seen;
	uint64_t sent;

	attach(run, run->bpf->progs.sink);
	busy_before = busy();
	began = now();
	sent = generate(run);
	took = now() - began;
	usleep(SETTLE_MS * 1000);
	seen = run->bpf->bss->seen;
	printf("{\"sent\": %" PRIu64 ", \"back\": %" PRIu64 ", \"answers\": %" PRIu64 ", \"seconds\": %.3f, \"busy\": %.2f}\n",
	       sent, (uint64_t)seen.frames, (uint64_t)seen.answers, took, busy() - busy_before);
}

/* FRAME CLIENT-AT CLIENT-MASK */
static void describe(struct load *load, char **arguments)
{
	size_t length;

	hex_read(arguments[0], load->frame, sizeof(load->frame), &length);
	load->length = length;
	load->client_at = strtoul(arguments[1], NULL, 10);
	hex_read(arguments[2], &load->client_mask, sizeof(load->client_mask), &length);
	load->id_at = load->frame[12] == 0x86 ? 62 : 42;	/* behind Ethernet, IP and UDP */
	load->id_mask = 0xffff;
	load->port_at = load->id_at - 8;
	load->port_mask = 0xff0f;	/* as it lies in memory: 4,096 ports */
}

int main(int argc, char **argv)
{
	struct run run = {0};

	if (argc != 3 && (argc != 7 || strcmp(argv[1], "send"))) {
		fprintf(stderr, "usage: load send INTERFACE SECONDS FRAME CLIENT-AT CLIENT-MASK\n"
				"       load reflect|reflect-grow INTERFACE\n");
		return 2;
	}
	run.ifindex = if_nametoindex(argv[2]);
	if (!run.ifindex)
		fail(argv[2], 0);
	run.bpf = load_bpf__open_and_load();
	if (!run.bpf)
		fail("load.bpf.o", 0);
	if (argc == 3) {
		attach(&run, strcmp(argv[1], "reflect") ? run.bpf->progs.reflect_grow : run.bpf->progs.reflect);
	} else {
		run.seconds = atof(argv[3]);
		describe(&run.bpf->bss->load, argv + 4);
		measure(&run);
	}
	load_bpf__destroy(run.bpf);
	return 0;
}
