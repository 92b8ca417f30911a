// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "user/common/arena.h"

#define ARENA_CHUNK_OCTETS 65536	/* larger objects get a chunk of their own */
#define ARENA_ALIGN 16

struct chunk {
	struct chunk *next;
	size_t used, room;
	_Alignas(ARENA_ALIGN) uint8_t octets[];
};

struct arena {
	struct chunk *chunks;	/* the first has room */
};

struct arena *arena_new(void)
{
	return calloc(1, sizeof(struct arena));
}

void arena_free(struct arena *arena)
{
	struct chunk *chunk, *next;

	if (!arena)
		return;
	for (chunk = arena->chunks; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	free(arena);
}

/* A chunk with room for an object; one made for a large object is full at once and goes behind the first. */
static struct chunk *arena_chunk(struct arena *arena, size_t octets)
{
	size_t room = octets > ARENA_CHUNK_OCTETS / 4 ? octets : ARENA_CHUNK_OCTETS;
	struct chunk *first = arena->chunks, *chunk;

	if (first && first->room - first->used >= octets)
		return first;
	chunk = calloc(1, sizeof(*chunk) + room);
	if (!chunk)
		return NULL;
	chunk->room = room;
	if (first && room == octets) {
		chunk->next = first->next;
		first->next = chunk;
	} else {
		chunk->next = first;
		arena->chunks = chunk;
	}
	return chunk;
}

void *arena_alloc(struct arena *arena, size_t count, size_t size)
{
	struct chunk *chunk;
	size_t octets;
	void *object;

	if (__builtin_mul_overflow(count, size, &octets) || octets > SIZE_MAX / 2)
		return NULL;
	octets = octets ? (octets + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1) : ARENA_ALIGN;
	chunk = arena_chunk(arena, octets);
	if (!chunk)
		return NULL;
	object = chunk->octets + chunk->used;
	chunk->used += octets;
	return object;
}

char *arena_text(struct arena *arena, const char *text, size_t length)
{
	char *copy = arena_alloc(arena, length + 1, 1);

	if (copy)
		memcpy(copy, text, length);
	return copy;
}
