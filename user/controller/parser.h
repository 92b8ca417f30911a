/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the readers of the configuration's sections share. Mistakes go to `faults` and reading goes on, so that one
 * run shows many of them; functions return 0, or -ENOMEM, or -EINVAL where reading on makes no sense.
 */
#ifndef ECSDNS_CONTROLLER_PARSER_H
#define ECSDNS_CONTROLLER_PARSER_H

#include "user/common/arena.h"
#include "user/common/words.h"
#include "user/controller/config.h"
#include "user/controller/tree.h"

#define CONFIG_SECTIONS(X) X(server) X(zones) X(checks) X(pools) X(topologies) X(services) X(include)
enum config_section {
#define X(name) SECTION_##name,
	CONFIG_SECTIONS(X)
#undef X
	SECTION_COUNT
};

#define CONFIG_YAML_FILES_MAX 1000
#define CONFIG_YAML_OCTETS_MAX (64UL << 20)	/* of all YAML files: their trees are in memory together */

struct source {				/* one YAML file */
	const struct node *sections[SECTION_COUNT];	/* null: not there, or nothing in it */
};

struct parser {
	struct bundle *bundle;
	struct faults *faults;
	unsigned int flags;
	struct config *config;
	struct arena *trees;
	struct source *sources;
	size_t source_count;
	size_t yaml_octets;
	struct words files;		/* config->files */
	struct words checks, pools, topologies;	/* numbers in the configuration's arrays */
	struct words *regions;		/* of each topology */
};

/* Sections, in the order they are read; each refers to those before. */
int config_server(struct parser *parser);
int config_zones(struct parser *parser);
int config_checks(struct parser *parser);
int config_pools(struct parser *parser);
int config_topologies(struct parser *parser);
int config_services(struct parser *parser);

/*
 * What pools depend on: lists[pool] of each, null where there is none, when all pools have names. Sets config->pool_order;
 * circles are errors.
 */
int config_depends(struct parser *parser, const struct node *const *lists);

/*
 * Items of a section over all files: how many, and one after the other. Where the section is not of that kind is an
 * error, `what` says what it should be. A walk begins zeroed and ends with false, or after too many errors.
 */
struct section_walk {
	size_t source;
	const struct node_item *item;
};
size_t section_count(struct parser *parser, enum config_section section, enum node_kind kind, const char *what);
bool section_next(struct parser *parser, enum config_section section, struct section_walk *walk);

/* A node's place, whose file's name outlives the trees. */
struct place parser_place(struct parser *parser, const struct node *node);

/* Number of a file in config->files, added if need be; CONFIG_NONE without memory. */
uint32_t parser_file(struct parser *parser, const char *name);

/*
 * The key of an item of a section that is a map: a name of ours, not taken before. True if it was added to `names`,
 * with the next number.
 */
bool parser_define(struct parser *parser, const struct node *key, const char *what, struct words *names,
		   const char **name, int *fault);

/* A reference to one: its number, or CONFIG_NONE with an error. */
uint32_t parser_refer(struct parser *parser, const struct node *node, const char *what, const struct words *names);

/* A list of pools, none twice, kept in the configuration's arena. What is wrong is left out. 0 or -ENOMEM. */
int parser_pools(struct parser *parser, const struct node *node, const char *what, uint32_t **pools, size_t *count);

/*
 * [/24, /56]: a length for each family. `what` says which lengths these are, `of` what has them, both for errors; then the
 * results stay as they were.
 */
void parser_lengths(struct parser *parser, const struct node *node, const char *what, const char *of, uint8_t *v4, uint8_t *v6);

/* A domain name. False with an error, or with *fault -ENOMEM. */
bool parser_name(struct parser *parser, const struct node *node, const char *what, struct config_name *out, int *fault);

/* An address. False with an error. */
bool parser_address(struct parser *parser, const struct node *node, const char *what, struct config_address *out);

#endif
