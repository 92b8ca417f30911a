// SPDX-License-Identifier: GPL-3.0-or-later
/* GET status: what is live, what it fills, and whether this host should attract traffic. */
#include "user/controller/api.h"

#include <netinet/in.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "user/common/readiness.h"
#include "user/common/version.h"

/* -- is somebody listening for what the driver passes up? -- */

/* One line of /proc/net/udp or udp6: "  sl: LOCAL:PORT ...", addresses as host-order words in hexadecimal. */
static bool status_line_listens(const char *line, const uint8_t *address, size_t octets)
{
	char text[33];
	unsigned int port;
	uint32_t words[4] = {0};
	static const uint8_t any[16];

	if (sscanf(line, " %*[0-9]: %32[0-9A-F]:%4X", text, &port) != 2 || port != 53 || strlen(text) != octets * 2)
		return false;
	for (size_t i = 0; i < octets / 4; i++)
		if (sscanf(text + i * 8, "%8x", &words[i]) != 1)
			return false;
	return !memcmp(words, address, octets) || !memcmp(words, any, octets);
}

static bool status_file_listens(const char *path, const uint8_t *address, size_t octets)
{
	FILE *file = fopen(path, "re");
	char line[512];
	bool listens = false;

	while (file && !listens && fgets(line, sizeof(line), file))
		listens = status_line_listens(line, address, octets);
	if (file)
		fclose(file);
	return listens;
}

static bool status_listens(const struct config_address *address)
{
	if (address->length == 4 && status_file_listens("/proc/net/udp", address->octets, 4))
		return true;
	return address->length == 16 && status_file_listens("/proc/net/udp6", address->octets, 16);
}

static json_t *status_addresses(const struct controller *controller)
{
	const struct config_server *server = controller->live ? &controller->live->config->server : NULL;
	char text[INET6_ADDRSTRLEN];
	json_t *list = json_array();

	for (size_t i = 0; server && i < server->address_count; i++) {
		const struct config_address *address = &server->addresses[i];

		inet_ntop(address->length == 4 ? AF_INET : AF_INET6, address->octets, text, sizeof(text));
		json_array_append_new(list, json_pack("{s:s, s:b}", "address", text,
						      "fallback_listens", status_listens(address)));
	}
	return list;
}

static json_t *status_tables(const struct controller *controller)
{
	static const enum table shown[] = {
		TABLE_addresses, TABLE_names_short, TABLE_names_long, TABLE_topology4, TABLE_topology6, TABLE_indices,
		TABLE_answers,
	};
	json_t *list = json_array();

	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
		json_array_append_new(list, json_pack("{s:s, s:I, s:I}", "table", table_name(shown[i]),
						      "used", (json_int_t)controller->used[shown[i]],
						      "entries", (json_int_t)controller->tables.entries[shown[i]]));
	return list;
}

/* What verdicts have made of the answers since the start. */
static json_t *status_reactions(const struct controller *controller)
{
	struct publisher_reactions reactions = publisher_reactions(&controller->publisher);

	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "count", (json_int_t)reactions.count,
			 "answers_changed", (json_int_t)reactions.indices, "entries_written", (json_int_t)reactions.entries,
			 "grace_periods", (json_int_t)reactions.graces, "answers_behind", (json_int_t)reactions.missing);
}

/* What the tables do not tell: until the start is done they may be behind. */
static json_t *status_missing(const struct controller *controller, size_t attached, uint32_t age_max)
{
	json_t *list = readiness_missing(&controller->tables, controller->pins, attached, age_max);

	if (!controller->has_begun)
		json_array_append_new(list, json_string("the start is not finished; wait"));
	return list;
}

json_t *status_json(const struct controller *controller, uint32_t age_max)
{
	uint32_t generation = publisher_generation(&controller->publisher);
	const struct generation *live = controller->live && controller->live->number == generation ? controller->live : NULL;
	size_t attached;
	json_t *interfaces = readiness_interfaces(&controller->tables, &attached);
	json_t *missing = status_missing(controller, attached, age_max);
	json_t *status = json_pack("{s:s, s:i, s:s, s:s, s:I, s:o, s:I, s:I, s:b, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"version", ECSDNS_VERSION, "abi", ECSDNS_ABI_VERSION, "pins", controller->pins,
		"state", controller->state_path, "started", (json_int_t)controller->started,
		"settings", health_settings(controller),
		"generation", (json_int_t)generation, "published", (json_int_t)(live ? live->published : 0),
		"ready", !json_array_size(missing), "doing", publisher_phase(&controller->publisher),
		"summary", live ? generation_summary(live) : json_null(),
		"tables", status_tables(controller), "interfaces", interfaces, "reactions", status_reactions(controller),
		"health", readiness_health(&controller->tables),
		"addresses", status_addresses(controller), "not_ready", missing);

	return status;
}
