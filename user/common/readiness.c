// SPDX-License-Identifier: GPL-3.0-or-later
#include "user/common/readiness.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

uint64_t readiness_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* Seconds; below 0: no controller has written since the tables were made. */
static double readiness_age(const struct tables *tables)
{
	uint64_t current = __atomic_load_n(&tables->health->current, __ATOMIC_RELAXED), now = readiness_now();

	if (!current)
		return -1;
	return now > current ? (now - current) / 1e9 : 0;
}

json_t *readiness_health(const struct tables *tables)
{
	const struct health_state *health = tables->health;
	double age = readiness_age(tables);

	return json_pack("{s:o, s:I, s:I, s:b}", "age", age < 0 ? json_null() : json_real(age),
			 "checked", (json_int_t)__atomic_load_n(&health->checked, __ATOMIC_RELAXED),
			 "down", (json_int_t)__atomic_load_n(&health->down, __ATOMIC_RELAXED),
			 "holding", __atomic_load_n(&health->holding, __ATOMIC_RELAXED) != 0);
}

static const char *interface_mode(int ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	if (bpf_xdp_query(ifindex, 0, &query))
		return "unknown";
	switch (query.attach_mode) {
	case XDP_ATTACHED_DRV: return "native";
	case XDP_ATTACHED_SKB: return "generic";
	case XDP_ATTACHED_HW: return "offloaded";
	case XDP_ATTACHED_MULTI: return "several";
	default: return "none";
	}
}

/* The loader registers an interface when it attaches; a program may still have been taken off by somebody else. */
json_t *readiness_interfaces(const struct tables *tables, size_t *attached)
{
	uint32_t ifindex, *last = NULL, previous;
	json_t *list = json_array();
	char name[IF_NAMESIZE];
	const char *mode;

	*attached = 0;
	while (!bpf_map_get_next_key(tables->fd[TABLE_interfaces], last, &ifindex)) {
		previous = ifindex;
		last = &previous;
		mode = if_indextoname(ifindex, name) ? interface_mode(ifindex) : "gone";
		if (!strcmp(mode, "gone"))
			snprintf(name, sizeof(name), "%u", ifindex);
		*attached += strcmp(mode, "gone") && strcmp(mode, "none");
		json_array_append_new(list, json_pack("{s:s, s:I, s:s}", "interface", name, "ifindex", (json_int_t)ifindex,
						      "mode", mode));
	}
	return list;
}

static void missing_age(const struct tables *tables, uint32_t age_max, json_t *list)
{
	double age = readiness_age(tables);

	if (age < 0)
		json_array_append_new(list, json_string("no controller has told the states of members yet; start "
							"ecsdns-controller"));
	else if (age > age_max)
		json_array_append_new(list, json_sprintf("the states of members are %.0f s old, more than %u s: the controller "
							 "does not run, or is behind with its checks", age, age_max));
}

json_t *readiness_missing(const struct tables *tables, const char *pins, size_t attached, uint32_t age_max)
{
	json_t *list = json_array();

	if (!tables_are_pinned(tables, pins))
		json_array_append_new(list, json_sprintf("%s: %s", pins, READINESS_TABLES_GONE));
	if (tables_generation(tables_control(tables)))
		missing_age(tables, age_max, list);
	else
		json_array_append_new(list, json_string("no configuration has been published; `ecsctl push FILE`"));
	if (!attached)
		json_array_append_new(list, json_string("the program is attached to no interface; "
							"`ecsdns-loader attach IFACE`"));
	return list;
}
