/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * config: text to model.
 *
 *   text -> config_tree -> config_walk, with the tables of -> model
 *                          config_{schema,global,pool,check}
 *                                              config_cross checks the whole
 *
 * Every room adds to one list of errors; a model is handed out only if that stays empty. It must
 * not know the running system.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_schema.h"

/* ---- one reading ---- */

static void reading_init(struct reading *reading, struct model *model, struct config_errors *errors)
{
	*reading = (struct reading){
		.walk = {.errors = errors},
		.model = model,
		.scratch = model_create(),
	};
	reading->walk.context = reading;
	pool_defaults(&reading->defaults);
	if (!model || !reading->scratch)
		schema_out_of_memory(reading);
}

static void reading_destroy(struct reading *reading)
{
	model_free(reading->scratch);
	free(reading->pools.items);
	free(reading->references.items);
	free(reading->listeners.items);
}

/* ---- files ---- */

/* Frees the tree. */
static struct model *read_tree(struct node *root, const char *base_dir,
			       struct config_errors *errors)
{
	struct model *model = model_create();
	struct reading reading;

	reading_init(&reading, model, errors);
	reading.base_dir = base_dir;
	if (config_tree_is_null(root))
		config_errors_add(errors, 1, 1,
				  "the file is empty (it needs at least: version: 1)");
	else if (model && reading.scratch)
		schema_file(&reading, root);
	reading_destroy(&reading);
	config_tree_free(root);
	if (errors->count > 0) {
		model_free(model);
		return NULL;
	}
	return model;
}

struct model *config_parse(const char *text, size_t size, const char *base_dir,
			   struct config_errors *errors)
{
	struct node *root = config_tree_parse(text, size, errors);

	return root ? read_tree(root, base_dir, errors) : NULL;
}

struct model *config_parse_json(const json_t *document, const char *base_dir)
{
	struct node *root = config_tree_json(document);
	struct config_errors errors = {0};
	struct model *model = root ? read_tree(root, base_dir, &errors) : NULL;

	config_errors_free(&errors);
	return model;
}

/* The whole file and a NUL behind it. NULL with errno set. */
static char *read_whole(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = NULL;
	ssize_t got = 1;

	*size = 0;
	if (fd < 0)
		return NULL;
	for (size_t room = 0; got > 0;) {
		if (*size + 1 >= room) {
			char *grown;

			room = room ? room * 2 : 4096;
			grown = realloc(text, room);
			if (!grown) {
				got = -1;
				break;
			}
			text = grown;
		}
		got = read(fd, text + *size, room - *size - 1);
		if (got > 0)
			*size += (size_t)got;
		if (*size > CONFIG_SIZE_MAX)
			break; /* config_parse says so */
	}
	if (got < 0) {
		free(text);
		text = NULL;
	} else {
		text[*size] = '\0';
	}
	int saved = errno;

	close(fd);
	errno = saved;
	return text;
}

/* NULL: it is to be parsed. */
static struct model *copy_known(const struct model *known)
{
	struct model *model = model_copy(known);

	if (!model || schema_seed_again(&model->global))
		return model;
	model_free(model);
	return NULL;
}

struct model *config_load_again(const char *path, const char *known_text, const struct model *known,
				char **text, struct config_errors *errors)
{
	const char *slash = strrchr(path, '/');
	char *content, *dir = NULL;
	struct model *model = NULL;
	size_t size;

	if (text)
		*text = NULL;
	content = read_whole(path, &size);
	if (!content) {
		config_errors_add(errors, 0, 0, "cannot read the file: %s", strerror(errno));
		return NULL;
	}
	if (slash)
		dir = strndup(path, slash == path ? 1 : (size_t)(slash - path));
	if (known_text && size == strlen(known_text) && !memcmp(content, known_text, size))
		model = copy_known(known);
	if (slash && !dir)
		config_errors_add(errors, 0, 0, "out of memory");
	else if (!model)
		model = config_parse(content, size, dir, errors);
	free(dir);
	if (text)
		*text = content;
	else
		free(content);
	return model;
}

struct model *config_load(const char *path, char **text, struct config_errors *errors)
{
	return config_load_again(path, NULL, NULL, text, errors);
}

/* ---- bodies of the API ---- */

/* A `name` in the body may repeat the object's, which the request's path says. */
static void check_name(struct walk *walk, const struct node *map, const char *name)
{
	const struct node *node = config_tree_get(map, "name", NULL);
	char quoted[CONFIG_QUOTE_SIZE];

	if (node && node->kind == NODE_SCALAR && strcmp(node->text, name) != 0)
		walk_error(walk, node, "name: %s is not the name of this object, '%s'",
			   config_quote(node->text, quoted), name);
}

int config_apply_backend(const char *text, size_t size, struct backend *backend,
			 struct config_errors *errors)
{
	struct node *root = config_tree_parse(text, size, errors);
	struct section section = {.keys = schema_backend_keys, .object = backend};
	struct walk walk = {.errors = errors};

	if (!root)
		return -EINVAL;
	walk_map(&walk, root, "a backend", &section, 1, true);
	check_name(&walk, root, backend->name);
	if (backend->address.family == 0 && errors->count == 0)
		walk_error(&walk, root, "a backend needs the key 'address'");
	config_tree_free(root);
	return errors->count > 0 ? -EINVAL : 0;
}

/* The service of that name, made if need be, and whether its pool is its own to configure. */
static struct service *find_or_add(struct reading *reading, const struct node *root,
				   const char *name)
{
	struct service *service = model_service_find(reading->model, name);

	if (service)
		return service;
	service = model_service_add(reading->model, name);
	if (!service && errno == EINVAL)
		walk_error(&reading->walk, root,
			   "the service's name is not valid (letters, digits, '-', '_' and '.', "
			   "a letter or digit first, at most %d)",
			   MODEL_NAME_SIZE - 1);
	else if (!service)
		schema_out_of_memory(reading);
	return service;
}

static void apply_service(struct reading *reading, const struct node *root, const char *name,
			  bool alone)
{
	struct service *service = find_or_add(reading, root, name);
	struct pool *own = NULL, *pool;

	if (!service)
		return;
	if (!config_tree_get(root, "pool", NULL)) {
		if (service->pool[0] == '\0') {
			memcpy(service->pool, service->name, sizeof(service->pool));
			if (!model_pool_find(reading->model, name) &&
			    !model_pool_add(reading->model, name))
				schema_out_of_memory(reading);
		}
		if (strcmp(service->pool, name) == 0)
			own = model_pool_find(reading->model, name);
	}
	schema_service(reading, root, service, own, true);
	check_name(&reading->walk, root, name);
	if (service->listen_count == 0 && reading->walk.errors->count == 0)
		walk_error(&reading->walk, root, "a service needs the key 'listen'");
	pool = model_pool_find(reading->model, service->pool);
	if (pool && !own)
		schema_place_add(reading, &reading->pools, pool, 0, root);
	if (alone)
		cross_check(reading, root);
}

bool config_holds(struct model *model)
{
	struct config_errors errors = {0};
	struct reading reading;
	bool holds;

	reading_init(&reading, model, &errors);
	holds = reading.scratch && cross_holds(&reading);
	reading_destroy(&reading);
	config_errors_free(&errors);
	return holds;
}

int config_apply_service(const char *text, size_t size, struct model *model, const char *name,
			 bool alone, struct config_errors *errors)
{
	struct node *root = config_tree_parse(text, size, errors);
	struct reading reading;

	if (!root)
		return -EINVAL;
	reading_init(&reading, model, errors);
	reading.from_api = true;
	if (reading.scratch)
		apply_service(&reading, root, name, alone);
	reading_destroy(&reading);
	config_tree_free(root);
	return errors->count > 0 ? -EINVAL : 0;
}

static void apply_pool(struct reading *reading, const struct node *root, const char *name)
{
	struct pool *pool = model_pool_find(reading->model, name);
	struct section section = {.keys = schema_pool_keys};

	if (!pool)
		pool = model_pool_add(reading->model, name);
	if (!pool) {
		schema_out_of_memory(reading);
		return;
	}
	schema_pool_inherit(pool, &reading->defaults);
	section.object = pool;
	walk_map(&reading->walk, root, "a pool", &section, 1, true);
	schema_pool_done(reading, pool, root);
}

int config_apply_pool(const char *text, size_t size, struct model *model, const char *name,
		      bool from_file, struct config_errors *errors)
{
	struct node *root = config_tree_parse(text, size, errors);
	struct reading reading;

	if (!root)
		return -EINVAL;
	reading_init(&reading, model, errors);
	reading.from_api = !from_file;
	apply_pool(&reading, root, name);
	reading_destroy(&reading);
	config_tree_free(root);
	return errors->count > 0 ? -EINVAL : 0;
}

/* Read into an empty one first, so that every key begins as the default. */
static void apply_global(struct reading *reading, const struct node *root)
{
	struct global *global = &reading->model->global, *fresh = &reading->scratch->global, old;
	struct section section = {.keys = schema_global_keys, .object = fresh};

	walk_map(&reading->walk, root, "global", &section, 1, true);
	fresh->hash_seed_set = global->hash_seed_set;
	memcpy(fresh->hash_seed, global->hash_seed, sizeof(fresh->hash_seed));
	old = *global;
	*global = *fresh;
	global->hash_seed_file = old.hash_seed_file;
	old.hash_seed_file = fresh->hash_seed_file;
	*fresh = old;
}

int config_apply_global(const char *text, size_t size, struct model *model,
			struct config_errors *errors)
{
	struct node *root = config_tree_parse(text, size, errors);
	struct reading reading;

	if (!root)
		return -EINVAL;
	reading_init(&reading, model, errors);
	if (reading.scratch)
		apply_global(&reading, root);
	reading_destroy(&reading);
	config_tree_free(root);
	return errors->count > 0 ? -EINVAL : 0;
}
