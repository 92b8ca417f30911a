/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the driver answered to queries of a seed, one after the other, in a file between the two runs. */
#ifndef ECSDNS_REPLAY_ANSWERS_H
#define ECSDNS_REPLAY_ANSWERS_H

#include <stdint.h>
#include <stdio.h>

#include "tests/vectors/frame.h"

struct driver_answer {
	uint32_t length;		/* 0: the driver passed the query up */
	uint8_t octets[FRAME_ROOM];
};

static inline int answer_store(FILE *file, const uint8_t *octets, uint32_t length)
{
	return fwrite(&length, sizeof(length), 1, file) == 1 && fwrite(octets, 1, length, file) == length ? 0 : -1;
}

static inline int answer_load(FILE *file, struct driver_answer *answer)
{
	return fread(&answer->length, sizeof(answer->length), 1, file) == 1 && answer->length <= sizeof(answer->octets) &&
	       fread(answer->octets, 1, answer->length, file) == answer->length ? 0 : -1;
}

#endif
