/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which backend a packet goes to, by its slot and its flow's entries (bpf/pick.h with slot.h and
 * flow_table.h): the rules as rows, in the order of the rules. What holds in every state:
 * test_pick_states.c. By a client's record: test_pick_client.c.
 */
#include "pick_fixture.h"

enum noted { NOTHING, SINCE = 1, USED = 2, FULL = 4 }; /* of lb_times */

struct row {
	const char *name;
	enum kind packet;
	struct scene scene;
	uint32_t backend; /* NONE: LB_DROP_NO_BACKEND */
	enum lb_decided_by by;
	struct entry birth, flow; /* afterwards; NONE: as it was */
	enum noted noted;         /* times that are now */
	uint32_t counted;         /* bits of enum lb_note */
};

/* clang-format off */
#define SLOT(o, f)        .scene.owner = o, .scene.fallback = f
#define CHANGED(o, f)     SLOT(o, f), .scene.changed = true
#define TRACKED(o, f)     SLOT(o, f), .scene.changed = (o) != (f), .scene.flags = ALWAYS
#define BIRTH(b, s, ...)  .scene.birth = {.backend = b, .state = LB_FLOW_##s, ##__VA_ARGS__}
#define FLOW(b, s, ...)   .scene.flow = {.backend = b, .state = LB_FLOW_##s, ##__VA_ARGS__}
#define NO_ROOM(what)     .scene.no_room = QUOTA(what)
#define NO_ROOM_AT_ALL    .scene.no_room = ALL_QUOTAS
#define AGO(what, ticks)  .scene.what = ticks
#define TO(b, why)        .backend = b, .by = LB_BY_##why
#define BORN(b)           .birth = {.backend = b, .state = LB_FLOW_OPENING, .newborn = true}
#define BORN_OPEN(b)      .birth = {.backend = b, .state = LB_FLOW_OPEN}
#define LIVES(b, s)       .birth = {.backend = b, .state = LB_FLOW_##s}
#define COPIED(b, s)      .flow = {.backend = b, .state = LB_FLOW_##s}
#define GOES_ON(b, s, f)  .flow = {.backend = b, .state = LB_FLOW_##s, .flags = f}
#define MARKED(b, s, f)   .flow = {.backend = b, .state = LB_FLOW_##s, .flags = f, .age = FLOW_AGE}
#define RECORD(b, s)      GOES_ON(b, s, RECORDED)
#define NO_BIRTH(...)     .noted = FULL __VA_ARGS__, .counted = 1 << LB_NOTE_NEW_FLOW_UNTRACKED
#define NO_RECORD         .noted = USED, .counted = 1 << LB_NOTE_OLD_FLOW_UNTRACKED

static const struct row settled[] = {
	{"new", SYN, SLOT(A, A), TO(A, SLOT)},
	{"old", ACK, SLOT(A, A), TO(A, SLOT)},
	{"UDP", DATAGRAM, SLOT(A, A), TO(A, SLOT)},
	{"the bit decides and not the pair", ACK, SLOT(A, B), TO(A, SLOT)},
	{"entries are not asked", ACK, SLOT(A, A), BIRTH(B, OPEN), FLOW(C, OPEN), TO(A, SLOT)},
	{"entries are not asked, new", SYN, SLOT(A, A), BIRTH(B, OPEN), FLOW(C, OPEN), TO(A, SLOT)},
	{"the owner cannot be used", SYN, SLOT(GONE, A)},
	{"no owner", ACK, SLOT(NONE, NONE)},
	{"an owner beyond the map", ACK, SLOT(BEYOND, A)},
};

static const struct row syn[] = {
	/* 1. A live confirmed birth and no live flow entry: its backend. */
	{"1: a confirmed birth", SYN, CHANGED(B, A), BIRTH(C, OPEN), TO(C, FLOW), LIVES(C, OPEN)},
	{"1: so does the SYN that made it", SYN_AGAIN, CHANGED(B, A), BIRTH(C, OPEN), TO(C, FLOW), LIVES(C, OPEN)},
	{"1: one that is closing opens again", SYN, CHANGED(B, A), BIRTH(C, CLOSING), TO(C, FLOW), LIVES(C, OPEN)},
	{"1: the flow entry is dead", SYN, CHANGED(B, A), BIRTH(C, OPEN), FLOW(D, OPEN, .outlived = true), TO(C, FLOW), LIVES(C, OPEN)},
	{"1: the flow entry is doomed", SYN, CHANGED(B, A), BIRTH(C, OPEN), FLOW(D, OPEN, .doomed = true), TO(C, FLOW), LIVES(C, OPEN)},
	{"1: room does not matter", SYN, CHANGED(B, A), BIRTH(C, OPEN), NO_ROOM_AT_ALL, TO(C, FLOW), LIVES(C, OPEN)},
	{"1: nor does the pair", SYN, CHANGED(GONE, NONE), BIRTH(C, OPEN), TO(C, FLOW), LIVES(C, OPEN)},
	{"1: tracked", SYN, TRACKED(A, A), BIRTH(C, OPEN), TO(C, FLOW), LIVES(C, OPEN)},
	{"1: last tick", SYN, CHANGED(B, A), BIRTH(C, OPEN, .age = IDLE_TCP), TO(C, FLOW), LIVES(C, OPEN)},
	{"1: a tick late", SYN, CHANGED(B, A), BIRTH(C, OPEN, .age = IDLE_TCP + 1), TO(B, SLOT), BORN(B)},
	{"1: last tick, closing", SYN, CHANGED(B, A), BIRTH(C, CLOSING, .age = IDLE_CLOSING), TO(C, FLOW), LIVES(C, OPEN)},
	{"1: a tick late, closing", SYN, CHANGED(B, A), BIRTH(C, CLOSING, .age = IDLE_CLOSING + 1), TO(B, SLOT), BORN(B)},

	/* 2. The choice: of a live birth with this sequence number, else the owner. */
	{"2: new", SYN, CHANGED(B, A), TO(B, SLOT), BORN(B)},
	{"2: a repeated SYN goes where the first went", SYN_AGAIN, CHANGED(B, A), BIRTH(C, OPENING), TO(C, FLOW), BORN(C)},
	{"2: another SYN is another life", SYN, CHANGED(B, A), BIRTH(C, OPENING), TO(B, SLOT), BORN(B)},
	{"2: last tick to repeat", SYN_AGAIN, CHANGED(B, A), BIRTH(C, OPENING, .age = IDLE_CLOSING), TO(C, FLOW), BORN(C)},
	{"2: a tick late to repeat", SYN_AGAIN, CHANGED(B, A), BIRTH(C, OPENING, .age = IDLE_CLOSING + 1), TO(B, SLOT), BORN(B)},
	{"2: the birth's backend cannot be used", SYN_AGAIN, CHANGED(B, A), BIRTH(GONE, OPENING), TO(B, SLOT), BORN(B)},
	{"2: nor could it for a while", SYN_AGAIN, CHANGED(B, A), BIRTH(C, OPENING, .outlived = true), TO(B, SLOT), BORN(B)},
	{"2: the birth is of another pool", SYN_AGAIN, CHANGED(B, A), BIRTH(C, OPENING, .of_other_pool = true), TO(B, SLOT), BORN(B)},
	{"2: the birth names no backend", SYN_AGAIN, CHANGED(B, A), BIRTH(BEYOND, OPENING), TO(B, SLOT), BORN(B)},
	{"2: an old flow's new life", SYN, CHANGED(B, A), FLOW(C, OPEN), TO(B, SLOT), BORN(B), MARKED(C, OPEN, REBORN)},
	{"2: of a recorded flow", SYN, CHANGED(B, A), FLOW(A, OPEN, .flags = RECORDED), TO(B, SLOT), BORN(B), MARKED(A, OPEN, RECORDED | REBORN)},
	{"2: of a flow that was born", SYN, CHANGED(B, A), BIRTH(C, OPEN), FLOW(C, OPEN), TO(B, SLOT), BORN(B), MARKED(C, OPEN, REBORN)},
	{"2: of a dead flow", SYN, CHANGED(B, A), FLOW(C, OPEN, .age = IDLE_TCP + 1), TO(B, SLOT), BORN(B)},
	{"2: of a doomed flow", SYN, CHANGED(B, A), FLOW(C, OPEN, .doomed = true), TO(B, SLOT), BORN(B)},
	{"2: repeated after another life's SYN", SYN_AGAIN, CHANGED(B, A), BIRTH(C, OPENING), FLOW(D, OPEN, .flags = REBORN), TO(C, FLOW), BORN(C)},
	{"2: the owner cannot be used: the default", SYN, CHANGED(GONE, A), TO(A, FALLBACK), .noted = USED},
	{"2: or the flow's", SYN, CHANGED(GONE, A), FLOW(C, OPEN), TO(C, FLOW), GOES_ON(C, OPEN, 0)},
	{"2: nobody can be used", SYN, CHANGED(GONE, GONE)},
	{"2: nobody is there", SYN, CHANGED(NONE, NONE)},
	{"2: nobody can be used, tracked", SYN, TRACKED(GONE, GONE)},

	/* 3. Choice and default are the same, and no unconfirmed birth: nothing is written. */
	{"3: owner and fallback are the same", SYN, CHANGED(A, A), TO(A, SLOT)},
	{"3: the fallback cannot be used", SYN, CHANGED(B, GONE), TO(B, SLOT)},
	{"3: but an unconfirmed birth lives: overwritten", SYN, CHANGED(A, A), BIRTH(C, OPENING), TO(A, SLOT), BORN(A)},
	{"3: by its own SYN too", SYN_AGAIN, CHANGED(B, A), BIRTH(A, OPENING), TO(A, FLOW), BORN(A)},
	{"3: one that is dead does not count", SYN, CHANGED(A, A), BIRTH(C, OPENING, .outlived = true), TO(A, SLOT)},
	{"3: the flow is with the owner", SYN, CHANGED(B, A), FLOW(B, OPEN), TO(B, SLOT), GOES_ON(B, OPEN, 0)},
	{"3: and opens again", SYN, CHANGED(B, A), FLOW(B, CLOSING), TO(B, SLOT), GOES_ON(B, OPEN, 0)},
	{"3: its flags stay", SYN, CHANGED(B, A), FLOW(B, CLOSING, .flags = RECORDED), TO(B, SLOT), GOES_ON(B, OPEN, RECORDED)},
	{"3: repeated, copied", SYN_AGAIN, CHANGED(B, A), BIRTH(C, OPEN), FLOW(C, OPEN), TO(C, FLOW), GOES_ON(C, OPEN, 0)},
	{"3: tracked, known", SYN, TRACKED(A, A), FLOW(A, OPEN), TO(A, SLOT), GOES_ON(A, OPEN, 0)},
	{"3: tracked, unknown: born all the same", SYN, TRACKED(A, A), TO(A, SLOT), BORN(A)},
	{"3: tracked, changed", SYN, TRACKED(B, A), TO(B, SLOT), BORN(B)},

	/* 4. Else a birth; where none can be written, the default. */
	{"4: no room", SYN, CHANGED(B, A), NO_ROOM(TCP), TO(A, FALLBACK), NO_BIRTH(| USED)},
	{"4: no room for births", SYN, CHANGED(B, A), NO_ROOM(TCP_BIRTHS), TO(A, FALLBACK), NO_BIRTH(| USED)},
	{"4: no room for others", SYN, CHANGED(B, A), .scene.no_room = QUOTA(TCP_RECORDED) | QUOTA(UDP) | QUOTA(UDP_BIRTHS), TO(B, SLOT), BORN(B)},
	{"4: no room at all", SYN, CHANGED(B, A), NO_ROOM_AT_ALL, TO(A, FALLBACK), NO_BIRTH(| USED)},
	{"4: no room but its own dead birth's", SYN, CHANGED(B, A), BIRTH(C, OPEN, .outlived = true), NO_ROOM_AT_ALL, TO(B, SLOT), BORN(B)},
	{"4: or its own live one's", SYN, CHANGED(B, A), BIRTH(C, OPENING), NO_ROOM_AT_ALL, TO(B, SLOT), BORN(B)},
	{"4: no room, an old flow's new life", SYN, CHANGED(B, A), FLOW(C, OPEN), NO_ROOM_AT_ALL, TO(C, FLOW), GOES_ON(C, OPEN, 0), NO_BIRTH()},
	{"4: no room, a closing flow's new life", SYN, CHANGED(B, A), FLOW(C, CLOSING), NO_ROOM_AT_ALL, TO(C, FLOW), GOES_ON(C, OPEN, 0), NO_BIRTH()},
	{"4: no room, and no fallback", SYN, CHANGED(B, NONE), NO_ROOM_AT_ALL, TO(B, SLOT)},
	{"4: no room, tracked", SYN, TRACKED(A, A), NO_ROOM_AT_ALL, TO(A, FALLBACK), NO_BIRTH()},
	{"4: a doomed birth is taken over", SYN_AGAIN, CHANGED(B, A), BIRTH(C, OPENING, .doomed = true), TO(B, SLOT), BORN(B)},
	{"4: also if it was confirmed", SYN, CHANGED(B, A), BIRTH(C, OPEN, .doomed = true), TO(B, SLOT), BORN(B)},
};

static const struct row established[] = {
	/* 1. A live birth that is confirmed, or becomes so: its backend, and a copy. */
	{"1: confirmed now", ACK, CHANGED(B, A), BIRTH(C, OPENING), TO(C, FLOW), LIVES(C, OPEN), COPIED(C, OPEN)},
	{"1: the first number that belongs to it", WINDOW_FIRST, CHANGED(B, A), BIRTH(C, OPENING), TO(C, FLOW), LIVES(C, OPEN), COPIED(C, OPEN)},
	{"1: the last", WINDOW_LAST, CHANGED(B, A), BIRTH(C, OPENING), TO(C, FLOW), LIVES(C, OPEN), COPIED(C, OPEN)},
	{"1: one too far", WINDOW_PAST, CHANGED(B, A), BIRTH(C, OPENING), TO(A, FALLBACK), GOES_ON(A, OPEN, RECORDED | REBORN)},
	{"1: one too low", WINDOW_BEFORE, CHANGED(B, A), BIRTH(C, OPENING), TO(A, FALLBACK), GOES_ON(A, OPEN, RECORDED | REBORN)},
	{"1: a confirmed one asks for no number", STRAY_ACK, CHANGED(B, A), BIRTH(C, OPEN), TO(C, FLOW), LIVES(C, OPEN), COPIED(C, OPEN)},
	{"1: by a FIN", FIN, CHANGED(B, A), BIRTH(C, OPENING), TO(C, FLOW), LIVES(C, CLOSING), COPIED(C, CLOSING)},
	{"1: by a reset of its own", RST, CHANGED(B, A), BIRTH(C, OPENING), TO(C, FLOW), LIVES(C, RESET), COPIED(C, RESET)},
	{"1: what closes stays closing", ACK, CHANGED(B, A), BIRTH(C, CLOSING), TO(C, FLOW), LIVES(C, CLOSING), COPIED(C, CLOSING)},
	{"1: also with the fallback", ACK, CHANGED(B, A), BIRTH(A, OPENING), TO(A, FLOW), LIVES(A, OPEN), COPIED(A, OPEN)},
	{"1: tracked", ACK, TRACKED(A, A), BIRTH(A, OPENING), TO(A, FLOW), LIVES(A, OPEN), COPIED(A, OPEN)},
	{"1: nor does the pair matter", ACK, CHANGED(GONE, NONE), BIRTH(C, OPENING), TO(C, FLOW), LIVES(C, OPEN), COPIED(C, OPEN)},
	{"1: no room: it serves", ACK, CHANGED(B, A), BIRTH(C, OPENING), NO_ROOM(TCP), TO(C, FLOW), LIVES(C, OPEN)},
	{"1: no room for recorded ones: a copy is none", ACK, CHANGED(B, A), BIRTH(C, OPENING), NO_ROOM(TCP_RECORDED), TO(C, FLOW), LIVES(C, OPEN), COPIED(C, OPEN)},
	{"1: the copy replaces an earlier life", ACK, CHANGED(B, A), BIRTH(C, OPENING), FLOW(D, OPEN, .flags = REBORN), TO(C, FLOW), LIVES(C, OPEN), COPIED(C, OPEN)},
	{"1: which needs no room", ACK, CHANGED(B, A), BIRTH(C, OPENING), FLOW(D, OPEN, .flags = REBORN), NO_ROOM_AT_ALL, TO(C, FLOW), LIVES(C, OPEN), COPIED(C, OPEN)},
	{"1: and one that was recorded", ACK, CHANGED(B, A), BIRTH(C, OPENING), FLOW(D, OPEN, .flags = RECORDED | REBORN), TO(C, FLOW), LIVES(C, OPEN), COPIED(C, OPEN)},
	{"1: and one that is dead", ACK, CHANGED(B, A), BIRTH(C, OPEN), FLOW(D, OPEN, .outlived = true), TO(C, FLOW), LIVES(C, OPEN), COPIED(C, OPEN)},
	{"1: and one that is doomed", ACK, CHANGED(B, A), BIRTH(C, OPEN), FLOW(C, OPEN, .doomed = true), TO(C, FLOW), LIVES(C, OPEN), COPIED(C, OPEN)},
	{"1: last tick to be confirmed", ACK, CHANGED(B, A), BIRTH(C, OPENING, .age = IDLE_CLOSING), TO(C, FLOW), LIVES(C, OPEN), COPIED(C, OPEN)},
	{"1: a tick late", ACK, CHANGED(B, A), BIRTH(C, OPENING, .age = IDLE_CLOSING + 1), TO(A, FALLBACK), RECORD(A, OPEN)},
	{"1: last tick", ACK, CHANGED(B, A), BIRTH(C, OPEN, .age = IDLE_TCP), TO(C, FLOW), LIVES(C, OPEN), COPIED(C, OPEN)},
	{"1: a tick late, confirmed", ACK, CHANGED(B, A), BIRTH(C, OPEN, .age = IDLE_TCP + 1), TO(A, FALLBACK), RECORD(A, OPEN)},
	{"1: doomed", ACK, CHANGED(B, A), BIRTH(C, OPEN, .doomed = true), TO(A, FALLBACK), RECORD(A, OPEN)},

	/* A reset after the SYN goes after the SYN. */
	{"reset: nothing is learnt from it", STRAY_RST, CHANGED(B, A), BIRTH(C, OPENING), TO(C, FLOW)},
	{"reset: a flow entry is not asked", STRAY_RST, CHANGED(B, A), BIRTH(C, OPENING), FLOW(D, OPEN, .flags = REBORN), TO(C, FLOW)},
	{"reset: not after a SYN", STRAY_RST, CHANGED(B, A), FLOW(D, OPEN), TO(D, FLOW), GOES_ON(D, RESET, 0)},
	{"reset: long after a SYN", STRAY_RST, CHANGED(B, A), BIRTH(C, OPENING, .age = IDLE_CLOSING + 1), TO(A, FALLBACK), RECORD(A, RESET)},
	{"reset: no FIN is one", STRAY_FIN, CHANGED(B, A), BIRTH(C, OPENING), TO(A, FALLBACK), GOES_ON(A, CLOSING, RECORDED | REBORN)},

	/* 2. A live flow entry: its backend. */
	{"2: known", ACK, CHANGED(B, A), FLOW(C, OPEN), TO(C, FLOW), GOES_ON(C, OPEN, 0)},
	{"2: tracked", ACK, TRACKED(A, A), FLOW(C, OPEN), TO(C, FLOW), GOES_ON(C, OPEN, 0)},
	{"2: the pair does not matter", ACK, CHANGED(GONE, NONE), FLOW(C, OPEN), TO(C, FLOW), GOES_ON(C, OPEN, 0)},
	{"2: nor does room", ACK, CHANGED(B, A), FLOW(C, OPEN, .flags = RECORDED), NO_ROOM_AT_ALL, TO(C, FLOW), GOES_ON(C, OPEN, RECORDED)},
	{"2: FIN", FIN, CHANGED(B, A), FLOW(C, OPEN), TO(C, FLOW), GOES_ON(C, CLOSING, 0)},
	{"2: RST", RST, CHANGED(B, A), FLOW(C, OPEN), TO(C, FLOW), GOES_ON(C, RESET, 0)},
	{"2: what follows a reset opens it again", ACK, CHANGED(B, A), FLOW(C, RESET), TO(C, FLOW), GOES_ON(C, OPEN, 0)},
	{"2: what closes stays closing", ACK, CHANGED(B, A), FLOW(C, CLOSING), TO(C, FLOW), GOES_ON(C, CLOSING, 0)},
	{"2: no birth is asked unless it says so", ACK, CHANGED(B, A), BIRTH(C, OPENING), FLOW(D, OPEN), TO(D, FLOW), GOES_ON(D, OPEN, 0)},
	{"2: not even a confirmed one", ACK, CHANGED(B, A), BIRTH(C, OPEN), FLOW(D, OPEN), TO(D, FLOW), GOES_ON(D, OPEN, 0)},
	{"2: a packet of the life before the SYN", STRAY_ACK, CHANGED(B, A), BIRTH(C, OPENING), FLOW(D, OPEN, .flags = REBORN), TO(D, FLOW), GOES_ON(D, OPEN, REBORN)},
	{"2: reborn, and that came to nothing", ACK, CHANGED(B, A), FLOW(D, OPEN, .flags = REBORN), TO(D, FLOW), GOES_ON(D, OPEN, REBORN)},
	{"2: reborn, and the birth is dead", ACK, CHANGED(B, A), BIRTH(C, OPENING, .age = IDLE_CLOSING + 1), FLOW(D, OPEN, .flags = REBORN), TO(D, FLOW), GOES_ON(D, OPEN, REBORN)},
	{"2: last tick", ACK, CHANGED(B, A), FLOW(C, OPEN, .age = IDLE_TCP), TO(C, FLOW), GOES_ON(C, OPEN, 0)},
	{"2: a tick late", ACK, CHANGED(B, A), FLOW(C, OPEN, .age = IDLE_TCP + 1), TO(A, FALLBACK), RECORD(A, OPEN)},
	{"2: last tick, closing", ACK, CHANGED(B, A), FLOW(C, CLOSING, .age = IDLE_CLOSING), TO(C, FLOW), GOES_ON(C, CLOSING, 0)},
	{"2: a tick late, closing", ACK, CHANGED(B, A), FLOW(C, CLOSING, .age = IDLE_CLOSING + 1), TO(A, FALLBACK), RECORD(A, OPEN)},
	{"2: seen a tick from now, by another CPU", ACK, CHANGED(B, A), FLOW(C, OPEN, .age = -1), TO(C, FLOW), GOES_ON(C, OPEN, 0)},
	{"2: its backend cannot be used", ACK, CHANGED(B, A), FLOW(GONE, OPEN), TO(A, FALLBACK), RECORD(A, OPEN)},
	{"2: nor could it for a while", ACK, CHANGED(B, A), FLOW(C, OPEN, .outlived = true), TO(A, FALLBACK), RECORD(A, OPEN)},
	{"2: of another pool", ACK, CHANGED(B, A), FLOW(C, OPEN, .of_other_pool = true), TO(A, FALLBACK), RECORD(A, OPEN)},
	{"2: names no backend", ACK, CHANGED(B, A), FLOW(BEYOND, OPEN), TO(A, FALLBACK), RECORD(A, OPEN)},

	/* 3. The fallback, recorded; else the owner. */
	{"3: unknown", ACK, CHANGED(B, A), TO(A, FALLBACK), RECORD(A, OPEN)},
	{"3: first seen by its FIN", FIN, CHANGED(B, A), TO(A, FALLBACK), RECORD(A, CLOSING)},
	{"3: beside the SYN of another life", STRAY_ACK, CHANGED(B, A), BIRTH(C, OPENING), TO(A, FALLBACK), GOES_ON(A, OPEN, RECORDED | REBORN)},
	{"3: the owner is the same", ACK, CHANGED(A, A), TO(A, FALLBACK)},
	{"3: the owner is the same, tracked", ACK, TRACKED(A, A), TO(A, FALLBACK), RECORD(A, OPEN)},
	{"3: the owner cannot be used", ACK, CHANGED(GONE, A), TO(A, FALLBACK), RECORD(A, OPEN)},
	{"3: the fallback cannot be used", ACK, CHANGED(B, GONE), TO(B, SLOT)},
	{"3: no fallback", ACK, CHANGED(B, NONE), TO(B, SLOT)},
	{"3: nobody can be used", ACK, CHANGED(GONE, GONE)},
	{"3: nobody can be used, tracked", ACK, TRACKED(GONE, GONE)},
	{"3: no room", ACK, CHANGED(B, A), NO_ROOM(TCP), TO(A, FALLBACK), NO_RECORD},
	{"3: no room for recorded ones", ACK, CHANGED(B, A), NO_ROOM(TCP_RECORDED), TO(A, FALLBACK), NO_RECORD},
	{"3: no room for others", ACK, CHANGED(B, A), .scene.no_room = QUOTA(TCP_BIRTHS) | QUOTA(UDP) | QUOTA(UDP_BIRTHS), TO(A, FALLBACK), RECORD(A, OPEN)},
	{"3: no room at all", ACK, CHANGED(B, A), NO_ROOM_AT_ALL, TO(A, FALLBACK), NO_RECORD},
	{"3: no room, tracked", ACK, TRACKED(A, A), NO_ROOM_AT_ALL, TO(A, FALLBACK), NO_RECORD},
	{"3: no room but its own dead entry's", ACK, CHANGED(B, A), FLOW(C, OPEN, .outlived = true), NO_ROOM(TCP), TO(A, FALLBACK), RECORD(A, OPEN)},
	{"3: which was no recorded one", ACK, CHANGED(B, A), FLOW(C, OPEN, .outlived = true), NO_ROOM(TCP_RECORDED), TO(A, FALLBACK), NO_RECORD},
	{"3: or was one", ACK, CHANGED(B, A), FLOW(C, OPEN, .outlived = true, .flags = RECORDED), NO_ROOM_AT_ALL, TO(A, FALLBACK), RECORD(A, OPEN)},
	{"3: a doomed entry is taken over", ACK, CHANGED(B, A), FLOW(C, OPEN, .doomed = true), TO(A, FALLBACK), RECORD(A, OPEN)},
};

static const struct row udp[] = {
	/* 1. A live birth or flow entry. */
	{"1: a birth", DATAGRAM, CHANGED(B, A), BIRTH(C, OPEN), TO(C, FLOW), LIVES(C, OPEN), COPIED(C, OPEN)},
	{"1: no room: it serves", DATAGRAM, CHANGED(B, A), BIRTH(C, OPEN), NO_ROOM(UDP), TO(C, FLOW), LIVES(C, OPEN)},
	{"1: no room for TCP", DATAGRAM, CHANGED(B, A), BIRTH(C, OPEN), NO_ROOM(TCP), TO(C, FLOW), LIVES(C, OPEN), COPIED(C, OPEN)},
	{"1: beside a doomed copy", DATAGRAM, CHANGED(B, A), BIRTH(C, OPEN), FLOW(C, OPEN, .doomed = true), TO(C, FLOW), LIVES(C, OPEN), COPIED(C, OPEN)},
	{"1: a flow entry", DATAGRAM, CHANGED(B, A), FLOW(C, OPEN), TO(C, FLOW), GOES_ON(C, OPEN, 0)},
	{"1: which speaks alone", DATAGRAM, CHANGED(B, A), BIRTH(C, OPEN), FLOW(D, OPEN), TO(D, FLOW), GOES_ON(D, OPEN, 0)},
	{"1: tracked", DATAGRAM, TRACKED(A, A), FLOW(C, OPEN), TO(C, FLOW), GOES_ON(C, OPEN, 0)},
	{"1: the pair does not matter", DATAGRAM, CHANGED(GONE, NONE), FLOW(C, OPEN), TO(C, FLOW), GOES_ON(C, OPEN, 0)},
	{"1: last tick", DATAGRAM, CHANGED(B, A), FLOW(C, OPEN, .age = IDLE_UDP), TO(C, FLOW), GOES_ON(C, OPEN, 0)},
	{"1: a tick late", DATAGRAM, CHANGED(B, A), FLOW(C, OPEN, .age = IDLE_UDP + 1), TO(B, SLOT), BORN_OPEN(B)},
	{"1: last tick of a birth", DATAGRAM, CHANGED(B, A), BIRTH(C, OPEN, .age = IDLE_UDP), TO(C, FLOW), LIVES(C, OPEN), COPIED(C, OPEN)},
	{"1: a tick late for a birth", DATAGRAM, CHANGED(B, A), BIRTH(C, OPEN, .age = IDLE_UDP + 1), TO(B, SLOT), BORN_OPEN(B)},
	{"1: its backend was gone", DATAGRAM, CHANGED(B, A), BIRTH(C, OPEN, .outlived = true), TO(B, SLOT), BORN_OPEN(B)},
	{"1: doomed", DATAGRAM, CHANGED(B, A), FLOW(C, OPEN, .doomed = true), TO(B, SLOT), BORN_OPEN(B)},

	/* 2. Owner and fallback the same. */
	{"2: nothing is written", DATAGRAM, CHANGED(A, A), AGO(since, 1), AGO(full, 1), TO(A, SLOT)},
	{"2: tracked: born", DATAGRAM, TRACKED(A, A), TO(A, SLOT), BORN_OPEN(A)},
	{"2: it cannot be used", DATAGRAM, CHANGED(GONE, GONE)},

	/* 3. The fallback while old flows may live, then the owner. */
	{"3: neither since nor full", DATAGRAM, CHANGED(B, A), TO(B, SLOT), BORN_OPEN(B)},
	{"3: just changed", DATAGRAM, CHANGED(B, A), AGO(since, 1), TO(A, FALLBACK), BORN_OPEN(A)},
	{"3: last tick", DATAGRAM, CHANGED(B, A), AGO(since, IDLE_UDP), TO(A, FALLBACK), BORN_OPEN(A)},
	{"3: a tick later", DATAGRAM, CHANGED(B, A), AGO(since, IDLE_UDP + 1), TO(B, SLOT), BORN_OPEN(B)},
	{"3: was just full", DATAGRAM, CHANGED(B, A), AGO(full, 1), TO(A, FALLBACK), BORN_OPEN(A)},
	{"3: last tick of full", DATAGRAM, CHANGED(B, A), AGO(since, 200), AGO(full, IDLE_UDP), TO(A, FALLBACK), BORN_OPEN(A)},
	{"3: a tick later", DATAGRAM, CHANGED(B, A), AGO(since, 200), AGO(full, IDLE_UDP + 1), TO(B, SLOT), BORN_OPEN(B)},
	{"3: changed by another CPU's later tick", DATAGRAM, CHANGED(B, A), AGO(since, -1), TO(A, FALLBACK), BORN_OPEN(A)},
	{"3: just changed, no fallback", DATAGRAM, CHANGED(B, GONE), AGO(since, 1), TO(B, SLOT), BORN_OPEN(B)},
	{"3: the owner cannot be used", DATAGRAM, CHANGED(GONE, A), TO(A, FALLBACK), BORN_OPEN(A)},
	{"3: nobody can be used", DATAGRAM, CHANGED(GONE, GONE), AGO(since, 1)},
	{"3: nobody can be used, tracked", DATAGRAM, TRACKED(GONE, GONE)},
	{"3: no room", DATAGRAM, CHANGED(B, A), NO_ROOM(UDP), TO(A, FALLBACK), NO_BIRTH(| USED)},
	{"3: no room, no fallback", DATAGRAM, CHANGED(B, GONE), NO_ROOM(UDP), TO(B, SLOT), NO_BIRTH()},
	{"3: no room for births", DATAGRAM, CHANGED(B, A), NO_ROOM(UDP_BIRTHS), TO(A, FALLBACK), NO_BIRTH(| USED)},
	{"3: no room for others", DATAGRAM, CHANGED(B, A), .scene.no_room = QUOTA(TCP) | QUOTA(TCP_BIRTHS) | QUOTA(TCP_RECORDED), TO(B, SLOT), BORN_OPEN(B)},
	{"3: no room at all", DATAGRAM, CHANGED(B, A), NO_ROOM_AT_ALL, TO(A, FALLBACK), NO_BIRTH(| USED)},
	{"3: no room, tracked", DATAGRAM, TRACKED(A, A), NO_ROOM_AT_ALL, TO(A, FALLBACK), NO_BIRTH(| USED)},
	{"3: no room but its own dead birth's", DATAGRAM, CHANGED(B, A), BIRTH(C, OPEN, .outlived = true), NO_ROOM_AT_ALL, TO(B, SLOT), BORN_OPEN(B)},
	{"3: a doomed birth is taken over", DATAGRAM, CHANGED(B, A), BIRTH(C, OPEN, .doomed = true), TO(B, SLOT), BORN_OPEN(B)},
};
/* clang-format on */

/* ---- what a row says against what is there ---- */

static const char *times_problem(const struct row *row, const struct choice *choice)
{
	struct lb_times before = scene_times(&row->scene), expected = before;

	if (row->noted & SINCE)
		expected.since = now;
	if (row->noted & USED)
		expected.used = now;
	if (row->noted & FULL)
		expected.full = now;
	for (uint32_t i = 0; i < TABLE_SIZE; i++)
		if (memcmp(&slot_times_host[TIMES_BASE + i],
			   i == choice->slot ? &expected : &before, sizeof(before)))
			return i == choice->slot ? "wrong times" : "another slot's times";
	for (uint32_t i = 0; i < LB_NOTE_COUNT; i++)
		if (notes_host[i] != (row->counted >> i & 1))
			return "wrong notes";
	return NULL;
}

/* Of the entry that was used. */
/* What another CPU saw a tick later is told as seen now. */
static uint32_t age_told(int age)
{
	return age < 0 ? 0 : (uint32_t)age;
}

static bool age_fits(const struct row *row, uint32_t age)
{
	const struct entry *birth = &row->scene.birth, *flow = &row->scene.flow;
	if (row->by != LB_BY_FLOW)
		return age == ~0U;
	return (birth->backend == row->backend && age == age_told(birth_age(birth))) ||
	       (flow->backend == row->backend && age == age_told(flow_age(flow)));
}

static const char *choice_problem(const struct row *row, enum lb_verdict verdict,
				  const struct choice *choice)
{
	if (verdict != (row->backend ? LB_CONTINUE : LB_DROP_NO_BACKEND))
		return "wrong verdict";
	if (!row->backend)
		return NULL;
	if (choice->index != row->backend || choice->status != backends_host[row->backend].status)
		return "wrong backend";
	if (choice->decided_by != row->by)
		return "wrong reason";
	return age_fits(row, choice->entry_age) ? NULL : "wrong age of the entry";
}

/* Says so if the row is not what is done. */
static bool row_holds(const char *table, const struct row *row, uint8_t family)
{
	struct packet packet = packet_of(row->packet, family);
	struct choice choice;
	enum lb_verdict verdict;
	const char *problem;

	scene_set(&row->scene, &packet);
	verdict = pick_once(&packet, &choice);
	problem = choice_problem(row, verdict, &choice);
	if (!problem)
		problem = birth_problem(&row->scene.birth, &row->birth, &packet);
	if (!problem)
		problem = flow_problem(&row->scene.flow, &row->flow, &packet);
	if (!problem)
		problem = times_problem(row, &choice);
	if (!problem && !usage_is_right())
		problem = "wrong usage";
	if (problem)
		print_error("%s %s (IPv%u, tick %u): %s\n", table, row->name, family, now, problem);
	return !problem;
}

/* Ticks have 31 bits, the last of which comes after 73 years. */
static const uint32_t ticks[] = {1000, 0x3ffffffe};

static void check_rows(const char *table, const struct row *rows, size_t count)
{
	size_t wrong = 0;

	for (size_t t = 0; t < COUNT(ticks); t++) {
		now = ticks[t];
		for (size_t i = 0; i < count; i++) {
			wrong += !row_holds(table, &rows[i], 4);
			wrong += !row_holds(table, &rows[i], 6);
		}
	}
	now = ticks[0];
	assert_int_equal(wrong, 0);
}

#define RULES(table)                                                                               \
	static void rules_##table(void **state)                                                    \
	{                                                                                          \
		(void)state;                                                                       \
		check_rows(#table, table, COUNT(table));                                           \
	}

RULES(settled)
RULES(syn)
RULES(established)
RULES(udp)

/* Soon after the machine started all times are small, and what never happened did not just happen.
 */
static void never_is_not_recent(void **state)
{
	static const struct row row = {"never", DATAGRAM, CHANGED(B, A), TO(B, SLOT), BORN_OPEN(B)};

	(void)state;
	now = IDLE_UDP - 1;
	assert_true(row_holds("soon after the start:", &row, 4));
	now = ticks[0];
}

/* ---- keys ---- */

static uint32_t slot_of(struct packet packet, uint32_t source, __be16 port)
{
	struct choice choice;

	packet.flow.v4.source = source;
	packet.flow.v4.source_port = port;
	assert_int_equal(pick_once(&packet, &choice), LB_CONTINUE);
	return choice.slot;
}

static void affinity_key(void **state)
{
	const struct scene any = {.owner = A, .fallback = A};
	struct packet packet = packet_of(SYN, 4);
	const uint32_t mask = bpf_htonl(0xffffff00), host = bpf_htonl(7), net = bpf_htonl(0x700);
	int by_flow = 0, by_net = 0;

	(void)state;
	scene_set(&any, &packet);
	for (__be16 port = 1; port < 100; port++)
		by_flow += slot_of(packet, host, port) != slot_of(packet, host, 0);
	assert_in_range(by_flow, 80, 99); /* of 99, one in 16 meets the same slot by chance */

	pools_host[POOL].flags = LB_POOL_SOURCE;
	pools_host[POOL].mask_v4 = mask;
	for (__be16 port = 1; port < 100; port++) {
		assert_int_equal(slot_of(packet, host, port), slot_of(packet, 0, 0));
		by_net += slot_of(packet, port * net, 1) != slot_of(packet, host, 1);
	}
	assert_in_range(by_net, 80, 99);
}

static void contradictions(void **state)
{
	const struct scene any = {.owner = B, .fallback = A, .changed = true};
	struct packet packet = packet_of(SYN, 4);
	struct choice choice = {};
	struct lb_backend *backend;

	(void)state;
	scene_set(&any, &packet);
	assert_int_equal(pick(&packet, HOST_POOLS, &choice, &backend), LB_DROP_INTERNAL);
	pools_host[POOL].times_base = HOST_SLOT_BLOCKS * LB_SLOT_BLOCK;
	assert_int_equal(pick(&packet, POOL, &choice, &backend), LB_DROP_INTERNAL);
	pools_host[POOL].times_base = TIMES_BASE;
	pools_host[POOL].table = LB_TABLE(HOST_SLOT_BLOCKS * LB_SLOT_BLOCK, TABLE_SIZE);
	assert_int_equal(pick(&packet, POOL, &choice, &backend), LB_DROP_INTERNAL);
	pools_host[POOL].table = 0;
	assert_int_equal(pick(&packet, POOL, &choice, &backend), LB_DROP_NO_BACKEND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_settled),       cmocka_unit_test(rules_syn),
		cmocka_unit_test(rules_established),   cmocka_unit_test(rules_udp),
		cmocka_unit_test(never_is_not_recent), cmocka_unit_test(affinity_key),
		cmocka_unit_test(contradictions),
	};

	return cmocka_run_group_tests_name("pick", tests, NULL, group_done);
}
