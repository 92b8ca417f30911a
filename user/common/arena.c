// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "user/common/arena.h"

/* Chunks double up to the most: ten thousand small arenas take little, a large one few chunks. */
#define ARENA_CHUNK_FIRST 512
#define ARENA_CHUNK_MOST 65536
#define ARENA_ALIGN 16

struct chunk {
	struct chunk *next;
	size_t used, room;
	_Alignas(ARENA_ALIGN) uint8_t octets[];
};

struct arena {
	struct chunk *chunks;	/* the first has room */
	size_t room;		/* of the next chunk */
};

struct arena *arena_new(void)
{
	struct arena *arena = calloc(1, sizeof(*arena));

	if (arena)
		arena->room = ARENA_CHUNK_FIRST;
	return arena;
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
	struct chunk *first = arena->chunks, *chunk;
	size_t room;

	if (first && first->room - first->used >= octets)
		return first;
	while (arena->room < ARENA_CHUNK_MOST && octets > arena->room / 4)
		arena->room *= 2;
	room = octets > arena->room / 4 ? octets : arena->room;
	chunk = calloc(1, sizeof(*chunk) + room);
	if (!chunk)
		return NULL;
	chunk->room = room;
	if (first && room == octets) {
		chunk->next = first->next;
		first->next = chunk;
		return chunk;
	}
	chunk->next = first;
	arena->chunks = chunk;
	if (arena->room < ARENA_CHUNK_MOST)
		arena->room *= 2;
	return chunk;
}

static void *arena_take(struct arena *arena, size_t octets, size_t align)
{
	struct chunk *chunk;
	size_t at;

	if (octets > SIZE_MAX / 2)
		return NULL;
	chunk = arena_chunk(arena, octets + align - 1);
	if (!chunk)
		return NULL;
	at = (chunk->used + align - 1) & ~(align - 1);
	chunk->used = at + octets;
	return chunk->octets + at;
}

void *arena_alloc(struct arena *arena, size_t count, size_t size)
{
	size_t octets, align = ARENA_ALIGN;

	if (__builtin_mul_overflow(count, size, &octets))
		return NULL;
	/* A type's size is a multiple of its alignment. */
	while (size % align)
		align /= 2;
	return arena_take(arena, octets ? octets : 1, align);
}

uint8_t *arena_octets(struct arena *arena, const void *octets, size_t length)
{
	uint8_t *copy = arena_take(arena, length ? length : 1, 1);

	if (copy && length)
		memcpy(copy, octets, length);
	return copy;
}

char *arena_text(struct arena *arena, const char *text, size_t length)
{
	char *copy = arena_take(arena, length + 1, 1);

	if (copy)
		memcpy(copy, text, length);
	return copy;
}
