/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names and their numbers: the order in which they came, from 0. A hash finds them again. */
#ifndef ECSDNS_WORDS_H
#define ECSDNS_WORDS_H

#include <stddef.h>
#include <stdint.h>

#define WORDS_NONE UINT32_MAX

struct words {
	char **list;		/* by number; null where none was given */
	size_t count, room;
	uint32_t *slots;	/* number + 1, or 0; linear probing */
	size_t slot_count;	/* a power of two, more than twice the names */
};

void words_init(struct words *words);
void words_free(struct words *words);

/* Number of a name, or WORDS_NONE. The text need not end in a 0. */
uint32_t words_find(const struct words *words, const char *text, size_t length);

/* Adds a name that is not there; its number, or WORDS_NONE without memory. */
uint32_t words_add(struct words *words, const char *text, size_t length);

/*
 * Gives a number of one's choice to a name that is not there, in place of the name that had it; numbers skipped over
 * have none. Slow where there was a name. 0 or -ENOMEM.
 */
int words_set(struct words *words, uint32_t number, const char *text, size_t length);

#endif
