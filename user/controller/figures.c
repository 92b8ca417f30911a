// SPDX-License-Identifier: GPL-3.0-or-later
#include "user/controller/figures.h"

#include <time.h>

const char *const figures_result_names[FIGURES_RESULT_COUNT] = {
#define X(name, text) #name,
	FIGURES_RESULTS(X)
#undef X
};

/* A push of ten services takes a few milliseconds, one of a million prefixes some ten seconds. */
const double figures_push_bounds[FIGURES_BOUNDS] = {0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
/* A reaction that waits for a grace period takes some 10 ms more. */
const double figures_reaction_bounds[FIGURES_BOUNDS] = {
	0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1,
};

static void durations_add(struct figures_durations *durations, const double *bounds, uint64_t nanoseconds)
{
	int i = 0;

	while (i < FIGURES_BOUNDS && nanoseconds > bounds[i] * 1e9)
		i++;
	durations->counts[i]++;
	durations->nanoseconds += nanoseconds;
}

void figures_count_push(struct figures *figures, enum figures_result result, uint64_t nanoseconds)
{
	figures->pushes[result]++;
	figures->last_push = time(NULL);
	figures->last_result = result;
	if (result == FIGURES_done)
		durations_add(&figures->push, figures_push_bounds, nanoseconds);
}

void figures_count_reaction(struct figures *figures, uint64_t nanoseconds)
{
	durations_add(&figures->reaction, figures_reaction_bounds, nanoseconds);
}
