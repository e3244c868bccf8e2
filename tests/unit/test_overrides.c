/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * overrides: each case is a series of changes on top of one file, and what the running model is
 * then. A change is written "add backend web/web3 {...}"; the model as
 * "http:tcp://192.0.2.10:80>web web[web1=10.0.0.11*100]".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../user/config.h"
#include "../../user/log.h"
#include "../../user/overrides.h"
#include "model_text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char file[] = "version: 1\n"
			   "pools:\n"
			   "- name: web\n"
			   "  backends:\n"
			   "  - {name: web1, address: 10.0.0.11, weight: 100}\n"
			   "  - {name: web2, address: 10.0.0.12, weight: 50}\n"
			   "services:\n"
			   "- {name: http, listen: \"tcp://192.0.2.10:80\", pool: web}\n"
			   "- name: dns\n"
			   "  listen: udp://192.0.2.10:53\n"
			   "  forward: l2\n"
			   "  backends: [{name: ns1, address: 10.0.0.21}]\n";

#define HTTP "http:tcp://192.0.2.10:80>web "
#define DNS  "dns:udp://192.0.2.10:53>dns "
#define NS   "dns/l2[ns1=10.0.0.21*100] "
#define WEB  "web/ipip[web1=10.0.0.11*100 web2=10.0.0.12*50] "

/* ---- words for tests ---- */

static struct model *parse(const char *text)
{
	struct config_errors errors = {0};
	struct model *model = config_parse(text, strlen(text), NULL, &errors);

	if (!model)
		fail_msg("the test's file is wrong: %s", errors.items[0].what);
	return model;
}

static void describe_backends(FILE *out, const struct pool *pool)
{
	for (size_t i = 0; i < pool->backend_count; i++) {
		const struct backend *backend = pool->backends[i];
		char address[ADDR_TEXT_SIZE];

		fprintf(out, "%s%s=%s*%u", i ? " " : "", backend->name,
			addr_format(&backend->address, address), backend->weight);
		if (backend->admin != ADMIN_READY)
			fprintf(out, "!%s", admin_name(backend->admin));
	}
}

/* The caller frees it. */
static char *describe(const struct model *model)
{
	char *text, endpoint[ENDPOINT_TEXT_SIZE];
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; i < model->service_count; i++) {
		const struct service *service = model->services[i];

		fprintf(out, "%s:", service->name);
		for (size_t j = 0; j < service->listen_count; j++)
			fprintf(out, "%s%s", j ? "," : "",
				endpoint_format(&service->listen[j], endpoint));
		fprintf(out, ">%s ", service->pool);
	}
	for (size_t i = 0; i < model->pool_count; i++) {
		const struct pool *pool = model->pools[i];

		fprintf(out, "%s/%s[", pool->name, forward_name(pool->forward));
		describe_backends(out, pool);
		fprintf(out, "] ");
	}
	fclose(out);
	return text;
}

/* What is said to come of a change is what the set then makes of the file. */
static void assert_applied(const struct overrides *set, const struct model *base,
			   const struct model *result)
{
	struct fault fault = {0};
	struct model *model = overrides_apply(set, base, &fault);
	char *is = model_text(result), *wanted;

	assert_non_null(model);
	wanted = model_text(model);
	assert_string_equal(is, wanted);
	free(is);
	free(wanted);
	model_free(model);
}

static int run_change(struct overrides *set, const struct model *base, const char *text,
		      struct fault *fault)
{
	char verb[8], object[8], path[160] = "", *slash;
	struct model *current, *result = NULL;
	struct change change = {0};
	json_t *body = NULL;
	int used = 0, error;

	assert_int_equal(sscanf(text, "%7s %7s %159s %n", verb, object, path, &used), 3);
	if (text[used]) {
		body = json_loads(text + used, 0, NULL);
		assert_non_null(body);
	}
	change.verb = !strcmp(verb, "add")   ? CHANGE_ADD
		      : !strcmp(verb, "set") ? CHANGE_SET
					     : CHANGE_DELETE;
	change.name = path;
	change.body = body;
	if (!strcmp(object, "backend")) {
		change.object = CHANGE_BACKEND;
		slash = strchr(path, '/');
		*slash = '\0';
		change.pool = path;
		change.name = slash + 1;
	}
	current = overrides_apply(set, base, fault);
	assert_non_null(current);
	error = overrides_add(set, base, current, &change, &result, fault);
	if (!error)
		assert_applied(set, base, result);
	else
		assert_null(result);
	model_free(result);
	model_free(current);
	json_decref(body);
	return error;
}

static void assert_model(const struct overrides *set, const struct model *base, const char *wanted,
			 const char *of)
{
	struct fault fault = {0};
	struct model *model = overrides_apply(set, base, &fault);
	char *text;

	if (!model)
		fail_msg("%s: %s", of, fault.message);
	text = describe(model);
	if (strcmp(text, wanted) != 0)
		fail_msg("%s:\n  is     %s\n  wanted %s", of, text, wanted);
	free(text);
	model_free(model);
}

/* ---- changes ---- */

#define SHOP "shop:tcp://192.0.2.11:443>shop "

static const struct change_case {
	const char *name;
	const char *changes[6];
	const char *model;
	size_t count;
} change_cases[] = {
	{"nothing", {NULL}, DNS HTTP NS WEB, 0},
	{"a weight",
	 {"set backend web/web1 {\"weight\": 7}"},
	 DNS HTTP NS "web/ipip[web1=10.0.0.11*7 web2=10.0.0.12*50] ",
	 1},
	{"keys of two changes add up",
	 {"set backend web/web1 {\"weight\": 7}", "set backend web/web1 {\"admin\": \"drain\"}"},
	 DNS HTTP NS "web/ipip[web1=10.0.0.11*7!drain web2=10.0.0.12*50] ",
	 1},
	{"the file's own value again is no override",
	 {"set backend web/web1 {\"weight\": 7}", "set backend web/web1 {\"weight\": 100}"},
	 DNS HTTP NS WEB,
	 0},
	{"a backend of the file's pool",
	 {"add backend web/web3 {\"address\": \"10.0.0.13\", \"weight\": 1}"},
	 DNS HTTP NS "web/ipip[web1=10.0.0.11*100 web2=10.0.0.12*50 web3=10.0.0.13*1] ",
	 1},
	{"an added backend, changed",
	 {"add backend web/web3 {\"address\": \"10.0.0.13\"}",
	  "set backend web/web3 {\"weight\": 9}"},
	 DNS HTTP NS "web/ipip[web1=10.0.0.11*100 web2=10.0.0.12*50 web3=10.0.0.13*9] ",
	 1},
	{"an added backend, deleted",
	 {"add backend web/web3 {\"address\": \"10.0.0.13\"}", "delete backend web/web3"},
	 DNS HTTP NS WEB,
	 0},
	{"a backend of the file, deleted",
	 {"delete backend web/web1"},
	 DNS HTTP NS "web/ipip[web2=10.0.0.12*50] ",
	 1},
	{"a changed backend of the file, deleted",
	 {"set backend web/web1 {\"weight\": 7}", "delete backend web/web1"},
	 DNS HTTP NS "web/ipip[web2=10.0.0.12*50] ",
	 1},
	{"deleted and added again: none of the file's keys come back",
	 {"delete backend web/web2", "add backend web/web2 {\"address\": \"10.0.0.99\"}"},
	 DNS HTTP NS "web/ipip[web1=10.0.0.11*100 web2=10.0.0.99*100] ",
	 1},
	{"deleted, added again, deleted again",
	 {"delete backend web/web2", "add backend web/web2 {\"address\": \"10.0.0.99\"}",
	  "delete backend web/web2"},
	 DNS HTTP NS "web/ipip[web1=10.0.0.11*100] ",
	 1},
	{"deleted and added as the file has it",
	 {"delete backend web/web2",
	  "add backend web/web2 {\"address\": \"10.0.0.12\", \"weight\": 50}"},
	 DNS HTTP NS WEB,
	 0},
	{"a service on the file's pool",
	 {"add service https {\"listen\": \"tcp://192.0.2.10:443\", \"pool\": \"web\"}"},
	 DNS HTTP "https:tcp://192.0.2.10:443>web " NS WEB,
	 1},
	{"a service with a pool of its own, and a backend there",
	 {"add service shop {\"listen\": \"tcp://192.0.2.11:443\", \"forward\": \"l2\"}",
	  "add backend shop/s1 {\"address\": \"10.0.0.31\"}"},
	 DNS HTTP SHOP NS "shop/l2[s1=10.0.0.31*100] " WEB,
	 2},
	{"its pool and the backends go with it",
	 {"add service shop {\"listen\": \"tcp://192.0.2.11:443\"}",
	  "add backend shop/s1 {\"address\": \"10.0.0.31\"}", "delete service shop"},
	 DNS HTTP NS WEB,
	 0},
	{"its pool stays while another service uses it",
	 {"add service shop {\"listen\": \"tcp://192.0.2.11:443\", \"forward\": \"l2\"}",
	  "add backend shop/s1 {\"address\": \"10.0.0.31\"}",
	  "add service quic {\"listen\": \"udp://192.0.2.11:443\", \"pool\": \"shop\"}",
	  "delete service shop"},
	 DNS HTTP "quic:udp://192.0.2.11:443>shop " NS "shop/l2[s1=10.0.0.31*100] " WEB,
	 3},
	{"and goes with the last one",
	 {"add service shop {\"listen\": \"tcp://192.0.2.11:443\", \"forward\": \"l2\"}",
	  "add backend shop/s1 {\"address\": \"10.0.0.31\"}",
	  "add service quic {\"listen\": \"udp://192.0.2.11:443\", \"pool\": \"shop\"}",
	  "delete service shop", "delete service quic"},
	 DNS HTTP NS WEB,
	 0},
	{"or when the last one takes another pool",
	 {"add service shop {\"listen\": \"tcp://192.0.2.11:443\"}",
	  "add service quic {\"listen\": \"udp://192.0.2.11:443\", \"pool\": \"shop\"}",
	  "delete service shop", "set service quic {\"pool\": \"web\"}"},
	 DNS HTTP "quic:udp://192.0.2.11:443>web " NS WEB,
	 1},
	{"a service of the file, deleted: the file's pool stays",
	 {"delete service http"},
	 DNS NS WEB,
	 1},
	{"its listener is free then",
	 {"delete service http",
	  "add service other {\"listen\": \"tcp://192.0.2.10:80\", \"pool\": \"web\"}"},
	 DNS "other:tcp://192.0.2.10:80>web " NS WEB,
	 2},
	{"another listener, the pool as it was",
	 {"set service http {\"listen\": [\"tcp://192.0.2.10:81\", \"udp://192.0.2.10:81\"]}"},
	 DNS "http:tcp://192.0.2.10:81,udp://192.0.2.10:81>web " NS WEB,
	 1},
	{"two services trade listeners",
	 {"set service http {\"listen\": \"tcp://192.0.2.10:8080\"}",
	  "set service dns {\"listen\": \"tcp://192.0.2.10:80\"}",
	  "set service http {\"listen\": \"udp://192.0.2.10:53\"}"},
	 "dns:tcp://192.0.2.10:80>dns http:udp://192.0.2.10:53>web " NS WEB,
	 2},
	{"a key of the service's own pool",
	 {"set service dns {\"forward\": \"ipip\"}"},
	 DNS HTTP "dns/ipip[ns1=10.0.0.21*100] " WEB,
	 1},
};

static void test_change(void **state)
{
	const struct change_case *c = *state;
	struct overrides *set = overrides_create();
	struct model *base = parse(file);

	for (size_t i = 0; i < COUNT(c->changes) && c->changes[i]; i++) {
		struct fault fault = {0};

		if (run_change(set, base, c->changes[i], &fault) != 0)
			fail_msg("%s: %s", c->changes[i], fault.message);
	}
	assert_model(set, base, c->model, c->name);
	assert_int_equal(overrides_count(set), c->count);
	overrides_free(set);
	model_free(base);
}

/* ---- refusals ---- */

static const struct refusal_case {
	const char *name;
	const char *change;
	enum fault_code code;
	const char *says;
	const char *hints;
} refusal_cases[] = {
	{"unknown backend", "set backend web/web9 {\"weight\": 1}", FAULT_NOT_FOUND,
	 "backend web/web9: changing it: there is no such backend", "did you mean web/web"},
	{"unknown pool", "add backend wbe/web9 {\"address\": \"10.0.0.9\"}", FAULT_NOT_FOUND,
	 "pool wbe: finding its backend: there is no such pool", "did you mean web?"},
	{"unknown service", "delete service htpt", FAULT_NOT_FOUND,
	 "service htpt: deleting it: there is no such service", "did you mean http?"},
	{"backend exists", "add backend web/web1 {\"address\": \"10.0.0.9\"}", FAULT_CONFLICT,
	 "backend web/web1: adding it: it exists already", "delete it first"},
	{"service exists", "add service http {\"listen\": \"tcp://192.0.2.10:81\"}", FAULT_CONFLICT,
	 "service http: adding it: it exists already", ""},
	{"its pool's name is taken", "add service web {\"listen\": \"tcp://192.0.2.10:81\"}",
	 FAULT_CONFLICT, "pool web exists already", "--pool web"},
	{"listener is taken",
	 "add service x {\"listen\": \"tcp://192.0.2.10:80\", \"pool\": \"web\"}", FAULT_CONFLICT,
	 "service x: listening on tcp://192.0.2.10:80: service http has it", ""},
	{"address is taken", "add backend web/web3 {\"address\": \"10.0.0.11\"}", FAULT_CONFLICT,
	 "backend web1 has the address 10.0.0.11 already", ""},
	{"service's pool unknown",
	 "add service x {\"listen\": \"tcp://192.0.2.10:81\", \"pool\": \"wbe\"}", FAULT_NOT_FOUND,
	 "pool wbe", "did you mean web?"},
	{"no address", "add backend web/web3 {\"weight\": 1}", FAULT_USAGE,
	 "backend web/web3: setting its keys: a backend needs the key 'address'", ""},
	{"no listener", "add service x {\"pool\": \"web\"}", FAULT_USAGE, "'listen'", ""},
	{"the schema's word", "set backend web/web1 {\"weihgt\": 1, \"port\": 0}", FAULT_USAGE,
	 "weihgt", ""},
	{"both of the schema's words", "set backend web/web1 {\"weihgt\": 1, \"port\": 0}",
	 FAULT_USAGE, "; port", ""},
	{"weight out of range", "set backend web/web1 {\"weight\": 65536}", FAULT_USAGE, "weight",
	 ""},
	{"a name that is none", "add backend web/-x {\"address\": \"10.0.0.9\"}", FAULT_USAGE,
	 "not a name", "letters, digits"},
	{"another name", "set backend web/web1 {\"name\": \"web7\"}", FAULT_USAGE,
	 "its name cannot be changed", ""},
	{"no keys at all", "add backend web/web3", FAULT_USAGE, "no keys given", ""},
};

static void test_refusal(void **state)
{
	const struct refusal_case *c = *state;
	struct overrides *set = overrides_create();
	struct model *base = parse(file);
	struct fault fault = {0};

	assert_int_equal(
		run_change(set, base, "set backend web/web2 {\"admin\": \"drain\"}", &fault), 0);
	assert_int_equal(run_change(set, base, c->change, &fault), -1);
	if (fault.code != c->code || !strstr(fault.message, c->says) ||
	    !strstr(fault.hint, c->hints))
		fail_msg("%s: %d: %s (%s)", c->name, fault.code, fault.message, fault.hint);
	assert_int_equal(overrides_count(set), 1);
	assert_model(set, base, DNS HTTP NS "web/ipip[web1=10.0.0.11*100 web2=10.0.0.12*50!drain] ",
		     c->name);
	overrides_free(set);
	model_free(base);
}

/* ---- reload ---- */

#define POOL_WEB(backends) "version: 1\npools:\n- name: web\n  backends: [" backends "]\n"

static const struct rebase_case {
	const char *name;
	const char *change;
	const char *file;
	const char *dropped; /* "" for none */
} rebase_cases[] = {
	{"the file is as it was", "set backend web/web1 {\"weight\": 7}", file, ""},
	{"another object changed", "set backend web/web1 {\"weight\": 7}",
	 POOL_WEB("{name: web1, address: 10.0.0.11, weight: 100}"), ""},
	{"this one did", "set backend web/web1 {\"weight\": 7}",
	 POOL_WEB("{name: web1, address: 10.0.0.11, weight: 99}"), "backend web/web1"},
	{"it is gone", "set backend web/web1 {\"weight\": 7}",
	 POOL_WEB("{name: web2, address: 10.0.0.12}"), "backend web/web1"},
	{"the deletion was made good", "delete backend web/web1",
	 POOL_WEB("{name: web2, address: 10.0.0.12}"), "backend web/web1"},
	{"the file has it now, too", "add backend web/web3 {\"address\": \"10.0.0.13\"}",
	 POOL_WEB("{name: web3, address: 10.0.0.13}"), "backend web/web3"},
	{"the file gave its address away", "add backend web/web3 {\"address\": \"10.0.0.13\"}",
	 POOL_WEB("{name: web4, address: 10.0.0.13}"), "backend web/web3"},
	{"its pool is gone", "add backend web/web3 {\"address\": \"10.0.0.13\"}",
	 "version: 1\npools:\n- name: other\n", "backend web/web3"},
	{"its listener is gone",
	 "add service x {\"listen\": \"tcp://192.0.2.10:81\", \"pool\": \"web\"}",
	 "version: 1\npools:\n- name: web\nservices:\n"
	 "- {name: y, listen: \"tcp://192.0.2.10:81\", pool: web}\n",
	 "service x"},
	{"a key of its own pool changed", "set service dns {\"listen\": \"udp://192.0.2.10:5353\"}",
	 "version: 1\nservices:\n- {name: dns, listen: \"udp://192.0.2.10:53\", forward: ipip}\n",
	 "service dns"},
};

static void on_dropped(void *context, const char *object)
{
	strcat(context, object);
}

static void test_rebase(void **state)
{
	const struct rebase_case *c = *state;
	struct overrides *set = overrides_create();
	struct model *before = parse(file), *after = parse(c->file), *model;
	char dropped[256] = "";
	struct fault fault = {0};

	if (run_change(set, before, c->change, &fault) != 0)
		fail_msg("%s: %s", c->change, fault.message);
	overrides_rebase(set, after, on_dropped, dropped);
	assert_string_equal(dropped, c->dropped);
	assert_int_equal(overrides_count(set), c->dropped[0] ? 0 : 1);
	model = overrides_apply(set, after, &fault);
	assert_non_null(model);
	model_free(model);
	overrides_free(set);
	model_free(before);
	model_free(after);
}

/* ---- the state file ---- */

struct place {
	char directory[64];
	char path[96];
};

static int make_place(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	strcpy(place->directory, "/tmp/limpet-overrides-XXXXXX");
	assert_non_null(mkdtemp(place->directory));
	snprintf(place->path, sizeof(place->path), "%s/state.json", place->directory);
	*state = place;
	return 0;
}

static int remove_place(void **state)
{
	static const char *const names[] = {"", ".damaged", ".tmp"};
	struct place *place = *state;
	char path[128];

	for (size_t i = 0; i < COUNT(names); i++) {
		snprintf(path, sizeof(path), "%s%s", place->path, names[i]);
		unlink(path);
	}
	rmdir(place->directory);
	free(place);
	return 0;
}

static void write_text(const char *path, const char *text, mode_t mode)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	fputs(text, out);
	fclose(out);
	assert_int_equal(chmod(path, mode), 0);
}

static void test_survives_restart(void **state)
{
	static const char *const changes[] = {
		"set backend web/web1 {\"weight\": 7}",
		"delete backend web/web2",
		"add service shop {\"listen\": \"tcp://192.0.2.11:443\", \"forward\": \"l2\"}",
		"add backend shop/s1 {\"address\": \"10.0.0.31\"}",
		"add service quic {\"listen\": \"udp://192.0.2.11:443\", \"pool\": \"shop\"}",
		"delete service shop",
	};
	const struct place *place = *state;
	struct overrides *set = overrides_create(), *again;
	struct model *base = parse(file);
	struct fault fault = {0};
	struct stat st;

	for (size_t i = 0; i < COUNT(changes); i++)
		assert_int_equal(run_change(set, base, changes[i], &fault), 0);
	assert_int_equal(overrides_save(set, place->path, &fault), 0);
	assert_int_equal(stat(place->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	again = overrides_load(place->path, &fault);
	assert_non_null(again);
	assert_int_equal(overrides_count(again), overrides_count(set));
	assert_model(again, base,
		     DNS HTTP "quic:udp://192.0.2.11:443>shop " NS
			      "shop/l2[s1=10.0.0.31*100] web/ipip[web1=10.0.0.11*7] ",
		     "after a restart");
	overrides_rebase(again, base, NULL, NULL);
	assert_int_equal(overrides_count(again), overrides_count(set));
	overrides_free(set);
	overrides_free(again);
	model_free(base);
}

static void test_no_file(void **state)
{
	const struct place *place = *state;
	struct overrides *set = overrides_load(place->path, NULL);

	assert_non_null(set);
	assert_int_equal(overrides_count(set), 0);
	overrides_free(set);
}

static void test_damaged(void **state)
{
	static const char *const texts[] = {
		"",
		"{\"version\": 1, \"overri",
		"[]",
		"{\"version\": 1}",
		"{\"version\": 1, \"overrides\": [7]}",
		"{\"version\": 1, \"overrides\": [{\"object\": \"moon\", \"name\": \"x\","
		" \"removes\": true}]}",
		"{\"version\": 1, \"overrides\": [{\"object\": \"backend\", \"name\": \"x\","
		" \"removes\": true}]}",
		"{\"version\": 1, \"overrides\": [{\"object\": \"service\", \"name\": \"../x\","
		" \"removes\": true}]}",
	};
	const struct place *place = *state;
	char aside[128];

	snprintf(aside, sizeof(aside), "%s.damaged", place->path);
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct fault fault = {0};
		struct overrides *set;

		write_text(place->path, texts[i], 0600);
		set = overrides_load(place->path, &fault);
		if (!set || overrides_count(set) || access(place->path, F_OK) == 0 ||
		    access(aside, F_OK) != 0)
			fail_msg("%s: %s", texts[i], fault.message);
		overrides_free(set);
		unlink(aside);
	}
}

static void test_refused_file(void **state)
{
	static const struct {
		const char *text;
		mode_t mode;
		enum fault_code code;
	} cases[] = {
		{"{\"version\": 1, \"overrides\": []}", 0620, FAULT_PERMISSION},
		{"{\"version\": 1, \"overrides\": []}", 0602, FAULT_PERMISSION},
		{"{\"version\": 3, \"overrides\": []}", 0600, FAULT_CONFLICT},
	};
	const struct place *place = *state;

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fault fault = {0};

		write_text(place->path, cases[i].text, cases[i].mode);
		assert_null(overrides_load(place->path, &fault));
		assert_int_equal(fault.code, cases[i].code);
		assert_int_equal(access(place->path, F_OK), 0);
		unlink(place->path);
	}
}

/* A save that fails leaves the file of before. */
static void test_failed_save(void **state)
{
	const struct place *place = *state;
	struct overrides *set = overrides_create();
	struct fault fault = {0};
	char blocked[128];

	assert_int_equal(overrides_save(set, place->path, &fault), 0);
	snprintf(blocked, sizeof(blocked), "%s/state.json/deeper", place->directory);
	assert_int_equal(overrides_save(set, blocked, &fault), -1);
	assert_int_equal(fault.code, FAULT_FAILED);
	assert_non_null(strstr(fault.message, "Not a directory"));
	assert_int_equal(access(place->path, F_OK), 0);
	overrides_free(set);
}

/* ---- */

int main(void)
{
	const struct CMUnitTest files[] = {
		cmocka_unit_test_setup_teardown(test_survives_restart, make_place, remove_place),
		cmocka_unit_test_setup_teardown(test_no_file, make_place, remove_place),
		cmocka_unit_test_setup_teardown(test_damaged, make_place, remove_place),
		cmocka_unit_test_setup_teardown(test_refused_file, make_place, remove_place),
		cmocka_unit_test_setup_teardown(test_failed_save, make_place, remove_place),
	};
	struct CMUnitTest tests[COUNT(change_cases) + COUNT(refusal_cases) + COUNT(rebase_cases)];
	size_t count = 0;
	int failed;

	log_init(LOG_LEVEL_ERR, false);
	for (size_t i = 0; i < COUNT(change_cases); i++)
		tests[count++] = (struct CMUnitTest){change_cases[i].name, test_change, NULL, NULL,
						     (void *)&change_cases[i]};
	for (size_t i = 0; i < COUNT(refusal_cases); i++)
		tests[count++] = (struct CMUnitTest){refusal_cases[i].name, test_refusal, NULL,
						     NULL, (void *)&refusal_cases[i]};
	for (size_t i = 0; i < COUNT(rebase_cases); i++)
		tests[count++] = (struct CMUnitTest){rebase_cases[i].name, test_rebase, NULL, NULL,
						     (void *)&rebase_cases[i]};
	failed = _cmocka_run_group_tests("overrides", tests, count, NULL, NULL);
	return failed + cmocka_run_group_tests_name("state file", files, NULL, NULL);
}
