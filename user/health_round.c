/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* health_round: see health_round.h. Neighbours: agents, which awaits and tells. */
#include "health_round.h"

#include "health.h"

enum { FRESH_PATIENCE_MS = 1000 };

/* Who is taken to be up. */
enum view {
	VIEW_TOLD,  /* as it stands */
	VIEW_BEST,  /* with what is pending told, and those in doubt well */
	VIEW_WORST, /* the same, and those in doubt failed */
};

static bool in_doubt(const struct round_member *member)
{
	return !member->pending && (member->doubtful || member->unheard);
}

static bool is_up(const struct round_member *member, enum view view)
{
	if (view == VIEW_TOLD)
		return member->up;
	if (member->pending)
		return !member->up;
	return member->up && (view == VIEW_BEST || !in_doubt(member));
}

static enum pool_mode mode_in(const struct round_member *members, size_t count,
			      uint32_t panic_threshold, enum view view)
{
	uint32_t wanted = 0, up = 0, backups_up = 0;

	for (size_t i = 0; i < count; i++) {
		if (!members[i].wanted)
			continue;
		if (members[i].backup) {
			backups_up += is_up(&members[i], view);
		} else {
			wanted++;
			up += is_up(&members[i], view);
		}
	}
	return pool_mode_of(wanted, up, backups_up, panic_threshold);
}

static bool any_may_come_up(const struct round_member *members, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (members[i].wanted && !members[i].backup && !members[i].up &&
		    in_doubt(&members[i]))
			return true;
	}
	return false;
}

/* Whether some that are pending were told to be something else before. */
static bool any_turns(const struct round_member *members, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (members[i].wanted && members[i].pending && !members[i].fresh)
			return true;
	}
	return false;
}

/* Nobody serves, and with those that are pending the pool begins: with backups alone? */
static bool about_to_begin(const struct round_member *members, size_t count, bool *backups)
{
	bool any = false;

	*backups = true;
	for (size_t i = 0; i < count; i++) {
		if (!members[i].wanted)
			continue;
		if (members[i].up)
			return false;
		if (members[i].pending) {
			any = true;
			*backups &= members[i].backup;
		}
	}
	return any && !any_turns(members, count);
}

/* Those that would begin with them, if their first news is good: marks them in `hasten`. */
static bool begins_later(const struct round_member *members, size_t count, bool *hasten)
{
	bool backups, any = false;

	if (!about_to_begin(members, count, &backups))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!members[i].wanted || !members[i].expected || (members[i].backup && !backups))
			continue;
		any = true;
		hasten[i] = !members[i].pending;
	}
	return any;
}

bool health_round_waits(const struct round_member *members, size_t count, uint32_t panic_threshold,
			bool *hasten)
{
	enum pool_mode told = mode_in(members, count, panic_threshold, VIEW_TOLD);
	enum pool_mode best = mode_in(members, count, panic_threshold, VIEW_BEST);
	bool fails = any_turns(members, count) &&
		     best != mode_in(members, count, panic_threshold, VIEW_WORST);
	bool mends = told == POOL_PANIC && best != POOL_PANIC && any_may_come_up(members, count);

	for (size_t i = 0; i < count; i++)
		hasten[i] = members[i].wanted && members[i].unheard && !members[i].pending &&
			    (members[i].up ? fails : mends);
	/* In panic all serve. */
	return (told != POOL_PANIC && begins_later(members, count, hasten)) || fails || mends;
}

uint32_t health_round_patience_ms(const struct check *check, bool fresh)
{
	uint32_t fast_ms = health_fast_interval_ms(check);
	uint64_t each_ms = fast_ms > check->timeout_ms ? fast_ms : check->timeout_ms;
	uint64_t all_ms = each_ms * check->fall + check->timeout_ms;

	/* Who waits then waits for single checks, and no traffic is served meanwhile. */
	if (fresh && all_ms > FRESH_PATIENCE_MS)
		return FRESH_PATIENCE_MS;
	return all_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)all_ms;
}
