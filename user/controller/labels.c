// SPDX-License-Identifier: GPL-3.0-or-later
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/controller/labels.h"

static int labels_clear_counter(int hits, uint32_t id)
{
	int cpus = libbpf_num_possible_cpus(), fault;
	struct counter *zeros = cpus > 0 ? calloc(cpus, sizeof(*zeros)) : NULL;

	if (!zeros)
		return -ENOMEM;
	fault = bpf_map_update_elem(hits, &id, zeros, BPF_ANY);
	free(zeros);
	return fault;
}

/* `name` and `held` are of the table's value size. */
static int labels_set(int names, int hits, uint32_t id, const void *name, void *held, size_t octets)
{
	int fault = bpf_map_lookup_elem(names, &id, held);

	if (!fault && !memcmp(name, held, octets))
		return 0;
	if (!fault)
		fault = labels_clear_counter(hits, id);
	else if (fault == -ENOENT)
		fault = 0;
	return fault ? fault : bpf_map_update_elem(names, &id, name, BPF_ANY);
}

static int labels_write_services(const struct tables *tables, const struct compiled *compiled)
{
	struct service_name name, held;
	int fault = 0;

	for (size_t i = 0; i < compiled->service_count && !fault; i++) {
		memset(&name, 0, sizeof(name));
		snprintf(name.name, sizeof(name.name), "%s", compiled->services[i].text);
		fault = labels_set(tables->fd[TABLE_service_names], tables->fd[TABLE_service_hits],
				  compiled->services[i].value.id, &name, &held, sizeof(name));
	}
	return fault;
}

static int labels_write_regions(const struct tables *tables, const struct compiled_topology *topology)
{
	struct region_name name, held;
	int fault = 0;

	for (size_t i = 0; i < topology->region_count && !fault; i++) {
		memset(&name, 0, sizeof(name));
		snprintf(name.topology, sizeof(name.topology), "%s", topology->name);
		snprintf(name.region, sizeof(name.region), "%s", topology->regions[i].name);
		fault = labels_set(tables->fd[TABLE_region_names], tables->fd[TABLE_region_hits], topology->regions[i].id,
				  &name, &held, sizeof(name));
	}
	return fault;
}

int labels_write(const struct tables *tables, const struct compiled *compiled, struct faults *faults)
{
	int fault = labels_write_services(tables, compiled);

	for (size_t i = 0; i < compiled->topology_count && !fault; i++)
		if (compiled->topologies[i].number != TOPOLOGY_TRUST)
			fault = labels_write_regions(tables, &compiled->topologies[i]);
	if (fault)
		faults_error(faults, NULL, "naming services and regions: %s", strerror(-fault));
	return fault;
}

/* Keys are collected first: deleting while walking a hash begins the walk again. */
static int labels_drop_unused(int names, const struct ids_table *ids)
{
	uint32_t *unused = NULL, *more, id, *last = NULL, previous;
	size_t count = 0, i;
	int fault;

	while (!(fault = bpf_map_get_next_key(names, last, &id))) {
		previous = id;
		last = &previous;
		if (id < ids->count && ids->entries[id].name)
			continue;
		more = reallocarray(unused, count + 1, sizeof(*unused));
		if (!more) {
			free(unused);
			return -ENOMEM;
		}
		unused = more;
		unused[count++] = id;
	}
	for (fault = fault == -ENOENT ? 0 : fault, i = 0; i < count && !fault; i++)
		fault = bpf_map_delete_elem(names, &unused[i]);
	free(unused);
	return fault;
}

int labels_drop(const struct tables *tables, const struct ids *ids)
{
	int fault = labels_drop_unused(tables->fd[TABLE_service_names], &ids->services);

	return fault ? fault : labels_drop_unused(tables->fd[TABLE_region_names], &ids->regions);
}
