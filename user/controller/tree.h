/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A YAML file as a tree of nodes, each with its place, and readers for the values that the configuration is made of.
 * YAML is taken strictly: one document, no tags, no key twice. Aliases work, but what they expand to is bounded.
 */
#ifndef ECSDNS_CONTROLLER_TREE_H
#define ECSDNS_CONTROLLER_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/common/arena.h"
#include "user/common/bundle.h"
#include "user/common/faults.h"

#define TREE_DEPTH_MAX 32		/* the configuration needs 6 */
#define TREE_NODES_MAX 4000000		/* in one file, aliases expanded: 16 MiB of prefixes are 1.5 million */
#define TREE_ANCHORS_MAX 1024

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node_item {
	const struct node *key;		/* a scalar; null in a list */
	const struct node *value;
	struct node_item *next;
};

struct node {
	struct place place;
	enum node_kind kind;
	bool plain;			/* a scalar without quotes: may be a number, a boolean or nothing */
	const char *text;		/* of a scalar; without octets 0 */
	size_t length;
	struct node_item *items;	/* of a list or map */
	size_t count;
	uint64_t size;			/* nodes it stands for, aliases expanded */
};

/*
 * Reads a file. The nodes live in the arena, which also keeps the file's name for their places.
 * 0; -EINVAL with errors; -ENOMEM with an error.
 */
int tree_parse(const struct bundle_file *file, struct arena *arena, const struct node **out, struct faults *faults);

/* Nothing was written: `key:` or `key: ~`. */
bool tree_is_null(const struct node *node);

/* Kind is as expected, or an error "expected ..., not ...": `what` is "a list of addresses". */
bool tree_expect(const struct node *node, enum node_kind kind, const char *what, struct faults *faults);

/*
 * Finds a map's values by key: values[i] for keys[i], null where there is none. Unknown keys are errors that name the
 * known ones; the values are good all the same. False if it is no map at all.
 */
bool tree_fields(const struct node *map, const char *what, const char *const *keys, size_t count,
		 const struct node **values, struct faults *faults);

/* Values. False with an error that says what `what` should be; then *out is as it was. */
bool tree_text(const struct node *node, const char *what, const char **out, struct faults *faults);
bool tree_number(const struct node *node, const char *what, uint32_t least, uint32_t most, uint32_t *out,
		 struct faults *faults);
bool tree_bool(const struct node *node, const char *what, bool *out, struct faults *faults);
bool tree_choice(const struct node *node, const char *what, const char *const *choices, size_t count, uint32_t *out,
		 struct faults *faults);
/* "500ms", "5s", "2m", "1h" -> milliseconds */
bool tree_duration(const struct node *node, const char *what, uint32_t least, uint32_t most, uint32_t *out,
		   struct faults *faults);

/* A name of ours (pool, check, region, ...): 1 to 63 letters, digits and "._-". */
bool tree_label_ok(const char *text, size_t length);
bool tree_label(const struct node *node, const char *what, const char **out, struct faults *faults);

#endif
