/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parts of ecsctl top: rates out of two replies to GET stats, and the terminal. */
#ifndef ECSDNS_TOOLS_TOP_H
#define ECSDNS_TOOLS_TOP_H

#include <stdbool.h>
#include <stdio.h>

#include "tools/ecsctl/ecsctl.h"

/*
 * Rates a second between two replies: {"nanoseconds" (of the host's monotonic clock, at the second), "seconds", "answered", "passed", "dropped", "fallback", "reasons": [{"reason",
 * "outcome", "driver", "fallback"}], "services": [{"service", "rate"}], "regions": [{"topology", "region", "rate"}]}. Lists
 * begin with the highest; what stood still is left out. Null without memory, or if no time has passed.
 */
json_t *top_rates(const json_t *before, const json_t *now);

/* For people: at most so many rows of the three lists together, each at least one line if there is room. */
void top_print(FILE *out, const json_t *rates, size_t rows);

/* Lines of top_print() beside those rows. */
#define TOP_PRINT_LINES 7

/* -- the terminal: screen.c -- */

bool screen_is_there(void);	/* standard output and input are one */

/* Takes it over, until screen_close() or the end of the process. */
void screen_open(void);
void screen_close(void);
bool screen_is_over(void);	/* ended by q, ctrl-c or a signal */

/* In characters, as of now. */
void screen_size(size_t *rows, size_t *columns);

/* Shows this in place of what stands there, cut to what fits. */
void screen_show(const char *text);

/* Waits so long, or until the size has changed, or it is over. True: all of the time has passed. */
bool screen_wait(double seconds);

#endif
