/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the controller counts of its own work since its start, for GET /metrics. The loop's thread. */
#ifndef ECSDNS_CONTROLLER_FIGURES_H
#define ECSDNS_CONTROLLER_FIGURES_H

#include <stdint.h>

/* What became of a push or a rollback; dry runs are not counted. */
#define FIGURES_RESULTS(X)						\
	X(done, "it is live")						\
	X(refused, "the configuration is at fault, or does not fit")	\
	X(failed, "the host is at fault: disk, memory, tables")
enum figures_result {
#define X(name, text) FIGURES_##name,
	FIGURES_RESULTS(X)
#undef X
	FIGURES_RESULT_COUNT
};
extern const char *const figures_result_names[FIGURES_RESULT_COUNT];

/* Durations; counts[i] are those up to bounds[i] and above the bound before, counts[FIGURES_BOUNDS] those above all. */
#define FIGURES_BOUNDS 12
struct figures_durations {
	uint64_t counts[FIGURES_BOUNDS + 1];
	uint64_t nanoseconds;			/* of all */
};
extern const double figures_push_bounds[FIGURES_BOUNDS], figures_reaction_bounds[FIGURES_BOUNDS];	/* seconds */

struct figures {
	uint64_t pushes[FIGURES_RESULT_COUNT];
	int64_t last_push;		/* seconds since the epoch; 0: none */
	enum figures_result last_result;
	struct figures_durations push;		/* of those that are live: from the bundle to the flip and its tidying up */
	struct figures_durations reaction;	/* of those that changed an answer */
};

void figures_count_push(struct figures *figures, enum figures_result result, uint64_t nanoseconds);
void figures_count_reaction(struct figures *figures, uint64_t nanoseconds);

#endif
