// SPDX-License-Identifier: GPL-3.0-or-later
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/vectors/program.h"

static int open_pin(const char *pins, const char *name)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", pins, name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
	return fd;
}

/* The MAC that the loader listed for the interface. */
static int program_mac(struct program *program, const char *pins)
{
	int interfaces = open_pin(pins, "interfaces"), missing;
	struct interface interface;

	if (interfaces < 0)
		return -ENOENT;
	missing = bpf_map_lookup_elem(interfaces, &program->ifindex, &interface) || !interface.count;
	close(interfaces);
	if (missing) {
		fprintf(stderr, "interface %u is not in the map `interfaces`: attach first\n", program->ifindex);
		return -ENOENT;
	}
	memcpy(program->mac, interface.macs[0], sizeof(program->mac));
	return 0;
}

int program_open(struct program *program, const char *pins, unsigned int ifindex)
{
	memset(program, 0, sizeof(*program));
	program->ifindex = ifindex;
	program->cpus = libbpf_num_possible_cpus();
	program->per_cpu = calloc(program->cpus, sizeof(*program->per_cpu));
	program->fd = open_pin(pins, "program");
	program->counters = open_pin(pins, "counters");
	if (!program->per_cpu || program->fd < 0 || program->counters < 0)
		return -ENOENT;
	return program_mac(program, pins);
}

void program_close(struct program *program)
{
	free(program->per_cpu);
	if (program->fd >= 0)
		close(program->fd);
	if (program->counters >= 0)
		close(program->counters);
}

int program_run(const struct program *program, const struct frame *in, struct frame *out, uint32_t *verdict)
{
	struct xdp_md context = { .data_end = in->length, .ingress_ifindex = program->ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = in->octets, .data_size_in = in->length,
		    .data_out = out->octets, .data_size_out = sizeof(out->octets), .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = 1);
	int code = bpf_prog_test_run_opts(program->fd, &options);

	out->length = options.data_size_out;
	*verdict = options.retval;
	return code;
}

int program_counters(const struct program *program, uint64_t counts[REASON_COUNT])
{
	uint32_t zero = 0;
	unsigned int cpu, reason;

	memset(counts, 0, REASON_COUNT * sizeof(counts[0]));
	if (bpf_map_lookup_elem(program->counters, &zero, program->per_cpu))
		return -errno;
	for (cpu = 0; cpu < program->cpus; cpu++)
		for (reason = 1; reason < REASON_COUNT; reason++)
			counts[reason] += *reasons_at(&program->per_cpu[cpu], reason);
	return 0;
}
