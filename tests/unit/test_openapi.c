/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The description of the control socket: its parts are joined whole, and it has every route. */
#include "support.h"

#include <ctype.h>

#include "base/macros.h"
#include "conductord/openapi_conductor.h"
#include "conductord/routes.h"
#include "node/openapi.h"
#include "node/routes.h"

static const cJSON *operation_of(const cJSON *document, const struct http_route *route)
{
	const cJSON *paths = cJSON_GetObjectItemCaseSensitive(document, "paths");
	char method[16] = "";

	for (size_t i = 0; route->method[i]; i++)
		method[i] = (char)tolower((unsigned char)route->method[i]);
	return cJSON_GetObjectItemCaseSensitive(
		cJSON_GetObjectItemCaseSensitive(paths, route->path), method);
}

/* Each route stands in it, with the right that it needs. Returns how many there are. */
static size_t check_routes(const cJSON *document, const struct http_route *routes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const cJSON *operation = operation_of(document, &routes[i]);
		const char *right = cJSON_GetStringValue(
			cJSON_GetObjectItemCaseSensitive(operation, "x-steward-right"));

		if (!right)
			fail_msg("%s %s is not described", routes[i].method, routes[i].path);
		assert_string_equal(right, routes[i].change == HTTP_CHANGES ? "change" : "read");
	}
	return n;
}

static size_t count_operations(const cJSON *document)
{
	const cJSON *path;
	size_t n = 0;

	cJSON_ArrayForEach (path, cJSON_GetObjectItemCaseSensitive(document, "paths"))
		n += (size_t)cJSON_GetArraySize(path);
	return n;
}

static void test_has_every_route(void **state)
{
	cJSON *node = openapi_join(NULL);
	cJSON *conductor = openapi_join(openapi_conductor);
	size_t n;

	(void)state;
	n = check_routes(node, control_routes, n_control_routes);
	assert_int_equal(count_operations(node), n);
	n = check_routes(conductor, control_routes, n_control_routes);
	n += check_routes(conductor, conductor_routes, N_CONDUCTOR_ROUTES);
	assert_int_equal(count_operations(conductor), n);
	cJSON_Delete(node);
	cJSON_Delete(conductor);
}

static void test_joined(void **state)
{
	static const struct {
		const char *more;
		bool fits;
	} rows[] = {
		{"{}", true},
		{"{\"paths\":{\"/v1/x\":{\"get\":{}}}}", true},
		{"{\"paths\":{\"/v1/status\":{\"get\":{}}}}", true},
		{"{\"openapi\":\"3.0.0\"}", false}, /* it stands there already */
		{"{\"paths\":{\"/v1/status\":[]}}", false},
		{"{\"paths\":", false},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		cJSON *json = openapi_join(rows[i].more);

		if ((json != NULL) != rows[i].fits)
			fail_msg("row %u", i);
		cJSON_Delete(json);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_has_every_route),
		cmocka_unit_test(test_joined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
