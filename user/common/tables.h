/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The pinned maps, opened and mapped by a program in user space. What they hold: maps/abi.h.
 */
#ifndef ECSDNS_USER_TABLES_H
#define ECSDNS_USER_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maps/abi.h"

/* Every table: name of the map and its pin, size of key and value. */
#define TABLES(X)								\
	X(control, sizeof(uint32_t), sizeof(struct control))			\
	X(settings, sizeof(uint32_t), sizeof(struct settings))			\
	X(addresses, sizeof(struct address_key), sizeof(uint32_t))		\
	X(interfaces, sizeof(uint32_t), sizeof(struct interface))		\
	X(names_short, sizeof(struct name_short_key), sizeof(struct service))	\
	X(names_long, sizeof(struct name_long_key), sizeof(struct service))	\
	X(topology4, sizeof(struct topology4_key), sizeof(struct topology4_entry)) \
	X(topology6, sizeof(struct topology6_key), sizeof(struct topology6_entry)) \
	X(indices, sizeof(uint32_t), sizeof(uint32_t))				\
	X(answers, sizeof(uint32_t), sizeof(struct answer))			\
	X(counters, sizeof(uint32_t), sizeof(struct reasons))			\
	X(service_hits, sizeof(uint32_t), sizeof(struct counter))		\
	X(region_hits, sizeof(uint32_t), sizeof(struct counter))		\
	X(fallback_counters, sizeof(uint32_t), sizeof(struct reasons))		\
	X(service_names, sizeof(uint32_t), sizeof(struct service_name))		\
	X(region_names, sizeof(uint32_t), sizeof(struct region_name))		\
	X(health, sizeof(uint32_t), sizeof(struct health_state))		\
	X(capture, sizeof(uint32_t), sizeof(struct capture))			\
	X(capture_counts, sizeof(uint32_t), sizeof(struct capture_counts))	\
	X(captured, 0, 0)							\
	X(cookies, sizeof(uint32_t), sizeof(struct cookies))

enum table {
#define X(name, key, value) TABLE_##name,
	TABLES(X)
#undef X
	TABLE_COUNT
};

const char *table_name(enum table table);

/* Rights to ask for. The kernel holds read-only descriptors to it. */
enum tables_access {
	TABLES_READ,		/* everything read-only, but no secrets: the tools */
	TABLES_FALLBACK,	/* read-only but for fallback_counters */
	TABLES_WRITE,		/* the controller */
};

struct tables {
	int fd[TABLE_COUNT];
	uint32_t entries[TABLE_COUNT];		/* max_entries */
	volatile struct control *control;	/* the mmap-able arrays; read-only pages unless opened to write */
	struct settings *settings;
	uint32_t *indices;			/* tables_index(): the kernel keeps array values eight octets apart */
	struct answer *answers;
	struct reasons *fallback_counters;	/* one a worker; use relaxed atomic loads to read those of others */
	struct health_state *health;		/* likewise */
	struct cookies *cookies;		/* null with TABLES_READ */
};

/*
 * Opens all pins below a directory and maps the arrays. Returns 0, or -errno with one line in `error` that says which
 * pin failed and what to do. tables_close() may follow either.
 */
int tables_open(struct tables *tables, const char *pins, enum tables_access access, char *error, size_t error_size);
void tables_close(struct tables *tables);

/* Are these the tables that are pinned there now? An unload and a new attach leave an open process with the old ones. */
bool tables_are_pinned(const struct tables *tables, const char *pins);

/* The kernel's number of these tables: of their control. No others have it as long as they are there. 0: not open. */
uint32_t tables_id(const struct tables *tables);

/* The pin directory: the option if given, else ECSDNS_PINS, else the default. */
const char *tables_pins(const char *option);

/*
 * generation and recycled of the control word, read at once. A copy made of the tables is whole if the word has not
 * moved when it is read again behind it.
 */
static inline uint64_t tables_control(const struct tables *tables)
{
	return __atomic_load_n((const volatile uint64_t *)(const volatile void *)tables->control, __ATOMIC_ACQUIRE);
}

/* Where the answer number with this index lies in the mapping. */
static inline uint32_t *tables_index(const struct tables *tables, uint32_t index)
{
	return &tables->indices[(size_t)index * 2];
}

static inline uint32_t tables_generation(uint64_t control)
{
	return (uint32_t)control;	/* the first field, on a little-endian host */
}

#endif
