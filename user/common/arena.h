/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory of one lifetime: allocated piece by piece, freed at once. */
#ifndef ECSDNS_ARENA_H
#define ECSDNS_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct arena;

struct arena *arena_new(void);		/* null without memory */
void arena_free(struct arena *arena);	/* null is fine */

/* `count` objects of `size` octets, zeroed and aligned for anything; null without memory, never for a count of 0. */
void *arena_alloc(struct arena *arena, size_t count, size_t size);

/* A copy of `length` octets, aligned for nothing, with no room lost; never null for a length of 0. */
uint8_t *arena_octets(struct arena *arena, const void *octets, size_t length);

/* Likewise, followed by a 0. */
char *arena_text(struct arena *arena, const char *text, size_t length);

#endif
