/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * model: pools, backends and services as the operator wants them, and the state of each backend.
 *
 * The model owns pools and services, a pool owns its backends; text is copied in. Others borrow
 * pointers until the next change of the model and keep names, not pointers. Pure: no socket, no
 * clock, no map. A model is used from one thread.
 *
 * Three things about a backend are kept apart: what the operator wants (admin), what the checks say
 * (health), and its weight. model_set_backend_health is the one place where health changes.
 */
#ifndef LIMPET_MODEL_H
#define LIMPET_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "log.h"

enum {
	MODEL_NAME_SIZE = LB_NAME_SIZE,
	MODEL_WEIGHT_MAX = 65535,
	MODEL_TABLE_SIZE_DEFAULT = 65537,
	MODEL_GUE_PORT_DEFAULT = 6080,
	MODEL_SOURCES_MAX = 10000, /* prefixes of one list */
	CHECK_TEXT_SIZE = 256,
	CHECK_COMMAND_SIZE = 512,
};

#define MODEL_AS_POOL UINT64_MAX

enum affinity_key { AFFINITY_5_TUPLE, AFFINITY_SOURCE_IP };
enum forward_mode { FORWARD_MODE_IPIP, FORWARD_MODE_GUE, FORWARD_MODE_L2, FORWARD_MODE_NAT };
enum track_mode { TRACK_CHANGED, TRACK_ALWAYS };
enum on_down { ON_DOWN_MOVE, ON_DOWN_KEEP };
enum drain_mode { DRAIN_FLOWS, DRAIN_CLIENTS, DRAIN_AS_POOL };
enum check_type {
	CHECK_NONE,
	CHECK_TCP,
	CHECK_HTTP,
	CHECK_HTTPS,
	CHECK_UDP,
	CHECK_ICMP,
	CHECK_EXEC,
	CHECK_TYPE_COUNT
};
enum check_via { CHECK_VIA_DEFAULT, CHECK_VIA_DIRECT, CHECK_VIA_TUNNEL };
enum admin_state { ADMIN_READY, ADMIN_DRAIN, ADMIN_MAINT, ADMIN_COUNT };
enum health_state { HEALTH_UNKNOWN, HEALTH_UP, HEALTH_DOWN, HEALTH_COUNT };

/* What a pool does with the health of its backends. */
enum pool_mode {
	POOL_NORMAL, /* those that are up, but for backups */
	POOL_BACKUP, /* backups, because no other is up */
	POOL_PANIC,  /* all but backups, whatever their health: too few are up */
	POOL_MODE_COUNT
};

#define CHECK_DERIVED UINT32_MAX /* a time that follows from the interval */

/* Text is padded with zeros, so that two checks are compared as bytes. What a key means: check.h
 * and lbd.yaml(5). */
struct check {
	enum check_type type;
	enum check_via via;
	uint32_t interval_ms;
	uint32_t fast_interval_ms; /* while undecided; 0: derived */
	uint32_t hold_down_ms;     /* the first one; CHECK_DERIVED, or 0: none */
	uint32_t timeout_ms;
	uint32_t rise;
	uint32_t fall;
	/* Host order; 0: the backend's, else the first exact port of a TCP (for CHECK_UDP: UDP)
	 * service of the pool. */
	uint16_t port;
	uint16_t agent;                    /* port of the backend's agent; 0: it has none */
	char statuses[CHECK_TEXT_SIZE];    /* http and https: expected ones; "": 200-299 */
	char send[CHECK_TEXT_SIZE];        /* udp */
	char answer[CHECK_TEXT_SIZE];      /* udp: what it must contain; "": any */
	char path[CHECK_TEXT_SIZE];        /* http and https, up to key */
	char host[CHECK_TEXT_SIZE];        /* "": the address */
	char body[CHECK_TEXT_SIZE];        /* "": whatever it says */
	char sni[CHECK_TEXT_SIZE];         /* "": none is sent */
	char ca[CHECK_TEXT_SIZE];          /* "": the server's certificate is not verified */
	char certificate[CHECK_TEXT_SIZE]; /* "": none is shown */
	char key[CHECK_TEXT_SIZE];         /* "": in the certificate's file */
	char command[CHECK_COMMAND_SIZE];  /* exec: words, each with its NUL, and an empty one */
};

/* What a backend's agent says of it; zeroed: nothing. It stands until the agent says otherwise. */
struct agent_says {
	bool down;
	enum admin_state admin;
	uint8_t weight_less; /* percent of the weight */
};

/* The outcome of next-hop resolution for a backend: where its packets leave. */
struct next_hop {
	bool resolved;
	uint32_t ifindex;
	uint16_t mtu; /* of the route or the interface, L3 bytes */
	uint8_t source_mac[6];
	uint8_t destination_mac[6];
	bool on_link;       /* it is the backend itself, and no gateway */
	struct addr source; /* the address the kernel would send from */
	char why[96];       /* where it is not resolved: the cause */
};

/* What a backend's checks went through; CLOCK_MONOTONIC, 0: none. See health.h. */
struct health_history {
	uint64_t up_since_ms;
	uint64_t held_until_ms;
	uint32_t short_lives;
};

struct backend {
	char name[MODEL_NAME_SIZE];
	struct addr address;
	uint16_t port;   /* host order; 0: none given */
	uint32_t weight; /* 0: no new flows or clients */
	bool backup;
	enum admin_state admin;
	enum drain_mode drain_mode; /* DRAIN_AS_POOL: the pool's, see backend_drain_mode */
	uint64_t drain_deadline_ms; /* MODEL_AS_POOL: the pool's; 0: none */
	/* State, not configuration: */
	enum health_state health;
	char reason[224];       /* of the health: the last check's result in words */
	uint64_t since_ms;      /* CLOCK_REALTIME of the last change of health */
	uint64_t checked_ms;    /* CLOCK_REALTIME of the last check; 0: never */
	uint64_t held_until_ms; /* CLOCK_REALTIME: stays down until then; 0: is not held down */
	uint32_t short_lives;   /* see health.h */
	struct health_history history;
	bool serves;              /* takes new flows, as of the last round of publishing */
	uint64_t serves_since_ms; /* CLOCK_MONOTONIC */
	uint8_t held_back;        /* percent of its weight, by slow start */
	uint32_t check_us;        /* that the last check took */
	uint64_t check_failures;
	uint64_t transition_count; /* of health */
	struct agent_says agent;
	char agent_line[128]; /* its last one, or why there was none */
	struct next_hop hop;
	uint32_t index;          /* in the data plane; 0: not published yet */
	uint32_t slots;          /* of its pool's table, as published */
	uint32_t left_slots;     /* whose fallback it is, though another owns them */
	uint32_t left_flows;     /* live entries that name it, as of the last sweep */
	uint32_t left_clients;   /* records that name it as owner, likewise */
	uint64_t nat_refused;    /* new flows that found no source port toward it, likewise */
	uint32_t pins;           /* clients pinned to it, as of the last pins_count */
	uint64_t left_missed_ms; /* CLOCK_REALTIME when a flow of it last found no room; 0: none */
	uint64_t drain_began_ms; /* CLOCK_REALTIME; 0: it does not drain, or nobody said */
	uint64_t drain_until_ms; /* CLOCK_REALTIME of the deadline; 0: none */
	bool drain_over;         /* the deadline has passed: the rest was moved */
	uint32_t drain_moved_flows; /* what was left then, as far as it was known */
	uint32_t drain_moved_clients;
	bool drain_moved_known;       /* false: it ended while no lbd counted */
	struct log_limit transitions; /* so that flapping does not fill the log */
	struct log_limit moves;       /* likewise, of its next hop */
};

struct pool {
	char name[MODEL_NAME_SIZE];
	enum affinity_key affinity;
	uint8_t prefix_v4; /* bits of the source that identify a client */
	uint8_t prefix_v6;
	uint64_t client_timeout_ms; /* 0: pure consistent hashing */
	enum forward_mode forward;
	uint16_t gue_port;   /* UDP, of backends reached by gue */
	uint32_t table_size; /* a prime */
	enum track_mode track;
	enum on_down on_down;
	enum drain_mode drain_mode;
	uint64_t drain_deadline_ms; /* 0: none */
	uint64_t slow_start_ms;
	uint32_t panic_threshold; /* percent */
	uint64_t idle_tcp_ms;
	uint64_t idle_udp_ms;
	bool snat;
	struct check check;
	struct backend **backends; /* ordered by name */
	size_t backend_count;
	/* State: */
	enum pool_mode mode; /* as of the last round of publishing */
	struct log_limit mode_changes;
	uint32_t index;
	uint64_t table_digest;
	uint32_t unsettled_slots;
	uint64_t tracked_flows; /* as of the last sweep */
	uint64_t clients;       /* known, likewise */
	uint64_t pins;          /* of its backends */
	uint64_t nat_flows;     /* that have entries, closing or not, likewise */
	uint64_t swept_ms;      /* CLOCK_REALTIME when that began; 0: none yet */
};

/* A prefix of a service's allow or deny list. */
struct source_rule {
	struct prefix prefix;
	bool allow;
};

struct service {
	char name[MODEL_NAME_SIZE];
	struct endpoint *listen;
	size_t listen_count;
	char pool[MODEL_NAME_SIZE];
	struct source_rule *sources; /* both lists, ordered by prefix, each prefix once */
	size_t source_count;
	uint32_t new_flow_limit;    /* per second and source prefix; 0: none */
	uint32_t new_flow_burst;    /* 0: as many as the limit */
	uint8_t new_flow_prefix_v4; /* bits of the source that share a limit */
	uint8_t new_flow_prefix_v6;
	bool withdraw; /* its VIPs go while no backend takes traffic */
	uint32_t index;
};

/* Who sees to it that packets to VIPs come here: somebody else, or lbd (vip.h). */
enum vip_mode { VIP_NONE, VIP_INTERFACE };

struct global {
	bool hash_seed_set;
	uint8_t hash_seed[LB_SEED_SIZE];
	char *hash_seed_file;   /* where it stands; NULL: in no file of its own */
	char *metrics;          /* "address:port"; NULL: none */
	struct prefix encap_v4; /* family 0: the egress interface's address */
	struct prefix encap_v6;
	struct prefix snat_v4; /* likewise */
	struct prefix snat_v6;
	enum vip_mode vip;
	struct lb_limits limits; /* 0 in slots and counters: derived, see model_limits */
};

struct model {
	struct global global;
	struct pool **pools; /* ordered by name */
	size_t pool_count;
	struct service **services; /* ordered by name */
	size_t service_count;
};

/* Returns an empty model with default limits, or NULL with errno set. */
struct model *model_create(void);
/* A deep copy, state included, or NULL with errno set. */
struct model *model_copy(const struct model *model);
void model_free(struct model *model); /* NULL is fine */

/* Borrowed, or NULL. */
struct pool *model_pool_find(const struct model *model, const char *name);
struct service *model_service_find(const struct model *model, const char *name);
struct backend *pool_backend_find(const struct pool *pool, const char *name);

/* Each makes an object with default values in its place in the order, and returns it, borrowed; or
 * NULL with errno EEXIST (the name is taken), EINVAL (see model_name_valid) or ENOMEM. */
struct pool *model_pool_add(struct model *model, const char *name);
struct service *model_service_add(struct model *model, const char *name);
struct backend *pool_backend_add(struct pool *pool, const char *name);

/* 0, or -ENOENT. Deleting a pool deletes its backends; services that name it are not touched. */
int model_pool_del(struct model *model, const char *name);
int model_service_del(struct model *model, const char *name);
int pool_backend_del(struct pool *pool, const char *name);

/* 0 or -ENOMEM. */
int service_listen_add(struct service *service, const struct endpoint *endpoint);
/* Puts `count` rules in the place of the service's `allow` or `deny` list, the other one stays: 0
 * or -ENOMEM. Rules of that list alone; a prefix of both is for the caller to find. */
int service_sources_set(struct service *service, bool allow, const struct source_rule *rules,
			size_t count);
/* How many rules are of that list. */
size_t service_sources_count(const struct service *service, bool allow);
/* By address, then length. */
int source_rule_compare(const struct source_rule *a, const struct source_rule *b);

/* Letters, digits, '-', '_' and '.', first a letter or digit, 1 to 63 bytes. */
bool model_name_valid(const char *name);

/* Pools start with these. */
void pool_defaults(struct pool *pool);

/* The only way a backend's health changes. Stamps `since_ms` and counts the transition if the state
 * differs, copies `reason` ("" for none), logs from, to and reason, and returns true if the state
 * differs: the pool is to be published again. `now_ms`: CLOCK_REALTIME. */
bool model_set_backend_health(struct pool *pool, struct backend *backend, enum health_state health,
			      const char *reason, uint64_t now_ms);

/* Whether the health of its backends is known: there is a check, or an agent. */
bool pool_checks(const struct pool *pool);

/* The mode that follows from how many backends, but for backups, are ready and have a weight, how
 * many of those are up and reachable, and how many backups are. */
enum pool_mode pool_mode_of(uint32_t wanted, uint32_t up, uint32_t backups_up,
			    uint32_t panic_threshold);
/* The one that follows from the pool's backends as they are. */
enum pool_mode pool_mode_now(const struct pool *pool);
/* Brings the pool's mode up to date and logs a change. */
void pool_reconsider(struct pool *pool, uint64_t now_ms);

/* Owner of slots: ready, up (or no check configured, or panic), resolved, weight above 0, and no
 * backup unless those are used. */
/* The operator's word or the agent's, whichever keeps more away. */
enum admin_state backend_admin(const struct backend *backend);
bool backend_takes_new(const struct pool *pool, const struct backend *backend);
/* May be given packets of flows that it has: not in maint, not drained for longer than the
 * deadline, resolved, and not down unless the pool keeps (on_down). */
bool backend_usable(const struct pool *pool, const struct backend *backend);
/* May be given new flows of clients that it has already: takes new ones, or drains for `clients`.
 */
bool backend_takes_clients(const struct pool *pool, const struct backend *backend);
/* Why it does not have its whole weight, or has it although it is down: words for people, "" if
 * there is nothing to say. Returns `out`. */
enum { BACKEND_WHY_SIZE = 192 };
const char *backend_why(const struct pool *pool, const struct backend *backend,
			char out[BACKEND_WHY_SIZE]);
/* The weight that counts for the table: 0 unless backend_takes_new. */
uint32_t backend_effective_weight(const struct pool *pool, const struct backend *backend);

/* How it drains, or would. */
enum drain_mode backend_drain_mode(const struct pool *pool, const struct backend *backend);
uint64_t backend_drain_deadline_ms(const struct pool *pool, const struct backend *backend);

/*
 * Where a backend's check goes. Through the tunnel: to a VIP of the pool, which is the check's own
 * address for it (see model_check_target), by the way that traffic takes.
 */
struct check_target {
	bool tunnel;
	struct addr address; /* the VIP, or the backend's own */
	uint16_t port;       /* model_check_port */
};

/* Through the tunnel if the check says so, or says nothing and the pool encapsulates; and if some
 * service names the pool: without one there is no VIP, and no traffic. The VIP is that of the first
 * listener that has the check's protocol and port, else of the first one. */
struct check_target model_check_target(const struct model *model, const struct pool *pool,
				       const struct backend *backend);
/* Whether checks of the pool go through the tunnel where they can. */
bool pool_checks_tunnel(const struct pool *pool);

/* Port to check, host order; 0 if none can be told (see struct check) or the check has none. */
uint16_t model_check_port(const struct model *model, const struct pool *pool,
			  const struct backend *backend);

/* The map sizes this model asks for: its global limits, with slots and counters, where they are 0,
 * derived with room to grow (at least 2^20 slots, twice what the pools' tables need). */
struct lb_limits model_limits(const struct model *model);

/* Words for output; the reverse returns -1 for an unknown word. */
const char *affinity_name(enum affinity_key key);
const char *forward_name(enum forward_mode forward);
const char *admin_name(enum admin_state admin);
const char *drain_mode_name(enum drain_mode mode);
const char *health_name(enum health_state health);
const char *pool_mode_name(enum pool_mode mode);
const char *check_type_name(enum check_type type);

#endif
