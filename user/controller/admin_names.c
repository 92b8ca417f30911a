// SPDX-License-Identifier: GPL-3.0-or-later
/* Pools, members and regions by the names that people write, and what they may have meant. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "user/controller/admin.h"

#define HINTS 3
#define HINT_DISTANCE_MAX 3	/* letters to change, add or leave out */

/* -- every object of a configuration -- */

struct names_walk {
	const char *kind;	/* the one kind that is looked for, or null: any */
	void (*use)(struct names_walk *walk, enum admin_kind kind, const char *name);
};

static bool walk_wants(const struct names_walk *walk, enum admin_kind kind)
{
	return !walk->kind || !strcmp(walk->kind, admin_kind_names[kind]);
}

static void names_walk(const struct config *config, struct names_walk *walk)
{
	char name[ADMIN_OBJECT_OCTETS];

	for (size_t i = 0; i < config->pool_count; i++) {
		const struct config_pool *pool = &config->pools[i];

		if (walk_wants(walk, ADMIN_pool))
			walk->use(walk, ADMIN_pool, pool->name);
		for (size_t j = 0; j < pool->member_count && walk_wants(walk, ADMIN_member); j++) {
			snprintf(name, sizeof(name), "%s/%s", pool->name, pool->members[j].name);
			walk->use(walk, ADMIN_member, name);
		}
	}
	for (size_t i = 0; i < config->topology_count && walk_wants(walk, ADMIN_region); i++) {
		for (size_t j = 0; j < config->topologies[i].region_count; j++) {
			snprintf(name, sizeof(name), "%s/%s", config->topologies[i].name,
				 config->topologies[i].regions[j].name);
			walk->use(walk, ADMIN_region, name);
		}
	}
}

/* -- the nearest ones -- */

struct nearest {
	struct names_walk walk;
	const char *text;
	struct {
		char object[ADMIN_OBJECT_OCTETS];
		unsigned int distance;
	} found[HINTS];		/* the nearest first */
	size_t count;
};

/* Levenshtein's; HINT_DISTANCE_MAX + 1 where the lengths alone say that it is more. */
static unsigned int names_distance(const char *a, const char *b)
{
	size_t rows = strlen(a), columns = strlen(b);
	unsigned int row[ADMIN_OBJECT_OCTETS + 1], corner, up;

	if (columns > ADMIN_OBJECT_OCTETS || rows > columns + HINT_DISTANCE_MAX || columns > rows + HINT_DISTANCE_MAX)
		return HINT_DISTANCE_MAX + 1;
	for (size_t j = 0; j <= columns; j++)
		row[j] = j;
	for (size_t i = 1; i <= rows; i++) {
		corner = row[0];
		row[0] = i;
		for (size_t j = 1; j <= columns; j++) {
			up = row[j];
			row[j] = corner + (a[i - 1] != b[j - 1]);
			row[j] = row[j] <= up ? row[j] : up + 1;
			row[j] = row[j] <= row[j - 1] ? row[j] : row[j - 1] + 1;
			corner = up;
		}
	}
	return row[columns];
}

/* Whoever leaves out the pool or the topology means the last part. */
static unsigned int nearest_distance(const char *text, const char *name)
{
	const char *slash = strchr(name, '/');
	unsigned int whole = names_distance(text, name), part = slash && !strchr(text, '/') ?
								names_distance(text, slash + 1) : HINT_DISTANCE_MAX + 1;

	return part < whole ? part : whole;
}

static void nearest_use(struct names_walk *walk, enum admin_kind kind, const char *name)
{
	struct nearest *nearest = (struct nearest *)walk;
	unsigned int distance = nearest_distance(nearest->text, name);
	size_t at = nearest->count;

	if (distance > HINT_DISTANCE_MAX || distance * 2 > strlen(nearest->text))
		return;
	while (at && distance < nearest->found[at - 1].distance)
		at--;
	if (at == HINTS)
		return;
	if (nearest->count < HINTS)
		nearest->count++;
	memmove(&nearest->found[at + 1], &nearest->found[at], (nearest->count - at - 1) * sizeof(nearest->found[0]));
	snprintf(nearest->found[at].object, sizeof(nearest->found[at].object), "%s %s", admin_kind_names[kind], name);
	nearest->found[at].distance = distance;
}

static void names_hint(const struct config *config, const char *kind, const char *text, char hint[ADMIN_HINT_OCTETS])
{
	struct nearest nearest = {.walk = {kind, nearest_use}, .text = text};
	size_t used = 0;

	names_walk(config, &nearest.walk);
	hint[0] = 0;
	while (nearest.count && nearest.found[nearest.count - 1].distance > nearest.found[0].distance)
		nearest.count--;
	for (size_t i = 0; i < nearest.count; i++)
		used += snprintf(hint + used, ADMIN_HINT_OCTETS - used, "%s%s",
				 !i ? "" : i + 1 < nearest.count ? ", " : " or ", nearest.found[i].object);
}

/* -- one by its name -- */

struct resolve {
	struct names_walk walk;
	const char *text;
	char *object;
	size_t count;
};

static void resolve_use(struct names_walk *walk, enum admin_kind kind, const char *name)
{
	struct resolve *resolve = (struct resolve *)walk;

	if (!strcmp(name, resolve->text) && !resolve->count++)
		snprintf(resolve->object, ADMIN_OBJECT_OCTETS, "%s %s", admin_kind_names[kind], name);
}

/* "pool:osaka1", also as it is shown: "pool osaka1". Null: no kind was given. */
static const char *resolve_kind(const char **text)
{
	for (int kind = 0; kind < ADMIN_KIND_COUNT; kind++) {
		size_t length = strlen(admin_kind_names[kind]);

		if (strncmp(*text, admin_kind_names[kind], length) || ((*text)[length] != ':' && (*text)[length] != ' '))
			continue;
		*text += length + 1;
		return admin_kind_names[kind];
	}
	return NULL;
}

static void resolve_settings(struct resolve *resolve, const struct admin *admin)
{
	char object[ADMIN_OBJECT_OCTETS];

	for (int kind = 0; kind < ADMIN_KIND_COUNT; kind++) {
		snprintf(object, sizeof(object), "%s %.*s", admin_kind_names[kind], ADMIN_OBJECT_OCTETS - 16, resolve->text);
		if (walk_wants(&resolve->walk, kind) && admin_find(admin, object))
			resolve_use(&resolve->walk, kind, resolve->text);
	}
}

int admin_resolve(const struct admin *admin, const struct config *config, const char *text,
		  char object[ADMIN_OBJECT_OCTETS], char hint[ADMIN_HINT_OCTETS])
{
	const char *kind = resolve_kind(&text);
	struct resolve resolve = {.walk = {kind, resolve_use}, .text = text, .object = object};

	hint[0] = 0;
	names_walk(config, &resolve.walk);
	if (!resolve.count)
		resolve_settings(&resolve, admin);
	if (resolve.count == 1)
		return 0;
	if (resolve.count)
		return -EEXIST;
	names_hint(config, kind, text, hint);
	return -ENOENT;
}
