/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The pinned program, run on frames by BPF_PROG_RUN as if they came in on an interface. */
#ifndef ECSDNS_TESTS_PROGRAM_H
#define ECSDNS_TESTS_PROGRAM_H

#include "maps/abi.h"
#include "tests/vectors/frame.h"

struct program {
	int fd, counters;
	unsigned int ifindex, cpus;
	uint8_t mac[MAC_OCTETS];	/* the interface's */
	struct reasons *per_cpu;
};

/* 0, or -ENOENT with a line on standard error; program_close() may follow either. */
int program_open(struct program *program, const char *pins, unsigned int ifindex);
void program_close(struct program *program);

/* 0, or -errno. `out` is the frame as the program leaves it, whatever its verdict (enum xdp_action). */
int program_run(const struct program *program, const struct frame *in, struct frame *out, uint32_t *verdict);

/* How often the driver has counted each reason, summed over the CPUs. 0, or -errno. */
int program_counters(const struct program *program, uint64_t counts[REASON_COUNT]);

#endif
