/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The configuration, read and checked but not yet compiled: what the YAML says, references resolved, defaults filled
 * in. Everything belongs to one arena and is freed at once. Nothing here is changed after config_parse().
 *
 * Names are kept as written in lower case (`text`, without the last dot) and as lowered wire names (`name`).
 */
#ifndef ECSDNS_CONTROLLER_CONFIG_H
#define ECSDNS_CONTROLLER_CONFIG_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maps/limits.h"
#include "user/common/bundle.h"
#include "user/common/faults.h"
#include "user/controller/topology.h"

#define CONFIG_FILE_OCTETS_MAX (16UL << 20)	/* of one YAML file; large tables go to `file:` of a topology */
#define CONFIG_NAMESERVERS_MAX 13		/* more would not fit a reply of 512 octets, as the root found */
#define CONFIG_RUNNING_DEFAULT 4096		/* checks at once: 10,000 every 5 s that all time out after 2 s are 4,000 */
#define CONFIG_RUNNING_MAX 65536
#define CONFIG_PROGRAMS_DEFAULT 32		/* a process each, or more */
#define CONFIG_PROGRAMS_MAX 1024
#define CONFIG_NONE UINT32_MAX			/* no such number */

struct config_name {
	uint8_t name[NAME_OCTETS_MAX + 1];
	uint16_t length;	/* octets on the wire, with the root */
	const char *text;	/* "." for the root */
};

struct config_address {
	uint8_t octets[16];	/* network order; IPv4 in the first 4 */
	uint8_t length;		/* 4 or 16 */
};

/* A list of prefixes of one family, and where each was written. */
struct config_prefixes {
	struct topology_prefix *prefixes;
	struct config_prefix_place {
		uint32_t file;	/* config->files[file] */
		uint32_t line, column;
	} *places;
	size_t count, room;
};

/* How long the client subnets are that resolvers send: 1 to 32 and 1 to 128. */
struct config_resolvers {
	uint8_t v4, v6;
};

/* As RFC 7871 11.1 recommends. */
#define CONFIG_RESOLVERS_DEFAULT ((struct config_resolvers){24, 56})

struct config_server {
	struct place place;
	struct config_address *addresses;
	size_t address_count;
	bool ecs;
	bool trust_all;		/* both whole families */
	struct config_prefixes trust4, trust6;	/* region 1 */
	struct config_resolvers resolvers;	/* for warnings alone */
	/* The zone of one name that a service outside every zone is. */
	struct config_name *nameservers;	/* none: "ns." before the service's name */
	size_t nameserver_count;
	struct config_name *hostmaster;		/* null: "hostmaster." before the service's name */
	bool hold_when_all_fail;		/* see health.h */
	uint32_t max_running;			/* checks at once, each with a socket */
	uint32_t max_programs;			/* checks at once of type exec */
};

struct config_zone {
	struct place place;
	struct config_name origin;
	const char *file;
};

#define CONFIG_CHECK_TYPES(X) X(http) X(https) X(tcp) X(dns) X(icmp) X(exec) X(file)
enum config_check_type {
#define X(name) CONFIG_CHECK_##name,
	CONFIG_CHECK_TYPES(X)
#undef X
	CONFIG_CHECK_TYPE_COUNT
};

#define CONFIG_STATUSES_MAX 16
#define CONFIG_BODY_OCTETS_MAX 65536	/* of a reply: what is looked for has to be in them */
#define CONFIG_REGEX_OCTETS_MAX 4096	/* likewise, with a pattern: what regexec() takes may grow with their square */
#define CONFIG_EXPECT_OCTETS_MAX 1024	/* likewise, with tcp */

struct config_status {
	uint16_t first, last;
};

struct config_check {
	struct place place;
	const char *name;
	enum config_check_type type;
	uint32_t interval, timeout;	/* milliseconds */
	uint32_t rise, fall;		/* results in a row */
	uint32_t grace;			/* milliseconds from the first check of a new member, in which failures do not count */
	struct config_address source4, source6;	/* to send from; length 0: the host chooses */
	uint16_t port;			/* http, https, tcp, dns */
	struct config_status *statuses;	/* http, https: expected */
	size_t status_count;
	const char *path;		/* http, https: of the URL; file: of the file, {pool}, {member}, {address} in it */
	const char *host;		/* http, https: Host header and TLS server name; null: the member's address */
	const char *body;		/* http, https: must be in the body; null: anything will do */
	const char *body_regex;		/* likewise, as an extended regular expression (POSIX) */
	regex_t *regex;			/* it, compiled */
	bool verify;			/* https: the certificate */
	const char *ca_file;		/* https: who may have signed it, on the controller's host; null: the system's */
	struct config_name *query;	/* dns */
	uint16_t query_type;		/* dns */
	uint8_t rcode;			/* dns: expected */
	const char *answer;		/* dns: data of a record that must be there, as text; null: none needs to */
	const char *send;		/* tcp: after connecting; null: nothing */
	const char *expect;		/* tcp: must be in the reply; null: to be connected is enough */
	const char **command;		/* exec: arguments, ended by null */
};

#define CONFIG_METHODS(X) X(all) X(failover) X(weighted) X(hash)
enum config_method {
#define X(name) CONFIG_METHOD_##name,
	CONFIG_METHODS(X)
#undef X
	CONFIG_METHOD_COUNT
};

struct config_member {
	struct place place;
	const char *name;
	struct config_address address;
	uint32_t weight;	/* 0 to 65535 */
};

struct config_pool {
	struct place place;
	const char *name;
	uint32_t check;			/* CONFIG_NONE: up, unless somebody says otherwise */
	enum config_method method;
	uint32_t max_answers;
	uint8_t spread4, spread6;	/* of method hash: the largest blocks that get one member each; 0: a region's */
	uint32_t min_up;		/* of the members of a type: with fewer up it is down for that type */
	uint32_t *depends_on;		/* numbers: it is down while any of these is */
	size_t depends_count;
	struct config_member *members;
	size_t member_count;
	uint32_t first_member;		/* number of members[0] over all pools, or of the CNAME, for struct health */
	struct config_name *cname;	/* then there are no members */
};

/* How many numbers it has from first_member on. */
static inline size_t config_pool_states(const struct config_pool *pool)
{
	return pool->cname ? 1 : pool->member_count;
}

struct config_region {
	struct place place;		/* that named it first */
	const char *name;
};

struct config_topology {
	struct place place;
	const char *name;
	struct config_region *regions;	/* regions[0] is the default */
	size_t region_count;
	struct config_prefixes v4, v6;	/* of these regions; sorted by address and length, none twice */
};

#define CONFIG_ALL_DOWN(X) X(serve_all) X(nodata) X(pool)
enum config_all_down {
#define X(name) CONFIG_ALL_DOWN_##name,
	CONFIG_ALL_DOWN(X)
#undef X
	CONFIG_ALL_DOWN_COUNT
};

struct config_service {
	struct place place;
	struct config_name name;
	uint32_t topology;		/* number */
	uint32_t ttl;			/* seconds */
	bool ecs;
	struct config_preference {
		struct place place;
		uint32_t *pools;	/* numbers, at least one, in order of preference */
		size_t count;
	} *regions;			/* as many as the topology has */
	enum config_all_down when_all_down;
	uint32_t all_down_pool;		/* for CONFIG_ALL_DOWN_pool */
	struct place all_down_place;
};

struct config {
	struct arena *arena;
	uint64_t serial;		/* of this process; never that of another one, as an address may be */
	const char **files;		/* YAML files and prefix tables, the main file first */
	size_t file_count;
	struct config_server server;
	struct config_zone *zones;
	size_t zone_count;
	struct config_check *checks;
	size_t check_count;
	struct config_pool *pools;
	size_t pool_count;
	uint32_t *pool_order;		/* all pools, each behind those that it depends on */
	struct config_topology *topologies;
	size_t topology_count;
	struct config_service *services;
	size_t service_count;
	uint32_t member_count;		/* of all pools, CNAMEs counted */
};

/* For those who only want zones and the names of services: no topologies are read, services have no regions. */
#define CONFIG_WITHOUT_PREFIXES 0x1

/*
 * Reads the bundle's main file and all that it includes, and fetches every file they name into the bundle: prefix
 * tables and zone files too, though zone files are not read here (zone_load() does, and fetches their $INCLUDEs).
 * The configuration does not point into the bundle.
 *
 * 0 with *out for the caller to config_free(), maybe with warnings; else -EINVAL or -ENOMEM with errors in `faults`.
 */
int config_parse(struct bundle *bundle, unsigned int flags, struct config **out, struct faults *faults);
void config_free(struct config *config);	/* null is fine */

/* The whole way from a file to a bundle that holds all but $INCLUDEd zone files, for ecsctl: main file at `path`. */
int config_read_disk(const char *path, struct bundle **bundle, struct config **out, struct faults *faults);

/* Do these two ask the same and expect the same? Names and how often do not matter. */
bool config_check_equal(const struct config_check *one, const struct config_check *other);

extern const char *const config_check_type_names[CONFIG_CHECK_TYPE_COUNT];
extern const char *const config_method_names[CONFIG_METHOD_COUNT];

#endif
