/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From results of checks to verdicts on members. Pure: no input, no output and no clock; what time it is the caller
 * says, and it is only written down.
 *
 * A verdict changes after `rise` successes or `fall` failures in a row. One that rests on no result of the member's check as it
 * is now - unknown, which counts as up, or of another check - the first result replaces at once.
 *
 * Holding. When every check fails, it is more likely our own network that is gone than all the members, and taking them
 * all down would help nobody: then no verdict changes until a check succeeds, and failures meanwhile do not count,
 * nor do those of checks that began meanwhile. Holding takes two members at least, looks at checks that use the network,
 * and does not wait for members that have no result yet, as after a push, if they are fewer than the others.
 * So that the first failures of an outage do no harm before the last member has failed, a member falls only when
 * another's success is newer than the first of its failures in a row; its next failure does without. With many members
 * a success is never far; two members of `fall: 1` may wait for an interval.
 */
#ifndef ECSDNS_CONTROLLER_HEALTH_H
#define ECSDNS_CONTROLLER_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEALTH_CHANGES_KEPT 16		/* of each member */
#define HEALTH_REASON_OCTETS 96

enum health_verdict { HEALTH_UNKNOWN, HEALTH_UP, HEALTH_DOWN };

enum health_outcome {
	HEALTH_SUCCESS,
	HEALTH_FAILURE,
	HEALTH_UNABLE,		/* could not be checked, which says nothing of the member: the verdict stays */
};

struct health_change {
	int64_t at;		/* milliseconds since 1970 */
	enum health_verdict verdict;
	char reason[HEALTH_REASON_OCTETS];	/* of the result that did it */
};

/* What outlives the controller. */
struct health_record {
	enum health_verdict verdict;
	struct health_change changes[HEALTH_CHANGES_KEPT];	/* change n is in changes[n % HEALTH_CHANGES_KEPT] */
	uint32_t change_count;		/* ever; the last HEALTH_CHANGES_KEPT are there */
};

struct health_member {
	/* The owner's. A member without a check is up. */
	bool is_checked;
	bool is_local;			/* its check does not use the network: no part of holding */
	uint32_t rise, fall;
	/* health_*() write what follows. */
	struct health_record record;
	bool has_decided;		/* a result of this check stands behind the verdict, maybe one before a restart */
	bool has_result, has_failed;	/* the last success or failure */
	bool is_waiting;		/* to fall, until another succeeds */
	uint32_t run;			/* results in a row that speak against the verdict */
	uint64_t run_began;		/* which result was the first of them */
	uint64_t began;			/* how many results there were when the running check began */
	int64_t checked;		/* last result, milliseconds since 1970; 0: none */
	char reason[HEALTH_REASON_OCTETS];	/* of it */
};

struct health_set {
	struct health_member *members;	/* the owner's */
	size_t count;
	bool may_hold;
	bool is_holding;
	uint64_t results;		/* so far */
	uint64_t last_success;		/* the number of a result, like these: */
	uint64_t hold_ended;
	/* Members that holding looks at, and those of them of which there is a result, and of these the failures. */
	size_t holders, reported, failed;
	size_t waiting;
};

/* A verdict changed between up (unknown is up, too) and down. */
typedef void health_changed(void *context, size_t member);

/* Over members whose owner's fields are set and whose others are zero, restored, or another set's. */
void health_init(struct health_set *set, struct health_member *members, size_t count, bool may_hold);

/* Continues with what another set knew of the time. */
void health_continue(struct health_set *set, const struct health_set *before);

/* A member as it was saved: until the first result. */
void health_restore(struct health_member *member, const struct health_record *record);

/* A check of this member begins. Each result belongs to the check that began last. */
void health_begin(struct health_set *set, size_t member);

/* Its result. `reason` is copied. changed() is called for each member whose verdict changes. */
void health_result(struct health_set *set, size_t member, enum health_outcome outcome, const char *reason, int64_t now,
		   health_changed *changed, void *context);

static inline bool health_is_up(const struct health_member *member)
{
	return !member->is_checked || member->record.verdict != HEALTH_DOWN;
}

/* The last change, or null. */
const struct health_change *health_last_change(const struct health_record *record);

#endif
