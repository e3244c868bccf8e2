/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * api: requests over a real socket. Each case is a request, the status, and what the reply must
 * hold, other fields left out. What is behind the API is api_fixture.h's.
 */
#include "api_fixture.h"

#include <fcntl.h>
#include <sys/wait.h>

#include "../../user/clock.h"

/* ---- requests ---- */

static const struct api_case {
	const char *method, *path, *body;
	unsigned status;
	const char *holds;
	const char *asks; /* of the controller; NULL: nothing */
} cases[] = {
	{"GET", "/v1/status", NULL, 200,
	 "{\"version\": \"0.\", \"uptime_s\": 61, \"published\": true,"
	 " \"pin_dir\": \"/sys/fs/bpf/lbd\","
	 " \"interfaces\": [{\"interface\": \"eth0\", \"mode\": \"generic\","
	 " \"state\": \"up\", \"attached\": true, \"mtu\": 1500}], \"services\": 2,"
	 " \"pools\": 2, \"backends\": 4, \"backends_up\": 2, \"overrides\": 2,"
	 " \"totals\": {\"packets\": 48, \"bytes\": 4800, \"dropped_packets\": 7},"
	 " \"flow_table\": {\"entries\": 7, \"limit\": 1000}, \"client_table\":"
	 " {\"entries\": 2, \"limit\": 500}, \"untracked\": [{\"count\": 0}, {\"count\": 1},"
	 " {\"what\": \"client_untracked\", \"count\": 2, \"meaning\": \"no room\"}, {\"count\": "
	 "3},"
	 " {\"count\": 4}]}",
	 NULL},
	{"POST", "/v1/doctor", NULL, 200,
	 "{\"schema\": 1, \"running\": false, \"findings\": [{\"severity\": \"error\","
	 " \"code\": \"mtu\", \"object\": \"backend web/web1\", \"cause\": \"too small\","
	 " \"type\": \"ip link\"}], \"node\": {\"tables\": [{\"pool\": \"dns\"},"
	 " {\"pool\": \"web\", \"table_digest\": \"00000000000000ab\"}]},"
	 " \"examined\": {\"interfaces\": 1, \"backends\": 3}}",
	 NULL},
	{"GET", "/v1/services", NULL, 200,
	 "{\"services\": [{\"name\": \"dns\", \"new_flows\": null}, {\"name\": \"http\","
	 " \"listen\": [\"tcp://192.0.2.10:*\", \"tcp://192.0.2.10:80\"], \"pool\": \"web\","
	 " \"backends_up\": 2, \"backends\": 3, \"packets\": 22, \"bytes\": 2200,"
	 " \"new_flows\": 22}]}",
	 NULL},
	{"GET", "/v1/services/http", NULL, 200, "{\"name\": \"http\", \"packets\": 22}", NULL},
	{"GET", "/v1/node", NULL, 200,
	 "{\"admin\": \"drain\", \"vip\": \"none\", \"addresses\": [{\"address\": \"192.0.2.10\","
	 " \"wanted\": false, \"held\": true, \"why\": \"the node is drained\"}]}",
	 NULL},
	{"PATCH", "/v1/node", "{\"admin\": \"ready\"}", 200,
	 "{\"dry_run\": false, \"changes\": [{\"change\": \"change node\","
	 " \"detail\": \"drain -> ready\"}]}",
	 "node ready by uid 0"},
	{"PATCH", "/v1/node?dry_run=1", "{\"admin\": \"drain\"}", 200,
	 "{\"dry_run\": true, \"changes\": []}", "node drain dry by uid 0"},
	{"PATCH", "/v1/node", "{\"admin\": \"maint\"}", 400, "{\"error\": {\"code\": \"usage\"}}",
	 NULL},
	{"DELETE", "/v1/node", NULL, 405, "{\"error\": {\"code\": \"usage\"}}", NULL},
	{"GET", "/v1/pools", NULL, 200,
	 "{\"pools\": [{\"name\": \"dns\", \"affinity\": {\"key\": \"5-tuple\"}}, {\"name\": "
	 "\"web\", \"services\": [\"http\"], \"backends_up\": 2, \"backend_count\": 3}]}",
	 NULL},
	{"GET", "/v1/pools/web", NULL, 200,
	 "{\"name\": \"web\", \"affinity\": {\"key\": \"source-ip\", \"prefix_v4\": 24,"
	 " \"prefix_v6\": 64}, \"table_size\": 65537, \"table_digest\": \"00000000000000ab\","
	 " \"unsettled_slots\": 5, \"tracked_flows\": 0, \"clients\": 0, \"forward\": \"ipip\","
	 " \"track\": \"changed\", \"backends\": [{\"name\": \"web1\", \"slots\": 65537,"
	 " \"fair_slots\": 65537}, {\"name\": \"web2\"}, {\"name\": \"web3\"}]}",
	 NULL},
	{"GET", "/v1/backends?pool=dns", NULL, 200,
	 "{\"backends\": [{\"pool\": \"dns\", \"name\": \"ns1\", \"address\": \"2001:db8:1::11\","
	 " \"port\": null, \"packets\": 0, \"new_flows\": null, \"last_check\": null,"
	 " \"next_hop\": {\"resolved\": false, \"interface\": null, \"mac\": null,"
	 " \"mtu\": null, \"why\": \"no route to host\"}}]}",
	 NULL},
	{"GET", "/v1/backends", NULL, 200,
	 "{\"backends\": [{\"name\": \"ns1\"}, {\"name\": \"web1\"}, {\"name\": \"web2\"},"
	 " {\"name\": \"web3\"}]}",
	 NULL},
	{"GET", "/v1/backends?fields=name,health&pool=dns", NULL, 200,
	 "{\"schema\": 1, \"backends\": [{\"name\": \"ns1\", \"health\": \"unknown\"}]}", NULL},
	{"GET", "/v1/backends?fields=name,helth", NULL, 400,
	 "{\"error\": {\"message\": \"helth\", \"hint\": \"mean health?\"}}", NULL},
	{"GET", "/v1/backends?format=csv", NULL, 400, "{\"error\": {\"message\": \"csv\"}}", NULL},
	{"GET", "/v1/pools/web/backends/web1", NULL, 200,
	 "{\"pool\": \"web\", \"name\": \"web1\", \"weight\": 3, \"effective_weight\": 3,"
	 " \"admin\": \"ready\", \"health\": \"up\", \"reason\": \"connected in 0.4 ms\","
	 " \"since\": \"2023-11-14T22:13:20.123Z\", \"slots\": 65537, \"packets\": 5,"
	 " \"bytes\": 500, \"new_flows\": 5, \"pins\": 0, \"left\": null, \"next_hop\": "
	 "{\"resolved\": true,"
	 " \"interface\": \"lo\", \"mac\": \"02:00:9f:a0:00:0b\", \"mtu\": 1500, \"why\": null}}",
	 NULL},
	{"GET", "/v1/pools/web/backends/web2", NULL, 200,
	 "{\"admin\": \"drain\", \"effective_weight\": 0, \"left\": {\"flows\": 0,"
	 " \"clients\": 0, \"slots\": 0, \"complete\": true}, \"drain\": {\"mode\": \"flows\","
	 " \"deadline\": null, \"deadline_passed\": false, \"moved\": null, \"done\": true}}",
	 NULL},
	/* flows and clients */
	{"GET", "/v1/flows", NULL, 200,
	 "{\"flows\": [{\"proto\": \"tcp\", \"source\": \"198.51.100.1:40000\", \"destination\":"
	 " \"192.0.2.10:80\", \"pool\": \"web\", \"backend\": \"web1\", \"state\": \"open\","
	 " \"kind\": \"flow\", \"age_s\": 0, \"live\": true}, {\"backend\": \"web2\", \"age_s\":"
	 " 107, \"live\": true}, {\"backend\": \"web3\", \"live\": false}, {\"source\":"
	 " \"[2001:f01::]:40003\", \"backend\": null, \"state\": \"opening\", \"kind\": "
	 "\"birth\"}],"
	 " \"cut\": false, \"next\": null}",
	 NULL},
	{"GET", "/v1/flows?backend=web/web2", NULL, 200,
	 "{\"flows\": [{\"backend\": \"web2\"}], \"cut\": false}", NULL},
	{"GET", "/v1/flows?pool=dns", NULL, 200, "{\"flows\": []}", NULL},
	{"GET", "/v1/flows?source=198.51.100.2", NULL, 200,
	 "{\"flows\": [{\"backend\": \"web2\"}]}", NULL},
	{"GET", "/v1/flows?source=198.51.100.0/30", NULL, 200, "{\"flows\": [{}, {}, {}]}", NULL},
	{"GET", "/v1/flows?source=2001:f00::/28", NULL, 200, "{\"flows\": [{\"kind\": \"birth\"}]}",
	 NULL},
	{"GET", "/v1/flows?older=1m&younger=3m", NULL, 200,
	 "{\"flows\": [{\"backend\": \"web2\"}]}", NULL},
	{"GET", "/v1/flows?limit=3", NULL, 200,
	 "{\"flows\": [{}, {}, {}], \"cut\": true, \"next\": null}", NULL},
	{"GET", "/v1/flows?limit=4", NULL, 200, "{\"flows\": [{}, {}, {}, {}], \"cut\": false}",
	 NULL},
	{"GET", "/v1/flows?cursor=0.1", NULL, 200,
	 "{\"flows\": [{\"backend\": \"web3\"}, {}], \"next\": null}", NULL},
	{"GET", "/v1/flows?cursor=0.1x", NULL, 400, "{\"error\": {\"code\": \"usage\"}}", NULL},
	{"GET", "/v1/flows?limit=0", NULL, 400, "{\"error\": {\"message\": \"limit\"}}", NULL},
	{"GET", "/v1/flows?older=soon", NULL, 400, "{\"error\": {\"message\": \"older\"}}", NULL},
	{"GET", "/v1/flows?source=x", NULL, 400, "{\"error\": {\"message\": \"source\"}}", NULL},
	{"GET", "/v1/flows?backend=web2", NULL, 400, "{\"error\": {\"message\": \"POOL/NAME\"}}",
	 NULL},
	{"GET", "/v1/flows?backend=web/web9", NULL, 404, "{\"error\": {}}", NULL},
	{"GET", "/v1/flows?pool=wbe", NULL, 404, "{\"error\": {\"hint\": \"mean web?\"}}", NULL},
	{"GET", "/v1/flows?limt=3", NULL, 400, "{\"error\": {\"hint\": \"mean limit?\"}}", NULL},
	{"GET", "/v1/pools/web/clients", NULL, 200,
	 "{\"clients\": [{\"address\": \"198.51.100.0/24\", \"owner\": \"web1\", \"fallback\":"
	 " \"web3\", \"changed\": true, \"idle_s\": 10, \"known\": true, \"live\": true}],"
	 " \"cut\": false, \"next\": null}",
	 NULL},
	{"GET", "/v1/pools/wbe/clients", NULL, 404, "{\"error\": {\"hint\": \"mean web?\"}}", NULL},
	{"DELETE", "/v1/pools/web/clients/198.51.100.77", NULL, 200,
	 "{\"dry_run\": false, \"changes\": [{\"change\": \"forget client\", \"object\":"
	 " \"web/198.51.100.0/24\"}]}",
	 "told forget client web/198.51.100.0/24 by uid"},
	{"DELETE", "/v1/pools/web/clients/198.51.7.1?dry_run=1", NULL, 200, "{\"dry_run\": true}",
	 NULL},
	{"DELETE", "/v1/pools/web/clients/198.51.7.1", NULL, 404,
	 "{\"error\": {\"code\": \"not_found\"}}", NULL},
	{"DELETE", "/v1/pools/web/clients/x", NULL, 400,
	 "{\"error\": {\"message\": \"bad address\"}}", NULL},
	{"PATCH", "/v1/pools/web/clients/198.51.100.7", "{}", 405, "{\"error\": {}}", NULL},
	{"GET", "/v1/drops?all=0", NULL, 200,
	 "{\"drops\": [{}, {}, {}, {}, {\"verdict\": \"drop_ttl\", \"packets\": 7, \"bytes\": 700,"
	 " \"meaning\": \"time is up\", \"action\": \"drop\"}, \"...\"]}",
	 NULL},
	{"GET", "/v1/drops?all=1", NULL, 200,
	 "{\"drops\": [{\"verdict\": \"forwarded\", \"packets\": 48, \"action\": \"forward\"}, {},"
	 " {\"action\": \"pass\", \"packets\": 9}, \"...\"]}",
	 NULL},
	{"GET", "/v1/what-if?change=kill&backend=web/web1", NULL, 200,
	 "{\"change\": \"kill\", \"pool\": \"web\", \"backend\": \"web1\", \"slots_moved\": 65537,"
	 " \"slots_lost\": 65537, \"new_flows_percent\": 100.0, \"table_size\": 65537,"
	 " \"table_digest\": {\"now\": \"00000000000000ab\"}, \"backends\": [{\"name\": \"web1\","
	 " \"now\": {\"slots\": 65537, \"share_percent\": 100.0, \"effective_weight\": 3},"
	 " \"then\": {\"slots\": 0, \"effective_weight\": 0}}, {}, {}], \"counted\": null}",
	 NULL},
	{"GET", "/v1/what-if?change=add&backend=web/web4&weight=3", NULL, 200,
	 "{\"slots_lost\": 0, \"all_flows_percent\": 0.0, \"backends\": [{}, {}, {},"
	 " {\"name\": \"web4\", \"now\": null, \"then\": {\"effective_weight\": 3}}]}",
	 NULL},
	{"GET", "/v1/what-if?change=drain&backend=web/web1&mode=clients", NULL, 200,
	 "{\"slots_lost\": 0, \"drain_mode\": \"clients\", \"drain_deadline\": \"5m\"}", NULL},
	{"GET", "/v1/what-if?change=drink&backend=web/web1", NULL, 400,
	 "{\"error\": {\"message\": \"\\\"drink\\\"\", \"hint\": \"drain\"}}", NULL},
	{"GET", "/v1/what-if?change=weight&backend=web/web1", NULL, 400,
	 "{\"error\": {\"message\": \"weight\"}}", NULL},
	{"GET", "/v1/what-if?change=kill&backend=web/web7", NULL, 404,
	 "{\"error\": {\"message\": \"backend web/web7\"}}", NULL},
	{"GET", "/v1/pools/web/clients/198.51.100.7/pin", NULL, 405,
	 "{\"error\": {\"hint\": \"it takes PUT, DELETE\"}}", NULL},
	{"POST", "/v1/what-if?change=kill&backend=web/web1", "{}", 405, "{\"error\": {}}", NULL},
	{"GET", "/v1/config", NULL, 200,
	 "{\"version\": 1, \"pools\": [{\"name\": \"dns\"}, {\"name\": \"web\", \"check\":"
	 " {\"type\": \"tcp\", \"interval\": \"2s\"}, \"idle_timeout\": {\"tcp\": \"2h10m\"},"
	 " \"backends\": [{\"name\": \"web1\", \"address\": \"10.0.0.11\", \"weight\": 3}, {},"
	 " {}]}], \"services\": [{}, {\"name\": \"http\", \"pool\": \"web\"}]}",
	 NULL},
	/* changes */
	{"POST", "/v1/pools/web/backends/web4", "{\"address\": \"10.0.0.14\"}", 200,
	 "{\"dry_run\": false, \"changes\": [{\"change\": \"add backend\", \"object\": \"web4\"}]}",
	 "add backend web/web4 {\"address\":\"10.0.0.14\"} by uid "},
	{"PATCH", "/v1/pools/web/backends/web1?dry_run=1", "{\"admin\": \"drain\"}", 200,
	 "{\"dry_run\": true}", "set backend web/web1 {\"admin\":\"drain\"} dry by uid "},
	{"DELETE", "/v1/pools/web/backends/web1?dry_run=0", NULL, 200, "{\"dry_run\": false}",
	 "delete backend web/web1 no body by uid "},
	{"POST", "/v1/services/x", "{}", 200, "{}", "add service /x {} by uid "},
	{"PATCH", "/v1/services/http", "{\"pool\": \"web\"}", 200, "{}",
	 "set service /http {\"pool\":\"web\"} by uid "},
	{"PATCH", "/v1/services/http?break_flows=1", "{}", 200, "{}",
	 "set service /http {} breaking by uid "},
	{"PATCH", "/v1/pools/web/backends/web1?break_flows=1", "{}", 400,
	 "{\"error\": {\"message\": \"unknown parameter\"}}", NULL},
	{"DELETE", "/v1/services/http", NULL, 200, "{}", "delete service /http no body by uid "},
	{"POST", "/v1/reload?dry_run=1", NULL, 200, "{\"dry_run\": true, \"changes\": []}", NULL},
	{"POST", "/v1/reload", NULL, 400,
	 "{\"error\": {\"code\": \"usage\", \"message\": \"lbd.yaml:3:1: wrong\","
	 " \"details\": \"error: caf?\\n\"}}",
	 NULL},
	/* the controller's faults */
	{"DELETE", "/v1/services/failed", NULL, 500, "{\"error\": {\"code\": \"failed\"}}",
	 "delete service /failed"},
	{"DELETE", "/v1/services/usage", NULL, 400, "{\"error\": {\"code\": \"usage\"}}",
	 "delete service /usage"},
	{"DELETE", "/v1/services/permission", NULL, 403, "{\"error\": {\"code\": \"permission\"}}",
	 "delete service /permission"},
	{"DELETE", "/v1/services/not_found", NULL, 404, "{\"error\": {\"code\": \"not_found\"}}",
	 "delete service /not_found"},
	{"DELETE", "/v1/services/conflict", NULL, 409, "{\"error\": {\"code\": \"conflict\"}}",
	 "delete service /conflict"},
	{"DELETE", "/v1/services/timeout", NULL, 504, "{\"error\": {\"code\": \"timeout\"}}",
	 "delete service /timeout"},
	/* the request's own */
	{"GET", "/v1/backends?pool=wbe", NULL, 404,
	 "{\"error\": {\"code\": \"not_found\", \"hint\": \"did you mean web?\"}}", NULL},
	{"GET", "/v1/pools/nope", NULL, 404, "{\"error\": {\"code\": \"not_found\"}}", NULL},
	{"GET", "/v1/services/htpp", NULL, 404, "{\"error\": {\"hint\": \"mean http?\"}}", NULL},
	{"GET", "/v1/pools/web/backends/web9", NULL, 404,
	 "{\"error\": {\"message\": \"backend web/web9\", \"hint\": \"web/web\"}}", NULL},
	{"GET", "/v1/satus", NULL, 404, "{\"error\": {\"hint\": \"/v1/status\"}}", NULL},
	{"GET", "/", NULL, 404, "{\"error\": {\"code\": \"not_found\"}}", NULL},
	{"GET", "/v1/pools/web/", NULL, 404, "{\"error\": {\"code\": \"not_found\"}}", NULL},
	{"GET", "/v1/pools/a/b/c/d/e/f/g/h/i", NULL, 404, "{\"error\": {}}", NULL},
	{"GET", "/v1/pools/%ff", NULL, 400, "{\"error\": {\"message\": \"UTF-8\"}}", NULL},
	{"GET", "/v1/status?verbose=1", NULL, 400,
	 "{\"error\": {\"message\": \"unknown parameter \\\"verbose\\\"\"}}", NULL},
	{"GET", "/v1/drops?all=yes", NULL, 400, "{\"error\": {\"message\": \"\\\"yes\\\"\"}}",
	 NULL},
	{"POST", "/v1/services/x?dry_run=true", "{}", 400, "{\"error\": {}}", NULL},
	{"POST", "/v1/services/x", NULL, 400, "{\"error\": {\"message\": \"no JSON object\"}}",
	 NULL},
	{"POST", "/v1/services/x", "[]", 400, "{\"error\": {\"message\": \"no JSON object\"}}",
	 NULL},
	{"PATCH", "/v1/services/x", "{\"pool\": }", 400,
	 "{\"error\": {\"message\": \"line 1, column 10\"}}", NULL},
	{"PATCH", "/v1/services/x", "{\"pool\": 1, \"pool\": 2}", 400,
	 "{\"error\": {\"message\": \"duplicate\"}}", NULL},
	{"PUT", "/v1/services/x", "{}", 405, "{\"error\": {\"hint\": \"PATCH\"}}", NULL},
	{"DELETE", "/v1/status", NULL, 405, "{\"error\": {\"hint\": \"GET\"}}", NULL},
	{"GET", "/v1/reload", NULL, 405, "{\"error\": {\"hint\": \"POST\"}}", NULL},
	{"PATCH", "/v1/reload", NULL, 405, "{\"error\": {\"hint\": \"POST\"}}", NULL},
};

static void test_case(void **state)
{
	struct place *place = *state;
	const struct api_case *c = place->of;
	char *answer, of[128];

	snprintf(of, sizeof(of), "%s %s", c->method, c->path);
	asked[0] = '\0';
	answer = request(place, c->method, c->path, c->body, NULL);
	assert_answer(of, answer, c->status, c->holds);
	if (c->asks ? !strstr(asked, c->asks) : asked[0] != '\0')
		fail_msg("%s asked for: %s", of, asked);
	free(answer);
}

/* ---- look-ups ---- */

#define LOOKUP(parameters) "/v1/flows/lookup?" parameters
#define TCP                LOOKUP("proto=tcp&source=198.51.100.7:4000&destination=192.0.2.10:80")

static const struct lookup_case {
	const char *name, *path;
	struct lb_explanation said;
	unsigned status;
	const char *holds;
	const char *flags; /* of the frame asked about; NULL: not asked */
} lookup_cases[] = {
	{"settled slot",
	 TCP,
	 {.verdict = LB_FORWARDED,
	  .service = 1,
	  .pool = 1,
	  .slot = 12,
	  .slot_word = LB_SLOT(1, 1, false),
	  .backend = 1,
	  .decided_by = LB_BY_SLOT,
	  .entry_age = ~0U},
	 200,
	 "{\"verdict\": \"forwarded\", \"service\": \"http\", \"pool\": \"web\","
	 " \"backend\": \"web1\", \"address\": \"10.0.0.11\", \"slot\": 12,"
	 " \"decided_by\": \"slot\", \"owner\": \"web1\", \"fallback\": \"web1\","
	 " \"entry_age_s\": null, \"explanation\": \"service http matched tcp://192.0.2.10:80;"
	 " pool web (affinity source-ip); slot 12 owned by web1, settled; a new flow (SYN) goes to"
	 " the slot's owner, web1\"}",
	 "02"},
	{"changed slot, established flow",
	 TCP "&syn=0",
	 {.verdict = LB_FORWARDED,
	  .service = 1,
	  .pool = 1,
	  .slot_word = LB_SLOT(1, 2, true),
	  .backend = 2,
	  .decided_by = LB_BY_FALLBACK,
	  .entry_age = ~0U},
	 200,
	 "{\"backend\": \"web2\", \"slot\": 0, \"decided_by\": \"fallback\", \"owner\": \"web1\","
	 " \"fallback\": \"web2\", \"explanation\": \"slot 0 owned by web1, unsettled, established"
	 " flows belong to web2; a packet of an established flow goes to the slot's fallback,"
	 " web2\"}",
	 "10"},
	{"an entry",
	 TCP "&syn=1",
	 {.verdict = LB_FORWARDED,
	  .service = 1,
	  .pool = 1,
	  .slot_word = LB_SLOT(1, 2, true),
	  .backend = 3,
	  .decided_by = LB_BY_FLOW,
	  .entry_age = 10},
	 200,
	 "{\"backend\": \"web3\", \"decided_by\": \"flow\", \"entry_age_s\": 10,"
	 " \"explanation\": \"the flow has an entry in the flow table that names web3, seen 10 s"
	 " ago\"}",
	 "02"},
	{"all that is told",
	 TCP,
	 {.verdict = LB_FORWARDED,
	  .service = 1,
	  .pool = 1,
	  .slot = 12,
	  .slot_word = LB_SLOT(1, 2, true),
	  .backend = 1,
	  .decided_by = LB_BY_SLOT,
	  .entry_age = ~0U},
	 200,
	 "{\"listen\": \"tcp://192.0.2.10:80\", \"key\": \"198.51.100.0/24\","
	 " \"affinity\": \"source-ip\", \"slot_owner\": \"web1\", \"slot_fallback\": \"web2\","
	 " \"slot_settled\": false, \"client\": null, \"entries\": [{\"kind\": \"birth\","
	 " \"backend\": \"web1\", \"age_s\": 10, \"live\": true}, {\"kind\": \"flow\","
	 " \"backend\": \"web3\", \"live\": false}], \"backends\": [{\"name\": \"web1\","
	 " \"admin\": \"ready\", \"health\": \"up\", \"reason\": \"connected in 0.4 ms\","
	 " \"weight\": 3, \"effective_weight\": 3, \"usable\": true}, {\"name\": \"web2\","
	 " \"admin\": \"drain\", \"effective_weight\": 0}], \"if_down\": null}",
	 "02"},
	{"a backend supposed to be down",
	 TCP "&if_down=web/web1",
	 {.verdict = LB_FORWARDED,
	  .service = 1,
	  .pool = 1,
	  .slot = 12,
	  .slot_word = LB_SLOT(1, 1, false),
	  .backend = 1,
	  .decided_by = LB_BY_SLOT,
	  .entry_age = ~0U},
	 200,
	 "{\"if_down\": \"web1\", \"now\": {\"backend\": \"web1\", \"decided_by\": \"slot\"},"
	 " \"backend\": \"web2\", \"explanation\": \"if web1 were down; service http\","
	 " \"entries\": [{\"backend\": \"web1\", \"live\": false}, {}]}",
	 "02"},
	{"a backend of another pool supposed to be down",
	 TCP "&if_down=dns/ns1",
	 {.verdict = LB_FORWARDED, .service = 1, .pool = 1, .backend = 1, .slot_word = 1},
	 400,
	 "{\"error\": {\"message\": \"the flow is of pool web\"}}",
	 "02"},
	{"one that is not there supposed to be down",
	 TCP "&if_down=web9",
	 {.verdict = LB_FORWARDED, .service = 1, .pool = 1, .backend = 1, .slot_word = 1},
	 404,
	 "{\"error\": {\"message\": \"backend web/web9\"}}",
	 "02"},
	{"of a flow of nobody's",
	 TCP "&if_down=web1",
	 {.verdict = LB_PASS_NO_SERVICE},
	 404,
	 "{\"error\": {\"message\": \"no service takes this flow\"}}",
	 "02"},
	{"any port is not the port",
	 LOOKUP("proto=tcp&source=1.2.3.4:5&destination=192.0.2.10:81"),
	 {.verdict = LB_FORWARDED, .service = 1, .pool = 1, .backend = 1, .slot_word = 1},
	 200,
	 "{\"explanation\": \"service http matched tcp://192.0.2.10:*;\"}",
	 "02"},
	{"no service",
	 LOOKUP("proto=udp&source=1.2.3.4:5&destination=192.0.2.99:81"),
	 {.verdict = LB_PASS_NO_SERVICE},
	 200,
	 "{\"service\": null, \"pool\": null, \"backend\": null, \"address\": null,"
	 " \"slot\": null, \"decided_by\": \"none\", \"owner\": null, \"entry_age_s\": null,"
	 " \"explanation\": \"no service matched udp://192.0.2.99:81; some text\"}",
	 "00"},
	{"a drop",
	 TCP,
	 {.verdict = LB_DROP_TTL, .service = 1, .pool = 1},
	 200,
	 "{\"verdict\": \"drop_ttl\", \"service\": \"http\", \"backend\": null,"
	 " \"explanation\": \"time is up\"}",
	 "02"},
	{"no protocol",
	 LOOKUP("source=1.2.3.4:5&destination=1.2.3.4:5"),
	 {0},
	 400,
	 "{\"error\": {\"code\": \"usage\", \"message\": \"protocol\"}}",
	 NULL},
	{"no source",
	 LOOKUP("proto=tcp&destination=1.2.3.4:5"),
	 {0},
	 400,
	 "{\"error\": {\"message\": \"no source given\"}}",
	 NULL},
	{"no port",
	 LOOKUP("proto=tcp&source=1.2.3.4&destination=1.2.3.4:5"),
	 {0},
	 400,
	 "{\"error\": {\"message\": \"source \\\"1.2.3.4\\\"\"}}",
	 NULL},
	{"two families",
	 LOOKUP("proto=tcp&source=[::1]:1&destination=1.2.3.4:5"),
	 {0},
	 400,
	 "{\"error\": {\"message\": \"different families\"}}",
	 NULL},
	{"neither SYN nor not",
	 TCP "&syn=maybe",
	 {0},
	 400,
	 "{\"error\": {\"message\": \"syn\"}}",
	 NULL},
};

static void test_lookup(void **state)
{
	struct place *place = *state;
	const struct lookup_case *c = place->of;
	char *answer;

	explanation = c->said;
	frame_seen[0] = '\0';
	answer = request(place, "GET", c->path, NULL, NULL);
	assert_answer(c->name, answer, c->status, c->holds);
	assert_string_equal(frame_seen, c->flags ? c->flags : "");
	free(answer);
}

/* ---- HTTP ---- */

/* The tag of what is at a path, as If-Match. */
static void tag_of(struct place *place, const char *path, char header[64])
{
	char *answer = request(place, "GET", path, NULL, NULL), *tag = strstr(answer, "ETag: ");

	assert_non_null(tag);
	snprintf(header, 64, "If-Match: %.18s\r\n", tag + 6);
	free(answer);
}

/* Every call that changes something, and what it may be held to. */
static const struct conditional {
	const char *method, *path, *body;
	const char *tags[3]; /* of these paths */
} conditionals[] = {
	{"POST", "/v1/services/new", "{}", {"/v1/config"}},
	{"PATCH", "/v1/services/http", "{}", {"/v1/services/http", "/v1/config"}},
	{"DELETE", "/v1/services/http", NULL, {"/v1/services/http", "/v1/config"}},
	{"POST",
	 "/v1/pools/web/backends/new",
	 "{\"address\": \"10.9.9.9\"}",
	 {"/v1/pools/web", "/v1/config"}},
	{"PATCH",
	 "/v1/pools/web/backends/web1",
	 "{}",
	 {"/v1/pools/web/backends/web1", "/v1/pools/web", "/v1/config"}},
	{"DELETE",
	 "/v1/pools/web/backends/web1",
	 NULL,
	 {"/v1/pools/web/backends/web1", "/v1/pools/web", "/v1/config"}},
	{"DELETE", "/v1/pools/web/clients/198.51.100.77", NULL, {"/v1/pools/web", "/v1/config"}},
	{"PATCH", "/v1/node", "{\"admin\": \"ready\"}", {"/v1/node", "/v1/config"}},
	{"PUT", "/v1/config", "{\"version\": 1}", {"/v1/config"}},
	{"POST", "/v1/reload?dry_run=1", NULL, {"/v1/config"}},
};

static void test_preconditions(void **state)
{
	struct place *place = *state;
	char header[64], *answer;

	for (size_t i = 0; i < COUNT(conditionals); i++) {
		const struct conditional *c = &conditionals[i];

		/* Nobody's, and another object's. */
		tag_of(place, "/v1/pools/dns", header);
		for (size_t old = 0; old < 2; old++) {
			asked[0] = '\0';
			answer = request(place, c->method, c->path, c->body,
					 old ? header : "If-Match: \"0123456789abcdef\"\r\n");
			assert_answer(c->path, answer, 412,
				      "{\"error\": {\"code\": \"conflict\"}}");
			assert_string_equal(asked, "");
			free(answer);
		}
		for (size_t n = 0; n < COUNT(c->tags) && c->tags[n]; n++) {
			tag_of(place, c->tags[n], header);
			answer = request(place, c->method, c->path, c->body, header);
			assert_answer(c->path, answer, 200, "{}");
			free(answer);
		}
	}
}

/* What is not said to change anything is not held to a tag. */
static void test_no_precondition(void **state)
{
	char *answer = request(*state, "GET", "/v1/services/http", NULL, "If-Match: \"x\"\r\n");

	assert_int_equal(status_of(answer), 200);
	free(answer);
}

static void test_precondition_is_of_now(void **state)
{
	static const char path[] = "/v1/services/http", body[] = "{\"pool\": \"web\"}";
	char header[64], *answer;

	tag_of(*state, "/v1/config", header);
	answer = request(*state, "PATCH", path, body, header);
	assert_int_equal(status_of(answer), 200);
	free(answer);
	model_service_find(model, "http")->listen_count = 1;
	answer = request(*state, "PATCH", path, body, header);
	assert_answer("another configuration", answer, 412,
		      "{\"error\": {\"code\": \"conflict\"}}");
	free(answer);
}

static void test_allow(void **state)
{
	char *answer = request(*state, "PUT", "/v1/pools", NULL, NULL);

	assert_non_null(strstr(answer, "\r\nAllow: GET, HEAD\r\n"));
	free(answer);
}

static void test_columns(void **state)
{
	char *answer = request(*state, "GET",
			       "/v1/backends?format=tsv&fields=new_flows,pool,name,port,slots,left",
			       NULL, NULL);

	assert_non_null(strstr(answer, "\r\nContent-Type: text/tab-separated-values\r\n"));
	/* In the order in which objects have them. */
	assert_string_equal(strstr(answer, "\r\n\r\n") + 4,
			    "pool\tname\tport\tslots\tnew_flows\tleft\n"
			    "dns\tns1\t\t0\t\t\n"
			    "web\tweb1\t\t65537\t5\t\n"
			    "web\tweb2\t\t0\t6\t{\"flows\": 0, \"clients\": 0, \"slots\": 0, "
			    "\"complete\": true}\n"
			    "web\tweb3\t\t0\t7\t\n");
	free(answer);
	/* Parts of a field are fields of who asks for them. */
	answer = request(*state, "GET",
			 "/v1/backends?format=tsv&fields=name,next_hop.interface,next_hop.mac,"
			 "next_hop.mtu",
			 NULL, NULL);
	assert_string_equal(strstr(answer, "\r\n\r\n") + 4,
			    "name\tnext_hop.interface\tnext_hop.mac\tnext_hop.mtu\n"
			    "ns1\t\t\t\n"
			    "web1\tlo\t02:00:9f:a0:00:0b\t1500\n"
			    "web2\tlo\t02:00:9f:a0:00:0b\t1500\n"
			    "web3\tlo\t02:00:9f:a0:00:0b\t1500\n");
	free(answer);
	answer = request(*state, "GET", "/v1/services?format=tsv", NULL, NULL);
	assert_string_equal(
		strstr(answer, "\r\n\r\n") + 4,
		"name\tlisten\tpool\tbackends_up\tbackends\tpackets\tbytes\tnew_flows\n"
		"dns\tudp://[2001:db8::10]:53\tdns\t0\t1\t38\t3800\t\n"
		"http\ttcp://192.0.2.10:*, tcp://192.0.2.10:80\tweb\t2\t3\t22\t2200\t22\n");
	free(answer);
	/* Only what was asked for. */
	answer = request(*state, "GET", "/v1/backends?fields=slots&pool=dns", NULL, NULL);
	assert_string_equal(strstr(answer, "\r\n\r\n") + 4,
			    "{\n  \"schema\": 1,\n  \"backends\": [\n    {\n      \"slots\": 0\n"
			    "    }\n  ]\n}\n");
	free(answer);
}

/* Sends it all, and exits with 0 if the answer is a good one. */
static pid_t client_start(const char *path, const char *text, size_t size)
{
	pid_t child = fork();
	char answer[64] = "";
	size_t sent = 0;
	int fd;

	assert_true(child >= 0);
	if (child)
		return child;
	fd = connect_to(path);
	fcntl(fd, F_SETFL, 0);
	while (sent < size) {
		ssize_t step = send(fd, text + sent, size - sent, MSG_NOSIGNAL);

		if (step <= 0)
			_exit(1);
		sent += (size_t)step;
	}
	_exit(recv(fd, answer, sizeof(answer) - 1, 0) > 0 && strstr(answer, " 200 ") ? 0 : 1);
}

/* It comes in a hundred parts. A loop that nobody else wakes does not wait between two of them. */
static void test_body_in_parts(void **state)
{
	enum { PARTED = 4000000 };
	struct place *place = *state;
	char *text = malloc(PARTED + 256);
	int status, size = sprintf(text,
				   "PATCH /v1/services/http HTTP/1.1\r\nHost: lbd\r\n"
				   "Connection: close\r\nContent-Length: %d\r\n\r\n",
				   PARTED);
	uint64_t began_ms = clock_ms(CLOCK_MONOTONIC);
	pid_t child;

	memset(text + size, ' ', PARTED);
	memcpy(text + size, "{}", 2);
	child = client_start(place->path, text, (size_t)size + PARTED);
	while (waitpid(child, &status, WNOHANG) == 0 &&
	       clock_ms(CLOCK_MONOTONIC) - began_ms < 60000)
		sd_event_run(place->event, 1000000);
	assert_int_equal(status, 0);
	assert_in_range(clock_ms(CLOCK_MONOTONIC) - began_ms, 0, 30000);
	free(text);
}

static void test_large_body(void **state)
{
	static const char head[] = "PATCH /v1/services/http HTTP/1.1\r\nHost: lbd\r\n"
				   "Connection: close\r\n";
	static const char end[] = "\r\n0\r\n\r\n";
	enum { LARGE = (4 << 20) + 1 };
	char *text = malloc(LARGE + 256), *answer;
	int size = sprintf(text, "%sContent-Length: %d\r\n\r\n", head, LARGE);

	answer = talk(*state, text, (size_t)size);
	assert_answer("by its length", answer, 413, "{\"error\": {\"code\": \"usage\"}}");
	free(answer);
	size = sprintf(text, "%sTransfer-Encoding: chunked\r\n\r\n%x\r\n", head, LARGE);
	memset(text + size, ' ', LARGE);
	memcpy(text + size, "{}", 2);
	strcpy(text + size + LARGE, end);
	asked[0] = '\0';
	answer = talk(*state, text, (size_t)size + LARGE + strlen(end));
	/* Its end was not waited for: the connection is closed without an answer. */
	assert_null(strstr(answer, "HTTP/1.1 2"));
	assert_string_equal(asked, "");
	free(answer);
	free(text);
}

/* ---- the socket ---- */

static void test_socket_mode(void **state)
{
	const struct place *place = *state;
	struct stat st;

	assert_int_equal(stat(place->path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0660);
}

static void test_second_instance(void **state)
{
	struct place *place = *state;
	struct fault fault = {0};
	char *answer;

	assert_null(api_create(place->event, NULL, place->path, false, &fault));
	assert_int_equal(fault.code, FAULT_CONFLICT);
	answer = request(place, "GET", "/v1/status", NULL, NULL);
	assert_int_equal(status_of(answer), 200);
	free(answer);
}

/* What a process that was killed leaves behind. */
static void test_stale_socket(void **state)
{
	struct place *place = *state;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct fault fault = {0};
	char *answer;

	api_free(place->api);
	assert_int_equal(access(place->path, F_OK), -1);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", place->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	place->api = api_create(place->event, NULL, place->path, false, &fault);
	assert_non_null(place->api);
	answer = request(place, "GET", "/v1/status", NULL, NULL);
	assert_int_equal(status_of(answer), 200);
	free(answer);
}

static void test_not_a_socket(void **state)
{
	struct place *place = *state;
	struct fault fault = {0};

	api_free(place->api);
	close(open(place->path, O_CREAT | O_WRONLY, 0600));
	place->api = api_create(place->event, NULL, place->path, false, &fault);
	assert_null(place->api);
	assert_int_equal(fault.code, FAULT_CONFLICT);
	assert_int_equal(access(place->path, F_OK), 0);
}

static void test_long_path(void **state)
{
	const struct place *place = *state;
	struct fault fault = {0};
	char path[256];

	snprintf(path, sizeof(path), "%s/%0120d", place->directory, 0);
	assert_null(api_create(place->event, NULL, path, false, &fault));
	assert_int_equal(fault.code, FAULT_USAGE);
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(void)
{
	const struct CMUnitTest others[] = {
		WITH_PLACE(test_preconditions),
		WITH_PLACE(test_no_precondition),
		WITH_PLACE(test_precondition_is_of_now),
		WITH_PLACE(test_allow),
		WITH_PLACE(test_columns),
		WITH_PLACE(test_body_in_parts),
		WITH_PLACE(test_large_body),
		WITH_PLACE(test_socket_mode),
		WITH_PLACE(test_second_instance),
		WITH_PLACE(test_stale_socket),
		WITH_PLACE(test_not_a_socket),
		WITH_PLACE(test_long_path),
	};
	struct CMUnitTest tests[COUNT(cases) + COUNT(lookup_cases)];
	char names[COUNT(cases)][96];
	size_t count = 0;
	int failed;

	log_init(LOG_LEVEL_ERR, false);
	for (size_t i = 0; i < COUNT(cases); i++) {
		snprintf(names[i], sizeof(names[i]), "%s %s", cases[i].method, cases[i].path);
		tests[count++] = (struct CMUnitTest){names[i], test_case, make_place, remove_place,
						     (void *)&cases[i]};
	}
	for (size_t i = 0; i < COUNT(lookup_cases); i++)
		tests[count++] = (struct CMUnitTest){lookup_cases[i].name, test_lookup, make_place,
						     remove_place, (void *)&lookup_cases[i]};
	failed = _cmocka_run_group_tests("API", tests, count, NULL, NULL);
	return failed + cmocka_run_group_tests_name("HTTP and socket", others, NULL, NULL);
}
