// SPDX-License-Identifier: GPL-3.0-or-later
#include "user/controller/counts.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HITS_AT_ONCE 1024	/* 8 octets a CPU each */

_Static_assert(sizeof(struct counter) == sizeof(uint64_t), "per-CPU values lie eight octets apart");

const struct counts_reason counts_reasons[REASON_COUNT] = {
#define REASON(name, outcome, help) [REASON_##name] = {#name, #outcome, help},
#include "maps/counters.def"
#undef REASON
};

int counts_driver(const struct tables *tables, uint64_t sums[REASON_COUNT])
{
	int cpus = libbpf_num_possible_cpus(), fault;
	struct reasons *values = cpus > 0 ? calloc(cpus, sizeof(*values)) : NULL;
	uint32_t zero = 0;

	if (!values)
		return -ENOMEM;
	memset(sums, 0, REASON_COUNT * sizeof(*sums));
	fault = bpf_map_lookup_elem(tables->fd[TABLE_counters], &zero, values);
	for (int cpu = 0; cpu < cpus && !fault; cpu++)
		for (int i = REASON_GO + 1; i < REASON_COUNT; i++)
			sums[i] += *reasons_at(&values[cpu], i);
	free(values);
	return fault;
}

void counts_fallback(const struct tables *tables, uint64_t sums[REASON_COUNT])
{
	memset(sums, 0, REASON_COUNT * sizeof(*sums));
	for (uint32_t worker = 0; worker < tables->entries[TABLE_fallback_counters]; worker++)
		for (int i = REASON_GO + 1; i < REASON_COUNT; i++)
			sums[i] += __atomic_load_n(reasons_at(&tables->fallback_counters[worker], i), __ATOMIC_RELAXED);
}

int counts_capture(const struct tables *tables, struct capture_counts *sums)
{
	int cpus = libbpf_num_possible_cpus(), fault;
	struct capture_counts *values = cpus > 0 ? calloc(cpus, sizeof(*values)) : NULL;
	uint32_t zero = 0;

	memset(sums, 0, sizeof(*sums));
	if (!values)
		return -ENOMEM;
	fault = bpf_map_lookup_elem(tables->fd[TABLE_capture_counts], &zero, values);
	for (int cpu = 0; cpu < cpus && !fault; cpu++) {
		sums->copied += values[cpu].copied;
		sums->over += values[cpu].over;
		sums->full += values[cpu].full;
	}
	free(values);
	return fault;
}

static uint64_t hits_sum(const uint64_t *values, int cpus)
{
	uint64_t sum = 0;

	for (int cpu = 0; cpu < cpus; cpu++)
		sum += values[cpu];
	return sum;
}

int counts_hits(const struct tables *tables, enum table table, uint64_t *sums, uint32_t count)
{
	int cpus = libbpf_num_possible_cpus(), fault = cpus < 0 ? cpus : 0;
	uint64_t *values = cpus > 0 ? calloc((size_t)HITS_AT_ONCE * cpus, sizeof(*values)) : NULL;
	uint32_t keys[HITS_AT_ONCE], at = 0, end, got;

	if (!values)
		return fault ? fault : -ENOMEM;
	memset(sums, 0, count * sizeof(*sums));
	end = count < tables->entries[table] ? count : tables->entries[table];
	for (uint32_t first = 0; first < end && !fault; first += got) {
		got = end - first < HITS_AT_ONCE ? end - first : HITS_AT_ONCE;
		fault = bpf_map_lookup_batch(tables->fd[table], first ? &at : NULL, &at, keys, values, &got, NULL);
		if (fault == -ENOENT)		/* and these were the last */
			fault = first + got >= end ? 0 : -EIO;
		for (uint32_t i = 0; i < got && !fault; i++)
			if (keys[i] < count)
				sums[keys[i]] = hits_sum(&values[(size_t)i * cpus], cpus);
	}
	free(values);
	return fault;
}
