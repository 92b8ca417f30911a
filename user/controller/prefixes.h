/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Prefixes as people write them, and tables of a million of them. */
#ifndef ECSDNS_CONTROLLER_PREFIXES_H
#define ECSDNS_CONTROLLER_PREFIXES_H

#include "user/common/words.h"
#include "user/controller/config.h"

/* An address, or null: 192.0.2.1 or 2001:db8::1, nothing else. */
bool address_parse(const char *text, struct config_address *out);
#define ADDRESS_TEXT_OCTETS 46		/* INET6_ADDRSTRLEN */
const char *address_text(const struct config_address *address, char text[ADDRESS_TEXT_OCTETS]);

/* Room for "ffff:...:255.255.255.255/128". */
#define PREFIX_TEXT_OCTETS 64
const char *prefix_text(const struct topology_prefix *prefix, unsigned int bits, char text[PREFIX_TEXT_OCTETS]);

/*
 * "ADDRESS/LENGTH" without host bits -> address and length; *bits becomes 32 or 128. The region is left alone. False
 * with an error at `place` that shows how the prefix should be written.
 */
bool prefix_parse(const char *text, size_t length, const struct place *place, struct topology_prefix *out,
		  unsigned int *bits, struct faults *faults);

/* "/24", from /1 to /`most`. False, and *out as it was, for anything else. */
bool prefix_length_parse(const char *text, unsigned int most, uint8_t *out);

/* 0 or -ENOMEM */
int prefixes_add(struct config_prefixes *list, const struct topology_prefix *prefix, uint32_t file, uint32_t line,
		 uint32_t column);
void prefixes_free(struct config_prefixes *list);

/*
 * Reads "prefix,region" lines (# begins a comment, blank lines are nothing) into the two lists. Regions get their
 * numbers from `regions`, to which new ones are added. `file` is the number of table->name in config->files. 0, maybe
 * with errors in `faults`, or -ENOMEM.
 */
int prefixes_read(const struct bundle_file *table, uint32_t file, struct words *regions, struct config_prefixes *v4,
		  struct config_prefixes *v6, struct faults *faults);

/*
 * Sorts by address and length. A prefix that is there twice is an error at the later one. 0, maybe with errors, or
 * -ENOMEM.
 */
int prefixes_sort(struct config_prefixes *list, unsigned int bits, const char *const *files, struct faults *faults);

/* Where one was written; `files` are the configuration's. */
struct place prefix_place(const struct config_prefixes *list, size_t at, const char *const *files);

#endif
