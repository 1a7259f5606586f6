/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which conductors a router keeps when it hears of others: never without a way. */
#include "support.h"

#include "base/json.h"
#include "base/macros.h"
#include "onboarding/router/conductor_choice.h"

/* A conductor is three letters: its name, its address, its key; more letters are more keys. Those
 * in small letters leave. "ABk" is conductor A at address B with key k. */
static void add(struct conductor_list *list, const char *word)
{
	struct known_conductor *c = &list->each[list->n++];

	memset(c, 0, sizeof(*c));
	c->leaves = word[0] >= 'a';
	c->name[0] = (char)(word[0] & ~0x20);
	(void)snprintf(c->at.host, sizeof(c->at.host), "10.0.0.%d", word[1]);
	c->at.port = 930;
	c->at.listen_port = 20001;
	c->at.repository_port = 8930;
	for (const char *key = word + 2; *key; key++) {
		c->at.ssh_host_keys[c->at.n_ssh_host_keys].bytes[0] = (uint8_t)*key;
		c->at.ssh_host_keys[c->at.n_ssh_host_keys++].size = 1;
	}
}

static struct conductor_list list_of(uint64_t version, const char *words)
{
	struct conductor_list list = {.version = version};
	char copy[256];
	char *rest = copy;
	char *word;

	(void)snprintf(copy, sizeof(copy), "%s", words);
	while ((word = strtok_r(rest, " ", &rest)))
		add(&list, word);
	return list;
}

static void words_of(const struct conductor_list *list, char *ret, size_t size)
{
	size_t used = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < list->n; i++) {
		const struct known_conductor *c = &list->each[i];

		used += (size_t)snprintf(ret + used, size - used, "%s%c%c", i ? " " : "",
					 c->leaves ? c->name[0] | 0x20 : c->name[0],
					 atoi(c->at.host + 7));
		for (unsigned k = 0; k < c->at.n_ssh_host_keys; k++)
			used += (size_t)snprintf(ret + used, size - used, "%c",
						 c->at.ssh_host_keys[k].bytes[0]);
	}
}

static void test_what_is_kept(void **state)
{
	static const struct {
		const char *kept;
		const char *up; /* a digit each: by which key; - = down */
		const char *heard;
		const char *becomes; /* NULL = it stays */
	} rows[] = {
		/* added, also where nothing is up just now */
		{"AAa", "0", "AAa BBb", "AAa BBb"},
		{"AAa", "-", "AAa BBb", "AAa BBb"},
		/* the same, in another order too */
		{"AAa", "0", "AAa", NULL},
		{"AAa BBb", "00", "BBb AAa", NULL},
		/* removed: at once if a listed one is up, else later */
		{"AAa BBb", "00", "BBb", "BBb"},
		{"AAa BBb", "-0", "BBb", "BBb"},
		{"AAa BBb", "0-", "BBb", "BBb aAa"},
		{"AAa BBb", "--", "BBb", "BBb aAa"},
		/* moved to others as a whole */
		{"AAa BBb", "0-", "CCc DDd", "CCc DDd aAa bBb"},
		{"AAa BBb", "-0", "CCc DDd", "CCc DDd bBb aAa"},
		/* and to others again, before one of them was reached */
		{"CCc aAa", "-0", "DDd", "DDd aAa cCc"},
		/* and back */
		{"CCc aAa", "-0", "AAa", "AAa"},
		{"CCc aAa", "--", "AAa", "AAa cCc"},
		/* another address: the one of before stays until the new one is reached */
		{"AAa", "0", "ABa", "ABa aAa"},
		{"AAa BBb", "00", "ACa BBb", "ACa BBb"},
		/* renamed: the way is the same */
		{"AAa", "0", "BAa", "BAa"},
		{"AAa", "-", "BAa", "BAa"},
		/* a key more, a key less */
		{"AAa", "0", "AAab", "AAab"},
		{"AAab", "1", "AAb", "AAb"},
		{"AAab BBb", "0-", "AAb", "AAb bBb"}, /* up by a key that is no more */
		{"AAab BBb", "1-", "AAb", "AAb"},
		{"AAab", "0", "AAba", NULL},
		/* two change their places */
		{"AAa BBb", "00", "ABa BAb", "ABa BAb"},
		{"AAa BBb", "--", "ABb BAa", "ABb BAa"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		const struct conductor_list kept = list_of(7, rows[i].kept);
		const struct conductor_list heard = list_of(rows[i].becomes ? 8 : 7, rows[i].heard);
		struct conductor_list list = {0};
		int up_by[KNOWN_CONDUCTORS_MAX];
		char words[256];

		for (size_t k = 0; k < kept.n; k++)
			up_by[k] = rows[i].up[k] == '-' ? CONDUCTOR_IS_DOWN : rows[i].up[k] - '0';
		if (conductor_choose(&kept, up_by, &heard, &list) ==
		    (rows[i].becomes ? CONDUCTORS_STAY : CONDUCTORS_CHANGE))
			fail_msg("row %zu: it stays, or not", i);
		words_of(&list, words, sizeof(words));
		if (rows[i].becomes && (strcmp(words, rows[i].becomes) != 0 || list.version != 8))
			fail_msg("row %zu: %s, expected %s", i, words, rows[i].becomes);
	}
}

static void test_an_older_list_changes_nothing(void **state)
{
	const struct conductor_list kept = list_of(7, "AAa BBb");
	const struct conductor_list older = list_of(6, "CCc");
	const struct conductor_list same_version = list_of(7, "AAa");
	const int up_by[KNOWN_CONDUCTORS_MAX] = {0};
	struct conductor_list list;

	(void)state;
	assert_int_equal(conductor_choose(&kept, up_by, &older, &list), CONDUCTORS_STAY);
	/* Of one version there is one list; what a kill left half told is told again. */
	assert_int_equal(conductor_choose(&kept, up_by, &same_version, &list), CONDUCTORS_CHANGE);
	/* The list of a handshake has no version: any is newer. */
	assert_int_equal(conductor_choose(&(struct conductor_list){.n = 1, .each = {kept.each[0]}},
					  up_by, &older, &list),
			 CONDUCTORS_CHANGE);
}

static void test_who_leaves_goes_when_a_listed_one_is_reached(void **state)
{
	static const struct {
		const char *kept;
		const char *up;
		const char *becomes;
	} rows[] = {
		{"AAa bBb cCc", "000", "AAa"},     {"AAa bBb", "0-", "AAa"},
		{"AAa bBb", "-0", NULL},           {"AAa bBb", "--", NULL},
		{"AAa DDd bBb", "-0-", "AAa DDd"}, {"AAa DDd", "00", NULL},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct conductor_list kept = list_of(7, rows[i].kept);
		int up_by[KNOWN_CONDUCTORS_MAX];
		char words[256];

		for (size_t k = 0; k < kept.n; k++)
			up_by[k] = rows[i].up[k] == '-' ? CONDUCTOR_IS_DOWN : 0;
		assert_int_equal(conductor_choice_settle(&kept, up_by), rows[i].becomes != NULL);
		words_of(&kept, words, sizeof(words));
		assert_string_equal(words, rows[i].becomes ? rows[i].becomes : rows[i].kept);
	}
}

/* With more lists than there is room for, those that are up stay. */
static void test_there_is_room_for_those_that_are_up(void **state)
{
	struct conductor_list kept = {.version = 1};
	struct conductor_list heard = {.version = 2};
	struct conductor_list list;
	int up_by[KNOWN_CONDUCTORS_MAX];
	char word[4] = "AAa";

	(void)state;
	for (size_t i = 0; i < KNOWN_CONDUCTORS_MAX; i++) {
		word[0] = word[1] = (char)('A' + i);
		add(&kept, word);
		up_by[i] = i + 1 == KNOWN_CONDUCTORS_MAX ? 0 : CONDUCTOR_IS_DOWN;
	}
	for (size_t i = 0; i < MESSAGE_CONDUCTORS_MAX; i++) {
		word[0] = (char)('A' + i);
		word[1] = (char)('a' + i);
		add(&heard, word);
	}
	assert_int_equal(conductor_choose(&kept, up_by, &heard, &list), CONDUCTORS_CHANGE);
	assert_int_equal(list.n, KNOWN_CONDUCTORS_MAX);
	assert_string_equal(list.each[MESSAGE_CONDUCTORS_MAX].at.host,
			    kept.each[KNOWN_CONDUCTORS_MAX - 1].at.host);
	assert_true(list.each[MESSAGE_CONDUCTORS_MAX].leaves);
}

/* 200 routers are moved from two conductors to two others, by lists that come in any order and from
 * any of them, while machines are away and routers are killed at every step. */

#define ROUTERS    200
#define PLACES     6
#define MOVE_STEPS 400

static uint32_t random_next(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*seed >> 33);
}

struct moved_router {
	struct conductor_list disk;
	struct conductor_list memory;
	bool up[PLACES]; /* the tunnels that stand, by the letter of the address */
};

static size_t place_of(const struct known_conductor *c)
{
	return (size_t)(atoi(c->at.host + 7) - 'A');
}

static void ask_up(const struct moved_router *r, int *up_by)
{
	for (size_t i = 0; i < r->memory.n; i++)
		up_by[i] = r->up[place_of(&r->memory.each[i])] ? 0 : CONDUCTOR_IS_DOWN;
}

/* A write, and what follows in memory: a kill comes before it, between them, or not at all. */
static void keep(struct moved_router *r, const struct conductor_list *list, uint32_t kill)
{
	if (kill == 0)
		goto killed;
	r->disk = *list;
	if (kill == 1)
		goto killed;
	r->memory = *list;
	for (size_t p = 0; p < PLACES; p++) {
		bool is_kept = false;

		for (size_t i = 0; i < list->n; i++)
			is_kept |= place_of(&list->each[i]) == p;
		r->up[p] &= is_kept;
	}
	return;
killed:
	r->memory = r->disk;
	memset(r->up, 0, sizeof(r->up));
}

static bool knows_a_way(const struct moved_router *r, const bool *is_there)
{
	for (size_t i = 0; i < r->disk.n; i++)
		if (is_there[place_of(&r->disk.each[i])])
			return true;
	return false;
}

static void test_a_fleet_moves(void **state)
{
	static struct moved_router routers[ROUTERS];
	static const char *const lists[] = {"AAa BBb", "AAa BBb CCc DDd", "CCc DDd", "ECc DDd"};
	uint64_t seed = 4711;

	(void)state;
	for (size_t i = 0; i < ROUTERS; i++)
		routers[i].disk = routers[i].memory = list_of(0, lists[0]);
	for (unsigned step = 0; step < MOVE_STEPS; step++) {
		const size_t newest = step * N_ELEMENTS(lists) / MOVE_STEPS;
		/* The new pair comes after it is listed alone, and the old one goes late. Of each
		 * pair one is away now and then. */
		const bool has_old = step < MOVE_STEPS - 20;
		const bool has_new = step > MOVE_STEPS * 5 / 8;
		const bool pairs[PLACES] = {has_old, has_old, has_new, has_new};
		bool is_there[PLACES];

		memcpy(is_there, pairs, sizeof(pairs));
		is_there[random_next(&seed) % 2] = false;
		is_there[2 + random_next(&seed) % 2] = false;
		for (size_t i = 0; i < ROUTERS; i++) {
			struct moved_router *r = &routers[i];
			struct conductor_list list;
			int up_by[KNOWN_CONDUCTORS_MAX];
			size_t told = newest;

			for (size_t p = 0; p < PLACES; p++)
				r->up[p] &= is_there[p];
			/* It connects to some of those that it knows. */
			for (size_t k = 0; k < r->memory.n; k++) {
				const size_t p = place_of(&r->memory.each[k]);

				if (!is_there[p] || random_next(&seed) % 3 == 0)
					continue;
				r->up[p] = true;
				list = r->memory;
				ask_up(r, up_by);
				if (conductor_choice_settle(&list, up_by))
					keep(r, &list, random_next(&seed) % 8);
				break;
			}
			/* One that it is connected to tells it a list, perhaps one that was late.
			 */
			if (told > 0 && random_next(&seed) % 4 == 0)
				told--;
			ask_up(r, up_by);
			for (size_t k = 0; k < r->memory.n; k++) {
				const struct conductor_list heard = list_of(told + 1, lists[told]);

				if (up_by[k] == CONDUCTOR_IS_DOWN)
					continue;
				if (conductor_choose(&r->memory, up_by, &heard, &list) ==
				    CONDUCTORS_CHANGE)
					keep(r, &list, random_next(&seed) % 8);
				break;
			}
			/* One of each pair is there at the next step. */
			if (!knows_a_way(r, pairs))
				fail_msg("router %zu is cut off at step %u", i, step);
			if (r->disk.version > newest + 1)
				fail_msg("router %zu has a list that nobody told", i);
		}
	}
	for (size_t i = 0; i < ROUTERS; i++) {
		char words[256];

		words_of(&routers[i].disk, words, sizeof(words));
		if (strcmp(words, "ECc DDd") != 0)
			fail_msg("router %zu ends with %s", i, words);
	}
}

/* As JSON. */

static const char good[] =
	"{\"conductors-version\":5,\"conductors\":[{\"name\":\"c1\",\"host\":\"192.0.2.1\","
	"\"port\":930,\"listen-port\":20001,\"repository-port\":8930,\"ssh-host-keys\":["
	"\"AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\"]}]}";

static int read_told(const char *text, struct conductor_list *ret, struct err *err)
{
	_cleanup_(json_freep) cJSON *json = NULL;
	int rc = json_parse(&json, span_of_string(text), 1 << 16, err);

	return rc < 0 ? rc : conductor_list_read_told(json, ret, err);
}

static void test_a_list_that_is_told(void **state)
{
	struct conductor_list list;
	struct conductor_list again;
	struct err err;
	cJSON *json = cJSON_CreateObject();

	(void)state;
	assert_int_equal(read_told(good, &list, &err), 0);
	assert_int_equal(list.version, 5);
	assert_int_equal(list.n, 1);
	assert_string_equal(list.each[0].name, "c1");
	assert_int_equal(list.each[0].at.n_ssh_host_keys, 1);
	assert_false(list.each[0].leaves);
	/* What is written is read again, with who leaves. */
	list.each[0].leaves = true;
	assert_true(conductor_list_add_json(json, &list));
	assert_int_equal(conductor_list_read(json, &again, &err), 0);
	assert_memory_equal(&list, &again, sizeof(list));
	cJSON_Delete(json);
}

/* One place of the good one is replaced. */
static void test_what_is_no_list(void **state)
{
	static const struct {
		const char *what;
		const char *by;
		const char *says;
	} rows[] = {
		{"\"conductors-version\":5,", "", "conductors-version"},
		{":5,", ":0,", "conductors-version"},
		{":5,", ":-5,", "conductors-version"},
		{":5,", ":9007199254740993,", "conductors-version"},
		{":5,", ":5,\"more\":1,", "more"},
		{"\"name\":\"c1\",", "", "is not the name of a conductor"},
		{"\"c1\"", "\"c 1\"", "is not the name of a conductor"},
		{"\"c1\"", "\"\"", "name"},
		{"192.0.2.1", "-oProxyCommand=x", "neither a name nor an address"},
		{"192.0.2.1", "", "host"},
		{":930", ":0", "port"},
		{":930", ":65536", "port"},
		{":20001", ":0", "port"},
		{":8930", ":\\\"1\\\"", NULL},
		{"AAAAC3Nz", "BAAAC3Nz", "ssh-host-keys"},
		{"\"AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\"", "",
		 "no SSH host key"},
		{"\"port\"", "\"leaving\":true,\"port\"", "leaving"},
		{"{\"name\"", "7,{\"name\"", "expected a JSON object"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		const char *at = strstr(good, rows[i].what);
		struct conductor_list list = {.version = 77};
		struct err err;
		char text[1024];

		assert_non_null(at);
		(void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - good), good, rows[i].by,
			       at + strlen(rows[i].what));
		if (read_told(text, &list, &err) != -EBADMSG)
			fail_msg("row %zu: taken", i);
		if (rows[i].says && !strstr(err.text, rows[i].says))
			fail_msg("row %zu: %s", i, err.text);
		assert_int_equal(list.version, 77);
	}
}

static void test_no_two_are_one(void **state)
{
	static const char one[] =
		"{\"name\":\"%s\",\"host\":\"192.0.2.%d\",\"port\":930,\"listen-port\":1,"
		"\"repository-port\":2,\"ssh-host-keys\":[\"AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHC"
		"AkKCwwNDg8QERITFBUWFxgZGhscHR4f\"]}";
	static const struct {
		const char *names[10];
		int hosts[10];
		size_t n;
		const char *says; /* NULL = it is good */
	} rows[] = {
		{{"a", "b"}, {1, 2}, 2, NULL},
		{{"a", "a"}, {1, 2}, 2, "a is listed twice"},
		{{"a", "b"}, {1, 1}, 2, "a and b have one address"},
		{{"a", "b", "c", "d", "e", "f", "g", "h"}, {1, 2, 3, 4, 5, 6, 7, 8}, 8, NULL},
		{{"a", "b", "c", "d", "e", "f", "g", "h", "i"},
		 {1, 2, 3, 4, 5, 6, 7, 8, 9},
		 9,
		 "expected 1 to 8"},
		{{NULL}, {0}, 0, "expected 1 to 8"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		char text[4096] = "{\"conductors-version\":1,\"conductors\":[";
		struct conductor_list list;
		struct err err;

		for (size_t k = 0; k < rows[i].n; k++) {
			size_t used = strlen(text);

			if (k > 0)
				text[used++] = ',';
			(void)snprintf(text + used, sizeof(text) - used, one, rows[i].names[k],
				       rows[i].hosts[k]);
		}
		(void)strcat(text, "]}");
		if (!rows[i].says)
			assert_int_equal(read_told(text, &list, &err), 0);
		else if (read_told(text, &list, &err) != -EBADMSG ||
			 !strstr(err.text, rows[i].says))
			fail_msg("row %zu: %s", i, err.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_kept),
		cmocka_unit_test(test_an_older_list_changes_nothing),
		cmocka_unit_test(test_who_leaves_goes_when_a_listed_one_is_reached),
		cmocka_unit_test(test_there_is_room_for_those_that_are_up),
		cmocka_unit_test(test_a_fleet_moves),
		cmocka_unit_test(test_a_list_that_is_told),
		cmocka_unit_test(test_what_is_no_list),
		cmocka_unit_test(test_no_two_are_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
